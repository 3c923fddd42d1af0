/*
 * loss.h - the losses of a network's output, and their gradients.
 */
#ifndef ENGINE_NETWORK_LOSS_H
#define ENGINE_NETWORK_LOSS_H

#include <stddef.h>
#include <stdint.h>

#include "engine/denoise.h"

/* Writes the losses of n points, each summed over its coordinates and multiplied by the weight of
 * its t, into losses [n], and their gradients times `scale` into out [n][out_ld], of which dim
 * columns are used. target [n][dim]; t [n]; t_weights [T+1], or NULL: all 1. Coordinate j counts
 * unless bit j of given [n] is set; NULL: all count, and only then there
 * may be more than 64. */
void loss_rows(enum dn_loss loss, size_t n, size_t dim, float *out, size_t out_ld,
               const float *target, const uint64_t *given, const int32_t *t, const float *t_weights,
               float scale, double *losses);

#endif
