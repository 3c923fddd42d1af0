/*
 * jacobian.c - see jacobian.h.
 */
#include "engine/network/jacobian.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "engine/network/inputs.h"
#include "engine/network/levels.h"

static size_t rates_floats(const struct network *network, size_t rows) {
    return rows * (size_t)network->dim * network->mlp.hidden_ld;
}

/* Floats besides the rates. */
static size_t other_floats(const struct network *network) {
    return network->mlp.hidden_ld * (1 + (size_t)network->dim);
}

size_t jacobian_bytes(const struct network *network, size_t rows) {
    return floats_bytes(2 * rates_floats(network, rows) + other_floats(network));
}

enum dn_status jacobian_init(struct jacobian *jacobian, const struct network *network, size_t rows,
                             struct dn_error *error) {
    const size_t floats = rates_floats(network, rows);
    *jacobian = (struct jacobian){.rows = rows};
    jacobian->memory = floats_new(2 * floats + other_floats(network));
    if (!jacobian->memory)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    jacobian->rates = jacobian->memory;
    jacobian->next = jacobian->memory + floats;
    jacobian->sums = jacobian->memory + 2 * floats;
    jacobian->mixed = jacobian->sums + network->mlp.hidden_ld;
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

/* The rates of the predictions by the last activations, with levels: the weights of a coordinate's
 * outputs, each times the rate of the prediction by this output, of which one beyond its limit has
 * none. */
static const float *mix_weights(const struct network *network, const float *restrict weights,
                                const float *logits, const float *rates, float *mixed) {
    const struct levels *levels = network->mlp.levels;
    const size_t ld = network->mlp.hidden_ld;
    memset(mixed, 0, (size_t)network->dim * ld * sizeof *mixed);
    for (int q = 0; q < levels_used(network); q++, weights += ld) {
        float *restrict row = mixed + (size_t)levels->column[q] * ld;
        const float rate = fabsf(logits[q]) < levels->limits[q] ? rates[q] : 0;
        for (size_t h = 0; h < ld; h++)
            row[h] += rate * weights[h];
    }
    return mixed;
}

void jacobian_trace(struct jacobian *jacobian, const struct network *network,
                    const float *parameters, const struct time_rows *times,
                    const struct workspace *workspace, const float *x, const int32_t *slots,
                    size_t n, double *traces) {
    const size_t ld = network->mlp.hidden_ld, dim = (size_t)network->dim,
                 H = (size_t)network->mlp.hidden;
    const bool multiply = network->mlp.conditioning == DN_MULTIPLY;
    assert(n <= jacobian->rows && workspace->mlp.d[0]);
    for (int l = 0; l < network->mlp.layer_count; l++) {
        const float *weight = parameters + network->mlp.layers[l].weight.offset;
        const float *e = times->mlp.embedded + (size_t)l * (size_t)times->capacity * ld;
        if (l == 0) {
            inputs_product_rates(network, n, workspace->mlp.inputs, weight, jacobian->rates);
        } else {
            float *rates = jacobian->next;
            network->kernels->gemm(n * dim, ld, H, jacobian->rates, ld, 1, weight, ld, rates, ld,
                                   NULL, false);
            jacobian->next = jacobian->rates;
            jacobian->rates = rates;
        }
        for (size_t i = 0; i < n; i++)
            activate(dim, ld, workspace->mlp.d[l] + i * ld,
                     multiply ? e + (size_t)slots[i] * ld : NULL, jacobian->rates + i * dim * ld);
    }
    for (size_t i = 0; i < n; i++) {
        const float *weights = parameters + network->mlp.out_weight.offset;
        const size_t at = i * network->mlp.outputs_ld;
        if (workspace->mlp.logits)
            weights = mix_weights(network, weights, workspace->mlp.logits + at,
                                  workspace->mlp.logit_rates + at, jacobian->mixed);
        traces[i] = diagonal(dim, ld, weights, jacobian->rates + i * dim * ld, jacobian->sums);
        if (workspace->mlp.logits)
            traces[i] += levels_divergence(network, times->t[times->slot_time[slots[i]]],
                                           x + i * dim, workspace->mlp.logits + at);
    }
}
