/* Schedules and processes against closed forms and published numbers. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"
#include "engine/diffusion/diffusion.h"
#include "engine/diffusion/schedule.h"

static struct schedule schedule_of(int timesteps, enum dn_beta_schedule kind, double start,
                                   double end) {
    struct dn_diffusion_spec spec = {.timesteps = timesteps,
                                     .beta_schedule = kind,
                                     .beta_start = start,
                                     .beta_end = end,
                                     .ratio_min = 0.002,
                                     .ratio_max = 80};
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
    cr_assert_float_eq(schedule_snr(&s, s.timesteps), 19.9, 0.05);
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
    cr_assert_lt(schedule_snr(&s, s.timesteps), 1e-5);
    schedule_clear(&s);
}

/* Square roots of the betas equally spaced; the ends as for linear. */
Test(schedule, quadratic_has_equally_spaced_roots) {
    struct schedule s =
        schedule_of(1000, DN_BETA_QUADRATIC, 0.00085, 0.012); /* Stable Diffusion's */
    for (int t = 1; t <= 1000; t++) {
        double root = sqrt(0.00085) + (sqrt(0.012) - sqrt(0.00085)) * (t - 1) / 999;
        cr_assert_float_eq(s.beta[t], root * root, 1e-15);
    }
    cr_assert_float_eq(s.alpha_bar[1000], 0.00466, 5e-6); /* "sigma_max 14.6" of its samplers */
    cr_assert_float_eq(1 / sqrt(schedule_snr(&s, 1000)), 14.6146, 5e-4);
    schedule_clear(&s);
}

Test(schedule, sigmoid_follows_its_closed_form_until_beta_is_clamped) {
    struct schedule s = schedule_of(50, DN_BETA_SIGMOID, 0, 0);
    double start = 1 / (1 + exp(-3)), end = 1 / (1 + exp(3)); /* sigmoid at 3 and -3 */
    for (int t = 1; t < 50; t++) {
        double bar = (1 / (1 + exp(-(3 - 6 * t / 50.0))) - end) / (start - end);
        cr_assert_float_eq(s.alpha_bar[t], bar, 1e-12);
    }
    cr_assert_float_eq(s.alpha_bar[25], 0.5, 1e-12); /* it is symmetric */
    cr_assert_float_eq(s.beta[50], 0.999, 1e-15);
    schedule_clear(&s);
}

Test(schedule, log_linear_is_geometric_in_noise_over_signal) {
    struct schedule s = schedule_of(18, DN_BETA_LOG_LINEAR, 0, 0);
    for (int t = 1; t <= 18; t++) {
        double sigma = 0.002 * pow(80 / 0.002, (t - 1) / 17.0);
        cr_assert_float_eq(sqrt(1 / schedule_snr(&s, t)), sigma, 1e-9 * sigma);
        cr_assert_float_eq(s.alpha_bar[t] + s.variance[t], 1, 1e-15);
    }
    schedule_clear(&s);
    s = schedule_of(1, DN_BETA_LOG_LINEAR, 0, 0);
    cr_assert_float_eq(schedule_snr(&s, 1), 1 / 6400.0, 1e-12);
    schedule_clear(&s);
}

/* A range of its own, from its first ratio to its last; a last ratio of 10 is noise, a smaller one
 * is not. */
Test(schedule, log_linear_goes_from_ratio_min_to_ratio_max) {
    struct dn_diffusion_spec spec = dn_presets[0].spec.diffusion;
    static const double ranges[][2] = {{0.01, 10}, {1e-4, 1e4}, {0.5, 1}, {0.02, 9.9}};
    for (int i = 0; i < 4; i++)
        for (spec.timesteps = 2; spec.timesteps <= 4000; spec.timesteps *= 10) {
            const int T = spec.timesteps;
            struct dn_schedule_step steps[4000];
            spec.ratio_min = ranges[i][0];
            spec.ratio_max = ranges[i][1];
            cr_assert_eq(dn_schedule_steps(&spec, steps, NULL), DN_OK);
            for (int t = 1; t <= T; t++) {
                const double share = (t - 1) / (T - 1.0);
                const double ratio = pow(spec.ratio_min, 1 - share) * pow(spec.ratio_max, share);
                const double found = steps[t - 1].noise / steps[t - 1].signal;
                cr_assert_float_eq(found, ratio, 1e-7 * ratio, "%g, not %g", found, ratio);
            }
            cr_assert_eq(dn_snr_is_noise(steps[T - 1].snr), spec.ratio_max >= 10, "%g: %.17g",
                         spec.ratio_max, steps[T - 1].snr);
        }
}

Test(schedule, flow_is_a_straight_line) {
    struct schedule s = schedule_of(8, DN_BETA_FLOW, 0, 0);
    for (int t = 0; t <= 8; t++) {
        cr_assert_eq(s.signal[t], 1 - (float)t / 8);
        cr_assert_eq(s.noise[t], (float)t / 8);
    }
    schedule_clear(&s);
}

/* Lin et al. 2024: the first signal stays, the last is exactly 0, and the distances between keep
 * their proportions. */
Test(schedule, rescaling_leaves_no_signal_at_the_end) {
    static const enum dn_beta_schedule kinds[] = {DN_BETA_LINEAR, DN_BETA_COSINE,
                                                  DN_BETA_LOG_LINEAR};
    for (int i = 0; i < 3; i++) {
        struct dn_diffusion_spec spec = {.timesteps = 60,
                                         .beta_schedule = kinds[i],
                                         .beta_start = 1e-4,
                                         .beta_end = 0.02,
                                         .prediction_type = DN_V,
                                         .ratio_min = 0.002,
                                         .ratio_max = 80};
        struct schedule plain, rescaled;
        cr_assert_eq(schedule_init(&plain, &spec, NULL), DN_OK);
        spec.zero_terminal_snr = true;
        cr_assert_eq(schedule_init(&rescaled, &spec, NULL), DN_OK);
        double first = sqrt(plain.alpha_bar[1]), last = sqrt(plain.alpha_bar[60]);
        for (int t = 1; t <= 60; t++) {
            double part = (sqrt(plain.alpha_bar[t]) - last) / (first - last);
            cr_assert_float_eq(sqrt(rescaled.alpha_bar[t]), part * first, 1e-12);
            cr_assert_float_eq(rescaled.alpha_bar[t] + rescaled.variance[t], 1, 1e-15);
        }
        cr_assert_eq(rescaled.alpha_bar[60], 0);
        cr_assert(rescaled.signal[60] == 0 && rescaled.noise[60] == 1);
        cr_assert_eq(rescaled.beta[60], 1);
        cr_assert_eq(schedule_snr(&rescaled, 60), 0);
        schedule_clear(&plain), schedule_clear(&rescaled);
    }
}

/* Every schedule of every kind, with no signal left and with some. */
static void for_all_schedules(int timesteps, void (*check)(const struct schedule *)) {
    for (int kind = DN_BETA_LINEAR; kind <= DN_BETA_FLOW; kind++)
        for (int zero = 0; zero <= (timesteps > 1); zero++) {
            struct dn_diffusion_spec spec = {.timesteps = timesteps,
                                             .beta_schedule = (enum dn_beta_schedule)kind,
                                             .beta_start = 8e-6,
                                             .beta_end = 9e-5,
                                             .prediction_type = DN_V,
                                             .zero_terminal_snr = zero,
                                             .ratio_min = 0.002,
                                             .ratio_max = 80};
            struct schedule s;
            cr_assert_eq(dn_diffusion_check(&spec, NULL), DN_OK);
            cr_assert_eq(schedule_init(&s, &spec, NULL), DN_OK);
            check(&s);
            schedule_clear(&s);
        }
}

/* Noise grows, signal falls, nothing is ever infinite or not a number. */
static void check_sane(const struct schedule *s) {
    for (int t = 1; t <= s->timesteps; t++) {
        cr_assert(s->signal[t] <= s->signal[t - 1] && s->signal[t] >= 0);
        cr_assert(s->noise[t] >= s->noise[t - 1] && s->noise[t] > 0 && s->noise[t] <= 1);
        cr_assert(s->alpha[t] >= 0 && s->alpha[t] < 1 && s->beta[t] > 0 && s->beta[t] <= 1);
    }
}

Test(schedule, all_are_monotonic_and_finite) {
    static const int timesteps[] = {1, 2, 3, 40, 1000, DN_MAX_TIMESTEPS};
    for (size_t i = 0; i < sizeof timesteps / sizeof *timesteps; i++)
        for_all_schedules(timesteps[i], check_sane);
}

Test(schedule, steps_for_users_are_the_closed_forms) {
    struct dn_schedule_step steps[40];
    const struct dn_diffusion_spec *spec = &dn_presets[1].spec.diffusion;
    cr_assert_eq(dn_schedule_steps(spec, steps, NULL), DN_OK);
    double bar = 1;
    for (int t = 1; t <= 40; t++) {
        double beta = 25 * (8e-6 + (9e-5 - 8e-6) * (t - 1) / 39), before = bar;
        const struct dn_schedule_step *step = &steps[t - 1];
        bar *= 1 - beta;
        cr_assert_float_eq(step->beta, beta, 1e-15);
        cr_assert_float_eq(step->alpha, 1 - beta, 1e-15);
        cr_assert_float_eq(step->alpha_bar, bar, 1e-14);
        cr_assert_float_eq(step->signal, sqrt(bar), 1e-14);
        cr_assert_float_eq(step->noise, sqrt(1 - bar), 1e-14);
        cr_assert_float_eq(step->snr, bar / (1 - bar), 1e-9 * step->snr);
        cr_assert_float_eq(step->posterior_variance, beta * (1 - before) / (1 - bar), 1e-15);
    }
    cr_assert(!dn_snr_is_noise(steps[39].snr)); /* the blog's schedule: 19.9 */
    struct dn_diffusion_spec wrong = *spec;
    wrong.timesteps = 0;
    cr_assert_eq(dn_schedule_steps(&wrong, steps, NULL), DN_INVALID);
    wrong = *spec, wrong.timesteps = 40, wrong.beta_schedule = DN_BETA_COSINE;
    cr_assert_eq(dn_schedule_steps(&wrong, steps, NULL), DN_OK);
    cr_assert(dn_snr_is_noise(steps[39].snr));
}

static void check_schedule_refused(struct dn_diffusion_spec spec, const char *why) {
    struct dn_error error = {""};
    cr_assert_eq(dn_diffusion_check(&spec, &error), DN_INVALID, "%s", why);
    cr_assert(strstr(error.text, why), "%s", error.text);
}

Test(schedule, epsilon_needs_some_signal) {
    struct dn_diffusion_spec spec = dn_presets[1].spec.diffusion;
    spec.zero_terminal_snr = true;
    check_schedule_refused(spec, "zero_terminal_snr");
    spec.zero_terminal_snr = false;
    spec.beta_schedule = DN_BETA_FLOW;
    check_schedule_refused(spec, "beta_schedule \"flow\"");
    spec = dn_presets[1].spec.diffusion;
    spec.prediction_type = DN_V, spec.timesteps = 1, spec.zero_terminal_snr = true;
    check_schedule_refused(spec, "2 timesteps");
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
    random_normals(kernels_get(), 1, RANDOM_NOISE, 1000, 0, N, eps);
    diffusion_q_sample(&s, t, N, 1, walked, eps, jumped);
    for (int i = 0; i < N; i++)
        cr_assert_float_eq(jumped[i],
                           sqrt(s.alpha_bar[T]) * 0.7 + sqrt(1 - s.alpha_bar[T]) * (double)eps[i],
                           1e-6);
    for (int step = 1; step <= T; step++) {
        random_normals(kernels_get(), 1, RANDOM_NOISE, (uint32_t)step, 0, N, eps);
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
    diffusion_estimate(&s, DN_EPSILON, 33, 2, 2, x_t, padded, 8, NULL, NULL, found);
    for (int i = 0; i < 4; i++)
        cr_assert_float_eq(found[i], x_0[i], 1e-6);
    float low[2] = {-0.5f, -0.5f}, high[2] = {0.4f, 0.5f};
    diffusion_estimate(&s, DN_EPSILON, 33, 2, 2, x_t, padded, 8, low, high, found);
    float expected[4] = {0.4f, -0.25f, 0.4f, -0.5f};
    for (int i = 0; i < 4; i++)
        cr_assert_float_eq(found[i], expected[i], 1e-6);
    schedule_clear(&s);
}

/* The answer that training asks for is the one from which the estimate finds x_0 again: for every
 * prediction, schedule and t, by way of x_t in double. */
static void check_conversions(const struct schedule *s) {
    static const double x_0 = 0.75, eps = -1.25;
    for (int t = 1; t <= s->timesteps; t++) {
        double a = sqrt(s->alpha_bar[t]), b = sqrt(s->variance[t]);
        const double targets[] = {[DN_EPSILON] = eps,
                                  [DN_SAMPLE] = x_0,
                                  [DN_V] = a * eps - b * x_0,
                                  [DN_FLOW] = eps - x_0};
        float x = (float)(a * x_0 + b * eps), found, x_0_float = (float)x_0;
        for (int p = DN_EPSILON; p <= DN_FLOW; p++) {
            const enum dn_prediction prediction = (enum dn_prediction)p;
            float target = (float)eps; /* in place */
            diffusion_target(s, prediction, &t, 1, 1, &x_0_float, &target, &target);
            cr_assert_float_eq((double)target, targets[p], 1e-6);
            if (prediction == DN_EPSILON && a < 1e-3)
                continue; /* the noise alone does not tell */
            diffusion_estimate(s, prediction, t, 1, 1, &x, &target, 1, NULL, NULL, &found);
            cr_assert_float_eq((double)found, x_0, 1e-6 / (p == DN_EPSILON ? a : 1));
            float low = -0.5f, high = 0.5f;
            diffusion_estimate(s, prediction, t, 1, 1, &x, &target, 1, &low, &high, &found);
            cr_assert_eq(found, 0.5f);
        }
    }
}

Test(diffusion, estimates_undo_targets) {
    for_all_schedules(40, check_conversions);
}

/* Hang et al. 2023, sec. 3.4, and for flow what an error of u means for x_0 = x_t - noise u. */
static void check_weights(const struct schedule *s) {
    for (int t = 1; t <= s->timesteps; t++) {
        double a2 = s->alpha_bar[t], b2 = s->variance[t], snr = a2 / b2, least = fmin(snr, 5);
        double share = b2 / pow(sqrt(a2) + sqrt(b2), 2);
        cr_assert_float_eq(diffusion_weight(s, DN_SAMPLE, 5, t), least, 1e-12);
        cr_assert_float_eq(diffusion_weight(s, DN_FLOW, 5, t), least * share, 1e-12);
        if (a2 > 0)
            cr_assert_float_eq(diffusion_weight(s, DN_EPSILON, 5, t), fmin(1, 5 / snr), 1e-9);
        if (fabs(a2 + b2 - 1) < 1e-12)
            cr_assert_float_eq(diffusion_weight(s, DN_V, 5, t), least / (snr + 1), 1e-9);
    }
}

Test(diffusion, min_snr_weights_are_the_papers) {
    for_all_schedules(40, check_weights);
}
