/* /openapi.json: the description of every route, from the tables that the server itself works by.
 */
#include "api/openapi.h"

#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/format/formats.h"
#include "api/handlers.h"
#include "api/spec.h"
#include "server/router.h"
#include "server/version.h"

static void member(struct json_writer *json, const char *key, const char *text) {
    json_key(json, key);
    json_string(json, text);
}

static void reference(struct json_writer *json, const char *schema) {
    char path[96] = "#/components/schemas/";
    strncat(path, schema, sizeof path - strlen(path) - 1);
    json_open(json, '{');
    member(json, "$ref", path);
    json_close(json, '}');
}

/* ------------------------------------------------------------------ fields as JSON Schema */

static void write_group_schema(const struct field_set *set, const char *group,
                               struct json_writer *json);

static void write_choices(const struct field *field, struct json_writer *json) {
    json_key(json, "enum");
    json_open(json, '[');
    for (int i = 0; field->choices[i]; i++)
        json_string(json, field->choices[i]);
    json_close(json, ']');
}

static void write_number_limits(const struct field *field, struct json_writer *json) {
    json_key(json, field->flags & FIELD_OPEN_MIN ? "exclusiveMinimum" : "minimum");
    json_double(json, field->min);
    json_key(json, "maximum");
    json_double(json, field->type == FIELD_SEED ? 9007199254740991 : field->max);
    if (field->flags & FIELD_EVEN) {
        json_key(json, "multipleOf");
        json_integer(json, 2);
    }
}

/* The forms of one data set: its name, an object with the rows of the group "dataset", or one
 * with the id of an upload. */
static void write_source_schemas(const struct field_set *set, struct json_writer *json) {
    for (size_t i = 0; i < set->count; i++) {
        const struct field *row = &set->rows[i];
        if (strcmp(row->group, "dataset") != 0 || row->type != FIELD_CHOICE)
            continue;
        json_open(json, '{');
        write_choices(row, json);
        json_close(json, '}');
    }
    json_open(json, '{');
    write_group_schema(set, "dataset", json);
    json_close(json, '}');
    json_open(json, '{');
    write_group_schema(&upload_source_fields, "", json);
    json_key(json, "required");
    json_raw(json, "[\"id\"]");
    json_close(json, '}');
}

/* What the owner of a FIELD_OTHER reads, by name. */
static void write_other(const struct field_set *set, const struct field *field,
                        struct json_writer *json) {
    if (strcmp(field->name, "dataset") == 0) {
        json_key(json, "anyOf");
        json_open(json, '[');
        write_source_schemas(set, json);
        json_open(json, '{');
        member(json, "type", "array");
        json_key(json, "minItems");
        json_integer(json, 1);
        json_key(json, "maxItems");
        json_integer(json, DN_MAX_CLASSES);
        json_key(json, "items");
        json_open(json, '{');
        json_key(json, "anyOf");
        json_open(json, '[');
        write_source_schemas(set, json);
        json_close(json, ']');
        json_close(json, '}');
        json_close(json, '}');
        json_close(json, ']');
    } else if (strcmp(field->name, "classes") == 0) {
        json_key(json, "type");
        json_raw(json, "[\"array\",\"null\"],\"items\":{\"type\":\"string\"}");
    } else { /* noise */
        json_key(json, "type");
        json_string(json, "array");
        json_key(json, "items");
        json_raw(json, "{\"type\":\"array\",\"items\":{\"type\":\"number\"}}");
    }
}

/* The members of one field's schema. */
static void write_field_schema(const struct field_set *set, const struct field *field,
                               struct json_writer *json) {
    static const char *const types[] = {
        [FIELD_INTEGER] = "integer", [FIELD_SEED] = "integer",  [FIELD_NUMBER] = "number",
        [FIELD_BOOLEAN] = "boolean", [FIELD_CHOICE] = "string", [FIELD_TEXT] = "string",
        [FIELD_TEXTS] = "array",     [FIELD_GROUP] = "object",  [FIELD_OTHER] = NULL,
    };
    member(json, "description", field->doc);
    if (field->type == FIELD_GROUP) {
        write_group_schema(set, field->name, json);
        return;
    }
    if (types[field->type])
        member(json, "type", types[field->type]);
    if (field->type == FIELD_INTEGER || field->type == FIELD_SEED || field->type == FIELD_NUMBER)
        write_number_limits(field, json);
    if (field->type == FIELD_TEXTS)
        json_raw(json, "\"items\":{\"type\":\"string\"}");
    if (field->type == FIELD_TEXT) {
        json_key(json, "maxLength");
        json_integer(json, (int64_t)field->max);
    }
    if (field->type == FIELD_CHOICE)
        write_choices(field, json);
    if (field->type == FIELD_OTHER)
        write_other(set, field, json);
}

/* "type": "object" and its properties; within an open object. */
static void write_group_schema(const struct field_set *set, const char *group,
                               struct json_writer *json) {
    member(json, "type", "object");
    json_key(json, "additionalProperties");
    json_bool(json, false);
    json_key(json, "properties");
    json_open(json, '{');
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(set->rows[i].group, group) != 0)
            continue;
        json_key(json, set->rows[i].name);
        json_open(json, '{');
        write_field_schema(set, &set->rows[i], json);
        json_close(json, '}');
    }
    json_close(json, '}');
}

/* ------------------------------------------------------------------ one operation */

static void write_parameter(struct json_writer *json, const char *in, const char *name,
                            const char *doc) {
    json_open(json, '{');
    member(json, "name", name);
    member(json, "in", in);
    json_key(json, "required");
    json_bool(json, strcmp(in, "path") == 0);
    member(json, "description", doc);
    json_key(json, "schema");
    json_open(json, '{');
}

static void close_parameter(struct json_writer *json) {
    json_close(json, '}');
    json_close(json, '}');
}

static void write_parameters(const struct http_route *route, const struct operation *operation,
                             struct json_writer *json) {
    json_key(json, "parameters");
    json_open(json, '[');
    if (strstr(route->path, "{id}")) {
        write_parameter(json, "path", "id",
                        strstr(route->path, "datasets")
                            ? "The name of a built-in data set, or the id of an upload."
                            : "An id, or `latest`.");
        member(json, "type", "string");
        close_parameter(json);
    }
    for (size_t i = 0; operation->query && i < operation->query->count; i++) {
        const struct field *field = &operation->query->rows[i];
        if (field->type == FIELD_OTHER)
            continue; /* in a JSON body only */
        write_parameter(json, "query", field->name, field->doc);
        write_field_schema(operation->query, field, json);
        close_parameter(json);
    }
    if (strcmp(operation->id, "createJob") == 0) {
        write_parameter(json, "header", "Idempotency-Key",
                        "The same key with the same job gives the same job again, with 200 and "
                        "Idempotency-Replayed: true.");
        member(json, "type", "string");
        close_parameter(json);
        write_parameter(json, "header", "Prefer",
                        "wait=N: answer when the job is over, or after N seconds (at most 60).");
        member(json, "type", "string");
        close_parameter(json);
    }
    if (strstr(operation->id, "Events")) {
        write_parameter(json, "header", "Last-Event-ID",
                        "As `after`; what an EventSource sends when it connects again.");
        member(json, "type", "integer");
        close_parameter(json);
    }
    json_close(json, ']');
}

/* The content of an answer: JSON by its schema, and the other formats of the route. */
static void write_content(const struct http_route *route, const char *schema,
                          struct json_writer *json) {
    json_key(json, "content");
    json_open(json, '{');
    json_key(json, "application/json");
    json_open(json, '{');
    json_key(json, "schema");
    reference(json, schema);
    json_close(json, '}');
    for (const char *word = route->formats; word && *word; word += strspn(word, " ")) {
        size_t length = strcspn(word, " ");
        const struct format *format = format_named(word, length);
        word += length;
        if (!format || format_is_json(format))
            continue;
        json_key(json, format->media_type);
        json_open(json, '{');
        json_close(json, '}');
    }
    json_close(json, '}');
}

/* What is not JSON and has no choice of formats. */
static const char *fixed_type_of(const struct http_route *route) {
    static const struct {
        http_handler handler;
        const char *type;
    } types[] = {
        {api_metrics, "text/plain; version=0.0.4; charset=utf-8"},
        {api_docs, "text/html; charset=utf-8"},
        {api_docs_style, "text/css; charset=utf-8"},
        {api_docs_script, "text/javascript; charset=utf-8"},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].handler == route->handler)
            return types[i].type;
    return NULL;
}

static void write_fixed_type(const char *type, struct json_writer *json) {
    json_key(json, "content");
    json_open(json, '{');
    json_key(json, type);
    json_raw(json, "{}");
    json_close(json, '}');
}

static void write_answer(const struct http_route *route, const char *status, const char *doc,
                         const char *schema, struct json_writer *json) {
    json_key(json, status);
    json_open(json, '{');
    member(json, "description", doc);
    if (schema)
        write_content(route, schema, json);
    else if (fixed_type_of(route))
        write_fixed_type(fixed_type_of(route), json);
    json_close(json, '}');
}

static void write_answers(const struct http_route *route, const struct operation *operation,
                          struct json_writer *json) {
    char status[8];
    json_key(json, "responses");
    json_open(json, '{');
    snprintf(status, sizeof status, "%d", operation->status);
    write_answer(route, status, operation->status == 204 ? "Done." : "The answer.",
                 operation->answer, json);
    if (strcmp(operation->id, "createJob") == 0)
        write_answer(route, "200", "A replayed job, or what was only validated.", "JobOrValidation",
                     json);
    if (strstr(operation->id, "Events"))
        write_answer(route, "204", "All is over and told; nothing will follow.", NULL, json);
    if (strcmp(operation->id, "getIndex") == 0)
        write_answer(route, "302", "For a browser: the way to the page /docs.", NULL, json);
    if (router_has_word("getHistory getSamples getTrajectories getDataset getPoints", operation->id,
                        strlen(operation->id))) {
        write_answer(route, "206", "The part of it that Range asks for.", operation->answer, json);
        write_answer(route, "304", "Not changed since the entity tag in If-None-Match.", NULL,
                     json);
    }
    json_key(json, "default");
    json_open(json, '{');
    member(json, "description", operation->errors);
    json_key(json, "content");
    json_open(json, '{');
    json_key(json, "application/problem+json");
    json_open(json, '{');
    json_key(json, "schema");
    reference(json, "Problem");
    json_close(json, '}');
    json_close(json, '}');
    json_close(json, '}');
    json_close(json, '}');
}

/* A body to begin with, for /docs. */
static void write_example(const struct operation *operation, struct json_writer *json) {
    static const struct {
        const char *operation, *json;
    } examples[] = {
        {"createJob", "{\"dataset\":\"spiral\",\"preset\":\"sinai2022\",\"seed\":1}"},
        {"resumeJob", "{\"epochs\":200}"},
        {"postSamples", "{\"n\":500,\"seed\":1}"},
        {"postTrajectories", "{\"n\":100,\"frames\":20}"},
    };
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++)
        if (strcmp(examples[i].operation, operation->id) == 0) {
            json_key(json, "example");
            json_raw(json, examples[i].json);
        }
}

/* A server without keys asks for none, so a key is always optional here. */
static void write_security(const struct http_route *route, struct json_writer *json) {
    const enum auth_scope scope = http_scope(route);
    json_key(json, "security");
    json_raw(json, scope == AUTH_NONE ? "[]" : "[{},{\"bearerAuth\":[]}]");
    if (scope > AUTH_NONE)
        member(json, "x-scope", auth_scope_names[scope]);
}

/* One media type that a body may have: the first of the list, which it passes. */
static const char *write_body(const char *types, const struct operation *operation,
                              struct json_writer *json) {
    char type[64];
    const size_t length = strcspn(types, " ");
    snprintf(type, sizeof type, "%.*s", (int)length, types);
    json_key(json, type);
    json_open(json, '{');
    if (strcmp(type, "application/json") == 0) {
        json_key(json, "schema");
        reference(json, operation->body);
        write_example(operation, json);
    }
    json_close(json, '}');
    return types + length;
}

static void write_operation(const struct http_route *route, struct json_writer *json) {
    const struct operation *operation = route->description;
    char method[8] = "";
    for (int i = 0; route->method[i]; i++)
        method[i] = (char)(route->method[i] | 0x20);
    json_key(json, method);
    json_open(json, '{');
    member(json, "operationId", operation->id);
    json_key(json, "tags");
    json_open(json, '[');
    json_string(json, operation->tag);
    json_close(json, ']');
    member(json, "summary", route->summary);
    write_security(route, json);
    write_parameters(route, operation, json);
    if (operation->body) {
        json_key(json, "requestBody");
        json_open(json, '{');
        json_key(json, "content");
        json_open(json, '{');
        for (const char *word = route->content_types; *word; word += strspn(word, " "))
            word = write_body(word, operation, json);
        json_close(json, '}');
        json_close(json, '}');
    }
    write_answers(route, operation, json);
    json_close(json, '}');
}

/* ------------------------------------------------------------------ the whole */

/* All methods of a path stand together; the path is written where it comes first. */
static void write_paths(struct json_writer *json) {
    json_key(json, "paths");
    json_open(json, '{');
    for (size_t i = 0; i < api_route_count; i++) {
        bool seen = false;
        for (size_t j = 0; j < i; j++)
            seen |= strcmp(api_routes[j].path, api_routes[i].path) == 0;
        if (seen)
            continue;
        json_key(json, api_routes[i].path);
        json_open(json, '{');
        for (size_t j = i; j < api_route_count; j++)
            if (strcmp(api_routes[j].path, api_routes[i].path) == 0)
                write_operation(&api_routes[j], json);
        json_close(json, '}');
    }
    json_close(json, '}');
}

static void write_components(struct json_writer *json) {
    static const struct {
        const char *name;
        const struct field_set *set;
    } requests[] = {{"JobRequest", &spec_fields},
                    {"ResumeRequest", &resume_fields},
                    {"SampleRequest", &sample_fields},
                    {"TrajectoryRequest", &trajectory_fields}};
    json_key(json, "components");
    json_open(json, '{');
    json_key(json, "schemas");
    json_open(json, '{');
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        json_key(json, requests[i].name);
        json_open(json, '{');
        write_group_schema(requests[i].set, "", json);
        json_close(json, '}');
    }
    /* the members of the embedded object, without its braces */
    const char *first = strchr(openapi_schemas, '{') + 1;
    const char *last = strrchr(openapi_schemas, '}');
    buffer_append(json->out, ",", 1);
    buffer_append(json->out, first, (size_t)(last - first));
    json_close(json, '}');
    json_key(json, "securitySchemes");
    json_open(json, '{');
    json_key(json, "bearerAuth");
    json_open(json, '{');
    member(json, "type", "http");
    member(json, "scheme", "bearer");
    member(json, "description",
           "An API key, if the server was started with --api-keys. A key with the scope write may "
           "do everything, one with the scope read whatever changes nothing; x-scope says what an "
           "operation needs.");
    json_close(json, '}');
    json_close(json, '}');
    json_close(json, '}');
}

/* Every code of an error answer, with what it means: an extension for /docs. */
static void write_problems(struct json_writer *json) {
    json_key(json, "x-problems");
    json_open(json, '[');
    for (size_t i = 0; i < problem_doc_count; i++) {
        json_open(json, '{');
        member(json, "code", problem_docs[i].code);
        member(json, "status", problem_docs[i].status);
        member(json, "description", problem_docs[i].doc);
        json_close(json, '}');
    }
    json_close(json, ']');
}

enum http_next api_openapi(struct http_exchange *exchange) {
    if (!no_query(exchange))
        return HTTP_REPLY;
    struct json_writer json = json_reply(exchange, 200);
    json_open(&json, '{');
    member(&json, "openapi", "3.1.0");
    json_key(&json, "info");
    json_open(&json, '{');
    member(&json, "title", "denoised");
    member(&json, "version", denoised_version);
    member(&json, "summary", "Train and serve denoising diffusion models over HTTP.");
    member(&json, "description",
           "Every list of formats can be picked from by the suffix of the path (`.csv`) or by the "
           "Accept header. Unknown fields are refused. The same seed gives the same answer.");
    json_key(&json, "license");
    json_raw(&json, "{\"name\":\"MIT\",\"identifier\":\"MIT\"}");
    json_close(&json, '}');
    json_key(&json, "servers");
    json_open(&json, '[');
    json_open(&json, '{');
    member(&json, "url", json.base_path[0] ? json.base_path : "/");
    json_close(&json, '}');
    json_close(&json, ']');
    write_paths(&json);
    write_components(&json);
    write_problems(&json);
    json_close(&json, '}');
    return HTTP_REPLY;
}
