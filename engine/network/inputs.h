/*
 * inputs.h - what the first layer reads of a point: its coordinates x and their Fourier features,
 *
 *     x,  sin(3x), cos(3x),  sin(6x), cos(6x),  sin(12x), cos(12x), ..
 *
 * each for all coordinates before the next, up to the number of octaves. Of networks that may be
 * given coordinates, h is this list: (1 - g) h,  g,  g h, where g is 1 for coordinates that are
 * given, else 0. A given coordinate is exact at every timestep, so the weights with which it is read
 * have nothing to do with those of a noisy one. Only h is in memory: of each coordinate, a product takes
 * one set of weights or the other. The features are those of
 * Tancik et al. 2020, "Fourier features let networks learn high frequency functions in low
 * dimensional domains". An x beyond 1000 has the features of 1000.
 */
#ifndef ENGINE_NETWORK_INPUTS_H
#define ENGINE_NETWORK_INPUTS_H

#include "engine/network/network.h"

/* Sets octaves, may_be_given, inputs and input_ld of a network whose dim is set. */
void inputs_layout(struct network *network, const struct dn_spec *spec);

/* Does the first layer read x [..][dim] itself? Then there is nothing to fill. */
bool inputs_are_points(const struct network *network);

/* Writes the inputs h [n][input_ld] of points x [n][dim]. */
void inputs_fill(const struct network *network, size_t n, const float *x, float *inputs);

/* The first layer's product with its weights: z [n][hidden_ld] = init + inputs times weight, with init
 * as in the kernel gemm. Of networks that may be given coordinates, the sums have the order of
 * coordinates, each with its features. given: see network_forward. */
void inputs_product(const struct network *network, size_t n, const float *inputs,
                    const uint64_t *given, const float *weight, const float *bias, bool accumulate,
                    float *z);

/* Adds to columns j..j+cols-1 of the weights' gradient [inputs][hidden_ld], from the products'
 * gradients d [n][hidden_ld]. Sums over rows have their order. */
void inputs_add_gradient(const struct network *network, size_t n, const float *inputs,
                         const uint64_t *given, const float *d, size_t j, size_t cols,
                         float *gradient);

/* The chain rule: from the gradients [n][input_ld] of some functions of the inputs to those of the
 * same functions of x, into x_gradients [n][dim]; those of given coordinates are of no use. inputs is
 * what inputs_fill wrote. */
void inputs_backward(const struct network *network, size_t n, const float *inputs,
                     const float *gradients, float *x_gradients);

/* The rates of the first layer's product, inputs times weight [inputs][hidden_ld], by each coordinate
 * of x, into rates [n][dim][hidden_ld]. inputs is what inputs_fill wrote; NULL if there is nothing
 * to fill. */
void inputs_product_rates(const struct network *network, size_t n, const float *inputs,
                          const float *weight, float *rates);

#endif
