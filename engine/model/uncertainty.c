/*
 * uncertainty.c - see uncertainty.h.
 */
#include "engine/model/uncertainty.h"

#include <stdlib.h>

#include "engine/base/random.h"
#include "engine/diffusion/diffusion.h"
#include "engine/internal.h"

/* Points at each node. Both estimates see the same ones, so that for Gaussian data few are enough;
 * for other data, the errors of the nodes average out on the way. */
enum { ROWS = 64, FEWEST_ROWS = 16 };
#define FLOPS 1e10 /* about a tenth of a second: large networks see fewer points */

struct probe {
    const struct dn_model *model;
    size_t rows, dim, ld;               /* points of a node; ld: dim, padded */
    int32_t *from, *t, *labels, *slots; /* [ROWS]; labels NULL without classes */
    float *x_0, *eps, *x_t, *estimate;  /* [ROWS][dim] */
    float *axes;                        /* [dim][ld] by coordinate */
    /* [ROWS][ld] by axis: x_0 and x_t from their means, and what the estimate misses */
    float *along[3];
    struct time_rows times;
    struct workspace workspace;
};

enum { INTEGERS = 4, ARRAYS = 4 };

static size_t array_floats(size_t dim) {
    return kernels_pad(ROWS * dim);
}

static size_t probe_floats(size_t dim) {
    return ARRAYS * array_floats(dim) + (dim + 3 * ROWS) * kernels_pad(dim);
}

size_t uncertainty_bytes(const struct network *network) {
    return INTEGERS * ROWS * sizeof(int32_t) + floats_bytes(probe_floats((size_t)network->dim)) +
           time_rows_bytes(network, ROWS, 0) + workspace_bytes(network, ROWS, false);
}

static void probe_clear(struct probe *probe) {
    time_rows_clear(&probe->times);
    workspace_clear(&probe->workspace);
    free(probe->from);
    free(probe->x_0);
}

static enum dn_status probe_init(struct probe *probe, struct dn_error *error) {
    const struct network *network = &probe->model->network;
    const size_t values = array_floats(probe->dim);
    probe->from = calloc(INTEGERS * ROWS, sizeof *probe->from);
    probe->x_0 = floats_new(probe_floats(probe->dim));
    if (!probe->from || !probe->x_0)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    probe->t = probe->from + ROWS;
    probe->slots = probe->from + 2 * ROWS;
    probe->labels = network->classes > 0 ? probe->from + 3 * ROWS : NULL;
    probe->eps = probe->x_0 + values;
    probe->x_t = probe->x_0 + 2 * values;
    probe->estimate = probe->x_0 + 3 * values;
    probe->axes = probe->x_0 + ARRAYS * values;
    for (size_t i = 0; i < 3; i++)
        probe->along[i] = probe->axes + (probe->dim + i * ROWS) * probe->ld;
    for (size_t k = 0; k < probe->dim; k++)
        for (size_t j = 0; j < probe->dim; j++)
            probe->axes[j * probe->ld + k] = probe->model->moments.axes[k * probe->dim + j];
    enum dn_status status = time_rows_init(&probe->times, network, ROWS, 0, error);
    if (status == DN_OK)
        status = workspace_init(&probe->workspace, network, ROWS, false, error);
    if (status == DN_OK)
        network_prepare(network, probe->model->parameters, &probe->workspace);
    return status;
}

/* Noised points at timestep t, the step-th ones, and the model's estimates of them. */
static void probe_draw(struct probe *probe, const float *points, size_t n, int t, uint32_t step) {
    const struct dn_model *model = probe->model;
    const struct schedule *schedule = &model->schedule;
    const size_t dim = probe->dim;
    const uint64_t seed = model->spec.seed;
    random_integers(seed, RANDOM_UNCERTAINTY, 2 * step, 0, probe->rows, (uint32_t)n, probe->from);
    random_normals(model->network.kernels, seed, RANDOM_UNCERTAINTY, 2 * step + 1, 0,
                   probe->rows * dim, probe->eps);
    for (size_t i = 0; i < probe->rows; i++) {
        const size_t from = (size_t)probe->from[i];
        probe->t[i] = t;
        if (probe->labels)
            probe->labels[i] = model->network.classes; /* none */
        for (size_t j = 0; j < dim; j++)
            probe->x_0[i * dim + j] = points[from * dim + j];
    }
    diffusion_q_sample(schedule, probe->t, probe->rows, model->dim, probe->x_0, probe->eps,
                       probe->x_t);
    time_rows_set(&probe->times, &model->network, model->parameters, probe->t, probe->labels,
                  probe->rows, probe->slots);
    network_forward(&model->network, model->parameters, &probe->times, &probe->workspace,
                    probe->x_t, NULL, probe->slots, true, 0, probe->rows);
    diffusion_estimate(schedule, model->spec.diffusion.prediction_type, t, probe->rows, model->dim,
                       probe->x_t, probe->workspace.out, model->network.dim_ld,
                       model->transform.low, model->transform.high, probe->estimate);
}

/* From coordinates to axes. */
static void probe_turn(struct probe *probe, int t) {
    const float *mean = probe->model->moments.mean;
    const float signal = probe->model->schedule.signal[t];
    const size_t dim = probe->dim, ld = probe->ld;
    for (size_t i = 0; i < probe->rows; i++)
        for (size_t j = 0; j < dim; j++) {
            const size_t e = i * dim + j;
            probe->estimate[e] = probe->x_0[e] - probe->estimate[e];
            probe->x_0[e] -= mean[j];
            probe->x_t[e] -= signal * mean[j];
        }
    const float *from[3] = {probe->x_0, probe->x_t, probe->estimate};
    for (size_t i = 0; i < 3; i++)
        probe->model->network.kernels->gemm(probe->rows, ld, dim, from[i], dim, 1, probe->axes, ld,
                                            probe->along[i], ld, NULL, false);
}

/* The share along one axis. */
static double probe_share(const struct probe *probe, int t, size_t axis) {
    const struct schedule *schedule = &probe->model->schedule;
    const double v = (double)probe->model->moments.variance[axis];
    const double slope =
        (double)schedule->signal[t] * v / (schedule->alpha_bar[t] * v + schedule->variance[t]);
    double own = 0, linear = 0;
    for (size_t i = 0; i < probe->rows; i++) {
        const size_t e = i * probe->ld + axis;
        const double missed = (double)probe->along[2][e];
        const double by_line = (double)probe->along[0][e] - slope * (double)probe->along[1][e];
        own += missed * missed;
        linear += by_line * by_line;
    }
    /* A network that knows less than a line has still to learn; and one may be all wrong: NaN */
    return own < linear ? own / linear : linear > 0 ? 1 : 0;
}

static size_t rows_of(const struct dn_model *model) {
    const double points = FLOPS / network_row_flops(&model->network);
    const double rows = points / model->moments.nodes;
    return rows > ROWS ? ROWS : rows < FEWEST_ROWS ? FEWEST_ROWS : (size_t)rows;
}

enum dn_status uncertainty_measure(struct dn_model *model, const float *points, size_t n,
                                   struct dn_error *error) {
    struct moments *moments = &model->moments;
    if (moments->nodes == 0)
        return DN_OK;
    struct probe probe = {.model = model,
                          .rows = rows_of(model),
                          .dim = (size_t)model->dim,
                          .ld = kernels_pad((size_t)model->dim)};
    enum dn_status status = probe_init(&probe, error);
    for (int i = 0; i < moments->nodes && status == DN_OK; i++) {
        const int t = moments_timestep(moments->nodes, model->schedule.timesteps, i);
        probe_draw(&probe, points, n, t, (uint32_t)i);
        probe_turn(&probe, t);
        for (size_t axis = 0; axis < probe.dim; axis++)
            moments->open[(size_t)i * probe.dim + axis] = (float)probe_share(&probe, t, axis);
    }
    probe_clear(&probe);
    return status;
}
