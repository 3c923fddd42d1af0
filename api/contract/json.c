#include "api/contract/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/contract/json_scan.h"
#include "api/format/number.h"
#include "server/base/clock.h"
#include "server/base/utf8.h"

/* ------------------------------------------------------------------ reading */

cJSON *json_read(const char *text, size_t length, size_t max_values, struct arena *arena,
                 char *error, size_t error_size) {
    struct json_scan scan;
    if (!json_scan_begin(&scan, text, length, max_values) || !json_scan_value(&scan, 1) ||
        !json_scan_end(&scan)) {
        json_scan_explain(&scan, error, error_size);
        return NULL;
    }
    cJSON *tree = cJSON_ParseWithLength(text, length);
    if (!tree)
        snprintf(error, error_size, "out of memory");
    if (!tree && arena)
        arena->failed = true;
    return tree;
}

bool json_names(const char *text, cJSON **tree, const char **names, int most) {
    int i = 0;
    *tree = text ? cJSON_Parse(text) : NULL;
    for (const cJSON *name = *tree ? (*tree)->child : NULL; name && i < most; name = name->next)
        names[i++] = name->valuestring;
    names[i] = NULL;
    return !text || *tree;
}

bool json_is_repeated(const cJSON *object, const cJSON *member) {
    for (const cJSON *earlier = object->child; earlier != member; earlier = earlier->next)
        if (strcmp(earlier->string, member->string) == 0)
            return true;
    return false;
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

/* Texts come from clients, and some are truncated: bytes that are not UTF-8 become U+FFFD, one by
 * one. */
static void append_utf8(struct buffer *out, const char *text, size_t length) {
    for (size_t valid; (valid = utf8_length(text, length)) < length;) {
        buffer_append(out, text, valid);
        buffer_text(out, "\xef\xbf\xbd");
        text += valid + 1;
        length -= valid + 1;
    }
    buffer_append(out, text, length);
}

static void quoted(struct buffer *out, const char *text) {
    buffer_append(out, "\"", 1);
    while (*text) {
        size_t plain = 0;
        while ((unsigned char)text[plain] >= ' ' && text[plain] != '"' && text[plain] != '\\')
            plain++;
        append_utf8(out, text, plain);
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
    buffer_text(json->out, text ? text : "null");
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

void json_rows(struct buffer *out, const float *points, size_t n, int dim, bool is_first) {
    const size_t width = (size_t)dim, room = n * (width * (FLOAT_TEXT + 1) + 3);
    char *start = buffer_reserve(out, room), *at = start;
    if (!start)
        return;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 || !is_first)
            *at++ = ',';
        *at++ = '[';
        at = floats_text(at, points + i * width, width, "null");
        *at++ = ']';
    }
    out->length += (size_t)(at - start);
}

void json_strings(struct json_writer *json, const char *const *texts) {
    json_open(json, '[');
    for (int i = 0; texts[i]; i++)
        json_string(json, texts[i]);
    json_close(json, ']');
}

void json_numbers(struct json_writer *json, const double *values, int count) {
    json_open(json, '[');
    for (int i = 0; i < count; i++)
        json_double(json, values[i]);
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

/* ------------------------------------------------------------------ members */

void json_member(struct json_writer *json, const char *key, const char *text) {
    json_key(json, key);
    json_string(json, text);
}

void json_member_integer(struct json_writer *json, const char *key, int64_t value) {
    json_key(json, key);
    json_integer(json, value);
}

void json_member_raw(struct json_writer *json, const char *key, const char *text) {
    json_key(json, key);
    json_raw(json, text);
}

void json_member_open(struct json_writer *json, const char *key, char bracket) {
    json_key(json, key);
    json_open(json, bracket);
}
