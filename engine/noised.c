/*
 * noised.c - see noised.h.
 */
#include "engine/noised.h"

#include <stdlib.h>

#include "engine/diffusion.h"
#include "engine/kernels.h"

bool noised_init(struct noised *noised, const struct dn_spec *spec, size_t n) {
    const size_t stride = (n * (size_t)spec->dataset.dim + 15) / 16 * 16;
    const bool labelled = spec->dataset.classes > 0;
    noised->n = n;
    noised->t = calloc(n ? n : 1, sizeof *noised->t);
    noised->seen = labelled ? calloc(n ? n : 1, sizeof *noised->seen) : NULL;
    noised->floats = floats_new(3 * stride);
    if (!noised->t || !noised->floats || (labelled && !noised->seen))
        return false;
    noised->x_0 = noised->floats;
    noised->target = noised->floats + stride;
    noised->x_t = noised->floats + 2 * stride;
    return true;
}

void noised_clear(struct noised *noised) {
    free(noised->t);
    free(noised->seen);
    free(noised->floats);
}

static void hide_labels(struct noised *noised, const struct dn_spec *spec, size_t n,
                        enum random_stream stream, uint32_t step) {
    enum { RANGE = 1 << 30, RUN = 64 };
    const double limit = spec->training.p_uncond * RANGE;
    int32_t draws[RUN];
    for (size_t i = 0; i < n; i++) {
        if (i % RUN == 0)
            random_integers(spec->seed, stream, step, i, RUN, RANGE, draws);
        if (draws[i % RUN] < limit)
            noised->seen[i] = spec->dataset.classes;
    }
}

void noised_draw(struct noised *noised, const struct dn_spec *spec, const struct schedule *schedule,
                 size_t n, const struct noised_streams *streams, uint32_t step) {
    const enum dn_prediction prediction = spec->diffusion.prediction_type;
    const int dim = spec->dataset.dim;
    random_integers(spec->seed, streams->timestep, step, 0, n, (uint32_t)schedule->timesteps,
                    noised->t);
    for (size_t i = 0; i < n; i++)
        noised->t[i]++;
    random_normals(spec->seed, streams->noise, step, 0, n * (size_t)dim, noised->target);
    diffusion_q_sample(schedule, noised->t, n, dim, noised->x_0, noised->target, noised->x_t);
    if (prediction != DN_EPSILON)
        diffusion_target(schedule, prediction, noised->t, n, dim, noised->x_0, noised->target,
                         noised->target);
    if (noised->seen)
        hide_labels(noised, spec, n, streams->label, step);
}
