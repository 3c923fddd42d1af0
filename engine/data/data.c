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

size_t data_bytes(int dim, size_t all, int classes, enum data_form form) {
    const size_t coordinates = all * (size_t)dim;
    const size_t labels = classes ? all * sizeof(int32_t) : 0;
    return labels + (form == DATA_PIXELS
                         ? floats_bytes((coordinates + 3) / 4)
                         : floats_bytes(form == DATA_VALUES ? 2 * coordinates : coordinates));
}

enum dn_status data_new(struct dn_data *data, int dim, size_t n, size_t n_val, int classes,
                        struct dn_error *error) {
    const float *points = floats_new((n + n_val) * (size_t)dim);
    const int32_t *labels = classes ? calloc(n + n_val, sizeof *labels) : NULL;
    *data = (struct dn_data){
        .dim = dim, .n = n, .n_val = n_val, .points = points, .labels = labels, .classes = classes};
    if (points && (labels || !classes))
        return DN_OK;
    dn_data_clear(data);
    return error_set(error, DN_NO_MEMORY, "out of memory");
}

/* The same with values instead of points. */
static enum dn_status new_values(struct dn_data *data, int dim, size_t n, size_t n_val, int classes,
                                 struct dn_error *error) {
    /* a double takes the space of two floats */
    enum dn_status status = data_new(data, 2 * dim, n, n_val, classes, error);
    if (status != DN_OK)
        return status;
    data->dim = dim;
    data->values = (const double *)(const void *)data->points;
    data->points = NULL;
    return DN_OK;
}

/* The same with pixels instead of points. */
static enum dn_status new_pixels(struct dn_data *data, int dim, size_t n, size_t n_val, int classes,
                                 struct dn_error *error) {
    /* four take the space of a float */
    enum dn_status status = data_new(data, dim / 4, n, n_val, classes, error);
    if (status != DN_OK)
        return status;
    data->dim = dim;
    data->pixels = (const uint8_t *)(const void *)data->points;
    data->points = NULL;
    return DN_OK;
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

/* Points of a source: those for training, or those for validation, which follow them. */
struct share {
    size_t first, n; /* of the source's points */
    float *points;   /* where they go, or their values or pixels */
    double *values;
    uint8_t *pixels;
    int32_t *labels; /* NULL without classes */
};

struct deal {
    const struct dn_spec *spec;
    int k; /* the source */
    struct share shares[2];
    const struct dn_breaks *breaks;
};

/* What is dealt from one break to the next takes about a millisecond. */
enum { DIGITS_AT_ONCE = 32, POINTS_AT_ONCE = 4096 };

/* Digits have labels of their own, unless they are one class of several. */
static void draw_digits(const struct deal *deal, const struct share *share, size_t at,
                        size_t count) {
    const struct dn_dataset_spec *set = &deal->spec->dataset;
    int32_t *labels = share->labels && set->source_count == 1 ? share->labels + at : NULL;
    dn_digits_draw(set->sources[deal->k].seed, share->first + at, count,
                   share->pixels + at * (size_t)set->dim, labels);
}

/* As doubles beside an upload that has values. */
static void draw_pattern(const struct deal *deal, const struct share *share, size_t at,
                         size_t count) {
    const struct dn_source *source = &deal->spec->dataset.sources[deal->k];
    const enum dn_pattern pattern = (enum dn_pattern)source->pattern;
    float point[2];
    if (share->points)
        dn_pattern_draw(pattern, source->seed, share->first + at, count, share->points + 2 * at);
    for (size_t i = at; share->values && i < at + count; i++) {
        dn_pattern_draw(pattern, source->seed, share->first + i, 1, point);
        share->values[2 * i] = (double)point[0];
        share->values[2 * i + 1] = (double)point[1];
    }
}

static enum dn_status draw_share(const struct deal *deal, const struct share *share,
                                 struct dn_error *error) {
    const struct dn_dataset_spec *set = &deal->spec->dataset;
    const size_t most = set->height > 0 ? DIGITS_AT_ONCE : POINTS_AT_ONCE;
    enum dn_status status = DN_OK;
    for (size_t at = 0, count; at < share->n && status == DN_OK; at += count) {
        count = share->n - at < most ? share->n - at : most;
        if ((status = break_check(deal->breaks, error)) == DN_OK)
            (set->height > 0 ? draw_digits : draw_pattern)(deal, share, at, count);
    }
    const bool is_class = share->labels && (set->height == 0 || set->source_count > 1);
    for (size_t i = 0; is_class && i < share->n; i++)
        share->labels[i] = deal->k;
    return status;
}

static enum dn_status deal_drawn(const struct deal *deal, struct dn_error *error) {
    const enum dn_status status = draw_share(deal, &deal->shares[0], error);
    return status == DN_OK ? draw_share(deal, &deal->shares[1], error) : status;
}

void dn_shuffle(uint64_t seed, int32_t n, int32_t *order) {
    random_permutation(seed, RANDOM_EPOCH_SPLIT, n, order);
}

/* A spec may come from a file, and its data set may have been replaced since. */
static bool fits_the_spec(const struct deal *deal, const struct dn_upload *upload,
                          bool own_labels) {
    const struct dn_dataset_spec *set = &deal->spec->dataset;
    if (upload->n != (size_t)set->sources[deal->k].n || upload->dim != set->dim ||
        (set->height > 0) != (upload->pixels != NULL))
        return false;
    if (!deal->shares[0].labels || !own_labels)
        return true;
    bool labeled = upload->labels != NULL;
    for (size_t i = 0; labeled && i < upload->n; i++)
        labeled = upload->labels[i] >= 0 && upload->labels[i] < set->classes;
    return labeled;
}

/* A row of an upload, which may have points. */
static void copy_values(const struct dn_upload *upload, size_t row, double *values) {
    const size_t dim = (size_t)upload->dim;
    for (size_t j = 0; j < dim; j++)
        values[j] =
            upload->values ? upload->values[row * dim + j] : (double)upload->points[row * dim + j];
}

/* Copies a row of an upload to its place in a share. */
static void copy_row(const struct deal *deal, const struct dn_upload *upload, size_t row,
                     const struct share *share, size_t to) {
    const size_t dim = (size_t)upload->dim;
    if (share->pixels)
        memcpy(share->pixels + to * dim, upload->pixels + row * dim, dim);
    else if (share->values)
        copy_values(upload, row, share->values + to * dim);
    else
        memcpy(share->points + to * dim, upload->points + row * dim, dim * sizeof(float));
    if (share->labels)
        share->labels[to] = deal->spec->dataset.source_count == 1 ? upload->labels[row] : deal->k;
}

/* The rows are shuffled first, because many files are sorted. */
static enum dn_status deal_upload(const struct deal *deal, const struct dn_upload *upload,
                                  struct dn_error *error) {
    const struct dn_dataset_spec *set = &deal->spec->dataset;
    enum dn_status status = DN_OK;
    if (!upload || !fits_the_spec(deal, upload, set->source_count == 1))
        return error_set(error, DN_INVALID, "the uploaded points do not match the spec");
    int32_t *order = calloc(upload->n, sizeof *order);
    if (!order)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    dn_shuffle(set->sources[deal->k].seed, (int32_t)upload->n, order);
    for (size_t i = 0; i < upload->n && status == DN_OK; i++) {
        const struct share *share = &deal->shares[i >= deal->shares[0].n];
        if (i % POINTS_AT_ONCE == 0)
            status = break_check(deal->breaks, error);
        copy_row(deal, upload, (size_t)order[i], share, i - share->first);
    }
    free(order);
    return status;
}

static bool have_values(const struct dn_spec *spec, const struct dn_upload *uploads) {
    bool found = false;
    for (int k = 0; uploads && k < spec->dataset.source_count; k++)
        found |= spec->dataset.sources[k].pattern == DN_UPLOADED && uploads[k].values;
    return found;
}

/* Points first.. of a source that go to place `at` of the data. */
static struct share share_of(const struct dn_data *data, size_t first, size_t n, size_t at) {
    const size_t dim = (size_t)data->dim;
    return (struct share){
        .first = first,
        .n = n,
        .points = data->points ? (float *)data->points + at * dim : NULL,
        .values = data->values ? (double *)data->values + at * dim : NULL,
        .pixels = data->pixels ? (uint8_t *)data->pixels + at * dim : NULL,
        .labels = data->labels ? (int32_t *)data->labels + at : NULL,
    };
}

enum dn_status dn_data_draw(const struct dn_spec *spec, const struct dn_upload *uploads,
                            struct dn_data *out, const struct dn_breaks *breaks,
                            struct dn_error *error) {
    enum dn_status status = dn_spec_check(spec, error);
    if (status != DN_OK)
        return status;
    struct dn_data data;
    size_t all, all_val, done = 0, done_val = 0;
    data_count(spec, &all, &all_val);
    status = (spec->dataset.height > 0 ? new_pixels
              : have_values(spec, uploads)
                  ? new_values
                  : data_new)(&data, spec->dataset.dim, all, all_val, spec->dataset.classes, error);
    for (int k = 0; k < spec->dataset.source_count && status == DN_OK; k++) {
        size_t n, n_val;
        dn_source_split(spec, k, &n, &n_val);
        const struct deal deal = {
            spec,
            k,
            {share_of(&data, 0, n, done), share_of(&data, n, n_val, all + done_val)},
            breaks};
        status = spec->dataset.sources[k].pattern == DN_UPLOADED
                     ? deal_upload(&deal, uploads ? &uploads[k] : NULL, error)
                     : deal_drawn(&deal, error);
        done += n;
        done_val += n_val;
    }
    if (status == DN_OK)
        *out = data;
    else
        dn_data_clear(&data);
    return status;
}

void dn_data_clear(struct dn_data *data) {
    free((void *)data->points);
    free((void *)data->values);
    free((void *)data->pixels);
    free((void *)data->labels);
    *data = (struct dn_data){0};
}

/* ------------------------------------------------------------------ checking */

static enum dn_status check_values(const struct dn_data *data, struct dn_error *error) {
    static const float LARGEST = 1e30f; /* differences and sums of these are still floats */
    const size_t dim = (size_t)data->dim;
    const size_t count =
        data->pixels ? 0 : (data->n + data->n_val) * dim; /* all bytes are pixels */
    for (size_t e = 0; e < count; e++) {
        const double value = data->values ? data->values[e] : (double)data->points[e];
        if (!(fabs(value) <= (double)LARGEST) && !(data->values && isnan(value)))
            return error_set(error, DN_INVALID, "coordinate %zu of point %zu is %g; at most %g",
                             e % dim, e / dim, value, (double)LARGEST);
    }
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
    if (data->values && spec->training.normalization != DN_QUANTILE)
        return error_set(error, DN_INVALID,
                         "values need the normalization \"quantile\"; others need points");
    if ((set->height > 0) != (data->pixels != NULL))
        return error_set(error, DN_INVALID, "the data %s pixels, but the spec says %s",
                         data->pixels ? "has" : "has no", set->height > 0 ? "images" : "points");
    if ((!data->points && !data->values && !data->pixels) || data->n != n || data->n_val != n_val)
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
