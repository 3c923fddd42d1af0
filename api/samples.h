/*
 * samples.h - a request for samples from a model: shared by its reading (samples.c) and its
 * response (samples_answer.c).
 */
#ifndef API_SAMPLES_H
#define API_SAMPLES_H

#include "api/format/point_stream.h"
#include "api/models.h"

/* The name of a class is a label, or in a list of data sets the name of a data set. */
enum { LABEL_TEXT = 120 };

/* Bodies with points. */
enum {
    POINTS_MAX_VALUES = 400000, /* in a JSON body */
    BODY_ON_LOOP = 64 << 10,    /* bytes; the pool reads larger bodies */
};

struct sampling {
    struct dn_sample_request request;
    char label[LABEL_TEXT + 1];    /* name of the class request.label; "" if it is given by index */
    int missing;                   /* index into missing_names: drawn, never */
    bool balance;                  /* the classes take turns */
    bool shares_noise;             /* each of these turns has one noise */
    const char *const *classes;    /* names of the model's classes, up to a NULL; in the arena */
    const char *const *columns;    /* names of the coordinates */
    const struct table_form *form; /* of a model of a table; in the arena */
    int noise_dim;                 /* columns of request.noise, if given */
    /* What is known of the points: values of row_count rows, of which there is one for all points
     * unless the request has rows. In the arena. */
    struct given_cell *cells;
    size_t cell_count;
    int row_count; /* 0: nothing is known */
    bool has_rows;
    const size_t *lines;      /* [row_count] of the rows, if a file has them; else NULL */
    const char *const *known; /* [row_count][form->count], as in struct form_row; or NULL */
    int epoch;                /* 0: the current model */
    bool is_trajectory;
    bool is_unread; /* the body is large or a file, and has not been read yet */
    bool is_file;   /* it is CSV: rows */
    const struct format *format;
    int dtype;                   /* of images: index into dtype_names */
    int which;                   /* of a trajectory: index into which_names */
    int *timesteps;              /* of a trajectory: [request.frames] */
    struct loaded_model *loaded; /* in the arena */
    struct look look;
    struct axes axes;
};

/* The sampler of a request that leaves it open. */
enum { SAMPLER_OPEN = DN_SAMPLER_COUNT };

/* A request for n points in which nothing else is given: sampler is SAMPLER_OPEN, steps is 0, eta,
 * guidance and its limits are NAN, and label is DN_LABELS_BY_FREQUENCY. */
struct dn_sample_request sampling_default(int n);
/* Fills in what the request leaves out, and checks it against the model: adds errors to `wrong`.
 * request->given is complete already. */
void sampling_fit(struct dn_sample_request *request, const struct dn_model *model,
                  struct problem_fields *wrong);

/* What a response says about guidance. All are NAN for a model without labels. */
struct sampling_guidance {
    double guidance, ratio_min, ratio_max;
};
extern const struct field_set sampling_guidance_answer;
struct sampling_guidance sampling_guidance_of(const struct dn_model *model,
                                              const struct dn_sample_request *request);

/* Reads an array of points of the same dimension, into the arena of `wrong`. may_miss: null is
 * allowed, and becomes NAN. False: `wrong` says what is wrong, or the arena has failed. */
struct sampling_points {
    const double *points; /* [n][dim] */
    int n, dim;
};
bool sampling_read_points(const cJSON *array, const char *pointer, bool may_miss,
                          struct sampling_points *out, struct problem_fields *wrong);

/* The class that is requested by its name, unless that is "", or by its index, unless that is
 * negative: *class becomes its index. False: no class is requested, or `wrong` says what is wrong. */
bool sampling_find_class(const char *label, int *class, const struct dn_model *model,
                         const char *const *classes, struct problem_fields *wrong);

/* dn_sample on the pool: other computations get turns between its steps, and within long ones. */
enum dn_status sample_in_turns(const struct dn_model *model,
                               const struct dn_sample_request *request,
                               const struct dn_sample_result *result,
                               const struct http_exchange *exchange, struct dn_error *error);

/* Computes and writes the response to exchange->state, a struct sampling that fits its model.
 * Releases the model at the end. */
void sampling_answer(struct http_exchange *exchange);

#endif
