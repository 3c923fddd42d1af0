/*
 * tensors.c - the weights of a model by name, in the shapes of PyTorch's layers, and models made
 * from such weights.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/internal.h"
#include "engine/model/model.h"

/* The shape of a tensor outside, compared with its shape inside. */
enum form {
    VECTOR,     /* [n]; inside one row */
    TABLE,      /* [rows][columns], as inside */
    TRANSPOSED, /* a layer that is [in][out] inside, and [out][in] outside */
};

static const struct {
    const char *name;
    size_t offset; /* in struct layer */
    enum form form;
} parts[] = {
    {"weight", offsetof(struct layer, weight), TRANSPOSED},
    {"bias", offsetof(struct layer, bias), VECTOR},
    {"time.weight", offsetof(struct layer, embedding), TRANSPOSED}, /* learned: a TABLE */
    {"time.bias", offsetof(struct layer, embedding_bias), VECTOR},
    {"label.weight", offsetof(struct layer, label), TABLE},
};

/* Fills in the description of tensor i, which lies at `inside`. */
static enum form tensor_form(const struct network *network, int i, struct dn_tensor *out) {
    const struct tensor *inside = network->tensors[i];
    const bool table = network->time_embedding == DN_LEARNED;
    enum form form = TABLE;
    if (inside == &network->out_weight || inside == &network->out_bias) {
        form = inside == &network->out_bias ? VECTOR : TABLE; /* stored [out][in] */
        snprintf(out->name, sizeof out->name, "out.%s", form == VECTOR ? "bias" : "weight");
    }
    for (int l = 0; l < network->layer_count; l++)
        for (size_t part = 0; part < sizeof parts / sizeof *parts; part++)
            if ((const char *)inside == (const char *)&network->layers[l] + parts[part].offset) {
                form = parts[part].form;
                if (inside == &network->layers[l].embedding && table)
                    form = TABLE;
                snprintf(out->name, sizeof out->name, "layers.%d.%s", l, parts[part].name);
            }
    out->rank = form == VECTOR ? 1 : 2;
    out->shape[0] = form == TABLE ? inside->rows : inside->cols;
    out->shape[1] = form == TABLE ? inside->cols : inside->rows; /* a vector has one row inside */
    return form;
}

int dn_spec_tensor_count(const struct dn_spec *spec) {
    struct network network;
    network_layout(&network, spec);
    return network.tensor_count;
}

void dn_spec_tensor(const struct dn_spec *spec, int i, struct dn_tensor *out) {
    struct network network;
    network_layout(&network, spec);
    tensor_form(&network, i, out);
}

/* Copies a tensor from a parameter block to its values outside, or the other way. */
static void copy(const struct network *network, int i, float *parameters, float *values,
                 bool inward) {
    struct dn_tensor tensor;
    const bool transposed = tensor_form(network, i, &tensor) == TRANSPOSED;
    const struct tensor *inside = network->tensors[i];
    const size_t rows = (size_t)inside->rows, cols = (size_t)inside->cols;
    for (size_t row = 0; row < rows; row++)
        for (size_t col = 0; col < cols; col++) {
            float *in = &parameters[inside->offset + row * inside->ld + col];
            float *out = &values[transposed ? col * rows + row : row * cols + col];
            if (inward)
                *in = *out;
            else
                *out = *in;
        }
}

void dn_model_tensor(const struct dn_model *model, int i, float *out) {
    copy(&model->network, i, model->parameters, out, false);
}

void dn_model_range(const struct dn_model *model, float *low, float *high) {
    memcpy(low, model->transform.low, (size_t)model->dim * sizeof *low);
    memcpy(high, model->transform.high, (size_t)model->dim * sizeof *high);
}

/* ------------------------------------------------------------------ from outside */

static enum dn_status check_values(const struct dn_model_parts *given, int i,
                                   struct dn_error *error) {
    struct dn_tensor tensor;
    dn_spec_tensor(given->spec, i, &tensor);
    const size_t count = (size_t)tensor.shape[0] * (size_t)tensor.shape[1];
    for (size_t e = 0; e < count; e++)
        if (!isfinite(given->tensors[i][e]))
            return error_set(error, DN_INVALID, "%s: value %zu is not a finite number", tensor.name,
                             e);
    return DN_OK;
}

static struct transform transform_of(const struct dn_model_parts *given) {
    const size_t dim = (size_t)given->spec->dataset.dim;
    struct transform transform = {0};
    memcpy(transform.shift, given->shift, dim * sizeof *given->shift);
    memcpy(transform.scale, given->scale, dim * sizeof *given->scale);
    memcpy(transform.low, given->low, dim * sizeof *given->low);
    memcpy(transform.high, given->high, dim * sizeof *given->high);
    return transform;
}

enum dn_status dn_model_build(const struct dn_model_parts *given, struct dn_model **out,
                              struct dn_error *error) {
    struct dn_model *model = NULL;
    struct transform transform = {0};
    enum dn_status status = dn_spec_check(given->spec, error);
    if (status == DN_OK && (given->epoch < 1 || given->epoch > DN_MAX_EPOCHS))
        status = error_set(error, DN_INVALID, "epoch must be 1..%d, got %d", DN_MAX_EPOCHS,
                           given->epoch);
    if (status == DN_OK) {
        transform = transform_of(given);
        status = transform_check(&transform, given->spec->dataset.dim, error);
    }
    const int count = status == DN_OK ? dn_spec_tensor_count(given->spec) : 0;
    for (int i = 0; i < count && status == DN_OK; i++)
        status = check_values(given, i, error);
    if (status == DN_OK)
        status = model_new(given->spec, &model, error);
    if (status != DN_OK)
        return status;
    model->epoch = given->epoch;
    model->transform = transform;
    for (int i = 0; i < count; i++)
        copy(&model->network, i, model->parameters, (float *)given->tensors[i], true);
    *out = model;
    return DN_OK;
}
