/*
 * transform.c - between data units and model units.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "engine/model/model.h"
#include "engine/table/normal.h"
#include "engine/table/ranks.h"

/* The range of n values, each `stride` after the one before. */
static void find_range(const float *values, size_t n, size_t stride, float *low, float *high) {
    *low = *high = values[0];
    for (size_t i = 1; i < n; i++) {
        *low = fminf(*low, values[i * stride]);
        *high = fmaxf(*high, values[i * stride]);
    }
}

static void fit_minmax(struct transform *transform, const float *points, size_t n, int dim) {
    float low, high;
    find_range(points, n * (size_t)dim, 1, &low, &high);
    for (int j = 0; j < dim; j++) {
        transform->shift[j] = ((double)high + (double)low) / 2;
        transform->scale[j] = high > low ? 2 / ((double)high - (double)low) : 1;
        transform->low[j] = -1;
        transform->high[j] = 1;
    }
}

/* Axis j, of which low and high are known. */
static void fit_standard(struct transform *transform, const float *points, size_t n, size_t dim,
                         size_t j) {
    const float low = transform->low[j], high = transform->high[j];
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)points[i * dim + j];
    /* the mean of a constant axis may have a rounding error, which must not be scaled up */
    double mean = high > low ? sum / (double)n : (double)low;
    for (size_t i = 0; i < n; i++)
        squares += ((double)points[i * dim + j] - mean) * ((double)points[i * dim + j] - mean);
    transform->shift[j] = mean;
    transform->scale[j] = high > low ? 0.5 / sqrt(squares / (double)n) : 1;
    transform->low[j] = (float)(((double)low - mean) * transform->scale[j]);
    transform->high[j] = (float)(((double)high - mean) * transform->scale[j]);
}

void transform_fit(struct transform *transform, enum dn_normalization normalization,
                   const float *points, size_t n, int dim) {
    transform->quantiles = NULL;
    transform->channels = 0;
    if (normalization == DN_MINMAX) {
        fit_minmax(transform, points, n, dim);
        return;
    }
    for (size_t j = 0; j < (size_t)dim; j++) {
        transform->shift[j] = 0;
        transform->scale[j] = 1;
        find_range(points + j, n, (size_t)dim, &transform->low[j], &transform->high[j]);
        if (normalization == DN_STANDARDIZE)
            fit_standard(transform, points, n, (size_t)dim, j);
    }
}

void transform_of_images(struct transform *transform, int channels) {
    *transform = (struct transform){.channels = channels};
    for (int j = 0; j < channels; j++) {
        transform->shift[j] = 255 / 2.0;
        transform->scale[j] = 2 / 255.0;
        transform->low[j] = -1;
        transform->high[j] = 1;
    }
}

void transform_write(const struct transform *transform, int dim, double *shift, double *scale) {
    const int columns = transform_columns(transform, dim);
    for (int j = 0; j < dim; j++) {
        shift[j] = transform->shift[j % columns];
        scale[j] = transform->scale[j % columns];
    }
}

enum dn_status transform_check(const struct transform *transform, int dim, struct dn_error *error) {
    for (int j = 0; j < dim; j++) {
        const double scale = transform->scale[j];
        const float low = transform->low[j], high = transform->high[j];
        if (!isfinite(transform->shift[j]) || !(scale > 0) || !isfinite(scale))
            return error_set(error, DN_INVALID,
                             "axis %d: shift must be finite, and scale finite and above 0", j);
        if (!(low <= high) || !isfinite(low) || !isfinite(high))
            return error_set(error, DN_INVALID,
                             "axis %d: low and high must be finite, and low not above high", j);
    }
    return transform->quantiles ? quantiles_check(transform->quantiles, error) : DN_OK;
}

/* ------------------------------------------------------------------ by ranks */

enum dn_status transform_fit_table(struct transform *transform, const struct quantile_table *table,
                                   struct ranks *ranks, struct dn_error *error) {
    struct quantiles *maps = calloc(1, sizeof *maps);
    enum dn_status status = maps ? quantiles_fit(table, maps, ranks, error)
                                 : error_set(error, DN_NO_MEMORY, "out of memory");
    if (status != DN_OK) {
        free(maps);
        return status;
    }
    *transform = (struct transform){.quantiles = maps};
    for (int j = 0; j < table->dim; j++) {
        double low, high;
        quantile_range(&maps->columns[j], &low, &high);
        transform->scale[j] = 0.5;
        transform->low[j] = (float)(0.5 * low);
        transform->high[j] = (float)(0.5 * high);
    }
    return DN_OK;
}

enum dn_status transform_own(struct transform *transform, struct dn_error *error) {
    const struct quantiles *others = transform->quantiles;
    if (!others)
        return DN_OK;
    transform->quantiles = calloc(1, sizeof *others);
    if (!transform->quantiles)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    enum dn_status status = quantiles_copy(others, transform->quantiles, error);
    if (status != DN_OK)
        transform_clear(transform);
    return status;
}

void transform_clear(struct transform *transform) {
    if (transform->quantiles)
        quantiles_clear(transform->quantiles);
    free(transform->quantiles);
    transform->quantiles = NULL;
}

size_t transform_bytes(const struct dn_spec *spec, size_t n) {
    return spec->training.normalization == DN_QUANTILE
               ? sizeof(struct quantiles) + quantiles_bytes(n, spec->dataset.dim)
               : 0;
}

/* ------------------------------------------------------------------ forward and backward */

static float forward(const struct transform *transform, size_t j, double value) {
    const struct quantiles *maps = transform->quantiles;
    if (maps)
        value = quantile_forward(&maps->columns[j], value, 0.5);
    return (float)((value - transform->shift[j]) * transform->scale[j]);
}

/* Each value e of points [n][dim], and the column j that it belongs to. */
#define EACH_VALUE(transform, n, dim)                                                              \
    for (size_t e = 0, j = 0, all = (n) * (size_t)(dim),                                           \
                columns = (size_t)transform_columns(transform, dim);                               \
         e < all; e++, j = j + 1 < columns ? j + 1 : 0)

void transform_forward(const struct transform *transform, size_t n, int dim, const float *data,
                       float *model) {
    EACH_VALUE(transform, n, dim) {
        model[e] = forward(transform, j, (double)data[e]);
    }
}

void transform_forward_values(const struct transform *transform, size_t n, int dim,
                              const double *values, float *model) {
    EACH_VALUE(transform, n, dim) {
        model[e] = forward(transform, j, values[e]);
    }
}

void transform_forward_pixels(const struct transform *transform, size_t n, int dim,
                              const uint8_t *pixels, float *model) {
    EACH_VALUE(transform, n, dim) {
        model[e] = forward(transform, j, pixels[e]);
    }
}

static double backward(const struct transform *transform, size_t j, float model) {
    const double value = (double)model / transform->scale[j] + transform->shift[j];
    const struct quantiles *maps = transform->quantiles;
    return maps ? quantile_backward(&maps->columns[j], value) : value;
}

void transform_backward(const struct transform *transform, size_t n, int dim, const float *model,
                        float *data) {
    EACH_VALUE(transform, n, dim) {
        data[e] = (float)backward(transform, j, model[e]);
    }
}

void transform_backward_values(const struct transform *transform, size_t n, int dim,
                               const float *model, double *values) {
    EACH_VALUE(transform, n, dim) {
        values[e] = backward(transform, j, model[e]);
    }
}

bool transform_is_missing(const struct transform *transform, size_t j, float x) {
    const bool has_values = transform->quantiles && transform->quantiles->columns[j].count > 0;
    return has_values && isnan(backward(transform, j, x));
}

float transform_present(const struct transform *transform, size_t j, float x) {
    const double missing = transform->quantiles->columns[j].missing, scale = transform->scale[j];
    const double score = (double)x / scale + transform->shift[j];
    const double within = RANKS_MARGIN + (1 - 2 * RANKS_MARGIN) * normal_share(score) / missing;
    return (float)((normal_score(missing + (1 - missing) * within) - transform->shift[j]) * scale);
}
