#include "engine/network/inputs.h"

#include <string.h>

void inputs_layout(struct network *network, const struct dn_spec *spec) {
    network->octaves = spec->network.input_features;
    network->may_be_given = spec->training.conditioning == DN_GIVEN_ANY;
    const int own = 1 + 2 * network->octaves;
    network->inputs = network->dim * (network->may_be_given ? 2 * own + 1 : own);
    network->input_ld = (size_t)network->inputs;
    if (!inputs_are_points(network)) /* room for the last vector of a row, see kernels.h */
        network->input_ld = kernels_pad((size_t)network->inputs + 15);
}

/* The inputs h alone. */
static size_t own_inputs(const struct network *network) {
    return (size_t)(1 + 2 * network->octaves) * (size_t)network->dim;
}

bool inputs_are_points(const struct network *network) {
    return network->inputs == network->dim;
}

/* Moves the columns of given coordinates behind the others, and writes the columns g between. */
static void split_given(const struct network *network, size_t n, const uint64_t *given,
                        float *inputs) {
    const size_t dim = (size_t)network->dim, own = own_inputs(network);
    for (size_t i = 0; i < n; i++, inputs += network->input_ld) {
        float *restrict free_ones = inputs, *restrict g = inputs + own, *restrict known = g + dim;
        if (!given || given[i] == 0) {
            memset(g, 0, (dim + own) * sizeof *g);
            continue;
        }
        for (size_t j = 0; j < dim; j++)
            g[j] = (float)(given[i] >> j & 1);
        for (size_t e = 0; e < own; e += dim)
            for (size_t j = 0; j < dim; j++) {
                known[e + j] = g[j] * free_ones[e + j];
                free_ones[e + j] *= 1 - g[j];
            }
    }
}

void inputs_fill(const struct network *network, size_t n, const float *x, const uint64_t *given,
                 float *inputs) {
    network->kernels->fourier(n, (size_t)network->dim, network->octaves, x, inputs,
                              network->input_ld);
    if (network->may_be_given)
        split_given(network, n, given, inputs);
}

size_t inputs_in_use(const struct network *network, size_t n, const uint64_t *given) {
    uint64_t any = 0;
    for (size_t i = 0; given && i < n; i++)
        any |= given[i];
    return any ? (size_t)network->inputs : own_inputs(network);
}

void inputs_backward(const struct network *network, size_t n, const float *inputs,
                     const float *gradients, float *x_gradients) {
    const size_t dim = (size_t)network->dim;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < dim; j++)
            x_gradients[j] = gradients[j];
        for (int octave = 0; octave < network->octaves; octave++) {
            const float frequency = (float)(3 << octave);
            const size_t sine = (size_t)(1 + 2 * octave) * dim, cosine = sine + dim;
            for (size_t j = 0; j < dim; j++)
                x_gradients[j] += frequency * (gradients[sine + j] * inputs[cosine + j] -
                                               gradients[cosine + j] * inputs[sine + j]);
        }
        inputs += network->input_ld;
        gradients += network->input_ld;
        x_gradients += dim;
    }
}

void inputs_product_rates(const struct network *network, size_t n, const float *inputs,
                          const float *weight, float *rates) {
    const size_t dim = (size_t)network->dim, ld = network->hidden_ld;
    for (size_t i = 0; i < n; i++, rates += dim * ld) {
        memcpy(rates, weight, dim * ld * sizeof *rates);
        for (int octave = 0; octave < network->octaves; octave++) {
            const float frequency = (float)(3 << octave);
            const size_t sine = (size_t)(1 + 2 * octave) * dim, cosine = sine + dim;
            const float *features = inputs + i * network->input_ld;
            for (size_t j = 0; j < dim; j++) {
                const float of_sine = frequency * features[cosine + j];
                const float of_cosine = frequency * features[sine + j];
                const float *restrict s = weight + (sine + j) * ld;
                const float *restrict c = weight + (cosine + j) * ld;
                float *restrict to = rates + j * ld;
                for (size_t h = 0; h < ld; h++)
                    to[h] += of_sine * s[h] - of_cosine * c[h];
            }
        }
    }
}
