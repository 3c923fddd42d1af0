/*
 * sampler.c - from noise to points.
 *
 * Points go the whole way back in blocks that stay in the cache. Noise is addressed by (seed, t,
 * point), so the blocks, and the number of points, make no difference to any point.
 */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"
#include "engine/internal.h"
#include "engine/model/memory.h"
#include "engine/sampling/guide.h"

/* ------------------------------------------------------------------ the request */

static int steps_of(const struct dn_model *model, const struct dn_sample_request *request) {
    return request->steps ? request->steps : model->schedule.timesteps;
}

static enum dn_status check_labels(const struct dn_model *model,
                                   const struct dn_sample_request *request,
                                   struct dn_error *error) {
    const int classes = model->spec.dataset.classes;
    if (!(request->guidance >= 0 && request->guidance <= DN_MAX_GUIDANCE))
        return error_set(error, DN_INVALID, "guidance must be 0..%d, got %g", DN_MAX_GUIDANCE,
                         request->guidance);
    if (request->guidance == 0)
        return DN_OK;
    if (classes == 0)
        return error_set(error, DN_INVALID, "the model has no labels to guide with");
    if (request->label < DN_LABELS_IN_TURN || request->label >= classes)
        return error_set(error, DN_INVALID, "label must be 0..%d, got %d", classes - 1,
                         request->label);
    return DN_OK;
}

static enum dn_status check(const struct dn_model *model, const struct dn_sample_request *request,
                            struct dn_error *error) {
    const int T = model->schedule.timesteps, most_frames = steps_of(model, request) + 1;
    if (request->first < 0 || request->n < 1 || request->n > DN_MAX_SAMPLES)
        return error_set(error, DN_INVALID, "n must be 1..%d, got %d", DN_MAX_SAMPLES, request->n);
    if ((int)request->sampler < 0 || request->sampler >= DN_SAMPLER_COUNT)
        return error_set(error, DN_INVALID, "there is no sampler number %d", (int)request->sampler);
    if (request->steps < 0 || request->steps > T)
        return error_set(error, DN_INVALID, "steps must be 1..%d, got %d", T, request->steps);
    if (isnan(dn_samplers[request->sampler].eta) && !(request->eta >= 0 && request->eta <= 1))
        return error_set(error, DN_INVALID, "eta must be 0..1, got %g", request->eta);
    if (request->frames != 0 && (request->frames < 2 || request->frames > most_frames))
        return error_set(error, DN_INVALID, "frames must be 2..%d, got %d", most_frames,
                         request->frames);
    return check_labels(model, request, error);
}

void dn_sample_timesteps(const struct dn_model *model, const struct dn_sample_request *request,
                         int *timesteps) {
    plan_timesteps(&model->schedule, steps_of(model, request), timesteps);
}

int dn_sample_evaluations(const struct dn_model *model, const struct dn_sample_request *request) {
    const bool twice = request->guidance != 0 && request->guidance != 1;
    return plan_evaluations(request->sampler, steps_of(model, request)) * (twice ? 2 : 1);
}

int dn_sample_label(const struct dn_model *model, const struct dn_sample_request *request, int i) {
    return guide_label(model, request, (uint64_t)request->first + (uint64_t)i);
}

int dn_frame_step(int k, int frames, int steps) {
    return (k * steps + (frames - 1) / 2) / (frames - 1);
}

/* ------------------------------------------------------------------ a block of points */

struct block {
    const struct dn_model *model;
    const struct dn_sample_request *request;
    const struct dn_sample_result *result;
    struct plan plan;
    struct guide guide;
    struct walk walk;  /* in model units */
    size_t first;      /* the block's points in the request's */
    size_t rows;       /* that there is room for */
    int frames, frame; /* of x that are kept; the next one */
    bool is_wrong;     /* a number was written that is not finite */
    float *memory;
};

static void block_clear(struct block *block) {
    plan_clear(&block->plan);
    guide_clear(&block->guide);
    free(block->memory);
}

enum { BLOCK_ARRAYS = 4 };

/* Size of an array of coordinates. */
static size_t block_values(const struct network *network, size_t rows) {
    return (rows * (size_t)network->dim + 15) / 16 * 16;
}

static enum dn_status block_init(struct block *block, size_t rows, struct dn_error *error) {
    const struct dn_sample_request *request = block->request;
    const size_t values = block_values(&block->model->network, rows);
    enum dn_status status = plan_init(&block->plan, &block->model->schedule, request->sampler,
                                      steps_of(block->model, request), request->eta, error);
    if (status == DN_OK)
        status = guide_init(&block->guide, block->model, request, &block->plan, rows, error);
    if (status != DN_OK)
        return status;
    block->memory = floats_new(BLOCK_ARRAYS * values);
    if (!block->memory)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    block->walk = (struct walk){.seed = request->seed,
                                .dim = (size_t)block->model->dim,
                                .x = block->memory,
                                .x_0 = block->memory + values,
                                .other = block->memory + 2 * values,
                                .z = block->memory + 3 * values};
    block->rows = rows;
    block->frames = request->frames ? request->frames : block->plan.steps + 1;
    return DN_OK;
}

/* Where the block's points go in frame k of an array [..][n][dim]. */
static float *block_frame(const struct block *block, float *frames, int k) {
    const size_t frame =
        block->result->frame_points ? block->result->frame_points : (size_t)block->request->n;
    return frames + ((size_t)k * frame + block->first) * block->walk.dim;
}

/* Writes the block's points, in data units, into frame k, if that is wanted. */
static void block_emit(struct block *block, float *frames, int k, const float *points) {
    if (!frames)
        return;
    const struct walk *walk = &block->walk;
    float *to = block_frame(block, frames, k);
    transform_backward(&block->model->transform, walk->n, block->model->dim, points, to);
    block->is_wrong |= !all_finite(to, walk->n * walk->dim);
}

/* What the request could change about it. */
static enum dn_status not_finite(const struct block *block, struct dn_error *error) {
    const struct dn_sample_request *request = block->request;
    const char *change = !request->clip          ? "clip the estimates (clip)"
                         : request->noise        ? "start from smaller noise"
                         : request->guidance > 1 ? "use less guidance"
                                                 : "try another sampler or more steps, or train "
                                                   "the model again with a smaller learning_rate";
    return error_set(error, DN_NOT_FINITE,
                     "points or estimates are not finite, or too large for a 32-bit number; %s",
                     change);
}

/* Is the state after this number of steps the k-th frame? */
static bool block_keeps(const struct block *block, int k, int steps_done) {
    return k < block->frames && dn_frame_step(k, block->frames, block->plan.steps) == steps_done;
}

/* The first frame is the noise that was given: to model units and back it would be another number,
 * if only by its last bit. */
static void block_start_from(struct block *block, const float *noise) {
    struct walk *walk = &block->walk;
    transform_forward(&block->model->transform, walk->n, block->model->dim, noise, walk->x);
    if (block->result->x)
        memcpy(block_frame(block, block->result->x, 0), noise, walk->n * walk->dim * sizeof *noise);
}

static void block_start(struct block *block, size_t n) {
    const struct dn_sample_request *request = block->request;
    struct walk *walk = &block->walk;
    assert(n <= block->rows && block->first + n <= (size_t)request->n);
    walk->n = n;
    walk->first = (uint64_t)request->first + block->first;
    guide_begin(&block->guide, walk->first, n);
    block->frame = 1;
    if (request->noise) {
        block_start_from(block, request->noise + block->first * walk->dim);
        return;
    }
    random_normals(request->seed, RANDOM_START, 0, walk->first * walk->dim, n * walk->dim, walk->x);
    block_emit(block, block->result->x, 0, walk->x);
}

static void block_step(struct block *block, int k) {
    const struct denoiser denoiser = {guide_estimate, &block->guide};
    walk_step(&block->walk, &block->plan.step[k], &denoiser);
    if (block_keeps(block, block->frame - 1, k))
        block_emit(block, block->result->x0, block->frame - 1, block->walk.x_0);
    if (block_keeps(block, block->frame, k + 1))
        block_emit(block, block->result->x, block->frame++, block->walk.x);
}

/* ------------------------------------------------------------------ all of them */

/* Points that go together: what a network of this width makes of them fits a cache. */
static size_t block_rows(const struct network *network, size_t n) {
    size_t rows = 32768 / network->hidden_ld;
    rows = rows < 48 ? 48 : rows / 6 * 6;
    return rows > n ? n : rows;
}

size_t sample_bytes(const struct network *network, size_t n) {
    const int steps = network->timesteps;
    const size_t rows = block_rows(network, n);
    return plan_bytes(steps) + guide_bytes(network, steps, 1, false, rows) +
           floats_bytes(BLOCK_ARRAYS * block_values(network, rows));
}

struct dn_sampling {
    struct dn_sample_request request;
    struct dn_sample_result result;
    struct block block;
    size_t rows; /* size of a block */
    int step;    /* of the current block: the next one */
};

enum dn_status dn_sampling_new(const struct dn_model *model,
                               const struct dn_sample_request *request,
                               const struct dn_sample_result *result, struct dn_sampling **out,
                               struct dn_error *error) {
    enum dn_status status = check(model, request, error);
    if (status != DN_OK)
        return status;
    struct dn_sampling *sampling = malloc(sizeof *sampling);
    if (!sampling) {
        error_set(error, DN_NO_MEMORY, "out of memory");
        return DN_NO_MEMORY;
    }
    *sampling = (struct dn_sampling){.request = *request,
                                     .result = *result,
                                     .rows = block_rows(&model->network, (size_t)request->n)};
    sampling->block =
        (struct block){.model = model, .request = &sampling->request, .result = &sampling->result};
    status = block_init(&sampling->block, sampling->rows, error);
    if (status != DN_OK) {
        dn_sampling_free(sampling);
        return status;
    }
    *out = sampling;
    return DN_OK;
}

size_t dn_sampling_bytes(const struct dn_model *model, const struct dn_sample_request *request) {
    const struct network *network = &model->network;
    const size_t rows = block_rows(network, (size_t)request->n);
    const int steps = steps_of(model, request);
    bool guided;
    const int labels = guide_labels(model, request, &guided);
    return sizeof(struct dn_sampling) + plan_bytes(steps) +
           guide_bytes(network, steps, labels, guided, rows) +
           floats_bytes(BLOCK_ARRAYS * block_values(network, rows));
}

void dn_sampling_free(struct dn_sampling *sampling) {
    if (!sampling)
        return;
    block_clear(&sampling->block);
    free(sampling);
}

bool dn_sampling_done(const struct dn_sampling *sampling) {
    return sampling->block.first == (size_t)sampling->request.n;
}

enum dn_status dn_sampling_step(struct dn_sampling *sampling, struct dn_error *error) {
    struct block *block = &sampling->block;
    const size_t left = (size_t)sampling->request.n - block->first;
    if (left == 0)
        return DN_OK;
    if (sampling->step == 0)
        block_start(block, left < sampling->rows ? left : sampling->rows);
    block_step(block, sampling->step++);
    if (sampling->step < block->plan.steps)
        return DN_OK;
    block_emit(block, sampling->result.points, 0, block->walk.x);
    block->first += block->walk.n;
    sampling->step = 0;
    return block->is_wrong ? not_finite(block, error) : DN_OK;
}

enum dn_status dn_sample(const struct dn_model *model, const struct dn_sample_request *request,
                         const struct dn_sample_result *result, dn_stop_flag *stop,
                         struct dn_error *error) {
    struct dn_sampling *sampling = NULL;
    enum dn_status status = dn_sampling_new(model, request, result, &sampling, error);
    while (status == DN_OK && !dn_sampling_done(sampling)) {
        if (stop_asked(stop))
            status = error_set(error, DN_STOPPED, "stopped");
        else
            status = dn_sampling_step(sampling, error);
    }
    dn_sampling_free(sampling);
    return status;
}
