/*
 * data.c - training data: drawn from patterns, split from uploaded sets, and checked.
 */
#include "engine/data/data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"
#include "engine/internal.h"

/* ------------------------------------------------------------------ making */

void data_count(const struct dn_spec *spec, size_t *n, size_t *n_val) {
    *n = *n_val = 0;
    for (int k = 0; k < spec->dataset.source_count; k++) {
        size_t of_source, of_source_val;
        dn_source_split(spec, k, &of_source, &of_source_val);
        *n += of_source;
        *n_val += of_source_val;
    }
}

size_t data_bytes(int dim, size_t all, int classes) {
    return floats_bytes(all * (size_t)dim) + (classes ? all * sizeof(int32_t) : 0);
}

enum dn_status data_new(struct dn_data *data, int dim, size_t n, size_t n_val, int classes,
                        struct dn_error *error) {
    const float *points = floats_new((n + n_val) * (size_t)dim);
    const int32_t *labels = classes ? calloc(n + n_val, sizeof *labels) : NULL;
    *data = (struct dn_data){dim, n, n_val, points, labels, classes};
    if (points && (labels || !classes))
        return DN_OK;
    dn_data_clear(data);
    return error_set(error, DN_NO_MEMORY, "out of memory");
}

size_t data_deal_bytes(const struct dn_spec *spec) {
    size_t largest = 0; /* upload, of which all points are shuffled */
    for (int k = 0; k < spec->dataset.source_count; k++) {
        const struct dn_source *source = &spec->dataset.sources[k];
        if (source->pattern == DN_UPLOADED && (size_t)source->n > largest)
            largest = (size_t)source->n;
    }
    return largest * sizeof(int32_t);
}

/* The points of one source, and where its training and validation points go. */
struct deal {
    const struct dn_spec *spec;
    int k; /* the source */
    size_t n, n_val;
    float *points, *points_val;
    int32_t *labels, *labels_val; /* NULL without classes */
};

static void deal_pattern(const struct deal *deal) {
    const struct dn_source *source = &deal->spec->dataset.sources[deal->k];
    const size_t n = deal->n, n_val = deal->n_val;
    dn_pattern_draw((enum dn_pattern)source->pattern, source->seed, 0, n, deal->points);
    dn_pattern_draw((enum dn_pattern)source->pattern, source->seed, n, n_val, deal->points_val);
    for (size_t i = 0; deal->labels && i < n; i++)
        deal->labels[i] = deal->k;
    for (size_t i = 0; deal->labels && i < n_val; i++)
        deal->labels_val[i] = deal->k;
}

void dn_shuffle(uint64_t seed, int32_t n, int32_t *order) {
    random_permutation(seed, RANDOM_EPOCH_SPLIT, n, order);
}

/* A spec may come from a file, and its data set may have been replaced since. */
static bool fits_the_spec(const struct deal *deal, const struct dn_upload *upload,
                          bool own_labels) {
    const struct dn_dataset_spec *set = &deal->spec->dataset;
    if (upload->n != (size_t)set->sources[deal->k].n || upload->dim != set->dim)
        return false;
    if (!deal->labels || !own_labels)
        return true;
    bool labeled = upload->labels != NULL;
    for (size_t i = 0; labeled && i < upload->n; i++)
        labeled = upload->labels[i] >= 0 && upload->labels[i] < set->classes;
    return labeled;
}

/* The rows are shuffled first, because many files are sorted. */
static enum dn_status deal_upload(const struct deal *deal, const struct dn_upload *upload,
                                  struct dn_error *error) {
    const struct dn_dataset_spec *set = &deal->spec->dataset;
    const struct dn_source *source = &set->sources[deal->k];
    const size_t dim = (size_t)set->dim;
    const bool own_labels = set->source_count == 1;
    const size_t n = deal->n;
    if (!upload || !fits_the_spec(deal, upload, own_labels))
        return error_set(error, DN_INVALID, "the uploaded points do not match the spec");
    int32_t *order = calloc(upload->n, sizeof *order);
    if (!order)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    dn_shuffle(source->seed, (int32_t)upload->n, order);
    for (size_t i = 0; i < upload->n; i++) {
        const size_t from = (size_t)order[i], to = i < n ? i : i - n;
        memcpy((i < n ? deal->points : deal->points_val) + to * dim, upload->points + from * dim,
               dim * sizeof(float));
        if (deal->labels)
            (i < n ? deal->labels : deal->labels_val)[to] =
                own_labels ? upload->labels[from] : deal->k;
    }
    free(order);
    return DN_OK;
}

enum dn_status dn_data_draw(const struct dn_spec *spec, const struct dn_upload *uploads,
                            struct dn_data *out, struct dn_error *error) {
    enum dn_status status = dn_spec_check(spec, error);
    if (status != DN_OK)
        return status;
    struct dn_data data;
    size_t n, n_val, done = 0, done_val = 0;
    data_count(spec, &n, &n_val);
    status = data_new(&data, spec->dataset.dim, n, n_val, spec->dataset.classes, error);
    const size_t dim = (size_t)data.dim;
    float *points = (float *)data.points;
    int32_t *labels = (int32_t *)data.labels;
    for (int k = 0; k < spec->dataset.source_count && status == DN_OK; k++) {
        struct deal deal = {.spec = spec,
                            .k = k,
                            .points = points + done * dim,
                            .points_val = points + (n + done_val) * dim,
                            .labels = labels ? labels + done : NULL,
                            .labels_val = labels ? labels + n + done_val : NULL};
        dn_source_split(spec, k, &deal.n, &deal.n_val);
        if (spec->dataset.sources[k].pattern == DN_UPLOADED)
            status = deal_upload(&deal, uploads ? &uploads[k] : NULL, error);
        else
            deal_pattern(&deal);
        done += deal.n;
        done_val += deal.n_val;
    }
    if (status == DN_OK)
        *out = data;
    else
        dn_data_clear(&data);
    return status;
}

void dn_data_clear(struct dn_data *data) {
    free((void *)data->points);
    free((void *)data->labels);
    *data = (struct dn_data){0};
}

/* ------------------------------------------------------------------ checking */

static enum dn_status check_values(const struct dn_data *data, struct dn_error *error) {
    static const float LARGEST = 1e30f; /* differences and sums of these are still floats */
    const size_t dim = (size_t)data->dim;
    for (size_t e = 0; e < (data->n + data->n_val) * dim; e++)
        if (!(fabsf(data->points[e]) <= LARGEST))
            return error_set(error, DN_INVALID, "coordinate %zu of point %zu is %g; at most %g",
                             e % dim, e / dim, (double)data->points[e], (double)LARGEST);
    for (size_t i = 0; data->labels && i < data->n + data->n_val; i++)
        if (data->labels[i] < 0 || data->labels[i] >= data->classes)
            return error_set(error, DN_INVALID, "the label of point %zu is %d, not in 0..%d", i,
                             (int)data->labels[i], data->classes - 1);
    return DN_OK;
}

enum dn_status data_check(const struct dn_data *data, const struct dn_spec *spec,
                          struct dn_error *error) {
    const struct dn_dataset_spec *set = &spec->dataset;
    size_t n, n_val;
    data_count(spec, &n, &n_val);
    if (!data->points || data->n != n || data->n_val != n_val)
        return error_set(
            error, DN_INVALID,
            "the data has %zu training and %zu validation points; the spec asks for %zu and %zu",
            data->n, data->n_val, n, n_val);
    if (data->dim != set->dim)
        return error_set(error, DN_INVALID, "the points have %d dimensions; the spec says %d",
                         data->dim, set->dim);
    if (set->classes > 0 && (!data->labels || data->classes != set->classes))
        return error_set(error, DN_INVALID, "the data has %d classes; the spec says %d",
                         data->labels ? data->classes : 0, set->classes);
    return check_values(data, error);
}
