/*
 * schedule.c - beta schedules, and every coefficient that follows from them.
 */
#include "engine/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "engine/kernels.h"

/* Equally spaced from beta_start to beta_end, both scaled by 1000/T (Ho et al. 2020, sec. 4, for
 * any T). */
static void beta_linear(double *beta, const struct dn_diffusion_spec *spec) {
    int T = spec->timesteps;
    double scale = 1000.0 / T;
    double first = scale * spec->beta_start, last = scale * spec->beta_end;
    for (int t = 1; t <= T; t++)
        beta[t] = T == 1 ? first : first + (last - first) * (t - 1) / (T - 1);
}

/* alpha_bar(t) = cos^2(((t/T + s) / (1 + s)) pi/2), s = 0.008, relative to t = 0; beta clamped to
 * 0.999 (Nichol & Dhariwal 2021, eq. 17). */
static void beta_cosine(double *beta, const struct dn_diffusion_spec *spec) {
    int T = spec->timesteps;
    const double s = 0.008;
    double previous = 1;
    double start = cos(s / (1 + s) * M_PI / 2);
    for (int t = 1; t <= T; t++) {
        double c = cos(((double)t / T + s) / (1 + s) * M_PI / 2) / start;
        double ratio = c * c / previous;
        beta[t] = fmin(fmax(1 - ratio, 0), 0.999);
        previous = c * c;
    }
}

/* In the order of enum dn_beta_schedule. */
static void (*const beta_functions[])(double *, const struct dn_diffusion_spec *) = {beta_linear,
                                                                                     beta_cosine};

static void schedule_derive(struct schedule *s) {
    s->alpha_bar[0] = 1;
    s->signal[0] = s->recip_signal[0] = 1;
    for (int t = 1; t <= s->timesteps; t++) {
        double before = s->alpha_bar[t - 1];
        double bar = s->alpha_bar[t] = before * (1 - s->beta[t]);
        s->signal[t] = (float)sqrt(bar);
        s->noise[t] = (float)sqrt(1 - bar);
        s->recip_signal[t] = (float)sqrt(1 / bar);
        s->recip_noise[t] = (float)sqrt(1 / bar - 1);
        s->mean_x0[t] = (float)(s->beta[t] * sqrt(before) / (1 - bar));
        s->mean_xt[t] = (float)((1 - before) * sqrt(1 - s->beta[t]) / (1 - bar));
        s->deviation[t] = (float)sqrt(s->beta[t] * (1 - before) / (1 - bar));
    }
}

enum dn_status schedule_init(struct schedule *schedule, const struct dn_diffusion_spec *spec,
                             struct dn_error *error) {
    memset(schedule, 0, sizeof *schedule);
    size_t n = (size_t)spec->timesteps + 1;
    schedule->timesteps = spec->timesteps;
    schedule->beta = calloc(2 * n, sizeof(double));
    schedule->signal = floats_new(7 * n);
    if (!schedule->beta || !schedule->signal) {
        schedule_clear(schedule);
        return error_set(error, DN_NO_MEMORY, "out of memory");
    }
    schedule->alpha_bar = schedule->beta + n;
    schedule->noise = schedule->signal + n;
    schedule->recip_signal = schedule->noise + n;
    schedule->recip_noise = schedule->recip_signal + n;
    schedule->mean_x0 = schedule->recip_noise + n;
    schedule->mean_xt = schedule->mean_x0 + n;
    schedule->deviation = schedule->mean_xt + n;
    beta_functions[spec->beta_schedule](schedule->beta, spec);
    schedule_derive(schedule);
    return DN_OK;
}

void schedule_clear(struct schedule *schedule) {
    free(schedule->beta);
    free(schedule->signal);
    memset(schedule, 0, sizeof *schedule);
}

double schedule_terminal_snr(const struct schedule *schedule) {
    double bar = schedule->alpha_bar[schedule->timesteps];
    return bar / (1 - bar);
}
