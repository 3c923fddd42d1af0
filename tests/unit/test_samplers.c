/* Every sampler against closed forms: where the data is Gaussian, the best estimate of x_0, the
 * distribution at each timestep and the probability-flow ODE are known exactly. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"
#include "engine/diffusion/plan.h"
#include "engine/sampling/walk.h"

/* N(mean, R diag(variance) R^T) in the plane, R a rotation. */
static const double mean[2] = {0.3, -0.7}, variance[2] = {1.2, 0.06}, rotation = 0.5;

/* To the axes of the distribution and back. */
static void turn(double angle, const double from[2], double to[2]) {
    to[0] = cos(angle) * from[0] + sin(angle) * from[1];
    to[1] = -sin(angle) * from[0] + cos(angle) * from[1];
}

struct ideal {
    const struct schedule *schedule;
    int asked; /* how often */
};

/* E[x_0 | x_t] = mean + s v / (s^2 v + n^2) (x_t - s mean), along each axis of the distribution. */
static void ideal_estimate(void *context, int t, size_t n, const float *x, float *x_0) {
    struct ideal *ideal = context;
    const double s = sqrt(ideal->schedule->alpha_bar[t]), noise2 = ideal->schedule->variance[t];
    cr_assert(t >= 1 && t <= ideal->schedule->timesteps);
    ideal->asked++;
    for (size_t i = 0; i < n; i++) {
        double d[2] = {(double)x[2 * i] - s * mean[0], (double)x[2 * i + 1] - s * mean[1]}, axes[2];
        turn(rotation, d, axes);
        for (int j = 0; j < 2; j++)
            axes[j] *= s * variance[j] / (s * s * variance[j] + noise2);
        turn(-rotation, axes, d);
        x_0[2 * i] = (float)(mean[0] + d[0]);
        x_0[2 * i + 1] = (float)(mean[1] + d[1]);
    }
}

/* A point of the distribution at timestep t that is z deviations from its mean, along its axes:
 * along the ODE, z stays. */
static void point_at(const struct schedule *schedule, int t, const float z[2], double out[2]) {
    const double s = sqrt(schedule->alpha_bar[t]), noise2 = schedule->variance[t];
    double axes[2];
    for (int j = 0; j < 2; j++)
        axes[j] = (double)z[j] * sqrt(s * s * variance[j] + noise2);
    turn(-rotation, axes, out);
    for (int j = 0; j < 2; j++)
        out[j] += s * mean[j];
}

static const struct dn_diffusion_spec processes[] = {
    {1000, DN_BETA_COSINE, 0, 0, DN_V, false, 0.002, 80},
    {1000, DN_BETA_COSINE, 0, 0, DN_V, true, 0.002, 80},
    {1000, DN_BETA_LINEAR, 1e-4, 0.02, DN_V, false, 0.002, 80},
    {1000, DN_BETA_LINEAR, 1e-4, 0.02, DN_V, true, 0.002, 80},
    {1000, DN_BETA_LINEAR, 8e-6, 9e-5, DN_V, false, 0.002,
     80}, /* the blog's, which does not reach noise */
    {1000, DN_BETA_QUADRATIC, 1e-4, 0.02, DN_V, false, 0.002, 80},
    {1000, DN_BETA_SIGMOID, 0, 0, DN_V, false, 0.002, 80},
    {1000, DN_BETA_LOG_LINEAR, 0, 0, DN_V, false, 0.002, 80},
    {1000, DN_BETA_FLOW, 0, 0, DN_V, false, 0.002, 80},
};
enum { PROCESSES = sizeof processes / sizeof *processes };

/* n points by a sampler with the ideal denoiser, from z [n][2] deviations of the distribution at T.
 * Returns evaluations. */
static int solve(const struct schedule *schedule, enum dn_sampler sampler, int steps, double eta,
                 const float *z, size_t n, float *x) {
    struct plan plan;
    struct ideal ideal = {.schedule = schedule};
    const struct denoiser denoiser = {ideal_estimate, &ideal};
    float *memory = calloc(3 * 2 * n, sizeof *memory);
    struct walk walk = {.kernels = kernels_get(),
                        .seed = 99,
                        .n = n,
                        .dim = 2,
                        .x = x,
                        .x_0 = memory,
                        .other = memory + 2 * n,
                        .z = memory + 4 * n};
    cr_assert_eq(plan_init(&plan, schedule, NULL, sampler, steps, eta, NULL), DN_OK);
    for (size_t i = 0; i < n; i++) {
        double start[2];
        point_at(schedule, schedule->timesteps, z + 2 * i, start);
        x[2 * i] = (float)start[0];
        x[2 * i + 1] = (float)start[1];
    }
    for (int k = 0; k < plan.steps; k++)
        walk_step(&walk, &plan.step[k], &denoiser);
    cr_assert_arr_eq(walk.x, walk.x_0, 2 * n * sizeof *x, "it ends at its last estimate");
    cr_assert_eq(ideal.asked, plan_evaluations(sampler, steps));
    plan_clear(&plan);
    free(memory);
    return ideal.asked;
}

/* Largest distance of n points from where the exact flow takes them. */
static double flow_error(const struct schedule *schedule, enum dn_sampler sampler, int steps) {
    enum { N = 200 };
    static float z[2 * N], x[2 * N];
    double worst = 0;
    random_normals(kernels_get(), 3, RANDOM_START, 0, 0, 2 * N, z);
    solve(schedule, sampler, steps, 0, z, N, x);
    for (int i = 0; i < N; i++) {
        double exact[2];
        point_at(schedule, 0, z + 2 * i, exact);
        worst = fmax(worst, hypot((double)x[2 * i] - exact[0], (double)x[2 * i + 1] - exact[1]));
    }
    return worst;
}

/* ------------------------------------------------------------------ timesteps */

Test(plan, visits_as_many_timesteps_as_asked_with_both_ends) {
    for (int p = 0; p < PROCESSES; p++)
        for (int T = 1; T <= 400; T += 1 + T / 3) {
            struct dn_diffusion_spec spec = processes[p];
            struct schedule schedule;
            int timesteps[401];
            spec.timesteps = T;
            spec.beta_end = fmin(spec.beta_end, 0.9 * T / 1000);
            spec.beta_start = fmin(spec.beta_start, spec.beta_end);
            if (spec.zero_terminal_snr && T == 1)
                continue;
            cr_assert_eq(schedule_init(&schedule, &spec, NULL), DN_OK);
            for (int steps = 1; steps <= T; steps++) {
                plan_timesteps(&schedule, steps, timesteps);
                cr_assert(timesteps[0] == T && timesteps[steps] == 0);
                for (int k = 0; k < steps; k++)
                    cr_assert_gt(timesteps[k], timesteps[k + 1], "process %d, %d of %d", p, steps,
                                 T);
            }
            schedule_clear(&schedule);
        }
}

/* ------------------------------------------------------------------ the exact flow */

Test(samplers, without_noise_follow_the_exact_flow) {
    static const double tolerance[] = {
        [DN_DDIM] = 0.022, [DN_EULER] = 0.022, [DN_DPMPP_2M] = 0.002, [DN_HEUN] = 0.0022};
    static const enum dn_sampler samplers[] = {DN_DDIM, DN_EULER, DN_DPMPP_2M, DN_HEUN};
    for (int p = 0; p < PROCESSES; p++) {
        struct schedule schedule;
        cr_assert_eq(schedule_init(&schedule, &processes[p], NULL), DN_OK);
        for (int i = 0; i < 4; i++) {
            double error = flow_error(&schedule, samplers[i], 250);
            cr_expect_leq(error, tolerance[samplers[i]], "process %d, %s: %g", p,
                          dn_sampler_names[samplers[i]], error);
        }
        schedule_clear(&schedule);
    }
}

/* How fast the error falls with the steps: slope of its logarithm. */
Test(samplers, converge_with_their_order) {
    static const struct {
        enum dn_sampler sampler;
        double least, most;
    } orders[] = {
        {DN_DDIM, 0.9, 1.1}, {DN_EULER, 0.9, 1.1}, {DN_DPMPP_2M, 1.7, 2.5}, {DN_HEUN, 1.8, 2.4}};
    for (int p = 0; p < PROCESSES; p++) {
        struct dn_diffusion_spec spec = processes[p];
        struct schedule schedule;
        spec.timesteps = DN_MAX_TIMESTEPS; /* so that rounding to timesteps does not count */
        cr_assert_eq(schedule_init(&schedule, &spec, NULL), DN_OK);
        for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
            double few = flow_error(&schedule, orders[i].sampler, 10);
            double many = flow_error(&schedule, orders[i].sampler, 40);
            double order = log(few / many) / log(4);
            cr_expect(order >= orders[i].least && order <= orders[i].most,
                      "process %d, %s: %g to %g is order %g", p,
                      dn_sampler_names[orders[i].sampler], few, many, order);
        }
        schedule_clear(&schedule);
    }
}

/* ------------------------------------------------------------------ the distribution */

/* Mean and variances along the axes of the distribution. */
static void moments(const float *x, size_t n, double m[2], double v[2], double *covariance) {
    double sum[2] = {0, 0}, square[2] = {0, 0}, product = 0;
    for (size_t i = 0; i < n; i++) {
        const double d[2] = {(double)x[2 * i] - mean[0], (double)x[2 * i + 1] - mean[1]};
        double axes[2];
        turn(rotation, d, axes);
        for (int j = 0; j < 2; j++) {
            sum[j] += axes[j];
            square[j] += axes[j] * axes[j];
        }
        product += axes[0] * axes[1];
    }
    for (int j = 0; j < 2; j++) {
        m[j] = sum[j] / (double)n;
        v[j] = square[j] / (double)n - m[j] * m[j];
    }
    *covariance = product / (double)n - m[0] * m[1];
}

/* Within 5 deviations of what chance does to n points; and 2 % for what is left of the steps. */
Test(samplers, reproduce_mean_and_covariance) {
    enum { N = 20000 };
    static float z[2 * N], x[2 * N];
    static const struct {
        enum dn_sampler sampler;
        double eta;
    } ways[] = {{DN_DDPM, 0},     {DN_DDIM, 0}, {DN_DDIM, 0.5},      {DN_DDIM, 1},
                {DN_DPMPP_2M, 0}, {DN_HEUN, 0}, {DN_DPMPP_2M_SDE, 0}};
    random_normals(kernels_get(), 8, RANDOM_START, 0, 0, 2 * N, z);
    for (int p = 0; p < PROCESSES; p++)
        for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
            struct dn_diffusion_spec spec = processes[p];
            struct schedule schedule;
            double m[2], v[2], covariance;
            spec.timesteps = 500;
            cr_assert_eq(schedule_init(&schedule, &spec, NULL), DN_OK);
            solve(&schedule, ways[i].sampler, 400, ways[i].eta, z, N, x);
            moments(x, N, m, v, &covariance);
            const char *name = dn_sampler_names[ways[i].sampler];
            for (int j = 0; j < 2; j++) {
                cr_expect_leq(fabs(m[j]), 5 * sqrt(variance[j] / N) + 0.001,
                              "process %d, %s: mean %g off", p, name, m[j]);
                cr_expect_leq(fabs(v[j] / variance[j] - 1), 5 * sqrt(2.0 / N) + 0.02,
                              "process %d, %s: variance %g, not %g", p, name, v[j], variance[j]);
            }
            cr_expect_leq(fabs(covariance), 5 * sqrt(variance[0] * variance[1] / N),
                          "process %d, %s: covariance %g", p, name, covariance);
            schedule_clear(&schedule);
        }
}

/* The variance that a sampler gives data of variance v, exactly: with the ideal estimate D = s v x /
 * (s^2 v + n^2), the state and the estimate of the step before are a linear map of the last two and
 * fresh noise. */
static double final_variance(const struct plan *plan, const struct schedule *schedule, double v) {
    double xx = schedule->alpha_bar[plan->step[0].t] * v + schedule->variance[plan->step[0].t];
    double xd = 0, dd = 0;
    for (int k = 0; k < plan->steps; k++) {
        const struct plan_step *step = &plan->step[k];
        const double s = sqrt(schedule->alpha_bar[step->t]), n2 = schedule->variance[step->t];
        const double of_x = s * v / (s * s * v + n2);
        const double scale = step->growth ? 1 + (double)step->growth[0] : 1;
        const double a = scale * ((double)step->from_xt + (double)step->from_x0 * of_x);
        const double b = scale * (double)step->from_other, z = (double)step->deviation;
        const double after = a * a * xx + 2 * a * b * xd + b * b * dd + z * z;
        const double with_estimate = of_x * (a * xx + b * xd);
        dd = of_x * of_x * xx;
        xd = with_estimate;
        xx = after;
    }
    return xx;
}

/* What ddpm leaves out of the variance falls like the length of its steps; with the estimates of two
 * steps, it falls like the square. */
Test(samplers, with_noise_converge_with_their_order) {
    static const struct {
        enum dn_sampler sampler;
        double least, most;
    } orders[] = {{DN_DDPM, 0.8, 1.2}, {DN_DPMPP_2M_SDE, 1.6, 2.6}};
    for (int p = 0; p < PROCESSES; p++) {
        struct dn_diffusion_spec spec = processes[p];
        struct schedule schedule;
        spec.timesteps = DN_MAX_TIMESTEPS;
        cr_assert_eq(schedule_init(&schedule, &spec, NULL), DN_OK);
        for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
            double error[2];
            for (int many = 0; many < 2; many++) {
                struct plan plan;
                cr_assert_eq(
                    plan_init(&plan, &schedule, NULL, orders[i].sampler, many ? 80 : 20, 0, NULL),
                    DN_OK);
                error[many] = fabs(final_variance(&plan, &schedule, 0.25) / 0.25 - 1);
                plan_clear(&plan);
            }
            const double order = log(error[0] / error[1]) / log(4);
            cr_expect(order >= orders[i].least && order <= orders[i].most,
                      "process %d, %s: %g to %g is order %g", p,
                      dn_sampler_names[orders[i].sampler], error[0], error[1], order);
        }
        schedule_clear(&schedule);
    }
}

/* With the moments of the data, its variance is exact in any number of steps. */
Test(samplers, with_noise_and_memory_restore_the_variance) {
    static const double variances[] = {0.02, 0.25, 0.4};
    static struct moments moments = {.dim = 1, .axes = {1}};
    for (int i = 0; i < PROCESSES * 3; i++) {
        struct dn_diffusion_spec spec = processes[i / 3];
        const double v = variances[i % 3];
        struct schedule schedule;
        spec.timesteps = 100;
        moments.nodes = moments_nodes(&spec);
        moments.variance[0] = (float)v;
        for (int node = 0; node < moments.nodes; node++)
            moments.open[node] = 1;
        cr_assert_eq(schedule_init(&schedule, &spec, NULL), DN_OK);
        for (int steps = 20; moments.nodes > 0 && steps <= 100; steps += 10) {
            struct plan plan;
            cr_assert_eq(plan_init(&plan, &schedule, &moments, DN_DPMPP_2M_SDE, steps, 0, NULL),
                         DN_OK);
            const double found = final_variance(&plan, &schedule, v);
            cr_expect_float_eq(found / v, 1, 0.003, "process %d, %d steps: %g of %g", i / 3, steps,
                               found, v);
            plan_clear(&plan);
        }
        schedule_clear(&schedule);
    }
}

/* The posterior for steps over several timesteps is that of DDPM's own steps, one after the other:
 * with x_0 given, q(x_u | x_t, x_0) must be what the chain of single steps makes of it. */
Test(plan, a_long_step_is_the_chain_of_its_single_steps) {
    for (int p = 0; p < PROCESSES; p++) {
        struct schedule schedule;
        struct plan few, all;
        cr_assert_eq(schedule_init(&schedule, &processes[p], NULL), DN_OK);
        cr_assert_eq(plan_init(&few, &schedule, NULL, DN_DDPM, 12, 0, NULL), DN_OK);
        cr_assert_eq(plan_init(&all, &schedule, NULL, DN_DDPM, schedule.timesteps, 0, NULL), DN_OK);
        for (int k = 0; k < few.steps; k++) {
            double from_x0 = 0, from_xt = 1, spread = 0;
            for (int t = few.step[k].t; t > few.step[k].u; t--) {
                const struct plan_step *step = &all.step[schedule.timesteps - t];
                cr_assert_eq(step->t, t);
                const double keep = (double)step->from_xt, deviation = (double)step->deviation;
                from_x0 = keep * from_x0 + (double)step->from_x0;
                from_xt *= keep;
                spread = keep * keep * spread + deviation * deviation;
            }
            cr_expect_float_eq((double)few.step[k].from_x0, from_x0, 3e-5);
            cr_expect_float_eq((double)few.step[k].from_xt, from_xt, 3e-5);
            cr_expect_float_eq((double)few.step[k].deviation, sqrt(spread), 3e-5);
        }
        plan_clear(&few);
        plan_clear(&all);
        schedule_clear(&schedule);
    }
}

/* With all timesteps, DDPM's steps are the posterior q(x_{t-1} | x_t, x_0), by Bayes' rule for
 * Gaussians: precision and precision-weighted mean of N(x_t; r x, v) N(x; s_{t-1} x_0, n_{t-1}^2),
 * where r and v are what turns the law of x_{t-1} into that of x_t. */
Test(plan, single_steps_are_the_posterior) {
    for (int p = 0; p < PROCESSES; p++) {
        struct schedule s;
        struct plan plan, ddim;
        cr_assert_eq(schedule_init(&s, &processes[p], NULL), DN_OK);
        const int T = s.timesteps;
        cr_assert_eq(plan_init(&plan, &s, NULL, DN_DDPM, T, 0, NULL), DN_OK);
        cr_assert_eq(plan_init(&ddim, &s, NULL, DN_DDIM, T, 1, NULL), DN_OK);
        cr_assert_arr_eq(plan.step, ddim.step, (size_t)T * sizeof *plan.step, "eta = 1 is DDPM");
        for (int k = 0; k < T; k++) {
            const struct plan_step *step = &plan.step[k];
            const int t = T - k;
            cr_assert(step->t == t && step->u == t - 1 && !step->corrects);
            if (t == 1) {
                cr_assert(step->from_x0 == 1 && step->from_xt == 0 && step->deviation == 0);
                continue;
            }
            const double r = sqrt(s.alpha_bar[t] / s.alpha_bar[t - 1]);
            const double v = s.variance[t] - r * r * s.variance[t - 1];
            const double precision = r * r / v + 1 / s.variance[t - 1], width = sqrt(1 / precision);
            const double from_x0 = sqrt(s.alpha_bar[t - 1]) / s.variance[t - 1] / precision;
            cr_assert_float_eq((double)step->deviation, width, 1e-6 * width);
            cr_assert_float_eq((double)step->from_xt, r / v / precision, 1e-6);
            cr_assert_float_eq((double)step->from_x0, from_x0, 1e-6);
        }
        plan_clear(&plan);
        plan_clear(&ddim);
        schedule_clear(&s);
    }
}

static void tell(void *context, int t, size_t n, const float *x, float *x_0) {
    (void)t, (void)x;
    memcpy(x_0, context, n * sizeof *x_0);
}

/* With x_0 ~ N(0, 1) the marginal at every t is N(0, 1), if the variance is preserved, and a step
 * back with x_0 known must keep the joint law: here variance and covariance. */
Test(samplers, a_step_with_noise_keeps_the_marginal) {
    enum { N = 50000, K = 3 };
    static float x_0[N], x[N], memory[3 * N], z[N];
    struct schedule s;
    struct plan plan;
    const struct denoiser oracle = {tell, x_0};
    cr_assert_eq(schedule_init(&s, &processes[2], NULL), DN_OK);
    cr_assert_eq(plan_init(&plan, &s, NULL, DN_DDPM, 8, 0, NULL), DN_OK);
    const struct plan_step *step = &plan.step[K];
    random_normals(kernels_get(), 4, RANDOM_NOISE, 0, 0, N, x_0);
    random_normals(kernels_get(), 4, RANDOM_NOISE, 1, 0, N, z);
    for (int i = 0; i < N; i++)
        x[i] = s.signal[step->t] * x_0[i] + s.noise[step->t] * z[i];
    struct walk walk = {.kernels = kernels_get(),
                        .n = N,
                        .dim = 1,
                        .x = x,
                        .x_0 = memory,
                        .other = memory + N,
                        .z = memory + 2 * (size_t)N};
    walk_step(&walk, step, &oracle);
    double covariance = 0, squares = 0;
    for (int i = 0; i < N; i++) {
        covariance += (double)x[i] * (double)x_0[i] / N;
        squares += (double)x[i] * (double)x[i] / N;
    }
    cr_assert_float_eq(squares, 1, 5 * sqrt(2.0 / N));
    cr_assert_float_eq(covariance, sqrt(s.alpha_bar[step->u]), 5 * sqrt(2.0 / N));
    plan_clear(&plan);
    schedule_clear(&s);
}
