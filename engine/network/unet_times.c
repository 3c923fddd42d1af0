/*
 * unet_times.c - what the U-Net makes of a timestep and a label: a and b of each block (unet.h).
 *
 *     u = dense(sinusoid(t)) + table[label],   e = swish(u),   (a, b) of a block = dense(e)
 */
#include <string.h>

#include "engine/network/network.h"

void unet_place_times(struct time_rows *rows, const struct network *network, bool training,
                      struct arena *arena) {
    struct unet_times *own = &rows->unet;
    const size_t E = (size_t)network->unet.embedding;
    const size_t times = (size_t)rows->time_capacity * E, slots = (size_t)rows->capacity * E;
    const size_t scales = (size_t)rows->capacity * network->slot_floats;
    own->gathered = arena_take(arena, times);
    own->times = arena_take(arena, times);
    own->embedded = arena_take(arena, slots);
    own->scales = arena_take(arena, scales);
    if (!training)
        return;
    own->time_gradient = arena_take(arena, times);
    own->embedded_d = arena_take(arena, slots);
    own->embedded_gradient = arena_take(arena, slots);
    own->gradient = arena_take(arena, scales);
}

/* Rows of the table, which u begins with; zeros without classes. */
static void begin_with_labels(struct time_rows *rows, const struct network *network,
                              const float *parameters) {
    const struct tensor *label = &network->unet.label;
    const size_t E = (size_t)network->unet.embedding;
    for (int i = 0; i < rows->count; i++) {
        float *to = rows->unet.embedded + (size_t)i * E;
        if (network->classes)
            memcpy(to, parameters + tensor_row(label, rows->slot_label[i]), E * sizeof *to);
        else
            memset(to, 0, E * sizeof *to);
    }
}

void unet_embed(struct time_rows *rows, const struct network *network, const float *parameters,
                bool more) {
    const struct unet *unet = &network->unet;
    const struct kernels *k = network->kernels;
    struct unet_times *own = &rows->unet;
    const size_t E = (size_t)unet->embedding, count = (size_t)rows->count;
    for (int i = 0; i < rows->time_count; i++)
        memcpy(own->gathered + (size_t)i * E, unet->sinusoid + (size_t)(rows->t[i] - 1) * E,
               E * sizeof(float));
    k->gemm((size_t)rows->time_count, E, E, own->gathered, E, 1,
            parameters + unet->time_weight.offset, E, own->times, E,
            parameters + unet->time_bias.offset, false);
    begin_with_labels(rows, network, parameters);
    k->activate(count, E, own->embedded, own->times, rows->slot_time, false, own->embedded,
                own->embedded_d);
    for (int b = 0; b < unet->block_count; b++) {
        const struct unet_block *block = &unet->blocks[b];
        const size_t columns = block->time_weight.ld;
        k->gemm(count, columns, E, own->embedded, E, 1, parameters + block->time_weight.offset,
                columns, own->scales + block->scales, network->slot_floats,
                parameters + block->time_bias.offset, false);
    }
    if (own->gradient && !more)
        memset(own->gradient, 0, count * network->slot_floats * sizeof *own->gradient);
}

/* ------------------------------------------------------------------ backward */

/* Gradients of the dense layer of a block. */
static void backward_block(const struct network *network, const struct time_rows *times,
                           const struct unet_block *block, float *gradients) {
    const struct kernels *k = network->kernels;
    const size_t E = (size_t)network->unet.embedding, columns = block->time_weight.ld;
    const size_t count = (size_t)times->count, ld = network->slot_floats;
    const float *g = times->unet.gradient + block->scales;
    k->gemm(E, columns, count, times->unet.embedded, 1, E, g, ld,
            gradients + block->time_weight.offset, columns, NULL, false);
    k->column_sums(count, columns, ld, g, gradients + block->time_bias.offset);
}

/* Those of the first dense layer and the table. */
static void backward_embedded(const struct network *network, const struct unet_workspace *w,
                              const struct time_rows *times, float *gradients) {
    const struct unet *unet = &network->unet;
    const struct kernels *k = network->kernels;
    const struct unet_times *own = &times->unet;
    const size_t E = (size_t)unet->embedding, count = (size_t)times->count;
    const size_t distinct = (size_t)times->time_count;
    for (int b = 0; b < unet->block_count; b++) {
        const struct unet_block *block = &unet->blocks[b];
        k->gemm(count, E, block->time_weight.ld, own->gradient + block->scales,
                network->slot_floats, 1, w->time_back + block->scales * E, E,
                own->embedded_gradient, E, NULL, b > 0);
    }
    k->activate_backward(count, E, own->embedded_gradient, own->embedded_d, own->embedded,
                         own->times, times->slot_time, false);
    if (network->classes)
        k->add_rows(count, E, E, own->embedded_d, times->slot_label,
                    gradients + unet->label.offset);
    memset(own->time_gradient, 0, distinct * E * sizeof *own->time_gradient);
    k->add_rows(count, E, E, own->embedded_d, times->slot_time, own->time_gradient);
    k->gemm(E, E, distinct, own->gathered, 1, E, own->time_gradient, E,
            gradients + unet->time_weight.offset, E, NULL, false);
    k->column_sums(distinct, E, E, own->time_gradient, gradients + unet->time_bias.offset);
}

void unet_backward_times(const struct network *network, const struct unet_workspace *w,
                         struct time_rows *times, int part, int parts, float *gradients) {
    const int blocks = network->unet.block_count;
    for (int b = 0; b < blocks; b++)
        if (b % parts == part)
            backward_block(network, times, &network->unet.blocks[b], gradients);
    if (blocks % parts == part)
        backward_embedded(network, w, times, gradients);
}
