/*
 * model.h - the inside of a dn_model, and the transform between data and model units.
 */
#ifndef ENGINE_MODEL_MODEL_H
#define ENGINE_MODEL_MODEL_H

#include "engine/base/serial.h"
#include "engine/denoise.h"
#include "engine/diffusion/moments.h"
#include "engine/diffusion/schedule.h"
#include "engine/network/network.h"
#include "engine/table/quantile.h"

/* model = (data - shift) * scale, per axis, or with maps (normal score - shift) * scale; one for
 * training, validation, samples and metrics. */
struct transform {
    int channels; /* of images, whose values are [..][channels], each scaled alike; 0: a coordinate of a
                     point has its own scale */
    double shift[DN_MAX_DIM], scale[DN_MAX_DIM];
    float low[DN_MAX_DIM], high[DN_MAX_DIM]; /* range of the training data, for clipping */
    struct quantiles *quantiles; /* DN_QUANTILE: owned by the model or trainer; else NULL */
};

/* Fits the transform to points [n][dim]. DN_MINMAX: over all coordinates jointly, the smallest
 * becomes -1, the largest 1. DN_STANDARDIZE: each axis gets mean 0 and deviation 1/2
 * (sigma_data of Karras et al. 2022); one that is constant is only shifted. DN_AS_IT_IS: nothing
 * changes. Not for DN_QUANTILE. */
void transform_fit(struct transform *transform, enum dn_normalization normalization,
                   const float *points, size_t n, int dim);
/* That of images: bytes to [-1, 1]. */
void transform_of_images(struct transform *transform, int channels);
/* DN_QUANTILE: fits maps, and writes the ranks of all cells. Normal scores have mean 0 and
 * deviation 1, so their scale is 1/2. */
enum dn_status transform_fit_table(struct transform *transform, const struct quantile_table *table,
                                   struct ranks *ranks, struct dn_error *error);
/* Makes maps of its own for a transform that has been copied; after an error it has none. */
enum dn_status transform_own(struct transform *transform, struct dn_error *error);
void transform_clear(struct transform *transform);
/* The most bytes that a transform allocates for n training points. */
size_t transform_bytes(const struct dn_spec *spec, size_t n);
/* DN_INVALID, and why, unless all numbers are finite, scales above 0, low not above high, and maps
 * sound. */
enum dn_status transform_check(const struct transform *transform, int dim, struct dn_error *error);
void transform_forward(const struct transform *transform, size_t n, int dim, const float *data,
                       float *model);
void transform_forward_values(const struct transform *transform, size_t n, int dim,
                              const double *values, float *model);
void transform_forward_pixels(const struct transform *transform, size_t n, int dim,
                              const uint8_t *pixels, float *model);
void transform_backward(const struct transform *transform, size_t n, int dim, const float *model,
                        float *data);
void transform_backward_values(const struct transform *transform, size_t n, int dim,
                               const float *model, double *values);
/* The columns of values that have dim together for each point. */
static inline int transform_columns(const struct transform *transform, int dim) {
    return transform->channels ? transform->channels : dim;
}
/* Copies shift and scale of each value [dim]. */
void transform_write(const struct transform *transform, int dim, double *shift, double *scale);
/* Does x mean that coordinate j is missing, though it has values? Then transform_present is the x of
 * a value instead, at the same place among all values as this x among the missing ones. */
bool transform_is_missing(const struct transform *transform, size_t j, float x);
float transform_present(const struct transform *transform, size_t j, float x);

struct dn_model {
    struct dn_spec spec;
    int dim; /* spec.dataset.dim */
    int epoch;
    int32_t class_counts[DN_MAX_CLASSES]; /* of the data; all 0: unknown */
    struct transform transform;
    struct moments moments; /* 0 nodes: a process that does not reach noise, or an import without */
    struct schedule schedule;
    struct network network;
    float *parameters;
};

/* The moments_nodes of models with this spec; 0 for images, which have none. */
int spec_moments(const struct dn_spec *spec);

/* Is each count of points possible? */
bool class_counts_are_sound(const int32_t *counts, int classes);

/* A model with zero weights, to be filled in. */
enum dn_status model_new(const struct dn_spec *spec, const struct kernels *kernels,
                         struct dn_model **out, struct dn_error *error);

/* Sets the levels of a network with more outputs than coordinates from the maps of the transform;
 * others need none. To be called before the network is used. DN_NO_MEMORY. */
enum dn_status model_use_levels(struct network *network, const struct dn_spec *spec,
                                const struct schedule *schedule, const struct transform *transform,
                                struct dn_error *error);

/* Bytes that a model allocates. */
size_t model_memory(const struct network *network);

/* Writes the serialized form of a model with these weights, and returns its length. It reads only
 * spec, epoch, counts, transform and moments of the model. If bytes is NULL, it returns the length only. */
size_t model_serialize(const struct dn_model *model, const struct network *network,
                       const float *parameters, void *bytes);

/* The unpadded weights of a parameter block, which is NULL when they are only counted. */
void serial_parameters(struct serial *serial, const struct network *network, float *parameters);

#endif
