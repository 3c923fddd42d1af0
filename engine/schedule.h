/*
 * schedule.h - how much noise there is at each timestep.
 *
 * Indices are t = 1..T as in DDPM; entry 0 of alpha_bar is 1 (no noise), entry 0 of the others is
 * unused. Everything is computed in double; what the inner loops multiply with is stored in float.
 */
#ifndef ENGINE_SCHEDULE_H
#define ENGINE_SCHEDULE_H

#include "engine/denoise.h"

struct schedule {
    int timesteps;     /* T */
    double *beta;      /* [T+1] beta_t */
    double *alpha_bar; /* [T+1] prod of (1 - beta_s) for s <= t */

    /* forward: x_t = signal x_0 + noise eps (DDPM eq. 4) */
    float *signal; /* [T+1] sqrt(alpha_bar_t) */
    float *noise;  /* [T+1] sqrt(1 - alpha_bar_t) */

    /* estimate: x0 = recip_signal x_t - recip_noise eps (eq. 4 solved for x_0) */
    float *recip_signal; /* [T+1] sqrt(1 / alpha_bar_t) */
    float *recip_noise;  /* [T+1] sqrt(1 / alpha_bar_t - 1) */

    /* posterior q(x_{t-1} | x_t, x_0) (eqs. 6, 7): mean = mean_x0 x_0 + mean_xt x_t */
    float *mean_x0;   /* [T+1] beta_t sqrt(alpha_bar_{t-1}) / (1 - alpha_bar_t) */
    float *mean_xt;   /* [T+1] (1 - alpha_bar_{t-1}) sqrt(alpha_t) / (1 - alpha_bar_t) */
    float *deviation; /* [T+1] square root of beta_t (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t); 0 at
                         t = 1 */
};

enum dn_status schedule_init(struct schedule *schedule, const struct dn_diffusion_spec *spec,
                             struct dn_error *error);
void schedule_clear(struct schedule *schedule);

/* alpha_bar / (1 - alpha_bar) at T: what is left of the data where sampling starts from pure noise.
 */
double schedule_terminal_snr(const struct schedule *schedule);

#endif
