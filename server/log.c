#include "server/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/id.h"
#include "server/router.h"

const char *const log_level_names[] = {"error", "warn", "info", "debug", NULL};
const char *const log_format_names[] = {"logfmt", "json", NULL};

enum { LINE_BYTES = 2048, LONGEST_ESCAPE = 6 };

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
        if (strnlen(*text, length) < length || !router_is_utf8(*text, length)) {
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

/* One write(2), so that lines of different threads do not mix. Nobody is there to be told of a log
 * that cannot be written. */
static void write_out(const char *line, size_t length) {
    ssize_t ignored = write(STDERR_FILENO, line, length);
    (void)ignored;
}

void log_line(enum log_level level, const char *message, const char *fields, ...) {
    if (!log_enabled(level))
        return;
    char line[LINE_BYTES], now[CLOCK_TEXT];
    clock_format(clock_now_ms(), now);
    int used = snprintf(line, sizeof line, "time=%s level=%s msg=\"%s\"", now,
                        log_level_names[level], message);
    const int last = (int)sizeof line - 1;
    if (fields && fields[0] && used < last) {
        line[used++] = ' ';
        va_list arguments;
        va_start(arguments, fields);
        int more = vsnprintf(line + used, sizeof line - (size_t)used, fields, arguments);
        va_end(arguments);
        used += more > 0 ? more : 0;
    }
    if (used > last)
        used = last;
    if (atomic_load(&line_format) == LOG_JSON) {
        char json[LONGEST_ESCAPE * LINE_BYTES + 64]; /* and the quotes of a cut key */
        line[used] = '\0';
        write_out(json, line_as_json(line, json));
        return;
    }
    line[used++] = '\n'; /* in the place of the NUL at most */
    write_out(line, (size_t)used);
}

static bool is_plain(const char *value) {
    for (; *value; value++)
        if (*value <= ' ' || *value == '"' || *value == '=' || *value == '\\' || *value == 0x7f)
            return false;
    return true;
}

const char *log_quote(const char *value, char *out, int out_size) {
    static const char hex[] = "0123456789abcdef";
    if (value[0] && is_plain(value) && !is_number(value, strlen(value))) {
        snprintf(out, (size_t)out_size, "%s", value);
        return out;
    }
    int used = 0;
    out[used++] = '"';
    for (; *value && used < out_size - 6; value++) {
        unsigned char c = (unsigned char)*value;
        if (c < ' ' || c == 0x7f) {
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
