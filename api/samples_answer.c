/* The responses of /v1/models/{id}/samples and /trajectories: the points and their
 * description. */
#include "api/samples.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "api/contract/openapi.h"
#include "api/images/film.h"
#include "api/samples_images.h"
#include "server/base/clock.h"
#include "server/base/counters.h"
#include "server/threads/split.h"

struct run {
    struct loaded_model *loaded;
    struct dn_sample_request request;
    const char *model; /* its id */
    int epoch, evaluations, dim;
    struct sampling_guidance guidance;
    float *memory;  /* [room] a whole trajectory, or the current range of samples */
    double *values; /* [room] the same range in full precision, of a table */
    bool has_values;
    size_t room;
    int *labels; /* [n]; NULL: none */
    double seconds;
};

/* ------------------------------------------------------------------ computing */

enum dn_status sample_in_turns(const struct dn_model *model,
                               const struct dn_sample_request *request,
                               const struct dn_sample_result *result,
                               const struct http_exchange *exchange, struct dn_error *error) {
    const struct dn_breaks breaks = breaks_of(exchange);
    struct dn_sampling *sampling = NULL;
    enum dn_status status = dn_sampling_new(model, request, result, &breaks, &sampling, error);
    while (status == DN_OK && !dn_sampling_done(sampling))
        status = dn_sampling_step(sampling, error);
    dn_sampling_free(sampling);
    return status;
}

/* A request that several threads compute, each a range of points at a time. */
struct ranges {
    const struct dn_sample_request *request;
    const struct dn_model *model;
    const struct dn_sample_result *result; /* for the whole request */
    const struct http_exchange *exchange;
    pthread_mutex_t mutex;
    enum dn_status status; /* the first failure */
    struct dn_error error;
};

/* Points that one thread computes at a time: a small network takes about a millisecond for a step of
 * so many, that of images a few. */
enum { RANGE_POINTS = 250, RANGE_IMAGES = 8 };

static int range_of(const struct dn_model *model) {
    return samples_are_images(model) ? RANGE_IMAGES : RANGE_POINTS;
}

static float *offset(float *values, size_t count) {
    return values ? values + count : NULL;
}

static void sample_range(void *argument, int part) {
    struct ranges *ranges = argument;
    const int range = range_of(ranges->model);
    const int dim = dn_model_dim(ranges->model), first = part * range;
    const struct dn_sample_result *whole = ranges->result;
    struct dn_sample_request request = *ranges->request;
    const size_t at = (size_t)first * (size_t)dim;
    const int left = request.n - first;
    struct dn_sample_result result = {
        .frame_points = (size_t)request.n,
        .points = offset(whole->points, at),
        .x = offset(whole->x, at),
        .x0 = offset(whole->x0, at),
        .values = whole->values ? whole->values + at : NULL,
    };
    request.first += first;
    request.n = left < range ? left : range;
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
    const int range = range_of(run->loaded->model), parts = (request->n + range - 1) / range;
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
    free(run->memory); /* its points have been written */
    free(run->values);
    run->values = run->has_values ? malloc(values * sizeof *run->values) : NULL;
    run->memory = malloc(values * sizeof *run->memory);
    run->room = run->memory && (run->values || !run->has_values) ? values : 0;
    return run->room > 0;
}

/* For point_stream.points. */
static enum dn_status some_points(struct http_exchange *exchange, struct point_stream *answer,
                                  size_t first, size_t count, const float **points,
                                  struct dn_error *error) {
    struct run *run = answer->owner;
    struct dn_sample_request request = run->request;
    const size_t dim = (size_t)answer->layout.dim;
    if (!make_room(run, count * dim))
        return DN_NO_MEMORY;
    request.first = (int)first;
    request.n = (int)count;
    if (request.noise)
        request.noise += first * dim;
    *points = run->memory;
    answer->layout.values = run->values;
    return sample(exchange, run, &request,
                  &(struct dn_sample_result){.points = run->memory, .values = run->values}, error);
}

/* Computes all frames, into answer->x and x0. */
static enum dn_status all_frames(struct http_exchange *exchange, struct point_stream *answer) {
    struct run *run = answer->owner;
    const size_t frame = answer->layout.n * (size_t)answer->layout.dim;
    const size_t frames = (size_t)answer->layout.frames;
    if (!make_room(run, frame * (2 * frames - 1)))
        return DN_NO_MEMORY;
    struct dn_sample_result result = {.x = run->memory, .x0 = run->memory + frame * frames};
    answer->x = result.x;
    answer->x0 = result.x0;
    return sample(exchange, run, &run->request, &result, &answer->error);
}

/* ------------------------------------------------------------------ the response */

#define OF(member) offsetof(struct sampling_guidance, member)
static const struct field guidance_rows[] = {
    {"", "guidance", FIELD_NUMBER, OF(guidance), .flags = FIELD_OR_NULL,
     .doc = "null for a model without labels, and so are its limits."},
    {"", "guidance_ratio_min", FIELD_NUMBER, OF(ratio_min), .flags = FIELD_OR_NULL},
    {"", "guidance_ratio_max", FIELD_NUMBER, OF(ratio_max), .flags = FIELD_OR_NULL},
};
const struct field_set sampling_guidance_answer = ANSWER(guidance_rows);

#define AT(member) offsetof(struct run, member)
static const struct field head_rows[] = {
    {"", "model", FIELD_STRING, AT(model), .schema = "Id"},
    {"", "epoch", FIELD_INTEGER, AT(epoch)},
    {"", "seed", FIELD_UINT53, AT(request.seed)},
    {"", "sampler", FIELD_CHOICE, AT(request.sampler), .choices = dn_sampler_names},
    {"", "steps", FIELD_INTEGER, AT(request.steps), 1, INFINITY},
    {"", "evaluations", FIELD_INTEGER, AT(evaluations), 1, INFINITY,
     .doc = "Number of network evaluations per point."},
    {"", "eta", FIELD_NUMBER, AT(request.eta),
     .doc = "Share of fresh noise: 1 for ddpm, 0 for samplers that add none."},
    {"", "", FIELD_MEMBERS, AT(guidance), .set = &sampling_guidance_answer},
    {"", "n", FIELD_INTEGER, AT(request.n)},
    {"", "dim", FIELD_INTEGER, AT(dim)},
};
static const struct field_set head_set = ANSWER(head_rows);
static const struct field tail_rows[] = {
    {"", "duration_seconds", FIELD_NUMBER, AT(seconds), 0, INFINITY},
};
static const struct field_set tail_set = ANSWER(tail_rows);

/* The head and the tail are written from these rows; the points between them are streamed. */
static const struct field sample_rows[] = {
    {"", "", FIELD_MEMBERS, .set = &head_set},
    {"", "columns", FIELD_OTHER, .schema = "Names", .flags = FIELD_OPTIONAL,
     .doc = "Of a model of a table: the names of the table's columns but for the labels."},
    {"", "points", FIELD_OTHER, .schema = "TableRows",
     .doc = "The coordinates; of a model of a table, the cells of each row but for the label."},
    {"", "labels", FIELD_OTHER, .schema = "Labels"},
    {"", "classes", FIELD_OTHER, .schema = "Classes"},
    {"", "", FIELD_MEMBERS, .set = &tail_set},
};
const struct field_set samples_answer = ANSWER(sample_rows);
static const struct field trajectory_rows[] = {
    {"", "", FIELD_MEMBERS, .set = &head_set},
    {"", "timesteps", FIELD_OTHER, .schema = "Timesteps",
     .doc = "Timesteps of the frames of x from T to 0: steps + 1 of them, or fewer if thinned."},
    {"", "x", FIELD_OTHER, .schema = "Frames",
     .doc = "One frame per timestep; the first is the start noise."},
    {"", "x0", FIELD_OTHER, .schema = "Frames",
     .doc = "x0[k] is the estimate made from x[k], so there is one frame fewer."},
    {"", "labels", FIELD_OTHER, .schema = "Labels"},
    {"", "classes", FIELD_OTHER, .schema = "Classes"},
    {"", "", FIELD_MEMBERS, .set = &tail_set},
};
const struct field_set trajectories_answer = ANSWER(trajectory_rows);

static void write_head(const void *owner, struct json_writer *json) {
    fields_write_members(&head_set, "", owner, json);
}

static void write_tail(const void *owner, struct json_writer *json) {
    fields_write_members(&tail_set, "", owner, json);
}

static void run_clear(struct point_stream *answer) {
    struct run *run = answer->owner;
    free(run->memory);
    free(run->values);
    loaded_model_clear(run->loaded);
}

/* Reserves the memory for the computation. False: the error is already the response. */
static bool reserve(struct http_exchange *exchange, const struct run *run) {
    const struct dn_sample_request *request = &run->request;
    const size_t point = (size_t)run->dim * sizeof *run->memory;
    const size_t n = (size_t)request->n, frames = 2 * (size_t)request->frames;
    const size_t range = (size_t)range_of(run->loaded->model), parts = (n + range - 1) / range;
    const size_t threads = (size_t)pool_threads(service_of(exchange)->pool);
    return http_reserve(exchange, n * sizeof *run->labels + n * frames * point +
                                      (parts < threads ? parts : threads) *
                                          dn_sampling_bytes(run->loaded->model, request));
}

/* False: no memory. */
static bool make_labels(struct http_exchange *exchange, struct run *run) {
    const struct dn_sample_request *request = &run->request;
    if (dn_sample_label(run->loaded->model, request, 0) < 0)
        return true;
    run->labels = http_alloc(exchange, (size_t)request->n * sizeof *run->labels);
    for (int i = 0; run->labels && i < request->n; i++)
        run->labels[i] = dn_sample_label(run->loaded->model, request, i);
    return run->labels != NULL;
}

static struct grid_shape shape_of(const struct dn_model *model) {
    const struct dn_dataset_spec *set = &dn_model_spec(model)->dataset;
    return (struct grid_shape){set->height, set->width, set->channels};
}

/* False: the picture would be too large; the error is already the response. */
static bool picture_fits(struct http_exchange *exchange, const struct point_stream *answer) {
    return !answer->layout.shape.height || answer->format->panels == 0 ||
           film_fits(exchange, answer->format, &answer->layout, &answer->look);
}

void sampling_answer(struct http_exchange *exchange) {
    const struct sampling *sampling = exchange->state;
    struct loaded_model *loaded = sampling->loaded;
    struct run *run = http_alloc(exchange, sizeof *run);
    struct point_stream *answer = http_alloc(exchange, sizeof *answer);
    const struct dn_model *model = loaded->model;
    const struct dn_sample_request *request = &sampling->request;
    if (run)
        *run = (struct run){.loaded = loaded,
                            .request = *request,
                            .model = loaded->row.id,
                            .epoch = dn_model_epoch(model),
                            .evaluations = dn_sample_evaluations(model, request),
                            .dim = dn_model_dim(model),
                            .has_values = sampling->form && !sampling->is_trajectory,
                            .guidance = sampling_guidance_of(model, request)};
    if (!run || !answer || !reserve(exchange, run) || !make_labels(exchange, run)) {
        loaded_model_clear(loaded);
        return;
    }
    *answer = (struct point_stream){
        .format = sampling->format,
        .layout = {.n = (size_t)request->n,
                   .dim = run->dim,
                   .labels = run->labels,
                   .classes = sampling->classes,
                   .columns = sampling->columns,
                   .form = sampling->is_trajectory ? NULL : sampling->form,
                   .known = sampling->known,
                   .draws = request->draws,
                   .shape = shape_of(model),
                   .is_bytes = sampling->dtype == 1 && samples_are_images(model),
                   .frames = request->frames,
                   .timesteps = sampling->timesteps,
                   .which_x0 = sampling->which == 1,
                   .head = write_head,
                   .tail = write_tail,
                   .owner = run},
        .title = http_format(exchange, "%d samples at epoch %d", request->n, run->epoch),
        .look = sampling->look,
        .axes = sampling->axes,
        .points = some_points,
        .clear = run_clear,
        .owner = run,
    };
    if (!picture_fits(exchange, answer)) {
        run_clear(answer);
        return;
    }
    enum dn_status status = sampling->is_trajectory ? all_frames(exchange, answer) : DN_OK;
    answer->held = run->room * (sizeof *run->memory + run->has_values * sizeof *run->values);
    if (status == DN_OK) {
        point_stream_send(exchange, answer);
    } else {
        point_stream_failure(exchange, status, answer->error.text);
        run_clear(answer);
    }
}
