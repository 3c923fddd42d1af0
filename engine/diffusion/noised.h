/*
 * noised.h - a set of points with noise added, and the network's targets for them.
 */
#ifndef ENGINE_DIFFUSION_NOISED_H
#define ENGINE_DIFFUSION_NOISED_H

#include "engine/base/random.h"
#include "engine/diffusion/schedule.h"

struct noised {
    const struct kernels *kernels; /* that draw the noise */
    size_t n;
    int32_t *t;    /* [n] */
    int32_t *seen; /* [n] labels as the network sees them: hidden ones are `classes`; NULL without
                      classes */
    uint64_t
        *given; /* [n] bit j: the network is shown coordinate j, which x_t has without noise; NULL
                        unless training.conditioning is any */
    float *x_0; /* [n][dim] */
    float *target; /* [n][dim] first the noise, then the target */
    float *x_t;    /* [n][dim] */
    float *floats; /* owns the three */
    double *until; /* [T+1] share of the draws up to this t; NULL: t is uniform */
};

/* Returns false if out of memory. Call noised_clear in both cases. */
bool noised_init(struct noised *noised, const struct dn_spec *spec, const struct schedule *schedule,
                 const struct kernels *kernels, size_t n);
size_t noised_bytes(const struct dn_spec *spec, size_t n); /* bytes allocated */
void noised_clear(struct noised *noised);

/* Where the randomness of a set comes from. */
struct noised_streams {
    enum random_stream timestep, noise, label, given;
    bool in_any_order; /* the points are shuffled, so they may take the strata of a focus in turn */
};

/* For the first n points, of which x_0 and the labels are set: draws t (U{1..T}, or as
 * timestep_focus says) and eps ~ N(0,1), computes x_t and the targets, hides labels with
 * probability p_uncond, and gives coordinates: none of every other point, in the mean; else each
 * with a probability that is uniform itself, but never all. In any order, the points that show some
 * come first, so that the network has runs of points that show none; t is then spread evenly over
 * both halves. */
void noised_draw(struct noised *noised, const struct dn_spec *spec, const struct schedule *schedule,
                 size_t n, const struct noised_streams *streams, uint32_t step);

/* The number of coordinates of the first n points that are not given: the loss is a mean over
 * them. At least n. */
size_t noised_count_free(const struct noised *noised, size_t n, int dim);

#endif
