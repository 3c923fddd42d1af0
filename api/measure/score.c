/* /v1/models/{id}/score: how likely a model finds points. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/contract/caching.h"
#include "api/contract/openapi.h"
#include "api/format/point_stream.h"
#include "api/format/table.h"
#include "api/measure/score_rows.h"
#include "api/samples.h"
#include "api/spec/cost.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/threads/split.h"
#include "server/threads/writer.h"

enum {
    HELD_OUT_MOST = 1000, /* rows that percentiles are counted among */
    RANGE = 100,          /* points that a thread takes at a time */
};

enum units { UNITS_MODEL, UNITS_DATA };
static const char *const unit_names[] = {"model", "data", NULL};

/* The result for a point. */
struct score_row {
    double log_density, percentile;
};

struct scoring {
    struct sampling_points points;
    struct score_rows rows; /* instead, until the model is known */
    char label[LABEL_TEXT + 1];
    int class; /* -1: none */
    int steps;
    enum units units;
    bool percentiles;
    int epoch;    /* 0: the current model */
    bool is_file; /* the body is CSV */
    bool is_unread;
    const struct format *format;
    struct loaded_model loaded;
    const char *class_name; /* NULL: none */
    double *held_out;       /* [held_out_count] log-densities in model units, sorted; from malloc */
    int held_out_count;
    struct dn_data data; /* while the held-out rows are scored */
    double *log_density; /* [points.n] in the arena */
    double *percentile;  /* the same; NULL: there are no held-out rows */
};

#define AT(member) offsetof(struct scoring, member)
static const struct field rows[] = {
    {"", "points", FIELD_OTHER, 0, 0, 0, 0, NULL,
     "The points [n][dim] in data units, as in a data set of the model; or rows of the model's "
     "table: objects of cells by the names of the columns, or arrays in the order of columns, of "
     "which at least one has a text or a truth. null is a missing value, for models with the "
     "normalization quantile. The class may be a cell of the objects."},
    {"", "label", FIELD_TEXT, AT(label), 1, LABEL_TEXT, FIELD_OR_NUMBER, NULL,
     "Only for models with labels: the name of a class, whose density is used. Without label and "
     "class, it is the density of all classes together, which needs a model trained with p_uncond "
     "above 0."},
    {"", "class", FIELD_INTEGER, AT(class), 0, DN_MAX_CLASSES - 1, 0, NULL,
     "Instead of label: the index of the class in classes, counted from 0."},
    {"", "steps", FIELD_INTEGER, AT(steps), 1, DN_MAX_TIMESTEPS, 0, NULL,
     "Maximum number of steps from the data to noise, at most the model's number of timesteps. "
     "Default: 64, or the number of timesteps if there are fewer. The error falls with its third "
     "power."},
    {"", "units", FIELD_CHOICE, AT(units), 0, 0, 0, unit_names,
     "Units of length of the density: those that the model sees (the default), in which models of "
     "differently scaled data can be compared, or those of the data. They differ by a constant."},
    {"", "percentiles", FIELD_BOOLEAN, AT(percentiles), 0, 0, 0, NULL,
     "Also find the place of each point among the held-out rows (the default). The first request "
     "for a model takes longer, because it scores these rows."},
    EPOCH_ROW(AT(epoch)),
};
const struct field_set score_fields = {rows, sizeof rows / sizeof rows[0]};

/* ------------------------------------------------------------------ computing */

/* A computation that several threads share. */
struct ranges {
    const struct http_exchange *exchange;
    const struct dn_model *model;
    const struct dn_score_request *request;
    double *log_density;
    pthread_mutex_t mutex;
    enum dn_status status; /* of the first failing range */
    int failed;
    struct dn_error error;
};

static void score_range(void *argument, int part) {
    struct ranges *ranges = argument;
    struct dn_score_request request = *ranges->request;
    const int first = part * RANGE, left = request.n - first;
    const struct dn_breaks breaks = breaks_of(ranges->exchange);
    struct dn_error error = {""};
    request.points += (size_t)first * (size_t)dn_model_dim(ranges->model);
    request.n = left < RANGE ? left : RANGE;
    enum dn_status status =
        dn_score(ranges->model, &request, ranges->log_density + first, &breaks, &error);
    pthread_mutex_lock(&ranges->mutex);
    if (status != DN_OK && (ranges->status == DN_OK || part < ranges->failed)) {
        ranges->status = status;
        ranges->failed = part;
        ranges->error = error;
    }
    pthread_mutex_unlock(&ranges->mutex);
}

static struct dn_score_request request_of(const struct scoring *scoring, const double *points,
                                          int n) {
    return (struct dn_score_request){points, n, scoring->class, scoring->steps};
}

/* Writes log_density [n]; the result does not depend on the threads. */
static enum dn_status score(struct http_exchange *exchange, const double *points, int n,
                            double *log_density, struct dn_error *error) {
    const struct scoring *scoring = exchange->state;
    const struct dn_score_request request = request_of(scoring, points, n);
    struct ranges ranges = {.exchange = exchange,
                            .model = scoring->loaded.model,
                            .request = &request,
                            .log_density = log_density,
                            .mutex = PTHREAD_MUTEX_INITIALIZER};
    split_run(service_of(exchange)->pool, (n + RANGE - 1) / RANGE, score_range, &ranges);
    pthread_mutex_destroy(&ranges.mutex);
    *error = ranges.error;
    return ranges.status;
}

/* ------------------------------------------------------------------ held-out rows */

/* Everything that their log-densities depend on besides the model's id and epoch. */
static const char *key_of(struct http_exchange *exchange) {
    const struct scoring *scoring = exchange->state;
    const struct model *row = &scoring->loaded.row;
    const char *program = program_of(exchange);
    return program ? http_format(exchange, "score %s %lld %s class=%d steps=%d", program,
                                 (long long)row->updated_at, row->variant, scoring->class,
                                 scoring->steps)
                   : NULL;
}

static bool read_numbers(const cJSON *array, double **numbers, int *count) {
    const int n = cJSON_GetArraySize(array);
    *numbers = malloc(((size_t)n + 1) * sizeof **numbers);
    if (!*numbers)
        return false;
    *count = 0;
    for (const cJSON *item = array->child; item && *count < n; item = item->next)
        (*numbers)[(*count)++] = item->valuedouble;
    return true;
}

/* Takes them from an earlier request. False: there are none, and maybe the response is an error. */
static bool find_held_out(struct http_exchange *exchange) {
    struct scoring *scoring = exchange->state;
    const char *key = key_of(exchange);
    struct store_session *session = key ? begin_reading(exchange) : NULL;
    char *text = NULL;
    if (!session)
        return false;
    store_evaluation_get(session, scoring->loaded.row.id, scoring->loaded.row.epoch, key, &text);
    end_reading(exchange, session);
    cJSON *array = text ? json_read(text, strlen(text), HELD_OUT_MOST + 1, http_arena(exchange),
                                    (char[100]){""}, 100)
                        : NULL;
    const bool found = array && read_numbers(array, &scoring->held_out, &scoring->held_out_count);
    cJSON_Delete(array);
    free(text);
    return found;
}

struct keeping {
    const struct model *row;
    const char *key, *text;
};

static enum store_status keep(void *argument, struct store_session *session) {
    const struct keeping *keeping = argument;
    return store_evaluation_keep(session, keeping->row, keeping->key, keeping->text, NULL);
}

/* What cannot be stored is computed again by the next request. */
static void keep_held_out(struct http_exchange *exchange) {
    const struct scoring *scoring = exchange->state;
    struct buffer text = {0};
    struct json_writer json = {.out = &text};
    json_numbers(&json, scoring->held_out, scoring->held_out_count);
    struct keeping keeping = {&scoring->loaded.row, key_of(exchange), NULL};
    keeping.text = keep_text(exchange, &text);
    if (!keeping.key || !keeping.text || http_is_stopping(exchange))
        return;
    pool_step_out();
    const enum store_status status = writer_do(service_of(exchange)->writer, keep, &keeping);
    pool_step_in();
    if (status != STORE_OK)
        log_line(LOG_INFO, "scores of held-out rows were not kept", "model=%s",
                 scoring->loaded.row.id);
}

static int compare_doubles(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Evenly spaced validation rows, of the requested class if there is one, into points [HELD_OUT_MOST]
 * [dim]; returns how many. Fewer if they would cost more than a request may. */
static int choose_held_out(struct http_exchange *exchange, double *points) {
    const struct scoring *scoring = exchange->state;
    const struct dn_data *data = &scoring->data;
    const size_t dim = (size_t)data->dim;
    const struct dn_score_request request = request_of(scoring, points, 1);
    const double affordable =
        service_of(exchange)->max_sample_cost / dn_score_flops(scoring->loaded.model, &request);
    size_t all = 0, passed = 0,
           most = affordable < HELD_OUT_MOST ? (size_t)affordable : HELD_OUT_MOST;
    int count = 0;
    for (size_t i = data->n; i < data->n + data->n_val; i++)
        all += scoring->class < 0 || data->labels[i] == scoring->class;
    if (most > all)
        most = all;
    for (size_t i = data->n; i < data->n + data->n_val && most > 0; i++) {
        if (scoring->class >= 0 && data->labels[i] != scoring->class)
            continue;
        if (passed++ * most / all < (size_t)count) /* the next one comes later */
            continue;
        for (size_t e = i * dim; e < (i + 1) * dim; e++)
            *points++ = data->values ? data->values[e] : (double)data->points[e];
        count++;
    }
    return count;
}

/* Scores the rows that training did not see. False: the error is already the response. */
static bool score_held_out(struct http_exchange *exchange) {
    struct scoring *scoring = exchange->state;
    struct dn_error error = {""};
    bool is_gone = false;
    if (!load_training_data(exchange, &scoring->loaded.row, &scoring->data, &is_gone))
        return is_gone;
    double *points = malloc(HELD_OUT_MOST * (size_t)scoring->data.dim * sizeof *points);
    scoring->held_out = malloc(HELD_OUT_MOST * sizeof *scoring->held_out);
    enum dn_status status = points && scoring->held_out ? DN_OK : DN_NO_MEMORY;
    const int n = status == DN_OK ? choose_held_out(exchange, points) : 0;
    if (n > 0)
        status = score(exchange, points, n, scoring->held_out, &error);
    free(points);
    dn_data_clear(&scoring->data);
    if (status != DN_OK) {
        point_stream_failure(exchange, status, error.text);
        return false;
    }
    scoring->held_out_count = n;
    qsort(scoring->held_out, (size_t)n, sizeof *scoring->held_out, compare_doubles);
    keep_held_out(exchange);
    return true;
}

/* Percent of the sorted values [n] that are below; half of those that are equal. */
static double percentile_of(double value, const double *sorted, int n) {
    int below[2];
    for (int equal = 0; equal < 2; equal++) {
        int low = 0, high = n;
        while (low < high) {
            const int middle = low + (high - low) / 2;
            if (sorted[middle] < value || (equal && sorted[middle] == value))
                low = middle + 1;
            else
                high = middle;
        }
        below[equal] = low;
    }
    return 50.0 * (below[0] + below[1]) / n;
}

/* ------------------------------------------------------------------ the response */

struct answer {
    const char *model, *label;
    int epoch, n, dim, held_out;
    enum units units;
    double seconds;
    const struct scoring *scoring;
};

static void write_log_density(const void *value, struct json_writer *json) {
    const struct scoring *scoring = ((const struct answer *)value)->scoring;
    json_numbers(json, scoring->log_density, scoring->points.n);
}

static void write_percentile(const void *value, struct json_writer *json) {
    const struct scoring *scoring = ((const struct answer *)value)->scoring;
    if (scoring->percentile)
        json_numbers(json, scoring->percentile, scoring->points.n);
    else
        json_null(json);
}

#define OF(member) offsetof(struct answer, member)
static const struct field answer_rows[] = {
    {"", "model", FIELD_STRING, OF(model), .schema = "Id"},
    {"", "epoch", FIELD_INTEGER, OF(epoch)},
    {"", "label", FIELD_STRING, OF(label), .flags = FIELD_OR_NULL,
     .doc = "The class whose density it is; null: the density of all points."},
    {"", "units", FIELD_CHOICE, OF(units), .choices = unit_names},
    {"", "n", FIELD_INTEGER, OF(n)},
    {"", "dim", FIELD_INTEGER, OF(dim)},
    {"", "log_density", FIELD_WRITTEN, .schema = "Numbers", .write = write_log_density,
     .doc = "The natural logarithm of the density at each point, by the probability-flow ODE with "
            "the exact divergence. It is the density of the data with the noise of the first "
            "timestep. With the normalization quantile, it is in the units of the normal scores: "
            "values that repeat, such as categories, count with their probability, by the middle "
            "of their interval of ranks; other numbers with the density of their normal scores, "
            "which go on beyond the range of the data."},
    {"", "percentile", FIELD_WRITTEN, .schema = "Percentiles", .write = write_percentile,
     .doc = "Percent of the held-out rows that are less likely than each point; half of those that "
            "are equally likely count. 0: less likely than all, an anomaly. null if they were not "
            "requested, or if there are no held-out rows."},
    {"", "held_out", FIELD_INTEGER, OF(held_out), 0, INFINITY,
     .doc = "The number of rows, up to 1000, of the validation set (of the requested class), which "
            "training did not use. 0 if it was empty or the data set has been deleted."},
    {"", "duration_seconds", FIELD_NUMBER, OF(seconds), 0, INFINITY},
};
const struct field_set score_answer = ANSWER(answer_rows);

static const struct field column_rows[] = {
    {"", "log_density", FIELD_NUMBER, offsetof(struct score_row, log_density)},
    {"", "percentile", FIELD_NUMBER, offsetof(struct score_row, percentile),
     .flags = FIELD_OR_NULL},
};
static const struct field_set columns = ANSWER(column_rows);

static void reply_csv(struct http_exchange *exchange) {
    const struct scoring *scoring = exchange->state;
    const size_t n = (size_t)scoring->points.n;
    struct score_row *table = http_alloc(exchange, n * sizeof *table);
    if (!table)
        return;
    for (size_t i = 0; i < n; i++)
        table[i] = (struct score_row){scoring->log_density[i],
                                      scoring->percentile ? scoring->percentile[i] : NAN};
    exchange->response.status = 200;
    table_write_csv(&(struct table){&columns, table, sizeof *table, n}, &exchange->response.body);
}

static void reply(struct http_exchange *exchange, double seconds) {
    const struct scoring *scoring = exchange->state;
    if (!format_is_json(scoring->format)) {
        reply_csv(exchange);
        return;
    }
    const struct answer answer = {.model = scoring->loaded.row.id,
                                  .label = scoring->class_name,
                                  .epoch = dn_model_epoch(scoring->loaded.model),
                                  .n = scoring->points.n,
                                  .dim = scoring->points.dim,
                                  .held_out = scoring->held_out_count,
                                  .units = scoring->units,
                                  .seconds = seconds,
                                  .scoring = scoring};
    struct json_writer json = json_reply(exchange, 200);
    fields_write(&score_answer, &answer, &json);
}

/* Model units to data units: a density per length becomes one per other length. */
static void convert_units(struct scoring *scoring) {
    double shift[DN_MAX_DIM], scale[DN_MAX_DIM], sum = 0;
    dn_model_transform(scoring->loaded.model, shift, scale);
    for (int j = 0; j < scoring->points.dim; j++)
        sum += log(scale[j]);
    for (int i = 0; i < scoring->points.n; i++)
        scoring->log_density[i] += sum;
}

/* Scores the points and finds their percentiles. False: the error is already the response. */
static bool score_points(struct http_exchange *exchange) {
    struct scoring *scoring = exchange->state;
    const int n = scoring->points.n;
    struct dn_error error = {""};
    scoring->log_density = http_alloc(exchange, 2 * (size_t)n * sizeof *scoring->log_density);
    if (!scoring->log_density)
        return false;
    const enum dn_status status =
        score(exchange, scoring->points.points, n, scoring->log_density, &error);
    if (status != DN_OK) {
        point_stream_failure(exchange, status, error.text);
        return false;
    }
    if (scoring->held_out_count > 0) {
        scoring->percentile = scoring->log_density + n;
        for (int i = 0; i < n; i++)
            scoring->percentile[i] =
                percentile_of(scoring->log_density[i], scoring->held_out, scoring->held_out_count);
    }
    if (scoring->units == UNITS_DATA)
        convert_units(scoring);
    return true;
}

/* ------------------------------------------------------------------ the request */

static void read_points(const cJSON *body, void *values, struct problem_fields *wrong) {
    struct scoring *scoring = values;
    const cJSON *points = cJSON_GetObjectItemCaseSensitive(body, "points");
    if (!points)
        problem_add(wrong, "/points", "is required: an array of points, each an array of numbers");
    else if (score_rows_are_here(points))
        score_rows_read(points, &scoring->rows, wrong);
    else
        sampling_read_points(points, "/points", true, &scoring->points, wrong);
}

/* Turns rows of the model's table into points. False: the response is the error. */
static bool fit_rows(struct http_exchange *exchange, struct scoring *scoring) {
    struct problem_fields wrong = {.arena = http_arena(exchange)};
    const char *text = scoring->loaded.row.form, *label = NULL;
    const struct table_form *form = text ? form_read(text, wrong.arena) : NULL;
    if (dn_model_spec(scoring->loaded.model)->dataset.height > 0)
        problem_add(&wrong, "", "the model draws images, and only points have a log-density");
    if (!problem_none(exchange, &wrong))
        return false;
    const bool is_quantile =
        dn_model_spec(scoring->loaded.model)->training.normalization == DN_QUANTILE;
    const int dim = dn_model_dim(scoring->loaded.model);
    if (scoring->rows.n == 0)
        return true;
    if (text && !form) {
        problem(exchange, PROBLEM_NO_MEMORY, "not enough memory for the form of the rows");
        return false;
    }
    if (!is_quantile && scoring->rows.lines) {
        const char *const *names = model_column_names(&scoring->loaded.row, wrong.arena);
        form = names ? score_rows_form(names, dim, wrong.arena) : NULL;
    }
    const bool fits = form && (is_quantile || scoring->rows.lines);
    if (fits &&
        !score_rows_fit(exchange, &scoring->rows, form, dim, &scoring->points, &label, &wrong))
        return false;
    if (!fits)
        problem_add(&wrong, "/points/0",
                    "must be an array of finite numbers: the model is not of a table with other "
                    "cells");
    if (label && (scoring->label[0] || scoring->class >= 0))
        problem_add(&wrong, "/label", "is also a cell of the rows; leave out one of them");
    else if (label)
        snprintf(scoring->label, sizeof scoring->label, "%s", label);
    return problem_none(exchange, &wrong);
}

static bool read_file(struct http_exchange *exchange, struct scoring *scoring) {
    struct sent_rows sent;
    if (!sent_rows_read(exchange, &sent))
        return false;
    return score_rows_take(exchange, &sent, &scoring->rows);
}

static bool read_body(struct http_exchange *exchange, struct scoring *scoring) {
    if (scoring->is_file)
        return read_file(exchange, scoring);
    return read_members(exchange, &score_fields, scoring, POINTS_MAX_VALUES, read_points);
}

/* Only models of tables know missing values. */
static void check_finite(const struct scoring *scoring, struct problem_fields *wrong) {
    const struct sampling_points *points = &scoring->points;
    const size_t dim = (size_t)points->dim, count = (size_t)points->n * dim;
    const size_t *lines = scoring->rows.lines;
    size_t e = 0;
    while (e < count && !isnan(points->points[e]))
        e++;
    if (e == count)
        return;
    const int i = (int)(e / dim), j = (int)(e % dim);
    const char *const *names =
        lines ? model_column_names(&scoring->loaded.row, wrong->arena) : NULL;
    const char *pointer =
        names ? problem_pointer(wrong, arena_format(wrong->arena, "points/%d", i), names[j])
              : arena_format(wrong->arena, "/points/%d/%d", i, j);
    sent_rows_refuse(wrong, pointer, lines, i,
                     "must be a number: the model has not seen missing values");
}

/* Checks what depends on the model. */
static bool fits_model(struct http_exchange *exchange, struct scoring *scoring) {
    const struct dn_model *model = scoring->loaded.model;
    const struct dn_spec *spec = dn_model_spec(model);
    const int dim = dn_model_dim(model), T = spec->diffusion.timesteps;
    struct problem_fields wrong = {.arena = http_arena(exchange)};
    const char *const *classes =
        model_class_names(&scoring->loaded.row, spec->dataset.classes, http_arena(exchange));
    if (!classes)
        return false;
    if (scoring->points.dim != dim)
        problem_add(&wrong, "/points", "have %d coordinates, but the model has %d",
                    scoring->points.dim, dim);
    const bool is_table = spec->training.normalization == DN_QUANTILE;
    if (!is_table)
        check_finite(scoring, &wrong);
    if (is_table && scoring->units == UNITS_DATA)
        problem_add(
            &wrong, "/units",
            "must be \"model\": with the normalization quantile, the model knows numbers by "
            "their ranks");
    if (scoring->steps > T)
        problem_add(&wrong, "/steps", "must be at most the model's timesteps, %d", T);
    if (sampling_find_class(scoring->label, &scoring->class, model, classes, &wrong))
        scoring->class_name = classes[scoring->class];
    else if (!scoring->label[0] && scoring->class < 0 && spec->dataset.classes > 0 &&
             spec->training.p_uncond == 0)
        problem_add(&wrong, "/label",
                    "is required: the model never saw points without a label (p_uncond was 0)");
    if (!problem_none(exchange, &wrong))
        return false;
    const struct dn_score_request request =
        request_of(scoring, scoring->points.points, scoring->points.n);
    return cost_fits_for(exchange, request.n, dn_score_flops(model, &request));
}

static void clear(struct http_exchange *exchange) {
    struct scoring *scoring = exchange->state;
    dn_data_clear(&scoring->data);
    free(scoring->held_out);
    scoring->held_out = NULL;
    loaded_model_clear(&scoring->loaded);
}

/* Reserves most of the memory: for each thread's points, and for the training data from which rows
 * are taken. False: the error is already the response. */
static bool reserve(struct http_exchange *exchange, bool needs_data) {
    const struct scoring *scoring = exchange->state;
    const struct dn_dataset_spec *set = &dn_model_spec(scoring->loaded.model)->dataset;
    const struct dn_score_request request = request_of(scoring, NULL, RANGE);
    const size_t threads = (size_t)pool_threads(service_of(exchange)->pool);
    const size_t row = 2 * ((size_t)set->dim * sizeof(float) + sizeof(int32_t));
    size_t bytes = threads * dn_score_bytes(scoring->loaded.model, &request) +
                   (size_t)scoring->points.n * sizeof(struct score_row);
    for (int k = 0; k < set->source_count && needs_data; k++)
        bytes += (size_t)set->sources[k].n * row;
    return http_reserve(exchange, bytes);
}

static void score_all(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    const struct scoring *scoring = exchange->state;
    const bool needs_data = scoring->percentiles && !scoring->held_out;
    const double started = clock_monotonic();
    if (reserve(exchange, needs_data) && (!needs_data || score_held_out(exchange)) &&
        score_points(exchange))
        reply(exchange, clock_monotonic() - started);
    clear(exchange);
}

/* Only the loaded model tells whether the request is much work. */
static void score_on_pool(struct http_exchange *exchange, struct store_session *unused) {
    struct scoring *scoring = exchange->state;
    if ((scoring->is_unread && !read_body(exchange, scoring)) ||
        !load_model(exchange, scoring->epoch, &scoring->loaded) || !fit_rows(exchange, scoring) ||
        !fits_model(exchange, scoring))
        return;
    const struct dn_score_request request = request_of(scoring, NULL, scoring->points.n);
    const double one = dn_score_flops(scoring->loaded.model, &request);
    const bool found = !scoring->percentiles || find_held_out(exchange);
    if (exchange->response.status >= 400)
        return;
    if (!found || cost_is_large_for(scoring->points.n, one))
        http_then_on_pool(exchange, score_all, TURN_LARGE);
    else
        score_all(exchange, unused);
}

enum http_next api_score(struct http_exchange *exchange) {
    struct scoring *scoring = http_alloc(exchange, sizeof *scoring);
    if (!scoring)
        return HTTP_REPLY;
    scoring->class = -1;
    scoring->percentiles = true;
    scoring->is_file = sent_rows_are_here(exchange);
    scoring->is_unread = scoring->is_file || exchange->request.body_length > BODY_ON_LOOP;
    scoring->format = format_of(exchange);
    exchange->state = scoring;
    exchange->release = clear;
    if (!scoring->format || !path_id(exchange, PROBLEM_NO_SUCH_MODEL) ||
        !read_query(exchange, &score_fields, scoring) ||
        (!scoring->is_unread && !read_body(exchange, scoring)))
        return HTTP_REPLY;
    return http_on_pool(exchange, score_on_pool);
}
