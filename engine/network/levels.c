#include "engine/network/levels.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"

/* ------------------------------------------------------------------ life */

size_t levels_bytes(const struct network *network) {
    if (network->mlp.outputs == network->dim)
        return 0;
    return sizeof(struct levels) + network->mlp.outputs_ld * sizeof(int32_t) +
           3 * floats_bytes(network->mlp.outputs_ld) +
           ((size_t)network->timesteps + 1) * sizeof(struct levels_step);
}

void levels_clear(struct network *network) {
    struct levels *levels = network->mlp.levels;
    if (!levels)
        return;
    free(levels->column);
    free(levels->ends);
    free(levels->inner);
    free(levels->limits);
    free(levels->steps);
    free(levels);
    network->mlp.levels = NULL;
}

static void take_columns(struct levels *levels, int dim, const int *counts, const float *ends) {
    for (int j = 0, q = 0; j < dim; j++) {
        levels->first[j] = q;
        for (int k = 0; k < counts[j]; k++, q++) {
            levels->column[q] = j;
            levels->inner[q] = k > 0;
            levels->ends[q] = ends[q];
            levels->limits[q] = counts[j] > 1 ? KERNELS_MAX_LOGIT : INFINITY;
        }
        levels->first[j + 1] = q;
    }
}

enum dn_status levels_set(struct network *network, float sigma, const int *counts,
                          const float *ends, const struct levels_step *steps,
                          struct dn_error *error) {
    const size_t timesteps = (size_t)network->timesteps + 1;
    assert(network->mlp.outputs > network->dim);
    levels_clear(network);
    struct levels *levels = network->mlp.levels = calloc(1, sizeof *levels);
    if (!levels)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    levels->sigma = sigma;
    levels->column = calloc(network->mlp.outputs_ld, sizeof *levels->column);
    levels->ends = floats_new(network->mlp.outputs_ld);
    levels->inner = floats_new(network->mlp.outputs_ld);
    levels->limits = floats_new(network->mlp.outputs_ld);
    levels->steps = calloc(timesteps, sizeof *levels->steps);
    if (!levels->column || !levels->ends || !levels->inner || !levels->limits || !levels->steps) {
        levels_clear(network);
        return error_set(error, DN_NO_MEMORY, "out of memory");
    }
    memcpy(levels->steps, steps, timesteps * sizeof *steps);
    take_columns(levels, network->dim, counts, ends);
    return DN_OK;
}

int levels_used(const struct network *network) {
    return network->mlp.levels->first[network->dim];
}

/* ------------------------------------------------------------------ one row at a time */

static const struct levels_step *step_of(const struct levels *levels, const struct time_rows *times,
                                         int32_t slot) {
    return &levels->steps[times->t[times->slot_time[slot]]];
}

void levels_predict(const struct network *network, const struct time_rows *times, size_t n,
                    const float *x, const int32_t *slots, size_t stride, const float *logits,
                    float *rates, float *out) {
    const struct levels *levels = network->mlp.levels;
    const size_t dim = (size_t)network->dim, ld = network->mlp.outputs_ld;
    float centers[DN_MAX_DIM], means[DN_MAX_DIM];
    for (size_t i = 0; i < n; i++, x += dim, logits += ld, out += network->dim_ld) {
        const struct levels_step *step = step_of(levels, times, slots[i * stride]);
        const float of_z = step->of_x_0 * levels->sigma, spread = 1 / step->tightness;
        for (size_t j = 0; j < dim; j++)
            centers[j] = step->center * x[j];
        network->kernels->levels(dim, levels->first, levels->column, levels->ends, levels->inner,
                                 centers, step->tightness, logits, means, -of_z * spread, rates);
        for (size_t j = 0; j < dim; j++) {
            const int32_t first = levels->first[j];
            out[j] = step->of_x * x[j] - of_z * (centers[j] + spread * means[j]);
            if (levels->first[j + 1] - first > 1)
                continue;
            out[j] = logits[first];
            if (rates)
                rates[first] = 1;
        }
        if (rates)
            rates += ld;
    }
}

void levels_backward(const struct network *network, size_t n, const float *out, const float *rates,
                     float *logits) {
    const struct levels *levels = network->mlp.levels;
    const size_t used = (size_t)levels_used(network), ld = network->mlp.outputs_ld;
    for (size_t i = 0; i < n; i++, out += network->dim_ld, rates += ld, logits += ld)
        for (size_t q = 0; q < used; q++) {
            const float gradient = out[levels->column[q]] * rates[q];
            /* without a branch, which a CPU could not predict */
            const bool leads_out =
                logits[q] * __builtin_copysignf(1, -gradient) >= levels->limits[q];
            logits[q] = leads_out ? 0 : gradient;
        }
}

/* ------------------------------------------------------------------ divergence */

static double density(double a) {
    return exp(-0.5 * a * a) / sqrt(2 * M_PI);
}

/* The variance of z in units of v^2, with the weights w_k: that of a normal distribution cut at the
 * ends, of which the second moments are P_k + a_{k-1} phi(a_{k-1}) - a_k phi(a_k). */
static double variance(const struct levels *levels, int j, double center, double tightness,
                       const float *logits) {
    double sum = 0, first = 0, second = 0, below = 0, before = 0, product = 0;
    for (int q = levels->first[j]; q < levels->first[j + 1]; q++) {
        const bool last = q + 1 == levels->first[j + 1];
        const double a = last ? 0 : ((double)levels->ends[q] - center) * tightness;
        const double share = last ? 1 : 0.5 * erfc(-a * M_SQRT1_2);
        const double phi = last ? 0 : density(a);
        const double weight =
            exp(fmin(fmax((double)logits[q], -KERNELS_MAX_LOGIT), KERNELS_MAX_LOGIT));
        sum += weight * (share - below);
        first += weight * (before - phi);
        second += weight * (share - below + product - a * phi);
        below = share, before = phi, product = a * phi;
    }
    const double mean = first / sum;
    return second / sum - mean * mean;
}

double levels_divergence(const struct network *network, int32_t t, const float *x,
                         const float *logits) {
    const struct levels *levels = network->mlp.levels;
    const struct levels_step *step = &levels->steps[t];
    double sum = 0;
    for (int j = 0; j < network->dim; j++) {
        if (levels->first[j + 1] - levels->first[j] == 1)
            continue;
        const double center = (double)step->center;
        const double open =
            variance(levels, j, center * (double)x[j], (double)step->tightness, logits);
        sum += (double)step->of_x - (double)step->of_x_0 * (double)levels->sigma * center * open;
    }
    return sum;
}
