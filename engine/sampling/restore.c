/*
 * restore.c - see restore.h.
 */
#include "engine/sampling/restore.h"

size_t restorer_floats(int dim, size_t rows) {
    return (3 * (size_t)dim + 1 + rows) * kernels_pad((size_t)dim);
}

void restorer_init(struct restorer *restorer, const struct moments *moments,
                   const struct kernels *kernels, float *memory) {
    const size_t dim = (size_t)moments->dim, ld = kernels_pad(dim);
    *restorer = (struct restorer){.kernels = kernels,
                                  .dim = dim,
                                  .ld = ld,
                                  .axes = memory,
                                  .by_axis = memory + dim * ld,
                                  .matrix = memory + 2 * dim * ld,
                                  .offset = memory + 3 * dim * ld,
                                  .out = memory + (3 * dim + 1) * ld};
    for (size_t k = 0; k < dim; k++) {
        restorer->mean[k] = moments->mean[k];
        for (size_t j = 0; j < dim; j++)
            restorer->axes[k * ld + j] = moments->axes[k * dim + j];
    }
}

/* Of this step. */
static void set_matrix(struct restorer *restorer, const struct plan_step *step) {
    const size_t dim = restorer->dim, ld = restorer->ld;
    for (size_t k = 0; k < dim; k++)
        for (size_t j = 0; j < ld; j++)
            restorer->by_axis[k * ld + j] = step->growth[k] * restorer->axes[k * ld + j];
    restorer->kernels->gemm(dim, ld, dim, restorer->axes, 1, ld, restorer->by_axis, ld,
                            restorer->matrix, ld, NULL, false);
    for (size_t j = 0; j < dim; j++) {
        float moved = 0;
        for (size_t k = 0; k < dim; k++)
            moved += restorer->mean[k] * restorer->matrix[k * ld + j];
        restorer->offset[j] = -step->signal * moved;
    }
}

/* x <- x + offset + M x, for few coordinates: a padded product would mostly multiply zeros. */
static inline __attribute__((always_inline)) void multiply_few(const struct restorer *restorer,
                                                               size_t dim, size_t n, float *x) {
    const float *matrix = restorer->matrix, *offset = restorer->offset;
    for (size_t i = 0; i < n; i++, x += dim) {
        float sums[4];
        for (size_t j = 0; j < dim; j++) {
            sums[j] = offset[j];
            for (size_t k = 0; k < dim; k++)
                sums[j] += matrix[k * restorer->ld + j] * x[k];
        }
        for (size_t j = 0; j < dim; j++)
            x[j] += sums[j];
    }
}

static void multiply(struct restorer *restorer, size_t n, float *x) {
    const size_t dim = restorer->dim, ld = restorer->ld;
    restorer->kernels->gemm(n, ld, dim, x, dim, 1, restorer->matrix, ld, restorer->out, ld,
                            restorer->offset, false);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < dim; j++)
            x[i * dim + j] += restorer->out[i * ld + j];
}

void restorer_apply(struct restorer *restorer, const struct plan_step *step, size_t n, float *x) {
    set_matrix(restorer, step);
    switch (restorer->dim) { /* a constant for the compiler */
    case 1: multiply_few(restorer, 1, n, x); break;
    case 2: multiply_few(restorer, 2, n, x); break;
    case 3: multiply_few(restorer, 3, n, x); break;
    default: multiply(restorer, n, x);
    }
}
