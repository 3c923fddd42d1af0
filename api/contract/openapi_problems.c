/* The statuses and codes of error responses in the description. */
#include "api/contract/problem.h"

#include <stdio.h>
#include <string.h>

#include "api/contract/json.h"
#include "api/contract/openapi.h"

const struct problem_status problem_statuses[] = {
    {400, "Bad Request", "BadRequest", NULL},
    {401, "Unauthorized", "Unauthorized", "WWW-Authenticate"},
    {403, "Forbidden", "Forbidden", NULL},
    {404, "Not Found", "NotFound", NULL},
    {405, "Method Not Allowed", NULL, NULL},
    {406, "Not Acceptable", "NotAcceptable", NULL},
    {409, "Conflict", "Conflict", NULL},
    {413, "Content Too Large", "ContentTooLarge", NULL},
    {415, "Unsupported Media Type", "UnsupportedMediaType", NULL},
    {416, "Range Not Satisfiable", "RangeNotSatisfiable", "Accept-Ranges Content-Range"},
    {417, "Expectation Failed", NULL, NULL},
    {421, "Misdirected Request", NULL, NULL},
    {422, "Unprocessable Content", "UnprocessableContent", NULL},
    {429, "Too Many Requests", "TooManyRequests", "Retry-After"},
    {500, "Internal Server Error", NULL, NULL},
    {501, "Not Implemented", NULL, NULL},
    {503, "Service Unavailable", "ServiceUnavailable", "Retry-After"},
    {507, "Insufficient Storage", "InsufficientStorage", NULL},
};
const size_t problem_status_count = sizeof problem_statuses / sizeof problem_statuses[0];

/* ------------------------------------------------------------------ what the description says */

static const struct problem_status *row_of(int status) {
    for (size_t i = 0; i < problem_status_count; i++)
        if (problem_statuses[i].status == status)
            return &problem_statuses[i];
    return NULL;
}

const char *problem_title(int status) {
    const struct problem_status *row = row_of(status);
    return row ? row->title : "Error";
}

struct code problem_code_at(int i) {
    const int code = PROBLEM_NONE + 1 + i;
    return code < PROBLEM_CODES ? (struct code){problem_rows[code].code, problem_rows[code].doc}
                                : (struct code){NULL, NULL};
}

static void write_example(struct json_writer *json, const struct problem_row *row) {
    json_member_open(json, row->code, '{');
    json_key(json, "value");
    problem_open(json, row, "", row->doc);
    if (row == &problem_rows[PROBLEM_INVALID_FIELDS]) {
        json_member_open(json, "errors", '[');
        json_open(json, '{');
        json_member(json, "pointer", "/training/epochs");
        json_member(json, "detail", "must be an integer from 1 to 1000000");
        json_close(json, '}');
        json_close(json, ']');
    }
    json_close(json, '}');
    json_close(json, '}');
}

void problem_write_examples(struct json_writer *json, int status) {
    json_member_open(json, "examples", '{');
    for (int i = PROBLEM_NONE + 1; i < PROBLEM_CODES; i++) {
        const bool by_name = row_of(problem_rows[i].status)->component != NULL;
        if (status ? problem_rows[i].status == status : !by_name)
            write_example(json, &problem_rows[i]);
    }
    json_close(json, '}');
}

void problem_write_codes(struct json_writer *json) {
    json_open(json, '[');
    for (int i = PROBLEM_NONE + 1; i < PROBLEM_CODES; i++) {
        json_open(json, '{');
        json_member(json, "code", problem_rows[i].code);
        json_member_integer(json, "status", problem_rows[i].status);
        json_member(json, "description", problem_rows[i].doc);
        json_close(json, '}');
    }
    json_close(json, ']');
}
