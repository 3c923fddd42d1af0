/*
 * warnings.h - settings that are allowed, but probably unintended.
 */
#ifndef API_SPEC_WARNINGS_H
#define API_SPEC_WARNINGS_H

#include "api/contract/json.h"
#include "api/spec/spec.h"
#include "server/jobs/worker.h"

enum { WARNING_TEXT = 512 };

/* Does the schedule of a job end far from the noise that sampling starts from? If so, writes the
 * warning. False also when out of memory. */
bool warn_of_schedule(const struct job_request *job, char text[WARNING_TEXT]);

/* Writes all warnings about a checked job that is submitted or resumed: [{"code", "detail"}, ..].
 * `stored` are those that a resumed job has (NULL: none); only those that cannot be checked again
 * are kept. */
void warnings_write(const char *stored, const struct job_request *job, struct json_writer *json);

/* Writes the stored warnings, a JSON array, of a job that waits for an offer of the arithmetic of its
 * checkpoint, and that it does. */
void warnings_write_waiting(const char *stored, const char *arithmetic, struct json_writer *json);

#endif
