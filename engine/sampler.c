/*
 * sampler.c - from noise to points: ancestral sampling (DDPM algorithm 2).
 *
 * Points go through the whole reverse process in blocks that stay in the cache. Noise is addressed
 * by (seed, t, point), so the blocks, and the number of points, make no difference to any point.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/diffusion.h"
#include "engine/internal.h"
#include "engine/model.h"
#include "engine/random.h"

/* What a block of points needs on its way. */
struct block {
    const struct dn_model *model;
    const struct dn_sample_request *request;
    const struct dn_sample_result *result;
    size_t first, n; /* the points of this block */
    struct time_rows times;
    struct workspace workspace;
    int frames, frame;  /* of x that are kept; the next one */
    float *x, *x_0, *z; /* [rows][dim], model units */
    float *memory;
    int32_t *slots; /* [rows] all the same: every point is at the same t */
    bool all_times; /* times holds every t, else only the one in hand */
};

static void block_clear(struct block *block) {
    time_rows_clear(&block->times);
    workspace_clear(&block->workspace);
    free(block->memory);
    free(block->slots);
}

/* The rows e_l(t) are made for all t at once, unless that is much more than the weights. */
enum { MOST_TIME_FLOATS = 1 << 20 };

static enum dn_status block_init(struct block *block, size_t rows, struct dn_error *error) {
    const struct dn_model *model = block->model;
    const struct network *network = &model->network;
    const int T = network->timesteps;
    size_t values = (rows * (size_t)model->dim + 15) / 16 * 16;
    size_t time_floats = (size_t)T * (size_t)network->layer_count * network->hidden_ld;
    block->all_times = time_floats <= MOST_TIME_FLOATS;
    enum dn_status status =
        time_rows_init(&block->times, network, block->all_times ? T : 1, false, error);
    if (status == DN_OK)
        status = workspace_init(&block->workspace, network, rows, false, error);
    if (status != DN_OK)
        return status;
    block->memory = floats_new(3 * values);
    block->slots = calloc(rows > (size_t)T ? rows : (size_t)T, sizeof *block->slots);
    if (!block->memory || !block->slots)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    block->x = block->memory;
    block->x_0 = block->memory + values;
    block->z = block->memory + 2 * values;
    if (block->all_times) {
        int32_t t[DN_MAX_TIMESTEPS];
        for (int i = 0; i < T; i++)
            t[i] = i + 1; /* gets slot i */
        time_rows_set(&block->times, network, model->parameters, t, NULL, (size_t)T, block->slots);
    }
    return DN_OK;
}

/* Writes the block's points, in data units, into frame k of an array [..][n][dim], if that is
 * wanted. */
static void block_emit(const struct block *block, float *frames, int k, const float *points) {
    if (!frames)
        return;
    size_t dim = (size_t)block->model->dim;
    size_t frame =
        block->result->frame_points ? block->result->frame_points : (size_t)block->request->n;
    float *to = frames + ((size_t)k * frame + block->first) * dim;
    transform_backward(&block->model->transform, block->n, block->model->dim, points, to);
}

int dn_frame_step(int k, int frames, int steps) {
    return (k * steps + (frames - 1) / 2) / (frames - 1);
}

/* Is the state after so many steps the k-th frame? */
static bool block_keeps(const struct block *block, int k, int steps_done) {
    return k < block->frames &&
           dn_frame_step(k, block->frames, block->model->schedule.timesteps) == steps_done;
}

/* The number of the block's first point in the endless sequence of points of a seed. */
static uint64_t block_number(const struct block *block) {
    return (uint64_t)block->request->first + block->first;
}

static void block_start(struct block *block) {
    const struct dn_model *model = block->model;
    size_t dim = (size_t)model->dim;
    if (block->request->noise)
        transform_forward(&model->transform, block->n, model->dim,
                          block->request->noise + block->first * dim, block->x);
    else
        random_normals(block->request->seed, RANDOM_START, 0, block_number(block) * dim,
                       block->n * dim, block->x);
    block_emit(block, block->result->x, 0, block->x);
    block->frame = 1;
}

/* x_t -> x_{t-1} */
static void block_step(struct block *block, int32_t t) {
    const struct dn_model *model = block->model;
    const struct transform *transform = &model->transform;
    bool clip = block->request->clip;
    size_t dim = (size_t)model->dim, count = block->n * dim;
    int steps_done = model->schedule.timesteps - t;
    int32_t slot = t - 1;
    if (!block->all_times)
        time_rows_set(&block->times, &model->network, model->parameters, &t, NULL, 1, &slot);
    for (size_t i = 0; i < block->n; i++)
        block->slots[i] = slot;
    network_forward(&model->network, model->parameters, &block->times, &block->workspace, block->x,
                    block->slots, true, 0, block->n);
    diffusion_estimate(&model->schedule, model->spec.diffusion.prediction_type, t, block->n,
                       model->dim, block->x, block->workspace.out, model->network.dim_ld,
                       clip ? transform->low : NULL, transform->high, block->x_0);
    if (t > 1)
        random_normals(block->request->seed, RANDOM_REVERSE, (uint32_t)t, block_number(block) * dim,
                       count, block->z);
    diffusion_posterior_step(&model->schedule, t, count, block->x, block->x_0, block->z);
    if (block_keeps(block, block->frame - 1, steps_done))
        block_emit(block, block->result->x0, block->frame - 1, block->x_0);
    if (block_keeps(block, block->frame, steps_done + 1))
        block_emit(block, block->result->x, block->frame++, block->x);
}

enum dn_status dn_sample(const struct dn_model *model, const struct dn_sample_request *request,
                         const struct dn_sample_result *result, dn_stop_flag *stop,
                         struct dn_error *error) {
    if (request->first < 0 || request->n < 1 || request->n > DN_MAX_SAMPLES)
        return error_set(error, DN_INVALID, "n must be 1..%d, got %d", DN_MAX_SAMPLES, request->n);
    const int most_frames = model->schedule.timesteps + 1;
    if (request->frames != 0 && (request->frames < 2 || request->frames > most_frames))
        return error_set(error, DN_INVALID, "frames must be 2..%d, got %d", most_frames,
                         request->frames);
    size_t n = (size_t)request->n;
    size_t rows = 32768 / model->network.hidden_ld;
    rows = rows < 48 ? 48 : rows / 6 * 6;
    rows = rows > n ? n : rows;
    struct block block = {.model = model,
                          .request = request,
                          .result = result,
                          .frames = request->frames ? request->frames : most_frames};
    enum dn_status status = block_init(&block, rows, error);
    for (; status == DN_OK && block.first < n; block.first += block.n) {
        block.n = n - block.first < rows ? n - block.first : rows;
        block_start(&block);
        for (int t = model->schedule.timesteps; t >= 1 && status == DN_OK; t--) {
            if (stop_asked(stop))
                status = error_set(error, DN_STOPPED, "stopped");
            else
                block_step(&block, t);
        }
        block_emit(&block, result->points, 0, block.x);
    }
    block_clear(&block);
    return status;
}
