/*
 * walk.c - the equation of plan.h. Its terms are added in one order, so that the bits of a point do
 * not depend on its place in an array.
 */
#include "engine/sampling/walk.h"

#include "engine/base/random.h"

static void combine_two(const struct plan_step *step, size_t count, float *x, const float *x_0) {
    const float from_x0 = step->from_x0, from_xt = step->from_xt;
    for (size_t i = 0; i < count; i++)
        x[i] = from_x0 * x_0[i] + from_xt * x[i];
}

static void combine_three(const struct plan_step *step, size_t count, float *x, const float *x_0,
                          float factor, const float *third) {
    const float from_x0 = step->from_x0, from_xt = step->from_xt;
    for (size_t i = 0; i < count; i++)
        x[i] = from_x0 * x_0[i] + from_xt * x[i] + factor * third[i];
}

void walk_step(struct walk *walk, const struct plan_step *step, const struct denoiser *denoiser) {
    const size_t count = walk->n * walk->dim;
    float *before = walk->x_0; /* the other estimate is that of the step before, .. */
    walk->x_0 = walk->other;
    walk->other = before;
    denoiser->estimate(denoiser->context, step->t, walk->n, walk->x, walk->x_0);
    if (step->corrects) { /* .. or one made ahead */
        for (size_t i = 0; i < count; i++)
            walk->z[i] = step->predict_x0 * walk->x_0[i] + step->predict_xt * walk->x[i];
        denoiser->estimate(denoiser->context, step->u, walk->n, walk->z, walk->other);
    }
    if (step->deviation > 0) {
        random_normals(walk->seed, RANDOM_REVERSE, (uint32_t)step->t, walk->first * walk->dim,
                       count, walk->z);
        combine_three(step, count, walk->x, walk->x_0, step->deviation, walk->z);
    } else if (step->from_other != 0) {
        combine_three(step, count, walk->x, walk->x_0, step->from_other, walk->other);
    } else {
        combine_two(step, count, walk->x, walk->x_0);
    }
}
