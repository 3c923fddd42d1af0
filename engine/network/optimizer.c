#include "engine/network/optimizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/internal.h"

static bool has_average(const struct dn_training_spec *spec) {
    return spec->ema_decay > 0;
}

size_t optimizer_bytes(size_t size, const struct dn_training_spec *spec) {
    return (has_average(spec) ? 3 : 2) * floats_bytes(size);
}

enum dn_status optimizer_init(struct optimizer *optimizer, size_t size,
                              const struct dn_training_spec *spec, const struct kernels *kernels,
                              struct dn_error *error) {
    memset(optimizer, 0, sizeof *optimizer);
    optimizer->kernels = kernels;
    optimizer->size = size;
    optimizer->m = floats_new(size);
    optimizer->v = floats_new(size);
    optimizer->average = has_average(spec) ? floats_new(size) : NULL;
    if (!optimizer->m || !optimizer->v || (has_average(spec) && !optimizer->average)) {
        optimizer_clear(optimizer);
        return error_set(error, DN_NO_MEMORY, "out of memory");
    }
    return DN_OK;
}

void optimizer_start(struct optimizer *optimizer, const float *parameters) {
    if (optimizer->average)
        memcpy(optimizer->average, parameters, optimizer->size * sizeof *parameters);
}

void optimizer_clear(struct optimizer *optimizer) {
    free(optimizer->m);
    free(optimizer->v);
    free(optimizer->average);
    memset(optimizer, 0, sizeof *optimizer);
}

double optimizer_learning_rate(const struct dn_training_spec *spec, int64_t step, int64_t total) {
    const int64_t warmup = spec->lr_warmup_steps;
    if (step <= warmup)
        return spec->learning_rate * (double)step / (double)warmup;
    const double done = (double)(step - 1 - warmup) / (double)(total - warmup);
    switch (spec->lr_schedule) {
    case DN_LR_CONSTANT: break;
    case DN_LR_COSINE: return spec->learning_rate * (1 + cos(M_PI * done)) / 2;
    case DN_LR_LINEAR: return spec->learning_rate * (1 - done);
    }
    return spec->learning_rate;
}

/* base^n by squaring, so that a step calls no library function and a checkpoint holds no powers. */
static double power(double base, int64_t n) {
    double result = 1;
    for (; n > 0; n /= 2, base *= base)
        if (n % 2 == 1)
            result *= base;
    return result;
}

double optimizer_step(struct optimizer *optimizer, const struct dn_training_spec *spec,
                      int64_t total_steps, float *parameters, const float *gradients) {
    const struct kernels *k = optimizer->kernels;
    const double beta1 = 0.9, beta2 = 0.999;
    int64_t step = ++optimizer->steps;
    double norm = sqrt(k->sum_squares(optimizer->size, gradients));
    struct adam_step adam = {
        .learning_rate = (float)optimizer_learning_rate(spec, step, total_steps),
        .epsilon = 1e-8f,
        .rate1 = (float)(1 - beta1),
        .rate2 = (float)(1 - beta2),
        .correction1 = (float)(1 / (1 - power(beta1, step))),
        .correction2 = (float)(1 / (1 - power(beta2, step))),
        .scale = 1,
    };
    adam.keep = (float)(1 - (double)adam.learning_rate * spec->weight_decay);
    if (spec->gradient_clip > 0 && norm > spec->gradient_clip)
        adam.scale = (float)(spec->gradient_clip / norm);
    /* a short memory at first, so that the average forgets the initial weights */
    const double decay = fmin(spec->ema_decay, (1.0 + (double)step) / (10.0 + (double)step));
    adam.follow = 1 - (float)decay;
    k->adam(optimizer->size, parameters, gradients, optimizer->m, optimizer->v, optimizer->average,
            &adam);
    return norm;
}
