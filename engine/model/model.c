/*
 * model.c - models: how they are made, and their serialized form.
 */
#include "engine/model/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/data/data.h"
#include "engine/internal.h"

int spec_moments(const struct dn_spec *spec) {
    return spec->dataset.height > 0 ? 0 : moments_nodes(&spec->diffusion);
}

enum dn_status model_new(const struct dn_spec *spec, const struct kernels *kernels,
                         struct dn_model **out, struct dn_error *error) {
    struct dn_model *model = calloc(1, sizeof *model);
    if (!model)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    model->spec = *spec;
    model->dim = spec->dataset.dim;
    enum dn_status status = schedule_init(&model->schedule, &spec->diffusion, error);
    if (status == DN_OK)
        status = network_init(&model->network, spec, kernels, error);
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
    transform_clear(&model->transform);
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
    transform_write(&model->transform, model->dim, shift, scale);
}

bool dn_model_class_counts(const struct dn_model *model, int32_t *counts) {
    int32_t largest = 0;
    for (int k = 0; k < model->spec.dataset.classes; k++) {
        counts[k] = model->class_counts[k];
        largest = counts[k] > largest ? counts[k] : largest;
    }
    return largest > 0;
}

bool class_counts_are_sound(const int32_t *counts, int classes) {
    bool sound = true;
    for (int k = 0; k < classes; k++)
        sound &= counts[k] >= 0 && counts[k] <= DN_MAX_POINTS;
    return sound;
}

bool dn_model_quantile(const struct dn_model *model, int column, struct dn_quantile *out) {
    const struct quantiles *maps = model->transform.quantiles;
    if (maps)
        *out = maps->columns[column];
    return maps;
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
        for (int row = 0; row < tensor_rows(tensor); row++)
            serial_block(serial, parameters ? parameters + tensor_row(tensor, row) : NULL,
                         (size_t)tensor->cols * sizeof(float));
    }
}

/* Everything that comes before the weights. */
static void serial_header(struct serial *serial, struct dn_model *model) {
    static const char *const marks[2] = {"denoised model 7", "denoised model 8"};
    const bool has_images = serial_either(serial, marks, model->spec.dataset.height > 0) == 1;
    serial_spec(serial, &model->spec, has_images);
    serial_value(serial, &model->epoch);
    if (spec_check_stored(&model->spec, NULL) != DN_OK) {
        serial->failed = true;
        return;
    }
    const size_t columns = (size_t)dn_spec_columns(&model->spec);
    model->transform.channels = model->spec.dataset.channels;
    serial_block(serial, model->transform.shift, columns * sizeof(double));
    serial_block(serial, model->transform.scale, columns * sizeof(double));
    serial_block(serial, model->transform.low, columns * sizeof(float));
    serial_block(serial, model->transform.high, columns * sizeof(float));
    if (model->spec.dataset.classes > 0 && model->spec.dataset.classes <= DN_MAX_CLASSES)
        serial_block(serial, model->class_counts,
                     (size_t)model->spec.dataset.classes * sizeof *model->class_counts);
    if (model->spec.training.normalization == DN_QUANTILE && model->transform.quantiles)
        quantiles_serial(serial, model->transform.quantiles, (int)columns);
    serial_value(serial, &model->moments.nodes);
    if (model->moments.nodes != 0 && model->moments.nodes != spec_moments(&model->spec)) {
        serial->failed = true;
        return;
    }
    model->moments.dim = model->spec.dataset.dim;
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
    const struct dn_model header = {.spec = *spec, .moments.nodes = spec_moments(spec)};
    network_layout(&network, spec);
    size_t n, n_val;
    data_count(spec, &n, &n_val);
    return (int64_t)(model_serialize(&header, &network, NULL, NULL) +
                     transform_bytes(spec, n)); /* more than the bytes of the maps */
}

/* Are the values before the weights valid, and is there one weight for each parameter? Asked before
 * memory is allocated for the weights. */
static bool header_is_sound(const struct serial *serial, const struct dn_model *header,
                            size_t size) {
    return !serial->failed && spec_check_stored(&header->spec, NULL) == DN_OK &&
           header->epoch >= 0 && header->epoch <= DN_MAX_EPOCHS &&
           transform_check(&header->transform, dn_spec_columns(&header->spec), NULL) == DN_OK &&
           class_counts_are_sound(header->class_counts, header->spec.dataset.classes) &&
           moments_check(&header->moments, NULL) == DN_OK &&
           size - serial->used == (size_t)dn_spec_parameters(&header->spec) * sizeof(float);
}

enum dn_status dn_model_load(const void *bytes, size_t size, struct dn_model **out,
                             struct dn_error *error) {
    struct serial serial = {.mode = SERIAL_READ, .bytes = (unsigned char *)bytes, .size = size};
    struct dn_model header = {0}, *model = NULL;
    struct quantiles *maps = calloc(1, sizeof *maps); /* read if the normalization needs them */
    if (!maps)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    header.transform.quantiles = maps;
    serial_header(&serial, &header);
    if (header.spec.training.normalization != DN_QUANTILE)
        transform_clear(&header.transform);
    enum dn_status status = DN_OK;
    if (serial.no_memory)
        status = error_set(error, DN_NO_MEMORY, "out of memory");
    else if (!header_is_sound(&serial, &header, size))
        status = error_set(error, DN_CORRUPT, "not a complete model of this version");
    else
        status = model_new(&header.spec, kernels_get(), &model, error);
    if (status != DN_OK || !model) {
        transform_clear(&header.transform);
        return status;
    }
    model->epoch = header.epoch;
    model->transform = header.transform;
    model->moments = header.moments;
    memcpy(model->class_counts, header.class_counts, sizeof model->class_counts);
    serial_parameters(&serial, &model->network, model->parameters);
    status =
        model_use_levels(&model->network, &model->spec, &model->schedule, &model->transform, error);
    if (status != DN_OK) {
        dn_model_free(model);
        return status;
    }
    if (serial.failed || !all_finite(model->parameters, model->network.size)) {
        dn_model_free(model);
        return error_set(error, DN_CORRUPT, "the model's weights are damaged");
    }
    *out = model;
    return DN_OK;
}
