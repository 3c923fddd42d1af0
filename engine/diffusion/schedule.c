/*
 * schedule.c - noise schedules, and every coefficient that follows from them.
 */
#include "engine/diffusion/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/internal.h"

/* ------------------------------------------------------------------ betas */

/* Step t of 1..T, equally spaced from first to last. */
static double between(double first, double last, int t, int T) {
    return T == 1 ? first : first + (last - first) * (t - 1) / (T - 1);
}

/* Equally spaced from beta_start to beta_end, both scaled by 1000/T (Ho et al. 2020, sec. 4, for
 * any T). */
static void beta_linear(double *beta, const struct dn_diffusion_spec *spec) {
    int T = spec->timesteps;
    double scale = 1000.0 / T;
    for (int t = 1; t <= T; t++)
        beta[t] = between(scale * spec->beta_start, scale * spec->beta_end, t, T);
}

/* The same for the square roots of beta (Rombach et al. 2022: "scaled linear"). */
static void beta_quadratic(double *beta, const struct dn_diffusion_spec *spec) {
    int T = spec->timesteps;
    double scale = 1000.0 / T;
    for (int t = 1; t <= T; t++) {
        double root = between(sqrt(scale * spec->beta_start), sqrt(scale * spec->beta_end), t, T);
        beta[t] = root * root;
    }
}

/* From alpha_bar [T+1], known up to a factor. beta is clamped to 0.999, so that some signal is left
 * at T. beta and alpha_bar may be the same array. */
static void beta_of_alpha_bar(double *beta, const double *alpha_bar, int T) {
    double before = alpha_bar[0];
    for (int t = 1; t <= T; t++) {
        double now = alpha_bar[t];
        beta[t] = fmin(fmax(1 - now / before, 0), 0.999);
        before = now;
    }
}

/* alpha_bar(t) = cos^2(((t/T + s) / (1 + s)) pi/2), s = 0.008, relative to t = 0 (Nichol & Dhariwal
 * 2021, eq. 17). */
static void beta_cosine(double *beta, const struct dn_diffusion_spec *spec) {
    int T = spec->timesteps;
    const double s = 0.008;
    double start = cos(s / (1 + s) * M_PI / 2);
    for (int t = 0; t <= T; t++) {
        double c = cos(((double)t / T + s) / (1 + s) * M_PI / 2) / start;
        beta[t] = c * c;
    }
    beta_of_alpha_bar(beta, beta, T);
}

/* alpha_bar(t) falls like a sigmoid over [-3, 3], shifted and scaled to go from 1 to 0 (Jabri et
 * al. 2022, with temperature 1). */
static void beta_sigmoid(double *beta, const struct dn_diffusion_spec *spec) {
    int T = spec->timesteps;
    for (int t = 0; t <= T; t++)
        beta[t] = 1 / (1 + exp(6.0 * t / T - 3)) - 1 / (1 + exp(3));
    beta_of_alpha_bar(beta, beta, T);
}

/* noise/signal grows geometrically, equally spaced in log SNR; the default range, 0.002 to 80, is
 * that of Karras et al. 2022 (EDM). alpha_bar = 1 / (1 + (noise/signal)^2). */
static void beta_log_linear(double *beta, const struct dn_diffusion_spec *spec) {
    int T = spec->timesteps;
    const double first = log(spec->ratio_min), last = log(spec->ratio_max);
    double before = 0; /* (noise/signal)^2 */
    for (int t = 1; t <= T; t++) {
        double now = exp(2 * (T == 1 ? last : between(first, last, t, T)));
        beta[t] = (now - before) / (1 + now);
        before = now;
    }
}

/* By enum dn_beta_schedule; flow is not made from betas. */
static void (*const beta_functions[])(double *, const struct dn_diffusion_spec *) = {
    [DN_BETA_LINEAR] = beta_linear,         [DN_BETA_COSINE] = beta_cosine,
    [DN_BETA_SIGMOID] = beta_sigmoid,       [DN_BETA_QUADRATIC] = beta_quadratic,
    [DN_BETA_LOG_LINEAR] = beta_log_linear, [DN_BETA_FLOW] = NULL,
};

/* ------------------------------------------------------------------ signal and noise */

static void fill_from_betas(struct schedule *s) {
    for (int t = 1; t <= s->timesteps; t++) {
        s->alpha[t] = 1 - s->beta[t];
        s->alpha_bar[t] = s->alpha_bar[t - 1] * s->alpha[t];
        s->variance[t] = 1 - s->alpha_bar[t];
    }
}

/* From alpha_bar and variance. Without signal before a step, alpha is 0. */
static void fill_steps(struct schedule *s) {
    for (int t = 1; t <= s->timesteps; t++) {
        s->alpha[t] = s->alpha_bar[t - 1] > 0 ? s->alpha_bar[t] / s->alpha_bar[t - 1] : 0;
        s->beta[t] = s->variance[t] - s->alpha[t] * s->variance[t - 1];
    }
}

/* A straight line from the data to the noise: signal = 1 - t/T, noise = t/T (Liu et al. 2022,
 * rectified flow). */
static void fill_flow(struct schedule *s) {
    int T = s->timesteps;
    for (int t = 1; t <= T; t++) {
        double noise = (double)t / T;
        s->alpha_bar[t] = (1 - noise) * (1 - noise);
        s->variance[t] = noise * noise;
    }
    fill_steps(s);
}

/* Shifts and scales the signal so that it is 0 at T and the first step does not change (Lin et al.
 * 2024, algorithm 1). */
static void rescale_to_zero(struct schedule *s) {
    int T = s->timesteps;
    double first = sqrt(s->alpha_bar[1]), last = sqrt(s->alpha_bar[T]);
    for (int t = 1; t <= T; t++) {
        double signal = (sqrt(s->alpha_bar[t]) - last) * first / (first - last);
        s->alpha_bar[t] = signal * signal;
        s->variance[t] = 1 - s->alpha_bar[t];
    }
    fill_steps(s);
}

static void schedule_derive(struct schedule *s) {
    s->signal[0] = 1;
    for (int t = 1; t <= s->timesteps; t++) {
        s->signal[t] = (float)sqrt(s->alpha_bar[t]);
        s->noise[t] = (float)sqrt(s->variance[t]);
    }
}

enum { DOUBLE_ARRAYS = 4, FLOAT_ARRAYS = 2 }; /* of struct schedule */

size_t schedule_bytes(int timesteps) {
    const size_t n = (size_t)timesteps + 1;
    return DOUBLE_ARRAYS * n * sizeof(double) + floats_bytes(FLOAT_ARRAYS * n);
}

enum dn_status schedule_init(struct schedule *schedule, const struct dn_diffusion_spec *spec,
                             struct dn_error *error) {
    memset(schedule, 0, sizeof *schedule);
    size_t n = (size_t)spec->timesteps + 1;
    schedule->timesteps = spec->timesteps;
    schedule->alpha = calloc(DOUBLE_ARRAYS * n, sizeof(double));
    schedule->signal = floats_new(FLOAT_ARRAYS * n);
    if (!schedule->alpha || !schedule->signal) {
        schedule_clear(schedule);
        return error_set(error, DN_NO_MEMORY, "out of memory");
    }
    schedule->beta = schedule->alpha + n;
    schedule->alpha_bar = schedule->beta + n;
    schedule->variance = schedule->alpha_bar + n;
    schedule->noise = schedule->signal + n;
    schedule->alpha_bar[0] = 1;
    if (spec->beta_schedule == DN_BETA_FLOW) {
        fill_flow(schedule);
    } else {
        beta_functions[spec->beta_schedule](schedule->beta, spec);
        fill_from_betas(schedule);
        if (spec->zero_terminal_snr)
            rescale_to_zero(schedule);
    }
    schedule_derive(schedule);
    return DN_OK;
}

void schedule_clear(struct schedule *schedule) {
    free(schedule->alpha);
    free(schedule->signal);
    memset(schedule, 0, sizeof *schedule);
}

double schedule_last_signal(const struct dn_diffusion_spec *spec) {
    double beta[DN_MAX_TIMESTEPS + 1], alpha_bar = 1;
    if (spec->beta_schedule == DN_BETA_FLOW || spec->zero_terminal_snr)
        return 0;
    beta_functions[spec->beta_schedule](beta, spec);
    for (int t = 1; t <= spec->timesteps; t++)
        alpha_bar *= 1 - beta[t];
    return sqrt(alpha_bar);
}

double schedule_snr(const struct schedule *schedule, int t) {
    return schedule->alpha_bar[t] / schedule->variance[t];
}

double schedule_ratio(const struct schedule *schedule, int t) {
    return sqrt(schedule->variance[t] / schedule->alpha_bar[t]);
}

double schedule_angle(const struct schedule *schedule, double focus, int t) {
    return atan2(sqrt(schedule->variance[t]), focus * sqrt(schedule->alpha_bar[t]));
}

/* ------------------------------------------------------------------ for users */

enum dn_status dn_schedule_steps(const struct dn_diffusion_spec *spec,
                                 struct dn_schedule_step *steps, struct dn_error *error) {
    struct schedule s;
    enum dn_status status = dn_diffusion_check(spec, error);
    if (status == DN_OK)
        status = schedule_init(&s, spec, error);
    if (status != DN_OK)
        return status;
    for (int t = 1; t <= s.timesteps; t++)
        steps[t - 1] = (struct dn_schedule_step){
            .t = t,
            .signal = sqrt(s.alpha_bar[t]),
            .noise = sqrt(s.variance[t]),
            .beta = s.beta[t],
            .alpha = s.alpha[t],
            .alpha_bar = s.alpha_bar[t],
            .snr = schedule_snr(&s, t),
            .posterior_variance = s.beta[t] * s.variance[t - 1] / s.variance[t],
        };
    schedule_clear(&s);
    return DN_OK;
}

bool dn_snr_is_noise(double snr) {
    return snr <= 0.01 * (1 + 1e-9); /* a ratio of 10, up to the rounding of a product of alphas */
}
