/*
 * posterior.c - the optimal denoiser for a finite training set, and how much worse a model is.
 */
#include <math.h>
#include <stdlib.h>

#include "engine/base/columns.h"
#include "engine/base/kernels.h"
#include "engine/base/random.h"
#include "engine/diffusion/diffusion.h"
#include "engine/internal.h"
#include "engine/model/model.h"

/* The training points in model units, each with a weight. */
struct posterior {
    struct columns points;
    double *half_squares; /* [n] |x_i|^2 / 2 */
    double *weights;      /* [n] */
};

static void posterior_clear(struct posterior *posterior) {
    columns_clear(&posterior->points);
    free(posterior->half_squares);
}

static enum dn_status posterior_init(struct posterior *posterior, const struct dn_points *points,
                                     struct dn_error *error) {
    enum dn_status status = columns_init(&posterior->points, points, error);
    if (status != DN_OK)
        return status;
    posterior->half_squares = malloc(2 * points->n * sizeof(double));
    if (!posterior->half_squares)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    posterior->weights = posterior->half_squares + points->n;
    const float origin[DN_MAX_DIM] = {0};
    columns_squares(&posterior->points, origin, 0, posterior->half_squares);
    for (size_t i = 0; i < points->n; i++)
        posterior->half_squares[i] /= 2;
    return DN_OK;
}

/* E[x_0 | x_t] for x_0 uniform over the points: their mean with the weights
 *
 *     exp(-|x_t - signal x_i|^2 / (2 noise^2)),
 *
 * without the factor that all have in common. */
static void posterior_mean(struct posterior *posterior, const float *x_t, double signal,
                           double noise, double *mean) {
    enum { NEGLIGIBLE = -40 }; /* e^-40 of the largest */
    const size_t n = posterior->points.n;
    const int dim = posterior->points.dim;
    const double rate = signal / (noise * noise), *restrict halves = posterior->half_squares;
    double *restrict weights = posterior->weights, largest = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++)
        weights[i] = -rate * signal * halves[i];
    for (int j = 0; j < dim; j++) {
        const double *axis = posterior->points.at + (size_t)j * n, x = rate * (double)x_t[j];
        for (size_t i = 0; i < n; i++)
            weights[i] += x * axis[i];
    }
    for (size_t i = 0; i < n; i++)
        largest = weights[i] > largest ? weights[i] : largest;
    for (int j = 0; j < dim; j++)
        mean[j] = 0;
    for (size_t i = 0; i < n; i++) {
        if (weights[i] - largest < NEGLIGIBLE)
            continue;
        const double weight = exp(weights[i] - largest);
        sum += weight;
        for (int j = 0; j < dim; j++)
            mean[j] += weight * posterior->points.at[(size_t)j * n + i];
    }
    for (int j = 0; j < dim; j++)
        mean[j] /= sum;
}

/* Noised training points, and the model's outputs for them. */
struct probes {
    const struct dn_model *model;
    size_t n;
    int32_t *t, *slots;
    float *x_0, *eps, *x_t; /* [n][dim] */
    struct time_rows times;
    struct workspace workspace;
};

static void probes_clear(struct probes *probes) {
    time_rows_clear(&probes->times);
    workspace_clear(&probes->workspace);
    free(probes->t);
    free(probes->x_0);
}

static enum dn_status probes_init(struct probes *probes, struct dn_error *error) {
    const struct network *network = &probes->model->network;
    const size_t values = kernels_pad(probes->n * (size_t)probes->model->dim);
    probes->t = calloc(2 * probes->n, sizeof *probes->t);
    probes->x_0 = floats_new(3 * values);
    if (!probes->t || !probes->x_0)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    probes->slots = probes->t + probes->n;
    probes->eps = probes->x_0 + values;
    probes->x_t = probes->x_0 + 2 * values;
    enum dn_status status = time_rows_init(&probes->times, network, (int)probes->n, 0, error);
    if (status == DN_OK)
        status = workspace_init(&probes->workspace, network, probes->n, false, error);
    if (status == DN_OK)
        network_prepare(network, probes->model->parameters, &probes->workspace);
    return status;
}

/* Training points, timesteps and noise, and the network's outputs. */
static void probes_draw(struct probes *probes, const float *points, size_t n, uint64_t seed) {
    const struct dn_model *model = probes->model;
    const size_t dim = (size_t)model->dim;
    enum { POINT, TIMESTEP, NOISE };
    random_integers(seed, RANDOM_EVALUATION, POINT, 0, probes->n, (uint32_t)n, probes->slots);
    for (size_t i = 0; i < probes->n; i++)
        for (size_t j = 0; j < dim; j++)
            probes->x_0[i * dim + j] = points[(size_t)probes->slots[i] * dim + j];
    random_integers(seed, RANDOM_EVALUATION, TIMESTEP, 0, probes->n,
                    (uint32_t)model->schedule.timesteps, probes->t);
    for (size_t i = 0; i < probes->n; i++)
        probes->t[i]++;
    random_normals(model->network.kernels, seed, RANDOM_EVALUATION, NOISE, 0, probes->n * dim,
                   probes->eps);
    diffusion_q_sample(&model->schedule, probes->t, probes->n, model->dim, probes->x_0, probes->eps,
                       probes->x_t);
    time_rows_set(&probes->times, &model->network, model->parameters, probes->t, NULL, probes->n,
                  probes->slots);
    network_forward(&model->network, model->parameters, &probes->times, &probes->workspace,
                    probes->x_t, NULL, probes->slots, false, 0, probes->n);
}

/* Adds the squared errors of probe i to the three sums. */
static void probe_compare(const struct probes *probes, size_t i, struct posterior *posterior,
                          struct dn_denoising *sums) {
    const struct dn_model *model = probes->model;
    const struct schedule *schedule = &model->schedule;
    const size_t dim = (size_t)model->dim;
    const int t = probes->t[i];
    const double signal = sqrt(schedule->alpha_bar[t]), noise = sqrt(schedule->variance[t]);
    double mean[DN_MAX_DIM] = {0}, from_x, from_out;
    diffusion_factors(schedule, model->spec.diffusion.prediction_type, t, &from_x, &from_out);
    posterior_mean(posterior, probes->x_t + i * dim, signal, noise, mean);
    for (size_t j = 0; j < dim; j++) {
        const double x_t = (double)probes->x_t[i * dim + j], eps = (double)probes->eps[i * dim + j];
        const double out = (double)probes->workspace.out[i * model->network.dim_ld + j];
        const double best = (x_t - signal * mean[j]) / noise;
        const double own = (x_t - signal * (from_x * x_t - from_out * out)) / noise;
        sums->model += (own - eps) * (own - eps);
        sums->optimal += (best - eps) * (best - eps);
        sums->excess += (own - best) * (own - best);
    }
}

enum dn_status dn_denoising_loss(const struct dn_model *model, const struct dn_points *training,
                                 int n, uint64_t seed, struct dn_denoising *result,
                                 const struct dn_breaks *breaks, struct dn_error *error) {
    if (n < 1 || n > DN_MAX_SAMPLES || training->n < 1 || training->n > DN_MAX_POINTS ||
        training->dim != model->dim || model->dim > DN_MAX_DIM)
        return error_set(error, DN_INVALID, "the points do not match the model");
    struct probes probes = {.model = model, .n = (size_t)n};
    struct posterior posterior = {0};
    struct dn_denoising sums = {0};
    float *points = floats_new(training->n * (size_t)model->dim);
    if (!points)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    enum dn_status status = probes_init(&probes, error);
    if (status == DN_OK) {
        transform_forward(&model->transform, training->n, model->dim, training->points, points);
        struct dn_points scaled = {points, training->n, model->dim};
        status = posterior_init(&posterior, &scaled, error);
    }
    if (status == DN_OK)
        probes_draw(&probes, points, training->n, seed);
    for (size_t i = 0; i < probes.n && status == DN_OK; i++)
        if ((status = break_check(breaks, error)) == DN_OK)
            probe_compare(&probes, i, &posterior, &sums);
    const double count = (double)n * model->dim;
    if (status == DN_OK && !isfinite(sums.model + sums.optimal + sums.excess))
        status = error_set(error, DN_NOT_FINITE, "the model's outputs are not finite");
    if (status == DN_OK)
        *result =
            (struct dn_denoising){sums.model / count, sums.optimal / count, sums.excess / count};
    posterior_clear(&posterior);
    probes_clear(&probes);
    free(points);
    return status;
}
