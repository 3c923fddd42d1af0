/*
 * mlp_times.c - what an MLP adds to a layer for a timestep and a label: e_l of mlp.h.
 */
#include <string.h>

#include "engine/network/network.h"

/* ------------------------------------------------------------------ memory */

/* Pairs take as long as half of the timesteps one by one, and with few units what they add costs what
 * they save. A batch of at least T points has 63 % of the timesteps or more. */
static int halves_of(const struct network *network, int batch) {
    const bool in_pairs = batch >= network->timesteps &&
                          network->mlp.time_embedding == DN_SINUSOIDAL && network->mlp.hidden >= 64;
    return in_pairs ? (network->timesteps + 1) / 2 : 0;
}

int mlp_lasting(const struct network *network, int batch) {
    return 2 * halves_of(network, batch);
}

void mlp_place_times(struct time_rows *rows, const struct network *network, bool training,
                     struct arena *arena) {
    struct mlp_times *own = &rows->mlp;
    const size_t ld = network->mlp.hidden_ld, layers = (size_t)network->mlp.layer_count;
    const size_t slots = layers * (size_t)rows->capacity * ld;
    const size_t times = network->classes ? layers * (size_t)rows->time_capacity * ld : 0;
    own->halves = rows->lasting / 2;
    own->gathered = arena_take(arena, (size_t)rows->time_capacity * ld);
    own->bias = arena_take(arena, ld);
    if (own->halves > 0) {
        own->middle = arena_take(arena, ld);
        own->turned = arena_take(arena, (size_t)network->mlp.hidden * ld);
    }
    own->embedded = arena_take(arena, slots);
    own->time_embedded = times ? arena_take(arena, times) : own->embedded;
    if (!training)
        return;
    own->gradient = arena_take(arena, slots);
    own->time_gradient = times ? arena_take(arena, times) : own->gradient;
}

/* k + 1/2 or k above the middle is in row k, as much below it in row halves + k. An odd T has its
 * middle above. */
void mlp_begin_times(struct time_rows *rows, const struct network *network) {
    struct mlp_times *own = &rows->mlp;
    const int T = network->timesteps, H = network->mlp.hidden, halves = own->halves;
    const double middle = (T + 1) / 2.0, first = T % 2 == 0 ? 0.5 : 0;
    for (int k = halves - 1; k >= 0; k--) {
        const double distance = first + k;
        rows->t[k] = (int32_t)(middle + distance);
        rows->t[halves + k] = (int32_t)(middle - distance);
        rows->time_of[rows->t[halves + k]] = halves + k;
        rows->time_of[rows->t[k]] = k;
        for (int r = 0; r < H; r++) /* first the cosines, then the sines */
            own->gathered[k * H + r % 2 * (H / 2) + r / 2] =
                (float)network_sinusoid(H, distance, r ^ 1);
    }
    for (int r = 0; r < H; r++)
        own->middle[r] = (float)network_sinusoid(H, middle, r);
}

/* ------------------------------------------------------------------ forward */

float *mlp_layer_rows(float *table, int capacity, const struct network *network, int l) {
    return table + (size_t)l * (size_t)capacity * network->mlp.hidden_ld;
}

/* e_l(t) of all t. With m = (T + 1) / 2, the rows a and b of the weights that belong to the sine and the
 * cosine of one frequency w add
 *
 *     sin(w (m+-s)) a + cos(w (m+-s)) b = cos(w s) u +- sin(w s) v,
 *     u = sin(w m) a + cos(w m) b,   v = cos(w m) a - sin(w m) b
 *
 * to e_l(m+-s), so that two products of half as many rows, of half the depth, give the sums over all
 * frequencies of either term. The gradient goes the same way back. */
static void embed_halves(struct time_rows *rows, const struct network *network,
                         const float *weights, float *embedded) {
    const struct kernels *k = network->kernels;
    const size_t H = (size_t)network->mlp.hidden, ld = network->mlp.hidden_ld;
    const size_t halves = (size_t)rows->mlp.halves;
    float *below = embedded + halves * ld;
    k->turn(H / 2, ld, ld, rows->mlp.middle, weights, rows->mlp.turned);
    k->gemm(halves, ld, H / 2, rows->mlp.gathered, H, 1, rows->mlp.turned, 2 * ld, embedded, ld,
            rows->mlp.bias, false);
    k->gemm(halves, ld, H / 2, rows->mlp.gathered + H / 2, H, 1, rows->mlp.turned + ld, 2 * ld,
            below, ld, NULL, false);
    k->butterfly(halves, ld, ld, embedded, below);
}

/* e_l(t) of all distinct t. */
static void times_embed(struct time_rows *rows, const struct network *network,
                        const float *parameters, int l) {
    const struct kernels *k = network->kernels;
    const size_t H = (size_t)network->mlp.hidden, ld = network->mlp.hidden_ld;
    const size_t count = (size_t)rows->time_count;
    const struct layer *layer = &network->mlp.layers[l];
    const float *weights = parameters + layer->embedding.offset;
    float *embedded = mlp_layer_rows(rows->mlp.time_embedded, rows->time_capacity, network, l);
    for (size_t j = 0; j < ld; j++)
        rows->mlp.bias[j] =
            network->mlp.conditioning == DN_ADD ? parameters[layer->bias.offset + j] : 0;
    if (network->mlp.sinusoid) {
        for (size_t j = 0; j < ld; j++)
            rows->mlp.bias[j] += parameters[layer->embedding_bias.offset + j];
        if (rows->mlp.halves > 0) {
            embed_halves(rows, network, weights, embedded);
            return;
        }
        k->gemm(count, ld, H, rows->mlp.gathered, H, 1, weights, ld, embedded, ld, rows->mlp.bias,
                false);
        return;
    }
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < ld; j++)
            embedded[i * ld + j] = weights[(size_t)(rows->t[i] - 1) * ld + j] + rows->mlp.bias[j];
}

/* e_l = e_l(t) + c_l(label) of all slots. */
static void slots_embed(struct time_rows *rows, const struct network *network,
                        const float *parameters, int l) {
    const size_t ld = network->mlp.hidden_ld;
    const float *table = parameters + network->mlp.layers[l].label.offset;
    const float *times = mlp_layer_rows(rows->mlp.time_embedded, rows->time_capacity, network, l);
    float *embedded = mlp_layer_rows(rows->mlp.embedded, rows->capacity, network, l);
    for (int i = 0; i < rows->count; i++, embedded += ld) {
        const float *time = times + (size_t)rows->slot_time[i] * ld;
        const float *label = table + (size_t)rows->slot_label[i] * ld;
        for (size_t j = 0; j < ld; j++)
            embedded[j] = time[j] + label[j];
    }
}

void mlp_embed(struct time_rows *rows, const struct network *network, const float *parameters,
               bool more) {
    const struct mlp *mlp = &network->mlp;
    const size_t H = (size_t)mlp->hidden;
    const bool lasts = rows->lasting > 0;
    for (int i = 0; mlp->sinusoid && !lasts && i < rows->time_count; i++)
        memcpy(rows->mlp.gathered + (size_t)i * H, mlp->sinusoid + (size_t)(rows->t[i] - 1) * H,
               H * sizeof(float));
    for (int l = 0; l < mlp->layer_count; l++) {
        if (!more || !lasts)
            times_embed(rows, network, parameters, l);
        if (network->classes)
            slots_embed(rows, network, parameters, l);
        if (rows->mlp.gradient && !more)
            memset(mlp_layer_rows(rows->mlp.gradient, rows->capacity, network, l), 0,
                   (size_t)rows->count * mlp->hidden_ld * sizeof(float));
    }
}

/* ------------------------------------------------------------------ backward */

/* The slots' gradients, columns j..j+cols-1 of one layer, summed over the slots of each t and of
 * each label. */
static void backward_slots_panel(const struct network *network, struct time_rows *times, int l,
                                 size_t j, size_t cols, float *gradients) {
    const struct kernels *k = network->kernels;
    const size_t ld = network->mlp.hidden_ld, count = (size_t)times->count;
    const float *g = mlp_layer_rows(times->mlp.gradient, times->capacity, network, l) + j;
    float *of_times =
        mlp_layer_rows(times->mlp.time_gradient, times->time_capacity, network, l) + j;
    for (int i = 0; i < times->time_count; i++)
        memset(of_times + (size_t)i * ld, 0, cols * sizeof *of_times);
    k->add_rows(count, cols, ld, g, times->slot_time, of_times);
    k->add_rows(count, cols, ld, g, times->slot_label,
                gradients + network->mlp.layers[l].label.offset + j);
}

/* See embed_halves. The gradients g of e_l(m+-s) become their sums and differences. */
static void backward_halves(const struct network *network, const struct time_rows *times,
                            const struct layer *layer, size_t j, size_t cols, float *g,
                            float *gradients) {
    const struct kernels *k = network->kernels;
    const size_t H = (size_t)network->mlp.hidden, ld = network->mlp.hidden_ld;
    const size_t halves = (size_t)times->mlp.halves;
    float *to = gradients + layer->embedding.offset + j;
    k->butterfly(halves, cols, ld, g, g + halves * ld);
    k->gemm(H / 2, cols, halves, times->mlp.gathered, 1, H, g, ld, to, 2 * ld, NULL, false);
    k->gemm(H / 2, cols, halves, times->mlp.gathered + H / 2, 1, H, g + halves * ld, ld, to + ld,
            2 * ld, NULL, false);
    k->turn(H / 2, cols, ld, times->mlp.middle, to, to);
    k->column_sums(halves, cols, ld, g, gradients + layer->embedding_bias.offset + j);
    if (network->mlp.conditioning == DN_ADD)
        k->column_sums(halves, cols, ld, g, gradients + layer->bias.offset + j);
}

/* Columns j..j+cols-1 of one layer. */
static void backward_times_panel(const struct network *network, struct time_rows *times, int l,
                                 size_t j, size_t cols, float *gradients) {
    const struct kernels *k = network->kernels;
    const struct layer *layer = &network->mlp.layers[l];
    const size_t ld = network->mlp.hidden_ld, H = (size_t)network->mlp.hidden;
    const size_t count = (size_t)times->time_count;
    if (network->classes)
        backward_slots_panel(network, times, l, j, cols, gradients);
    float *g = mlp_layer_rows(times->mlp.time_gradient, times->time_capacity, network, l) + j;
    if (times->mlp.halves > 0) {
        backward_halves(network, times, layer, j, cols, g, gradients);
        return;
    }
    if (network->mlp.conditioning == DN_ADD)
        k->column_sums(count, cols, ld, g, gradients + layer->bias.offset + j);
    float *to = gradients + layer->embedding.offset + j;
    if (network->mlp.sinusoid) {
        k->gemm(H, cols, count, times->mlp.gathered, 1, H, g, ld, to, ld, NULL, false);
        k->column_sums(count, cols, ld, g, gradients + layer->embedding_bias.offset + j);
        return;
    }
    for (size_t i = 0; i < count; i++)
        memcpy(to + (size_t)(times->t[i] - 1) * ld, g + i * ld, cols * sizeof *g);
}

void mlp_backward_times(const struct network *network, struct time_rows *times, int part, int parts,
                        float *gradients) {
    const size_t ld = network->mlp.hidden_ld, panel = mlp_panel(network, parts);
    int item = 0;
    for (int l = 0; l < network->mlp.layer_count; l++)
        for (size_t j = 0; j < ld; j += panel)
            if (item++ % parts == part)
                backward_times_panel(network, times, l, j, ld - j < panel ? ld - j : panel,
                                     gradients);
}
