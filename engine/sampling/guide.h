/*
 * guide.h - a trained network as a denoiser: labels, guidance, clipping.
 */
#ifndef ENGINE_SAMPLING_GUIDE_H
#define ENGINE_SAMPLING_GUIDE_H

#include "engine/model/model.h"
#include "engine/sampling/walk.h"

struct guide {
    const struct dn_model *model;
    const float *low, *high; /* range of the estimates; NULL: they are not clipped */
    bool guided;             /* two passes, with and without labels */
    float guidance;
    int32_t labels[DN_MAX_CLASSES + 1]; /* labels in use; if guided, the last one is "none" */
    int label_count;
    struct time_rows times;
    int32_t *slot_of; /* [T+1] of a timestep and the first label, the others follow; NULL: times
                         holds the current timestep only */
    int current_t;
    struct workspace workspace;
    int32_t *place; /* [rows] index into labels of each point */
    int32_t *slots; /* [rows] */
    float *output;  /* [rows][dim_ld] of the pass with labels, if guided */
    const struct dn_sample_request *request;
    uint64_t *known;      /* [rows] bit j: coordinate j is given; NULL: nothing is */
    float *given, *shown; /* [rows][dim] their values in model units, and the points with them */
};

/* For blocks of at most `rows` points, and the timesteps of a plan. The request and the breaks, which
 * passes of large networks take, must outlive it. */
enum dn_status guide_init(struct guide *guide, const struct dn_model *model,
                          const struct dn_sample_request *request, const struct plan *plan,
                          size_t rows, const struct dn_breaks *breaks, struct dn_error *error);
/* Bytes allocated for this number of steps and of labels in use. */
size_t guide_bytes(const struct network *network, int steps, int labels, bool guided, bool given,
                   size_t rows);
void guide_clear(struct guide *guide);

/* The class that point i of the seed's sequence has in a request with guidance. */
int guide_label(const struct dn_model *model, const struct dn_sample_request *request, uint64_t i);

/* The next estimates are for the points first..first+n-1 of the seed. */
void guide_begin(struct guide *guide, uint64_t first, size_t n);
/* The same points again, of which x [n][dim] is known, but for the coordinates in free_ones [n]. */
void guide_hold(struct guide *guide, size_t n, const float *x, const uint64_t *free_ones);
/* Writes what is known over the same coordinates of points x [n][dim]. */
void guide_put_known(const struct guide *guide, size_t n, float *x);
/* Must a request have room for what is known? */
bool guide_knows(const struct dn_model *model, const struct dn_sample_request *request);

/* The number of labels in use for a request, and whether it is guided: for guide_bytes. */
int guide_labels(const struct dn_model *model, const struct dn_sample_request *request,
                 bool *guided);

/* Does an estimate at t mix the outputs with and without labels? */
bool guide_mixes(const struct dn_model *model, const struct dn_sample_request *request, int t);

/* The row of the request's `given` that point i of the seed's sequence has. */
const double *guide_given(const struct dn_model *model, const struct dn_sample_request *request,
                          uint64_t i);

/* For a struct denoiser; the context is the guide. */
void guide_estimate(void *context, int t, size_t n, const float *x, float *x_0);

#endif
