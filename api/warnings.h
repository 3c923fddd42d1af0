/*
 * warnings.h - what is allowed, but probably not what its author wants.
 */
#ifndef API_WARNINGS_H
#define API_WARNINGS_H

#include "api/contract/json.h"
#include "api/spec.h"
#include "server/jobs/outcome.h"

enum { WARNING_TEXT = 512 };

/* Whether a schedule ends far from the noise that sampling starts from; if so, writes what follows
 * from that. False also when out of memory. */
bool warn_of_schedule(const struct dn_diffusion_spec *spec, char text[WARNING_TEXT]);

/* All warnings about a checked job that is being submitted: [{"code", "detail"}, ..] */
void warnings_write(const struct job_request *job, struct json_writer *json);

/* The same for one that is resumed, perhaps for longer: what its end was said to be goes, and what
 * only the submission could tell stays. `stored` is what it has so far. */
void warnings_rewrite(const char *stored, const struct job_request *job, struct json_writer *json);

#endif
