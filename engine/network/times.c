/*
 * times.c - what depends on the timestep and the label of a point (struct time_rows of network.h).
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "engine/network/network.h"

/* Divides the block of floats: rows of the sinusoid, bias, e_l of slots and times. */
static void time_rows_place(struct time_rows *rows, const struct network *network, bool training) {
    const size_t ld = network->hidden_ld, layers = (size_t)network->layer_count;
    const size_t slots = layers * (size_t)rows->capacity * ld;
    const size_t times = layers * (size_t)rows->time_capacity * ld;
    float *next = rows->floats + (size_t)rows->time_capacity * ld;
    rows->gathered = rows->floats;
    rows->bias = next, next += ld;
    if (rows->halves > 0) {
        rows->middle = next, next += ld;
        rows->turned = next, next += (size_t)network->hidden * ld;
    }
    rows->embedded = next, next += slots;
    rows->time_embedded = network->classes ? next : rows->embedded;
    next += network->classes ? times : 0;
    if (!training)
        return;
    rows->gradient = next, next += slots;
    rows->time_gradient = network->classes ? next : rows->gradient;
}

/* The sizes of the tables, and of the two blocks that hold them. */
struct time_rows_size {
    int capacity, time_capacity;
    int halves;   /* see struct time_rows */
    size_t pairs; /* combinations of a distinct t and a label */
    size_t integers, floats;
};

/* Pairs take as long as half of the timesteps one by one, and with few units what they add costs what
 * they save. A batch of at least T points has 63 % of the timesteps or more. */
bool time_rows_in_pairs(const struct network *network, int batch) {
    return batch >= network->timesteps && network->time_embedding == DN_SINUSOIDAL &&
           network->hidden >= 64;
}

static struct time_rows_size time_rows_size(const struct network *network, int capacity,
                                            int batch) {
    const int T = network->timesteps, labels = network->classes + 1;
    struct time_rows_size size = {.capacity = capacity < T * labels ? capacity : T * labels,
                                  .time_capacity = capacity < T ? capacity : T};
    if (time_rows_in_pairs(network, batch)) {
        size.halves = (T + 1) / 2;
        size.time_capacity = 2 * size.halves;
        if (!network->classes)
            size.capacity = size.time_capacity;
    }
    const size_t slots = (size_t)size.capacity, times = (size_t)size.time_capacity;
    const size_t tables = (slots + (network->classes ? times : 0)) * (size_t)network->layer_count;
    size.pairs = times * (size_t)labels;
    size.integers = times + (size_t)T + 1 + size.pairs + 2 * slots;
    size.floats = (tables * (batch > 0 ? 2 : 1) + times + 1) * network->hidden_ld;
    if (size.halves > 0)
        size.floats += (1 + (size_t)network->hidden) * network->hidden_ld;
    return size;
}

size_t time_rows_bytes(const struct network *network, int capacity, int batch) {
    const struct time_rows_size size = time_rows_size(network, capacity, batch);
    return size.integers * sizeof(int32_t) + floats_bytes(size.floats);
}

/* All timesteps have a place for ever, k + 1/2 or k above the middle in row k, as much below it in row
 * halves + k; and without classes a slot. An odd T has its middle above. */
static void fill_halves(struct time_rows *rows, const struct network *network) {
    const int T = network->timesteps, H = network->hidden, halves = rows->halves;
    const double middle = (T + 1) / 2.0, first = T % 2 == 0 ? 0.5 : 0;
    for (int k = halves - 1; k >= 0; k--) {
        const double distance = first + k;
        rows->t[k] = (int32_t)(middle + distance);
        rows->t[halves + k] = (int32_t)(middle - distance);
        rows->time_of[rows->t[halves + k]] = halves + k;
        rows->time_of[rows->t[k]] = k;
        for (int r = 0; r < H; r++) /* first the cosines, then the sines */
            rows->gathered[k * H + r % 2 * (H / 2) + r / 2] =
                (float)network_sinusoid(H, distance, r ^ 1);
    }
    for (int r = 0; r < H; r++)
        rows->middle[r] = (float)network_sinusoid(H, middle, r);
    rows->time_count = 2 * halves;
    for (int i = 0; !network->classes && i < rows->time_count; i++, rows->count++) {
        rows->slot_of[i] = rows->slot_time[i] = i;
        rows->slot_label[i] = 0;
    }
}

enum dn_status time_rows_init(struct time_rows *rows, const struct network *network, int capacity,
                              int batch, struct dn_error *error) {
    memset(rows, 0, sizeof *rows);
    const struct time_rows_size size = time_rows_size(network, capacity, batch);
    const size_t slots = (size_t)size.capacity, times = (size_t)size.time_capacity;
    rows->capacity = size.capacity;
    rows->time_capacity = size.time_capacity;
    rows->halves = size.halves;
    rows->integers = malloc(size.integers * sizeof *rows->integers);
    rows->floats = floats_new(size.floats);
    if (!rows->integers || !rows->floats) {
        time_rows_clear(rows);
        return error_set(error, DN_NO_MEMORY, "out of memory");
    }
    memset(rows->integers, 0xff, size.integers * sizeof *rows->integers);
    rows->t = rows->integers;
    rows->time_of = rows->t + times;
    rows->slot_of = rows->time_of + network->timesteps + 1;
    rows->slot_time = rows->slot_of + size.pairs;
    rows->slot_label = rows->slot_time + slots;
    time_rows_place(rows, network, batch > 0);
    if (rows->halves > 0)
        fill_halves(rows, network);
    return DN_OK;
}

void time_rows_clear(struct time_rows *rows) {
    free(rows->integers);
    free(rows->floats);
    memset(rows, 0, sizeof *rows);
}

float *time_rows_layer(float *table, int capacity, const struct network *network, int l) {
    return table + (size_t)l * (size_t)capacity * network->hidden_ld;
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
    const size_t H = (size_t)network->hidden, ld = network->hidden_ld;
    const size_t halves = (size_t)rows->halves;
    float *below = embedded + halves * ld;
    k->turn(H / 2, ld, ld, rows->middle, weights, rows->turned);
    k->gemm(halves, ld, H / 2, rows->gathered, H, 1, rows->turned, 2 * ld, embedded, ld, rows->bias,
            false);
    k->gemm(halves, ld, H / 2, rows->gathered + H / 2, H, 1, rows->turned + ld, 2 * ld, below, ld,
            NULL, false);
    k->butterfly(halves, ld, ld, embedded, below);
}

/* e_l(t) of all distinct t. */
static void times_embed(struct time_rows *rows, const struct network *network,
                        const float *parameters, int l) {
    const struct kernels *k = network->kernels;
    const size_t H = (size_t)network->hidden, ld = network->hidden_ld;
    const size_t count = (size_t)rows->time_count;
    const struct layer *layer = &network->layers[l];
    const float *weights = parameters + layer->embedding.offset;
    float *embedded = time_rows_layer(rows->time_embedded, rows->time_capacity, network, l);
    for (size_t j = 0; j < ld; j++)
        rows->bias[j] = network->conditioning == DN_ADD ? parameters[layer->bias.offset + j] : 0;
    if (network->sinusoid) {
        for (size_t j = 0; j < ld; j++)
            rows->bias[j] += parameters[layer->embedding_bias.offset + j];
        if (rows->halves > 0) {
            embed_halves(rows, network, weights, embedded);
            return;
        }
        k->gemm(count, ld, H, rows->gathered, H, 1, weights, ld, embedded, ld, rows->bias, false);
        return;
    }
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < ld; j++)
            embedded[i * ld + j] = weights[(size_t)(rows->t[i] - 1) * ld + j] + rows->bias[j];
}

/* e_l = e_l(t) + c_l(label) of all slots. */
static void slots_embed(struct time_rows *rows, const struct network *network,
                        const float *parameters, int l) {
    const size_t ld = network->hidden_ld;
    const float *table = parameters + network->layers[l].label.offset;
    const float *times = time_rows_layer(rows->time_embedded, rows->time_capacity, network, l);
    float *embedded = time_rows_layer(rows->embedded, rows->capacity, network, l);
    for (int i = 0; i < rows->count; i++, embedded += ld) {
        const float *time = times + (size_t)rows->slot_time[i] * ld;
        const float *label = table + (size_t)rows->slot_label[i] * ld;
        for (size_t j = 0; j < ld; j++)
            embedded[j] = time[j] + label[j];
    }
}

/* The slot of a timestep and a label, which is a new one at their first use. */
static int32_t time_rows_slot(struct time_rows *rows, int labels, int32_t t, int32_t label) {
    int32_t *time = &rows->time_of[t];
    if (*time < 0) {
        assert(t >= 1 && rows->time_count < rows->time_capacity);
        *time = rows->time_count;
        rows->t[rows->time_count++] = t;
    }
    int32_t *slot = &rows->slot_of[*time * labels + label];
    if (*slot < 0) {
        assert(label >= 0 && label < labels && rows->count < rows->capacity);
        *slot = rows->count++;
        rows->slot_time[*slot] = *time;
        rows->slot_label[*slot] = label;
    }
    return *slot;
}

/* Of the batch before. */
static void time_rows_forget(struct time_rows *rows, const struct network *network) {
    const bool keeps_times = rows->halves > 0;
    if (keeps_times && !network->classes)
        return;
    for (int i = 0; i < rows->count; i++) {
        const int32_t time = rows->slot_time[i];
        rows->slot_of[time * (network->classes + 1) + rows->slot_label[i]] = -1;
        if (!keeps_times)
            rows->time_of[rows->t[time]] = -1;
    }
    rows->count = 0;
    if (!keeps_times)
        rows->time_count = 0;
}

static void rows_find(struct time_rows *rows, const struct network *network, const int32_t *t,
                      const int32_t *labels, size_t n, int32_t *slots) {
    const int none = network->classes, label_count = none + 1;
    const size_t H = (size_t)network->hidden;
    time_rows_forget(rows, network);
    for (size_t i = 0; i < n; i++)
        slots[i] = time_rows_slot(rows, label_count, t[i], labels ? labels[i] : none);
    for (int i = 0; network->sinusoid && rows->halves == 0 && i < rows->time_count; i++)
        memcpy(rows->gathered + (size_t)i * H, network->sinusoid + (size_t)(rows->t[i] - 1) * H,
               H * sizeof(float));
}

void time_rows_set(struct time_rows *rows, const struct network *network, const float *parameters,
                   const int32_t *t, const int32_t *labels, size_t n, int32_t *slots) {
    rows_find(rows, network, t, labels, n, slots);
    for (int l = 0; l < network->layer_count; l++) {
        times_embed(rows, network, parameters, l);
        if (network->classes)
            slots_embed(rows, network, parameters, l);
        if (rows->gradient)
            memset(time_rows_layer(rows->gradient, rows->capacity, network, l), 0,
                   (size_t)rows->count * network->hidden_ld * sizeof(float));
    }
}

void time_rows_set_more(struct time_rows *rows, const struct network *network,
                        const float *parameters, const int32_t *t, const int32_t *labels, size_t n,
                        int32_t *slots) {
    rows_find(rows, network, t, labels, n, slots);
    for (int l = 0; l < network->layer_count; l++) {
        if (rows->halves == 0)
            times_embed(rows, network, parameters, l);
        if (network->classes)
            slots_embed(rows, network, parameters, l);
    }
}

/* ------------------------------------------------------------------ backward */

/* The slots' gradients, columns j..j+cols-1 of one layer, summed over the slots of each t and of
 * each label. */
static void backward_slots_panel(const struct network *network, struct time_rows *times, int l,
                                 size_t j, size_t cols, float *gradients) {
    const struct kernels *k = network->kernels;
    const size_t ld = network->hidden_ld, count = (size_t)times->count;
    const float *g = time_rows_layer(times->gradient, times->capacity, network, l) + j;
    float *of_times = time_rows_layer(times->time_gradient, times->time_capacity, network, l) + j;
    for (int i = 0; i < times->time_count; i++)
        memset(of_times + (size_t)i * ld, 0, cols * sizeof *of_times);
    k->add_rows(count, cols, ld, g, times->slot_time, of_times);
    k->add_rows(count, cols, ld, g, times->slot_label,
                gradients + network->layers[l].label.offset + j);
}

/* See embed_halves. The gradients g of e_l(m+-s) become their sums and differences. */
static void backward_halves(const struct network *network, const struct time_rows *times,
                            const struct layer *layer, size_t j, size_t cols, float *g,
                            float *gradients) {
    const struct kernels *k = network->kernels;
    const size_t H = (size_t)network->hidden, ld = network->hidden_ld;
    const size_t halves = (size_t)times->halves;
    float *to = gradients + layer->embedding.offset + j;
    k->butterfly(halves, cols, ld, g, g + halves * ld);
    k->gemm(H / 2, cols, halves, times->gathered, 1, H, g, ld, to, 2 * ld, NULL, false);
    k->gemm(H / 2, cols, halves, times->gathered + H / 2, 1, H, g + halves * ld, ld, to + ld,
            2 * ld, NULL, false);
    k->turn(H / 2, cols, ld, times->middle, to, to);
    k->column_sums(halves, cols, ld, g, gradients + layer->embedding_bias.offset + j);
    if (network->conditioning == DN_ADD)
        k->column_sums(halves, cols, ld, g, gradients + layer->bias.offset + j);
}

/* Columns j..j+cols-1 of one layer. */
static void backward_times_panel(const struct network *network, struct time_rows *times, int l,
                                 size_t j, size_t cols, float *gradients) {
    const struct kernels *k = network->kernels;
    const struct layer *layer = &network->layers[l];
    const size_t ld = network->hidden_ld, H = (size_t)network->hidden;
    const size_t count = (size_t)times->time_count;
    if (network->classes)
        backward_slots_panel(network, times, l, j, cols, gradients);
    float *g = time_rows_layer(times->time_gradient, times->time_capacity, network, l) + j;
    if (times->halves > 0) {
        backward_halves(network, times, layer, j, cols, g, gradients);
        return;
    }
    if (network->conditioning == DN_ADD)
        k->column_sums(count, cols, ld, g, gradients + layer->bias.offset + j);
    float *to = gradients + layer->embedding.offset + j;
    if (network->sinusoid) {
        k->gemm(H, cols, count, times->gathered, 1, H, g, ld, to, ld, NULL, false);
        k->column_sums(count, cols, ld, g, gradients + layer->embedding_bias.offset + j);
        return;
    }
    for (size_t i = 0; i < count; i++)
        memcpy(to + (size_t)(times->t[i] - 1) * ld, g + i * ld, cols * sizeof *g);
}

void network_backward_times(const struct network *network, struct time_rows *times, int part,
                            int parts, float *gradients) {
    const size_t ld = network->hidden_ld, panel = network_panel(network, parts);
    int item = 0;
    for (int l = 0; l < network->layer_count; l++)
        for (size_t j = 0; j < ld; j += panel)
            if (item++ % parts == part)
                backward_times_panel(network, times, l, j, ld - j < panel ? ld - j : panel,
                                     gradients);
}
