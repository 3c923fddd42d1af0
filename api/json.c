#include "api/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/format/number.h"
#include "server/id.h"
#include "server/router.h"

/* ------------------------------------------------------------------ checking the bytes */

/* A recursive-descent recogniser of RFC 8259. `wrong` stays at the first problem. */
struct scan {
    const char *start, *at, *end;
    size_t values, max_values;
    const char *wrong;
};

static bool fail(struct scan *scan, const char *what) {
    if (!scan->wrong)
        scan->wrong = what;
    return false;
}

static void skip_space(struct scan *scan) {
    while (scan->at < scan->end && memchr(" \t\r\n", *scan->at, 4))
        scan->at++;
}

static bool next_is(struct scan *scan, char c) {
    return scan->at < scan->end && *scan->at == c;
}

static size_t skip_digits(struct scan *scan) {
    const char *from = scan->at;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
        scan->at++;
    return (size_t)(scan->at - from);
}

static bool scan_number(struct scan *scan) {
    if (next_is(scan, '-'))
        scan->at++;
    if (next_is(scan, '0'))
        scan->at++;
    else if (skip_digits(scan) == 0)
        return fail(scan, "not a number");
    if (next_is(scan, '.')) {
        scan->at++;
        if (skip_digits(scan) == 0)
            return fail(scan, "digits must follow the decimal point");
    }
    if (next_is(scan, 'e') || next_is(scan, 'E')) {
        scan->at++;
        if (next_is(scan, '+') || next_is(scan, '-'))
            scan->at++;
        if (skip_digits(scan) == 0)
            return fail(scan, "digits must follow the exponent sign");
    }
    return true;
}

static bool scan_escape(struct scan *scan) {
    scan->at++;
    if (scan->at == scan->end || !strchr("\"\\/bfnrtu", *scan->at))
        return fail(scan, "unknown escape");
    if (*scan->at++ != 'u')
        return true;
    int zeros = 0;
    for (int i = 0; i < 4; i++, scan->at++) {
        if (scan->at == scan->end ||
            !memchr("0123456789abcdefABCDEF", *scan->at, sizeof "0123456789abcdefABCDEF" - 1))
            return fail(scan, "\\u must be followed by four hex digits");
        zeros += *scan->at == '0';
    }
    return zeros < 4 || fail(scan, "\\u0000 is not accepted");
}

static bool scan_string(struct scan *scan) {
    scan->at++;
    while (scan->at < scan->end && *scan->at != '"') {
        if ((unsigned char)*scan->at < ' ')
            return fail(scan, "a control character in a string");
        if (*scan->at != '\\')
            scan->at++;
        else if (!scan_escape(scan))
            return false;
    }
    if (scan->at == scan->end)
        return fail(scan, "a string has no end");
    scan->at++;
    return true;
}

static bool scan_value(struct scan *scan, int depth);

static bool scan_container(struct scan *scan, int depth) {
    const bool is_object = *scan->at++ == '{';
    const char closing = is_object ? '}' : ']';
    skip_space(scan);
    if (next_is(scan, closing)) {
        scan->at++;
        return true;
    }
    for (;;) {
        skip_space(scan);
        if (is_object) {
            if (!next_is(scan, '"'))
                return fail(scan, "a member must start with its name in double quotes");
            if (!scan_string(scan))
                return false;
            skip_space(scan);
            if (!next_is(scan, ':'))
                return fail(scan, "':' must follow the name of a member");
            scan->at++;
        }
        if (!scan_value(scan, depth + 1))
            return false;
        skip_space(scan);
        if (next_is(scan, closing)) {
            scan->at++;
            return true;
        }
        if (!next_is(scan, ','))
            return fail(scan, is_object ? "',' or '}' expected" : "',' or ']' expected");
        scan->at++;
    }
}

static bool scan_value(struct scan *scan, int depth) {
    static const char *const words[] = {"true", "false", "null"};
    if (++scan->values > scan->max_values)
        return fail(scan, "too many values");
    if (depth > JSON_MAX_DEPTH)
        return fail(scan, "nested too deeply");
    skip_space(scan);
    if (scan->at == scan->end)
        return fail(scan, "the text ends too early");
    char c = *scan->at;
    if (c == '{' || c == '[')
        return scan_container(scan, depth);
    if (c == '"')
        return scan_string(scan);
    for (size_t i = 0; i < 3; i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(scan->end - scan->at) >= length && memcmp(scan->at, words[i], length) == 0) {
            scan->at += length;
            return true;
        }
    }
    if (c == '-' || (c >= '0' && c <= '9'))
        return scan_number(scan);
    return fail(scan, "a value was expected");
}

cJSON *json_read(const char *text, size_t length, size_t max_values, char *error,
                 size_t error_size) {
    struct scan scan = {.start = text, .at = text, .end = text + length, .max_values = max_values};
    if (!router_is_utf8(text, length)) {
        snprintf(error, error_size, "the text is not UTF-8");
        return NULL;
    }
    if (scan_value(&scan, 1)) {
        skip_space(&scan);
        if (scan.at < scan.end)
            fail(&scan, "something follows the value");
    }
    if (scan.wrong) {
        size_t line = 1, column = 1;
        for (const char *p = text; p < scan.at; p++) {
            column = *p == '\n' ? 1 : column + 1;
            line += *p == '\n';
        }
        snprintf(error, error_size, "line %zu, column %zu: %s", line, column, scan.wrong);
        return NULL;
    }
    cJSON *tree = cJSON_ParseWithLength(text, length);
    if (!tree)
        snprintf(error, error_size, "not enough memory, or an unpaired surrogate in a string");
    return tree;
}

/* ------------------------------------------------------------------ writing */

static void comma(struct json_writer *json) {
    if (json->needs_comma)
        buffer_append(json->out, ",", 1);
    json->needs_comma = true;
}

void json_open(struct json_writer *json, char bracket) {
    comma(json);
    buffer_append(json->out, &bracket, 1);
    json->needs_comma = false;
    json->depth++;
}

void json_close(struct json_writer *json, char bracket) {
    buffer_append(json->out, &bracket, 1);
    json->needs_comma = true;
    if (--json->depth == 0 && json->is_answer)
        buffer_append(json->out, "\n", 1);
}

static void quoted(struct buffer *out, const char *text) {
    buffer_append(out, "\"", 1);
    while (*text) {
        size_t plain = 0;
        while ((unsigned char)text[plain] >= ' ' && text[plain] != '"' && text[plain] != '\\')
            plain++;
        buffer_append(out, text, plain);
        text += plain;
        if (*text == '"' || *text == '\\')
            buffer_format(out, "\\%c", *text++);
        else if (*text)
            buffer_format(out, "\\u%04x", (unsigned)*text++);
    }
    buffer_append(out, "\"", 1);
}

void json_key(struct json_writer *json, const char *key) {
    comma(json);
    quoted(json->out, key);
    buffer_append(json->out, ":", 1);
    json->needs_comma = false;
}

void json_string(struct json_writer *json, const char *text) {
    if (!text) {
        json_null(json);
        return;
    }
    comma(json);
    quoted(json->out, text);
}

void json_raw(struct json_writer *json, const char *text) {
    comma(json);
    buffer_text(json->out, text);
}

void json_null(struct json_writer *json) {
    json_raw(json, "null");
}

void json_bool(struct json_writer *json, bool value) {
    json_raw(json, value ? "true" : "false");
}

void json_integer(struct json_writer *json, int64_t value) {
    comma(json);
    buffer_format(json->out, "%lld", (long long)value);
}

void json_double(struct json_writer *json, double value) {
    if (!isfinite(value)) {
        json_null(json);
        return;
    }
    char text[DOUBLE_TEXT];
    comma(json);
    buffer_append(json->out, text, double_text(text, value));
}

/* [a,b,..] at `at`, where there is room for it; returns the end. */
static char *put_floats(char *at, const float *values, size_t count) {
    *at++ = '[';
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            *at++ = ',';
        if (isfinite(values[i])) {
            at += float_text(at, values[i]);
        } else {
            memcpy(at, "null", 4);
            at += 4;
        }
    }
    *at++ = ']';
    return at;
}

void json_rows(struct buffer *out, const float *points, size_t n, int dim, bool is_first) {
    const size_t width = (size_t)dim, room = n * (width * (FLOAT_TEXT + 1) + 3);
    char *start = buffer_reserve(out, room), *at = start;
    if (!start)
        return;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 || !is_first)
            *at++ = ',';
        at = put_floats(at, points + i * width, width);
    }
    out->length += (size_t)(at - start);
}

void json_points(struct json_writer *json, const float *points, size_t n, int dim) {
    json_open(json, '[');
    json_rows(json->out, points, n, dim, true);
    json_close(json, ']');
}

void json_time(struct json_writer *json, int64_t ms) {
    if (ms == 0) {
        json_null(json);
        return;
    }
    char text[CLOCK_TEXT];
    clock_format(ms, text);
    json_string(json, text);
}
