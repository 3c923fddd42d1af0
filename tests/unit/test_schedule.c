/* Schedules and processes against closed forms and published numbers. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "engine/diffusion.h"
#include "engine/kernels.h"
#include "engine/random.h"
#include "engine/schedule.h"

static struct schedule schedule_of(int timesteps, enum dn_beta_schedule kind, double start,
                                   double end) {
    struct dn_diffusion_spec spec = {
        .timesteps = timesteps, .beta_schedule = kind, .beta_start = start, .beta_end = end};
    struct schedule schedule;
    cr_assert_eq(schedule_init(&schedule, &spec, NULL), DN_OK);
    return schedule;
}

/* The blog's schedule: both ends times 1000/40, and the terminal values that it leads to. */
Test(schedule, linear_of_the_tutorial_does_not_reach_noise) {
    struct schedule s = schedule_of(40, DN_BETA_LINEAR, 8e-6, 9e-5);
    cr_assert_float_eq(s.beta[1], 2e-4, 1e-15);
    cr_assert_float_eq(s.beta[40], 2.25e-3, 1e-15);
    cr_assert_float_eq(s.beta[2] - s.beta[1], (2.25e-3 - 2e-4) / 39, 1e-15);
    cr_assert_float_eq(s.alpha_bar[40], 0.952146, 5e-7);
    cr_assert_float_eq(s.signal[40], 0.9758, 5e-5);
    cr_assert_float_eq(s.noise[40], 0.2188, 5e-5);
    cr_assert_float_eq(schedule_terminal_snr(&s), 19.9, 0.05);
    schedule_clear(&s);
}

/* Ho et al.: T = 1000, 1e-4 to 0.02; KL(q(x_T|x_0) || N(0,I)) is about 1e-5 bits because
 * alpha_bar_T is 4.04e-5. */
Test(schedule, linear_of_ddpm_reaches_its_known_end) {
    struct schedule s = schedule_of(1000, DN_BETA_LINEAR, 1e-4, 0.02);
    cr_assert_float_eq(s.beta[1], 1e-4, 1e-15);
    cr_assert_float_eq(s.beta[1000], 0.02, 1e-15);
    double log_bar = 0;
    for (int t = 1; t <= 1000; t++)
        log_bar += log1p(-(1e-4 + (0.02 - 1e-4) * (t - 1) / 999.0));
    cr_assert_float_eq(s.alpha_bar[1000], exp(log_bar), 1e-12);
    cr_assert_float_eq(s.alpha_bar[1000], 4.0358e-5, 1e-8);
    schedule_clear(&s);
}

Test(schedule, cosine_follows_its_closed_form_until_beta_is_clamped) {
    struct schedule s = schedule_of(100, DN_BETA_COSINE, 0, 0);
    double start = pow(cos(0.008 / 1.008 * M_PI / 2), 2);
    for (int t = 1; t < 100; t++)
        cr_assert_float_eq(s.alpha_bar[t],
                           pow(cos((t / 100.0 + 0.008) / 1.008 * M_PI / 2), 2) / start, 1e-12);
    cr_assert_float_eq(s.beta[100], 0.999, 1e-15);
    cr_assert_lt(schedule_terminal_snr(&s), 1e-5);
    schedule_clear(&s);
}

/* The posterior by Bayes' rule for Gaussians: precision and precision-weighted mean of
 * N(x_t; sqrt(alpha) x, beta) N(x; sqrt(abar_prev) x_0, 1 - abar_prev). */
Test(schedule, posterior_is_bayes_rule) {
    struct schedule s = schedule_of(40, DN_BETA_LINEAR, 8e-6, 9e-5);
    for (int t = 2; t <= 40; t++) {
        double beta = s.beta[t], alpha = 1 - beta, before = s.alpha_bar[t - 1];
        double precision = alpha / beta + 1 / (1 - before);
        cr_assert_float_eq(s.deviation[t], sqrt(1 / precision), 1e-7 * sqrt(1 / precision));
        cr_assert_float_eq(s.mean_xt[t], sqrt(alpha) / beta / precision, 2e-7);
        cr_assert_float_eq(s.mean_x0[t], sqrt(before) / (1 - before) / precision, 2e-7);
    }
    cr_assert_eq(s.deviation[1], 0);
    cr_assert_float_eq(s.mean_x0[1], 1, 1e-6);
    cr_assert_float_eq(s.mean_xt[1], 0, 1e-6);
    schedule_clear(&s);
}

Test(schedule, one_timestep_works) {
    struct schedule s = schedule_of(1, DN_BETA_LINEAR, 1e-4, 2e-4);
    cr_assert_float_eq(s.beta[1], 0.1, 1e-15);
    cr_assert_float_eq(s.alpha_bar[1], 0.9, 1e-15);
    schedule_clear(&s);
}

/* Walking t steps and jumping there give the same Gaussian: mean signal x_0, variance 1 -
 * alpha_bar. */
Test(diffusion, steps_and_shortcut_agree_in_mean_and_variance) {
    enum { N = 40000, T = 25 };
    struct schedule s = schedule_of(40, DN_BETA_LINEAR, 2e-4, 4e-3);
    float *walked = malloc(N * sizeof *walked), *jumped = malloc(N * sizeof *jumped);
    float *eps = malloc(N * sizeof *eps);
    int32_t *t = malloc(N * sizeof *t);
    for (int i = 0; i < N; i++)
        walked[i] = 0.7f, t[i] = T;
    random_normals(1, RANDOM_NOISE, 1000, 0, N, eps);
    diffusion_q_sample(&s, t, N, 1, walked, eps, jumped);
    for (int i = 0; i < N; i++)
        cr_assert_float_eq(jumped[i],
                           sqrt(s.alpha_bar[T]) * 0.7 + sqrt(1 - s.alpha_bar[T]) * (double)eps[i],
                           1e-6);
    for (int step = 1; step <= T; step++) {
        random_normals(1, RANDOM_NOISE, (uint32_t)step, 0, N, eps);
        diffusion_forward_step(&s, step, N, walked, eps);
    }
    float *sets[] = {walked, jumped};
    for (int set = 0; set < 2; set++) {
        double sum = 0, squares = 0;
        for (int i = 0; i < N; i++)
            sum += (double)sets[set][i], squares += (double)sets[set][i] * (double)sets[set][i];
        double mean = sum / N, variance = squares / N - mean * mean, expected = 1 - s.alpha_bar[T];
        cr_assert_float_eq(mean, sqrt(s.alpha_bar[T]) * 0.7, 5 * sqrt(expected / N));
        cr_assert_float_eq(variance, expected, 5 * expected * sqrt(2.0 / N));
    }
    free(walked), free(jumped), free(eps), free(t);
    schedule_clear(&s);
}

Test(diffusion, estimate_undoes_the_forward_process_and_clips) {
    struct schedule s = schedule_of(40, DN_BETA_LINEAR, 2e-4, 4e-3);
    float x_0[4] = {0.5f, -0.25f, 0.99f, -1}, eps[4] = {1, -2, 0.5f, 0.1f}, x_t[4], found[4];
    float padded[16] = {1, -2, 0, 0, 0, 0, 0, 0, 0.5f, 0.1f};
    int32_t t[2] = {33, 33};
    diffusion_q_sample(&s, t, 2, 2, x_0, eps, x_t);
    diffusion_estimate(&s, 33, 2, 2, x_t, padded, 8, NULL, NULL, found);
    for (int i = 0; i < 4; i++)
        cr_assert_float_eq(found[i], x_0[i], 1e-6);
    float low[2] = {-0.5f, -0.5f}, high[2] = {0.4f, 0.5f};
    diffusion_estimate(&s, 33, 2, 2, x_t, padded, 8, low, high, found);
    float expected[4] = {0.4f, -0.25f, 0.4f, -0.5f};
    for (int i = 0; i < 4; i++)
        cr_assert_float_eq(found[i], expected[i], 1e-6);
    schedule_clear(&s);
}

/* With x_0 ~ N(0, 1) the marginal at every t is N(0, 1), and the step back from it with the exact
 * posterior of a known x_0 must keep the joint law: here its variance. */
Test(diffusion, posterior_step_keeps_the_marginal) {
    enum { N = 50000 };
    struct schedule s = schedule_of(40, DN_BETA_LINEAR, 2e-4, 4e-3);
    float *x_0 = malloc(N * sizeof *x_0), *x = malloc(N * sizeof *x), *z = malloc(N * sizeof *z);
    int32_t *t = malloc(N * sizeof *t);
    for (int i = 0; i < N; i++)
        t[i] = 20;
    random_normals(4, RANDOM_NOISE, 0, 0, N, x_0);
    random_normals(4, RANDOM_NOISE, 1, 0, N, z);
    diffusion_q_sample(&s, t, N, 1, x_0, z, x);
    random_normals(4, RANDOM_NOISE, 2, 0, N, z);
    diffusion_posterior_step(&s, 20, N, x, x_0, z);
    double covariance = 0, variance = 0;
    for (int i = 0; i < N; i++) {
        covariance += (double)x[i] * (double)x_0[i] / N;
        variance += (double)x[i] * (double)x[i] / N;
    }
    cr_assert_float_eq(variance, 1, 5 * sqrt(2.0 / N));
    cr_assert_float_eq(covariance, sqrt(s.alpha_bar[19]), 5 * sqrt(2.0 / N));
    diffusion_posterior_step(&s, 1, N, x, x_0, NULL); /* no noise at the last step: exactly x_0 */
    for (int i = 0; i < N; i++)
        cr_assert_float_eq(x[i], x_0[i], 1e-5);
    free(x_0), free(x), free(z), free(t);
    schedule_clear(&s);
}
