/*
 * mlp.c - layout, initial weights, forward and backward of the conditional chain (mlp.h).
 */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "engine/network/inputs.h"
#include "engine/network/levels.h"
#include "engine/network/network.h"

/* ------------------------------------------------------------------ layout */

static struct tensor matrix(int rows, int cols, bool summed, enum tensor_form form) {
    return (struct tensor){.rows = rows, .cols = cols, .summed = summed, .form = form};
}

static void layer_layout(struct network *network, int l) {
    struct mlp *mlp = &network->mlp;
    struct layer *layer = &mlp->layers[l];
    const int H = mlp->hidden, in = l == 0 ? mlp->inputs : H;
    const bool sinusoidal = mlp->time_embedding == DN_SINUSOIDAL;
    network_place(network, &layer->weight, matrix(in, H, l == 0, TENSOR_LAYER), "layers.%d.weight",
                  l);
    network_place(network, &layer->bias, matrix(1, H, true, TENSOR_VECTOR), "layers.%d.bias", l);
    network_place(network, &layer->embedding,
                  sinusoidal ? matrix(H, H, false, TENSOR_LAYER)
                             : matrix(network->timesteps, H, true, TENSOR_TABLE),
                  "layers.%d.time.weight", l);
    if (sinusoidal)
        network_place(network, &layer->embedding_bias, matrix(1, H, true, TENSOR_VECTOR),
                      "layers.%d.time.bias", l);
    if (network->classes)
        network_place(network, &layer->label, matrix(network->classes + 1, H, true, TENSOR_TABLE),
                      "layers.%d.label.weight", l);
}

static void mlp_layout(struct network *network, const struct dn_spec *spec) {
    struct mlp *mlp = &network->mlp;
    const bool by_rank = spec->training.normalization == DN_QUANTILE;
    const int levels = by_rank && spec->network.output_levels ? spec->network.output_levels : 1;
    mlp->hidden = spec->network.hidden_size;
    mlp->layer_count = spec->network.hidden_layers;
    mlp->time_embedding = spec->network.time_embedding;
    mlp->conditioning = spec->network.conditioning;
    mlp->hidden_ld = kernels_pad((size_t)mlp->hidden);
    mlp->outputs = network->dim * levels;
    mlp->outputs_ld = kernels_pad((size_t)mlp->outputs);
    network->slot_floats = (size_t)mlp->layer_count * mlp->hidden_ld;
    inputs_layout(network, spec);
    for (int l = 0; l < mlp->layer_count; l++)
        layer_layout(network, l);
    network_place(network, &mlp->out_weight,
                  matrix(mlp->outputs, mlp->hidden, false, TENSOR_TABLE), /* stored [out][in] */
                  "out.weight");
    network_place(network, &mlp->out_bias, matrix(1, mlp->outputs, true, TENSOR_VECTOR),
                  "out.bias");
}

static size_t sinusoid_floats(const struct network *network) {
    return (size_t)network->timesteps * (size_t)network->mlp.hidden;
}

static size_t mlp_bytes(const struct network *network) {
    const bool sinusoidal = network->mlp.time_embedding == DN_SINUSOIDAL;
    return levels_bytes(network) + (sinusoidal ? floats_bytes(sinusoid_floats(network)) : 0);
}

static enum dn_status mlp_init(struct network *network, struct dn_error *error) {
    const int H = network->mlp.hidden, T = network->timesteps;
    if (network->mlp.time_embedding != DN_SINUSOIDAL)
        return DN_OK;
    float *sinusoid = network->mlp.sinusoid = floats_new(sinusoid_floats(network));
    if (!sinusoid)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    for (int t = 1; t <= T; t++)
        for (int r = 0; r < H; r++)
            sinusoid[(t - 1) * H + r] = (float)network_sinusoid(H, t, r);
    return DN_OK;
}

static void mlp_clear(struct network *network) {
    free(network->mlp.sinusoid);
    levels_clear(network);
}

/* ------------------------------------------------------------------ initial weights */

static double glorot(const struct tensor *tensor) {
    return sqrt(6.0 / (tensor->rows + tensor->cols));
}

/* Numbers of tensors that only some networks have, above those of all networks. */
enum { LABEL_TENSORS = 1000, FIRST_BIAS = 2000 };

/* The initial parameters of a layer's e_l(t); with *, the effect of t and the label is small
 * compared with 1. */
static void embedding_initialize(const struct network *network, const struct layer *layer,
                                 uint64_t seed, uint32_t number, float *parameters) {
    const bool table = network->mlp.time_embedding == DN_LEARNED;
    const struct tensor *matrix = &layer->embedding;
    if (table)
        tensor_normal(network->kernels, matrix, seed, number, parameters);
    else
        tensor_uniform(matrix, seed, number, false, glorot(matrix), parameters);
    if (network->mlp.conditioning != DN_MULTIPLY)
        return;
    tensor_affine(matrix, 0.1f, table ? 1 : 0, parameters);
    if (!table)
        tensor_affine(&layer->embedding_bias, 0, 1, parameters);
    if (network->classes)
        tensor_affine(&layer->label, 0.25f, 0, parameters);
}

/* The rows of the first layer's weights that belong to the coordinates x. */
static struct tensor weights_of_x(const struct network *network) {
    struct tensor part = network->mlp.layers[0].weight;
    part.rows = network->dim;
    return part;
}

/* Makes those of the other inputs small beside them, but for the values of given coordinates. */
static void soften_others(const struct network *network, float *parameters) {
    struct tensor part = network->mlp.layers[0].weight;
    const int dim = network->dim, end = part.rows;
    const int given = dim * (2 + 2 * network->mlp.octaves); /* where the values are, if anywhere */
    for (int first = dim; first < end; first += dim) {
        part.rows = dim;
        part.offset = network->mlp.layers[0].weight.offset + (size_t)first * part.ld;
        if (first != given)
            tensor_affine(&part, 0.1f, 0, parameters);
    }
}

static double weight_limit(const struct network *network, int l) {
    const struct tensor weight = l == 0 ? weights_of_x(network) : network->mlp.layers[l].weight;
    if (network->mlp.conditioning != DN_MULTIPLY)
        return glorot(&weight);
    return l == 0 ? 1 : sqrt(6.0 / weight.rows);
}

static void mlp_draw_weights(const struct network *network, uint64_t seed, float *parameters) {
    for (int l = 0; l < network->mlp.layer_count; l++) {
        const struct layer *layer = &network->mlp.layers[l];
        uint32_t number = 2 * (uint32_t)l;
        tensor_uniform(&layer->weight, seed, number, false, weight_limit(network, l), parameters);
        if (network->classes)
            tensor_normal(network->kernels, &layer->label, seed, LABEL_TENSORS + (uint32_t)l,
                          parameters);
        embedding_initialize(network, layer, seed, number + 1, parameters);
    }
    soften_others(network, parameters);
    if (network->mlp.conditioning == DN_MULTIPLY)
        tensor_uniform(&network->mlp.layers[0].bias, seed, FIRST_BIAS, false, 1, parameters);
    tensor_uniform(&network->mlp.out_weight, seed, 2 * (uint32_t)network->mlp.layer_count, true,
                   glorot(&network->mlp.out_weight), parameters);
}

/* ------------------------------------------------------------------ costs */

/* With fewer rows of a batch, more activations would stay in the first-level cache, but each chunk
 * also updates all gradients of the weights. Chunks of validation grow until their activations, if
 * they were kept for the backward pass, fill the second-level cache; so do those of sampling. */
static struct network_chunks mlp_chunks(const struct network *network) {
    enum { BATCH = 128, FEWEST_TO_SAMPLE = 48 };
    const size_t ld = network->mlp.hidden_ld, layers = (size_t)network->mlp.layer_count;
    const size_t validation = 65536 / (layers * ld) / 6 * 6, sampling = 32768 / ld;
    return (struct network_chunks){
        .batch = BATCH,
        .validation = validation < BATCH ? BATCH : validation,
        .sampling = sampling < FEWEST_TO_SAMPLE ? FEWEST_TO_SAMPLE : sampling / 6 * 6,
    };
}

static double mlp_row_flops(const struct network *network) {
    return 2 * (double)network_parameters(network);
}

/* What the first layer multiplies of a point, on average: its inputs, and of a given coordinate that
 * it is given, too. Half of the points are given a share of their coordinates, uniform in 0..1. */
static double first_inputs(const struct network *network) {
    const struct mlp *mlp = &network->mlp;
    return network->dim * (1 + 2 * mlp->octaves + (mlp->may_be_given ? 0.25 : 0));
}

static double mlp_step_flops(const struct network *network, int rows) {
    const struct mlp *mlp = &network->mlp;
    const double H = mlp->hidden, L = mlp->layer_count;
    const double outputs = mlp->outputs;
    const double first = first_inputs(network) * H, rest = (L - 1) * H * H + H * outputs;
    /* One product forward, one for the gradient of the weights, and in all layers but the first
     * one for the gradient of the inputs. */
    const double dense = rows * (2 * first + 3 * rest);
    /* The dense layer on the sinusoid needs no gradient of its inputs. Two timesteps in a pair take
     * as long as one. */
    const int pairs = mlp_lasting(network, rows) / 2;
    const double embedded = pairs > 0 ? pairs : network_step_timesteps(network, rows);
    const bool sinusoidal = mlp->time_embedding == DN_SINUSOIDAL;
    return 2 * (dense + (sinusoidal ? 2 * embedded * L * H * H : 0));
}

/* ------------------------------------------------------------------ passes */

static void mlp_place_workspace(struct workspace *workspace, const struct network *network,
                                bool training, struct arena *arena) {
    struct mlp_workspace *own = &workspace->mlp;
    const struct mlp *mlp = &network->mlp;
    const size_t rows = workspace->rows, hidden = rows * mlp->hidden_ld;
    const size_t layers = (size_t)mlp->layer_count;
    if (mlp->outputs > network->dim) {
        own->logits = arena_take(arena, rows * mlp->outputs_ld);
        if (training)
            own->logit_rates = arena_take(arena, rows * mlp->outputs_ld);
    }
    if (!inputs_are_points(network))
        own->inputs = arena_take(arena, rows * mlp->input_ld);
    if (!training) { /* nothing is kept, so the layers share two arrays in turn */
        float *shared[2] = {arena_take(arena, hidden), arena_take(arena, hidden)};
        for (size_t l = 0; l < layers; l++)
            own->h[l] = own->z[l] = shared[l % 2];
        return;
    }
    own->transposed = arena_take(arena, (layers - 1) * (size_t)mlp->hidden * mlp->hidden_ld);
    for (size_t l = 0; l < layers; l++) {
        own->h[l] = arena_take(arena, hidden);
        own->d[l] = arena_take(arena, hidden);
        own->z[l] = mlp->conditioning == DN_MULTIPLY ? arena_take(arena, hidden) : own->h[l];
    }
    own->g = arena_take(arena, hidden);
}

static void mlp_forward(const struct network *network, const float *parameters,
                        const struct time_rows *times, struct workspace *w, const float *x,
                        const uint64_t *given, const int32_t *slots, bool same_slot, size_t first,
                        size_t n) {
    const struct kernels *k = network->kernels;
    const struct mlp *mlp = &network->mlp;
    const struct mlp_workspace *own = &w->mlp;
    const size_t ld = mlp->hidden_ld, H = (size_t)mlp->hidden, at = first * ld;
    const bool multiply = mlp->conditioning == DN_MULTIPLY;
    /* Without a backward pass, the product starts from e_l: as a bias if all points have the same
     * row, else row by row. Both give the same bits. */
    const bool fold = !multiply && !own->d[0];
    assert(first + n <= w->rows);
    const float *input = (own->inputs ? own->inputs : x) + first * mlp->input_ld;
    if (own->inputs)
        inputs_fill(network, n, x + first * (size_t)network->dim,
                    own->inputs + first * mlp->input_ld);
    for (int l = 0; l < mlp->layer_count; l++) {
        const struct layer *layer = &mlp->layers[l];
        const float *e = mlp_layer_rows(times->mlp.embedded, times->capacity, network, l);
        const float *bias = fold && same_slot ? e + (size_t)slots[first] * ld
                            : multiply        ? parameters + layer->bias.offset
                                              : NULL; /* then e contains it */
        if (fold && !same_slot)
            for (size_t i = 0; i < n; i++)
                memcpy(own->z[l] + at + i * ld, e + (size_t)slots[first + i] * ld, ld * sizeof *e);
        const float *weight = parameters + layer->weight.offset;
        if (l == 0)
            inputs_product(network, n, input, given ? given + first : NULL, weight, bias,
                           fold && !same_slot, own->z[l] + at);
        else
            k->gemm(n, ld, H, input, ld, 1, weight, ld, own->z[l] + at, ld, bias,
                    fold && !same_slot);
        k->activate(n, ld, own->z[l] + at, fold ? NULL : e, slots + first, multiply, own->h[l] + at,
                    own->d[l] ? own->d[l] + at : NULL);
        input = own->h[l] + at;
    }
    float *out = w->out + first * network->dim_ld;
    float *logits = own->logits ? own->logits + first * mlp->outputs_ld : NULL;
    const size_t outputs = logits ? (size_t)levels_used(network) : (size_t)network->dim;
    k->dots(n, outputs, ld, input, ld, parameters + mlp->out_weight.offset, ld,
            parameters + mlp->out_bias.offset, logits ? logits : out,
            logits ? mlp->outputs_ld : network->dim_ld);
    if (logits)
        levels_predict(network, times, n, x + first * (size_t)network->dim, slots + first,
                       same_slot ? 0 : 1, logits,
                       own->logit_rates ? own->logit_rates + first * mlp->outputs_ld : NULL, out);
}

/* The outputs of the last layer, of which there is a gradient: the number of them, the gradients
 * [rows][..] of a workspace, and how far apart rows are. */
struct outputs {
    size_t count, ld;
    float *gradients;
};

static struct outputs outputs_of(const struct network *network, const struct workspace *w) {
    if (w->mlp.logits)
        return (struct outputs){(size_t)levels_used(network), network->mlp.outputs_ld,
                                w->mlp.logits};
    return (struct outputs){(size_t)network->dim, network->dim_ld, w->out};
}

static void mlp_prepare(const struct network *network, const float *parameters,
                        struct workspace *w) {
    const struct kernels *k = network->kernels;
    const struct mlp *mlp = &network->mlp;
    const struct mlp_workspace *own = &w->mlp;
    size_t ld = mlp->hidden_ld, H = (size_t)mlp->hidden;
    float *to = own->transposed;
    for (int l = 1; to && l < mlp->layer_count; l++, to += H * ld)
        k->transpose(H, H, parameters + mlp->layers[l].weight.offset, ld, to, ld);
}

static void mlp_backward_rows(const struct network *network, const float *parameters,
                              const struct time_rows *times, struct workspace *w,
                              const int32_t *slots, size_t first, size_t n) {
    const struct kernels *k = network->kernels;
    const struct mlp *mlp = &network->mlp;
    const struct mlp_workspace *own = &w->mlp;
    const size_t ld = mlp->hidden_ld, H = (size_t)mlp->hidden, at = first * ld;
    const struct outputs out = outputs_of(network, w);
    const bool multiply = mlp->conditioning == DN_MULTIPLY;
    assert(own->g && first + n <= w->rows);
    if (own->logits)
        levels_backward(network, n, w->out + first * network->dim_ld,
                        own->logit_rates + first * out.ld, own->logits + first * out.ld);
    k->gemm(n, ld, out.count, out.gradients + first * out.ld, out.ld, 1,
            parameters + mlp->out_weight.offset, ld, own->g + at, ld, NULL, false);
    for (int l = mlp->layer_count - 1; l >= 0; l--) {
        k->activate_backward(n, ld, own->g + at, own->d[l] + at, own->z[l] + at,
                             mlp_layer_rows(times->mlp.embedded, times->capacity, network, l),
                             slots + first, multiply);
        if (l > 0)
            k->gemm(n, ld, H, own->d[l] + at, ld, 1, own->transposed + (size_t)(l - 1) * H * ld, ld,
                    own->g + at, ld, NULL, false);
    }
}

size_t mlp_panel(const struct network *network, int parts) {
    return parts > 1 ? 32 : network->mlp.hidden_ld;
}

static void mlp_backward_weights(const struct network *network, struct time_rows *times,
                                 struct workspace *w, const float *x, const uint64_t *given,
                                 const int32_t *slots, size_t n, bool first_chunk, int part,
                                 int parts, float *gradients) {
    const struct kernels *k = network->kernels;
    const struct mlp *mlp = &network->mlp;
    const struct mlp_workspace *own = &w->mlp;
    const size_t ld = mlp->hidden_ld, H = (size_t)mlp->hidden;
    const struct outputs out = outputs_of(network, w);
    const bool multiply = mlp->conditioning == DN_MULTIPLY;
    const size_t panel = mlp_panel(network, parts);
    int item = 0; /* the parts take the items in turn */
    assert(own->g && n <= w->rows);
    if (item++ % parts == part) {
        k->gemm(out.count, ld, n, out.gradients, 1, out.ld, own->h[mlp->layer_count - 1], ld,
                gradients + mlp->out_weight.offset, ld, NULL, !first_chunk);
        k->column_sums(n, kernels_pad(out.count), out.ld, out.gradients,
                       gradients + mlp->out_bias.offset);
    }
    for (int l = 0; l < mlp->layer_count; l++) {
        const struct layer *layer = &mlp->layers[l];
        for (size_t j = 0; j < ld; j += panel) {
            if (item++ % parts != part)
                continue;
            const size_t cols = ld - j < panel ? ld - j : panel;
            float *of_weights = gradients + layer->weight.offset;
            if (l == 0)
                inputs_add_gradient(network, n, own->inputs ? own->inputs : x, given, own->d[l], j,
                                    cols, of_weights);
            else
                k->gemm(H, cols, n, own->h[l - 1], 1, ld, own->d[l] + j, ld, of_weights + j, ld,
                        NULL, !first_chunk);
            if (multiply) /* else it is the sum over the timesteps: mlp_backward_times */
                k->column_sums(n, cols, ld, own->d[l] + j, gradients + layer->bias.offset + j);
        }
        if (item++ % parts == part)
            k->add_rows(n, ld, ld, multiply ? own->z[l] : own->d[l], slots,
                        mlp_layer_rows(times->mlp.gradient, times->capacity, network, l));
    }
}

static void mlp_finish_gradients(const struct network *network, const float *parameters,
                                 struct time_rows *times, struct workspace *w, int part, int parts,
                                 float *gradients) {
    (void)parameters, (void)w;
    mlp_backward_times(network, times, part, parts, gradients);
}

const struct network_kind mlp_kind = {
    .layout = mlp_layout,
    .init = mlp_init,
    .bytes = mlp_bytes,
    .clear = mlp_clear,
    .draw_weights = mlp_draw_weights,
    .chunks = mlp_chunks,
    .row_flops = mlp_row_flops,
    .step_flops = mlp_step_flops,
    .lasting = mlp_lasting,
    .place_times = mlp_place_times,
    .begin_times = mlp_begin_times,
    .embed = mlp_embed,
    .place_workspace = mlp_place_workspace,
    .prepare = mlp_prepare,
    .forward = mlp_forward,
    .backward_rows = mlp_backward_rows,
    .backward_weights = mlp_backward_weights,
    .finish_gradients = mlp_finish_gradients,
};
