/*
 * jobs.h - the job as JSON, for the handlers that answer with one.
 */
#ifndef API_JOBS_H
#define API_JOBS_H

#include "api/json.h"
#include "server/store.h"

void job_write(const struct job *job, struct json_writer *json);

#endif
