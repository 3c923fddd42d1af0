/*
 * jacobian.c - see jacobian.h.
 */
#include "engine/network/jacobian.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "engine/network/inputs.h"

static size_t rates_floats(const struct network *network, size_t rows) {
    return rows * (size_t)network->dim * network->hidden_ld;
}

size_t jacobian_bytes(const struct network *network, size_t rows) {
    return floats_bytes(2 * rates_floats(network, rows) + network->hidden_ld);
}

enum dn_status jacobian_init(struct jacobian *jacobian, const struct network *network, size_t rows,
                             struct dn_error *error) {
    const size_t floats = rates_floats(network, rows);
    *jacobian = (struct jacobian){.rows = rows};
    jacobian->memory = floats_new(2 * floats + network->hidden_ld);
    if (!jacobian->memory)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    jacobian->rates = jacobian->memory;
    jacobian->next = jacobian->memory + floats;
    jacobian->sums = jacobian->memory + 2 * floats;
    return DN_OK;
}

void jacobian_clear(struct jacobian *jacobian) {
    free(jacobian->memory);
    *jacobian = (struct jacobian){0};
}

/* How the activations of a layer follow from its product z, h = swish(z + e) or swish(z * e): rates
 * [dim][ld] of z become those of h. swish' is swish'(u) of the point, and e its row; NULL with +. */
static void activate(size_t dim, size_t ld, const float *restrict swish, const float *restrict e,
                     float *restrict rates) {
    for (size_t j = 0; j < dim; j++, rates += ld) {
        for (size_t h = 0; h < ld; h++)
            rates[h] *= swish[h];
        for (size_t h = 0; e && h < ld; h++)
            rates[h] *= e[h];
    }
}

/* sum_j W_j . rates_j. Sums over j first, so that the loops are along the rows. */
static double diagonal(size_t dim, size_t ld, const float *restrict weights,
                       const float *restrict rates, float *restrict sums) {
    double trace = 0;
    memset(sums, 0, ld * sizeof *sums);
    for (size_t j = 0; j < dim; j++, weights += ld, rates += ld)
        for (size_t h = 0; h < ld; h++)
            sums[h] += weights[h] * rates[h];
    for (size_t h = 0; h < ld; h++)
        trace += (double)sums[h];
    return trace;
}

void jacobian_trace(struct jacobian *jacobian, const struct network *network,
                    const float *parameters, const struct time_rows *times,
                    const struct workspace *workspace, const int32_t *slots, size_t n,
                    double *traces) {
    const size_t ld = network->hidden_ld, dim = (size_t)network->dim, H = (size_t)network->hidden;
    const bool multiply = network->conditioning == DN_MULTIPLY;
    assert(n <= jacobian->rows && workspace->d[0]);
    for (int l = 0; l < network->layer_count; l++) {
        const float *weight = parameters + network->layers[l].weight.offset;
        const float *e = times->embedded + (size_t)l * (size_t)times->capacity * ld;
        if (l == 0) {
            inputs_product_rates(network, n, workspace->inputs, weight, jacobian->rates);
        } else {
            float *rates = jacobian->next;
            kernels_get()->gemm(n * dim, ld, H, jacobian->rates, ld, 1, weight, ld, rates, ld, NULL,
                                false);
            jacobian->next = jacobian->rates;
            jacobian->rates = rates;
        }
        for (size_t i = 0; i < n; i++)
            activate(dim, ld, workspace->d[l] + i * ld, multiply ? e + (size_t)slots[i] * ld : NULL,
                     jacobian->rates + i * dim * ld);
    }
    for (size_t i = 0; i < n; i++)
        traces[i] = diagonal(dim, ld, parameters + network->out_weight.offset,
                             jacobian->rates + i * dim * ld, jacobian->sums);
}
