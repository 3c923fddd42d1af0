/*
 * inputs.h - what the first layer reads of a point: its coordinates x and their Fourier features,
 *
 *     x,  sin(3x), cos(3x),  sin(6x), cos(6x),  sin(12x), cos(12x), ..
 *
 * each for all coordinates before the next, up to the number of octaves. Of networks that may be
 * given coordinates, h is this list: (1 - g) h,  g,  g h, where g is 1 for coordinates that are
 * given, else 0. A given coordinate is exact at every timestep, so the weights with which it is read
 * have nothing to do with those of a noisy one. The features are those of
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

/* Writes the inputs [n][input_ld] of points x [n][dim]. given: see network_forward. */
void inputs_fill(const struct network *network, size_t n, const float *x, const uint64_t *given,
                 float *inputs);

/* How many of the inputs, from the first, may be other than 0 in some of n rows: those behind h are 0
 * where no coordinate is given, and a product need not read them. given: see network_forward. */
size_t inputs_in_use(const struct network *network, size_t n, const uint64_t *given);

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
