/*
 * network.c - what all kinds of networks have in common (network.h).
 */
#include "engine/network/network.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"

/* ------------------------------------------------------------------ layout */

void network_place(struct network *network, struct tensor *tensor, struct tensor shape,
                   const char *format, ...) {
    va_list arguments;
    *tensor = shape;
    va_start(arguments, format);
    vsnprintf(tensor->name, sizeof tensor->name, format, arguments);
    va_end(arguments);
    tensor->planes = shape.planes ? shape.planes : 1;
    tensor->ld = kernels_pad((size_t)shape.cols);
    const size_t rows = (size_t)shape.rows;
    tensor->plane = (tensor->planes > 1 ? kernels_pad(rows) : rows) * tensor->ld;
    tensor->offset = network->size;
    network->size += (size_t)tensor->planes * tensor->plane;
    network->tensors[network->tensor_count++] = tensor;
}

void network_layout(struct network *network, const struct dn_spec *spec) {
    memset(network, 0, sizeof *network);
    network->kind = spec->network.kind == DN_UNET ? &unet_kind : &mlp_kind;
    network->dim = spec->dataset.dim;
    network->dim_ld = kernels_pad((size_t)network->dim);
    network->timesteps = spec->diffusion.timesteps;
    network->classes = spec->dataset.classes;
    network->kind->layout(network, spec);
}

enum dn_status network_init(struct network *network, const struct dn_spec *spec,
                            const struct kernels *kernels, struct dn_error *error) {
    network_layout(network, spec);
    network->kernels = kernels;
    return network->kind->init(network, error);
}

size_t network_bytes(const struct network *network) {
    return network->kind->bytes(network);
}

void network_clear(struct network *network) {
    if (network->kind)
        network->kind->clear(network);
    memset(network, 0, sizeof *network);
}

bool network_has_images(const struct network *network) {
    return network->kind != &mlp_kind;
}

int64_t network_parameters(const struct network *network) {
    int64_t count = 0;
    for (int i = 0; i < network->tensor_count; i++)
        count += (int64_t)tensor_rows(network->tensors[i]) * network->tensors[i]->cols;
    return count;
}

void network_draw_weights(const struct network *network, uint64_t seed, float *parameters) {
    memset(parameters, 0, network->size * sizeof *parameters);
    network->kind->draw_weights(network, seed, parameters);
}

double network_sinusoid(int hidden, double position, int r) {
    int even = r / 2 * 2;
    double frequency = hidden > 2 ? exp(-log(10000.0) * even / (hidden - 2)) : 1;
    return r % 2 == 0 ? sin(position * frequency) : cos(position * frequency);
}

/* ------------------------------------------------------------------ costs */

struct network_chunks network_chunks(const struct network *network) {
    return network->kind->chunks(network);
}

double network_row_flops(const struct network *network) {
    return network->kind->row_flops(network);
}

double network_step_flops(const struct network *network, int rows) {
    return network->kind->step_flops(network, rows);
}

double network_step_timesteps(const struct network *network, int rows) {
    const double T = network->timesteps;
    return network->kind->lasting(network, rows) > 0 ? T : T * (1 - pow(1 - 1 / T, rows));
}

/* ------------------------------------------------------------------ memory */

float *arena_take(struct arena *arena, size_t count) {
    float *floats = arena->memory ? arena->memory + arena->used : NULL;
    arena->used += kernels_pad(count);
    return floats;
}

size_t workspace_bytes(const struct network *network, size_t rows, bool training) {
    struct workspace workspace = {.rows = rows};
    struct arena arena = {0};
    arena_take(&arena, rows * network->dim_ld);
    network->kind->place_workspace(&workspace, network, training, &arena);
    return floats_bytes(arena.used);
}

enum dn_status workspace_init(struct workspace *workspace, const struct network *network,
                              size_t rows, bool training, struct dn_error *error) {
    *workspace = (struct workspace){.rows = rows};
    workspace->memory =
        floats_new(workspace_bytes(network, rows, training) / sizeof *workspace->memory);
    if (!workspace->memory)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    struct arena arena = {.memory = workspace->memory};
    workspace->out = arena_take(&arena, rows * network->dim_ld);
    network->kind->place_workspace(workspace, network, training, &arena);
    return DN_OK;
}

void workspace_clear(struct workspace *workspace) {
    free(workspace->memory);
    memset(workspace, 0, sizeof *workspace);
}

void workspace_pause(const struct workspace *workspace) {
    (void)break_check(workspace->breaks, NULL);
}

/* ------------------------------------------------------------------ passes */

void network_prepare(const struct network *network, const float *parameters,
                     struct workspace *workspace) {
    network->kind->prepare(network, parameters, workspace);
}

void network_forward(const struct network *network, const float *parameters,
                     const struct time_rows *times, struct workspace *workspace, const float *x,
                     const uint64_t *given, const int32_t *slots, bool same_slot, size_t first,
                     size_t n) {
    network->kind->forward(network, parameters, times, workspace, x, given, slots, same_slot, first,
                           n);
}

void network_backward_rows(const struct network *network, const float *parameters,
                           const struct time_rows *times, struct workspace *workspace,
                           const int32_t *slots, size_t first, size_t n) {
    network->kind->backward_rows(network, parameters, times, workspace, slots, first, n);
}

void network_clear_gradients(const struct network *network, float *gradients) {
    for (int i = 0; i < network->tensor_count; i++) {
        const struct tensor *tensor = network->tensors[i];
        if (tensor->summed)
            memset(gradients + tensor->offset, 0,
                   (size_t)tensor->planes * tensor->plane * sizeof *gradients);
    }
}

void network_backward_weights(const struct network *network, struct time_rows *times,
                              struct workspace *workspace, const float *x, const uint64_t *given,
                              const int32_t *slots, size_t n, bool first_chunk, int part, int parts,
                              float *gradients) {
    network->kind->backward_weights(network, times, workspace, x, given, slots, n, first_chunk,
                                    part, parts, gradients);
}

void network_finish_gradients(const struct network *network, const float *parameters,
                              struct time_rows *times, struct workspace *workspace, int part,
                              int parts, float *gradients) {
    network->kind->finish_gradients(network, parameters, times, workspace, part, parts, gradients);
}
