/*
 * handlers.h - the handlers of every route, one file per resource, and what they share.
 */
#ifndef API_CONTRACT_HANDLERS_H
#define API_CONTRACT_HANDLERS_H

#include "api/contract/fields.h"
#include "server/service.h"

/* operations.c */
enum http_next api_openapi(struct http_exchange *exchange); /* openapi.c */
enum http_next api_index(struct http_exchange *exchange);
enum http_next api_livez(struct http_exchange *exchange);
enum http_next api_readyz(struct http_exchange *exchange);
enum http_next api_version(struct http_exchange *exchange);
/* prometheus.c */
enum http_next api_metrics(struct http_exchange *exchange);
/* nodes.c */
enum http_next api_nodes(struct http_exchange *exchange);
/* pages.c */
enum http_next api_page(struct http_exchange *exchange);
/* jobs_submit.c */
enum http_next api_job_create(struct http_exchange *exchange);
enum http_next api_job_resume(struct http_exchange *exchange);
/* jobs.c */
enum http_next api_job_list(struct http_exchange *exchange);
enum http_next api_job_get(struct http_exchange *exchange);
enum http_next api_job_cancel(struct http_exchange *exchange);
enum http_next api_job_delete(struct http_exchange *exchange);
/* history.c */
enum http_next api_history(struct http_exchange *exchange);
/* events.c */
enum http_next api_events(struct http_exchange *exchange);
enum http_next api_job_events(struct http_exchange *exchange);
/* models.c */
enum http_next api_model_list(struct http_exchange *exchange);
enum http_next api_model_get(struct http_exchange *exchange);
enum http_next api_model_delete(struct http_exchange *exchange);
/* models_checkpoints.c */
enum http_next api_model_checkpoints(struct http_exchange *exchange);
/* models_schedule.c */
enum http_next api_model_schedule(struct http_exchange *exchange);
/* weights/ */
enum http_next api_model_weights(struct http_exchange *exchange);
enum http_next api_model_import(struct http_exchange *exchange);
/* measure/evaluation.c */
enum http_next api_evaluation(struct http_exchange *exchange);
/* samples.c */
enum http_next api_samples(struct http_exchange *exchange);
enum http_next api_trajectories(struct http_exchange *exchange);
/* measure/score.c */
enum http_next api_score(struct http_exchange *exchange);
/* uploads.c */
enum http_next api_dataset_create(struct http_exchange *exchange);
enum http_next api_dataset_delete(struct http_exchange *exchange);
/* retype.c */
enum http_next api_dataset_update(struct http_exchange *exchange);
/* datasets.c */
enum http_next api_dataset_list(struct http_exchange *exchange);
enum http_next api_dataset_get(struct http_exchange *exchange);
/* processes.c */
enum http_next api_dataset_points(struct http_exchange *exchange);
enum http_next api_dataset_forward(struct http_exchange *exchange);
enum http_next api_dataset_optimal(struct http_exchange *exchange);
/* images/picture.c */
enum http_next api_dataset_images(struct http_exchange *exchange);
enum http_next api_dataset_image(struct http_exchange *exchange);
enum http_next api_dataset_nearest(struct http_exchange *exchange);

/* ------------------------------------------------------------------ shared: handlers.c */

struct service *service_of(struct http_exchange *exchange);

/* For computations on the pool: lets other computations run, and stops when no client waits for the
 * result. */
struct dn_breaks breaks_of(const struct http_exchange *exchange);

/* Moves what was written into the exchange's arena and clears the buffer; NULL when out of memory,
 * here or before. */
char *keep_text(struct http_exchange *exchange, struct buffer *text);

/* A writer on the response's body, for a JSON response with this status. */
struct json_writer json_reply(struct http_exchange *exchange, int status);

/* Maximum number of rows of a list, and of bytes in them, that an HTTP thread reads and writes; the
 * pool makes longer pages. */
enum { ROWS_ON_LOOP = 20, BYTES_ON_LOOP = 128 << 10 };

/* A page of a list, {"items":[..],"has_more":..,"next":..}: begin, write the items, end. */
struct json_writer page_begin(struct http_exchange *exchange);
/* next: the id of the last item if there is more after it, else NULL. */
void page_end(struct json_writer *json, const char *next);
/* The same, but more members may follow before the object is closed. */
void page_end_items(struct json_writer *json, const char *next);
/* The same with numeric ids; 0: there are no more. */
void page_end_number(struct json_writer *json, int64_t next);

/* The request's body as JSON; an empty body is {}. NULL: the error is already the response. */
cJSON *json_body(struct http_exchange *exchange, size_t max_values);

/* For requests whose body may only be empty or {}. False: the error is already the response. */
bool no_members(struct http_exchange *exchange);
/* Reads the members of the body, a JSON object of at most max_values values, into values; `more`
 * reads those that are FIELD_OTHER (NULL: there are none). False: the response is the error. */
bool read_members(struct http_exchange *exchange, const struct field_set *fields, void *values,
                  size_t max_values,
                  void (*more)(const cJSON *body, void *values, struct problem_fields *wrong));

/* Reads the query into target. False: the error is already the response. */
bool read_query(struct http_exchange *exchange, const struct field_set *set, void *target);
/* For requests without query parameters. */
bool no_query(struct http_exchange *exchange);

/* A read-only session; NULL: the error is already the response. Give it back with end_reading. */
struct store_session *begin_reading(struct http_exchange *exchange);
void end_reading(struct http_exchange *exchange, struct store_session *session);

/* The {id} of the path, or NULL with `not_found` as the response if it cannot be one. */
const char *path_id(struct http_exchange *exchange, enum problem_code not_found);
/* Responds with the problem of the status, such as `not_found`. */
void answer_store(struct http_exchange *exchange, enum store_status status,
                  enum problem_code not_found);

/* One link of a response: base, id, rest. */
struct link {
    const char *name, *base, *rest;
};
void write_links(struct json_writer *json, const struct link *links, size_t count, const char *id);

#endif
