/*
 * network.c - layout, initial weights, forward and backward of the conditional chain (network.h).
 */
#include "engine/network/network.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/random.h"
#include "engine/internal.h"
#include "engine/network/inputs.h"
#include "engine/network/levels.h"

/* ------------------------------------------------------------------ layout */

static void tensor_place(struct network *network, struct tensor *tensor, int rows, int cols,
                         bool summed) {
    *tensor = (struct tensor){network->size, rows, cols, kernels_pad((size_t)cols), summed};
    network->size += (size_t)rows * tensor->ld;
    network->tensors[network->tensor_count++] = tensor;
}

double network_sinusoid(int hidden, double position, int r) {
    int even = r / 2 * 2;
    double frequency = hidden > 2 ? exp(-log(10000.0) * even / (hidden - 2)) : 1;
    return r % 2 == 0 ? sin(position * frequency) : cos(position * frequency);
}

void network_layout(struct network *network, const struct dn_spec *spec) {
    memset(network, 0, sizeof *network);
    int H = network->hidden = spec->network.hidden_size;
    int T = network->timesteps = spec->diffusion.timesteps;
    int dim = network->dim = spec->dataset.dim;
    bool sinusoidal = spec->network.time_embedding == DN_SINUSOIDAL;
    network->classes = spec->dataset.classes;
    network->layer_count = spec->network.hidden_layers;
    network->time_embedding = spec->network.time_embedding;
    network->conditioning = spec->network.conditioning;
    network->hidden_ld = kernels_pad((size_t)H);
    network->dim_ld = kernels_pad((size_t)dim);
    const bool by_rank = spec->training.normalization == DN_QUANTILE;
    network->outputs =
        dim * (by_rank && spec->network.output_levels ? spec->network.output_levels : 1);
    network->outputs_ld = kernels_pad((size_t)network->outputs);
    inputs_layout(network, spec);
    for (int l = 0; l < network->layer_count; l++) {
        struct layer *layer = &network->layers[l];
        tensor_place(network, &layer->weight, l == 0 ? network->inputs : H, H, l == 0);
        tensor_place(network, &layer->bias, 1, H, true);
        tensor_place(network, &layer->embedding, sinusoidal ? H : T, H, !sinusoidal);
        if (sinusoidal)
            tensor_place(network, &layer->embedding_bias, 1, H, true);
        if (network->classes)
            tensor_place(network, &layer->label, network->classes + 1, H, true);
    }
    tensor_place(network, &network->out_weight, network->outputs, H, false);
    tensor_place(network, &network->out_bias, 1, network->outputs, true);
}

static size_t sinusoid_floats(const struct network *network) {
    return (size_t)network->timesteps * (size_t)network->hidden;
}

size_t network_bytes(const struct network *network) {
    return levels_bytes(network) +
           (network->time_embedding == DN_SINUSOIDAL ? floats_bytes(sinusoid_floats(network)) : 0);
}

enum dn_status network_init(struct network *network, const struct dn_spec *spec,
                            const struct kernels *kernels, struct dn_error *error) {
    network_layout(network, spec);
    network->kernels = kernels;
    int H = network->hidden, T = network->timesteps;
    if (network->time_embedding == DN_SINUSOIDAL) {
        network->sinusoid = floats_new(sinusoid_floats(network));
        if (!network->sinusoid)
            return error_set(error, DN_NO_MEMORY, "out of memory");
        for (int t = 1; t <= T; t++)
            for (int r = 0; r < H; r++)
                network->sinusoid[(t - 1) * H + r] = (float)network_sinusoid(H, t, r);
    }
    return DN_OK;
}

void network_clear(struct network *network) {
    free(network->sinusoid);
    levels_clear(network);
    memset(network, 0, sizeof *network);
}

int64_t network_parameters(const struct network *network) {
    int64_t count = 0;
    for (int i = 0; i < network->tensor_count; i++)
        count += (int64_t)network->tensors[i]->rows * network->tensors[i]->cols;
    return count;
}

/* Uniform in [-limit, limit]. The numbers are assigned by [in][out], however the matrix is
 * stored. */
static void tensor_uniform(const struct tensor *tensor, uint64_t seed, uint32_t number,
                           bool stored_by_out, double limit, float *p) {
    for (int i = 0; i < tensor->rows; i++)
        for (int j = 0; j < tensor->cols; j++) {
            int index = stored_by_out ? j * tensor->rows + i : i * tensor->cols + j;
            double u = random_uniform(seed, RANDOM_WEIGHTS, number, (uint64_t)index);
            p[tensor->offset + (size_t)i * tensor->ld + (size_t)j] = (float)((2 * u - 1) * limit);
        }
}

static double glorot(const struct tensor *tensor) {
    return sqrt(6.0 / (tensor->rows + tensor->cols));
}

static void tensor_normal(const struct kernels *kernels, const struct tensor *tensor, uint64_t seed,
                          uint32_t number, float *p) {
    for (int i = 0; i < tensor->rows; i++)
        random_normals(kernels, seed, RANDOM_WEIGHTS, number, (uint64_t)i * (uint64_t)tensor->cols,
                       (size_t)tensor->cols, p + tensor->offset + (size_t)i * tensor->ld);
}

/* The assigned numbers times a factor, plus a constant. */
static void tensor_affine(const struct tensor *tensor, float factor, float constant, float *p) {
    for (int i = 0; i < tensor->rows; i++)
        for (int j = 0; j < tensor->cols; j++) {
            float *value = &p[tensor->offset + (size_t)i * tensor->ld + (size_t)j];
            *value = factor * *value + constant;
        }
}

/* Numbers of tensors that only some networks have, above those of all networks. */
enum { LABEL_TENSORS = 1000, FIRST_BIAS = 2000 };

/* The initial parameters of a layer's e_l(t); with *, the effect of t and the label is small
 * compared with 1. */
static void embedding_initialize(const struct network *network, const struct layer *layer,
                                 uint64_t seed, uint32_t number, float *parameters) {
    const bool table = network->time_embedding == DN_LEARNED;
    const struct tensor *matrix = &layer->embedding;
    if (table)
        tensor_normal(network->kernels, matrix, seed, number, parameters);
    else
        tensor_uniform(matrix, seed, number, false, glorot(matrix), parameters);
    if (network->conditioning != DN_MULTIPLY)
        return;
    tensor_affine(matrix, 0.1f, table ? 1 : 0, parameters);
    if (!table)
        tensor_affine(&layer->embedding_bias, 0, 1, parameters);
    if (network->classes)
        tensor_affine(&layer->label, 0.25f, 0, parameters);
}

/* The rows of the first layer's weights that belong to the coordinates x. */
static struct tensor weights_of_x(const struct network *network) {
    struct tensor part = network->layers[0].weight;
    part.rows = network->dim;
    return part;
}

/* Makes those of the other inputs small beside them, but for the values of given coordinates. */
static void soften_others(const struct network *network, float *parameters) {
    struct tensor part = network->layers[0].weight;
    const int dim = network->dim, end = part.rows;
    const int given = dim * (2 + 2 * network->octaves); /* where the values are, if anywhere */
    for (int first = dim; first < end; first += dim) {
        part.rows = dim;
        part.offset = network->layers[0].weight.offset + (size_t)first * part.ld;
        if (first != given)
            tensor_affine(&part, 0.1f, 0, parameters);
    }
}

static double weight_limit(const struct network *network, int l) {
    const struct tensor weight = l == 0 ? weights_of_x(network) : network->layers[l].weight;
    if (network->conditioning != DN_MULTIPLY)
        return glorot(&weight);
    return l == 0 ? 1 : sqrt(6.0 / weight.rows);
}

void network_draw_weights(const struct network *network, uint64_t seed, float *parameters) {
    memset(parameters, 0, network->size * sizeof *parameters);
    for (int l = 0; l < network->layer_count; l++) {
        const struct layer *layer = &network->layers[l];
        uint32_t number = 2 * (uint32_t)l;
        tensor_uniform(&layer->weight, seed, number, false, weight_limit(network, l), parameters);
        if (network->classes)
            tensor_normal(network->kernels, &layer->label, seed, LABEL_TENSORS + (uint32_t)l,
                          parameters);
        embedding_initialize(network, layer, seed, number + 1, parameters);
    }
    soften_others(network, parameters);
    if (network->conditioning == DN_MULTIPLY)
        tensor_uniform(&network->layers[0].bias, seed, FIRST_BIAS, false, 1, parameters);
    tensor_uniform(&network->out_weight, seed, 2 * (uint32_t)network->layer_count, true,
                   glorot(&network->out_weight), parameters);
}

/* ------------------------------------------------------------------ passes */

/* The number of floats of each part of a workspace. */
struct workspace_size {
    bool keep_z;
    size_t hidden, out, inputs, transposed; /* an array of activations; the others once */
    size_t logits;                          /* once, and again for training */
    size_t all;
};

static struct workspace_size workspace_size(const struct network *network, size_t rows,
                                            bool training) {
    const size_t layers = (size_t)network->layer_count, ld = network->hidden_ld;
    struct workspace_size size = {
        .keep_z = training && network->conditioning == DN_MULTIPLY,
        .hidden = rows * ld,
        .out = rows * network->dim_ld,
        .inputs = inputs_are_points(network) ? 0 : rows * network->input_ld,
        .logits = network->outputs > network->dim ? rows * network->outputs_ld : 0,
        .transposed = training ? (layers - 1) * (size_t)network->hidden * ld : 0,
    };
    const size_t arrays = training ? 2 * layers + (size.keep_z ? layers : 0) + 1 : 2;
    size.all = arrays * size.hidden + size.out + size.inputs + size.transposed +
               (training ? 2 : 1) * size.logits;
    return size;
}

size_t workspace_bytes(const struct network *network, size_t rows, bool training) {
    return floats_bytes(workspace_size(network, rows, training).all);
}

enum dn_status workspace_init(struct workspace *workspace, const struct network *network,
                              size_t rows, bool training, struct dn_error *error) {
    memset(workspace, 0, sizeof *workspace);
    const struct workspace_size size = workspace_size(network, rows, training);
    const size_t layers = (size_t)network->layer_count, hidden = size.hidden;
    workspace->rows = rows;
    workspace->memory = floats_new(size.all);
    if (!workspace->memory)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    float *next = workspace->memory;
    workspace->out = next, next += size.out;
    workspace->logits = size.logits > 0 ? next : NULL;
    next += size.logits;
    if (size.logits > 0 && training)
        workspace->logit_rates = next, next += size.logits;
    workspace->inputs = size.inputs > 0 ? next : NULL;
    next += size.inputs;
    workspace->transposed = next, next += size.transposed;
    for (size_t l = 0; l < layers; l++) {
        if (!training) { /* nothing is kept, so the layers share two arrays in turn */
            workspace->h[l] = workspace->z[l] = next + (l % 2) * hidden;
            continue;
        }
        workspace->h[l] = next, next += hidden;
        workspace->d[l] = next, next += hidden;
        workspace->z[l] = workspace->h[l];
        if (size.keep_z)
            workspace->z[l] = next, next += hidden;
    }
    if (training)
        workspace->g = next;
    return DN_OK;
}

void workspace_clear(struct workspace *workspace) {
    free(workspace->memory);
    memset(workspace, 0, sizeof *workspace);
}

void network_forward(const struct network *network, const float *parameters,
                     const struct time_rows *times, struct workspace *w, const float *x,
                     const uint64_t *given, const int32_t *slots, bool same_slot, size_t first,
                     size_t n) {
    const struct kernels *k = network->kernels;
    const size_t ld = network->hidden_ld, H = (size_t)network->hidden, at = first * ld;
    const bool multiply = network->conditioning == DN_MULTIPLY;
    /* Without a backward pass, the product starts from e_l: as a bias if all points have the same
     * row, else row by row. Both give the same bits. */
    const bool fold = !multiply && !w->d[0];
    assert(first + n <= w->rows);
    const float *input = (w->inputs ? w->inputs : x) + first * network->input_ld;
    if (w->inputs)
        inputs_fill(network, n, x + first * (size_t)network->dim,
                    w->inputs + first * network->input_ld);
    for (int l = 0; l < network->layer_count; l++) {
        const struct layer *layer = &network->layers[l];
        const float *e = time_rows_layer(times->embedded, times->capacity, network, l);
        const float *bias = fold && same_slot ? e + (size_t)slots[first] * ld
                            : multiply        ? parameters + layer->bias.offset
                                              : NULL; /* then e contains it */
        if (fold && !same_slot)
            for (size_t i = 0; i < n; i++)
                memcpy(w->z[l] + at + i * ld, e + (size_t)slots[first + i] * ld, ld * sizeof *e);
        const float *weight = parameters + layer->weight.offset;
        if (l == 0)
            inputs_product(network, n, input, given ? given + first : NULL, weight, bias,
                           fold && !same_slot, w->z[l] + at);
        else
            k->gemm(n, ld, H, input, ld, 1, weight, ld, w->z[l] + at, ld, bias, fold && !same_slot);
        k->activate(n, ld, w->z[l] + at, fold ? NULL : e, slots + first, multiply, w->h[l] + at,
                    w->d[l] ? w->d[l] + at : NULL);
        input = w->h[l] + at;
    }
    float *out = w->out + first * network->dim_ld;
    float *logits = w->logits ? w->logits + first * network->outputs_ld : NULL;
    const size_t outputs = logits ? (size_t)levels_used(network) : (size_t)network->dim;
    k->dots(n, outputs, ld, input, ld, parameters + network->out_weight.offset, ld,
            parameters + network->out_bias.offset, logits ? logits : out,
            logits ? network->outputs_ld : network->dim_ld);
    if (logits)
        levels_predict(network, times, n, x + first * (size_t)network->dim, slots + first,
                       same_slot ? 0 : 1, logits,
                       w->logit_rates ? w->logit_rates + first * network->outputs_ld : NULL, out);
}

/* The outputs of the last layer, of which there is a gradient: the number of them, the gradients
 * [rows][..] of a workspace, and how far apart rows are. */
struct outputs {
    size_t count, ld;
    float *gradients;
};

static struct outputs outputs_of(const struct network *network, const struct workspace *w) {
    if (w->logits)
        return (struct outputs){(size_t)levels_used(network), network->outputs_ld, w->logits};
    return (struct outputs){(size_t)network->dim, network->dim_ld, w->out};
}

void network_transpose(const struct network *network, const float *parameters,
                       struct workspace *w) {
    const struct kernels *k = network->kernels;
    size_t ld = network->hidden_ld, H = (size_t)network->hidden;
    float *to = w->transposed;
    for (int l = 1; l < network->layer_count; l++, to += H * ld)
        k->transpose(H, H, parameters + network->layers[l].weight.offset, ld, to, ld);
}

void network_clear_gradients(const struct network *network, float *gradients) {
    for (int i = 0; i < network->tensor_count; i++) {
        const struct tensor *tensor = network->tensors[i];
        if (tensor->summed)
            memset(gradients + tensor->offset, 0,
                   (size_t)tensor->rows * tensor->ld * sizeof *gradients);
    }
}

void network_backward_rows(const struct network *network, const float *parameters,
                           const struct time_rows *times, struct workspace *w, const int32_t *slots,
                           size_t first, size_t n) {
    const struct kernels *k = network->kernels;
    const size_t ld = network->hidden_ld, H = (size_t)network->hidden, at = first * ld;
    const struct outputs out = outputs_of(network, w);
    const bool multiply = network->conditioning == DN_MULTIPLY;
    assert(w->g && first + n <= w->rows);
    if (w->logits)
        levels_backward(network, n, w->out + first * network->dim_ld,
                        w->logit_rates + first * out.ld, w->logits + first * out.ld);
    k->gemm(n, ld, out.count, out.gradients + first * out.ld, out.ld, 1,
            parameters + network->out_weight.offset, ld, w->g + at, ld, NULL, false);
    for (int l = network->layer_count - 1; l >= 0; l--) {
        k->activate_backward(n, ld, w->g + at, w->d[l] + at, w->z[l] + at,
                             time_rows_layer(times->embedded, times->capacity, network, l),
                             slots + first, multiply);
        if (l > 0)
            k->gemm(n, ld, H, w->d[l] + at, ld, 1, w->transposed + (size_t)(l - 1) * H * ld, ld,
                    w->g + at, ld, NULL, false);
    }
}

size_t network_panel(const struct network *network, int parts) {
    return parts > 1 ? 32 : network->hidden_ld;
}

void network_backward_weights(const struct network *network, struct time_rows *times,
                              struct workspace *w, const float *x, const uint64_t *given,
                              const int32_t *slots, size_t n, bool first_chunk, int part, int parts,
                              float *gradients) {
    const struct kernels *k = network->kernels;
    const size_t ld = network->hidden_ld, H = (size_t)network->hidden;
    const struct outputs out = outputs_of(network, w);
    const bool multiply = network->conditioning == DN_MULTIPLY;
    const size_t panel = network_panel(network, parts);
    int item = 0; /* the parts take the items in turn */
    assert(w->g && n <= w->rows);
    if (item++ % parts == part) {
        k->gemm(out.count, ld, n, out.gradients, 1, out.ld, w->h[network->layer_count - 1], ld,
                gradients + network->out_weight.offset, ld, NULL, !first_chunk);
        k->column_sums(n, kernels_pad(out.count), out.ld, out.gradients,
                       gradients + network->out_bias.offset);
    }
    for (int l = 0; l < network->layer_count; l++) {
        const struct layer *layer = &network->layers[l];
        for (size_t j = 0; j < ld; j += panel) {
            if (item++ % parts != part)
                continue;
            const size_t cols = ld - j < panel ? ld - j : panel;
            float *of_weights = gradients + layer->weight.offset;
            if (l == 0)
                inputs_add_gradient(network, n, w->inputs ? w->inputs : x, given, w->d[l], j, cols,
                                    of_weights);
            else
                k->gemm(H, cols, n, w->h[l - 1], 1, ld, w->d[l] + j, ld, of_weights + j, ld, NULL,
                        !first_chunk);
            if (multiply) /* else it is the sum over the timesteps: network_backward_times */
                k->column_sums(n, cols, ld, w->d[l] + j, gradients + layer->bias.offset + j);
        }
        if (item++ % parts == part)
            k->add_rows(n, ld, ld, multiply ? w->z[l] : w->d[l], slots,
                        time_rows_layer(times->gradient, times->capacity, network, l));
    }
}
