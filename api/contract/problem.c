#include "api/contract/problem.h"

#include <stdarg.h>
#include <stdio.h>

#include "api/contract/json.h"

void problem_open(struct json_writer *json, const struct problem_row *row, const char *base,
                  const char *detail) {
    char type[512];
    snprintf(type, sizeof type, "%s/docs#%s", base, row->code);
    json_open(json, '{');
    json_member(json, "type", type);
    json_member(json, "title", problem_title(row->status));
    json_member_integer(json, "status", row->status);
    json_member(json, "code", row->code);
    json_member(json, "detail", detail);
}

#define AWAY_RETRY_SECONDS "2" /* about as long as it takes at most to notice that it is back */

/* Everything but the closing brace. */
static struct json_writer open_problem(struct http_exchange *exchange, enum problem_code code,
                                       const char *detail) {
    const struct problem_row *row = &problem_rows[code];
    buffer_clear(&exchange->response.body);
    exchange->response.status = row->status;
    exchange->response.content_type = "application/problem+json";
    if (code == PROBLEM_DATABASE_UNAVAILABLE &&
        !http_has_header(&exchange->response, "Retry-After"))
        http_set_header(exchange, "Retry-After", AWAY_RETRY_SECONDS);
    struct json_writer json = {.out = &exchange->response.body, .is_answer = true};
    problem_open(&json, row, http_base_path(exchange), detail ? detail : row->doc);
    return json;
}

void problem(struct http_exchange *exchange, enum problem_code code, const char *detail) {
    struct json_writer json = open_problem(exchange, code, detail);
    json_close(&json, '}');
}

const char *problem_pointer(struct problem_fields *fields, const char *group, const char *name) {
    char escaped[256];
    size_t used = 0;
    for (; *name && used < sizeof escaped - 3; name++) { /* RFC 6901 */
        if (*name == '~' || *name == '/') {
            escaped[used++] = '~';
            escaped[used++] = *name == '~' ? '0' : '1';
        } else {
            escaped[used++] = *name;
        }
    }
    escaped[used] = '\0';
    return group[0] ? arena_format(fields->arena, "/%s/%s", group, escaped)
                    : arena_format(fields->arena, "/%s", escaped);
}

void problem_add(struct problem_fields *fields, const char *pointer, const char *format, ...) {
    if (fields->count < PROBLEM_MAX_FIELDS) {
        char detail[PROBLEM_DETAIL];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(detail, sizeof detail, format, arguments);
        va_end(arguments);
        fields->items[fields->count].pointer = arena_format(fields->arena, "%s", pointer);
        fields->items[fields->count].detail = arena_format(fields->arena, "%s", detail);
    }
    fields->count++;
}

bool problem_enough(struct problem_fields *fields) {
    fields->has_more |= fields->count > PROBLEM_MAX_FIELDS;
    return fields->has_more;
}

bool problem_none(struct http_exchange *exchange, const struct problem_fields *fields) {
    if (fields->count > 0)
        problem_list(exchange, PROBLEM_INVALID_FIELDS, "fields are invalid", fields);
    return fields->count == 0;
}

void problem_field(struct http_exchange *exchange, const char *pointer, const char *detail) {
    struct problem_fields wrong = {.arena = http_arena(exchange)};
    problem_add(&wrong, pointer, "%s", detail);
    problem_none(exchange, &wrong);
}

void problem_list(struct http_exchange *exchange, enum problem_code code, const char *what,
                  const struct problem_fields *fields) {
    const char *detail = fields->items[0].detail;
    if (fields->count > PROBLEM_MAX_FIELDS)
        detail = http_format(exchange, "%s%d %s; the first %d are listed",
                             fields->has_more ? "at least " : "", fields->count, what,
                             PROBLEM_MAX_FIELDS);
    else if (fields->count > 1)
        detail = http_format(exchange, "%d %s", fields->count, what);
    struct json_writer json = open_problem(exchange, code, detail);
    json_member_open(&json, "errors", '[');
    for (int i = 0; i < fields->count && i < PROBLEM_MAX_FIELDS; i++) {
        json_open(&json, '{');
        json_member(&json, "pointer", fields->items[i].pointer);
        json_member(&json, "detail", fields->items[i].detail);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_close(&json, '}');
}

void problem_store(struct http_exchange *exchange, enum store_status status) {
    static const enum problem_code codes[STORE_ERROR + 1] = {
        [STORE_OVER_LIMIT] = PROBLEM_DATABASE_FULL,   [STORE_FULL] = PROBLEM_DISK_FULL,
        [STORE_NOT_FOUND] = PROBLEM_NOT_FOUND,        [STORE_DISK] = PROBLEM_DISK_ERROR,
        [STORE_GONE] = PROBLEM_DATABASE_GONE,         [STORE_BUSY] = PROBLEM_DATABASE_UNAVAILABLE,
        [STORE_TAKEN] = PROBLEM_DATABASE_UNAVAILABLE, [STORE_AWAY] = PROBLEM_DATABASE_UNAVAILABLE,
        [STORE_IN_DOUBT] = PROBLEM_OUTCOME_UNKNOWN,
    };
    problem(exchange, codes[status] ? codes[status] : PROBLEM_STORE_UNAVAILABLE, NULL);
}
