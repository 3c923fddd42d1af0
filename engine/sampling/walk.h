/*
 * walk.h - points on their way back from noise, a step at a time.
 */
#ifndef ENGINE_SAMPLING_WALK_H
#define ENGINE_SAMPLING_WALK_H

#include "engine/diffusion/plan.h"

/* Estimates where points came from: a network, or in tests something better. Writes the estimates
 * x_0 [n][dim] of points x [n][dim] at timestep t >= 1, in model units. */
struct denoiser {
    void (*estimate)(void *context, int t, size_t n, const float *x, float *x_0);
    void *context;
};

/* Points first..first+n-1 of the sequence of a seed. The arrays are [n][dim]. */
struct walk {
    uint64_t seed, first;
    size_t n, dim;
    float *x;     /* where they are */
    float *x_0;   /* the estimate that the last step was made with */
    float *other; /* a second one: of the step before, or of the end of a step */
    float *z;     /* noise, or the point that `other` is made of */
};

/* x_t -> x_u. Steps are taken in the order of their plan. */
void walk_step(struct walk *walk, const struct plan_step *step, const struct denoiser *denoiser);

#endif
