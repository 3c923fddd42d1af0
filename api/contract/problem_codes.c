/* Every status and every code that an error answer may have, and what the description says of them.
 */
#include "api/contract/problem.h"

#include <stdio.h>
#include <string.h>

#include "api/contract/json.h"

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

/* For /docs, where the `type` of a problem leads: what a code means, and what to do about it. */
struct problem_code {
    const char *code;
    int status;
    const char *doc;
};
static const struct problem_code codes[] = {
    {"bad_target", 400,
     "The path or the query cannot be read: percent-encoding, UTF-8, a slash encoded in the path, "
     "or more than 64 parameters."},
    {"bad_header", 400,
     "A header has a character that is not allowed in it, is folded over several lines, or is "
     "there "
     "twice and has only one value. `detail` says which."},
    {"bad_host", 400, "Exactly one Host header is needed."},
    {"bad_framing", 400,
     "Two programs could read the length of this request differently, so nobody should."},
    {"bad_idempotency_key", 400, "An Idempotency-Key is 1 to 255 bytes of text."},
    {"bad_last_event_id", 400, "Last-Event-ID is not the id of an event."},
    {"invalid_json", 400, "The body is not JSON. `detail` says where, by line and column."},
    {"invalid_csv", 400, "The body is not CSV. `detail` says where, by line."},
    {"invalid_npy", 400, "The body is not a NumPy array that can be read here."},
    {"unexpected_body", 400, "This request takes no body."},
    {"key_needed", 401, "The server asks for an API key: `Authorization: Bearer dn_...`."},
    {"invalid_key", 401, "The API key is not, or no longer, known to this server."},
    {"scope_too_small", 403, "The API key may only read."},
    {"foreign_origin", 403,
     "A web page of another site may not change anything here, unless `--cors-origins` names its "
     "origin."},
    {"no_such_path", 404, "No operation has this path."},
    {"no_such_job", 404, "No job has this id, or none exists yet for `latest`."},
    {"no_such_model", 404, "No model has this id."},
    {"no_such_dataset", 404, "No data set has this name or id."},
    {"no_model_yet", 404, "The job has not come to its first checkpoint."},
    {"model_deleted", 404, "The job has trained a model, which has been deleted since."},
    {"not_found", 404, "Nothing has this id."},
    {"method_not_allowed", 405, "The path has other methods: see the Allow header."},
    {"not_acceptable", 406, "This operation has no format that the Accept header allows."},
    {"job_active", 409, "The job is queued or runs, and that is in the way of what was asked."},
    {"job_running", 409, "The job runs. Cancel it first, or delete it with `force=true`."},
    {"model_in_training", 409,
     "The job of the model is queued or runs. Cancel it first, or delete the job."},
    {"idempotency_key_reused", 422, "This Idempotency-Key came with another request before."},
    {"dataset_built_in", 409, "A built-in data set cannot be deleted."},
    {"dataset_in_use", 409,
     "A queued or running job trains on this data set: wait for it, or cancel it."},
    {"dataset_missing", 409, "A data set that the job needs has been deleted."},
    {"dataset_differs", 409,
     "The uploaded data set is not the one that the model's file describes: other points, other "
     "columns, or other classes."},
    {"body_too_large", 413, "The body is larger than this operation takes."},
    {"unsupported_media_type", 415,
     "The Content-Type is none that this operation takes, or the body has a Content-Encoding."},
    {"range_not_satisfiable", 416, "The Range begins behind the end of the answer."},
    {"expectation_failed", 417, "The only expectation that can be met is `Expect: 100-continue`."},
    {"misdirected_request", 421,
     "The Host header names a machine that this server is not. `--allowed-hosts` has the names "
     "that it is known by."},
    {"invalid_fields", 422,
     "Some fields or parameters are wrong. `errors` has all of them, each with a JSON Pointer."},
    {"invalid_safetensors", 422,
     "The file is no model that this server can import. `errors` has all that is wrong, with JSON "
     "Pointers into the file's header."},
    {"no_shape", 422, "The data set is a mixture of Gaussians, without a curve to go to."},
    {"invalid_data", 422,
     "Values of the upload cannot be used. `errors` has the places of the first."},
    {"cannot_sample", 422, "The model cannot draw what was asked for."},
    {"not_finite", 422,
     "A number of the answer is not finite, or too large for 32 bits: the model's weights are "
     "wild, "
     "or its estimates go unclipped beyond all bounds. `detail` says what to change."},
    {"too_expensive", 422,
     "Drawing so much would cost more arithmetic than `--max-sample-cost`. `detail` says how many "
     "points would fit."},
    {"too_large", 422,
     "The training could take more memory than `--max-training-memory`. `detail` has both figures "
     "and says what would make it smaller."},
    {"queue_full", 429, "So many jobs wait already. Try again after Retry-After seconds."},
    {"too_many_requests", 429,
     "This address sent more requests than `--requests-per-minute`. Try again after Retry-After "
     "seconds."},
    {"too_many_streams", 503, "So many event streams are open already."},
    {"internal", 500, "A fault of the server; its log has the request id."},
    {"spec_unreadable", 500, "A stored job cannot be read by this version."},
    {"model_unreadable", 500, "A stored model cannot be read by this version."},
    {"unknown_transfer_encoding", 501, "The only transfer coding is chunked."},
    {"no_memory", 503, "Not enough memory at the moment."},
    {"not_ready", 503, "The server cannot do its work, for the reason in `detail`."},
    {"stopping", 503, "The server is stopping."},
    {"overloaded", 503,
     "Too much waits for a thread already. Try again after Retry-After seconds."},
    {"model_memory_full", 503,
     "The models that requests use take as much memory as `--model-cache` allows, and this one is "
     "not among them. Try again after Retry-After seconds."},
    {"answer_memory_full", 503,
     "Answers that their clients are still reading take as much memory as `--max-answer-memory` "
     "allows. Try again after Retry-After seconds."},
    {"body_memory_full", 503,
     "The bodies of requests that are on their way take as much memory as `--max-body-memory` "
     "allows. Try again after Retry-After seconds."},
    {"outcome_unknown", 503,
     "A write could not be confirmed. Look whether it took place before you repeat it; with an "
     "Idempotency-Key, just repeat it."},
    {"store_unavailable", 503, "The database could not be used. The log of the server says why."},
    {"disk_error", 503,
     "The disk of the database reported an error, which the server's log names. Nothing has "
     "changed."},
    {"database_gone", 503,
     "The database was moved, replaced or removed while the server ran, as its log says. Nothing "
     "is "
     "written or read any more, and the server leaves with status 70."},
    {"disk_full", 507, "No space is left on the disk of the database. Nothing has changed."},
    {"database_full", 507,
     "The database has reached `--max-database`. Deleting jobs, models or data sets makes room. "
     "Nothing has changed."},
};
enum { CODES = sizeof codes / sizeof codes[0] };

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

void problem_write_schema(struct json_writer *json) {
    json_key(json, "ProblemCode");
    json_open(json, '{');
    json_key(json, "type");
    json_string(json, "string");
    json_key(json, "description");
    json_string(json, "What went wrong: stable, for programs.");
    json_key(json, "enum");
    json_open(json, '[');
    for (int i = 0; i < CODES; i++)
        json_string(json, codes[i].code);
    json_close(json, ']');
    json_key(json, "x-enumDescriptions");
    json_open(json, '{');
    for (int i = 0; i < CODES; i++) {
        json_key(json, codes[i].code);
        json_string(json, codes[i].doc);
    }
    json_close(json, '}');
    json_close(json, '}');
}

static void write_text(struct json_writer *json, const char *key, const char *text) {
    json_key(json, key);
    json_string(json, text);
}

static void write_example(struct json_writer *json, const struct problem_code *row) {
    char type[96];
    snprintf(type, sizeof type, "/docs#%s", row->code);
    json_key(json, row->code);
    json_open(json, '{');
    json_key(json, "value");
    json_open(json, '{');
    write_text(json, "type", type);
    write_text(json, "title", problem_title(row->status));
    json_key(json, "status");
    json_integer(json, row->status);
    write_text(json, "code", row->code);
    write_text(json, "detail", row->doc);
    if (strcmp(row->code, "invalid_fields") == 0) {
        json_key(json, "errors");
        json_open(json, '[');
        json_open(json, '{');
        write_text(json, "pointer", "/training/epochs");
        write_text(json, "detail", "must be an integer from 1 to 1000000");
        json_close(json, '}');
        json_close(json, ']');
    }
    json_close(json, '}');
    json_close(json, '}');
}

void problem_write_examples(struct json_writer *json, int status) {
    json_key(json, "examples");
    json_open(json, '{');
    for (int i = 0; i < CODES; i++) {
        const bool by_name = row_of(codes[i].status)->component != NULL;
        if (status ? codes[i].status == status : !by_name)
            write_example(json, &codes[i]);
    }
    json_close(json, '}');
}

void problem_write_codes(struct json_writer *json) {
    json_open(json, '[');
    for (int i = 0; i < CODES; i++) {
        json_open(json, '{');
        write_text(json, "code", codes[i].code);
        json_key(json, "status");
        json_integer(json, codes[i].status);
        write_text(json, "description", codes[i].doc);
        json_close(json, '}');
    }
    json_close(json, ']');
}
