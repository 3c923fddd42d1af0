/* /v1/models/{id}/samples and /trajectories: the points, and what is said about them. */
#include "api/samples.h"

#include <pthread.h>
#include <stdlib.h>

#include "server/base/clock.h"
#include "server/base/counters.h"
#include "server/threads/split.h"

/* A request that is being answered. */
struct run {
    const struct sampling *sampling;
    struct loaded_model *loaded;
    float *memory; /* all of a trajectory, or the points in hand of samples.. */
    size_t room;   /* ..so many numbers */
    int *labels;   /* [n]; NULL: none */
    double seconds;
};

/* ------------------------------------------------------------------ computing */

enum dn_status sample_in_turns(const struct dn_model *model,
                               const struct dn_sample_request *request,
                               const struct dn_sample_result *result,
                               const struct http_exchange *exchange, struct dn_error *error) {
    struct dn_sampling *sampling = NULL;
    enum dn_status status = dn_sampling_new(model, request, result, &sampling, error);
    while (status == DN_OK && !dn_sampling_done(sampling)) {
        pool_pause();
        if (http_is_stopping(exchange))
            status = DN_STOPPED;
        else
            status = dn_sampling_step(sampling, error);
    }
    dn_sampling_free(sampling);
    return status;
}

/* A request that is computed in ranges of points, which several threads take in turn. */
struct ranges {
    const struct dn_sample_request *request;
    const struct dn_model *model;
    const struct dn_sample_result *result; /* of the whole request */
    const struct http_exchange *exchange;
    pthread_mutex_t mutex;
    enum dn_status status; /* the first failure */
    struct dn_error error;
};

enum { RANGE = 250 }; /* points: about a millisecond of work for a small network */

static float *offset(float *values, size_t count) {
    return values ? values + count : NULL;
}

static void sample_range(void *argument, int part) {
    struct ranges *ranges = argument;
    const int dim = dn_model_dim(ranges->model), first = part * RANGE;
    const struct dn_sample_result *whole = ranges->result;
    struct dn_sample_request request = *ranges->request;
    const size_t at = (size_t)first * (size_t)dim;
    const int left = request.n - first;
    struct dn_sample_result result = {
        .frame_points = (size_t)request.n,
        .points = offset(whole->points, at),
        .x = offset(whole->x, at),
        .x0 = offset(whole->x0, at),
    };
    request.first += first;
    request.n = left < RANGE ? left : RANGE;
    if (request.noise)
        request.noise += at;
    struct dn_error error = {""};
    enum dn_status status =
        sample_in_turns(ranges->model, &request, &result, ranges->exchange, &error);
    pthread_mutex_lock(&ranges->mutex);
    if (status != DN_OK && ranges->status == DN_OK) {
        ranges->status = status;
        ranges->error = error;
    }
    pthread_mutex_unlock(&ranges->mutex);
}

static enum dn_status sample(struct http_exchange *exchange, struct run *run,
                             const struct dn_sample_request *request,
                             const struct dn_sample_result *result, struct dn_error *error) {
    const double started = clock_monotonic();
    struct ranges ranges = {.request = request,
                            .model = run->loaded->model,
                            .result = result,
                            .exchange = exchange,
                            .mutex = PTHREAD_MUTEX_INITIALIZER};
    const int parts = (request->n + RANGE - 1) / RANGE;
    split_run(service_of(exchange)->pool, parts, sample_range, &ranges);
    pthread_mutex_destroy(&ranges.mutex);
    *error = ranges.error;
    const double seconds = clock_monotonic() - started;
    counters_add_samples(request->sampler, (uint64_t)request->n, seconds);
    run->seconds += seconds;
    return ranges.status;
}

static bool make_room(struct run *run, size_t values) {
    if (values <= run->room)
        return true;
    free(run->memory); /* what is in it has been written */
    run->memory = malloc(values * sizeof *run->memory);
    run->room = run->memory ? values : 0;
    return run->memory != NULL;
}

/* For answer.points: some of the samples. */
static enum dn_status some_points(struct http_exchange *exchange, struct point_stream *answer,
                                  size_t first, size_t count, const float **points,
                                  struct dn_error *error) {
    struct run *run = answer->owner;
    struct dn_sample_request request = run->sampling->request;
    const size_t dim = (size_t)answer->layout.dim;
    if (!make_room(run, count * dim))
        return DN_NO_MEMORY;
    request.first = (int)first;
    request.n = (int)count;
    if (request.noise)
        request.noise += first * dim;
    *points = run->memory;
    return sample(exchange, run, &request, &(struct dn_sample_result){.points = run->memory},
                  error);
}

/* All frames, into answer->x and x0. */
static enum dn_status all_frames(struct http_exchange *exchange, struct point_stream *answer) {
    struct run *run = answer->owner;
    const size_t frame = answer->layout.n * (size_t)answer->layout.dim;
    const size_t frames = (size_t)answer->layout.frames;
    if (!make_room(run, frame * (2 * frames - 1)))
        return DN_NO_MEMORY;
    struct dn_sample_result result = {.x = run->memory, .x0 = run->memory + frame * frames};
    answer->x = result.x;
    answer->x0 = result.x0;
    return sample(exchange, run, &run->sampling->request, &result, &answer->error);
}

/* ------------------------------------------------------------------ the answer */

static void write_head(const void *owner, struct json_writer *json) {
    const struct run *run = owner;
    const struct sampling *sampling = run->sampling;
    json_member(json, "model", run->loaded->row.id);
    json_key(json, "epoch");
    json_integer(json, dn_model_epoch(run->loaded->model));
    json_key(json, "seed");
    json_integer(json, (int64_t)sampling->request.seed);
    json_member(json, "sampler", dn_sampler_names[sampling->request.sampler]);
    json_key(json, "steps");
    json_integer(json, sampling->request.steps);
    json_key(json, "evaluations");
    json_integer(json, dn_sample_evaluations(run->loaded->model, &sampling->request));
    json_key(json, "eta");
    json_double(json, sampling->request.eta);
    json_key(json, "guidance");
    if (dn_model_spec(run->loaded->model)->dataset.classes > 0)
        json_double(json, sampling->request.guidance);
    else
        json_null(json);
    json_key(json, "n");
    json_integer(json, sampling->request.n);
    json_key(json, "dim");
    json_integer(json, dn_model_dim(run->loaded->model));
}

static void write_tail(const void *owner, struct json_writer *json) {
    const struct run *run = owner;
    json_key(json, "duration_seconds");
    json_double(json, run->seconds);
}

static void run_clear(struct point_stream *answer) {
    struct run *run = answer->owner;
    free(run->memory);
    loaded_model_clear(run->loaded);
}

/* Takes from the budget of answers what the computing needs, before it begins. False: the error is
 * already the answer. */
static bool reserve(struct http_exchange *exchange, const struct run *run) {
    const struct sampling *sampling = run->sampling;
    const struct dn_sample_request *request = &sampling->request;
    const size_t point = (size_t)dn_model_dim(run->loaded->model) * sizeof *run->memory;
    const size_t n = (size_t)request->n, frames = 2 * (size_t)request->frames;
    const size_t parts = (n + RANGE - 1) / RANGE;
    const size_t threads = (size_t)pool_threads(service_of(exchange)->pool);
    return http_reserve(exchange, n * sizeof *run->labels +
                                      (sampling->is_trajectory ? n * frames * point : 0) +
                                      (parts < threads ? parts : threads) *
                                          dn_sampling_bytes(run->loaded->model, request));
}

/* False: no memory. */
static bool make_labels(struct http_exchange *exchange, struct run *run) {
    const struct dn_sample_request *request = &run->sampling->request;
    if (dn_sample_label(run->loaded->model, request, 0) < 0)
        return true;
    run->labels = http_alloc(exchange, (size_t)request->n * sizeof *run->labels);
    for (int i = 0; run->labels && i < request->n; i++)
        run->labels[i] = dn_sample_label(run->loaded->model, request, i);
    return run->labels != NULL;
}

void sampling_answer(struct http_exchange *exchange) {
    const struct sampling *sampling = exchange->state;
    struct loaded_model *loaded = sampling->loaded;
    struct run *run = http_alloc(exchange, sizeof *run);
    struct point_stream *answer = http_alloc(exchange, sizeof *answer);
    if (run)
        *run = (struct run){.sampling = sampling, .loaded = loaded};
    if (run && answer && !reserve(exchange, run)) {
        loaded_model_clear(loaded);
        return;
    }
    if (!run || !answer || !make_labels(exchange, run)) {
        loaded_model_clear(loaded);
        problem(exchange, PROBLEM_NO_MEMORY, "out of memory");
        return;
    }
    *answer = (struct point_stream){
        .format = sampling->format,
        .layout = {.n = (size_t)sampling->request.n,
                   .dim = dn_model_dim(loaded->model),
                   .labels = run->labels,
                   .classes = sampling->classes,
                   .frames = sampling->is_trajectory ? sampling->request.frames : 0,
                   .timesteps = sampling->timesteps,
                   .which_x0 = sampling->which == 1,
                   .head = write_head,
                   .tail = write_tail,
                   .owner = run},
        .title = http_format(exchange, "%d samples at epoch %d", sampling->request.n,
                             dn_model_epoch(loaded->model)),
        .look = sampling->look,
        .points = some_points,
        .clear = run_clear,
        .owner = run,
    };
    enum dn_status status = sampling->is_trajectory ? all_frames(exchange, answer) : DN_OK;
    answer->held = run->room * sizeof *run->memory;
    if (status == DN_OK) {
        point_stream_send(exchange, answer);
    } else {
        point_stream_failure(exchange, status, answer->error.text);
        run_clear(answer);
    }
}
