/*
 * problem.h - error responses: RFC 9457 application/problem+json.
 *
 * `code` is the stable name that programs compare; `detail` is for people. A request with wrong
 * fields lists all of them, each with a JSON Pointer to its place.
 */
#ifndef API_CONTRACT_PROBLEM_H
#define API_CONTRACT_PROBLEM_H

#include "server/base/problem_codes.h"
#include "server/http/http.h"
#include "server/store/store.h"

struct json_writer;

/* Opens the object and writes all members but "errors"; links begin with `base`. */
void problem_open(struct json_writer *json, const struct problem_row *row, const char *base,
                  const char *detail);

/* The response with this code. detail: for people; NULL: what the code's row says. */
void problem(struct http_exchange *exchange, enum problem_code code, const char *detail);

enum { PROBLEM_MAX_FIELDS = 64, PROBLEM_DETAIL = 1024 };

/* The wrong fields of one request. */
struct problem_fields {
    struct arena *arena; /* where the texts live */
    struct {
        const char *pointer, *detail;
    } items[PROBLEM_MAX_FIELDS];
    int count;     /* may be more than the items that are kept */
    bool has_more; /* than count, which were not looked for */
};

/* pointer: "/diffusion/timesteps", or "" for the whole request. Both texts are formatted, the
 * second in up to PROBLEM_DETAIL bytes. */
void problem_add(struct problem_fields *fields, const char *pointer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* For loops over many values, whose errors would cost much: are there more than can be listed? The
 * loop then ends. */
bool problem_enough(struct problem_fields *fields);
/* The JSON Pointer (RFC 6901) to a member of a group, or of the whole request if group is "". */
const char *problem_pointer(struct problem_fields *fields, const char *group, const char *name);
/* True if there are none; otherwise the response is 422 with all of them. */
bool problem_none(struct http_exchange *exchange, const struct problem_fields *fields);
/* The same with one of them. */
void problem_field(struct http_exchange *exchange, const char *pointer, const char *detail);
/* The same with another code; `what` is the text for several, as in "57 values cannot be used". */
void problem_list(struct http_exchange *exchange, enum problem_code code, const char *what,
                  const struct problem_fields *fields);

/* The response for a store status for which the handler has no better text. */
void problem_store(struct http_exchange *exchange, enum store_status status);

/* ------------------------------------------------------------------ openapi_problems.c */

/* A status, and its part in the description. */
struct problem_status {
    int status;
    const char *title;
    const char *component; /* of its response; NULL if no operation lists it */
    const char *headers;   /* components, space-separated, that come with it */
};
extern const struct problem_status problem_statuses[];
extern const size_t problem_status_count;

const char *problem_title(int status);
/* The member "examples": one for each code with this status; 0: with a status that no operation
 * lists. */
void problem_write_examples(struct json_writer *json, int status);
/* All codes with their statuses and what they mean, as an array. */
void problem_write_codes(struct json_writer *json);

#endif
