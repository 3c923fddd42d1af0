/*
 * openapi.h - what a route looks like to its clients, for the OpenAPI description.
 */
#ifndef API_OPENAPI_H
#define API_OPENAPI_H

#include "api/fields.h"

/* Beside each row of the route table: http_route.description. */
struct operation {
    const char *id, *tag;
    const struct field_set *query; /* NULL: none */
    const char *body;              /* component schema of the request's body; NULL: none */
    int status;                    /* when all is well */
    const char *answer;            /* component schema of the JSON answer; NULL: no content */
    const char *errors;            /* statuses, besides 400, 500 and 503: "404 409" */
};

/* The tables of the handlers. */
extern const struct field_set create_fields, list_fields, delete_fields, resume_fields;
extern const struct field_set history_fields, sample_fields, trajectory_fields, draw_fields;
extern const struct field_set event_fields, job_event_fields;
extern const struct field_set forward_fields, optimal_fields, evaluation_fields;
extern const struct field_set upload_fields, dataset_list_fields;

/* api/schemas.json, embedded: the component schemas of answers. */
extern const char openapi_schemas[];

#endif
