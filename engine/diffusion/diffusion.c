#include "engine/diffusion/diffusion.h"

#include <math.h>

void diffusion_forward_step(const struct schedule *schedule, int t, size_t count, float *x,
                            const float *eps) {
    float keep = (float)sqrt(schedule->alpha[t]), add = (float)sqrt(schedule->beta[t]);
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

/* The target at t is eps_factor eps + x_0_factor x_0. */
static void target_factors(const struct schedule *schedule, enum dn_prediction prediction, int t,
                           float *eps_factor, float *x_0_factor) {
    switch (prediction) {
    case DN_EPSILON: *eps_factor = 1, *x_0_factor = 0; break;
    case DN_SAMPLE: *eps_factor = 0, *x_0_factor = 1; break;
    case DN_V: *eps_factor = schedule->signal[t], *x_0_factor = -schedule->noise[t]; break;
    case DN_FLOW: *eps_factor = 1, *x_0_factor = -1; break;
    }
}

void diffusion_target(const struct schedule *schedule, enum dn_prediction prediction,
                      const int32_t *t, size_t n, int dim, const float *x_0, const float *eps,
                      float *target) {
    for (size_t i = 0; i < n; i++) {
        float of_eps = 0, of_x_0 = 0;
        target_factors(schedule, prediction, t[i], &of_eps, &of_x_0);
        for (size_t e = i * (size_t)dim; e < (i + 1) * (size_t)dim; e++)
            target[e] = of_eps * eps[e] + of_x_0 * x_0[e];
    }
}

void diffusion_factors(const struct schedule *schedule, enum dn_prediction prediction, int t,
                       double *from_x, double *from_out) {
    double bar = schedule->alpha_bar[t], variance = schedule->variance[t];
    double signal = sqrt(bar), noise = sqrt(variance);
    switch (prediction) {
    case DN_EPSILON: *from_x = sqrt(1 / bar), *from_out = sqrt(variance / bar); break;
    case DN_SAMPLE: *from_x = 0, *from_out = -1; break;
    case DN_V: *from_x = signal / (bar + variance), *from_out = noise / (bar + variance); break;
    case DN_FLOW: *from_x = 1 / (signal + noise), *from_out = noise / (signal + noise); break;
    }
}

double diffusion_weight(const struct schedule *schedule, enum dn_prediction prediction,
                        double gamma, int t) {
    double from_x = 0, from_out = 0;
    diffusion_factors(schedule, prediction, t, &from_x, &from_out);
    return fmin(schedule_snr(schedule, t), gamma) * from_out * from_out;
}

void diffusion_estimate(const struct schedule *schedule, enum dn_prediction prediction, int t,
                        size_t n, int dim, const float *x_t, const float *out, size_t out_ld,
                        const float *low, const float *high, float *x_0) {
    double x_factor = 0, out_factor = 0;
    diffusion_factors(schedule, prediction, t, &x_factor, &out_factor);
    const float from_x = (float)x_factor, from_out = (float)out_factor;
    const size_t apart = (size_t)dim;
    for (size_t j = 0; j < apart; j++) { /* axis by axis, so that the inner loop is a long one */
        const float least = low ? low[j] : -INFINITY, most = low ? high[j] : INFINITY;
        for (size_t i = 0; i < n; i++) {
            float x = from_x * x_t[i * apart + j] - from_out * out[i * out_ld + j];
            x = x < least ? least : x; /* not fminf and fmaxf, which are calls; these keep a NaN */
            x_0[i * apart + j] = x > most ? most : x;
        }
    }
}
