/*
 * sampler.c - from noise to points.
 *
 * Points go the whole way from noise to data in blocks that stay in the cache. Noise is addressed
 * by (seed, t, point), or several points in a row share one, so a point depends neither on the
 * blocks nor on the number of points.
 */
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
    const double least = request->guidance_ratio_min, most = request->guidance_ratio_max;
    if (!(least >= 0 && least <= (most == 0 ? DN_MAX_RATIO_MAX : most) && most <= DN_MAX_RATIO_MAX))
        return error_set(error, DN_INVALID,
                         "guidance_ratio_min must be 0..guidance_ratio_max, and that at most %g, "
                         "got %g and %g",
                         DN_MAX_RATIO_MAX, least, most);
    if (request->guidance == 0)
        return DN_OK;
    if (classes == 0)
        return error_set(error, DN_INVALID, "the model has no labels to guide with");
    if (request->label < DN_LABELS_BY_FREQUENCY || request->label >= classes)
        return error_set(error, DN_INVALID, "label must be 0..%d, got %d", classes - 1,
                         request->label);
    for (int i = 0; request->given_labels && i < request->n; i++)
        if (guide_label(model, request, (uint64_t)request->first + (uint64_t)i) >= classes)
            return error_set(error, DN_INVALID, "point %d has a label that is not 0..%d",
                             request->first + i, classes - 1);
    return DN_OK;
}

/* Can a model know this of a coordinate? */
static bool can_be_given(const struct dn_model *model, int column, double value) {
    const struct quantiles *maps = model->transform.quantiles;
    return !isinf(value) || (value < 0 && maps && maps->columns[column].missing > 0);
}

/* Known coordinates must be numbers, for the points of this request. */
static enum dn_status check_given(const struct dn_model *model,
                                  const struct dn_sample_request *request, struct dn_error *error) {
    if (!request->given)
        return DN_OK;
    if (model->spec.training.conditioning != DN_GIVEN_ANY)
        return error_set(error, DN_INVALID,
                         "the model was not trained to be given coordinates: its "
                         "training.conditioning is none");
    if (request->draws < 0)
        return error_set(error, DN_INVALID, "draws must not be negative, got %d", request->draws);
    for (int i = 0; i < (request->draws > 0 ? request->n : 1); i++) {
        const double *row = guide_given(model, request, (uint64_t)request->first + (uint64_t)i);
        for (int j = 0; j < model->dim; j++)
            if (!can_be_given(model, j, row[j]))
                return error_set(error, DN_INVALID,
                                 "coordinate %d of point %d is given as infinity", j,
                                 request->first + i);
    }
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
    if (request->per_noise < 0)
        return error_set(error, DN_INVALID, "per_noise must not be negative, got %d",
                         request->per_noise);
    if (request->drawn_classes < 0 || request->drawn_classes > model->spec.dataset.classes)
        return error_set(error, DN_INVALID, "drawn_classes must be 0..%d, got %d",
                         model->spec.dataset.classes, request->drawn_classes);
    const enum dn_status status = check_given(model, request, error);
    return status == DN_OK ? check_labels(model, request, error) : status;
}

struct dn_usual_sampling dn_sample_usual(const struct dn_spec *spec, bool is_given) {
    enum { ENOUGH_STEPS = 50, ENOUGH_FOR_IMAGES = 20 };
    const int T = spec->diffusion.timesteps;
    const bool has_images = spec->dataset.height > 0;
    const bool is_table = spec->training.normalization == DN_QUANTILE;
    const int enough = has_images ? ENOUGH_FOR_IMAGES : is_table ? ENOUGH_STEPS : T;
    const bool is_guided = has_images && spec->training.p_uncond > 0;
    return (struct dn_usual_sampling){
        .sampler = is_given                 ? DN_DPMPP_2M_SDE
                   : has_images || is_table ? DN_DPMPP_2M
                                            : DN_DDPM,
        .steps = T > enough ? enough : T,
        .guidance = spec->dataset.classes == 0 ? 0
                    : is_guided                ? 2
                                               : 1,
        .guidance_ratio_min = is_guided ? 0.2 : 0,
        .guidance_ratio_max = is_guided ? 5 : DN_MAX_RATIO_MAX,
    };
}

void dn_sample_timesteps(const struct dn_model *model, const struct dn_sample_request *request,
                         int *timesteps) {
    plan_timesteps(&model->schedule, steps_of(model, request), timesteps);
}

/* Of the estimates of a plan, those that mix two outputs. */
static int mixed_estimates(const struct dn_model *model, const struct dn_sample_request *request) {
    const int steps = steps_of(model, request), each = dn_samplers[request->sampler].evaluations;
    int timesteps[DN_MAX_TIMESTEPS + 1], count = 0;
    dn_sample_timesteps(model, request, timesteps);
    for (int k = 0; k < steps; k++) /* further ones of a step are made where the next one begins */
        count += guide_mixes(model, request, timesteps[k]) ? (k > 0 ? each : 1) : 0;
    return count;
}

int dn_sample_evaluations(const struct dn_model *model, const struct dn_sample_request *request) {
    const int passes =
        request->never_missing && guide_knows(model, request) ? 1 + DN_FILL_PASSES : 1;
    return passes * (plan_evaluations(request->sampler, steps_of(model, request)) +
                     mixed_estimates(model, request));
}

int dn_sample_label(const struct dn_model *model, const struct dn_sample_request *request, int i) {
    const int classes = model->spec.dataset.classes;
    if (classes == 0 || request->guidance == 0)
        return -1;
    return guide_label(model, request, (uint64_t)request->first + (uint64_t)i);
}

int dn_frame_step(int k, int frames, int steps) {
    return (k * steps + (frames - 1) / 2) / (frames - 1);
}

/* ------------------------------------------------------------------ a block of points */

struct dn_sampling {
    const struct dn_model *model;
    const struct dn_breaks *breaks;
    struct dn_sample_request request;
    struct dn_sample_result result;
    struct plan plan;
    struct guide guide;
    struct walk walk; /* the current block, in model units */
    struct restorer restorer;
    size_t rows;       /* size of a block */
    size_t first;      /* the block's first point, counted in the request */
    int step;          /* next step of the block */
    int pass;          /* how many times missing cells of the block have been drawn again */
    uint64_t *hidden;  /* [rows] the missing cells of its points; NULL: they may be missing */
    int frames, frame; /* number of states x to keep; the next one to be kept */
    bool is_wrong;     /* a result is not finite */
    float *memory;
};

enum { BLOCK_ARRAYS = 4 };

/* Size of an array of coordinates. */
static size_t block_values(const struct network *network, size_t rows) {
    return kernels_pad(rows * (size_t)network->dim);
}

/* With those of the restorer, which needs moments, and images have none. */
static size_t block_floats(const struct network *network, size_t rows) {
    return BLOCK_ARRAYS * block_values(network, rows) +
           (network_has_images(network) ? 0 : restorer_floats(network->dim, rows));
}

/* Where the block's points go in frame k of an array [..][n][dim]. */
static float *block_frame(const struct dn_sampling *sampling, float *frames, int k) {
    const size_t own = (size_t)sampling->request.n, given = sampling->result.frame_points;
    return frames + ((size_t)k * (given ? given : own) + sampling->first) * sampling->walk.dim;
}

/* The known coordinates of the block's points [n][dim], as they were given; NaN if missing. */
#define DEFINE_PUT_GIVEN(NAME, TYPE)                                                               \
    static void NAME(const struct dn_sampling *sampling, TYPE points[]) {                          \
        const struct walk *walk = &sampling->walk;                                                 \
        for (size_t i = 0; i < walk->n; i++) {                                                     \
            const double *row = guide_given(sampling->model, &sampling->request, walk->first + i); \
            for (size_t j = 0; j < walk->dim; j++)                                                 \
                if (!isnan(row[j]))                                                                \
                    points[i * walk->dim + j] = isinf(row[j]) ? NAN : (TYPE)row[j];                \
        }                                                                                          \
    }
DEFINE_PUT_GIVEN(block_put_given, float)
DEFINE_PUT_GIVEN(block_put_given_values, double)

/* Writes the block's points, in data units, into frame k, unless frames is NULL. is_noised: the
 * known coordinates have noise. */
static void block_emit(struct dn_sampling *sampling, float *frames, int k, const float *points,
                       bool is_noised) {
    if (!frames)
        return;
    const struct walk *walk = &sampling->walk;
    float *to = block_frame(sampling, frames, k);
    transform_backward(&sampling->model->transform, walk->n, sampling->model->dim, points, to);
    if (sampling->request.given && !is_noised)
        block_put_given(sampling, to);
    /* with maps, a result that is not finite is a missing value */
    const float *tested = sampling->model->transform.quantiles ? points : to;
    sampling->is_wrong |= !all_finite(tested, walk->n * walk->dim);
}

static void block_emit_values(struct dn_sampling *sampling) {
    const struct walk *walk = &sampling->walk;
    if (!sampling->result.values)
        return;
    transform_backward_values(&sampling->model->transform, walk->n, sampling->model->dim, walk->x,
                              sampling->result.values + sampling->first * walk->dim);
    if (sampling->request.given)
        block_put_given_values(sampling, sampling->result.values + sampling->first * walk->dim);
    sampling->is_wrong |= !all_finite(walk->x, walk->n * walk->dim);
}

/* Says what to change in the request. */
static enum dn_status not_finite(const struct dn_sample_request *request, struct dn_error *error) {
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
static bool block_keeps(const struct dn_sampling *sampling, int k, int steps_done) {
    return k < sampling->frames &&
           dn_frame_step(k, sampling->frames, sampling->plan.steps) == steps_done;
}

/* The first frame is a copy of the given noise: the way to model units and back could change its
 * last bits. */
static void block_start_from(struct dn_sampling *sampling, const float *noise) {
    struct walk *walk = &sampling->walk;
    float *frames = sampling->result.x;
    transform_forward(&sampling->model->transform, walk->n, sampling->model->dim, noise, walk->x);
    if (frames)
        memcpy(block_frame(sampling, frames, 0), noise, walk->n * walk->dim * sizeof *noise);
}

static void block_start(struct dn_sampling *sampling) {
    const struct dn_sample_request *request = &sampling->request;
    const size_t left = (size_t)request->n - sampling->first;
    struct walk *walk = &sampling->walk;
    walk->n = left < sampling->rows ? left : sampling->rows;
    walk->first = (uint64_t)request->first + sampling->first;
    walk->restorer = &sampling->restorer;
    guide_begin(&sampling->guide, walk->first, walk->n);
    sampling->frame = 1;
    if (request->noise) {
        block_start_from(sampling, request->noise + sampling->first * walk->dim);
        return;
    }
    walk_noise(walk, RANDOM_START, 0, walk->x);
    block_emit(sampling, sampling->result.x, 0, walk->x, true);
}

/* The last state is an estimate that has been scaled. */
static void block_clip(struct dn_sampling *sampling) {
    const struct transform *transform = &sampling->model->transform;
    const struct walk *walk = &sampling->walk;
    const size_t columns = (size_t)transform_columns(transform, sampling->model->dim);
    for (size_t i = 0; i < walk->n * walk->dim / columns; i++)
        for (size_t j = 0; j < columns; j++) {
            float *x = &walk->x[i * columns + j]; /* keeps a NaN */
            *x = *x < transform->low[j] ? transform->low[j] : *x;
            *x = *x > transform->high[j] ? transform->high[j] : *x;
        }
}

static void block_step(struct dn_sampling *sampling, int k) {
    const struct denoiser denoiser = {guide_estimate, &sampling->guide};
    walk_step(&sampling->walk, &sampling->plan.step[k], &denoiser);
    if (sampling->request.clip && k + 1 == sampling->plan.steps)
        block_clip(sampling);
    if (block_keeps(sampling, sampling->frame - 1, k))
        block_emit(sampling, sampling->result.x0, sampling->frame - 1, sampling->walk.x_0, false);
    if (block_keeps(sampling, sampling->frame, k + 1))
        block_emit(sampling, sampling->result.x, sampling->frame++, sampling->walk.x,
                   k + 1 < sampling->plan.steps);
}

/* ------------------------------------------------------------------ missing cells */

/* Finds the cells of the block that are missing and should not be. */
static bool block_find_hidden(struct dn_sampling *sampling) {
    const struct walk *walk = &sampling->walk;
    const struct dn_sample_request *request = &sampling->request;
    bool found = false;
    for (size_t i = 0; i < walk->n; i++) {
        const double *given =
            request->given ? guide_given(sampling->model, request, walk->first + i) : NULL;
        sampling->hidden[i] = 0;
        for (size_t j = 0; j < walk->dim; j++)
            if ((!given || isnan(given[j])) &&
                transform_is_missing(&sampling->model->transform, j, walk->x[i * walk->dim + j]))
                sampling->hidden[i] |= 1ull << j;
        found |= sampling->hidden[i] != 0;
    }
    return found;
}

/* Draws the hidden cells again, given all others. */
static void block_draw_again(struct dn_sampling *sampling) {
    struct walk *walk = &sampling->walk;
    sampling->pass++;
    sampling->step = 0;
    walk->restorer = NULL; /* it is for points of which nothing is known */
    guide_hold(&sampling->guide, walk->n, walk->x, sampling->hidden);
    walk_noise(walk, RANDOM_START, (uint32_t)sampling->pass, walk->x);
}

static void block_uncover(struct dn_sampling *sampling) {
    const struct walk *walk = &sampling->walk;
    for (size_t i = 0; i < walk->n; i++)
        for (uint64_t hidden = sampling->hidden[i]; hidden; hidden &= hidden - 1) {
            const size_t j = (size_t)__builtin_ctzll(hidden);
            float *x = &walk->x[i * walk->dim + j];
            *x = transform_present(&sampling->model->transform, j, *x);
        }
}

/* At the end of a walk. True: another one begins. */
static bool block_fill(struct dn_sampling *sampling) {
    if (!sampling->hidden)
        return false;
    if (sampling->pass > 0)
        guide_put_known(&sampling->guide, sampling->walk.n, sampling->walk.x);
    if (!block_find_hidden(sampling))
        return false;
    if (sampling->guide.known && sampling->pass < DN_FILL_PASSES) {
        block_draw_again(sampling);
        return true;
    }
    block_uncover(sampling);
    return false;
}

/* ------------------------------------------------------------------ all points */

/* Points of a block. */
static size_t block_rows(const struct network *network, size_t n) {
    const size_t rows = network_chunks(network).sampling;
    return rows > n ? n : rows;
}

/* What is known of the points that are drawn; NULL of those of a class, and of those that are given
 * something, which are others than all. */
static const struct moments *moments_of(const struct dn_model *model,
                                        const struct dn_sample_request *request) {
    const bool is_known = model->moments.nodes > 0 && request->guidance == 0 && !request->given;
    return is_known ? &model->moments : NULL;
}

static enum dn_status sampling_init(struct dn_sampling *sampling, struct dn_error *error) {
    const struct dn_sample_request *request = &sampling->request;
    const struct dn_model *model = sampling->model;
    const struct moments *moments = moments_of(model, request);
    const size_t values = block_values(&model->network, sampling->rows);
    enum dn_status status = plan_init(&sampling->plan, &model->schedule, moments, request->sampler,
                                      steps_of(model, request), request->eta, error);
    if (status == DN_OK)
        status = guide_init(&sampling->guide, model, request, &sampling->plan, sampling->rows,
                            sampling->breaks, error);
    if (status != DN_OK)
        return status;
    sampling->memory = floats_new(block_floats(&model->network, sampling->rows));
    if (request->never_missing && model->transform.quantiles)
        sampling->hidden = calloc(sampling->rows, sizeof *sampling->hidden);
    if (!sampling->memory ||
        (request->never_missing && model->transform.quantiles && !sampling->hidden))
        return error_set(error, DN_NO_MEMORY, "out of memory");
    sampling->walk = (struct walk){.kernels = model->network.kernels,
                                   .seed = request->seed,
                                   .per_noise = (uint64_t)request->per_noise,
                                   .dim = (size_t)model->dim,
                                   .x = sampling->memory,
                                   .x_0 = sampling->memory + values,
                                   .other = sampling->memory + 2 * values,
                                   .z = sampling->memory + 3 * values};
    if (moments)
        restorer_init(&sampling->restorer, moments, model->network.kernels,
                      sampling->memory + BLOCK_ARRAYS * values);
    sampling->frames = request->frames ? request->frames : sampling->plan.steps + 1;
    return DN_OK;
}

enum dn_status dn_sampling_new(const struct dn_model *model,
                               const struct dn_sample_request *request,
                               const struct dn_sample_result *result,
                               const struct dn_breaks *breaks, struct dn_sampling **out,
                               struct dn_error *error) {
    enum dn_status status = check(model, request, error);
    if (status != DN_OK)
        return status;
    struct dn_sampling *sampling = malloc(sizeof *sampling);
    if (!sampling)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    *sampling = (struct dn_sampling){.model = model,
                                     .breaks = breaks,
                                     .request = *request,
                                     .result = *result,
                                     .rows = block_rows(&model->network, (size_t)request->n)};
    status = sampling_init(sampling, error);
    if (status != DN_OK) {
        dn_sampling_free(sampling);
        return status;
    }
    *out = sampling;
    return DN_OK;
}

/* The parts of a dn_sampling, for a number of labels in use. */
static size_t parts_bytes(const struct network *network, size_t n, int steps, int labels,
                          bool guided, bool given) {
    const size_t rows = block_rows(network, n);
    return plan_bytes(steps, network_has_images(network) ? 0 : network->dim) +
           guide_bytes(network, steps, labels, guided, given, rows) +
           floats_bytes(block_floats(network, rows)) + rows * sizeof(uint64_t);
}

size_t sample_bytes(const struct network *network, size_t n) {
    return parts_bytes(network, n, network->timesteps, 1, false, false);
}

size_t dn_sampling_bytes(const struct dn_model *model, const struct dn_sample_request *request) {
    bool guided;
    const int labels = guide_labels(model, request, &guided);
    return sizeof(struct dn_sampling) + parts_bytes(&model->network, (size_t)request->n,
                                                    steps_of(model, request), labels, guided,
                                                    guide_knows(model, request));
}

void dn_sampling_free(struct dn_sampling *sampling) {
    if (!sampling)
        return;
    plan_clear(&sampling->plan);
    guide_clear(&sampling->guide);
    free(sampling->hidden);
    free(sampling->memory);
    free(sampling);
}

bool dn_sampling_done(const struct dn_sampling *sampling) {
    return sampling->first == (size_t)sampling->request.n;
}

enum dn_status dn_sampling_step(struct dn_sampling *sampling, struct dn_error *error) {
    if (dn_sampling_done(sampling))
        return DN_OK;
    const enum dn_status status = break_check(sampling->breaks, error);
    if (status != DN_OK)
        return status;
    if (sampling->step == 0 && sampling->pass == 0)
        block_start(sampling);
    block_step(sampling, sampling->step++);
    if (sampling->step < sampling->plan.steps || block_fill(sampling))
        return DN_OK;
    block_emit(sampling, sampling->result.points, 0, sampling->walk.x, false);
    block_emit_values(sampling);
    sampling->first += sampling->walk.n;
    sampling->step = sampling->pass = 0;
    return sampling->is_wrong ? not_finite(&sampling->request, error) : DN_OK;
}

enum dn_status dn_sample(const struct dn_model *model, const struct dn_sample_request *request,
                         const struct dn_sample_result *result, dn_stop_flag *stop,
                         struct dn_error *error) {
    const struct dn_breaks breaks = {.stop = stop};
    struct dn_sampling *sampling = NULL;
    enum dn_status status = dn_sampling_new(model, request, result, &breaks, &sampling, error);
    while (status == DN_OK && !dn_sampling_done(sampling))
        status = dn_sampling_step(sampling, error);
    dn_sampling_free(sampling);
    return status;
}
