#include "server/base/log.h"

#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/log_out.h"
#include "server/base/utf8.h"

const char *const log_level_names[] = {"error", "warn", "info", "debug", NULL};
const char *const log_format_names[] = {"logfmt", "json", NULL};

enum {
    END_BYTES = 3,    /* a quote, a brace and a line break */
    SHORT_VALUE = 64, /* a number, or the quotes of a text */
};

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

/* ------------------------------------------------------------------ values */

/* A line that is being written. It ends with the last thing that fits; END_BYTES are free after
 * `end`. */
struct line {
    char *at;
    const char *end;
    bool is_json;
};

static bool has_room(struct line *line, size_t bytes) {
    if (line->at + bytes <= line->end)
        return true;
    line->end = line->at; /* so that nothing follows */
    return false;
}

/* The character at `at`, if a terminal would act on it or if it changes the direction of text:
 * U+0080 to U+009F, U+202A to U+202E, U+2066 to U+2069. 0: it is none of these. */
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

/* Writes the character at `at` as it stands within quotes; returns its new length, and its length
 * in the text in *length. */
static size_t escape(const char *at, bool is_json, char out[8], int *length) {
    const unsigned char c = (unsigned char)*at;
    const unsigned acting = acting_character(at, length);
    if (acting)
        return (size_t)sprintf(out, "\\u%04x", acting & 0xffff);
    *length = 1;
    if (c < ' ' || c == 0x7f)
        return (size_t)sprintf(out, is_json ? "\\u%04x" : "\\x%02x", c);
    if (c == '"' || c == '\\')
        return (size_t)sprintf(out, "\\%c", c);
    if (c >= 0x80 && is_json) {
        const size_t size = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
        if (strnlen(at, size) < size || !utf8_is_valid(at, size))
            return (size_t)sprintf(out, "\\ufffd");
        *length = (int)size;
    }
    memcpy(out, at, (size_t)*length);
    return (size_t)*length;
}

/* True: the text needs no quotes in logfmt, because it has nothing to escape and is not a
 * number. */
static bool is_plain(const char *text, size_t length) {
    char *end;
    int unused;
    for (size_t i = 0; i < length; i++)
        if (strchr(" \"=\\\x7f", text[i]) || (unsigned char)text[i] < ' ' ||
            acting_character(text + i, &unused))
            return false;
    strtod(text, &end);
    return length > 0 && end != text + length;
}

static void put_text(struct line *line, const char *text, size_t length, bool always_quoted) {
    const bool is_quoted = always_quoted || line->is_json || !is_plain(text, length);
    if (is_quoted)
        *line->at++ = '"';
    int taken;
    for (size_t i = 0; i < length; i += (size_t)taken) {
        char out[8];
        const size_t bytes = escape(text + i, line->is_json, out, &taken);
        if (!has_room(line, bytes))
            break;
        line->at = mempcpy(line->at, out, bytes);
    }
    if (is_quoted)
        *line->at++ = '"';
}

/* Writes the key of a value; false: there is no more room. */
static bool put_key(struct line *line, const char *key, size_t length, bool is_first) {
    if (!has_room(line, length + 4 + SHORT_VALUE))
        return false;
    const char *format = line->is_json ? "%s\"%.*s\":" : "%s%.*s=";
    const char *between = is_first ? "" : line->is_json ? "," : " ";
    line->at += sprintf(line->at, format, between, (int)length, key);
    return true;
}

/* ------------------------------------------------------------------ fields */

/* Reads the argument of an integer conversion, whose letter follows "ll", "l", "z" or nothing. */
static long long integer_argument(const char *size, va_list *arguments) {
    if (size[0] == 'l' && size[1] == 'l')
        return va_arg(*arguments, long long);
    if (size[0] == 'l')
        return va_arg(*arguments, long);
    return size[0] == 'z' ? va_arg(*arguments, ssize_t) : va_arg(*arguments, int);
}

/* Writes the field key=%d, key=%.3f, key=%s or key="%s" at `field`; returns the start of the next
 * one. */
static const char *put_field(struct line *line, const char *field, va_list *arguments) {
    const size_t key = strcspn(field, "=");
    const bool always_quoted = field[key + 1] == '"';
    const char *at = field + key + always_quoted + 2; /* after the percent sign */
    const long precision = *at == '.' ? strtol(at + 1, (char **)&at, 10) : -1;
    const char *size = at;
    at += strspn(at, "lz");
    if (*at == 's') {
        const char *text = va_arg(*arguments, const char *);
        if (text && put_key(line, field, key, false))
            put_text(line, text, strnlen(text, (size_t)precision), always_quoted);
    } else if (*at == 'f') {
        const double value = va_arg(*arguments, double);
        if (put_key(line, field, key, false)) {
            const char *as = fabs(value) < 1e15                  ? "%.*f"
                             : line->is_json && !isfinite(value) ? "\"%.*g\""
                                                                 : "%.*g";
            line->at += snprintf(line->at, SHORT_VALUE, as, (int)precision, value);
        }
    } else {
        const long long value = integer_argument(size, arguments);
        if (put_key(line, field, key, false))
            line->at += sprintf(line->at, "%lld", value);
    }
    return at + 1 + always_quoted + strspn(at + 1 + always_quoted, " ");
}

/* Writes the text of a line; returns its length. */
static size_t format_line(char out[LOG_OUT_LONGEST], enum log_level level, const char *message,
                          const char *fields, va_list *arguments) {
    char now[CLOCK_TEXT];
    struct line line = {out, out + LOG_OUT_LONGEST - END_BYTES,
                        atomic_load(&line_format) == LOG_JSON};
    clock_format(clock_machine_ms(), now);
    if (line.is_json)
        *line.at++ = '{';
    put_key(&line, "time", 4, true);
    put_text(&line, now, strlen(now), false);
    put_key(&line, "level", 5, false);
    put_text(&line, log_level_names[level], strlen(log_level_names[level]), false);
    put_key(&line, "msg", 3, false);
    put_text(&line, message, strlen(message), true);
    while (fields && *fields)
        fields = put_field(&line, fields, arguments);
    if (line.is_json)
        *line.at++ = '}';
    *line.at++ = '\n';
    return (size_t)(line.at - out);
}

/* ------------------------------------------------------------------ lines */

void log_line(enum log_level level, const char *message, const char *fields, ...) {
    if (!log_enabled(level))
        return;
    char line[LOG_OUT_LONGEST];
    va_list arguments;
    va_start(arguments, fields);
    const size_t length = format_line(line, level, message, fields, &arguments);
    va_end(arguments);
    log_out(line, length);
}

size_t log_format(char line[LOG_OUT_LONGEST], enum log_level level, const char *message,
                  const char *fields, ...) {
    va_list arguments;
    va_start(arguments, fields);
    const size_t length = format_line(line, level, message, fields, &arguments);
    va_end(arguments);
    return length;
}

void log_text(const char *text) {
    char line[LOG_OUT_LONGEST];
    log_out(line, (size_t)sprintf(line, "%.*s\n", LOG_OUT_LONGEST - 2, text));
}
