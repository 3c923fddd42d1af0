/*
 * walk.h - points on their way from noise to data, one step at a time.
 */
#ifndef ENGINE_SAMPLING_WALK_H
#define ENGINE_SAMPLING_WALK_H

#include "engine/base/random.h"
#include "engine/sampling/restore.h"

/* A network, or in tests the exact solution. Writes the estimates x_0 [n][dim] for the points x
 * [n][dim] at timestep t >= 1, in model units. */
struct denoiser {
    void (*estimate)(void *context, int t, size_t n, const float *x, float *x_0);
    void *context;
};

/* Points first..first+n-1 of the sequence of a seed. The arrays are [n][dim]. */
struct walk {
    const struct kernels *kernels;
    uint64_t seed, first;
    uint64_t per_noise; /* points in a row with the same noise; 0: 1 */
    size_t n, dim;
    float *x;                  /* the state */
    float *x_0;                /* the estimate of the last step */
    float *other;              /* the estimate of the step before, or at the end of the step */
    float *z;                  /* noise, or the points that `other` is an estimate for */
    struct restorer *restorer; /* for a plan with moments; NULL: they are not used */
};

/* The noise of the points, N(0, 1), from this stream and step of the seed, into out [n][dim]. */
void walk_noise(const struct walk *walk, enum random_stream stream, uint32_t step, float *out);

/* x_t -> x_u. Steps are taken in the order of their plan. */
void walk_step(struct walk *walk, const struct plan_step *step, const struct denoiser *denoiser);

#endif
