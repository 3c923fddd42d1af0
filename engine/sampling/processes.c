/*
 * processes.c - two ways between data and noise that need no network: the forward process, and
 * straight lines.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"
#include "engine/denoise.h"
#include "engine/diffusion/diffusion.h"
#include "engine/internal.h"
#include "engine/model/model.h"

/* Patterns are in model units already. */
static void units_of(const struct dn_points *fit, int dim, struct transform *transform) {
    if (fit) {
        transform_fit(transform, DN_MINMAX, fit->points, fit->n, dim);
        return;
    }
    transform->quantiles = NULL;
    transform->channels = 0;
    for (int j = 0; j < dim; j++) {
        transform->shift[j] = 0;
        transform->scale[j] = 1;
    }
}

enum dn_status dn_forward(const struct dn_diffusion_spec *spec, const struct dn_points *points,
                          const struct dn_points *fit, uint64_t seed, int frames, float *x,
                          const struct dn_breaks *breaks, struct dn_error *error) {
    const int T = spec->timesteps, dim = points->dim;
    const size_t n = points->n, values = n * (size_t)dim;
    struct transform transform;
    struct schedule schedule;
    if (frames < 2 || frames > T + 1)
        return error_set(error, DN_INVALID, "frames must be 2..%d, got %d", T + 1, frames);
    enum dn_status status = schedule_init(&schedule, spec, error);
    if (status != DN_OK)
        return status;
    float *now = floats_new(2 * values), *noise = now ? now + values : NULL;
    if (!now)
        status = error_set(error, DN_NO_MEMORY, "out of memory");
    if (status == DN_OK) {
        units_of(fit, dim, &transform);
        transform_forward(&transform, n, dim, points->points, now);
        memcpy(x, points->points, values * sizeof *x);
    }
    for (int t = 1, k = 1; t <= T && status == DN_OK; t++) {
        random_normals(kernels_get(), seed, RANDOM_FORWARD, (uint32_t)t, 0, values, noise);
        diffusion_forward_step(&schedule, t, values, now, noise);
        if (t == dn_frame_step(k, frames, T))
            transform_backward(&transform, n, dim, now, x + (size_t)k++ * values);
        status = break_check(breaks, error);
    }
    schedule_clear(&schedule);
    free(now);
    return status;
}

void dn_noise(uint64_t seed, size_t n, int dim, const struct dn_points *fit, float *points) {
    struct transform transform;
    units_of(fit, dim, &transform);
    random_normals(kernels_get(), seed, RANDOM_START, 0, 0, n * (size_t)dim, points);
    transform_backward(&transform, n, dim, points, points);
}

void dn_straight_lines(const float *from, const float *to, size_t values, int frames, float *x) {
    for (int k = 0; k < frames; k++) {
        const float share = (float)k / (float)(frames - 1);
        for (size_t e = 0; e < values; e++)
            x[(size_t)k * values + e] = (1 - share) * from[e] + share * to[e];
    }
}
