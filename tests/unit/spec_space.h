/*
 * spec_space.h - the space of specs that the contract allows, as tests go through it.
 *
 * A factor is a field with the values that matter: its extremes, what lies next to a boundary in
 * the code, and a usual one. Each row of engine/spec_fields.h needs one, or this does not compile. A
 * point of the space has a value of each. Pairwise coverage (Cohen et al. 1997, "The AETG system")
 * takes few points, and yet any two values of any two fields meet in one of them: most faults need
 * no more than two.
 */
#ifndef TESTS_SPEC_SPACE_H
#define TESTS_SPEC_SPACE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/denoise.h"

enum { MAX_VALUES = 16 };

enum set_kind { SET_PATTERN, SET_UPLOAD, SET_MIXTURE, SET_UPLOADS, SET_BOTH };

#define VALUES(...)                                                                                \
    (int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)), {                                     \
        __VA_ARGS__                                                                                \
    }
#define FACTORS(X)                                                                                 \
    X(set, VALUES(SET_PATTERN, SET_UPLOAD, SET_MIXTURE, SET_UPLOADS, SET_BOTH))                    \
    X(dim, VALUES(1, 2, 3, 16, 17, 63, 64))                                                        \
    X(classes, VALUES(0, 1, 2, 64))                                                                \
    X(n, VALUES(1, 2, 30, 1000))                                                                   \
    X(batch_size, VALUES(1, 2, 31, 32, 33, 127, 128, 129, 256, 65536))                             \
    X(threads, VALUES(0, 1, 2, 64))                                                                \
    X(timesteps, VALUES(1, 2, 3, 40, 1000, 4000))                                                  \
    X(beta_schedule, VALUES(0, 1, 2, 3, 4, 5))                                                     \
    X(beta_start, VALUES(1e-9, 1e-6, 1e-4, 0.1, 0.5))                                              \
    X(beta_end, VALUES(1e-9, 9e-4, 0.02, 0.7, 0.999))                                              \
    X(ratio_min, VALUES(1e-4, 0.002, 0.5))                                                         \
    X(ratio_max, VALUES(1, 10, 80, 1e4))                                                           \
    X(prediction_type, VALUES(0, 1, 2, 3))                                                         \
    X(zero_terminal_snr, VALUES(0, 1))                                                             \
    X(hidden_size, VALUES(8, 10, 16, 18, 62, 64, 66, 126, 128, 130, 256, 512, 1022, 1024))         \
    X(hidden_layers, VALUES(1, 2, 3, 4, 5, 6, 7, 8))                                               \
    X(time_embedding, VALUES(0, 1))                                                                \
    X(conditioning, VALUES(0, 1))                                                                  \
    X(input_features, VALUES(0, 1, 3, 4))                                                          \
    X(output_levels, VALUES(0, 1, 2, 8, 16))                                                       \
    X(given, VALUES(0, 1))                                                                         \
    X(loss, VALUES(0, 1, 2))                                                                       \
    X(min_snr_gamma, VALUES(0, 1e-9, 5, 1e6))                                                      \
    X(timestep_focus, VALUES(0, 1e-9, 0.3, 1000))                                                  \
    X(validation_fraction, VALUES(0, 0.001, 0.1, 0.9))                                             \
    X(normalization, VALUES(0, 1, 2, 3))                                                           \
    X(ema_decay, VALUES(0, 0.999, 0.999999))                                                       \
    X(weight_decay, VALUES(0, 0.01, 10))                                                           \
    X(learning_rate, VALUES(1e-9, 1e-3, 10))                                                       \
    X(lr_schedule, VALUES(0, 1, 2))                                                                \
    X(lr_warmup_steps, VALUES(0, 1, 1000000))                                                      \
    X(gradient_clip, VALUES(0, 1e-9, 1, 1e9))                                                      \
    X(p_uncond, VALUES(0, 0.2, 1))                                                                 \
    X(keep_best, VALUES(0, 1))                                                                     \
    X(checkpoint_every, VALUES(1))                                                                 \
    X(evaluate_every, VALUES(0))                                                                   \
    X(epochs, VALUES(1, 2, 1000000))

enum factor {
#define ENUM(name, ...) F_##name,
    FACTORS(ENUM)
#undef ENUM
        FACTOR_COUNT
};

static const struct factor_row {
    const char *name;
    int count;
    double values[MAX_VALUES];
} factors[FACTOR_COUNT] = {
#define ROW(name, ...) {#name, __VA_ARGS__},
    FACTORS(ROW)
#undef ROW
};

/* A value of each factor. */
struct place {
    double value[FACTOR_COUNT];
};

/* ------------------------------------------------------------------ from a place to a spec */

static inline int count_sources(const struct place *place) {
    const int classes = (int)place->value[F_classes];
    return place->value[F_set] <= SET_UPLOAD ? 1 : classes < 2 ? 2 : classes;
}

static inline void place_dataset(const struct place *place, struct dn_dataset_spec *set) {
    static const int patterns[] = {DN_SPIRAL, DN_GAUSSIAN_GRID, DN_LETTERS, DN_RINGS};
    const enum set_kind kind = (enum set_kind)place->value[F_set];
    const int n = (int)place->value[F_n];
    set->source_count = count_sources(place);
    set->dim = (int)place->value[F_dim];
    set->classes = (int)place->value[F_classes];
    for (int k = 0; k < set->source_count; k++) {
        const bool uploaded =
            kind == SET_UPLOAD || kind == SET_UPLOADS || (kind == SET_BOTH && k % 2 == 1);
        set->sources[k] = (struct dn_source){
            .pattern = uploaded ? DN_UPLOADED : patterns[k % 4],
            .n = n < set->source_count ? n : n / set->source_count,
            .seed = (uint64_t)k,
        };
    }
}

static inline struct dn_spec place_spec(const struct place *place) {
    const double *v = place->value;
    struct dn_spec spec = {.seed = 1};
#define FIELD(group, name, ...) spec.group.name = (__typeof__(spec.group.name))v[F_##name];
#define IMAGE(...)              /* networks for images have a space of their own */
#include "engine/spec_fields.h"
    /* two fields have this name, but each its own factor */
    spec.training.conditioning = (enum dn_given)v[F_given];
    place_dataset(place, &spec.dataset);
    return spec;
}

static inline void place_print(const struct place *place, FILE *out) {
    for (int f = 0; f < FACTOR_COUNT; f++)
        fprintf(out, "%s%s %.9g", f ? ", " : "", factors[f].name, place->value[f]);
    fprintf(out, "\n");
}

/* Some places cost too much for a test: those with more parameters than this (32 MB of them), or
 * with more work for the rows of two steps. A pair of values is not refused for that as long as
 * other values are small. */
#define PLACE_PARAMETERS 9e6
#define PLACE_WORK       6e8

static inline bool place_is_cheap(const struct place *place, const struct dn_spec *spec) {
    const double parameters = (double)dn_spec_parameters(spec);
    const double *v = place->value;
    const double rows = v[F_batch_size] < v[F_n] ? v[F_batch_size] : v[F_n];
    const double all = 4 * rows + 2 * v[F_n] * v[F_validation_fraction] + 16;
    return parameters <= PLACE_PARAMETERS && parameters * all <= PLACE_WORK;
}

/* Does the engine accept it, and does a test? */
static inline bool place_is_allowed(const struct place *place) {
    const struct dn_spec spec = place_spec(place);
    return dn_spec_check(&spec, NULL) == DN_OK && place_is_cheap(place, &spec);
}

/* ------------------------------------------------------------------ pairs */

struct random_source {
    uint64_t state;
};

static inline uint32_t random_below(struct random_source *source, uint32_t n) {
    source->state = source->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((source->state >> 33) % n);
}

/* Which pairs of values have met: value i of factor f and value j of factor g, f < g. */
enum pair_state { PAIR_OPEN, PAIR_COVERED, PAIR_REFUSED };
struct pairs {
    unsigned char state[FACTOR_COUNT][FACTOR_COUNT][MAX_VALUES][MAX_VALUES];
};

/* A place in terms of the numbers of values. */
struct choice {
    int value[FACTOR_COUNT]; /* -1: not yet */
};

static inline struct place choice_place(const struct choice *choice) {
    struct place place;
    for (int f = 0; f < FACTOR_COUNT; f++)
        place.value[f] = factors[f].values[choice->value[f]];
    return place;
}

static inline void pairs_cover(struct pairs *pairs, const struct choice *choice) {
    for (int f = 0; f < FACTOR_COUNT; f++)
        for (int g = f + 1; g < FACTOR_COUNT; g++)
            pairs->state[f][g][choice->value[f]][choice->value[g]] = PAIR_COVERED;
}

static inline bool pair_is_open(const struct pairs *pairs, int f, int i, int g, int j) {
    return (f < g ? pairs->state[f][g][i][j] : pairs->state[g][f][j][i]) == PAIR_OPEN;
}

/* Open pairs that value i of factor f would close with what is chosen. */
static inline int gain_of(const struct pairs *pairs, const struct choice *choice, int f, int i) {
    int gain = 0;
    for (int g = 0; g < FACTOR_COUNT; g++)
        gain += g != f && choice->value[g] >= 0 && pair_is_open(pairs, f, i, g, choice->value[g]);
    return gain;
}

/* Chooses what is not chosen, in a random order: of each factor the value that closes most pairs,
 * or (with some probability, the more often it was tried in vain) any. */
static inline void fill_choice(const struct pairs *pairs, struct choice *choice, int tried,
                               struct random_source *source) {
    int order[FACTOR_COUNT];
    for (int f = 0; f < FACTOR_COUNT; f++) {
        const int j = (int)random_below(source, (uint32_t)f + 1);
        order[f] = order[j];
        order[j] = f;
    }
    for (int k = 0; k < FACTOR_COUNT; k++) {
        const int f = order[k];
        int best = (int)random_below(source, (uint32_t)factors[f].count);
        if (choice->value[f] >= 0)
            continue;
        if ((int)random_below(source, 64) >= tried)
            for (int i = 0, start = best; i < factors[f].count; i++) {
                const int value = (start + i) % factors[f].count;
                if (gain_of(pairs, choice, f, value) > gain_of(pairs, choice, f, best))
                    best = value;
            }
        choice->value[f] = best;
    }
}

/* A place with value i of f and j of g, that closes many other open pairs. False: in many tries
 * there was none that is allowed. */
static inline bool find_place(const struct pairs *pairs, int f, int i, int g, int j,
                              struct random_source *source, struct choice *found) {
    enum { TRIES = 4000 };
    for (int tried = 0; tried < TRIES; tried++) {
        struct choice choice;
        memset(choice.value, 0xff, sizeof choice.value);
        choice.value[f] = i;
        choice.value[g] = j;
        fill_choice(pairs, &choice, tried, source);
        const struct place place = choice_place(&choice);
        if (place_is_allowed(&place)) {
            *found = choice;
            return true;
        }
    }
    return false;
}

/* Places in which all pairs meet that may, into places [most]; returns how many. pairs ends with
 * what became of each. */
static inline int pairwise_places(uint64_t seed, struct pairs *pairs, struct place *places,
                                  int most) {
    struct random_source source = {seed};
    struct choice choice;
    int count = 0;
    memset(pairs, 0, sizeof *pairs);
    for (int f = 0; f < FACTOR_COUNT; f++)
        for (int g = f + 1; g < FACTOR_COUNT; g++)
            for (int i = 0; i < factors[f].count; i++)
                for (int j = 0; j < factors[g].count && count < most; j++) {
                    if (pairs->state[f][g][i][j] != PAIR_OPEN)
                        continue;
                    if (!find_place(pairs, f, i, g, j, &source, &choice)) {
                        pairs->state[f][g][i][j] = PAIR_REFUSED;
                        continue;
                    }
                    pairs_cover(pairs, &choice);
                    places[count++] = choice_place(&choice);
                }
    return count;
}

/* A place with any values between the extremes, as well as these. */
static inline struct place random_place(struct random_source *source) {
    struct place place;
    do {
        for (int f = 0; f < FACTOR_COUNT; f++) {
            const struct factor_row *row = &factors[f];
            const double low = row->values[0], high = row->values[row->count - 1];
            const double share = random_below(source, 1u << 30) / (double)(1u << 30);
            const bool is_whole = high >= 2 && low == (double)(int64_t)low;
            place.value[f] = row->values[random_below(source, (uint32_t)row->count)];
            if (f != F_epochs && f != F_set && f != F_n && random_below(source, 3) == 0)
                place.value[f] = low + (high - low) * share * share * share;
            if (is_whole && f != F_timestep_focus && f != F_min_snr_gamma && f != F_gradient_clip)
                place.value[f] = (double)(int64_t)place.value[f];
        }
        place.value[F_hidden_size] -= (int)place.value[F_hidden_size] % 2;
        place.value[F_zero_terminal_snr] = place.value[F_zero_terminal_snr] >= 0.5;
        place.value[F_keep_best] = place.value[F_keep_best] >= 0.5;
        place.value[F_time_embedding] = place.value[F_time_embedding] >= 0.5;
        place.value[F_conditioning] = place.value[F_conditioning] >= 0.5;
        place.value[F_given] = place.value[F_given] >= 0.5;
    } while (!place_is_allowed(&place));
    return place;
}

#endif
