/*
 * tensors.c - the weights of a model by name, in the shapes of PyTorch's layers, and models made
 * from such weights.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/internal.h"
#include "engine/model/model.h"

/* Fills in the description of a tensor of the network. */
static void describe(const struct tensor *inside, struct dn_tensor *out) {
    const int side = inside->planes == 9 ? 3 : 2; /* of a convolution's kernel */
    const bool by_output = inside->form == TENSOR_LAYER;
    const int rows = by_output ? inside->cols : inside->rows;
    const int cols = by_output ? inside->rows : inside->cols;
    *out = (struct dn_tensor){.rank = 2, .shape = {rows, cols}};
    if (inside->form == TENSOR_VECTOR)
        *out = (struct dn_tensor){.rank = 1, .shape = {inside->cols}};
    else if (inside->planes > 1)
        *out = (struct dn_tensor){.rank = 4, .shape = {rows, cols, side, side}};
    snprintf(out->name, sizeof out->name, "%s", inside->name);
}

static size_t tensor_values(const struct dn_tensor *tensor) {
    size_t values = 1;
    for (int i = 0; i < tensor->rank; i++)
        values *= (size_t)tensor->shape[i];
    return values;
}

/* What follows the tensors of the network. */
enum { MOMENTS = 4 };
static const struct {
    const char *name;
    size_t offset; /* in struct moments */
    bool is_table;
} moment_parts[MOMENTS] = {
    {"moments.mean", offsetof(struct moments, mean), false},
    {"moments.variance", offsetof(struct moments, variance), false},
    {"moments.axes", offsetof(struct moments, axes), true},
    {"moments.open", offsetof(struct moments, open), true},
};

static void describe_moment(int part, int nodes, int dim, struct dn_tensor *out) {
    const bool is_table = moment_parts[part].is_table;
    const bool by_node = moment_parts[part].offset == offsetof(struct moments, open);
    *out = (struct dn_tensor){.rank = is_table ? 2 : 1, .is_moment = true};
    snprintf(out->name, sizeof out->name, "%s", moment_parts[part].name);
    out->shape[0] = by_node ? nodes : dim;
    out->shape[1] = is_table ? dim : 0;
}

int dn_spec_tensor_count(const struct dn_spec *spec) {
    struct network network;
    network_layout(&network, spec);
    return network.tensor_count + (spec_moments(spec) > 0 ? MOMENTS : 0);
}

void dn_spec_tensor(const struct dn_spec *spec, int i, struct dn_tensor *out) {
    struct network network;
    network_layout(&network, spec);
    *out = (struct dn_tensor){0};
    if (i < network.tensor_count)
        describe(network.tensors[i], out);
    else
        describe_moment(i - network.tensor_count, spec_moments(spec), spec->dataset.dim, out);
}

size_t dn_spec_tensor_values(const struct dn_spec *spec) {
    const int count = dn_spec_tensor_count(spec);
    size_t sum = 0;
    for (int i = 0; i < count; i++) {
        struct dn_tensor tensor;
        dn_spec_tensor(spec, i, &tensor);
        sum += tensor_values(&tensor);
    }
    return sum;
}

int dn_model_tensor_count(const struct dn_model *model) {
    return model->network.tensor_count + (model->moments.nodes > 0 ? MOMENTS : 0);
}

/* Copies a tensor from a parameter block to its values outside, or the other way. */
static void copy(const struct tensor *tensor, float *parameters, float *values, bool inward) {
    const size_t rows = (size_t)tensor->rows, cols = (size_t)tensor->cols;
    const size_t planes = (size_t)tensor->planes;
    for (size_t row = 0; row < planes * rows; row++)
        for (size_t col = 0; col < cols; col++) {
            const size_t plane = row / rows, at = row % rows;
            const size_t cell = tensor->form == TENSOR_LAYER ? col * rows + at : at * cols + col;
            float *in = &parameters[tensor_row(tensor, (int)row) + col];
            float *out = &values[cell * planes + plane];
            if (inward)
                *in = *out;
            else
                *out = *in;
        }
}

/* The values of such a tensor. */
static float *moment_values(const struct moments *moments, int part) {
    return (float *)((char *)moments + moment_parts[part].offset);
}

void dn_model_tensor(const struct dn_model *model, int i, float *out) {
    const int part = i - model->network.tensor_count;
    struct dn_tensor tensor;
    if (part < 0) {
        copy(model->network.tensors[i], model->parameters, out, false);
        return;
    }
    describe_moment(part, model->moments.nodes, model->dim, &tensor);
    memcpy(out, moment_values(&model->moments, part), tensor_values(&tensor) * sizeof *out);
}

void dn_model_range(const struct dn_model *model, float *low, float *high) {
    const int columns = dn_spec_columns(&model->spec);
    for (int j = 0; j < model->dim; j++) {
        low[j] = model->transform.low[j % columns];
        high[j] = model->transform.high[j % columns];
    }
}

/* ------------------------------------------------------------------ from outside */

static enum dn_status check_values(const struct dn_model_parts *given, int i,
                                   struct dn_error *error) {
    struct dn_tensor tensor;
    dn_spec_tensor(given->spec, i, &tensor);
    const size_t count = given->tensors[i] ? tensor_values(&tensor) : 0;
    for (size_t e = 0; e < count; e++)
        if (!isfinite(given->tensors[i][e]))
            return error_set(error, DN_INVALID, "%s: value %zu is not a finite number", tensor.name,
                             e);
    return DN_OK;
}

static struct transform transform_of(const struct dn_model_parts *given) {
    const size_t columns = (size_t)dn_spec_columns(given->spec);
    struct transform transform = {.channels = given->spec->dataset.channels};
    memcpy(transform.shift, given->shift, columns * sizeof *given->shift);
    memcpy(transform.scale, given->scale, columns * sizeof *given->scale);
    memcpy(transform.low, given->low, columns * sizeof *given->low);
    memcpy(transform.high, given->high, columns * sizeof *given->high);
    return transform;
}

/* All of them, or none. */
static enum dn_status take_moments(struct dn_model *model, const struct dn_model_parts *given,
                                   struct dn_error *error) {
    const int first = model->network.tensor_count, nodes = spec_moments(&model->spec);
    struct moments *moments = &model->moments;
    struct dn_tensor tensor;
    if (nodes == 0 || !given->tensors[first])
        return DN_OK;
    moments->dim = model->dim;
    moments->nodes = nodes;
    for (int part = 0; part < MOMENTS; part++) {
        describe_moment(part, nodes, model->dim, &tensor);
        if (!given->tensors[first + part])
            return error_set(error, DN_INVALID, "%s is missing", tensor.name);
        memcpy(moment_values(moments, part), given->tensors[first + part],
               tensor_values(&tensor) * sizeof(float));
    }
    return moments_check(moments, error);
}

/* The given maps, which stay with their owner. */
static struct quantiles quantiles_of(const struct dn_model_parts *given) {
    struct quantiles maps = {.dim = given->spec->dataset.dim};
    memcpy(maps.columns, given->quantiles, (size_t)maps.dim * sizeof *given->quantiles);
    return maps;
}

enum dn_status dn_model_build(const struct dn_model_parts *given, struct dn_model **out,
                              struct dn_error *error) {
    struct dn_model *model = NULL;
    struct transform transform = {0};
    struct quantiles maps;
    enum dn_status status = dn_spec_check(given->spec, error);
    if (status == DN_OK && (given->epoch < 1 || given->epoch > DN_MAX_EPOCHS))
        status = error_set(error, DN_INVALID, "epoch must be 1..%d, got %d", DN_MAX_EPOCHS,
                           given->epoch);
    if (status == DN_OK) {
        transform = transform_of(given);
        if (given->spec->training.normalization == DN_QUANTILE && given->quantiles) {
            maps = quantiles_of(given);
            transform.quantiles = &maps;
        } else if (given->spec->training.normalization == DN_QUANTILE) {
            return error_set(error, DN_INVALID, "the maps of the columns are missing");
        }
        status = transform_check(&transform, dn_spec_columns(given->spec), error);
    }
    if (status == DN_OK && given->class_counts &&
        !class_counts_are_sound(given->class_counts, given->spec->dataset.classes))
        status = error_set(error, DN_INVALID, "the number of points of a class must be 0..%d",
                           DN_MAX_POINTS);
    const int count = status == DN_OK ? dn_spec_tensor_count(given->spec) : 0;
    for (int i = 0; i < count && status == DN_OK; i++)
        status = check_values(given, i, error);
    if (status == DN_OK)
        status = model_new(given->spec, kernels_get(), &model, error);
    if (status == DN_OK)
        status = transform_own(&transform, error);
    if (status != DN_OK) {
        dn_model_free(model);
        return status;
    }
    model->epoch = given->epoch;
    model->transform = transform;
    if (given->class_counts)
        memcpy(model->class_counts, given->class_counts,
               (size_t)given->spec->dataset.classes * sizeof *given->class_counts);
    for (int i = 0; i < model->network.tensor_count; i++)
        copy(model->network.tensors[i], model->parameters, (float *)given->tensors[i], true);
    status =
        model_use_levels(&model->network, &model->spec, &model->schedule, &model->transform, error);
    if (status == DN_OK)
        status = take_moments(model, given, error);
    if (status == DN_OK)
        *out = model;
    else
        dn_model_free(model);
    return status;
}
