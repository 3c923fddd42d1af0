/*
 * openapi.h - the clients' view of a route, for the OpenAPI description.
 *
 * openapi.c writes the description from the route table, the field tables, the tables of problems,
 * and the embedded files api/schemas.json (component schemas), components.json (parameters and
 * headers) and examples.json (by operationId). tests/http checks every response against it.
 */
#ifndef API_CONTRACT_OPENAPI_H
#define API_CONTRACT_OPENAPI_H

#include "api/contract/fields.h"
#include "server/base/problem_codes.h"

/* One way in which a request can succeed. */
struct outcome {
    int status;
    const char *doc;
    const char *answer;  /* component schema of the JSON response; NULL: no content; SAME */
    const char *headers; /* components, space-separated: besides those of every response */
};

/* Value of outcome.answer: the content is that of the operation itself. */
#define SAME "="

/* Beside each row of the route table: http_route.description. */
struct operation {
    const char *id, *tag;
    const struct field_set *query; /* NULL: none */
    const char *body;              /* component schema of a JSON body; NULL: none */
    int status;                    /* of success */
    const char *answer;            /* component schema of the JSON response; NULL: no JSON */
    /* The operation's own problem codes, up to PROBLEM_NONE; NULL: none. Those that the route's
     * shape implies (a bad header, wrong fields) are not among them. */
    const enum problem_code *problems;
    const char *headers;         /* headers of the response, as in struct outcome */
    const char *takes;           /* components of the request's headers, space-separated */
    const char *media;           /* media type of a response that is never JSON; NULL: by the
                                  * route's formats */
    const struct outcome *other; /* other ways to succeed, up to one with status 0; NULL: none */
};

/* The tables of the handlers. */
extern const struct field_set empty_fields; /* for a body that may only be empty */
extern const struct field_set job_create_fields, job_list_fields, job_delete_fields,
    job_resume_fields, job_resume_query_fields;
extern const struct field_set history_fields, sample_fields, sample_row_fields, trajectory_fields;
extern const struct field_set picture_fields, image_fields, nearest_fields;
extern const struct field_set draw_fields;
extern const struct field_set event_fields, job_event_fields;
extern const struct field_set forward_fields, straight_fields, evaluation_fields;
extern const struct field_set upload_fields, dataset_list_fields, score_fields;

extern const struct field_set model_list_fields, model_import_fields;

/* The tables of their responses. */
extern const struct field_set validation_answer, estimate_answer;
extern const struct field_set job_answer, job_error_answer, history_answer, epoch_columns;
extern const struct field_set event_answer, status_event, epoch_event, checkpoint_event;
extern const struct field_set model_answer, listed_model_answer, figures_answer, figure_answer;
extern const struct field_set checkpoints_answer, schedule_answer, schedule_columns;
extern const struct field_set samples_answer, trajectories_answer, score_answer;
extern const struct field_set node_answer;
extern const struct field_set evaluation_answer, floored_answer;
extern const struct field_set dataset_answer, dataset_preview, column_answer;
extern const struct field_set nearest_answer, neighbor_answer;

/* A code that programs compare, and what it means; name NULL: there is none with this number. */
struct code {
    const char *name, *doc;
};
/* The schemas of the codes of problems and warnings, from their tables. */
struct code problem_code_at(int i);
struct code warning_code_at(int i);

/* openapi.c: the member "$ref" to a component of this kind. */
void openapi_reference(const char *kind, const char *name, struct json_writer *json);

/* openapi_fields.c: the description of a field; the members of its schema; and those of a group of
 * fields, "type": "object" and so on. All within an open object. */
void openapi_description(const struct field *field, struct json_writer *json);
void openapi_field(const struct field_set *set, const struct field *field,
                   struct json_writer *json);
void openapi_group(const struct field_set *set, const char *group, struct json_writer *json);
/* The same for an object that has an array for each row of a table (table.h). */
void openapi_columns(const struct field_set *set, struct json_writer *json);

#endif
