/*
 * spec.h - the job as a client sends it, and as it is echoed and stored.
 */
#ifndef API_SPEC_H
#define API_SPEC_H

#include "api/fields.h"
#include "engine/denoise.h"

enum { JOB_NAME_BYTES = 100 };

struct job_request {
    char name[JOB_NAME_BYTES + 1]; /* "" if none */
    int preset;                    /* index into dn_presets */
    struct dn_spec spec;
};

/* The table of every field of a job. */
extern const struct field_set spec_fields;

/* Reads a job: the preset first, then what the client says over it. Adds to wrong->count. */
void spec_read(const cJSON *json, struct job_request *job, struct problem_fields *wrong);

/* Writes the complete job; sending it again asks for the same training. */
void spec_write(const struct job_request *job, struct json_writer *json);

/* What a job says it learns: the names of its data sets, joined with "+". */
void spec_dataset_name(const struct dn_spec *spec, struct buffer *out);

#endif
