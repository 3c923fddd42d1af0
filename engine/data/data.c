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

/* The points of one source, and where its training and validation points go. */
struct deal {
    const struct dn_spec *spec;
    int k; /* the source */
    size_t n, n_val;
    float *points, *points_val; /* or values */
    double *values, *values_val;
    uint8_t *pixels, *pixels_val;
    int32_t *labels, *labels_val; /* NULL without classes */
};

/* The source is a class. */
static void label_all(const struct deal *deal) {
    for (size_t i = 0; i < deal->n; i++)
        deal->labels[i] = deal->k;
    for (size_t i = 0; i < deal->n_val; i++)
        deal->labels_val[i] = deal->k;
}

/* Points of a pattern as doubles, beside an upload that has values. */
static void draw_values(const struct dn_source *source, size_t first, size_t n, double *values) {
    float point[2];
    for (size_t i = 0; i < n; i++) {
        dn_pattern_draw((enum dn_pattern)source->pattern, source->seed, first + i, 1, point);
        values[2 * i] = (double)point[0];
        values[2 * i + 1] = (double)point[1];
    }
}

/* Digits have labels of their own, unless they are one class of several. */
static void deal_digits(const struct deal *deal) {
    const struct dn_dataset_spec *set = &deal->spec->dataset;
    const uint64_t seed = set->sources[deal->k].seed;
    dn_digits_draw(seed, 0, deal->n, deal->pixels, deal->labels);
    dn_digits_draw(seed, deal->n, deal->n_val, deal->pixels_val, deal->labels_val);
    if (set->source_count > 1 && deal->labels)
        label_all(deal);
}

static void deal_pattern(const struct deal *deal) {
    const struct dn_source *source = &deal->spec->dataset.sources[deal->k];
    const size_t n = deal->n, n_val = deal->n_val;
    if (deal->values) {
        draw_values(source, 0, n, deal->values);
        draw_values(source, n, n_val, deal->values_val);
    } else {
        dn_pattern_draw((enum dn_pattern)source->pattern, source->seed, 0, n, deal->points);
        dn_pattern_draw((enum dn_pattern)source->pattern, source->seed, n, n_val, deal->points_val);
    }
    if (deal->labels)
        label_all(deal);
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
    if (!deal->labels || !own_labels)
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
        if (deal->pixels)
            memcpy((i < n ? deal->pixels : deal->pixels_val) + to * dim,
                   upload->pixels + from * dim, dim);
        else if (deal->values)
            copy_values(upload, from, (i < n ? deal->values : deal->values_val) + to * dim);
        else
            memcpy((i < n ? deal->points : deal->points_val) + to * dim,
                   upload->points + from * dim, dim * sizeof(float));
        if (deal->labels)
            (i < n ? deal->labels : deal->labels_val)[to] =
                own_labels ? upload->labels[from] : deal->k;
    }
    free(order);
    return DN_OK;
}

static bool have_values(const struct dn_spec *spec, const struct dn_upload *uploads) {
    bool found = false;
    for (int k = 0; uploads && k < spec->dataset.source_count; k++)
        found |= spec->dataset.sources[k].pattern == DN_UPLOADED && uploads[k].values;
    return found;
}

enum dn_status dn_data_draw(const struct dn_spec *spec, const struct dn_upload *uploads,
                            struct dn_data *out, struct dn_error *error) {
    enum dn_status status = dn_spec_check(spec, error);
    if (status != DN_OK)
        return status;
    struct dn_data data;
    size_t n, n_val, done = 0, done_val = 0;
    data_count(spec, &n, &n_val);
    status = (spec->dataset.height > 0 ? new_pixels
              : have_values(spec, uploads)
                  ? new_values
                  : data_new)(&data, spec->dataset.dim, n, n_val, spec->dataset.classes, error);
    const size_t dim = (size_t)data.dim;
    float *points = (float *)data.points;
    double *values = (double *)data.values;
    uint8_t *pixels = (uint8_t *)data.pixels;
    int32_t *labels = (int32_t *)data.labels;
    for (int k = 0; k < spec->dataset.source_count && status == DN_OK; k++) {
        struct deal deal = {.spec = spec,
                            .k = k,
                            .points = points ? points + done * dim : NULL,
                            .points_val = points ? points + (n + done_val) * dim : NULL,
                            .values = values ? values + done * dim : NULL,
                            .values_val = values ? values + (n + done_val) * dim : NULL,
                            .pixels = pixels ? pixels + done * dim : NULL,
                            .pixels_val = pixels ? pixels + (n + done_val) * dim : NULL,
                            .labels = labels ? labels + done : NULL,
                            .labels_val = labels ? labels + n + done_val : NULL};
        dn_source_split(spec, k, &deal.n, &deal.n_val);
        if (spec->dataset.sources[k].pattern == DN_UPLOADED)
            status = deal_upload(&deal, uploads ? &uploads[k] : NULL, error);
        else
            (spec->dataset.height > 0 ? deal_digits : deal_pattern)(&deal);
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
