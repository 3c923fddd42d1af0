/*
 * times.c - the distinct timesteps and labels of a batch (struct time_rows of network.h).
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "engine/network/network.h"

/* ------------------------------------------------------------------ memory */

static int smaller(int a, int b) {
    return a < b ? a : b;
}

/* Sets the capacities and the number of timesteps that last. */
static void time_rows_size(struct time_rows *rows, const struct network *network, int capacity,
                           int batch) {
    const int T = network->timesteps, labels = network->classes + 1;
    *rows = (struct time_rows){.capacity = smaller(capacity, T * labels),
                               .time_capacity = smaller(capacity, T),
                               .lasting = network->kind->lasting(network, batch)};
    if (rows->lasting > 0) {
        rows->time_capacity = rows->lasting;
        if (!network->classes)
            rows->capacity = rows->lasting;
    }
}

/* Combinations of a place of a timestep and a label. */
static size_t pairs_of(const struct time_rows *rows, const struct network *network) {
    return (size_t)rows->time_capacity * ((size_t)network->classes + 1);
}

static size_t integers_of(const struct time_rows *rows, const struct network *network) {
    return (size_t)rows->time_capacity + (size_t)network->timesteps + 1 + pairs_of(rows, network) +
           2 * (size_t)rows->capacity;
}

size_t time_rows_bytes(const struct network *network, int capacity, int batch) {
    struct time_rows rows;
    struct arena arena = {0};
    time_rows_size(&rows, network, capacity, batch);
    network->kind->place_times(&rows, network, batch > 0, &arena);
    return integers_of(&rows, network) * sizeof(int32_t) + floats_bytes(arena.used);
}

static void place_integers(struct time_rows *rows, const struct network *network) {
    memset(rows->integers, 0xff, integers_of(rows, network) * sizeof *rows->integers);
    rows->t = rows->integers;
    rows->time_of = rows->t + rows->time_capacity;
    rows->slot_of = rows->time_of + network->timesteps + 1;
    rows->slot_time = rows->slot_of + pairs_of(rows, network);
    rows->slot_label = rows->slot_time + rows->capacity;
}

/* Timesteps that last have a place forever; and without classes a slot. */
static void begin_lasting(struct time_rows *rows, const struct network *network) {
    network->kind->begin_times(rows, network);
    rows->time_count = rows->lasting;
    for (int i = 0; !network->classes && i < rows->time_count; i++, rows->count++) {
        rows->slot_of[i] = rows->slot_time[i] = i;
        rows->slot_label[i] = 0;
    }
}

enum dn_status time_rows_init(struct time_rows *rows, const struct network *network, int capacity,
                              int batch, struct dn_error *error) {
    struct arena arena = {0};
    time_rows_size(rows, network, capacity, batch);
    network->kind->place_times(rows, network, batch > 0, &arena);
    rows->integers = malloc(integers_of(rows, network) * sizeof *rows->integers);
    rows->floats = floats_new(arena.used);
    if (!rows->integers || !rows->floats) {
        time_rows_clear(rows);
        return error_set(error, DN_NO_MEMORY, "out of memory");
    }
    place_integers(rows, network);
    arena = (struct arena){.memory = rows->floats};
    network->kind->place_times(rows, network, batch > 0, &arena);
    if (rows->lasting > 0)
        begin_lasting(rows, network);
    return DN_OK;
}

void time_rows_clear(struct time_rows *rows) {
    free(rows->integers);
    free(rows->floats);
    memset(rows, 0, sizeof *rows);
}

/* ------------------------------------------------------------------ slots */

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
    const bool keeps_times = rows->lasting > 0;
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
    time_rows_forget(rows, network);
    for (size_t i = 0; i < n; i++)
        slots[i] = time_rows_slot(rows, label_count, t[i], labels ? labels[i] : none);
}

void time_rows_set(struct time_rows *rows, const struct network *network, const float *parameters,
                   const int32_t *t, const int32_t *labels, size_t n, int32_t *slots) {
    rows_find(rows, network, t, labels, n, slots);
    network->kind->embed(rows, network, parameters, false);
}

void time_rows_set_more(struct time_rows *rows, const struct network *network,
                        const float *parameters, const int32_t *t, const int32_t *labels, size_t n,
                        int32_t *slots) {
    rows_find(rows, network, t, labels, n, slots);
    network->kind->embed(rows, network, parameters, true);
}
