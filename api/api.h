/*
 * api.h - what main needs of the contract: the routes, the error format, and how to read a stored
 * job.
 */
#ifndef API_API_H
#define API_API_H

#include "api/contract/problem.h" /* for http_config.problem */
#include "engine/denoise.h"
#include "server/http/http.h"
#include "server/jobs/worker.h"
#include "server/store/store.h"

extern const struct http_route api_routes[];
extern const size_t api_route_count;

/* For events_start: writes an event as one line of JSON. */
void api_event_data(const struct event *event, struct buffer *out);

/* For workers_start: reads what a stored job trains on. */
bool api_load_training(const char *text, struct store *store, struct training *training,
                       const struct dn_breaks *breaks, struct training_failure *failure);
/* The warnings about the result of a job. */
char *api_conclude(const struct dn_spec *spec, const struct training_outcome *outcome);

#endif
