/* Log-densities: the ODE with ideal denoisers, for which the density is known; and trained models,
 * whose densities must integrate to 1. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"
#include "engine/model/model.h"
#include "engine/sampling/score.h"
#include "engine/table/normal.h"
#include "tests/unit/sanitized.h"

enum { MAX = 16, POINTS = 50 };

static const struct dn_diffusion_spec processes[] = {
    {.timesteps = 1000, .beta_schedule = DN_BETA_COSINE},
    {.timesteps = 1000, .beta_schedule = DN_BETA_COSINE, .zero_terminal_snr = true},
    {.timesteps = 1000, .beta_schedule = DN_BETA_LINEAR, .beta_start = 1e-4, .beta_end = 0.02},
    {.timesteps = 1000, .beta_schedule = DN_BETA_QUADRATIC, .beta_start = 1e-4, .beta_end = 0.02},
    {.timesteps = 1000, .beta_schedule = DN_BETA_SIGMOID},
    {.timesteps = 1000, .beta_schedule = DN_BETA_LOG_LINEAR, .ratio_min = 0.002, .ratio_max = 80},
    {.timesteps = 100, .beta_schedule = DN_BETA_LOG_LINEAR, .ratio_min = 0.002, .ratio_max = 80},
    {.timesteps = 1000, .beta_schedule = DN_BETA_LOG_LINEAR, .ratio_min = 0.01, .ratio_max = 10},
    {.timesteps = 1000, .beta_schedule = DN_BETA_FLOW},
};
enum { PROCESSES = sizeof processes / sizeof *processes };

/* ------------------------------------------------------------------ ideal denoisers */

/* A mixture of `parts` Gaussians of equal weight, N(mean_k, Q diag(variance) Q) with the reflection
 * Q = I - 2 w w^T. */
struct mixture {
    const struct schedule *schedule;
    int dim, parts;
    double mean[2][MAX], variance[MAX], w[MAX];
};

static struct mixture mixture_of(int dim, int parts) {
    struct mixture data = {.dim = dim, .parts = parts};
    for (int j = 0; j < dim; j++) {
        data.mean[0][j] = (j % 2 ? 0.1 : -0.4) / sqrt(dim);
        data.mean[1][j] = (j % 2 ? -0.2 : 0.6) / sqrt(dim);
        data.variance[j] = dim == 1 ? 0.04 : 0.5 * pow(0.01, j / (dim - 1.0));
        data.w[j] = sqrt(1.0 / dim);
    }
    if (dim == 1)
        data.w[0] = 0;
    return data;
}

static void reflect(const struct mixture *data, double *x) {
    double along = 0;
    for (int j = 0; j < data->dim; j++)
        along += data->w[j] * x[j];
    for (int j = 0; j < data->dim; j++)
        x[j] -= 2 * along * data->w[j];
}

/* With the signal s and noise variance: log N(x; s mean_k, s^2 C + noise^2 I), the mean of x_0 under
 * part k, and the gradient of the log-density, both along the axes. */
static double part_log(const struct mixture *data, int k, double s, double noise2, const double *x,
                       double *x_0, double *gradient) {
    double d[MAX], sum = 0;
    for (int j = 0; j < data->dim; j++)
        d[j] = x[j] - s * data->mean[k][j];
    reflect(data, d);
    for (int j = 0; j < data->dim; j++) {
        const double v = s * s * data->variance[j] + noise2;
        sum -= 0.5 * (d[j] * d[j] / v + log(2 * M_PI * v));
        x_0[j] = s * data->variance[j] / v * d[j];
        gradient[j] = -d[j] / v;
    }
    reflect(data, x_0);
    for (int j = 0; j < data->dim; j++)
        x_0[j] += data->mean[k][j];
    reflect(data, gradient);
    return sum - log(data->parts);
}

/* The estimate is the mean of the parts' by their share w of the density; by the product rule, the
 * trace is that of a part (the same for all) plus sum_k w_k (g_k - g) . x_0k, with the gradients g of
 * the logarithms. */
static double mixture_log(const struct mixture *data, double s, double noise2, const double *x,
                          double *x_0, double *trace) {
    double logs[2], parts[2][MAX], gradients[2][MAX], gradient[MAX] = {0}, most = -INFINITY,
                                                      sum = 0;
    for (int k = 0; k < data->parts; k++) {
        logs[k] = part_log(data, k, s, noise2, x, parts[k], gradients[k]);
        most = fmax(most, logs[k]);
    }
    for (int k = 0; k < data->parts; k++)
        sum += exp(logs[k] - most);
    memset(x_0, 0, (size_t)data->dim * sizeof *x_0);
    *trace = 0;
    for (int j = 0; j < data->dim; j++)
        *trace += s * data->variance[j] / (s * s * data->variance[j] + noise2);
    for (int k = 0; k < data->parts; k++)
        for (int j = 0; j < data->dim; j++)
            gradient[j] += exp(logs[k] - most) / sum * gradients[k][j];
    for (int k = 0; k < data->parts; k++)
        for (int j = 0; j < data->dim; j++) {
            const double share = exp(logs[k] - most) / sum;
            x_0[j] += share * parts[k][j];
            *trace += share * (gradients[k][j] - gradient[j]) * parts[k][j];
        }
    return most + log(sum);
}

static void mixture_estimate(void *context, int t, size_t n, const float *x, float *x_0,
                             double *traces) {
    const struct mixture *data = context;
    const double s = sqrt(data->schedule->alpha_bar[t]);
    for (size_t i = 0; i < n; i++) {
        double at[MAX], estimate[MAX], trace;
        for (int j = 0; j < data->dim; j++)
            at[j] = (double)x[i * (size_t)data->dim + (size_t)j];
        mixture_log(data, s, data->schedule->variance[t], at, estimate, &trace);
        for (int j = 0; j < data->dim; j++)
            x_0[i * (size_t)data->dim + (size_t)j] = (float)estimate[j];
        if (traces)
            traces[i] = trace;
    }
}

/* Points of the first part and between the parts. */
static void draw(const struct mixture *data, float *points) {
    float z[POINTS * MAX];
    random_normals(kernels_get(), 5, RANDOM_START, 0, 0, POINTS * (size_t)data->dim, z);
    for (int i = 0; i < POINTS; i++) {
        double d[MAX];
        for (int j = 0; j < data->dim; j++)
            d[j] = sqrt(data->variance[j]) * (double)z[i * data->dim + j];
        reflect(data, d);
        for (int j = 0; j < data->dim; j++) {
            const double share = data->parts == 2 ? i / (POINTS - 1.0) : 0;
            points[i * data->dim + j] =
                (float)(d[j] + (1 - share) * data->mean[0][j] + share * data->mean[1][j]);
        }
    }
}

/* The moments of the mixture: of enough of its points. */
static void mixture_moments(const struct mixture *data, struct moments *moments) {
    enum { N = 100000 };
    const int dim = data->dim;
    float *points = malloc(N * (size_t)dim * sizeof *points);
    random_normals(kernels_get(), 6, RANDOM_START, 0, 0, N * (size_t)dim, points);
    for (int i = 0; i < N; i++) {
        double d[MAX];
        for (int j = 0; j < dim; j++)
            d[j] = sqrt(data->variance[j]) * (double)points[i * dim + j];
        reflect(data, d);
        for (int j = 0; j < dim; j++)
            points[i * dim + j] = (float)(d[j] + data->mean[i % data->parts][j]);
    }
    moments_fit(moments, 1, points, N, dim);
    free(points);
}

/* The mean absolute error of log-densities, with the moments of the data or NULL. */
static double log_error(const struct dn_diffusion_spec *process, struct mixture *data, int steps,
                        const struct moments *moments) {
    struct schedule schedule;
    struct score_path path;
    const size_t dim = (size_t)data->dim, values = POINTS * dim;
    static float memory[7 * POINTS * MAX];
    static double doubles[2 * POINTS];
    struct score_walk walk = {.n = POINTS,
                              .dim = dim,
                              .y = memory,
                              .x = memory + values,
                              .x_0 = memory + 2 * values,
                              .rate = memory + 3 * values,
                              .before = memory + 4 * values,
                              .ahead = memory + 5 * values,
                              .traces = doubles,
                              .log_density = doubles + POINTS};
    float *points = memory + 6 * values;
    const struct divergent denoiser = {mixture_estimate, data};
    cr_assert_eq(schedule_init(&schedule, process, NULL), DN_OK);
    cr_assert_eq(score_path_init(&path, &schedule, steps, NULL), DN_OK);
    cr_assert_leq(path.count, steps + 1);
    cr_assert_eq(path.node[0].t, 1);
    cr_assert_eq(path.node[path.count - 1].t, process->timesteps);
    data->schedule = &schedule;
    draw(data, points);
    score_begin(&walk, &path, points);
    for (int k = 0; k < path.count; k++)
        score_step(&walk, &path, k, &denoiser);
    score_end(&walk, &path, moments);
    double sum = 0;
    for (size_t i = 0; i < POINTS; i++) {
        double x[MAX], x_0[MAX], trace;
        for (size_t j = 0; j < dim; j++)
            x[j] = (double)points[i * dim + j];
        const double ratio2 = schedule.variance[1] / schedule.alpha_bar[1];
        sum += fabs(walk.log_density[i] - mixture_log(data, 1, ratio2, x, x_0, &trace));
    }
    score_path_clear(&path);
    schedule_clear(&schedule);
    return sum / POINTS;
}

Test(score, ideal_denoisers_give_the_density_of_gaussians_and_mixtures) {
    for (int p = 0; p < PROCESSES; p++)
        for (int dim = 1; dim <= 16; dim += dim == 1 ? 2 : 13)
            for (int parts = 1; parts <= 2; parts++) {
                struct mixture data = mixture_of(dim, parts);
                struct moments moments;
                mixture_moments(&data, &moments);
                const double error = log_error(&processes[p], &data, DN_SCORE_STEPS, &moments);
                const double most = parts == 2 && dim > 3 ? 0.02 : 0.005; /* of a nat */
                cr_expect_leq(error, most, "process %d, %d coordinates, %d parts: %g", p, dim,
                              parts, error);
            }
}

Test(score, twice_the_steps_have_less_than_a_fifth_of_the_error) {
    for (int parts = 1; parts <= 2; parts++) {
        struct mixture data = mixture_of(3, parts);
        struct moments moments;
        mixture_moments(&data, &moments);
        double before = log_error(&processes[5], &data, 16, &moments);
        for (int steps = 32; steps <= 64; steps *= 2) {
            const double error = log_error(&processes[5], &data, steps, &moments);
            cr_expect_leq(error, before / 5, "%d parts, %d steps: %g after %g", parts, steps, error,
                          before);
            before = error;
        }
    }
}

/* Without moments, the density is that of the samples, which start from N(0, I): for the process of
 * a single step, of the noise. */
Test(score, without_moments_the_way_ends_at_the_noise_that_samples_start_from) {
    const struct dn_diffusion_spec process = {.timesteps = 1, .beta_schedule = DN_BETA_FLOW};
    struct schedule schedule;
    struct score_path path;
    double log_density;
    float y[2] = {0.5f, -1.5f};
    struct score_walk walk = {.n = 1, .dim = 2, .y = y, .log_density = &log_density};
    cr_assert_eq(schedule_init(&schedule, &process, NULL), DN_OK);
    cr_assert_eq(score_path_init(&path, &schedule, 5, NULL), DN_OK);
    cr_assert_eq(path.count, 1);
    log_density = 0;
    score_end(&walk, &path, NULL);
    cr_assert_float_eq(log_density, -log(2 * M_PI) - (0.25 + 2.25) / 2, 1e-12);
    score_path_clear(&path);
    schedule_clear(&schedule);
}

/* ------------------------------------------------------------------ trained models */

static struct dn_model *model_of(const struct dn_spec *spec, const struct dn_data *data) {
    struct dn_trainer *trainer;
    struct dn_model *model;
    struct dn_epoch epoch;
    struct dn_error error;
    cr_assert_eq(dn_trainer_new(spec, data, &trainer, &error), DN_OK, "%s", error.text);
    for (int i = 0; i < spec->training.epochs; i++)
        cr_assert_eq(dn_trainer_epoch(trainer, NULL, &epoch, &error), DN_OK, "%s", error.text);
    cr_assert_eq(dn_trainer_model(trainer, &model, NULL), DN_OK);
    dn_trainer_free(trainer);
    return model;
}

static void score(const struct dn_model *model, const float *points, int n, int label,
                  double *log_density) {
    struct dn_error error;
    const size_t values = (size_t)n * (size_t)dn_model_dim(model);
    double *exact = malloc(values * sizeof *exact);
    for (size_t e = 0; e < values; e++)
        exact[e] = (double)points[e];
    const struct dn_score_request request = {.points = exact, .n = n, .label = label};
    cr_assert_eq(dn_score(model, &request, log_density, NULL, &error), DN_OK, "%s", error.text);
    free(exact);
}

/* Correlated Gaussian data in three dimensions, in data units of very different sizes. */
Test(score, a_trained_model_knows_the_density_of_gaussian_data, .timeout = 300) {
    enum { N = 10000, DIM = 3, TEST = 500 };
    static const double size[DIM] = {1000, 1, 0.01}, r[DIM] = {0.8, 0, -0.6};
    static float points[N * DIM];
    static double log_density[TEST];
    random_normals(kernels_get(), 8, RANDOM_START, 0, 0, N * DIM, points);
    for (int i = 0; i < N; i++) {
        const double z0 = (double)points[i * DIM + 1];
        for (int j = 0; j < DIM; j++) {
            const double own = sqrt(1 - r[j] * r[j]) * (double)points[i * DIM + j];
            const double z = j == 1 ? z0 : r[j] * z0 + own;
            points[i * DIM + j] = (float)(size[j] * (5 + z));
        }
    }
    struct dn_spec spec = dn_presets[0].spec;
    spec.dataset = (struct dn_dataset_spec){
        .source_count = 1, .dim = DIM, .sources = {{.pattern = DN_UPLOADED, .n = N}}};
    spec.training.epochs = 100;
    spec.training.validation_fraction = 0;
    struct dn_data data = {.dim = DIM, .n = N, .points = points};
    struct dn_model *model = model_of(&spec, &data);
    score(model, points, TEST, -1, log_density);
    double shift[DIM], scale[DIM], sum = 0, units = 0;
    dn_model_transform(model, shift, scale);
    for (int j = 0; j < DIM; j++)
        units += log(scale[j]);
    for (int i = 0; i < TEST; i++) {
        const float *x = points + i * DIM;
        const double z0 = (double)x[1] - 5;
        double exact = -0.5 * (z0 * z0 + log(2 * M_PI));
        for (int j = 0; j < DIM; j += 2) {
            const double v = 1 - r[j] * r[j], d = (double)x[j] / size[j] - 5 - r[j] * z0;
            exact -= 0.5 * (d * d / v + log(2 * M_PI * v)) + log(size[j]);
        }
        sum += fabs(log_density[i] + units - exact);
    }
    cr_log_info("mean absolute error: %g nats", sum / TEST);
    cr_assert_leq(sum / TEST, 0.1, "%g nats", sum / TEST);
    dn_model_free(model);
}

/* A flag (30 % ones, 10 % missing) and a number that depends on it. In normal scores z of the number
 * at a scale of 1/2, the joint density is P(flag) p(number | flag) / p(number) 2 phi(z). */
Test(score, values_that_repeat_in_a_table_have_probabilities, .disabled = SANITIZED,
     .timeout = 300) {
    enum { N = 10000, TEST = 600 };
    static const double share[3] = {0.6, 0.3, 0.1}, center[3] = {0, 2, -1};
    static double values[2 * N], log_density[TEST];
    static float z[N];
    random_normals(kernels_get(), 9, RANDOM_START, 0, 0, N, z);
    for (int i = 0; i < N; i++) {
        const int flag = i % 10 < 6 ? 0 : i % 10 < 9 ? 1 : 2;
        values[2 * i] = flag == 2 ? (double)NAN : (double)flag;
        values[2 * i + 1] = 100 * (center[flag] + (double)z[i]);
    }
    struct dn_spec spec = dn_presets[0].spec;
    spec.dataset = (struct dn_dataset_spec){
        .source_count = 1, .dim = 2, .sources = {{.pattern = DN_UPLOADED, .n = N}}};
    spec.training.normalization = DN_QUANTILE;
    spec.network = (struct dn_network_spec){64, 3, DN_SINUSOIDAL, DN_MULTIPLY, 3};
    spec.diffusion.ratio_min = 0.01;
    spec.diffusion.ratio_max = 10;
    spec.training.epochs = 150;
    spec.training.validation_fraction = 0;
    const struct dn_data data = {.dim = 2, .n = N, .values = values};
    struct dn_model *model = model_of(&spec, &data);
    const struct dn_score_request request = {.points = values, .n = TEST, .label = -1};
    struct dn_error error;
    cr_assert_eq(dn_score(model, &request, log_density, NULL, &error), DN_OK, "%s", error.text);
    double sum = 0, bias = 0;
    for (int i = 0; i < TEST; i++) {
        const int flag = isnan(values[2 * i]) ? 2 : (int)values[2 * i];
        const double number = values[2 * i + 1] / 100;
        double density = 0, below = 0;
        for (int k = 0; k < 3; k++) {
            const double d = number - center[k];
            density += share[k] * exp(-0.5 * d * d) / sqrt(2 * M_PI);
            below += share[k] * normal_share(d);
        }
        const double d = number - center[flag], score = normal_score(below);
        const double exact = log(share[flag]) - 0.5 * d * d - 0.5 * log(2 * M_PI) - log(density) +
                             log(2) - 0.5 * (score * score + log(2 * M_PI));
        sum += fabs(log_density[i] - exact);
        bias += log_density[i] - exact;
    }
    cr_log_info("mean absolute error: %g nats, mean %g", sum / TEST, bias / TEST);
    cr_expect_leq(sum / TEST, 0.2, "%g nats", sum / TEST);

    /* What was not seen is less likely than what is rare. */
    const double wrong[] = {0, 50, 1, 50, 7, 50, 0.5, 50};
    const struct dn_score_request odd = {.points = wrong, .n = 4, .label = -1};
    double odds[4];
    cr_assert_eq(dn_score(model, &odd, odds, NULL, &error), DN_OK, "%s", error.text);
    cr_expect(fmax(odds[2], odds[3]) < fmin(odds[0], odds[1]), "%g %g %g %g", odds[0], odds[1],
              odds[2], odds[3]);
    dn_model_free(model);
}

/* Over the plane, with noise at the first timestep that is as wide as the grid is fine. */
static double integral(const struct dn_model *model, int label) {
    enum { SIDE = 160 };
    const double reach = 2, step = 2 * reach / SIDE;
    static float points[SIDE * SIDE * 2];
    static double log_density[SIDE * SIDE];
    double shift[2], scale[2], sum = 0;
    dn_model_transform(model, shift, scale);
    for (int i = 0; i < SIDE * SIDE; i++) {
        points[2 * i] = (float)(shift[0] + (i % SIDE * step - reach) / scale[0]);
        points[2 * i + 1] = (float)(shift[1] + (i / SIDE * step - reach) / scale[1]);
    }
    score(model, points, SIDE * SIDE, label, log_density);
    for (int i = 0; i < SIDE * SIDE; i++)
        sum += exp(log_density[i]) * step * step;
    return sum;
}

static struct dn_spec plane(void) {
    struct dn_spec spec = dn_presets[0].spec;
    spec.diffusion.ratio_min = 0.05;
    spec.training.epochs = 100;
    for (int k = 0; k < 2; k++)
        spec.dataset.sources[k] = (struct dn_source){.pattern = DN_SPIRAL + k, .n = 8000};
    return spec;
}

Test(score, densities_integrate_to_one, .disabled = SANITIZED, .timeout = 300) {
    for (int pattern = DN_SPIRAL; pattern <= DN_MOONS; pattern++) {
        struct dn_spec spec = plane();
        spec.dataset.sources[0].pattern = pattern;
        struct dn_model *model = model_of(&spec, NULL);
        const double sum = integral(model, -1);
        cr_log_info("%s: %g", dn_pattern_names[pattern], sum);
        cr_expect_float_eq(sum, 1, 0.02, "%s: %g", dn_pattern_names[pattern], sum);
        dn_model_free(model);
    }
}

Test(score, with_labels_each_class_has_its_own_density, .disabled = SANITIZED, .timeout = 300) {
    enum { N = 200 };
    struct dn_spec spec = plane();
    spec.dataset.source_count = spec.dataset.classes = 2;
    spec.training.epochs = 60;
    struct dn_model *model = model_of(&spec, NULL);
    for (int label = -1; label < 2; label++) {
        const double sum = integral(model, label);
        cr_expect_float_eq(sum, 1, 0.02, "class %d: %g", label, sum);
    }
    static float points[2 * N];
    static double own[N], other[N];
    for (int label = 0; label < 2; label++) {
        double gain = 0;
        dn_pattern_draw((enum dn_pattern)spec.dataset.sources[label].pattern, 99, 0, N, points);
        score(model, points, N, label, own);
        score(model, points, N, 1 - label, other);
        for (int i = 0; i < N; i++)
            gain += own[i] - other[i];
        cr_expect_geq(gain / N, 1, "class %d gains %g nats", label, gain / N);
    }
    dn_model_free(model);
}

/* ------------------------------------------------------------------ requests */

static struct dn_model *small_model(void) {
    struct dn_spec spec = dn_presets[0].spec;
    spec.dataset.sources[0].n = 500;
    spec.training.epochs = 1;
    return model_of(&spec, NULL);
}

Test(score, a_point_has_the_same_bits_in_any_company) {
    enum { N = 1100 }; /* more than a block */
    static float points[2 * N];
    static double all[N], one;
    struct dn_model *model = small_model();
    dn_pattern_draw(DN_MOONS, 4, 0, N, points);
    score(model, points, N, -1, all);
    for (int i = 0; i < N; i += 61) {
        score(model, points + 2 * i, 1, -1, &one);
        cr_assert(memcmp(&one, &all[i], sizeof one) == 0, "point %d: %.17g, not %.17g", i, one,
                  all[i]);
    }
    points[2] = points[3] = 1e30f; /* which must not reach the others */
    const double second = all[1], last = all[N - 1];
    score(model, points, N, -1, all);
    cr_assert(all[1] < second && all[N - 1] == last);
    static double far[2 * N];
    far[2] = far[3] = 1e300;
    struct dn_error error;
    const struct dn_score_request request = {.points = far, .n = N, .label = -1};
    const enum dn_status status = dn_score(model, &request, all, NULL, &error);
    cr_assert(status == DN_NOT_FINITE && strstr(error.text, "point 1 "), "%d %s", (int)status,
              error.text);
    dn_model_free(model);
}

static void count_pause(void *context) {
    ++*(int *)context;
}

Test(score, wrong_requests_are_refused_and_long_ones_stop) {
    struct dn_model *model = small_model();
    double points[2] = {0, 0}, log_density = 7;
    struct dn_error error;
    const struct dn_score_request good = {.points = points, .n = 1, .label = -1};
    struct dn_score_request bad[4] = {good, good, good, good};
    bad[0].n = 0;
    bad[1].label = 0;
    bad[2].steps = 101;
    bad[3].steps = -1;
    for (int i = 0; i < 4; i++)
        cr_expect_eq(dn_score(model, &bad[i], &log_density, NULL, &error), DN_INVALID, "%d", i);
    points[1] = NAN;
    cr_expect_eq(dn_score(model, &good, &log_density, NULL, &error), DN_INVALID);
    points[1] = 0;
    bool stop = true;
    int pauses = 0;
    struct dn_breaks breaks = {.stop = &stop, .pause = count_pause, .context = &pauses};
    cr_expect_eq(dn_score(model, &good, &log_density, &breaks, &error), DN_STOPPED);
    cr_expect_eq(log_density, 7, "it changes nothing");
    stop = false;
    cr_expect_eq(dn_score(model, &good, &log_density, &breaks, &error), DN_OK);
    cr_expect_gt(pauses, 30);
    cr_expect_geq(dn_score_bytes(model, &good), 1000);
    dn_model_free(model);
}
