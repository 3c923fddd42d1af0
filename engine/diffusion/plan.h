/*
 * plan.h - the steps of a sampler from noise to data, with all their coefficients.
 *
 * Every sampler here goes from timestep t to an earlier one, u, by a linear combination of the
 * state x_t, the network's estimate D of x_0, for some samplers a second estimate D', and for some
 * fresh noise z:
 *
 *     x_u = from_x0 D + from_xt x_t + from_other D' + deviation z
 *
 * The samplers differ only in these four numbers. They follow from the signal s and noise n of the
 * two timesteps (x_t = s_t x_0 + n_t eps), so a schedule may preserve the variance or not, and end
 * in pure noise (s_T = 0) or not.
 *
 * With the moments of the data, a plan also restores the variance that the estimates leave out.
 * Along each principal axis of the data, the distance from the mean of x_u, s_u m, is scaled before
 * the noise is added:
 *
 *     x_u = s_u m + scale (from_x0 D + from_xt x_t + from_other D' - s_u m) + deviation z
 *
 * Then every sampler gives Gaussian data its mean and its covariance, in any number of steps, if
 * the estimates are right.
 */
#ifndef ENGINE_DIFFUSION_PLAN_H
#define ENGINE_DIFFUSION_PLAN_H

#include "engine/denoise.h"
#include "engine/diffusion/moments.h"
#include "engine/diffusion/schedule.h"

struct plan_step {
    int t, u; /* from, to */
    float from_x0, from_xt, from_other, deviation;
    /* D' is the estimate made of x'_u = predict_x0 D + predict_xt x_t at u if `corrects`; else it
     * is the D of the step before. */
    bool corrects;
    float predict_x0, predict_xt;
    float signal;        /* s_u */
    const float *growth; /* [dim] scale - 1, by axis of the moments; NULL: nothing to restore */
};

struct plan {
    int steps;
    struct plan_step *step;
    float *growth; /* owns that of the steps */
};

/* For a checked request. moments: of the model, or NULL. */
enum dn_status plan_init(struct plan *plan, const struct schedule *schedule,
                         const struct moments *moments, enum dn_sampler sampler, int steps,
                         double eta, struct dn_error *error);
size_t plan_bytes(int steps, int dim); /* maximum of bytes allocated */
void plan_clear(struct plan *plan);

/* The timesteps [steps + 1] that a process with this number of steps visits: T, .., 0. */
void plan_timesteps(const struct schedule *schedule, int steps, int *timesteps);

/* Estimates that a sampler makes for each point. */
int plan_evaluations(enum dn_sampler sampler, int steps);

#endif
