/*
 * jobs.h - the job as JSON, for the handlers that answer with one.
 */
#ifndef API_JOBS_H
#define API_JOBS_H

#include "api/json.h"
#include "server/store.h"

void job_write(const struct job *job, struct json_writer *json);
/* The member "error" of a job or of an event about it; null for code NULL. */
void job_write_error(const char *code, const char *detail, struct json_writer *json);

#endif
