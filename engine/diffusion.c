/*
 * diffusion.c - see diffusion.h; each function is one equation.
 */
#include "engine/diffusion.h"

#include <math.h>

void diffusion_forward_step(const struct schedule *schedule, int t, size_t count, float *x,
                            const float *eps) {
    float keep = (float)sqrt(1 - schedule->beta[t]), add = (float)sqrt(schedule->beta[t]);
    for (size_t i = 0; i < count; i++)
        x[i] = keep * x[i] + add * eps[i];
}

void diffusion_q_sample(const struct schedule *schedule, const int32_t *t, size_t n, int dim,
                        const float *x_0, const float *eps, float *x_t) {
    for (size_t i = 0; i < n; i++) {
        float signal = schedule->signal[t[i]], noise = schedule->noise[t[i]];
        for (size_t e = i * (size_t)dim; e < (i + 1) * (size_t)dim; e++)
            x_t[e] = signal * x_0[e] + noise * eps[e];
    }
}

void diffusion_estimate(const struct schedule *schedule, int t, size_t n, int dim, const float *x_t,
                        const float *eps, size_t eps_ld, const float *low, const float *high,
                        float *x_0) {
    float from_x = schedule->recip_signal[t], from_eps = schedule->recip_noise[t];
    for (size_t i = 0; i < n; i++) {
        for (int j = 0; j < dim; j++) {
            size_t e = i * (size_t)dim + (size_t)j;
            float x = from_x * x_t[e] - from_eps * eps[i * eps_ld + (size_t)j];
            if (low) { /* not fminf and fmaxf, which are calls; these keep a NaN */
                x = x < low[j] ? low[j] : x;
                x = x > high[j] ? high[j] : x;
            }
            x_0[e] = x;
        }
    }
}

void diffusion_posterior_step(const struct schedule *schedule, int t, size_t count, float *x,
                              const float *x_0, const float *z) {
    float from_x0 = schedule->mean_x0[t], from_xt = schedule->mean_xt[t];
    float deviation = schedule->deviation[t];
    if (t == 1) {
        for (size_t i = 0; i < count; i++)
            x[i] = from_x0 * x_0[i] + from_xt * x[i];
        return;
    }
    for (size_t i = 0; i < count; i++)
        x[i] = from_x0 * x_0[i] + from_xt * x[i] + deviation * z[i];
}
