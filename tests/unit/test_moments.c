/* What estimates leave out, and whether samplers restore it. With Gaussian data the ideal denoiser
 * is known, and every sampler is an affine map of its noise: its mean and covariance are computed
 * here without drawing a single number, so that an error is one of the steps. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"
#include "engine/model/train.h"
#include "engine/sampling/guide.h"
#include "engine/sampling/walk.h"
#include "tests/unit/sanitized.h"

enum { MAX = 16 };

/* ------------------------------------------------------------------ Gaussian data */

/* N(mean, C) with C(i,j) = d_i d_j r^|i-j|, in model units. */
struct gaussian {
    int dim;
    double mean[MAX], covariance[MAX * MAX];
};

static struct gaussian gaussian_of(int dim, double widest, double narrowest, double r) {
    struct gaussian data = {.dim = dim};
    double d[MAX];
    for (int i = 0; i < dim; i++) {
        data.mean[i] = i % 2 ? 0.1 : -0.2;
        d[i] = dim == 1 ? widest : widest + (narrowest - widest) * i / (dim - 1);
    }
    for (int i = 0; i < dim; i++)
        for (int j = 0; j < dim; j++)
            data.covariance[i * dim + j] = d[i] * d[j] * pow(r, abs(i - j));
    return data;
}

/* 2 dim points whose mean and covariance are exactly these: mean +- sqrt(dim) times a column of the
 * Cholesky factor. */
static void points_of(const struct gaussian *data, float *points) {
    const int dim = data->dim;
    double factor[MAX * MAX] = {0};
    for (int i = 0; i < dim; i++)
        for (int j = 0; j <= i; j++) {
            double sum = data->covariance[i * dim + j];
            for (int k = 0; k < j; k++)
                sum -= factor[i * dim + k] * factor[j * dim + k];
            factor[i * dim + j] = i == j ? sqrt(sum) : sum / factor[j * dim + j];
        }
    for (int k = 0; k < 2 * dim; k++)
        for (int i = 0; i < dim; i++)
            points[k * dim + i] =
                (float)(data->mean[i] + (k % 2 ? -1 : 1) * sqrt(dim) * factor[i * dim + k / 2]);
}

static struct moments moments_of(const struct gaussian *data, int nodes) {
    struct moments moments;
    float points[2 * MAX * MAX];
    points_of(data, points);
    moments_fit(&moments, nodes, points, 2 * (size_t)data->dim, data->dim);
    for (int i = 0; i < nodes * data->dim; i++)
        moments.open[i] = 1;
    return moments;
}

Test(moments, are_the_mean_the_axes_and_the_variances) {
    static const int dims[] = {1, 2, 3, 16};
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
        const struct gaussian data = gaussian_of(dims[i], 2, 0.05, 0.7);
        const struct moments moments = moments_of(&data, 1);
        const int dim = data.dim;
        cr_assert_eq(moments_check(&moments, NULL), DN_OK);
        for (int j = 0; j < dim; j++) {
            cr_assert_float_eq((double)moments.mean[j], data.mean[j], 1e-6);
            if (j > 0)
                cr_assert_leq(moments.variance[j], moments.variance[j - 1]);
            for (int k = 0; k < dim; k++) { /* C = Q^T diag(v) Q */
                double sum = 0;
                for (int a = 0; a < dim; a++)
                    sum += (double)moments.axes[a * dim + j] * (double)moments.variance[a] *
                           (double)moments.axes[a * dim + k];
                cr_assert_float_eq(sum, data.covariance[j * dim + k], 1e-5);
            }
        }
    }
}

Test(moments, of_points_that_do_not_spread_or_far_too_much) {
    struct moments moments;
    const float far[] = {1e30f, 0, -1e30f, 1e-30f};
    moments_fit(&moments, 1, far, 2, 2);
    cr_assert_eq(moments_check(&moments, NULL), DN_OK);
    const float same[] = {3, -1, 3, -1, 3, -1}, line[] = {0, 0, 1, 1, 2, 2};
    moments_fit(&moments, 1, same, 3, 2);
    cr_assert_eq(moments_check(&moments, NULL), DN_OK);
    cr_assert(moments.variance[0] == 0 && moments.variance[1] == 0);
    moments_fit(&moments, 1, line, 3, 2);
    cr_assert_eq(moments_check(&moments, NULL), DN_OK);
    cr_assert_float_eq((double)moments.variance[0], 4.0 / 3, 1e-6);
    cr_assert_float_eq((double)moments.variance[1], 0, 1e-6);
    cr_assert_float_eq((double)moments.axes[0], sqrt(0.5), 1e-6);
    cr_assert_float_eq((double)moments.axes[1], sqrt(0.5), 1e-6);
}

Test(moments, nodes_go_from_the_first_timestep_to_the_last) {
    for (int T = 1; T <= 4000; T += 1 + T / 7) {
        struct dn_diffusion_spec spec = {T, DN_BETA_COSINE, 0, 0, DN_V, false, 0.002, 80};
        struct moments moments = {.dim = 1, .nodes = moments_nodes(&spec)};
        cr_assert_eq(moments.nodes, T < 32 ? T : 32);
        cr_assert_eq(moments_timestep(moments.nodes, T, moments.nodes - 1), T);
        for (int i = 0; i < moments.nodes; i++) {
            const int t = moments_timestep(moments.nodes, T, i);
            cr_assert_gt(t, i > 0 ? moments_timestep(moments.nodes, T, i - 1) : 0);
            moments.open[i] = (float)(t * t); /* at a node: its own; between: of the chord */
            cr_assert_eq(moments_open(&moments, T, t, 0), t * t);
        }
        for (int i = 0; i + 1 < moments.nodes; i++) {
            const int a = moments_timestep(moments.nodes, T, i);
            const int b = moments_timestep(moments.nodes, T, i + 1);
            for (int t = a; t < b; t += 1 + (b - a) / 5)
                cr_assert_float_eq(moments_open(&moments, T, t, 0), a * a + (t - a) * (b + a),
                                   1e-6 * b * b);
        }
    }
}

Test(moments, only_of_a_process_that_reaches_noise) {
    cr_assert_eq(moments_nodes(&dn_presets[0].spec.diffusion), 32);
    cr_assert_str_eq(dn_preset_names[1], "sinai2022");
    cr_assert_eq(moments_nodes(&dn_presets[1].spec.diffusion), 0);
}

/* ------------------------------------------------------------------ the ideal denoiser */

struct ideal {
    const struct schedule *schedule;
    const struct moments *moments; /* of the data */
};

/* E[x_0 | x_t] = m + Q^T diag(s v / (s^2 v + n^2)) Q (x_t - s m) */
static void ideal_estimate(void *context, int t, size_t n, const float *x, float *x_0) {
    const struct ideal *ideal = context;
    const struct moments *moments = ideal->moments;
    const double s = sqrt(ideal->schedule->alpha_bar[t]), noise2 = ideal->schedule->variance[t];
    const size_t dim = (size_t)moments->dim;
    for (size_t i = 0; i < n; i++) {
        double estimate[MAX];
        for (size_t j = 0; j < dim; j++)
            estimate[j] = (double)moments->mean[j];
        for (size_t k = 0; k < dim; k++) {
            const float *axis = moments->axes + k * dim;
            const double v = (double)moments->variance[k];
            double along = 0;
            for (size_t j = 0; j < dim; j++)
                along += (double)axis[j] * ((double)x[i * dim + j] - s * (double)moments->mean[j]);
            for (size_t j = 0; j < dim; j++)
                estimate[j] += (double)axis[j] * s * v / (s * s * v + noise2) * along;
        }
        for (size_t j = 0; j < dim; j++)
            x_0[i * dim + j] = (float)estimate[j];
    }
}

/* A distribution that goes the way of the points. */
struct law {
    size_t dim;
    double mean[MAX], covariance[MAX * MAX];
};

/* The law after x -> B x + c, where c is where 0 goes and B says where the unit vectors go: ends
 * [dim + 1][dim]; and after noise of this deviation. */
static void law_move(struct law *law, const float *ends, double deviation) {
    const size_t dim = law->dim;
    double b[MAX * MAX], half[MAX * MAX] = {0}, mean[MAX] = {0};
    for (size_t i = 0; i < dim; i++) {
        mean[i] = (double)ends[i];
        for (size_t j = 0; j < dim; j++) {
            b[i * dim + j] = (double)ends[(j + 1) * dim + i] - (double)ends[i];
            mean[i] += b[i * dim + j] * law->mean[j];
        }
    }
    memcpy(law->mean, mean, sizeof mean);
    for (size_t i = 0; i < dim; i++)
        for (size_t j = 0; j < dim; j++)
            for (size_t k = 0; k < dim; k++)
                half[i * dim + j] += b[i * dim + k] * law->covariance[k * dim + j];
    for (size_t i = 0; i < dim; i++)
        for (size_t j = 0; j < dim; j++) {
            double sum = i == j ? deviation * deviation : 0;
            for (size_t k = 0; k < dim; k++)
                sum += half[i * dim + k] * b[j * dim + k];
            law->covariance[i * dim + j] = sum;
        }
}

static void basis(size_t dim, float *x) {
    memset(x, 0, (dim + 1) * dim * sizeof *x);
    for (size_t i = 0; i < dim; i++)
        x[(i + 1) * dim + i] = 1;
}

/* The law of the points that a sampler makes of N(0, I), step by step; samplers that remember the
 * step before draw no noise, and are followed from end to end. */
static struct law follow(const struct schedule *schedule, const struct moments *data,
                         const struct moments *restored, enum dn_sampler sampler, int steps,
                         double eta) {
    const size_t dim = (size_t)data->dim, values = (MAX + 1) * MAX;
    struct ideal ideal = {schedule, data};
    const struct denoiser denoiser = {ideal_estimate, &ideal};
    struct law law = {.dim = dim};
    struct plan plan;
    struct restorer restorer;
    float *memory = floats_new(4 * values + restorer_floats(MAX, MAX + 1));
    struct walk walk = {.kernels = kernels_get(),
                        .n = dim + 1,
                        .dim = dim,
                        .x = memory,
                        .x_0 = memory + values,
                        .other = memory + 2 * values,
                        .z = memory + 3 * values,
                        .restorer = &restorer};
    for (size_t i = 0; i < dim; i++)
        law.covariance[i * dim + i] = 1;
    if (restored)
        restorer_init(&restorer, restored, kernels_get(), memory + 4 * values);
    cr_assert_eq(plan_init(&plan, schedule, restored, sampler, steps, eta, NULL), DN_OK);
    basis(dim, walk.x);
    for (int k = 0; k < steps; k++) {
        struct plan_step step = plan.step[k];
        step.deviation = 0;
        walk_step(&walk, &step, &denoiser);
        if (sampler != DN_DDPM && sampler != DN_DDIM && k + 1 < steps)
            continue;
        law_move(&law, walk.x, (double)plan.step[k].deviation);
        basis(dim, walk.x);
    }
    plan_clear(&plan);
    free(memory);
    return law;
}

/* The worst errors, in deviations of the data: of the mean of a coordinate; and of the covariance
 * between any two principal axes, which may be much narrower than all coordinates. */
static void compare(const struct law *law, const struct gaussian *gaussian,
                    const struct moments *data, double *of_mean, double *of_covariance) {
    const size_t dim = law->dim;
    *of_mean = *of_covariance = 0;
    for (size_t a = 0; a < dim; a++) {
        *of_mean = fmax(*of_mean, fabs(law->mean[a] - gaussian->mean[a]) /
                                      sqrt(gaussian->covariance[a * (dim + 1)]));
        const float *p = data->axes + a * dim;
        const double deviation = sqrt((double)data->variance[a]);
        for (size_t b = 0; b <= a; b++) {
            const float *q = data->axes + b * dim;
            double sum = a == b ? -(double)data->variance[a] : 0;
            for (size_t i = 0; i < dim; i++)
                for (size_t j = 0; j < dim; j++)
                    sum += (double)p[i] * law->covariance[i * dim + j] * (double)q[j];
            *of_covariance =
                fmax(*of_covariance, fabs(sum) / deviation / sqrt((double)data->variance[b]));
        }
    }
}

static const struct dn_diffusion_spec processes[] = {
    {0, DN_BETA_LINEAR, 1e-4, 0.02, DN_V, false, 0.002, 80},
    {0, DN_BETA_LINEAR, 1e-4, 0.02, DN_V, true, 0.002, 80},
    {0, DN_BETA_COSINE, 0, 0, DN_V, false, 0.002, 80},
    {0, DN_BETA_COSINE, 0, 0, DN_V, true, 0.002, 80},
    {0, DN_BETA_SIGMOID, 0, 0, DN_V, false, 0.002, 80},
    {0, DN_BETA_SIGMOID, 0, 0, DN_V, true, 0.002, 80},
    {0, DN_BETA_QUADRATIC, 1e-4, 0.02, DN_V, false, 0.002, 80},
    {0, DN_BETA_QUADRATIC, 1e-4, 0.02, DN_V, true, 0.002, 80},
    {0, DN_BETA_LOG_LINEAR, 0, 0, DN_V, false, 0.002, 80},
    {0, DN_BETA_FLOW, 0, 0, DN_V, false, 0.002, 80},
};
enum { PROCESSES = sizeof processes / sizeof *processes };

static const struct {
    enum dn_sampler sampler;
    double eta;
} ways[] = {{DN_DDPM, 0}, {DN_DDIM, 0},     {DN_DDIM, 0.3}, {DN_DDIM, 0.7},
            {DN_DDIM, 1}, {DN_DPMPP_2M, 0}, {DN_HEUN, 0},   {DN_EULER, 0}};
enum { WAYS = sizeof ways / sizeof *ways };

/* Standardized or not, independent or not: {dim, widest, narrowest deviation, correlation}. */
static const struct {
    int dim;
    double widest, narrowest, r;
} shapes[] = {{1, 0.5, 0.5, 0},     {1, 0.2, 0.2, 0},    {3, 0.5, 0.5, 0},   {3, 0.5, 0.5, 0.8},
              {3, 0.6, 0.15, -0.5}, {16, 0.5, 0.5, 0.5}, {16, 0.5, 0.2, 0.3}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

Test(moments, every_sampler_is_right_for_gaussian_data, .disabled = SANITIZED) {
    static const struct {
        int timesteps, steps;
    } lengths[] = {{100, 100}, {40, 40}, {400, 400}, {100, 50}, {100, 20}, {100, 10}, {100, 5}};
    for (int i = 0; i < PROCESSES * (int)(sizeof lengths / sizeof *lengths); i++) {
        struct dn_diffusion_spec spec = processes[i % PROCESSES];
        struct schedule schedule;
        const int steps = lengths[i / PROCESSES].steps;
        spec.timesteps = lengths[i / PROCESSES].timesteps;
        cr_assert_eq(schedule_init(&schedule, &spec, NULL), DN_OK);
        for (int w = 0; w < WAYS * SHAPES; w++) {
            const int shape = w / WAYS, way = w % WAYS;
            const struct gaussian data = gaussian_of(shapes[shape].dim, shapes[shape].widest,
                                                     shapes[shape].narrowest, shapes[shape].r);
            const struct moments moments = moments_of(&data, moments_nodes(&spec));
            double of_mean, of_covariance;
            /* Where an estimate knows nothing yet, it cannot be scaled to what it should know: the
             * few long steps of a sampler that forgets where it came from show it. */
            const bool forgets = ways[way].sampler == DN_DDPM || ways[way].eta == 1;
            const double limit = forgets && steps <= 10 ? steps == 10 ? 0.02 : 0.16 : 0.01;
            const struct law law =
                follow(&schedule, &moments, &moments, ways[way].sampler, steps, ways[way].eta);
            compare(&law, &data, &moments, &of_mean, &of_covariance);
            cr_expect(of_mean < 0.01 && of_covariance < limit,
                      "process %d, %d of %d steps, %s eta %g, shape %d: mean %.4f, covariance %.4f",
                      i % PROCESSES, steps, spec.timesteps, dn_sampler_names[ways[way].sampler],
                      ways[way].eta, shape, of_mean, of_covariance);
        }
        schedule_clear(&schedule);
    }
}

/* As it was measured: the deviations of standardized Gaussian data were 0.949 of the true ones with
 * ddpm in the 100 steps of the default preset, 0.974 with ddim. */
Test(moments, without_them_samplers_are_too_narrow) {
    struct schedule schedule;
    const struct gaussian data = gaussian_of(3, 0.5, 0.5, 0);
    const struct moments moments = moments_of(&data, 1);
    cr_assert_eq(schedule_init(&schedule, &dn_presets[0].spec.diffusion, NULL), DN_OK);
    const struct law ddpm = follow(&schedule, &moments, NULL, DN_DDPM, 100, 0);
    const struct law ddim = follow(&schedule, &moments, NULL, DN_DDIM, 100, 0);
    cr_assert_float_eq(sqrt(ddpm.covariance[0]) / 0.5, 0.949, 0.001);
    cr_assert_float_eq(sqrt(ddim.covariance[0]) / 0.5, 0.974, 0.001);
    schedule_clear(&schedule);
}

/* ------------------------------------------------------------------ data that is not Gaussian */

/* +-1 with deviation 0.3, in one dimension: the ideal estimate is the mean of the two Gaussians'
 * estimates, by their posterior weights. */
enum { CENTER = 1 };
static const double spread2 = 0.09;

static void mixture_estimate(void *context, int t, size_t n, const float *x, float *x_0) {
    const struct schedule *schedule = context;
    const double s = sqrt(schedule->alpha_bar[t]), noise2 = schedule->variance[t];
    const double variance = s * s * spread2 + noise2, slope = s * spread2 / variance;
    for (size_t i = 0; i < n; i++) {
        const double share = tanh(s * CENTER * (double)x[i] / variance);
        x_0[i] = (float)(CENTER * share + slope * ((double)x[i] - s * CENTER * share));
    }
}

/* E[Var(x_0 | x_t)] over the linear one, by the trapezoidal rule on the density of x_t. */
static double mixture_open(const struct schedule *schedule, int t) {
    enum { POINTS = 4000 };
    const double s = sqrt(schedule->alpha_bar[t]), noise2 = schedule->variance[t];
    const double variance = s * s * spread2 + noise2, deviation = sqrt(variance);
    const double v = CENTER + spread2, from = -s * CENTER - 8 * deviation,
                 step = -2 * from / POINTS;
    double squares = 0; /* E[D^2] */
    for (int i = 0; i <= POINTS; i++) {
        const float x = (float)(from + step * i);
        float estimate;
        double density = 0;
        for (int sign = -1; sign <= 1; sign += 2)
            density += 0.5 / sqrt(2 * M_PI * variance) *
                       exp(-pow((double)x - sign * s * CENTER, 2) / (2 * variance));
        mixture_estimate((void *)schedule, t, 1, &x, &estimate);
        squares += step * density * (double)estimate * (double)estimate;
    }
    return (v - squares) / (v * noise2 / (s * s * v + noise2));
}

static double mixture_variance(const struct schedule *schedule, const struct moments *moments,
                               enum dn_sampler sampler, int steps) {
    enum { N = 30000 };
    static float memory[4 * N];
    float *restoring = floats_new(restorer_floats(1, 1));
    struct plan plan;
    struct restorer restorer;
    const struct denoiser denoiser = {mixture_estimate, (void *)schedule};
    struct walk walk = {.kernels = kernels_get(),
                        .seed = 3,
                        .n = N,
                        .dim = 1,
                        .x = memory,
                        .x_0 = memory + N,
                        .other = memory + 2 * (size_t)N,
                        .z = memory + 3 * (size_t)N,
                        .restorer = &restorer};
    double sum = 0;
    if (moments)
        restorer_init(&restorer, moments, kernels_get(), restoring);
    cr_assert_eq(plan_init(&plan, schedule, moments, sampler, steps, 0, NULL), DN_OK);
    random_normals(kernels_get(), 2, RANDOM_START, 0, 0, N, walk.x);
    for (size_t i = 0; i < N; i++)
        sum += (double)walk.x[i] * (double)walk.x[i] / N;
    for (size_t i = 0; i < N; i++) /* less is left to chance */
        walk.x[i] /= (float)sqrt(sum);
    sum = 0;
    for (int k = 0; k < steps; k++)
        walk_step(&walk, &plan.step[k], &denoiser);
    for (size_t i = 0; i < N; i++)
        sum += (double)walk.x[i] * (double)walk.x[i] / N;
    plan_clear(&plan);
    free(restoring);
    return sum;
}

/* The variance is that of the data also where most of what a Gaussian would leave open is known.
 * Chance makes sqrt(Var(x^2) / N) = 0.004 of it. */
Test(moments, a_share_is_restored_of_a_mixture, .disabled = SANITIZED) {
    static const enum dn_sampler samplers[] = {DN_DDPM, DN_DDIM, DN_DPMPP_2M};
    const double v = CENTER + spread2;
    for (int p = 0; p < PROCESSES; p += 2) {
        struct dn_diffusion_spec spec = processes[p];
        struct schedule schedule;
        spec.timesteps = 100;
        cr_assert_eq(schedule_init(&schedule, &spec, NULL), DN_OK);
        struct moments moments = {
            .dim = 1, .nodes = moments_nodes(&spec), .variance = {(float)v}, .axes = {1}};
        for (int i = 0; i < moments.nodes; i++)
            moments.open[i] = (float)fmin(
                mixture_open(&schedule, moments_timestep(moments.nodes, spec.timesteps, i)), 1);
        for (size_t i = 0; i < sizeof samplers / sizeof *samplers; i++)
            for (int steps = 100; steps >= 25; steps /= 2) {
                const double with = mixture_variance(&schedule, &moments, samplers[i], steps);
                const double without = mixture_variance(&schedule, NULL, samplers[i], steps);
                cr_expect(fabs(with / v - 1) < (steps == 100 ? 0.01 : 0.02),
                          "process %d, %s, %d steps: %.4f, without %.4f", p,
                          dn_sampler_names[samplers[i]], steps, with / v, without / v);
                cr_expect(fabs(with / v - 1) < fmax(0.01, fabs(without / v - 1)));
            }
        schedule_clear(&schedule);
    }
}

/* ------------------------------------------------------------------ what a model leaves open */

static struct dn_trainer *trained(const struct dn_spec *spec, const struct dn_data *data) {
    struct dn_trainer *trainer;
    struct dn_epoch epoch;
    struct dn_error error;
    cr_assert_eq(dn_trainer_new(spec, data, &trainer, &error), DN_OK, "%s", error.text);
    for (int i = 0; i < spec->training.epochs; i++)
        cr_assert_eq(dn_trainer_epoch(trainer, NULL, &epoch, &error), DN_OK, "%s", error.text);
    return trainer;
}

/* A share, slowly, of many other points. */
static double open_of(const struct dn_trainer *trainer, struct dn_model *model, int t, int axis) {
    enum { N = 20000, DIM = 2 };
    static float x[N * DIM], eps[N * DIM], estimates[N * DIM], drawn[N * DIM];
    const struct dn_sample_request request = {.n = N, .clip = true};
    const double s = sqrt(model->schedule.alpha_bar[t]), noise2 = model->schedule.variance[t];
    const float *unit = model->moments.axes + (size_t)axis * DIM;
    const double v = (double)model->moments.variance[axis];
    double own = 0, by_line = 0;
    struct plan plan;
    struct guide guide;
    random_normals(kernels_get(), 12, RANDOM_NOISE, 0, 0, N * DIM, eps);
    for (size_t i = 0; i < N * DIM; i++) {
        drawn[i] = trainer->points[i % (trainer->n * DIM)];
        x[i] = (float)(s * (double)drawn[i] + sqrt(noise2) * (double)eps[i]);
    }
    cr_assert_eq(plan_init(&plan, &model->schedule, NULL, DN_DDPM, 100, 0, NULL), DN_OK);
    cr_assert_eq(guide_init(&guide, model, &request, &plan, N, NULL, NULL), DN_OK);
    guide_begin(&guide, 0, N);
    guide_estimate(&guide, t, N, x, estimates);
    for (size_t i = 0; i < N; i++) {
        double missed = 0, from_mean = 0, noised = 0;
        for (size_t j = 0; j < DIM; j++) {
            const double u = (double)unit[j], m = (double)model->moments.mean[j];
            missed += u * ((double)drawn[i * DIM + j] - (double)estimates[i * DIM + j]);
            from_mean += u * ((double)drawn[i * DIM + j] - m);
            noised += u * ((double)x[i * DIM + j] - s * m);
        }
        const double off = from_mean - s * v / (s * s * v + noise2) * noised;
        own += missed * missed;
        by_line += off * off;
    }
    guide_clear(&guide);
    plan_clear(&plan);
    return fmin(own / by_line, 1);
}

Test(moments, what_a_model_leaves_open_is_measured, .timeout = 300) {
    struct dn_spec spec = dn_presets[0].spec;
    spec.dataset.sources[0] = (struct dn_source){DN_EIGHT_GAUSSIANS, 2000, 0};
    spec.network.hidden_layers = 3;
    spec.training.epochs = 200;
    spec.training.ema_decay = 0;
    struct dn_trainer *trainer = trained(&spec, NULL);
    struct dn_model *model;
    cr_assert_eq(dn_trainer_model(trainer, &model, NULL), DN_OK);
    double off = 0, least = 1;
    for (int i = 0; i < model->moments.nodes; i++)
        for (int axis = 0; axis < 2; axis++) {
            const int t = moments_timestep(model->moments.nodes, 100, i);
            const double right = open_of(trainer, model, t, axis);
            const double found = (double)model->moments.open[2 * i + axis];
            cr_expect_float_eq(found, right, 0.4, "node %d, axis %d: %g, not %g", i, axis, found,
                               right);
            off += (found - right) / (2 * model->moments.nodes);
            least = fmin(least, right);
        }
    cr_expect_leq(fabs(off), 0.05, "%g", off);
    cr_expect_lt(least, 0.8);
    dn_model_free(model);
    dn_trainer_free(trainer);
}

/* ------------------------------------------------------------------ the whole */

/* What is left is what training and chance do: a deviation of N samples is off by 1 / sqrt(2 N), and
 * so is one of N rows. */
Test(moments, a_trained_model_draws_gaussian_data_as_wide_as_it_is, .disabled = SANITIZED,
     .timeout = 600) {
    enum { N = 20000, DIM = 3 };
    static const double deviations[DIM] = {1, 0.05, 30};
    static float rows[N * DIM], samples[N * DIM];
    struct dn_spec spec = dn_presets[0].spec;
    spec.dataset =
        (struct dn_dataset_spec){.source_count = 1, .dim = DIM, .sources = {{DN_UPLOADED, N, 0}}};
    spec.training.validation_fraction = 0;
    spec.training.epochs = 60;
    spec.network.hidden_layers = 3;
    random_normals(kernels_get(), 5, RANDOM_DATA, 0, 0, N * DIM, rows);
    for (size_t i = 0; i < N * DIM; i++)
        rows[i] = (float)(deviations[i % DIM] * (double)rows[i] + (double)(i % DIM));
    const struct dn_data data = {.dim = DIM, .n = N, .points = rows};
    struct dn_trainer *trainer = trained(&spec, &data);
    struct dn_model *model;
    cr_assert_eq(dn_trainer_model(trainer, &model, NULL), DN_OK);
    for (size_t w = 0; w < WAYS; w++) {
        const struct dn_sample_request request = {
            .n = N, .seed = 1, .sampler = ways[w].sampler, .eta = ways[w].eta, .clip = true};
        cr_assert_eq(
            dn_sample(model, &request, &(struct dn_sample_result){.points = samples}, NULL, NULL),
            DN_OK);
        double mean[DIM] = {0}, square[DIM] = {0}, average = 0;
        for (size_t i = 0; i < N * DIM; i++) {
            const double off = ((double)samples[i] - (double)(i % DIM)) / deviations[i % DIM];
            mean[i % DIM] += off / N;
            square[i % DIM] += off * off / N;
        }
        for (int j = 0; j < DIM; j++) {
            const double deviation = sqrt(square[j] - mean[j] * mean[j]);
            cr_expect_leq(fabs(deviation - 1), 0.025, "%s eta %g, axis %d: %.4f",
                          dn_sampler_names[ways[w].sampler], ways[w].eta, j, deviation);
            cr_expect_leq(fabs(mean[j]), 0.03);
            average += deviation / DIM;
        }
        cr_expect_leq(fabs(average - 1), 0.015, "%s eta %g: %.4f",
                      dn_sampler_names[ways[w].sampler], ways[w].eta, average);
    }
    dn_model_free(model);
    dn_trainer_free(trainer);
}

/* The moments are those of all points together. */
Test(moments, say_nothing_of_one_class) {
    enum { N = 40 };
    struct dn_spec spec = dn_presets[0].spec;
    spec.dataset = (struct dn_dataset_spec){.source_count = 2,
                                            .dim = 2,
                                            .classes = 2,
                                            .sources = {{DN_MOONS, 200, 0}, {DN_HEART, 200, 0}}};
    spec.training.epochs = 2;
    struct dn_trainer *trainer = trained(&spec, NULL);
    struct dn_model *model;
    cr_assert_eq(dn_trainer_model(trainer, &model, NULL), DN_OK);
    cr_assert_eq(model->moments.nodes, 32);
    for (int guidance = 0; guidance <= 2; guidance++) {
        float with[2 * N], without[2 * N];
        struct moments *moments = &model->moments;
        const struct dn_sample_request request = {.n = N, .guidance = guidance, .label = 1};
        const struct dn_sample_result first = {.points = with}, second = {.points = without};
        cr_assert_eq(dn_sample(model, &request, &first, NULL, NULL), DN_OK);
        moments->nodes = 0;
        cr_assert_eq(dn_sample(model, &request, &second, NULL, NULL), DN_OK);
        moments->nodes = 32;
        cr_expect_eq(memcmp(with, without, sizeof with) == 0, guidance > 0, "%d", guidance);
    }
    dn_model_free(model);
    dn_trainer_free(trainer);
}
