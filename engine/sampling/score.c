/*
 * score.c - dn_score: the network as the denoiser of score.h, and points in blocks that stay in the
 * cache.
 */
#include "engine/sampling/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/diffusion/diffusion.h"
#include "engine/internal.h"
#include "engine/model/model.h"
#include "engine/network/jacobian.h"
#include "engine/table/quantile.h"

static enum dn_status check(const struct dn_model *model, const struct dn_score_request *request,
                            struct dn_error *error) {
    const int T = model->schedule.timesteps, classes = model->spec.dataset.classes;
    if (network_has_images(&model->network))
        return error_set(error, DN_INVALID, "images have no log-density here");
    if (request->n < 1 || request->n > DN_MAX_SAMPLES)
        return error_set(error, DN_INVALID, "n must be 1..%d, got %d", DN_MAX_SAMPLES, request->n);
    if (request->steps < 0 || request->steps > T)
        return error_set(error, DN_INVALID, "steps must be 1..%d, got %d", T, request->steps);
    if (request->label < -1 || request->label >= (classes > 0 ? classes : 0))
        return error_set(error, DN_INVALID, "the model has no class %d", request->label);
    const bool may_miss = model->transform.quantiles != NULL;
    for (size_t e = 0; e < (size_t)request->n * (size_t)model->dim; e++)
        if (!isfinite(request->points[e]) && !(may_miss && isnan(request->points[e])))
            return error_set(error, DN_INVALID, "the points must be finite");
    return DN_OK;
}

static int steps_of(const struct dn_model *model, const struct dn_score_request *request) {
    const int T = model->schedule.timesteps;
    return request->steps ? request->steps : T < DN_SCORE_STEPS ? T : DN_SCORE_STEPS;
}

/* ------------------------------------------------------------------ the network */

struct score {
    const struct dn_model *model;
    size_t rows;   /* points of a block */
    int32_t label; /* the label, or that of points without one */
    struct score_path path;
    struct score_walk walk;
    struct time_rows times; /* of the current timestep */
    struct workspace workspace;
    struct jacobian jacobian;
    int32_t *slots; /* [rows] all 0 */
    float *floats;
    double *doubles;
};

/* For a struct divergent. */
static void score_estimate(void *context, int t, size_t n, const float *x, float *x_0,
                           double *traces) {
    struct score *score = context;
    const struct dn_model *model = score->model;
    const struct network *network = &model->network;
    const enum dn_prediction prediction = model->spec.diffusion.prediction_type;
    int32_t slot;
    double from_x, from_out;
    time_rows_set(&score->times, network, model->parameters, &t,
                  network->classes ? &score->label : NULL, 1, &slot);
    network_forward(network, model->parameters, &score->times, &score->workspace, x, NULL,
                    score->slots, true, 0, n);
    diffusion_estimate(&model->schedule, prediction, t, n, model->dim, x, score->workspace.out,
                       network->dim_ld, NULL, NULL, x_0);
    if (!traces)
        return;
    jacobian_trace(&score->jacobian, network, model->parameters, &score->times, &score->workspace,
                   x, score->slots, n, traces);
    diffusion_factors(&model->schedule, prediction, t, &from_x, &from_out);
    for (size_t i = 0; i < n; i++)
        traces[i] = from_x * model->dim - from_out * traces[i];
}

/* ------------------------------------------------------------------ memory */

/* Rows of the large products, for which the activations fit a cache, are dim for each point. */
static size_t block_rows(const struct network *network, size_t n) {
    const size_t rows = 32768 / network->mlp.hidden_ld / (size_t)network->dim;
    return rows < 1 ? 1 : rows < n ? rows : n;
}

enum { FLOAT_ARRAYS = 7 }; /* y, x, x_0, rate, before, ahead, and the points in model units */

static size_t array_floats(const struct network *network, size_t rows) {
    return kernels_pad(rows * (size_t)network->dim);
}

size_t dn_score_bytes(const struct dn_model *model, const struct dn_score_request *request) {
    const struct network *network = &model->network;
    const size_t rows = block_rows(network, (size_t)request->n);
    return sizeof(struct score) + score_path_bytes(steps_of(model, request)) +
           time_rows_bytes(network, 1, 0) + workspace_bytes(network, rows, true) +
           jacobian_bytes(network, rows) + rows * (sizeof(int32_t) + 2 * sizeof(double)) +
           floats_bytes(FLOAT_ARRAYS * array_floats(network, rows));
}

double dn_score_flops(const struct dn_model *model, const struct dn_score_request *request) {
    const double dim = model->dim, H = model->network.mlp.hidden,
                 L = model->network.mlp.layer_count;
    const double rest = (L - 1) * H * H,
                 ends = (model->network.mlp.inputs + model->network.mlp.outputs) * H;
    return 2 * (steps_of(model, request) + 1) * (2 * (rest + ends) + dim * rest);
}

static void score_clear(struct score *score) {
    score_path_clear(&score->path);
    time_rows_clear(&score->times);
    workspace_clear(&score->workspace);
    jacobian_clear(&score->jacobian);
    free(score->slots);
    free(score->floats);
    free(score->doubles);
}

static enum dn_status score_init(struct score *score, const struct dn_model *model,
                                 const struct dn_score_request *request, struct dn_error *error) {
    const struct network *network = &model->network;
    const size_t rows = block_rows(network, (size_t)request->n);
    const size_t floats = array_floats(network, rows);
    *score = (struct score){.model = model, .rows = rows};
    score->label = request->label < 0 ? network->classes : request->label;
    enum dn_status status =
        score_path_init(&score->path, &model->schedule, steps_of(model, request), error);
    if (status == DN_OK)
        status = time_rows_init(&score->times, network, 1, 0, error);
    if (status == DN_OK)
        status = workspace_init(&score->workspace, network, rows, true, error);
    if (status == DN_OK)
        network_prepare(network, model->parameters, &score->workspace);
    if (status == DN_OK)
        status = jacobian_init(&score->jacobian, network, rows, error);
    if (status != DN_OK)
        return status;
    score->slots = calloc(rows, sizeof *score->slots);
    score->doubles = calloc(2 * rows, sizeof *score->doubles);
    score->floats = floats_new(FLOAT_ARRAYS * floats);
    if (!score->slots || !score->doubles || !score->floats)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    float *next = score->floats;
    score->walk = (struct score_walk){.dim = (size_t)model->dim,
                                      .y = next + floats,
                                      .x = next + 2 * floats,
                                      .x_0 = next + 3 * floats,
                                      .rate = next + 4 * floats,
                                      .before = next + 5 * floats,
                                      .ahead = next + 6 * floats,
                                      .traces = score->doubles,
                                      .log_density = score->doubles + rows};
    return DN_OK;
}

/* ------------------------------------------------------------------ all points */

/* Turns the densities by the normal scores of values with an interval into probabilities: p(x) dx is
 * p(u) du with x = scale Phi^-1(u), and p(u) is the same in the whole interval, because training
 * draws u uniformly there. */
static void weigh_values(struct score_walk *walk, const struct transform *transform,
                         const double *values, const float *x) {
    for (size_t i = 0; i < walk->n; i++)
        for (size_t j = 0; j < walk->dim; j++) {
            const size_t e = i * walk->dim + j;
            const double scale = transform->scale[j],
                         z = (double)x[e] / scale + transform->shift[j];
            const double length = quantile_frequency(&transform->quantiles->columns[j], values[e]);
            if (length > 0) /* phi(z) is du/dz */
                walk->log_density[i] += log(length) + log(scale) + 0.5 * (z * z + log(2 * M_PI));
        }
}

/* Values beyond all that were seen count as the nearest one, but a density has to tell them apart. */
static void move_beyond(const struct score *score, size_t n, const double *values, float *x) {
    const struct transform *transform = &score->model->transform;
    const size_t dim = score->walk.dim;
    for (size_t e = 0; e < n * dim; e++)
        x[e] += (float)(transform->scale[e % dim] *
                        quantile_beyond(&transform->quantiles->columns[e % dim], values[e]));
}

/* Points first.. of the request, as many as are in the walk. */
static enum dn_status score_block(struct score *score, const struct dn_score_request *request,
                                  size_t first, double *log_density, const struct dn_breaks *breaks,
                                  struct dn_error *error) {
    struct score_walk *walk = &score->walk;
    const struct divergent denoiser = {score_estimate, score};
    const struct transform *transform = &score->model->transform;
    const double *values = request->points + first * walk->dim;
    transform_forward_values(transform, walk->n, score->model->dim, values, score->floats);
    if (transform->quantiles)
        move_beyond(score, walk->n, values, score->floats);
    score_begin(walk, &score->path, score->floats);
    for (int k = 0; k < score->path.count; k++) {
        const enum dn_status status = break_check(breaks, error);
        if (status != DN_OK)
            return status;
        score_step(walk, &score->path, k, &denoiser);
    }
    score_end(walk, &score->path, &score->model->moments);
    if (transform->quantiles) {
        transform_forward_values(transform, walk->n, score->model->dim, values, score->floats);
        weigh_values(walk, transform, values, score->floats);
    }
    for (size_t i = 0; i < walk->n; i++)
        if (!isfinite(walk->log_density[i]))
            return error_set(error, DN_NOT_FINITE,
                             "the log-density of point %zu is not finite: it is too far from the "
                             "training data",
                             first + i);
    memcpy(log_density, walk->log_density, walk->n * sizeof *log_density);
    return DN_OK;
}

enum dn_status dn_score(const struct dn_model *model, const struct dn_score_request *request,
                        double *log_density, const struct dn_breaks *breaks,
                        struct dn_error *error) {
    struct score score = {0};
    enum dn_status status = check(model, request, error);
    if (status == DN_OK)
        status = score_init(&score, model, request, error);
    const size_t n = (size_t)request->n;
    for (size_t first = 0; first < n && status == DN_OK; first += score.walk.n) {
        score.walk.n = n - first < score.rows ? n - first : score.rows;
        status = score_block(&score, request, first, log_density + first, breaks, error);
    }
    score_clear(&score);
    return status;
}
