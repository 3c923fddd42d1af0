/* /openapi.json: the description of every route, from the tables that the server itself uses. */
#include "api/contract/openapi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/contract/handlers.h"
#include "api/contract/kept.h"
#include "api/format/formats.h"
#include "api/spec/spec.h"
#include "api/spec/warnings.h"
#include "server/base/embed.h"
#include "server/http/auth.h"
#include "server/version.h"

EMBED(openapi_schemas, "api/schemas.json");
EMBED(openapi_components, "api/components.json");
EMBED(openapi_examples, "api/examples.json");

/* The writer, and the examples by operationId: NULL if they could not be read. */
struct document {
    struct json_writer *json;
    bool asks_for_keys;
    cJSON *examples;
};

static const struct {
    const char *name, *doc;
} tags[] = {
    {"jobs", "Training jobs: create, watch, cancel and resume them."},
    {"models", "Trained models: samples, trajectories from noise to data, and evaluation."},
    {"datasets", "The data sets that models are trained on."},
    {"events", "Live streams of job events."},
    {"operations", "The server itself: health, metrics, version, and this description."},
};

/* What the other media types contain. Text is a string; the rest is bytes. */
static const struct media {
    const char *type;
    bool text;
    const char *doc;
} media[] = {
    {"text/csv", true,
     "A header line, then a line per row (RFC 4180). Rows of a table have the columns of its file; "
     "other points with labels have a last column, label, with the names of their classes. A name "
     "that a spreadsheet would evaluate as a formula (it "
     "begins with =, @, a tab or a carriage return, or with + or - and could call a function, "
     "which -1 year could not) is prefixed with an apostrophe, which an upload of the file "
     "removes."},
    {"application/x-ndjson", true,
     "One JSON object per line and frame: timestep, x, and the estimate x0, which is null in the "
     "last frame. If the points have labels, the first line also has labels and classes."},
    {"application/octet-stream", false,
     "Binary: a NumPy array (.npy, float32, C order), which cannot hold labels. Of a table, it has "
     "the place of a category in `levels`, seconds for dates, and NaN for missing cells; it "
     "is float64, and equals the cells that CSV and JSON have for the same seed. Or a "
     "model; or both arrays of a trajectory (.safetensors; the rest of the response is the string "
     "`answer` in its "
     "metadata)."},
    {"image/svg+xml", true, "A drawing; points with labels have the colors of their classes."},
    {"image/png", false, "A picture with the colors of the drawing."},
    {"image/gif", false, "An animation of x, with the estimate of x0 beside it."},
    {"text/plain", true,
     "A drawing in Braille characters, for terminals, without labels; of a table, its first rows."},
    {"text/plain; version=0.0.4; charset=utf-8", true, "The text format of Prometheus."},
    {"text/event-stream", true, "Server-sent events, as the HTML standard defines them."},
    {"text/html; charset=utf-8", true, "A page."},
    {"text/css; charset=utf-8", true, "A style sheet."},
    {"text/javascript; charset=utf-8", true, "A script."},
};

/* ------------------------------------------------------------------ small parts */

void openapi_reference(const char *kind, const char *name, struct json_writer *json) {
    char path[128];
    snprintf(path, sizeof path, "#/components/%s/%s", kind, name);
    json_member(json, "$ref", path);
}

static void reference(struct json_writer *json, const char *kind, const char *name) {
    json_open(json, '{');
    openapi_reference(kind, name, json);
    json_close(json, '}');
}

/* A member that is a tree of cJSON; nothing for NULL. */
static void tree_member(struct json_writer *json, const char *key, const cJSON *tree) {
    char *text = tree ? cJSON_PrintUnformatted(tree) : NULL;
    if (text) {
        json_member_raw(json, key, text);
    } else if (tree) {
        buffer_fail(json->out);
    }
    cJSON_free(text);
}

static const cJSON *example_of(const struct document *document, const struct operation *operation,
                               const char *part, const char *key) {
    const cJSON *all = cJSON_GetObjectItemCaseSensitive(document->examples, operation->id);
    return cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(all, part), key);
}

/* Bodies of requests, where they are not what a response of that type is. */
static const struct media uploads[] = {
    {"text/csv", true,
     "A table in any dialect: delimited by commas, semicolons, tabs, bars or blanks; with or "
     "without "
     "a row of names; with decimal commas and marks for thousands. Lines that begin with # before "
     "the table are comments."},
    {"text/tab-separated-values", true, "The same, delimited by tabs."},
    {"application/x-ndjson", true, "One JSON object per row, whose keys are the columns."},
    {"multipart/form-data", false,
     "A form with one part, file, as curl -F file=@table.csv sends it. The file's format is known "
     "by "
     "its type, its name or its first bytes."},
    {"application/gzip", false, "Any of these, compressed."},
};

/* The content of one media type that is not JSON. */
static void write_media_schema(struct json_writer *json, const char *type, bool is_upload) {
    const struct media *found = NULL;
    for (size_t i = 0; i < sizeof media / sizeof *media; i++)
        found = strcmp(media[i].type, type) == 0 ? &media[i] : found;
    for (size_t i = 0; is_upload && i < sizeof uploads / sizeof *uploads; i++)
        found = strcmp(uploads[i].type, type) == 0 ? &uploads[i] : found;
    json_member_open(json, "schema", '{');
    if (found && found->text)
        json_member(json, "type", "string");
    if (found)
        json_member(json, "description", found->doc);
    json_close(json, '}');
}

enum { WORD_BYTES = 64 };

/* Takes the first of the space-separated words. False: there is none; NULL has none either. */
static bool next_word(const char **words, char word[WORD_BYTES]) {
    const size_t length = *words ? strcspn(*words, " ") : 0;
    if (length == 0)
        return false;
    snprintf(word, WORD_BYTES, "%.*s", (int)length, *words);
    *words += length + strspn(*words + length, " ");
    return true;
}

/* ------------------------------------------------------------------ requests */

/* The parameters of the path. Each collection has ids of its own kind. */
static void write_id(struct json_writer *json, const char *path) {
    static const struct {
        const char *prefix, *parameter;
    } kinds[] = {
        {"/v1/jobs/", "JobId"}, {"/v1/models/", "ModelId"}, {"/v1/datasets/", "DatasetId"}};
    for (size_t i = 0; strstr(path, "{id}") && i < sizeof kinds / sizeof *kinds; i++)
        if (strncmp(path, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
            reference(json, "parameters", kinds[i].parameter);
    if (strstr(path, "{index}"))
        reference(json, "parameters", "Index");
}

static void write_parameters(const struct document *document, const struct http_route *route,
                             const struct operation *operation) {
    struct json_writer *json = document->json;
    json_member_open(json, "parameters", '[');
    write_id(json, route->path);
    for (size_t i = 0; operation->query && i < operation->query->count; i++) {
        const struct field *field = &operation->query->rows[i];
        if (field->type == FIELD_OTHER)
            continue; /* in a JSON body only */
        json_open(json, '{');
        json_member(json, "name", field->name);
        json_member(json, "in", "query");
        json_key(json, "required");
        json_bool(json, false);
        openapi_description(field, json);
        tree_member(json, "example", example_of(document, operation, "query", field->name));
        json_member_open(json, "schema", '{');
        openapi_field(operation->query, field, json);
        json_close(json, '}');
        json_close(json, '}');
    }
    char header[WORD_BYTES];
    for (const char *words = operation->takes; next_word(&words, header);)
        reference(json, "parameters", header);
    json_close(json, ']');
}

static void write_body(const struct document *document, const struct http_route *route,
                       const struct operation *operation) {
    struct json_writer *json = document->json;
    if (!route->content_types)
        return;
    json_member_open(json, "requestBody", '{');
    json_member_open(json, "content", '{');
    char type[WORD_BYTES];
    for (const char *words = route->content_types; next_word(&words, type);) {
        json_member_open(json, type, '{');
        if (operation->body && strcmp(type, "application/json") == 0) {
            json_key(json, "schema");
            reference(json, "schemas", operation->body);
        } else {
            write_media_schema(json, type, true);
        }
        tree_member(json, "examples", example_of(document, operation, "requests", type));
        json_close(json, '}');
    }
    json_close(json, '}');
    json_close(json, '}');
}

/* ------------------------------------------------------------------ responses */

static void write_header(struct json_writer *json, const char *words) {
    char name[WORD_BYTES];
    while (next_word(&words, name)) {
        json_key(json, name);
        reference(json, "headers", name);
    }
}

/* The headers of every response, and more. */
static void write_headers(struct json_writer *json, const char *more) {
    json_member_open(json, "headers", '{');
    write_header(json, "X-Request-Id Server-Timing Cache-Control");
    write_header(json, more);
    json_close(json, '}');
}

/* The example for a status; a 200 that repeats an earlier response has that response's example. */
static const cJSON *answer_example(const struct document *document,
                                   const struct operation *operation, int status) {
    char text[8];
    snprintf(text, sizeof text, "%d", status);
    const cJSON *own = example_of(document, operation, "answers", text);
    snprintf(text, sizeof text, "%d", operation->status);
    return own || status != 200 ? own : example_of(document, operation, "answers", text);
}

/* The content of a response: JSON by its schema, and the other formats of the route. */
static void write_content(const struct document *document, const struct http_route *route,
                          const struct outcome *outcome) {
    const struct operation *operation = route->description;
    struct json_writer *json = document->json;
    json_member_open(json, "content", '{');
    if (outcome->answer) {
        json_member_open(json, "application/json", '{');
        json_key(json, "schema");
        reference(json, "schemas", outcome->answer);
        tree_member(json, "example", answer_example(document, operation, outcome->status));
        json_close(json, '}');
    }
    if (operation->media) {
        json_member_open(json, operation->media, '{');
        write_media_schema(json, operation->media, false);
        json_close(json, '}');
    }
    const char *last = ""; /* formats with the same media type are next to each other */
    char suffix[WORD_BYTES];
    for (const char *words = route->formats; next_word(&words, suffix);) {
        const struct format *format = format_named(suffix, strlen(suffix));
        if (!format || format_is_json(format) || strcmp(format->media_type, last) == 0 ||
            (operation->media && strcmp(format->media_type, operation->media) == 0))
            continue;
        last = format->media_type;
        json_member_open(json, last, '{');
        write_media_schema(json, last, false);
        json_close(json, '}');
    }
    json_close(json, '}');
}

static void write_outcome(const struct document *document, const struct http_route *route,
                          const struct outcome *outcome, bool has_content) {
    char status[8];
    snprintf(status, sizeof status, "%d", outcome->status);
    json_member_open(document->json, status, '{');
    json_member(document->json, "description", outcome->doc);
    write_headers(document->json, outcome->headers);
    if (has_content)
        write_content(document, route, outcome);
    json_close(document->json, '}');
}

static const char *doc_of(int status) {
    switch (status) {
    case 201: return "Created; the Location header has its path.";
    case 202: return "Accepted; the work continues in the background.";
    case 204: return "Done; there is no content.";
    default: return "The response.";
    }
}

/* Whether the shape of a route alone makes the status possible. */
static bool is_implied(const struct http_route *route, int status) {
    const struct operation *operation = route->description;
    switch (status) {
    case 400: /* a request that cannot be read */
    case 422: /* at least: a query parameter that is unknown */
    case 503: return true;
    case 401: /* a server with API keys */
    case 403:
    case 429: return http_scope(route) > AUTH_NONE;
    case 413:
    case 415: return route->max_body > 0;
    case 416: return operation->takes && strstr(operation->takes, "Range");
    default: return false;
    }
}

/* The title, then those of the operation's codes that have this status; false: none has. */
static bool tell_codes(const struct operation *operation, const struct problem_status *row,
                       struct buffer *text) {
    bool any = false;
    buffer_format(text, "%s.", row->title);
    for (const enum problem_code *code = operation->problems; code && *code; code++)
        if (problem_rows[*code].status == row->status) {
            buffer_format(text, " `%s`: %s", problem_rows[*code].code, problem_rows[*code].doc);
            any = true;
        }
    return any;
}

static void write_error(struct json_writer *json, const struct http_route *route,
                        const struct problem_status *row) {
    struct buffer text = {0};
    char status[8];
    const bool is_told = tell_codes(route->description, row, &text);
    if (text.failed)
        buffer_fail(json->out);
    if (!text.failed && row->component && (is_told || is_implied(route, row->status))) {
        snprintf(status, sizeof status, "%d", row->status);
        json_member_open(json, status, '{');
        openapi_reference("responses", row->component, json);
        if (is_told)
            json_member(json, "description", text.data);
        json_close(json, '}');
    }
    buffer_clear(&text);
}

static void write_errors(struct json_writer *json, const struct http_route *route) {
    for (size_t i = 0; i < problem_status_count; i++)
        write_error(json, route, &problem_statuses[i]);
    json_key(json, "default");
    reference(json, "responses", "Problem");
}

static void write_answers(const struct document *document, const struct http_route *route) {
    const struct operation *operation = route->description;
    const struct outcome first = {operation->status, doc_of(operation->status), operation->answer,
                                  operation->headers};
    json_member_open(document->json, "responses", '{');
    write_outcome(document, route, &first, operation->answer || operation->media);
    for (const struct outcome *row = operation->other; row && row->status; row++) {
        struct outcome more = *row;
        const bool same = more.answer && strcmp(more.answer, SAME) == 0;
        if (same)
            more.answer = operation->answer;
        write_outcome(document, route, &more, more.answer || (same && operation->media));
    }
    write_errors(document->json, route);
    json_close(document->json, '}');
}

/* A server without keys asks for none, so a key is optional there. */
static void write_security(const struct document *document, const struct http_route *route) {
    struct json_writer *json = document->json;
    const enum auth_scope scope = http_scope(route);
    const char *wanted =
        document->asks_for_keys ? "[{\"bearerAuth\":[]}]" : "[{},{\"bearerAuth\":[]}]";
    json_member_raw(json, "security", scope == AUTH_NONE ? "[]" : wanted);
    if (scope > AUTH_NONE)
        json_member(json, "x-scope", auth_scope_names[scope]);
}

static void write_operation(const struct document *document, const struct http_route *route) {
    struct json_writer *json = document->json;
    const struct operation *operation = route->description;
    char method[8] = "";
    for (int i = 0; route->method[i]; i++)
        method[i] = (char)(route->method[i] | 0x20);
    json_member_open(json, method, '{');
    json_member(json, "operationId", operation->id);
    json_member_open(json, "tags", '[');
    json_string(json, operation->tag);
    json_close(json, ']');
    json_member(json, "summary", route->summary);
    write_security(document, route);
    write_parameters(document, route, operation);
    write_body(document, route, operation);
    write_answers(document, route);
    json_close(json, '}');
}

/* ------------------------------------------------------------------ the whole */

/* All methods of a path are written together, where the path first occurs. */
static void write_paths(const struct document *document) {
    struct json_writer *json = document->json;
    json_member_open(json, "paths", '{');
    for (size_t i = 0; i < api_route_count; i++) {
        bool seen = false;
        for (size_t j = 0; j < i; j++)
            seen |= strcmp(api_routes[j].path, api_routes[i].path) == 0;
        if (seen)
            continue;
        json_member_open(json, api_routes[i].path, '{');
        for (size_t j = i; j < api_route_count; j++)
            if (strcmp(api_routes[j].path, api_routes[i].path) == 0)
                write_operation(document, &api_routes[j]);
        json_close(json, '}');
    }
    json_close(json, '}');
}

/* The members of an embedded object, without its braces and its indentation. */
static void embed(struct json_writer *json, const char *object) {
    const char *at = strchr(object, '{') + 1, *last = strrchr(object, '}');
    buffer_append(json->out, ",", 1);
    while (at < last) {
        const size_t line = strcspn(at, "\n") + 1;
        buffer_append(json->out, at, line);
        at += line + strspn(at + line, " ");
    }
}

static struct code job_error_at(int i) {
    const int error = JOB_ERROR_NONE + 1 + i;
    return error < JOB_ERRORS ? (struct code){job_error_rows[error].code, job_error_rows[error].doc}
                              : (struct code){NULL, NULL};
}

static void write_codes(struct json_writer *json, const char *name, const char *doc,
                        struct code (*at)(int i)) {
    json_member_open(json, name, '{');
    json_member(json, "type", "string");
    json_member(json, "description", doc);
    json_member_open(json, "enum", '[');
    for (int i = 0; at(i).name; i++)
        json_string(json, at(i).name);
    json_close(json, ']');
    json_member_open(json, "x-enumDescriptions", '{');
    for (int i = 0; at(i).name; i++)
        json_member(json, at(i).name, at(i).doc);
    json_close(json, '}');
    json_close(json, '}');
}

static void write_schemas(struct json_writer *json) {
    static const struct {
        const char *name;
        const struct field_set *set;
        bool has_columns;
    } tables[] = {{"JobRequest", &spec_fields},
                  {"ResumeRequest", &job_resume_fields},
                  {"EmptyRequest", &empty_fields},
                  {"SampleRequest", &sample_fields},
                  {"TrajectoryRequest", &trajectory_fields},
                  {"ScoreRequest", &score_fields},
                  {"NearestRequest", &nearest_fields},
                  {"Job", &job_answer},
                  {"JobError", &job_error_answer},
                  {"Validation", &validation_answer},
                  {"Estimate", &estimate_answer},
                  {"Figures", &figures_answer},
                  {"Figure", &figure_answer},
                  {"History", &history_answer},
                  {"HistoryColumns", &epoch_columns, true},
                  {"Event", &event_answer},
                  {"StatusEvent", &status_event},
                  {"EpochEvent", &epoch_event},
                  {"CheckpointEvent", &checkpoint_event},
                  {"Model", &model_answer},
                  {"ListedModel", &listed_model_answer},
                  {"CheckpointList", &checkpoints_answer},
                  {"Node", &node_answer},
                  {"Samples", &samples_answer},
                  {"Trajectories", &trajectories_answer},
                  {"Score", &score_answer},
                  {"Evaluation", &evaluation_answer},
                  {"Floored", &floored_answer},
                  {"Schedule", &schedule_answer},
                  {"ScheduleColumns", &schedule_columns, true},
                  {"Dataset", &dataset_answer},
                  {"DatasetPreview", &dataset_preview},
                  {"DatasetColumn", &column_answer},
                  {"NearestImages", &nearest_answer},
                  {"NearestImage", &neighbor_answer}};
    json_member_open(json, "schemas", '{');
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        json_member_open(json, tables[i].name, '{');
        if (tables[i].has_columns)
            openapi_columns(tables[i].set, json);
        else
            openapi_group(tables[i].set, "", json);
        json_close(json, '}');
    }
    write_codes(json, "ProblemCode", "A stable error code for programs.", problem_code_at);
    write_codes(json, "WarningCode", "A stable code for programs.", warning_code_at);
    write_codes(json, "JobErrorCode", "Why a job failed: stable, for programs.", job_error_at);
    embed(json, openapi_schemas);
    json_close(json, '}');
}

/* One response with a problem; status 0 means all that are not described by name. */
static void write_problem_response(struct json_writer *json, const struct problem_status *row) {
    json_member_open(json, row->component, '{');
    json_member(json, "description", row->title);
    write_headers(json, row->headers);
    json_member_open(json, "content", '{');
    json_member_open(json, "application/problem+json", '{');
    json_key(json, "schema");
    reference(json, "schemas", "Problem");
    problem_write_examples(json, row->status);
    json_close(json, '}');
    json_close(json, '}');
    json_close(json, '}');
}

static void write_components(struct json_writer *json) {
    json_member_open(json, "components", '{');
    write_schemas(json);
    json_member_open(json, "responses", '{');
    for (size_t i = 0; i < problem_status_count; i++)
        if (problem_statuses[i].component)
            write_problem_response(json, &problem_statuses[i]);
    write_problem_response(
        json, &(struct problem_status){0, "Any other problem.", "Problem", "Retry-After"});
    json_close(json, '}');
    embed(json, openapi_components);
    json_close(json, '}');
}

static void write_info(struct json_writer *json) {
    json_member_open(json, "info", '{');
    json_member(json, "title", "denoised");
    json_member(json, "version", denoised_version);
    json_member(json, "summary", "Train and serve denoising diffusion models over HTTP.");
    json_member(
        json, "description",
        "Select a format by the suffix of the path (`.csv`) or by the Accept header. Unknown "
        "fields are errors. The same seed gives the same response. The request line and headers "
        "may have up to 32 KiB; a longer or malformed HTTP request gets 400, 414, 431 or 505 "
        "with a short HTML text. Every other error is problem+json.");
    json_member_open(json, "license", '{');
    json_member(json, "name", "MIT");
    json_member(json, "identifier", "MIT");
    json_close(json, '}');
    json_close(json, '}');
    json_member_open(json, "servers", '[');
    json_open(json, '{');
    json_member(json, "url", json->base_path && json->base_path[0] ? json->base_path : "/");
    json_close(json, '}');
    json_close(json, ']');
    json_member_open(json, "tags", '[');
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        json_open(json, '{');
        json_member(json, "name", tags[i].name);
        json_member(json, "description", tags[i].doc);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static struct kept kept = KEPT_EMPTY;

static void make_openapi(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    struct json_writer json = json_reply(exchange, 200);
    struct document document = {&json, http_asks_for_keys(exchange), cJSON_Parse(openapi_examples)};
    if (!document.examples)
        buffer_fail(json.out);
    json_open(&json, '{');
    json_member(&json, "openapi", "3.1.0");
    write_info(&json);
    write_paths(&document);
    write_components(&json);
    json_key(&json, "x-problems"); /* an extension for /docs */
    problem_write_codes(&json);
    json_close(&json, '}');
    cJSON_Delete(document.examples);
    if (!json.out->failed)
        kept_make(&kept, exchange, json.out->data, json.out->length);
}

enum http_next api_openapi(struct http_exchange *exchange) {
    if (!no_query(exchange))
        return HTTP_REPLY;
    if (!kept_find(&kept, exchange))
        return http_on_pool(exchange, make_openapi);
    exchange->response.etag = NULL;
    json_reply(exchange, 200);
    return HTTP_REPLY;
}
