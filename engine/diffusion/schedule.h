/*
 * schedule.h - the amounts of signal and noise at each timestep.
 *
 *     x_t = signal_t x_0 + noise_t eps,   t = 1..T;   signal_0 = 1, noise_0 = 0
 *
 * Variance-preserving schedules (all but flow) have signal^2 + noise^2 = 1, and signal^2 is DDPM's
 * alpha_bar. Entry 0 of alpha and beta is unused. Everything is computed in double; what the inner
 * loops multiply with is stored in float.
 */
#ifndef ENGINE_DIFFUSION_SCHEDULE_H
#define ENGINE_DIFFUSION_SCHEDULE_H

#include "engine/denoise.h"

struct schedule {
    int timesteps; /* T */

    /* one step, q(x_t | x_{t-1}) = N(sqrt(alpha_t) x_{t-1}, beta_t) (DDPM eq. 2, where alpha = 1 -
     * beta) */
    double *alpha, *beta; /* [T+1] */
    double *alpha_bar;    /* [T+1] signal^2, the product of alpha_s for s <= t */
    double *variance;     /* [T+1] noise^2 */

    float *signal, *noise; /* [T+1] */
};

enum dn_status schedule_init(struct schedule *schedule, const struct dn_diffusion_spec *spec,
                             struct dn_error *error);
size_t schedule_bytes(int timesteps); /* bytes allocated */
void schedule_clear(struct schedule *schedule);

/* The signal left at T by a spec whose values are within their limits, without computing the whole
 * schedule; 0 for schedules that leave none by design. */
double schedule_last_signal(const struct dn_diffusion_spec *spec);

/* signal^2 / noise^2, t = 1..T. */
double schedule_snr(const struct schedule *schedule, int t);

/* noise / signal, t = 1..T; infinite where no signal is left. */
double schedule_ratio(const struct schedule *schedule, int t);

/* How far t is on the way from the data (0) to pure noise (pi/2), whatever the schedule; half of
 * the way is a noise/signal ratio of `focus`. */
double schedule_angle(const struct schedule *schedule, double focus, int t);

#endif
