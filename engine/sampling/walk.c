/*
 * walk.c - the equation of plan.h. Its terms are added in one order, so that the bits of a point do
 * not depend on its place in an array.
 */
#include "engine/sampling/walk.h"

#include <string.h>

/* x = from_x0 x_0 + from_xt x, and a third term unless its factor is 0. */
static void combine(const struct plan_step *step, size_t count, float *x, const float *x_0,
                    float factor, const float *third) {
    const float from_x0 = step->from_x0, from_xt = step->from_xt;
    if (factor == 0) {
        for (size_t i = 0; i < count; i++)
            x[i] = from_x0 * x_0[i] + from_xt * x[i];
        return;
    }
    for (size_t i = 0; i < count; i++)
        x[i] = from_x0 * x_0[i] + from_xt * x[i] + factor * third[i];
}

static void add_noise(size_t count, float *x, float deviation, const float *z) {
    for (size_t i = 0; i < count; i++)
        x[i] += deviation * z[i];
}

void walk_noise(const struct walk *walk, enum random_stream stream, uint32_t step, float *out) {
    const size_t dim = walk->dim;
    if (walk->per_noise <= 1) {
        random_normals(walk->kernels, walk->seed, stream, step, walk->first * dim, walk->n * dim,
                       out);
        return;
    }
    for (size_t i = 0; i < walk->n; i++) {
        const uint64_t point = walk->first + i;
        if (i > 0 && point % walk->per_noise > 0)
            memcpy(out + i * dim, out + (i - 1) * dim, dim * sizeof *out);
        else
            random_normals(walk->kernels, walk->seed, stream, step, point / walk->per_noise * dim,
                           dim, out + i * dim);
    }
}

void walk_step(struct walk *walk, const struct plan_step *step, const struct denoiser *denoiser) {
    const size_t count = walk->n * walk->dim;
    const bool is_noisy = step->deviation > 0, restores = step->growth && walk->restorer;
    float *before = walk->x_0; /* the other estimate is that of the step before, .. */
    walk->x_0 = walk->other;
    walk->other = before;
    denoiser->estimate(denoiser->context, step->t, walk->n, walk->x, walk->x_0);
    if (step->corrects) { /* .. or one made ahead */
        for (size_t i = 0; i < count; i++)
            walk->z[i] = step->predict_x0 * walk->x_0[i] + step->predict_xt * walk->x[i];
        denoiser->estimate(denoiser->context, step->u, walk->n, walk->z, walk->other);
    }
    if (is_noisy)
        walk_noise(walk, RANDOM_REVERSE, (uint32_t)step->t, walk->z);
    if (is_noisy && !restores && step->from_other == 0) { /* in one pass */
        combine(step, count, walk->x, walk->x_0, step->deviation, walk->z);
        return;
    }
    combine(step, count, walk->x, walk->x_0, step->from_other, walk->other);
    if (restores)
        restorer_apply(walk->restorer, step, walk->n, walk->x);
    if (is_noisy)
        add_noise(count, walk->x, step->deviation, walk->z);
}
