/*
 * evaluate.c - comparing a model with fresh data and exact shapes.
 */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/data/data.h"
#include "engine/denoise.h"
#include "engine/internal.h"
#include "engine/model/memory.h"

/* ------------------------------------------------------------------ fresh data */

/* Points of a pattern that are in no training set, because their numbers are above every n. */
static uint64_t fresh_number(int which) {
    return (uint64_t)(which + 1) << 32;
}

static bool all_patterns(const struct dn_dataset_spec *set) {
    bool all = true;
    for (int k = 0; k < set->source_count; k++)
        all &= set->sources[k].pattern != DN_UPLOADED;
    return all;
}

/* Points of the sources, in proportion to their sizes. */
static void fresh_patterns(const struct dn_dataset_spec *set, int which, uint64_t seed,
                           struct dn_data *out) {
    float *points = (float *)out->points;
    int32_t *labels = (int32_t *)out->labels;
    double all = 0, until = 0;
    size_t first = 0;
    for (int k = 0; k < set->source_count; k++)
        all += set->sources[k].n;
    for (int k = 0; k < set->source_count; k++) {
        until += set->sources[k].n;
        const size_t last = (size_t)floor((double)out->n * until / all + 0.5);
        dn_pattern_draw((enum dn_pattern)set->sources[k].pattern, seed, fresh_number(which),
                        last - first, points + 2 * first);
        for (; first < last; first++)
            if (labels)
                labels[first] = k;
    }
}

/* Rows order[0..n-1] of the data, class by class. */
static void gather_by_class(const struct dn_data *data, const int32_t *order, struct dn_data *out) {
    const size_t dim = (size_t)data->dim;
    const int classes = data->labels ? data->classes : 1;
    float *points = (float *)out->points;
    int32_t *labels = (int32_t *)out->labels;
    size_t done = 0;
    for (int k = 0; k < classes; k++)
        for (size_t i = 0; i < out->n; i++) {
            const size_t row = (size_t)order[i];
            if (data->labels && data->labels[row] != k)
                continue;
            for (size_t j = 0; j < dim; j++)
                points[done * dim + j] =
                    data->values ? (float)data->values[row * dim + j] : data->points[row * dim + j];
            if (labels)
                labels[done] = k;
            done++;
        }
    assert(done == out->n); /* every label is a class */
}

/* Fewer than n if the sets are two halves of the data. */
static size_t fresh_count(const struct dn_dataset_spec *set, size_t all, size_t n) {
    return all_patterns(set) || n <= all / 2 ? n : all / 2;
}

enum dn_status dn_data_fresh(const struct dn_spec *spec, const struct dn_data *data, int which,
                             uint64_t seed, size_t n, struct dn_data *out, struct dn_error *error) {
    const struct dn_dataset_spec *set = &spec->dataset;
    const size_t all = data->n + data->n_val, count = fresh_count(set, all, n);
    const bool patterns = all_patterns(set);
    struct dn_data made;
    if (which < 0 || which > 1 || count < 1)
        return error_set(error, DN_INVALID, "there are not enough points for two sets");
    int32_t *order = patterns ? NULL : calloc(all, sizeof *order);
    if (!patterns && !order)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    const int classes = data->labels ? data->classes : 0;
    enum dn_status status = data_new(&made, data->dim, count, 0, classes, error);
    if (status == DN_OK && patterns) {
        fresh_patterns(set, which, seed, &made);
    } else if (status == DN_OK) {
        dn_shuffle(seed, (int)all, order);
        gather_by_class(data, order + (which ? all / 2 : 0), &made);
    }
    free(order);
    if (status == DN_OK)
        *out = made;
    return status;
}

/* ------------------------------------------------------------------ the exact shapes */

bool dn_spec_has_distance(const struct dn_spec *spec) {
    bool all = true;
    for (int k = 0; k < spec->dataset.source_count; k++) {
        const int pattern = spec->dataset.sources[k].pattern;
        all &= pattern != DN_UPLOADED && dn_pattern_has_distance((enum dn_pattern)pattern);
    }
    return all;
}

void dn_spec_distances(const struct dn_spec *spec, int label, const float *points, size_t n,
                       double *distances) {
    enum { BLOCK = 256 };
    const struct dn_dataset_spec *set = &spec->dataset;
    double of_source[BLOCK];
    for (size_t i = 0; i < n; i++)
        distances[i] = INFINITY;
    for (int k = 0; k < set->source_count; k++) {
        if (label >= 0 && set->source_count > 1 && k != label)
            continue;
        for (size_t first = 0; first < n; first += BLOCK) {
            const size_t count = n - first < BLOCK ? n - first : BLOCK;
            dn_pattern_distances((enum dn_pattern)set->sources[k].pattern, points + 2 * first,
                                 count, of_source, NULL);
            for (size_t i = 0; i < count; i++)
                distances[first + i] = fmin(distances[first + i], of_source[i]);
        }
    }
}

/* ------------------------------------------------------------------ one evaluation */

/* Points of the model with the labels of those in `like`, class by class. */
static enum dn_status sample_like(const struct dn_model *model, const struct dn_data *like,
                                  uint64_t seed, float *points, dn_stop_flag *stop,
                                  struct dn_error *error) {
    enum dn_status status = DN_OK;
    size_t first = 0;
    while (first < like->n && status == DN_OK) {
        size_t last = first + 1;
        while (last < like->n && (!like->labels || like->labels[last] == like->labels[first]))
            last++;
        const struct dn_usual_sampling usual = dn_sample_usual(dn_model_spec(model), false);
        struct dn_sample_request request = {
            .first = (int)first,
            .n = (int)(last - first),
            .seed = seed,
            .sampler = usual.sampler,
            .steps = usual.steps,
            .clip = true,
            .guidance = like->labels ? 1 : 0,
            .label = like->labels ? like->labels[first] : DN_LABELS_IN_TURN,
        };
        struct dn_sample_result result = {.points = points + first * (size_t)like->dim};
        status = dn_sample(model, &request, &result, stop, error);
        first = last;
    }
    return status;
}

static double mean_of(const double *values, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += values[i];
    return sum / (double)n;
}

static size_t distances_bytes(size_t n) {
    return (n + 1) * sizeof(double);
}

/* The fresh points stay allocated; the order that they were chosen in does not. */
size_t evaluate_bytes(const struct dn_spec *spec, const struct network *network, size_t n) {
    const size_t dim = (size_t)spec->dataset.dim;
    size_t training, validation;
    data_count(spec, &training, &validation);
    const size_t all = training + validation;
    n = fresh_count(&spec->dataset, all, n);
    if (n == 0)
        return 0; /* DN_INVALID at once */
    const size_t fresh = data_bytes(spec->dataset.dim, n, spec->dataset.classes, DATA_POINTS);
    const size_t order = all_patterns(&spec->dataset) ? 0 : all * sizeof(int32_t);
    const size_t sample = sample_bytes(network, n), pair = pair_bytes(n, n, dim);
    const size_t points =
        floats_bytes(n * dim) + distances_bytes(n) + (sample > pair ? sample : pair);
    return fresh + (order > points ? order : points);
}

enum dn_status dn_evaluate(const struct dn_model *model, const struct dn_data *data, int n,
                           uint64_t seed, struct dn_evaluation *result, dn_stop_flag *stop,
                           struct dn_error *error) {
    const struct dn_spec *spec = dn_model_spec(model);
    struct dn_data fresh = {0};
    struct dn_evaluation found = {NAN, NAN};
    if (spec->dataset.height > 0)
        return error_set(error, DN_INVALID, "distances of points say nothing of images");
    enum dn_status status = dn_data_fresh(spec, data, 0, seed, (size_t)n, &fresh, error);
    if (status != DN_OK)
        return status;
    float *points = floats_new(fresh.n * (size_t)fresh.dim);
    double *distances = malloc(distances_bytes(fresh.n));
    if (!points || !distances)
        status = error_set(error, DN_NO_MEMORY, "out of memory");
    if (status == DN_OK)
        status = sample_like(model, &fresh, seed, points, stop, error);
    if (status == DN_OK && dn_spec_has_distance(spec)) {
        dn_spec_distances(spec, -1, points, fresh.n, distances);
        found.curve_distance = mean_of(distances, fresh.n);
    }
    if (status == DN_OK)
        status = dn_metric(DN_ENERGY_DISTANCE, &(struct dn_points){points, fresh.n, fresh.dim},
                           &(struct dn_points){fresh.points, fresh.n, fresh.dim},
                           &found.energy_distance, &(struct dn_breaks){.stop = stop}, error);
    if (status == DN_OK)
        *result = found;
    free(points);
    free(distances);
    dn_data_clear(&fresh);
    return status;
}
