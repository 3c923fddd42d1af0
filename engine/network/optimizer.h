/*
 * optimizer.h - AdamW with its state, learning-rate schedule, gradient clipping and weight
 * averaging.
 */
#ifndef ENGINE_NETWORK_OPTIMIZER_H
#define ENGINE_NETWORK_OPTIMIZER_H

#include <stddef.h>
#include <stdint.h>

#include "engine/denoise.h"

struct kernels; /* kernels.h */

struct optimizer {
    const struct kernels *kernels;
    size_t size;    /* floats of a parameter block */
    float *m, *v;   /* [size] first and second moment */
    float *average; /* [size] exponential moving average of the parameters; NULL without EMA */
    int64_t steps;  /* taken so far */
};

enum dn_status optimizer_init(struct optimizer *optimizer, size_t size,
                              const struct dn_training_spec *spec, const struct kernels *kernels,
                              struct dn_error *error);
size_t optimizer_bytes(size_t size, const struct dn_training_spec *spec); /* bytes allocated */
/* The average begins at the initial parameters. */
void optimizer_start(struct optimizer *optimizer, const float *parameters);
void optimizer_clear(struct optimizer *optimizer);

/* Learning rate of a step (1..total). It rises linearly to learning_rate, the value of the last
 * warm-up step; after that it is constant, or falls to 0 linearly or along half a cosine (SGDR's
 * annealing). */
double optimizer_learning_rate(const struct dn_training_spec *spec, int64_t step, int64_t total);

/* One step with the usual defaults (beta 0.9 and 0.999, epsilon 1e-8) and decoupled weight decay
 * (AdamW, Loshchilov & Hutter 2019). Returns the gradient's norm before clipping. */
double optimizer_step(struct optimizer *optimizer, const struct dn_training_spec *spec,
                      int64_t total_steps, float *parameters, const float *gradients);

#endif
