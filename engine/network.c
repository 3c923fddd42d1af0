/*
 * network.c - layout, initial weights, forward and backward of the conditional chain (network.h).
 */
#include "engine/network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "engine/random.h"

/* ------------------------------------------------------------------ layout */

static void tensor_place(struct network *network, struct tensor *tensor, int rows, int cols) {
    *tensor = (struct tensor){network->size, rows, cols, kernels_pad((size_t)cols)};
    network->size += (size_t)rows * tensor->ld;
    network->size = (network->size + 15) / 16 * 16;
    network->tensors[network->tensor_count++] = tensor;
}

double network_sinusoid(int hidden, int position, int r) {
    int even = r / 2 * 2;
    double frequency = hidden > 2 ? exp(-log(10000.0) * even / (hidden - 2)) : 1;
    return r % 2 == 0 ? sin(position * frequency) : cos(position * frequency);
}

void network_layout(struct network *network, int dim, const struct dn_spec *spec) {
    memset(network, 0, sizeof *network);
    int H = network->hidden = spec->network.hidden_size;
    int T = network->timesteps = spec->diffusion.timesteps;
    bool sinusoidal = spec->network.time_embedding == DN_SINUSOIDAL;
    network->dim = dim;
    network->layer_count = spec->network.hidden_layers;
    network->time_embedding = spec->network.time_embedding;
    network->conditioning = spec->network.conditioning;
    network->hidden_ld = kernels_pad((size_t)H);
    network->dim_ld = kernels_pad((size_t)dim);
    for (int l = 0; l < network->layer_count; l++) {
        struct layer *layer = &network->layers[l];
        tensor_place(network, &layer->weight, l == 0 ? dim : H, H);
        tensor_place(network, &layer->bias, 1, H);
        tensor_place(network, &layer->embedding, sinusoidal ? H : T, H);
        if (sinusoidal)
            tensor_place(network, &layer->embedding_bias, 1, H);
    }
    tensor_place(network, &network->out_weight, H, dim);
    tensor_place(network, &network->out_bias, 1, dim);
}

enum dn_status network_init(struct network *network, int dim, const struct dn_spec *spec,
                            struct dn_error *error) {
    network_layout(network, dim, spec);
    int H = network->hidden, T = network->timesteps;
    if (network->time_embedding == DN_SINUSOIDAL) {
        network->sinusoid = floats_new((size_t)T * (size_t)H);
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
    memset(network, 0, sizeof *network);
}

int64_t network_parameters(const struct network *network) {
    int64_t count = 0;
    for (int i = 0; i < network->tensor_count; i++)
        count += (int64_t)network->tensors[i]->rows * network->tensors[i]->cols;
    return count;
}

static void tensor_glorot(const struct tensor *tensor, uint64_t seed, uint32_t number, float *p) {
    double limit = sqrt(6.0 / (tensor->rows + tensor->cols));
    for (int i = 0; i < tensor->rows; i++)
        for (int j = 0; j < tensor->cols; j++) {
            uint64_t index = (uint64_t)i * (uint64_t)tensor->cols + (uint64_t)j;
            double u = random_uniform(seed, RANDOM_WEIGHTS, number, index);
            p[tensor->offset + (size_t)i * tensor->ld + (size_t)j] = (float)((2 * u - 1) * limit);
        }
}

static void tensor_normal(const struct tensor *tensor, uint64_t seed, uint32_t number, float *p) {
    for (int i = 0; i < tensor->rows; i++)
        random_normals(seed, RANDOM_WEIGHTS, number, (uint64_t)i * (uint64_t)tensor->cols,
                       (size_t)tensor->cols, p + tensor->offset + (size_t)i * tensor->ld);
}

void network_initialise(const struct network *network, uint64_t seed, float *parameters) {
    memset(parameters, 0, network->size * sizeof *parameters);
    bool table = network->time_embedding == DN_LEARNED;
    for (int l = 0; l < network->layer_count; l++) {
        const struct layer *layer = &network->layers[l];
        uint32_t number = 2 * (uint32_t)l;
        tensor_glorot(&layer->weight, seed, number, parameters);
        (table ? tensor_normal : tensor_glorot)(&layer->embedding, seed, number + 1, parameters);
    }
    tensor_glorot(&network->out_weight, seed, 2 * (uint32_t)network->layer_count, parameters);
}

/* ------------------------------------------------------------------ time */

enum dn_status time_rows_init(struct time_rows *rows, const struct network *network, int capacity,
                              bool training, struct dn_error *error) {
    memset(rows, 0, sizeof *rows);
    if (capacity > network->timesteps)
        capacity = network->timesteps;
    size_t table = (size_t)network->layer_count * (size_t)capacity * network->hidden_ld;
    rows->capacity = capacity;
    rows->t = calloc((size_t)capacity, sizeof *rows->t);
    rows->slot_of = malloc(((size_t)network->timesteps + 1) * sizeof *rows->slot_of);
    rows->embedded = floats_new(table);
    rows->gradient = training ? floats_new(table) : NULL;
    rows->gathered = floats_new((size_t)capacity * (size_t)network->hidden);
    if (!rows->t || !rows->slot_of || !rows->embedded || !rows->gathered ||
        (training && !rows->gradient)) {
        time_rows_clear(rows);
        return error_set(error, DN_NO_MEMORY, "out of memory");
    }
    memset(rows->slot_of, 0xff, ((size_t)network->timesteps + 1) * sizeof *rows->slot_of);
    return DN_OK;
}

void time_rows_clear(struct time_rows *rows) {
    free(rows->t);
    free(rows->slot_of);
    free(rows->embedded);
    free(rows->gradient);
    free(rows->gathered);
    memset(rows, 0, sizeof *rows);
}

/* The rows e_l (or their gradient) of one layer. */
static float *time_layer(const struct time_rows *rows, const struct network *network, float *table,
                         int l) {
    return table + (size_t)l * (size_t)rows->capacity * network->hidden_ld;
}

static void time_rows_embed(struct time_rows *rows, const struct network *network,
                            const float *parameters) {
    const struct kernels *k = kernels_get();
    size_t H = (size_t)network->hidden, ld = network->hidden_ld, count = (size_t)rows->count;
    if (network->sinusoid)
        for (size_t i = 0; i < count; i++)
            memcpy(rows->gathered + i * H, network->sinusoid + (size_t)(rows->t[i] - 1) * H,
                   H * sizeof(float));
    for (int l = 0; l < network->layer_count; l++) {
        const struct layer *layer = &network->layers[l];
        const float *weights = parameters + layer->embedding.offset;
        float *embedded = time_layer(rows, network, rows->embedded, l);
        if (network->sinusoid)
            k->gemm(count, ld, H, rows->gathered, H, 1, weights, ld, embedded, ld,
                    parameters + layer->embedding_bias.offset, false);
        else
            for (size_t i = 0; i < count; i++)
                memcpy(embedded + i * ld, weights + (size_t)(rows->t[i] - 1) * ld,
                       ld * sizeof(float));
    }
}

void time_rows_set(struct time_rows *rows, const struct network *network, const float *parameters,
                   const int32_t *t, size_t n, int32_t *slots) {
    for (int i = 0; i < rows->count; i++)
        rows->slot_of[rows->t[i]] = -1;
    rows->count = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t *slot = &rows->slot_of[t[i]];
        if (*slot < 0) {
            *slot = rows->count;
            rows->t[rows->count++] = t[i];
        }
        slots[i] = *slot;
    }
    time_rows_embed(rows, network, parameters);
    if (rows->gradient)
        for (int l = 0; l < network->layer_count; l++)
            memset(time_layer(rows, network, rows->gradient, l), 0,
                   (size_t)rows->count * network->hidden_ld * sizeof(float));
}

/* ------------------------------------------------------------------ passes */

enum dn_status workspace_init(struct workspace *workspace, const struct network *network,
                              size_t rows, bool training, struct dn_error *error) {
    memset(workspace, 0, sizeof *workspace);
    size_t layers = (size_t)network->layer_count, ld = network->hidden_ld;
    size_t hidden = rows * ld;
    size_t out = (rows * network->dim_ld + 15) / 16 * 16;
    bool keep_z = training && network->conditioning == DN_MULTIPLY;
    size_t arrays = training ? 2 * layers + (keep_z ? layers : 0) + 2 : 2;
    size_t transposed =
        training ? ((layers - 1) * (size_t)network->hidden + (size_t)network->dim) * ld : 0;
    workspace->rows = rows;
    workspace->memory = floats_new(arrays * hidden + out + transposed);
    if (!workspace->memory)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    float *next = workspace->memory;
    workspace->out = next, next += out;
    workspace->transposed = next, next += transposed;
    for (size_t l = 0; l < layers; l++) {
        if (!training) { /* nothing is kept: the layers take turns in two arrays */
            workspace->h[l] = workspace->z[l] = next + (l % 2) * hidden;
            continue;
        }
        workspace->h[l] = next, next += hidden;
        workspace->d[l] = next, next += hidden;
        workspace->z[l] = workspace->h[l];
        if (keep_z)
            workspace->z[l] = next, next += hidden;
    }
    if (training) {
        workspace->g = next, next += hidden;
        workspace->g_next = next;
    }
    return DN_OK;
}

void workspace_clear(struct workspace *workspace) {
    free(workspace->memory);
    memset(workspace, 0, sizeof *workspace);
}

void network_forward(const struct network *network, const float *parameters,
                     const struct time_rows *times, struct workspace *w, const float *x,
                     const int32_t *slots, size_t n) {
    const struct kernels *k = kernels_get();
    size_t ld = network->hidden_ld, H = (size_t)network->hidden;
    bool multiply = network->conditioning == DN_MULTIPLY;
    const float *input = x;
    size_t input_ld = (size_t)network->dim, input_cols = (size_t)network->dim;
    for (int l = 0; l < network->layer_count; l++) {
        const struct layer *layer = &network->layers[l];
        k->gemm(n, ld, input_cols, input, input_ld, 1, parameters + layer->weight.offset, ld,
                w->z[l], ld, parameters + layer->bias.offset, false);
        k->activate(n, ld, w->z[l], time_layer(times, network, times->embedded, l), slots, multiply,
                    w->h[l], w->d[l]);
        input = w->h[l];
        input_ld = ld;
        input_cols = H;
    }
    k->gemm(n, network->dim_ld, H, input, ld, 1, parameters + network->out_weight.offset,
            network->dim_ld, w->out, network->dim_ld, parameters + network->out_bias.offset, false);
}

void network_transpose(const struct network *network, const float *parameters,
                       struct workspace *w) {
    const struct kernels *k = kernels_get();
    size_t ld = network->hidden_ld, H = (size_t)network->hidden;
    float *to = w->transposed;
    for (int l = 1; l < network->layer_count; l++, to += H * ld)
        k->transpose(H, H, parameters + network->layers[l].weight.offset, ld, to, ld);
    k->transpose(H, (size_t)network->dim, parameters + network->out_weight.offset, network->dim_ld,
                 to, ld);
}

/* Gradient of a dense layer's weight and bias from its input [n][in] and the gradient of its output
 * g [n][out_ld]. */
static void dense_backward(const struct kernels *k, const struct tensor *weight,
                           const struct tensor *bias, const float *input, size_t input_ld,
                           const float *g, size_t n, float *gradients) {
    k->gemm((size_t)weight->rows, weight->ld, n, input, 1, input_ld, g, weight->ld,
            gradients + weight->offset, weight->ld, NULL, true);
    k->column_sums(n, weight->ld, g, gradients + bias->offset);
}

void network_backward(const struct network *network, struct time_rows *times, struct workspace *w,
                      const float *x, const int32_t *slots, size_t n, float *gradients) {
    const struct kernels *k = kernels_get();
    size_t ld = network->hidden_ld, H = (size_t)network->hidden, square = H * ld;
    int L = network->layer_count;
    bool multiply = network->conditioning == DN_MULTIPLY;
    const float *g = w->out; /* gradient of the layer above, before its weights */
    size_t g_ld = network->dim_ld, g_cols = (size_t)network->dim;
    dense_backward(k, &network->out_weight, &network->out_bias, w->h[L - 1], ld, g, n, gradients);
    for (int l = L - 1; l >= 0; l--) {
        const struct layer *layer = &network->layers[l];
        float *below = g == w->g ? w->g_next : w->g;
        k->gemm(n, ld, g_cols, g, g_ld, 1, w->transposed + (size_t)l * square, ld, below, ld, NULL,
                false);
        k->activate_backward(n, ld, below, w->d[l], w->z[l],
                             time_layer(times, network, times->embedded, l), slots, multiply,
                             time_layer(times, network, times->gradient, l));
        dense_backward(k, &layer->weight, &layer->bias, l == 0 ? x : w->h[l - 1],
                       l == 0 ? (size_t)network->dim : ld, below, n, gradients);
        g = below;
        g_ld = ld;
        g_cols = H;
    }
}

void network_backward_times(const struct network *network, struct time_rows *times,
                            float *gradients) {
    const struct kernels *k = kernels_get();
    size_t ld = network->hidden_ld, count = (size_t)times->count;
    for (int l = 0; l < network->layer_count; l++) {
        const struct layer *layer = &network->layers[l];
        const float *g = time_layer(times, network, times->gradient, l);
        if (network->sinusoid) {
            dense_backward(k, &layer->embedding, &layer->embedding_bias, times->gathered,
                           (size_t)network->hidden, g, count, gradients);
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            float *row = gradients + layer->embedding.offset +
                         (size_t)(times->t[i] - 1) * layer->embedding.ld;
            for (size_t j = 0; j < ld; j++)
                row[j] += g[i * ld + j];
        }
    }
}
