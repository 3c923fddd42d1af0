/*
 * jobs.h - the job as JSON, for the handlers that answer with one.
 */
#ifndef API_JOBS_H
#define API_JOBS_H

#include "api/contract/json.h"
#include "server/store/store.h"

struct http_exchange;

/* Answers with the current state of the job, or with the reason why it cannot be read. id may be
 * "latest". */
void job_reply(struct http_exchange *exchange, struct store_session *session, const char *id,
               int http_status);

/* For an answer that waits for the end of a job (http_poll): true when the job has ended, the
 * monotonic time `until` has come, or the server stops. The answer is then the current state of the
 * job. A job that was deleted meanwhile is a 404. */
bool job_is_over(struct http_exchange *exchange, const char *id, double until, int http_status);

#endif
