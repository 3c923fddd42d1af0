#include "engine/network/inputs.h"

#include <string.h>

void inputs_layout(struct network *network, const struct dn_spec *spec) {
    network->mlp.octaves = spec->network.input_features;
    network->mlp.may_be_given = spec->training.conditioning == DN_GIVEN_ANY;
    const int own = 1 + 2 * network->mlp.octaves;
    network->mlp.inputs = network->dim * (network->mlp.may_be_given ? 2 * own + 1 : own);
    network->mlp.input_ld = (size_t)network->mlp.inputs;
    if (!inputs_are_points(network)) /* room for the last vector of a row, see kernels.h */
        network->mlp.input_ld = kernels_pad((size_t)(own * network->dim) + 15);
}

/* The inputs h alone. */
static size_t own_inputs(const struct network *network) {
    return (size_t)(1 + 2 * network->mlp.octaves) * (size_t)network->dim;
}

bool inputs_are_points(const struct network *network) {
    return network->mlp.inputs == network->dim;
}

void inputs_fill(const struct network *network, size_t n, const float *x, float *inputs) {
    network->kernels->fourier(n, (size_t)network->dim, network->mlp.octaves, x, inputs,
                              network->mlp.input_ld);
}

/* ------------------------------------------------------------------ products */

enum {
    BLOCK = 64, /* rows that are taken together: a bit for each */
    STRIP = 32, /* columns; those of a block stay in the first-level cache */
};

/* Bit i of word j becomes bit j of word i (Warren 2012, "Hacker's Delight", section 7-3). */
static void transpose_bits(uint64_t words[BLOCK]) {
    uint64_t mask = 0xffffffffu;
    for (size_t half = 32; half > 0; half /= 2, mask ^= mask << half)
        for (size_t i = 0; i < BLOCK; i = ((i | half) + 1) & ~half) {
            const uint64_t swap = ((words[i] >> half) ^ words[i | half]) & mask;
            words[i] ^= swap << half;
            words[i | half] ^= swap;
        }
}

/* Rows of inputs, up to BLOCK, and of each coordinate the rows that are given it. */
struct block {
    const float *inputs;
    size_t n;
    uint64_t all, given[BLOCK];
};

static struct block block_at(const struct network *network, size_t first, size_t n,
                             const float *inputs, const uint64_t *given) {
    struct block block = {.inputs = inputs + first * network->mlp.input_ld};
    block.n = n - first < BLOCK ? n - first : BLOCK;
    block.all = ~(uint64_t)0 >> (BLOCK - block.n);
    if (!given)
        return block;
    memcpy(block.given, given + first, block.n * sizeof *given);
    transpose_bits(block.given);
    return block;
}

/* Copies rows, so that those of a strip lie side by side, or back. */
static void copy_rows(size_t n, size_t cols, const float *from, size_t from_ld, float *to,
                      size_t to_ld) {
    enum { PIECE = 16 }; /* cols is a multiple; a constant size needs no call */
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < cols; j += PIECE)
            memcpy(to + i * to_ld + j, from + i * from_ld + j, PIECE * sizeof *to);
}

/* The weights, or their gradient, of coordinate j: of its features, of those of a given one, and of
 * being given. */
struct of_coordinate {
    size_t free, known, given; /* places of the first floats */
};

static struct of_coordinate of_coordinate(const struct network *network, size_t j) {
    const size_t dim = (size_t)network->dim, own = own_inputs(network), ld = network->mlp.hidden_ld;
    return (struct of_coordinate){j * ld, (own + dim + j) * ld, (own + j) * ld};
}

static void block_product(const struct network *network, const struct block *block,
                          const float *weight, const float *bias, bool accumulate, float *z) {
    const struct kernels *k = network->kernels;
    const size_t dim = (size_t)network->dim, features = own_inputs(network) / dim;
    const size_t ld = network->mlp.hidden_ld;
    float strip[BLOCK * STRIP] __attribute__((aligned(64)));
    for (size_t at = 0; at < ld; at += STRIP) {
        const size_t cols = ld - at < STRIP ? ld - at : STRIP;
        const float *w = weight + at;
        if (bias || accumulate)
            copy_rows(block->n, cols, bias ? bias + at : z + at, bias ? 0 : ld, strip, STRIP);
        else
            memset(strip, 0, sizeof strip);
        for (size_t j = 0; j < dim; j++) {
            const struct of_coordinate place = of_coordinate(network, j);
            const uint64_t given = block->given[j];
            k->add_products(block->all & ~given, features, cols, block->inputs + j,
                            network->mlp.input_ld, dim, w + place.free, dim * ld, NULL, strip,
                            STRIP);
            if (given)
                k->add_products(given, features, cols, block->inputs + j, network->mlp.input_ld,
                                dim, w + place.known, dim * ld, w + place.given, strip, STRIP);
        }
        copy_rows(block->n, cols, strip, STRIP, z + at, ld);
    }
}

void inputs_product(const struct network *network, size_t n, const float *inputs,
                    const uint64_t *given, const float *weight, const float *bias, bool accumulate,
                    float *z) {
    const size_t ld = network->mlp.hidden_ld;
    if (!network->mlp.may_be_given) {
        network->kernels->gemm(n, ld, (size_t)network->mlp.inputs, inputs, network->mlp.input_ld, 1,
                               weight, ld, z, ld, bias, accumulate);
        return;
    }
    for (size_t first = 0; first < n; first += BLOCK) {
        const struct block block = block_at(network, first, n, inputs, given);
        block_product(network, &block, weight, bias, accumulate, z + first * ld);
    }
}

static void block_gradient(const struct network *network, const struct block *block, const float *d,
                           size_t at, size_t cols, float *gradient) {
    const struct kernels *k = network->kernels;
    const size_t dim = (size_t)network->dim, features = own_inputs(network) / dim;
    const size_t ld = network->mlp.hidden_ld;
    float strip[BLOCK * STRIP] __attribute__((aligned(64)));
    float *g = gradient + at;
    copy_rows(block->n, cols, d + at, ld, strip, STRIP);
    for (size_t j = 0; j < dim; j++) {
        const struct of_coordinate place = of_coordinate(network, j);
        const uint64_t given = block->given[j];
        k->add_outer(block->all & ~given, features, cols, block->inputs + j, network->mlp.input_ld,
                     dim, strip, STRIP, NULL, g + place.free, dim * ld);
        if (given)
            k->add_outer(given, features, cols, block->inputs + j, network->mlp.input_ld, dim,
                         strip, STRIP, g + place.given, g + place.known, dim * ld);
    }
}

void inputs_add_gradient(const struct network *network, size_t n, const float *inputs,
                         const uint64_t *given, const float *d, size_t j, size_t cols,
                         float *gradient) {
    const size_t ld = network->mlp.hidden_ld;
    if (!network->mlp.may_be_given) {
        network->kernels->gemm((size_t)network->mlp.inputs, cols, n, inputs, 1,
                               network->mlp.input_ld, d + j, ld, gradient + j, ld, NULL, true);
        return;
    }
    for (size_t first = 0; first < n; first += BLOCK) {
        const struct block block = block_at(network, first, n, inputs, given);
        for (size_t at = j; at < j + cols; at += STRIP)
            block_gradient(network, &block, d + first * ld, at,
                           j + cols - at < STRIP ? j + cols - at : STRIP, gradient);
    }
}

/* ------------------------------------------------------------------ derivatives */

void inputs_backward(const struct network *network, size_t n, const float *inputs,
                     const float *gradients, float *x_gradients) {
    const size_t dim = (size_t)network->dim;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < dim; j++)
            x_gradients[j] = gradients[j];
        for (int octave = 0; octave < network->mlp.octaves; octave++) {
            const float frequency = (float)(3 << octave);
            const size_t sine = (size_t)(1 + 2 * octave) * dim, cosine = sine + dim;
            for (size_t j = 0; j < dim; j++)
                x_gradients[j] += frequency * (gradients[sine + j] * inputs[cosine + j] -
                                               gradients[cosine + j] * inputs[sine + j]);
        }
        inputs += network->mlp.input_ld;
        gradients += network->mlp.input_ld;
        x_gradients += dim;
    }
}

void inputs_product_rates(const struct network *network, size_t n, const float *inputs,
                          const float *weight, float *rates) {
    const size_t dim = (size_t)network->dim, ld = network->mlp.hidden_ld;
    for (size_t i = 0; i < n; i++, rates += dim * ld) {
        memcpy(rates, weight, dim * ld * sizeof *rates);
        for (int octave = 0; octave < network->mlp.octaves; octave++) {
            const float frequency = (float)(3 << octave);
            const size_t sine = (size_t)(1 + 2 * octave) * dim, cosine = sine + dim;
            const float *features = inputs + i * network->mlp.input_ld;
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
