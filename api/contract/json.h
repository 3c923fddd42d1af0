/*
 * json.h - JSON in and out.
 *
 * Reading: cJSON builds the tree, but it accepts much that is not JSON (bad UTF-8, control
 * characters, trailing bytes, odd numbers) and recurses deeply, so json_read first checks the bytes
 * against RFC 8259 and reports where they are wrong. Writing: straight into a buffer, because a
 * tree of a hundred thousand numbers would cost more than the samples.
 */
#ifndef API_CONTRACT_JSON_H
#define API_CONTRACT_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/base/arena.h"
#include "server/base/buffer.h"

enum { JSON_MAX_VALUES = 20000 };

/* Checks text [length] and parses it. The tree is the caller's (cJSON_Delete). NULL and a message
 * with line and column if it is not JSON or has more than max_values values. Out of memory is
 * reported by the arena, unless it is NULL. */
cJSON *json_read(const char *text, size_t length, size_t max_values, struct arena *arena,
                 char *error, size_t error_size);

/* The strings of a JSON array that this program wrote, up to `most` and a NULL after them; the tree
 * is the caller's and owns them. NULL or "null": none. False: no memory. */
bool json_names(const char *text, cJSON **tree, const char **names, int most);

/* Does an earlier member of the object have the same name? */
bool json_is_repeated(const cJSON *object, const cJSON *member);

/* A writer that adds the commas. In an object, json_key comes before each value. */
struct json_writer {
    struct buffer *out;
    bool needs_comma;
    bool is_answer;        /* ends with a newline, for terminals */
    const char *base_path; /* what links start with; NULL: nothing */
    int depth;
};

void json_open(struct json_writer *json, char bracket); /* '{' or '[' */
void json_close(struct json_writer *json, char bracket);
void json_key(struct json_writer *json, const char *key);
/* NULL writes null; bytes that are not UTF-8 become U+FFFD. */
void json_string(struct json_writer *json, const char *text);
void json_integer(struct json_writer *json, int64_t value);
void json_double(struct json_writer *json, double value); /* shortest that reads back; NAN: null */
void json_bool(struct json_writer *json, bool value);
void json_null(struct json_writer *json);
void json_raw(struct json_writer *json, const char *text); /* JSON already; NULL: null */
void json_numbers(struct json_writer *json, const double *values, int count); /* [..] */
/* Points as arrays without brackets around: [..],[..]; a comma before them unless is_first. */
void json_rows(struct buffer *out, const float *points, size_t n, int dim, bool is_first);
void json_time(struct json_writer *json, int64_t ms);                  /* RFC 3339; 0: null */
void json_strings(struct json_writer *json, const char *const *texts); /* [..] up to a NULL */

/* A key and its value. */
void json_member(struct json_writer *json, const char *key, const char *text);
void json_member_integer(struct json_writer *json, const char *key, int64_t value);
void json_member_raw(struct json_writer *json, const char *key, const char *text);
void json_member_open(struct json_writer *json, const char *key, char bracket);

#endif
