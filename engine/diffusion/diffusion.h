/*
 * diffusion.h - the two processes on arrays of points: data to noise, and one step back.
 *
 * Points are x [n][dim] in model units. The network's output has a padded row (out_ld floats, of
 * which dim count).
 */
#ifndef ENGINE_DIFFUSION_DIFFUSION_H
#define ENGINE_DIFFUSION_DIFFUSION_H

#include <stddef.h>
#include <stdint.h>

#include "engine/diffusion/schedule.h"

/* One step of the forward process, q(x_t | x_{t-1}) (DDPM eq. 2): x = sqrt(1 - beta_t) x +
 * sqrt(beta_t) eps, in place. */
void diffusion_forward_step(const struct schedule *schedule, int t, size_t count, float *x,
                            const float *eps);

/* All steps at once, q(x_t | x_0) (eq. 4), each point with its own t [n]: x_t = signal x_0 + noise
 * eps. */
void diffusion_q_sample(const struct schedule *schedule, const int32_t *t, size_t n, int dim,
                        const float *x_0, const float *eps, float *x_t);

/* The network's target for each point, each with its own t [n]:
 *     epsilon eps;   sample x_0;   v_prediction signal eps - noise x_0 (Salimans & Ho 2022);
 *     flow eps - x_0 (Liu et al. 2022)
 * target may be eps. */
void diffusion_target(const struct schedule *schedule, enum dn_prediction prediction,
                      const int32_t *t, size_t n, int dim, const float *x_0, const float *eps,
                      float *target);

/* The estimate of x_0 from x_t and the network's output, which follows from the target and
 * x_t = signal x_0 + noise eps. It is clipped to [low, high] per axis unless low is NULL. */
void diffusion_estimate(const struct schedule *schedule, enum dn_prediction prediction, int t,
                        size_t n, int dim, const float *x_t, const float *out, size_t out_ld,
                        const float *low, const float *high, float *x_0);

/* x_0 = from_x x_t - from_out out: the factors of diffusion_estimate. */
void diffusion_factors(const struct schedule *schedule, enum dn_prediction prediction, int t,
                       double *from_x, double *from_out);

/* The weight of the loss at t under min-SNR weighting: min(SNR, gamma) for the error in x_0, which
 * is from_out times the error in the network's output (Hang et al. 2023, sec. 3.4: min(1,
 * gamma/SNR) for epsilon, min(SNR, gamma)/(SNR + 1) for v). */
double diffusion_weight(const struct schedule *schedule, enum dn_prediction prediction,
                        double gamma, int t);

#endif
