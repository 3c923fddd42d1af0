/*
 * uncertainty.h - how much of the data a model leaves open at each amount of noise: moments.h.
 */
#ifndef ENGINE_MODEL_UNCERTAINTY_H
#define ENGINE_MODEL_UNCERTAINTY_H

#include "engine/model/model.h"

/* Measures model->moments.open: the mean square of what the model's estimates of noised points miss
 * along each axis, as a share of what the best linear estimates of the same points miss. The points
 * are chosen from points [n][dim], in model units; the network is told no labels. Does nothing for a
 * model whose moments have no nodes. */
enum dn_status uncertainty_measure(struct dn_model *model, const float *points, size_t n,
                                   struct dn_error *error);

size_t uncertainty_bytes(const struct network *network); /* bytes allocated meanwhile */

#endif
