#include "server/base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/log_out.h"
#include "server/base/utf8.h"

const char *const log_level_names[] = {"error", "warn", "info", "debug", NULL};
const char *const log_format_names[] = {"logfmt", "json", NULL};

enum { LINE_BYTES = 2040, LONGEST_ESCAPE = 6 };
/* every byte in its longest form, and the quotes of a cut key */
_Static_assert(LONGEST_ESCAPE *LINE_BYTES + 48 <= LOG_OUT_LONGEST, "a line has room as JSON");

static atomic_int threshold = LOG_INFO, line_format = LOG_LOGFMT;

void log_set_level(enum log_level level) {
    atomic_store(&threshold, level);
}

void log_set_format(enum log_format format) {
    atomic_store(&line_format, format);
}

bool log_enabled(enum log_level level) {
    return (int)level <= atomic_load(&threshold);
}

/* ------------------------------------------------------------------ logfmt as JSON */

/* One byte, or one UTF-8 character, as part of a JSON string; moves *text past it. */
static char *json_character(char *out, const char **text) {
    const unsigned char c = (unsigned char)**text;
    if (c >= 0x80) {
        size_t length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
        if (strnlen(*text, length) < length || !utf8_is_valid(*text, length)) {
            (*text)++;
            return stpcpy(out, "\\ufffd");
        }
        out = mempcpy(out, *text, length);
        *text += length;
        return out;
    }
    (*text)++;
    if (c < ' ' || c == 0x7f)
        return out + sprintf(out, "\\u%04x", c);
    if (c == '"' || c == '\\')
        *out++ = '\\';
    *out++ = (char)c;
    return out;
}

/* A value in the quotes of log_quote, which *text has just passed. */
static char *json_quoted(char *out, const char **text) {
    *out++ = '"';
    while (**text && **text != '"') {
        unsigned code;
        if (**text == '\\' && sscanf(*text, "\\x%2x", &code) == 1) {
            out += sprintf(out, "\\u%04x", code);
            *text += 4;
            continue;
        }
        if (**text == '\\' && sscanf(*text, "\\u%4x", &code) == 1) {
            out += sprintf(out, "\\u%04x", code);
            *text += 6;
            continue;
        }
        if (**text == '\\' && (*text)[1])
            (*text)++;
        out = json_character(out, text);
    }
    if (**text)
        (*text)++;
    *out++ = '"';
    return out;
}

/* RFC 8259's grammar of a number. */
static bool is_number(const char *text, size_t length) {
    static const char digits[] = "0123456789";
    const char *at = text + (*text == '-');
    size_t whole = strspn(at, digits);
    if (whole == 0 || (*at == '0' && whole > 1))
        return false;
    at += whole;
    if (*at == '.') {
        size_t fraction = strspn(at + 1, digits);
        if (fraction == 0)
            return false;
        at += 1 + fraction;
    }
    if (*at == 'e' || *at == 'E') {
        at += 1 + (at[1] == '+' || at[1] == '-');
        size_t exponent = strspn(at, digits);
        if (exponent == 0)
            return false;
        at += exponent;
    }
    return (size_t)(at - text) == length;
}

static char *json_plain(char *out, const char **text) {
    const size_t length = strcspn(*text, " ");
    if (is_number(*text, length)) {
        out = mempcpy(out, *text, length);
        *text += length;
        return out;
    }
    *out++ = '"';
    for (const char *end = *text + length; *text < end;)
        out = json_character(out, text);
    *out++ = '"';
    return out;
}

/* out has room for every byte of `line` in its longest form. A line that was cut short is still an
 * object. */
static size_t line_as_json(const char *line, char *out) {
    char *at = out;
    *at++ = '{';
    while (*line) {
        if (at - out > 1)
            *at++ = ',';
        *at++ = '"';
        for (; *line && *line != '=';)
            at = json_character(at, &line);
        *at++ = '"';
        *at++ = ':';
        if (*line)
            line++;
        if (*line == '"') {
            line++;
            at = json_quoted(at, &line);
        } else {
            at = json_plain(at, &line);
        }
        line += *line == ' ';
    }
    *at++ = '}';
    *at++ = '\n';
    return (size_t)(at - out);
}

/* ------------------------------------------------------------------ lines */

/* The text of a line, ready to be written; its length. */
static size_t format_line(char out[LOG_OUT_LONGEST], enum log_level level, const char *message,
                          const char *fields, va_list arguments) {
    char line[LINE_BYTES], now[CLOCK_TEXT];
    clock_format(clock_now_ms(), now);
    int used = snprintf(line, sizeof line, "time=%s level=%s msg=\"%s\"", now,
                        log_level_names[level], message);
    const int last = (int)sizeof line - 1;
    if (fields && fields[0] && used < last) {
        line[used++] = ' ';
        const int more = vsnprintf(line + used, sizeof line - (size_t)used, fields, arguments);
        used += more > 0 ? more : 0;
    }
    if (used > last)
        used = last;
    line[used] = '\0';
    if (atomic_load(&line_format) == LOG_JSON)
        return line_as_json(line, out);
    *(char *)mempcpy(out, line, (size_t)used) = '\n';
    return (size_t)used + 1;
}

void log_line(enum log_level level, const char *message, const char *fields, ...) {
    if (!log_enabled(level))
        return;
    char line[LOG_OUT_LONGEST];
    va_list arguments;
    va_start(arguments, fields);
    const size_t length = format_line(line, level, message, fields, arguments);
    va_end(arguments);
    log_out(line, length);
}

static size_t format(char line[LOG_OUT_LONGEST], enum log_level level, const char *message,
                     const char *fields, ...) {
    va_list arguments;
    va_start(arguments, fields);
    const size_t length = format_line(line, level, message, fields, arguments);
    va_end(arguments);
    return length;
}

size_t log_format_dropped(char line[LOG_OUT_LONGEST], unsigned long long lines) {
    return format(line, LOG_WARN, "log lines were dropped because nobody read them", "lines=%llu",
                  lines);
}

void log_text(const char *text) {
    char line[LINE_BYTES];
    const int length = snprintf(line, sizeof line - 1, "%s", text);
    const size_t kept = (size_t)length < sizeof line - 2 ? (size_t)length : sizeof line - 2;
    line[kept] = '\n';
    log_out(line, kept + 1);
}

static bool is_plain(const char *value) {
    for (; *value; value++)
        if (*value <= ' ' || *value == '"' || *value == '=' || *value == '\\' || *value == 0x7f)
            return false;
    return true;
}

/* The character at `at`, if it is one that a terminal obeys or that turns the direction of text: a
 * control character (U+0080 to U+009F), U+202A to U+202E, U+2066 to U+2069. 0: it is not. */
static unsigned acting_character(const char *at, int *length) {
    const unsigned char *s = (const unsigned char *)at;
    *length = s[0] == 0xc2 ? 2 : 3;
    if (s[0] == 0xc2 && s[1] >= 0x80 && s[1] <= 0x9f)
        return s[1];
    if (s[0] != 0xe2 || (s[1] != 0x80 && s[1] != 0x81) || (s[2] & 0xc0) != 0x80)
        return 0;
    const unsigned code = 0x2000 | (unsigned)(s[1] & 1) << 6 | (s[2] & 0x3f);
    const bool acts = (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
    return acts ? code : 0;
}

const char *log_quote(const char *value, char *out, int out_size) {
    static const char hex[] = "0123456789abcdef";
    if (value[0] && is_plain(value) && !is_number(value, strlen(value))) {
        snprintf(out, (size_t)out_size, "%s", value);
        return out;
    }
    int used = 0;
    out[used++] = '"';
    for (; *value && used < out_size - 8; value++) {
        int length;
        unsigned char c = (unsigned char)*value;
        const unsigned acting = acting_character(value, &length);
        if (acting) {
            used += sprintf(out + used, "\\u%04x", acting);
            value += length - 1;
        } else if (c < ' ' || c == 0x7f) {
            out[used++] = '\\';
            out[used++] = 'x';
            out[used++] = hex[c >> 4];
            out[used++] = hex[c & 15];
        } else {
            if (c == '"' || c == '\\')
                out[used++] = '\\';
            out[used++] = (char)c;
        }
    }
    out[used++] = '"';
    out[used] = '\0';
    return out;
}
