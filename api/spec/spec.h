/*
 * spec.h - the spec of a job as clients send it, and as it is returned and stored.
 */
#ifndef API_SPEC_SPEC_H
#define API_SPEC_SPEC_H

#include "api/contract/fields.h"
#include "engine/denoise.h"
#include "server/store/store.h"

enum { JOB_NAME_BYTES = 100, SET_NAME_BYTES = 100 };

/* The description of an uploaded data set in a job that trains on it. */
struct upload_request {
    char id[ID_LENGTH + 1]; /* "" for a built-in one */
    char name[SET_NAME_BYTES + 1];
    int n, dim;                  /* 0: not given */
    int height, width, channels; /* of images; 0: points */
    uint64_t seed;
    const char *classes; /* their names, as JSON; NULL without labels; of an arena */
    int class_count;
    /* These are looked up, and of an arena. */
    const char *columns;      /* names of its coordinates, as JSON; NULL: not known */
    const char *unusable;     /* why its points are not plain numbers; or NULL */
    bool is_table;            /* it is more than points on a line or in the plane */
    const char *form;         /* of the rows of its table, as JSON (api/table/form.h); or NULL */
    const double *low, *high; /* [dim] range of each axis, of an arena; NULL: not looked up */
};

struct job_request {
    char name[JOB_NAME_BYTES + 1]; /* "" if none */
    int preset;                    /* index into dn_presets */
    struct dn_spec spec;
    struct upload_request uploads[DN_MAX_CLASSES]; /* beside spec.dataset.sources */
};

/* Fills in n, dim, name, classes, columns and ranges of the data set with upload->id; texts may go to the
 * arena. STORE_NOT_FOUND if there is none. */
typedef enum store_status (*spec_lookup)(void *context, struct arena *arena,
                                         struct upload_request *upload);

/* The table of every field of a job. */
extern const struct field_set spec_fields;
/* The table of a data set that is given by its id. */
extern const struct field_set upload_source_fields;
/* The classes of the built-in digits, as JSON. */
extern const char spec_digit_classes[];

/* Reads a job: first the preset, then the client's values over it. Adds errors to `wrong`. The data
 * set of an id is looked up; a stored job (lookup NULL) contains its description. */
void spec_read(const cJSON *json, struct job_request *job, spec_lookup lookup, void *context,
               struct problem_fields *wrong);

/* The same for a job as it is stored; texts of it are in the arena. False and why. */
bool spec_read_stored(const char *text, struct job_request *job, struct arena *arena,
                      struct dn_error *error);

/* Is any data set of a spec an upload? */
bool spec_has_uploads(const struct dn_spec *spec);

/* Is its data one table of which all cells are mapped by their ranks? Then they may be of any type,
 * and may be missing. */
bool spec_is_table(const struct job_request *job);
/* The form of the rows that a model of the job draws; NULL: points are numbers. A table has one
 * whatever its normalization, and points in the plane if they are mapped by their ranks. */
const char *spec_form(const struct job_request *job);

/* Writes the complete job; sending it again asks for the same training. */
void spec_write(const struct job_request *job, struct json_writer *json);

/* The data of a job as text: the names of its built-in data sets and the ids of its uploads, joined
 * with "+". */
void spec_dataset_name(const struct job_request *job, struct buffer *out);

/* The texts that a search looks at, one per line: the job's name, or else its data's; the names of
 * its data; and the preset. */
void spec_words(const struct job_request *job, const char *name, struct buffer *out);

/* The names of the classes as a JSON array, or null: an upload's own, or those of the data sets in
 * a list. */
void spec_write_classes(const struct job_request *job, struct json_writer *json);
/* The names of the coordinates as a JSON array: those of the columns of an upload, or x, y, z, or
 * x0, x1, .. */
void spec_write_columns(const struct job_request *job, struct json_writer *json);

#endif
