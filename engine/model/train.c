/*
 * train.c - the training loop: DDPM algorithm 1, step by step, in epochs.
 *
 * A batch of any size is processed in chunks of rows that fit the cache, and their gradients are
 * added in order. All randomness is addressed by (seed, step) or (seed, epoch), so the state of
 * training consists of the parameters, the optimizer's moments and a position: a checkpoint
 * (checkpoint.c) holds these. The stop flag is checked between two chunks; an interrupted step has
 * no effect.
 */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/data/data.h"
#include "engine/diffusion/diffusion.h"
#include "engine/internal.h"
#include "engine/model/memory.h"
#include "engine/model/train.h"
#include "engine/network/loss.h"

static const struct noised_streams batch_streams = {RANDOM_TIMESTEP, RANDOM_NOISE, RANDOM_LABEL,
                                                    RANDOM_GIVEN, true};
static const struct noised_streams validation_streams = {
    RANDOM_VALIDATION_TIMESTEP, RANDOM_VALIDATION_NOISE, RANDOM_VALIDATION_LABEL,
    RANDOM_VALIDATION_GIVEN, false};

void trainer_point(const struct dn_trainer *trainer, size_t i, float *x) {
    const size_t dim = (size_t)trainer->dim;
    if (trainer->pixels)
        transform_forward_pixels(&trainer->transform, 1, trainer->dim, trainer->pixels + i * dim,
                                 x);
    else if (dim == 2) /* a constant size needs no call */
        memcpy(x, trainer->points + 2 * i, 2 * sizeof *x);
    else
        memcpy(x, trainer->points + i * dim, dim * sizeof *x);
}

/* The points that the shuffle puts at places first..first+n-1, with fresh noise. */
static void batch_draw(struct dn_trainer *trainer, size_t first, size_t n) {
    struct noised *batch = &trainer->batch;
    const size_t dim = (size_t)trainer->dim;
    for (size_t i = 0; i < n; i++) {
        size_t from = (size_t)trainer->order[first + i];
        trainer_point(trainer, from, batch->x_0 + i * dim);
        if (batch->seen)
            batch->seen[i] = trainer->labels[from];
    }
    noised_draw(batch, &trainer->spec, &trainer->schedule, n, &batch_streams,
                (uint32_t)trainer->optimizer.steps);
}

/* ------------------------------------------------------------------ life */

static int team_size(const struct dn_trainer *trainer) {
    return trainer->team ? trainer->team->size : 1;
}

void trainer_run_parts(struct dn_trainer *trainer, void (*work)(void *argument, int part),
                       void *argument) {
    if (trainer->team)
        trainer->team->run(trainer->team, work, argument);
    else
        work(argument, 0);
}

static bool has_ranks(const struct dn_spec *spec) {
    return spec->training.normalization == DN_QUANTILE;
}

static void draw_part(void *argument, int part) {
    struct dn_trainer *trainer = argument;
    ranks_draw(&trainer->ranks, trainer->spec.seed, (uint32_t)trainer->drawn,
               (float)trainer->transform.scale[0], part, team_size(trainer), trainer->points);
}

void trainer_draw_points(struct dn_trainer *trainer, int epoch) {
    if (!has_ranks(&trainer->spec) || trainer->drawn == epoch)
        return;
    trainer->drawn = epoch;
    trainer_run_parts(trainer, draw_part, trainer);
}

/* Validation points keep one place in the intervals of their values. */
static void validation_scores(struct dn_trainer *trainer, const struct dn_data *data) {
    const struct transform *transform = &trainer->transform;
    const size_t dim = (size_t)data->dim, first = data->n * dim;
    for (size_t e = 0; e < data->n_val * dim; e++) {
        const double value =
            data->values ? data->values[first + e] : (double)data->points[first + e];
        const double within =
            random_uniform(trainer->spec.seed, RANDOM_VALIDATION_RANK, 0, (uint64_t)e);
        const double score =
            quantile_forward(&transform->quantiles->columns[e % dim], value, within);
        trainer->validation.x_0[e] = (float)(score * transform->scale[e % dim]);
    }
}

/* One transform for training and validation points. */
static enum dn_status trainer_take_data(struct dn_trainer *trainer, const struct dn_data *data,
                                        struct dn_error *error) {
    const size_t n = data->n, n_val = data->n_val;
    const int nodes = spec_moments(&trainer->spec);
    const enum dn_normalization normalization = trainer->spec.training.normalization;
    if (trainer->labels) {
        memcpy(trainer->labels, data->labels, n * sizeof *data->labels);
        memcpy(trainer->validation.seen, data->labels + n, n_val * sizeof *data->labels);
        for (size_t i = 0; i < n + n_val; i++)
            trainer->class_counts[data->labels[i]]++;
    }
    if (data->pixels) {
        const size_t pixels = n * (size_t)data->dim;
        transform_of_images(&trainer->transform, trainer->spec.dataset.channels);
        memcpy(trainer->pixels, data->pixels, pixels);
        transform_forward_pixels(&trainer->transform, n_val, data->dim, data->pixels + pixels,
                                 trainer->validation.x_0);
        return DN_OK;
    }
    if (normalization == DN_QUANTILE) {
        const struct quantile_table table = {n, data->dim, data->values, data->points};
        enum dn_status status =
            transform_fit_table(&trainer->transform, &table, &trainer->ranks, error);
        if (status == DN_OK)
            status = model_use_levels(&trainer->network, &trainer->spec, &trainer->schedule,
                                      &trainer->transform, error);
        if (status != DN_OK)
            return status;
        trainer_draw_points(trainer, 0);
        if (nodes > 0)
            moments_fit(&trainer->moments, nodes, trainer->points, n, data->dim);
        validation_scores(trainer, data);
        return DN_OK;
    }
    const float *validation = data->points + n * (size_t)data->dim;
    transform_fit(&trainer->transform, normalization, data->points, n, data->dim);
    transform_forward(&trainer->transform, n, data->dim, data->points, trainer->points);
    if (nodes > 0)
        moments_fit(&trainer->moments, nodes, trainer->points, n, data->dim);
    transform_forward(&trainer->transform, n_val, data->dim, validation, trainer->validation.x_0);
    return DN_OK;
}

/* Cuts a batch into chunks of nearly equal size. */
size_t trainer_batch_chunk(const struct network *network, size_t n) {
    const size_t chunks = 1 + (n - 1) / network_chunks(network).batch;
    return (n + chunks - 1) / chunks;
}

/* An array of the trainer, zeroed. If it has 0 bytes, the spec does not need it. */
struct array {
    void *pointer; /* to the trainer's pointer, of any type */
    size_t bytes;
};

enum { TRAINER_ARRAYS = 10 };

/* The arrays that belong to none of the trainer's parts. Only trainer_size must come first. */
static void trainer_arrays(struct dn_trainer *trainer, struct array arrays[TRAINER_ARRAYS]) {
    const struct dn_spec *spec = &trainer->spec;
    const size_t n = trainer->n, weights = floats_bytes(trainer->network.size);
    const size_t values = n * (size_t)trainer->dim;
    const bool has_images = spec->dataset.height > 0;
    const size_t timesteps = (size_t)spec->diffusion.timesteps + 1;
    const struct array all[TRAINER_ARRAYS] = {
        {&trainer->points, has_images        ? 0
                           : has_ranks(spec) ? floats_bytes(ranks_values(n, trainer->dim))
                                             : floats_bytes(values)},
        {&trainer->pixels, has_images ? values : 0},
        {&trainer->labels, spec->dataset.classes > 0 ? n * sizeof(int32_t) : 0},
        {&trainer->order, n * sizeof(int32_t)},
        {&trainer->parameters, weights},
        {&trainer->gradients, weights},
        {&trainer->best, spec->training.keep_best ? weights : 0},
        {&trainer->slots, trainer->most * sizeof(int32_t)},
        {&trainer->row_losses, trainer->rows * sizeof(double)},
        {&trainer->t_weights, spec->training.min_snr_gamma > 0 ? floats_bytes(timesteps) : 0},
    };
    memcpy(arrays, all, sizeof all);
}

static bool trainer_allocate(struct dn_trainer *trainer) {
    struct array arrays[TRAINER_ARRAYS];
    trainer_arrays(trainer, arrays);
    for (int i = 0; i < TRAINER_ARRAYS; i++) {
        if (arrays[i].bytes == 0)
            continue;
        const float *array = floats_new((arrays[i].bytes + 3) / sizeof(float));
        if (!array)
            return false;
        memcpy(arrays[i].pointer, &array, sizeof array);
    }
    const struct dn_spec *spec = &trainer->spec;
    return noised_init(&trainer->batch, spec, &trainer->schedule, trainer->network.kernels,
                       trainer->batch.n) &&
           noised_init(&trainer->validation, spec, &trainer->schedule, trainer->network.kernels,
                       trainer->validation.n);
}

/* Sets everything that the sizes follow from; allocates nothing. */
static void trainer_size(struct dn_trainer *trainer, const struct dn_spec *spec) {
    const size_t batch = (size_t)spec->training.batch_size;
    trainer->spec = *spec;
    trainer->dim = spec->dataset.dim;
    data_count(spec, &trainer->n, &trainer->validation.n);
    network_layout(&trainer->network, spec);
    trainer->rows = network_chunks(&trainer->network).validation;
    trainer->batch.n = batch < trainer->n ? batch : trainer->n;
    trainer->most = trainer->batch.n > trainer->rows ? trainer->batch.n : trainer->rows;
}

size_t trainer_bytes(const struct dn_spec *spec) {
    struct dn_trainer trainer = {0};
    struct array arrays[TRAINER_ARRAYS];
    const struct network *network = &trainer.network;
    trainer_size(&trainer, spec);
    trainer_arrays(&trainer, arrays);
    size_t bytes = sizeof trainer;
    for (int i = 0; i < TRAINER_ARRAYS; i++)
        bytes += arrays[i].bytes;
    if (has_ranks(spec))
        bytes += ranks_bytes(trainer.n, trainer.dim) + quantiles_fit_bytes(trainer.n);
    return bytes + transform_bytes(spec, trainer.n) + noised_bytes(spec, trainer.batch.n) +
           noised_bytes(spec, trainer.validation.n) + schedule_bytes(spec->diffusion.timesteps) +
           network_bytes(network) + optimizer_bytes(network->size, &spec->training) +
           time_rows_bytes(network, (int)trainer.most, (int)trainer.batch.n) +
           workspace_bytes(network, trainer.rows, true) +
           (network_has_images(network) ? trainer_images_bytes(&trainer) : 0);
}

static void trainer_weigh(struct dn_trainer *trainer) {
    const struct dn_spec *spec = &trainer->spec;
    for (int t = 1; trainer->t_weights && t <= trainer->schedule.timesteps; t++)
        trainer->t_weights[t] = (float)diffusion_weight(
            &trainer->schedule, spec->diffusion.prediction_type, spec->training.min_snr_gamma, t);
}

/* Everything but the data and the weights. */
static enum dn_status trainer_make(struct dn_trainer *trainer, const struct dn_spec *spec,
                                   const struct kernels *kernels, struct dn_error *error) {
    enum dn_status status;
    trainer_size(trainer, spec);
    trainer->at.last_loss = NAN;
    trainer->ordered = trainer->drawn = -1;
    if ((status = schedule_init(&trainer->schedule, &spec->diffusion, error)) != DN_OK ||
        (status = network_init(&trainer->network, spec, kernels, error)) != DN_OK)
        return status;
    if (!trainer_allocate(trainer))
        return error_set(error, DN_NO_MEMORY, "out of memory");
    if (has_ranks(spec) &&
        (status = ranks_init(&trainer->ranks, trainer->n, trainer->dim, kernels, error)) != DN_OK)
        return status;
    trainer_weigh(trainer);
    if ((status = optimizer_init(&trainer->optimizer, trainer->network.size, &spec->training,
                                 kernels, error)) != DN_OK ||
        (status = time_rows_init(&trainer->times, &trainer->network, (int)trainer->most,
                                 (int)trainer->batch.n, error)) != DN_OK)
        return status;
    status = workspace_init(&trainer->workspace, &trainer->network, trainer->rows, true, error);
    return status == DN_OK && network_has_images(&trainer->network)
               ? trainer_images_init(trainer, error)
               : status;
}

static enum dn_status trainer_new(const struct dn_spec *spec, const struct dn_data *data,
                                  const struct kernels *kernels, struct dn_trainer **out,
                                  struct dn_error *error) {
    struct dn_trainer *trainer = calloc(1, sizeof *trainer);
    if (!trainer)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    enum dn_status status = trainer_make(trainer, spec, kernels, error);
    if (status == DN_OK)
        status = trainer_take_data(trainer, data, error);
    if (status != DN_OK) {
        dn_trainer_free(trainer);
        return status;
    }
    network_draw_weights(&trainer->network, spec->seed, trainer->parameters);
    optimizer_start(&trainer->optimizer, trainer->parameters);
    noised_draw(&trainer->validation, spec, &trainer->schedule, data->n_val, &validation_streams,
                0);
    *out = trainer;
    return DN_OK;
}

enum dn_status dn_trainer_new_with(const char *kernels, const struct dn_spec *spec,
                                   const struct dn_data *data, struct dn_trainer **out,
                                   struct dn_error *error) {
    struct dn_data drawn = {0};
    const struct kernels *chosen = kernels_get();
    enum dn_status status = kernels ? kernels_find(kernels, &chosen, error) : DN_OK;
    if (status == DN_OK)
        status = dn_spec_check(spec, error);
    if (status == DN_OK)
        status =
            data ? data_check(data, spec, error) : dn_data_draw(spec, NULL, &drawn, NULL, error);
    if (status == DN_OK)
        status = trainer_new(spec, data ? data : &drawn, chosen, out, error);
    dn_data_clear(&drawn);
    return status;
}

enum dn_status dn_trainer_new(const struct dn_spec *spec, const struct dn_data *data,
                              struct dn_trainer **out, struct dn_error *error) {
    return dn_trainer_new_with(NULL, spec, data, out, error);
}

void dn_trainer_free(struct dn_trainer *trainer) {
    if (!trainer)
        return;
    trainer_images_clear(trainer);
    workspace_clear(&trainer->workspace);
    time_rows_clear(&trainer->times);
    optimizer_clear(&trainer->optimizer);
    noised_clear(&trainer->batch);
    noised_clear(&trainer->validation);
    network_clear(&trainer->network);
    schedule_clear(&trainer->schedule);
    transform_clear(&trainer->transform);
    ranks_clear(&trainer->ranks);
    struct array arrays[TRAINER_ARRAYS];
    trainer_arrays(trainer, arrays);
    for (int i = 0; i < TRAINER_ARRAYS; i++) {
        void *array;
        memcpy(&array, arrays[i].pointer, sizeof array);
        free(array);
    }
    free(trainer);
}

/* ------------------------------------------------------------------ one step */

/* Rows that all threads of the team take through the network together. */
struct chunk {
    struct dn_trainer *trainer;
    const float *parameters;
    const float *x, *target;  /* [n][dim] */
    const uint64_t *given;    /* [n], or NULL */
    const int32_t *t, *slots; /* [n] */
    size_t n;
    bool is_first; /* the first chunk of its batch */
    float weight;  /* factor of a point's gradient; 0: only the loss is needed */
};

/* The work on each row, for this thread's share of the rows. */
static void chunk_rows_part(void *argument, int part) {
    const struct chunk *chunk = argument;
    struct dn_trainer *trainer = chunk->trainer;
    const struct network *network = &trainer->network;
    const size_t dim = (size_t)trainer->dim, parts = (size_t)team_size(trainer);
    const size_t first = chunk->n * (size_t)part / parts;
    const size_t n = chunk->n * (size_t)(part + 1) / parts - first;
    if (n == 0)
        return;
    network_forward(network, chunk->parameters, &trainer->times, &trainer->workspace, chunk->x,
                    chunk->given, chunk->slots, false, first, n);
    loss_rows(trainer->spec.training.loss, n, dim, trainer->workspace.out + first * network->dim_ld,
              network->dim_ld, chunk->target + first * dim,
              chunk->given ? chunk->given + first : NULL, chunk->t + first, trainer->t_weights,
              chunk->weight, trainer->row_losses + first);
    if (chunk->weight > 0)
        network_backward_rows(network, chunk->parameters, &trainer->times, &trainer->workspace,
                              chunk->slots, first, n);
}

static void chunk_weights_part(void *argument, int part) {
    const struct chunk *chunk = argument;
    struct dn_trainer *trainer = chunk->trainer;
    network_backward_weights(&trainer->network, &trainer->times, &trainer->workspace, chunk->x,
                             chunk->given, chunk->slots, chunk->n, chunk->is_first, part,
                             team_size(trainer), trainer->gradients);
}

static void finish_part(void *argument, int part) {
    struct dn_trainer *trainer = argument;
    network_finish_gradients(&trainer->network, trainer->parameters, &trainer->times,
                             &trainer->workspace, part, team_size(trainer), trainer->gradients);
}

/* Adds the losses of the points of a chunk to `sum`; if its weight is not 0, also computes the gradient. How
 * many images are in a chunk depends on the number of threads, so their losses are one sum whatever the
 * chunks; those of points are summed chunk by chunk, as they always were. */
static double chunk_run(struct chunk *chunk, double before) {
    const bool has_images = network_has_images(&chunk->trainer->network);
    double sum = has_images ? before : 0;
    assert(chunk->n <= chunk->trainer->rows && chunk->n <= chunk->trainer->workspace.rows);
    trainer_run_parts(chunk->trainer, chunk_rows_part, chunk);
    for (size_t i = 0; i < chunk->n; i++)
        sum += chunk->trainer->row_losses[i];
    if (chunk->weight > 0)
        trainer_run_parts(chunk->trainer, chunk_weights_part, chunk);
    return has_images ? sum : before + sum;
}

/* Gradient of the mean loss over the first n points of the batch, and that loss. */
static enum dn_status trainer_gradient(struct dn_trainer *trainer, size_t n, dn_stop_flag *stop,
                                       double *loss, struct dn_error *error) {
    const struct network *network = &trainer->network;
    const struct noised *batch = &trainer->batch;
    const size_t dim = (size_t)trainer->dim, count = noised_count_free(batch, n, trainer->dim);
    enum dn_status status = DN_OK;
    double sum = 0;
    assert(n > 0 && n <= batch->n);
    if (trainer->lanes)
        return trainer_images_gradient(trainer, n, stop, loss, error);
    network_clear_gradients(network, trainer->gradients);
    time_rows_set(&trainer->times, network, trainer->parameters, batch->t, batch->seen, n,
                  trainer->slots);
    network_prepare(network, trainer->parameters, &trainer->workspace);
    const size_t rows = trainer_batch_chunk(network, n);
    for (size_t first = 0; first < n && (status = stop_check(stop, error)) == DN_OK;
         first += rows) {
        struct chunk chunk = {
            .trainer = trainer,
            .parameters = trainer->parameters,
            .x = batch->x_t + first * dim,
            .target = batch->target + first * dim,
            .given = batch->given ? batch->given + first : NULL,
            .t = batch->t + first,
            .slots = trainer->slots + first,
            .n = n - first < rows ? n - first : rows,
            .is_first = first == 0,
            .weight = (float)(1 / (double)count),
        };
        sum = chunk_run(&chunk, sum);
    }
    if (status == DN_OK)
        trainer_run_parts(trainer, finish_part, trainer);
    *loss = sum / (double)count;
    return status;
}

const float *trainer_weights(const struct dn_trainer *trainer) {
    return trainer->optimizer.average ? trainer->optimizer.average : trainer->parameters;
}

const float *trainer_model_weights(const struct dn_trainer *trainer) {
    return trainer->at.best_epoch > 0 ? trainer->best : trainer_weights(trainer);
}

enum dn_status trainer_loss(struct dn_trainer *trainer, const struct noised *set,
                            const float *parameters, dn_stop_flag *stop, double *loss,
                            struct dn_error *error) {
    const size_t dim = (size_t)trainer->dim;
    enum dn_status status = DN_OK;
    double sum = 0;
    network_prepare(&trainer->network, parameters, &trainer->workspace);
    for (size_t first = 0; first < set->n && (status = stop_check(stop, error)) == DN_OK;
         first += trainer->rows) {
        size_t rows = set->n - first < trainer->rows ? set->n - first : trainer->rows;
        (first == 0 ? time_rows_set : time_rows_set_more)(
            &trainer->times, &trainer->network, parameters, set->t + first,
            set->seen ? set->seen + first : NULL, rows, trainer->slots);
        struct chunk chunk = {.trainer = trainer,
                              .parameters = parameters,
                              .x = set->x_t + first * dim,
                              .target = set->target + first * dim,
                              .given = set->given ? set->given + first : NULL,
                              .t = set->t + first,
                              .slots = trainer->slots,
                              .n = rows};
        sum = chunk_run(&chunk, sum);
    }
    *loss = set->n == 0 ? NAN : sum / (double)noised_count_free(set, set->n, trainer->dim);
    return status;
}

void dn_trainer_use_team(struct dn_trainer *trainer, struct dn_team *team) {
    trainer->team = team;
}

/* ------------------------------------------------------------------ steps and epochs */

static enum dn_status trainer_diverged(const struct dn_trainer *trainer, struct dn_error *error) {
    return error_set(error, DN_DIVERGED, "the loss was not finite in epoch %d; it was %.6g before",
                     trainer->at.epoch + 1, trainer->at.last_loss);
}

static int64_t total_steps(const struct dn_spec *spec) {
    return (int64_t)dn_spec_steps_per_epoch(spec) * spec->training.epochs;
}

/* The next batch of the epoch. */
static enum dn_status train_batch(struct dn_trainer *trainer, dn_stop_flag *stop,
                                  struct dn_error *error) {
    struct position *at = &trainer->at;
    const size_t first = (size_t)at->place, left = trainer->n - first;
    const size_t rows = left < trainer->batch.n ? left : trainer->batch.n;
    double loss = NAN;
    if (trainer->ordered != at->epoch)
        random_permutation(trainer->spec.seed, (uint32_t)at->epoch, (int32_t)trainer->n,
                           trainer->order);
    trainer->ordered = at->epoch;
    trainer_draw_points(trainer, at->epoch);
    batch_draw(trainer, first, rows);
    enum dn_status status = trainer_gradient(trainer, rows, stop, &loss, error);
    if (status != DN_OK)
        return status;
    if (!isfinite(loss))
        return trainer_diverged(trainer, error);
    at->last_loss = loss;
    at->loss_sum += loss * (double)rows;
    at->norm_sum +=
        optimizer_step(&trainer->optimizer, &trainer->spec.training, total_steps(&trainer->spec),
                       trainer->parameters, trainer->gradients);
    at->place += (int64_t)rows;
    return DN_OK;
}

static void keep_best(struct dn_trainer *trainer, double val_loss) {
    struct position *at = &trainer->at;
    if (!trainer->best || (at->best_epoch > 0 && !(val_loss < at->best_loss)))
        return;
    memcpy(trainer->best, trainer_weights(trainer), trainer->network.size * sizeof(float));
    at->best_epoch = at->epoch;
    at->best_loss = val_loss;
}

/* After the last batch of an epoch. */
static enum dn_status end_epoch(struct dn_trainer *trainer, dn_stop_flag *stop,
                                struct dn_error *error) {
    const struct dn_spec *spec = &trainer->spec;
    struct position *at = &trainer->at;
    double val_loss = NAN;
    enum dn_status status = trainer_loss(trainer, &trainer->validation, trainer_weights(trainer),
                                         stop, &val_loss, error);
    if (status != DN_OK)
        return status;
    if (!isfinite(at->norm_sum) || isinf(val_loss) ||
        (isnan(val_loss) && trainer->validation.n > 0))
        return trainer_diverged(trainer, error);
    const int64_t step = trainer->optimizer.steps;
    at->epoch++;
    at->last = (struct dn_epoch){
        .epoch = at->epoch,
        .step = step,
        .train_loss = at->loss_sum / (double)trainer->n,
        .val_loss = val_loss,
        .learning_rate = optimizer_learning_rate(&spec->training, step, total_steps(spec)),
        .gradient_norm = at->norm_sum / (double)dn_spec_steps_per_epoch(spec),
    };
    at->place = 0;
    at->loss_sum = at->norm_sum = 0;
    keep_best(trainer, val_loss);
    return DN_OK;
}

enum dn_status dn_trainer_step(struct dn_trainer *trainer, dn_stop_flag *stop,
                               struct dn_error *error) {
    const int64_t n = (int64_t)trainer->n;
    enum dn_status status = trainer->at.place < n ? train_batch(trainer, stop, error) : DN_OK;
    return status == DN_OK && trainer->at.place == n ? end_epoch(trainer, stop, error) : status;
}

enum dn_status dn_trainer_epoch(struct dn_trainer *trainer, dn_stop_flag *stop,
                                struct dn_epoch *result, struct dn_error *error) {
    const int before = trainer->at.epoch;
    enum dn_status status = DN_OK;
    while (status == DN_OK && trainer->at.epoch == before)
        status = dn_trainer_step(trainer, stop, error);
    if (status == DN_OK)
        *result = trainer->at.last;
    if (status == DN_DIVERGED)
        *result = (struct dn_epoch){.epoch = before + 1,
                                    .step = trainer->optimizer.steps,
                                    .train_loss = trainer->at.last_loss};
    return status;
}

struct dn_epoch dn_trainer_last_epoch(const struct dn_trainer *trainer) {
    return trainer->at.last;
}
int dn_trainer_epochs_done(const struct dn_trainer *trainer) {
    return trainer->at.epoch;
}
int64_t dn_trainer_steps_done(const struct dn_trainer *trainer) {
    return trainer->optimizer.steps;
}

const char *dn_trainer_kernels(const struct dn_trainer *trainer) {
    return trainer->network.kernels->name;
}

const struct dn_spec *dn_trainer_spec(const struct dn_trainer *trainer) {
    return &trainer->spec;
}

void dn_trainer_transform(const struct dn_trainer *trainer, double *shift, double *scale) {
    transform_write(&trainer->transform, trainer->dim, shift, scale);
}
