/*
 * model.c - models: their transform, how they are made, and the serialized form.
 */
#include "engine/model/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"

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
    return DN_OK;
}

void transform_forward(const struct transform *transform, size_t n, int dim, const float *data,
                       float *model) {
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < (size_t)dim; j++) {
            size_t e = i * (size_t)dim + j;
            model[e] = (float)(((double)data[e] - transform->shift[j]) * transform->scale[j]);
        }
}

void transform_backward(const struct transform *transform, size_t n, int dim, const float *model,
                        float *data) {
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < (size_t)dim; j++) {
            size_t e = i * (size_t)dim + j;
            data[e] = (float)((double)model[e] / transform->scale[j] + transform->shift[j]);
        }
}

enum dn_status model_new(const struct dn_spec *spec, struct dn_model **out,
                         struct dn_error *error) {
    struct dn_model *model = calloc(1, sizeof *model);
    if (!model)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    model->spec = *spec;
    model->dim = spec->dataset.dim;
    enum dn_status status = schedule_init(&model->schedule, &spec->diffusion, error);
    if (status == DN_OK)
        status = network_init(&model->network, spec, error);
    if (status == DN_OK && !(model->parameters = floats_new(model->network.size)))
        status = error_set(error, DN_NO_MEMORY, "out of memory");
    if (status != DN_OK) {
        dn_model_free(model);
        return status;
    }
    *out = model;
    return DN_OK;
}

size_t model_memory(const struct network *network) {
    return sizeof(struct dn_model) + schedule_bytes(network->timesteps) + network_bytes(network) +
           floats_bytes(network->size);
}

void dn_model_free(struct dn_model *model) {
    if (!model)
        return;
    schedule_clear(&model->schedule);
    network_clear(&model->network);
    free(model->parameters);
    free(model);
}

const struct dn_spec *dn_model_spec(const struct dn_model *model) {
    return &model->spec;
}
int dn_model_dim(const struct dn_model *model) {
    return model->dim;
}
int dn_model_epoch(const struct dn_model *model) {
    return model->epoch;
}
void dn_model_transform(const struct dn_model *model, double *shift, double *scale) {
    memcpy(shift, model->transform.shift, (size_t)model->dim * sizeof *shift);
    memcpy(scale, model->transform.scale, (size_t)model->dim * sizeof *scale);
}

int64_t dn_spec_parameters(const struct dn_spec *spec) {
    struct network network;
    network_layout(&network, spec);
    return network_parameters(&network);
}

/* ------------------------------------------------------------------ serialized form */

void serial_parameters(struct serial *serial, const struct network *network, float *parameters) {
    for (int i = 0; i < network->tensor_count; i++) {
        const struct tensor *tensor = network->tensors[i];
        for (size_t row = 0; row < (size_t)tensor->rows; row++)
            serial_block(serial, parameters ? parameters + tensor->offset + row * tensor->ld : NULL,
                         (size_t)tensor->cols * sizeof(float));
    }
}

/* Everything that comes before the weights. */
static void serial_header(struct serial *serial, struct dn_model *model) {
    serial_mark(serial, "denoised model 5");
    serial_spec(serial, &model->spec);
    serial_value(serial, &model->epoch);
    if (spec_check_stored(&model->spec, NULL) != DN_OK) {
        serial->failed = true;
        return;
    }
    size_t dim = (size_t)model->spec.dataset.dim;
    serial_block(serial, model->transform.shift, dim * sizeof(double));
    serial_block(serial, model->transform.scale, dim * sizeof(double));
    serial_block(serial, model->transform.low, dim * sizeof(float));
    serial_block(serial, model->transform.high, dim * sizeof(float));
    serial_value(serial, &model->moments.nodes);
    if (model->moments.nodes != 0 &&
        model->moments.nodes != moments_nodes(&model->spec.diffusion)) {
        serial->failed = true;
        return;
    }
    model->moments.dim = (int)dim;
    moments_serial(serial, &model->moments);
}

size_t model_serialize(const struct dn_model *model, const struct network *network,
                       const float *parameters, void *bytes) {
    struct serial serial = {
        .mode = bytes ? SERIAL_WRITE : SERIAL_COUNT, .bytes = bytes, .size = SIZE_MAX};
    struct dn_model copy = *model; /* a serial may write to what it passes over */
    serial_header(&serial, &copy);
    serial_parameters(&serial, network, bytes ? (float *)parameters : NULL);
    return serial.used;
}

size_t dn_model_bytes(const struct dn_model *model) {
    return model_serialize(model, &model->network, NULL, NULL);
}

void dn_model_save(const struct dn_model *model, void *bytes) {
    model_serialize(model, &model->network, model->parameters, bytes);
}

int64_t dn_spec_model_bytes(const struct dn_spec *spec) {
    struct network network;
    const struct dn_model header = {.spec = *spec,
                                    .moments.nodes = moments_nodes(&spec->diffusion)};
    network_layout(&network, spec);
    return (int64_t)model_serialize(&header, &network, NULL, NULL);
}

/* Are the values before the weights valid, and is there one weight for each parameter? Asked before
 * memory is allocated for the weights. */
static bool header_is_sound(const struct serial *serial, const struct dn_model *header,
                            size_t size) {
    return !serial->failed && spec_check_stored(&header->spec, NULL) == DN_OK &&
           header->epoch >= 0 && header->epoch <= DN_MAX_EPOCHS &&
           transform_check(&header->transform, header->spec.dataset.dim, NULL) == DN_OK &&
           moments_check(&header->moments, NULL) == DN_OK &&
           size - serial->used == (size_t)dn_spec_parameters(&header->spec) * sizeof(float);
}

enum dn_status dn_model_load(const void *bytes, size_t size, struct dn_model **out,
                             struct dn_error *error) {
    struct serial serial = {.mode = SERIAL_READ, .bytes = (unsigned char *)bytes, .size = size};
    struct dn_model header = {0}, *model = NULL;
    serial_header(&serial, &header);
    if (!header_is_sound(&serial, &header, size))
        return error_set(error, DN_CORRUPT, "not a complete model of this version");
    enum dn_status status = model_new(&header.spec, &model, error);
    if (status != DN_OK || !model)
        return status;
    model->epoch = header.epoch;
    model->transform = header.transform;
    model->moments = header.moments;
    serial_parameters(&serial, &model->network, model->parameters);
    if (serial.failed || !all_finite(model->parameters, model->network.size)) {
        dn_model_free(model);
        return error_set(error, DN_CORRUPT, "the model's weights are damaged");
    }
    *out = model;
    return DN_OK;
}
