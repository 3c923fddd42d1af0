#include "engine/diffusion/noised.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/diffusion/diffusion.h"

/* Size of each of the three arrays of points. */
static size_t stride_of(const struct dn_spec *spec, size_t n) {
    return kernels_pad(n * (size_t)spec->dataset.dim);
}

static size_t until_length(const struct dn_spec *spec) {
    return spec->training.timestep_focus == 0 ? 0 : (size_t)spec->diffusion.timesteps + 1;
}

static bool noised_focus(struct noised *noised, const struct dn_spec *spec,
                         const struct schedule *schedule) {
    const int T = schedule->timesteps;
    const double focus = spec->training.timestep_focus;
    const size_t length = until_length(spec);
    if (length == 0)
        return true;
    noised->until = calloc(length, sizeof *noised->until);
    for (int t = 1; noised->until && t <= T; t++)
        noised->until[t] = schedule_angle(schedule, focus, t) / schedule_angle(schedule, focus, T);
    return noised->until;
}

size_t noised_bytes(const struct dn_spec *spec, size_t n) {
    const size_t integers = (n ? n : 1) * (spec->dataset.classes > 0 ? 2 : 1);
    const size_t given = spec->training.conditioning == DN_GIVEN_ANY ? n : 0;
    return integers * sizeof(int32_t) + given * sizeof(uint64_t) +
           floats_bytes(3 * stride_of(spec, n)) + until_length(spec) * sizeof(double);
}

bool noised_init(struct noised *noised, const struct dn_spec *spec, const struct schedule *schedule,
                 const struct kernels *kernels, size_t n) {
    const size_t stride = stride_of(spec, n);
    const bool labeled = spec->dataset.classes > 0;
    const bool shows = spec->training.conditioning == DN_GIVEN_ANY;
    noised->kernels = kernels;
    noised->n = n;
    noised->t = calloc(n ? n : 1, sizeof *noised->t);
    noised->seen = labeled ? calloc(n ? n : 1, sizeof *noised->seen) : NULL;
    noised->floats = floats_new(3 * stride);
    if (shows)
        noised->given = calloc(n ? n : 1, sizeof *noised->given);
    if (!noised->t || !noised->floats || (labeled && !noised->seen) || (shows && !noised->given))
        return false;
    noised->x_0 = noised->floats;
    noised->target = noised->floats + stride;
    noised->x_t = noised->floats + 2 * stride;
    return noised_focus(noised, spec, schedule);
}

void noised_clear(struct noised *noised) {
    free(noised->t);
    free(noised->seen);
    free(noised->given);
    free(noised->floats);
    free(noised->until);
}

/* The first t whose share of draws is above u, 0 <= u < 1. */
static int32_t timestep_at(const double *until, int T, double u) {
    int low = 1, high = T;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (until[middle] > u)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void draw_timesteps(struct noised *noised, uint64_t seed, int T, size_t n,
                           const struct noised_streams *streams, uint32_t step, size_t showing) {
    enum { RANGE = 1 << 30 };
    const bool focus = noised->until;
    random_integers(seed, streams->timestep, step, 0, n, focus ? RANGE : (uint32_t)T, noised->t);
    for (size_t i = 0; i < n; i++) {
        double u = (double)noised->t[i] / RANGE;
        if (streams->in_any_order) /* one draw from each n-th of the distribution */
            u = i < showing ? ((double)i + u) / (double)showing
                            : ((double)(i - showing) + u) / (double)(n - showing);
        noised->t[i] = focus ? timestep_at(noised->until, T, u) : noised->t[i] + 1;
    }
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

enum { GIVEN_BLOCKS = 1 + DN_MAX_DIM / 16 }; /* of random words, for a point */

/* How many points of a shuffled set show coordinates: half of them. A random bit decides about the
 * last one of an odd number. */
static size_t draw_showing(uint64_t seed, size_t n, enum random_stream stream, uint32_t step) {
    uint32_t block[4];
    random_block(seed, stream, step, n * GIVEN_BLOCKS, block);
    return (n + (block[0] & 1)) / 2;
}

/* The coordinates that point i shows. A first block of random words decides whether it shows any,
 * unless it is to, the probability of each, in 256ths, and the one that is free if all others are
 * not; the bytes of further blocks decide about each. */
static uint64_t draw_given(uint64_t seed, int dim, size_t i, bool shows, enum random_stream stream,
                           uint32_t step) {
    uint32_t head[4], words[4];
    uint64_t given = 0;
    random_block(seed, stream, step, i * GIVEN_BLOCKS, head);
    if (!shows && head[0] & 1)
        return 0;
    for (int j = 0; j < dim; j++) {
        if (j % 16 == 0)
            random_block(seed, stream, step, i * GIVEN_BLOCKS + 1 + (uint64_t)j / 16, words);
        const uint32_t byte = words[j / 4 % 4] >> (j % 4 * 8) & 0xff;
        given |= (uint64_t)(byte < (head[1] & 0xff)) << j;
    }
    const int free_one = (int)((uint64_t)head[2] * (uint64_t)dim >> 32);
    return __builtin_popcountll(given) == dim ? given & ~(1ull << free_one) : given;
}

static void give_coordinates(struct noised *noised, const struct dn_spec *spec, size_t n,
                             const struct noised_streams *streams, uint32_t step, size_t showing) {
    const size_t dim = (size_t)spec->dataset.dim;
    memset(noised->given, 0, n * sizeof *noised->given);
    for (size_t i = 0; i < showing; i++) {
        uint64_t given = noised->given[i] = draw_given(spec->seed, spec->dataset.dim, i,
                                                       streams->in_any_order, streams->given, step);
        for (; given; given &= given - 1) {
            const size_t e = i * dim + (size_t)__builtin_ctzll(given);
            noised->x_t[e] = noised->x_0[e];
        }
    }
}

size_t noised_count_free(const struct noised *noised, size_t n, int dim) {
    size_t count = n * (size_t)dim;
    for (size_t i = 0; noised->given && i < n; i++)
        count -= (size_t)__builtin_popcountll(noised->given[i]);
    return count;
}

void noised_draw(struct noised *noised, const struct dn_spec *spec, const struct schedule *schedule,
                 size_t n, const struct noised_streams *streams, uint32_t step) {
    const enum dn_prediction prediction = spec->diffusion.prediction_type;
    const int dim = spec->dataset.dim;
    const size_t showing = noised->given && streams->in_any_order
                               ? draw_showing(spec->seed, n, streams->given, step)
                               : n;
    assert(n <= noised->n);
    draw_timesteps(noised, spec->seed, schedule->timesteps, n, streams, step, showing);
    random_normals(noised->kernels, spec->seed, streams->noise, step, 0, n * (size_t)dim,
                   noised->target);
    diffusion_q_sample(schedule, noised->t, n, dim, noised->x_0, noised->target, noised->x_t);
    if (prediction != DN_EPSILON)
        diffusion_target(schedule, prediction, noised->t, n, dim, noised->x_0, noised->target,
                         noised->target);
    if (noised->seen)
        hide_labels(noised, spec, n, streams->label, step);
    if (noised->given)
        give_coordinates(noised, spec, n, streams, step, showing);
}
