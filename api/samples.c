/* /v1/models/{id}/samples and /trajectories: points drawn from a model, computed on the pool. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/format/formats.h"
#include "api/handlers.h"
#include "api/models.h"
#include "api/openapi.h"
#include "server/id.h"
#include "server/split.h"

enum {
    SAMPLES_DEFAULT = 1000,
    NOISE_MOST_VALUES = 400000,       /* of a JSON body */
    TRAJECTORY_MOST_VALUES = 8000000, /* in an answer */
};

struct sampling {
    struct dn_sample_request request;
    int noise_dim; /* columns of request.noise, if given */
    bool is_trajectory;
    const struct format *format;
    int which;      /* of a trajectory: index into which_names */
    int *timesteps; /* of a trajectory: [request.frames] */
};

static const char *const which_names[] = {"x", "x0", NULL};

#define AT(member) offsetof(struct sampling, request.member)
static const struct field rows[] = {
    {"", "n", FIELD_INTEGER, AT(n), 1, DN_MAX_SAMPLES, 0, NULL, "Points to draw."},
    {"", "seed", FIELD_SEED, AT(seed), 0, 0, 0, NULL,
     "Of the start noise and the noise on the way."},
    {"", "sampler", FIELD_CHOICE, AT(sampler), 0, 0, 0, dn_sampler_names,
     "How to go back in time."},
    {"", "clip", FIELD_BOOLEAN, AT(clip), 0, 0, 0, NULL,
     "Clip the estimate of x0 to the range of the data."},
    {"", "noise", FIELD_OTHER, 0, 0, 0, 0, NULL,
     "Start points [n][dim] in data units instead of the seed's (JSON body only)."},
    /* of trajectories only */
    {"", "which", FIELD_CHOICE, offsetof(struct sampling, which), 0, 0, 0, which_names,
     "The array that a format for one array (npy, txt) holds."},
    {"", "frames", FIELD_INTEGER, AT(frames), 2, DN_MAX_TIMESTEPS + 1, 0, NULL,
     "Keep at most so many frames, evenly spaced, with the first and the last."},
};
const struct field_set sample_fields = {rows, sizeof rows / sizeof rows[0] - 2};
const struct field_set trajectory_fields = {rows, sizeof rows / sizeof rows[0]};

static const struct field_set *fields_of(const struct sampling *sampling) {
    return sampling->is_trajectory ? &trajectory_fields : &sample_fields;
}

/* ------------------------------------------------------------------ the request */

static bool read_row(const cJSON *row, int dim, float *out) {
    if (!cJSON_IsArray(row) || cJSON_GetArraySize(row) != dim)
        return false;
    for (const cJSON *value = row->child; value; value = value->next, out++) {
        *out = cJSON_IsNumber(value) ? (float)value->valuedouble : NAN;
        if (!isfinite(*out))
            return false;
    }
    return true;
}

static void read_noise(struct http_exchange *exchange, const cJSON *body, struct sampling *sampling,
                       struct problem_fields *wrong) {
    const cJSON *noise = cJSON_GetObjectItemCaseSensitive(body, "noise");
    if (!noise)
        return;
    const int n = cJSON_GetArraySize(noise);
    const int dim = n > 0 ? cJSON_GetArraySize(noise->child) : 0;
    if (!cJSON_IsArray(noise) || n > DN_MAX_SAMPLES || dim < 1 || dim > DN_MAX_DIM) {
        problem_add(wrong, "/noise", "must be an array of 1 to %d points, each an array of numbers",
                    DN_MAX_SAMPLES);
        return;
    }
    if (cJSON_GetObjectItemCaseSensitive(body, "n") && sampling->request.n != n)
        problem_add(wrong, "/n", "is %d, but noise has %d points", sampling->request.n, n);
    float *points = http_alloc(exchange, (size_t)n * (size_t)dim * sizeof *points);
    if (!points) {
        problem_add(wrong, "/noise", "not enough memory");
        return;
    }
    int i = 0;
    for (const cJSON *row = noise->child; row; row = row->next, i++)
        if (!read_row(row, dim, points + (size_t)i * (size_t)dim)) {
            problem_add(wrong, http_format(exchange, "/noise/%d", i),
                        "must be an array of %d finite numbers", dim);
            return;
        }
    sampling->request.noise = points;
    sampling->request.n = n;
    sampling->noise_dim = dim;
}

static bool read_body(struct http_exchange *exchange, struct sampling *sampling) {
    cJSON *body = json_body(exchange, NOISE_MOST_VALUES);
    if (!body)
        return false;
    struct problem_fields wrong = {.arena = http_arena(exchange)};
    if (cJSON_IsObject(body)) {
        fields_read(fields_of(sampling), "", body, sampling, &wrong);
        read_noise(exchange, body, sampling, &wrong);
    } else {
        problem_add(&wrong, "", "must be a JSON object");
    }
    cJSON_Delete(body);
    if (wrong.count > 0)
        problem_send(exchange, &wrong);
    return wrong.count == 0;
}

/* The frames that are kept, and their timesteps. */
static bool choose_frames(struct http_exchange *exchange, struct sampling *sampling,
                          int timesteps) {
    int *frames = &sampling->request.frames;
    if (*frames == 0 || *frames > timesteps + 1)
        *frames = timesteps + 1;
    sampling->timesteps = http_alloc(exchange, (size_t)*frames * sizeof *sampling->timesteps);
    for (int k = 0; sampling->timesteps && k < *frames; k++)
        sampling->timesteps[k] = timesteps - dn_frame_step(k, *frames, timesteps);
    if (!sampling->timesteps)
        problem(exchange, 503, "no_memory", "out of memory");
    return sampling->timesteps != NULL;
}

/* What only the model can tell. */
static bool fits_model(struct http_exchange *exchange, struct sampling *sampling,
                       const struct dn_model *model) {
    struct problem_fields wrong = {.arena = http_arena(exchange)};
    const int dim = dn_model_dim(model);
    if (sampling->is_trajectory &&
        !choose_frames(exchange, sampling, dn_model_spec(model)->diffusion.timesteps))
        return false;
    if (sampling->request.noise && sampling->noise_dim != dim)
        problem_add(&wrong, "/noise", "has %d coordinates, but the model has %d",
                    sampling->noise_dim, dim);
    const int arrays = 2 * sampling->request.frames - 1; /* [n][dim] each, in x and x0 */
    const int64_t values = (int64_t)sampling->request.n * arrays * dim;
    if (sampling->is_trajectory && values > TRAJECTORY_MOST_VALUES)
        problem_add(&wrong, "/n",
                    "%d points in %d frames would make an answer of %lld numbers; at most %d are "
                    "given, which is n = %d here, or fewer frames",
                    sampling->request.n, sampling->request.frames, (long long)values,
                    TRAJECTORY_MOST_VALUES, TRAJECTORY_MOST_VALUES / (arrays * dim));
    if (wrong.count > 0)
        problem_send(exchange, &wrong);
    return wrong.count == 0;
}

/* ------------------------------------------------------------------ the answer */

static void write_head(const struct sampling *sampling, const struct loaded_model *loaded,
                       struct json_writer *json) {
    json_open(json, '{');
    json_key(json, "model");
    json_string(json, loaded->row.id);
    json_key(json, "epoch");
    json_integer(json, loaded->row.epoch);
    json_key(json, "seed");
    json_integer(json, (int64_t)sampling->request.seed);
    json_key(json, "sampler");
    json_string(json, dn_sampler_names[sampling->request.sampler]);
    json_key(json, "steps");
    json_integer(json, dn_model_spec(loaded->model)->diffusion.timesteps);
    json_key(json, "n");
    json_integer(json, sampling->request.n);
    json_key(json, "dim");
    json_integer(json, dn_model_dim(loaded->model));
}

static void write_frames(const char *key, const float *frames, int count, size_t n, int dim,
                         struct json_writer *json) {
    json_key(json, key);
    json_open(json, '[');
    for (int i = 0; i < count; i++)
        json_points(json, frames + (size_t)i * n * (size_t)dim, n, dim);
    json_close(json, ']');
}

static void write_formatted(const struct sampling *sampling, const struct loaded_model *loaded,
                            const struct dn_sample_result *result, struct http_exchange *exchange) {
    struct buffer *out = &exchange->response.body;
    exchange->response.status = 200;
    exchange->response.content_type = sampling->format->media_type;
    if (sampling->is_trajectory)
        sampling->format->trajectory(out, &(struct trajectory){
                                              .x = result->x,
                                              .x0 = result->x0,
                                              .n = (size_t)sampling->request.n,
                                              .dim = dn_model_dim(loaded->model),
                                              .timesteps = sampling->timesteps,
                                              .frames = sampling->request.frames,
                                              .which_x0 = sampling->which == 1,
                                          });
    else
        sampling->format->points(out,
                                 &(struct point_set){
                                     .points = result->points,
                                     .n = (size_t)sampling->request.n,
                                     .dim = dn_model_dim(loaded->model),
                                     .title = http_format(exchange, "%d samples at epoch %d",
                                                          sampling->request.n, loaded->row.epoch),
                                 });
}

static void write_result(const struct sampling *sampling, const struct loaded_model *loaded,
                         const struct dn_sample_result *result, double seconds,
                         struct http_exchange *exchange) {
    const size_t n = (size_t)sampling->request.n;
    const int dim = dn_model_dim(loaded->model);
    const int frames = sampling->request.frames;
    if (!format_is_json(sampling->format)) {
        write_formatted(sampling, loaded, result, exchange);
        return;
    }
    struct json_writer json = json_reply(exchange, 200);
    write_head(sampling, loaded, &json);
    if (sampling->is_trajectory) {
        json_key(&json, "timesteps");
        json_open(&json, '[');
        for (int k = 0; k < frames; k++)
            json_integer(&json, sampling->timesteps[k]);
        json_close(&json, ']');
        write_frames("x", result->x, frames, n, dim, &json);
        write_frames("x0", result->x0, frames - 1, n, dim, &json);
    } else {
        json_key(&json, "points");
        json_points(&json, result->points, n, dim);
    }
    json_key(&json, "labels");
    json_null(&json);
    json_key(&json, "duration_seconds");
    json_double(&json, seconds);
    json_close(&json, '}');
}

/* A request that is computed in ranges of points, which several threads take in turn. */
struct ranges {
    const struct sampling *sampling;
    const struct dn_model *model;
    const struct dn_sample_result *result; /* of the whole request */
    dn_stop_flag *stop;
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
    struct dn_sample_request request = ranges->sampling->request;
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
    struct dn_error error;
    enum dn_status status = dn_sample(ranges->model, &request, &result, ranges->stop, &error);
    pthread_mutex_lock(&ranges->mutex);
    if (status != DN_OK && ranges->status == DN_OK) {
        ranges->status = status;
        ranges->error = error;
    }
    pthread_mutex_unlock(&ranges->mutex);
}

static enum dn_status sample_in_ranges(struct http_exchange *exchange, const struct dn_model *model,
                                       const struct dn_sample_result *result,
                                       struct dn_error *error) {
    const struct sampling *sampling = exchange->state;
    struct ranges ranges = {.sampling = sampling,
                            .model = model,
                            .result = result,
                            .stop = &exchange->stopping,
                            .mutex = PTHREAD_MUTEX_INITIALIZER};
    int parts = (sampling->request.n + RANGE - 1) / RANGE;
    split_run(service_of(exchange)->pool, parts, sample_range, &ranges);
    pthread_mutex_destroy(&ranges.mutex);
    *error = ranges.error;
    return ranges.status;
}

static void sample(struct http_exchange *exchange, const struct loaded_model *loaded) {
    const struct sampling *sampling = exchange->state;
    const size_t values = (size_t)sampling->request.n * (size_t)dn_model_dim(loaded->model);
    const size_t frames = (size_t)sampling->request.frames;
    const size_t wanted = sampling->is_trajectory ? values * (2 * frames - 1) : values;
    float *memory = malloc(wanted * sizeof *memory);
    if (!memory) {
        problem(exchange, 503, "no_memory", "not enough memory for so many points");
        return;
    }
    struct dn_sample_result result =
        sampling->is_trajectory
            ? (struct dn_sample_result){.x = memory, .x0 = memory + values * frames}
            : (struct dn_sample_result){.points = memory};
    struct dn_error error;
    double started = clock_monotonic();
    enum dn_status status = sample_in_ranges(exchange, loaded->model, &result, &error);
    if (status == DN_OK)
        write_result(sampling, loaded, &result, clock_monotonic() - started, exchange);
    else if (status == DN_STOPPED)
        problem(exchange, 503, "stopping", "the server is stopping");
    else if (status == DN_NO_MEMORY)
        problem(exchange, 503, "no_memory", "not enough memory for so many points");
    else
        problem(exchange, 422, "cannot_sample", error.text);
    free(memory);
}

static void sample_on_pool(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    struct loaded_model loaded = {0};
    if (!load_model(exchange, &loaded))
        return;
    if (fits_model(exchange, exchange->state, loaded.model))
        sample(exchange, &loaded);
    loaded_model_clear(&loaded);
}

static enum http_next start(struct http_exchange *exchange, bool is_trajectory) {
    struct sampling *sampling = http_alloc(exchange, sizeof *sampling);
    if (!sampling) {
        problem(exchange, 503, "no_memory", "out of memory");
        return HTTP_REPLY;
    }
    sampling->request = (struct dn_sample_request){.n = SAMPLES_DEFAULT, .clip = true};
    sampling->is_trajectory = is_trajectory;
    exchange->state = sampling;
    bool is_post = strcmp(exchange->request.method, "POST") == 0;
    sampling->format = format_of(exchange);
    if (!sampling->format || !path_id(exchange, "model"))
        return HTTP_REPLY;
    if (is_post ? !no_query(exchange) || !read_body(exchange, sampling)
                : !read_query(exchange, fields_of(sampling), sampling))
        return HTTP_REPLY;
    return http_on_pool(exchange, sample_on_pool);
}

enum http_next api_samples(struct http_exchange *exchange) {
    return start(exchange, false);
}

enum http_next api_trajectories(struct http_exchange *exchange) {
    return start(exchange, true);
}
