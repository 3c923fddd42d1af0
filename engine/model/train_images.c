/*
 * train_images.c - the gradient of a batch of images.
 *
 * What a U-Net keeps of an image is more than it computes with at a time, and it would be slow if another
 * core had to read it. So threads share nothing until the end: a batch has GROUPS groups of images, one
 * after the other; a thread takes all of a group, a few images at a time, through the network and back,
 * and sums their gradients in order; then the gradients of the groups are added in order. Groups depend on
 * the batch only, so any number of threads gives the same bits.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "engine/model/train.h"
#include "engine/network/loss.h"

enum { GROUPS = 8 };

/* The images that a thread takes at a time, and the most that a group has. */
static size_t lane_rows(const struct dn_trainer *trainer) {
    return network_chunks(&trainer->network).batch;
}
static int group_most(const struct dn_trainer *trainer) {
    return (int)((trainer->batch.n + GROUPS - 1) / GROUPS);
}

/* Threads that have work: a lane for each. */
static int lane_count(const struct dn_trainer *trainer) {
    return trainer->network.unet.threads < GROUPS ? trainer->network.unet.threads : GROUPS;
}

size_t trainer_images_bytes(const struct dn_trainer *trainer) {
    const struct network *network = &trainer->network;
    const size_t lane = sizeof(struct train_lane) +
                        workspace_bytes(network, lane_rows(trainer), true) +
                        time_rows_bytes(network, group_most(trainer), group_most(trainer)) +
                        (size_t)group_most(trainer) * sizeof(int32_t);
    return (size_t)lane_count(trainer) * lane + floats_bytes(GROUPS * network->size) +
           trainer->batch.n * sizeof(double);
}

enum dn_status trainer_images_init(struct dn_trainer *trainer, struct dn_error *error) {
    const struct network *network = &trainer->network;
    const int lanes = lane_count(trainer), most = group_most(trainer);
    enum dn_status status = DN_OK;
    trainer->lanes = calloc((size_t)lanes, sizeof *trainer->lanes);
    trainer->group_gradients = floats_new(GROUPS * network->size);
    trainer->image_losses = calloc(trainer->batch.n, sizeof *trainer->image_losses);
    if (!trainer->lanes || !trainer->group_gradients || !trainer->image_losses)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    for (int i = 0; i < lanes && status == DN_OK; i++) {
        struct train_lane *lane = &trainer->lanes[i];
        lane->slots = calloc((size_t)most, sizeof *lane->slots);
        status = lane->slots ? time_rows_init(&lane->times, network, most, most, error)
                             : error_set(error, DN_NO_MEMORY, "out of memory");
        if (status == DN_OK)
            status = workspace_init(&lane->workspace, network, lane_rows(trainer), true, error);
    }
    return status;
}

void trainer_images_clear(struct dn_trainer *trainer) {
    for (int i = 0; trainer->lanes && i < lane_count(trainer); i++) {
        workspace_clear(&trainer->lanes[i].workspace);
        time_rows_clear(&trainer->lanes[i].times);
        free(trainer->lanes[i].slots);
    }
    free(trainer->lanes);
    free(trainer->group_gradients);
    free(trainer->image_losses);
}

/* A batch that all threads of the team work on. */
struct task {
    struct dn_trainer *trainer;
    size_t n;
    float weight; /* factor of an image's gradient */
    dn_stop_flag *stop;
    int parts;
};

/* Images at..at+n-1 of the batch, which are in a group that begins at `first`. */
static void images_run(const struct task *task, struct train_lane *lane, size_t first, size_t at,
                       size_t n, float *gradients) {
    const struct dn_trainer *trainer = task->trainer;
    const struct network *network = &trainer->network;
    const struct noised *batch = &trainer->batch;
    const size_t dim = (size_t)trainer->dim;
    const int32_t *slots = lane->slots + (at - first);
    const float *x = batch->x_t + at * dim;
    network_forward(network, trainer->parameters, &lane->times, &lane->workspace, x, NULL, slots,
                    false, 0, n);
    loss_rows(trainer->spec.training.loss, n, dim, lane->workspace.out, network->dim_ld,
              batch->target + at * dim, NULL, batch->t + at, trainer->t_weights, task->weight,
              trainer->image_losses + at);
    network_backward_rows(network, trainer->parameters, &lane->times, &lane->workspace, slots, 0,
                          n);
    network_backward_weights(network, &lane->times, &lane->workspace, x, NULL, slots, n,
                             at == first, 0, 1, gradients);
}

static void group_run(const struct task *task, struct train_lane *lane, size_t group) {
    const struct dn_trainer *trainer = task->trainer;
    const struct network *network = &trainer->network;
    const struct noised *batch = &trainer->batch;
    const size_t first = task->n * group / GROUPS, end = task->n * (group + 1) / GROUPS;
    const size_t rows = lane_rows(trainer);
    float *gradients = trainer->group_gradients + group * network->size;
    if (first == end) {
        memset(gradients, 0, network->size * sizeof *gradients);
        return;
    }
    network_clear_gradients(network, gradients);
    time_rows_set(&lane->times, network, trainer->parameters, batch->t + first,
                  batch->seen ? batch->seen + first : NULL, end - first, lane->slots);
    for (size_t at = first; at < end && stop_check(task->stop, NULL) == DN_OK; at += rows)
        images_run(task, lane, first, at, end - at < rows ? end - at : rows, gradients);
    network_finish_gradients(network, trainer->parameters, &lane->times, &lane->workspace, 0, 1,
                             gradients);
}

static void groups_part(void *argument, int part) {
    const struct task *task = argument;
    struct dn_trainer *trainer = task->trainer;
    if (part >= task->parts) /* a team may be larger than the spec says */
        return;
    struct train_lane *lane = &trainer->lanes[part];
    network_prepare(&trainer->network, trainer->parameters, &lane->workspace);
    for (int group = part; group < GROUPS; group += task->parts)
        group_run(task, lane, (size_t)group);
}

static void sum_part(void *argument, int part) {
    const struct task *task = argument;
    const struct dn_trainer *trainer = task->trainer;
    const size_t size = trainer->network.size, parts = (size_t)task->parts;
    if (part >= task->parts)
        return;
    const size_t first = size * (size_t)part / parts, end = size * (size_t)(part + 1) / parts;
    float *to = trainer->gradients;
    memcpy(to + first, trainer->group_gradients + first, (end - first) * sizeof *to);
    for (size_t group = 1; group < GROUPS; group++)
        for (size_t i = first; i < end; i++)
            to[i] += trainer->group_gradients[group * size + i];
}

enum dn_status trainer_images_gradient(struct dn_trainer *trainer, size_t n, dn_stop_flag *stop,
                                       double *loss, struct dn_error *error) {
    const double count = (double)noised_count_free(&trainer->batch, n, trainer->dim);
    const int lanes = lane_count(trainer);
    const int team = trainer->team ? trainer->team->size : 1;
    struct task task = {trainer, n, (float)(1 / count), stop, team < lanes ? team : lanes};
    trainer_run_parts(trainer, groups_part, &task);
    const enum dn_status status = stop_check(stop, error);
    if (status != DN_OK)
        return status;
    trainer_run_parts(trainer, sum_part, &task);
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += trainer->image_losses[i];
    *loss = sum / count;
    return DN_OK;
}
