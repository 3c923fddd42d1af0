/*
 * jobs.h - responses with a job, for several handlers.
 */
#ifndef API_JOBS_H
#define API_JOBS_H

#include "api/contract/json.h"
#include "server/store/store.h"

struct http_exchange;

/* Is it queued or running? */
static inline bool job_is_active(const struct job *job) {
    return job->status == JOB_QUEUED || job->status == JOB_RUNNING;
}

/* Answers with the current state of the job, or with the reason why it cannot be read. id may be
 * "latest". */
void job_reply(struct http_exchange *exchange, struct store_session *session, const char *id,
               int http_status);

/* Answers with a job that was just inserted, as a reader would see it, but without reading it. */
void job_reply_new(struct http_exchange *exchange, const struct job *job, int64_t queue_position,
                   int http_status);

/* For a response that waits for the end of a job (http_poll): true when the job has ended, the
 * monotonic time `until` has come, or the server stops. The response is then the current state of
 * the job, or 404 if the job was deleted meanwhile. */
bool job_is_over(struct http_exchange *exchange, const char *id, double until, int http_status);

#endif
