/* The computation of an evaluation, as tasks for all free threads. */
#include <math.h>
#include <stdlib.h>

#include "api/measure/evaluation.h"
#include "api/samples.h"
#include "api/spec/spec.h"
#include "server/threads/split.h"

enum {
    RANGE = 250,            /* points that are sampled at a time */
    FRAME_POINTS = 500,     /* maximum for the mean distance of a frame */
    PROBES = 500,           /* maximum for the denoising loss.. */
    PROBE_PAIRS = 10 << 20, /* ..and maximum of probes times training points */
};

/* ------------------------------------------------------------------ sampling */

struct range {
    size_t first;
    int n, label;
};

/* Splits the points into ranges, each with one label. */
static bool make_ranges(struct evaluation *evaluation) {
    const struct dn_data *like = &evaluation->fresh[0];
    const size_t most = like->n / RANGE + 1 + (size_t)like->classes;
    evaluation->ranges = http_alloc(evaluation->exchange, most * sizeof *evaluation->ranges);
    size_t first = 0;
    while (evaluation->ranges && first < like->n) {
        size_t last = first + 1;
        while (last < like->n && last - first < RANGE &&
               (!like->labels || like->labels[last] == like->labels[first]))
            last++;
        evaluation->ranges[evaluation->range_count++] =
            (struct range){first, (int)(last - first),
                           like->labels && evaluation->request.guidance > 0 ? like->labels[first]
                                                                            : DN_LABELS_IN_TURN};
        first = last;
    }
    return evaluation->ranges != NULL;
}

static void sample_range(struct evaluation *evaluation, struct measurement *it) {
    const struct range *range = &evaluation->ranges[it->index];
    const size_t at = range->first * (size_t)evaluation->data.dim;
    struct dn_sample_request request = evaluation->request;
    request.first = (int)range->first;
    request.n = range->n;
    request.label = range->label;
    request.frames = evaluation->frames;
    struct dn_sample_result result = {
        .frame_points = (size_t)evaluation->request.n,
        .points = evaluation->points + at,
        .x = evaluation->x ? evaluation->x + at : NULL,
        .x0 = evaluation->x0 ? evaluation->x0 + at : NULL,
    };
    it->status = sample_in_turns(evaluation->loaded.model, &request, &result, evaluation->exchange,
                                 &it->error);
}

static void sample_table(struct evaluation *evaluation, struct measurement *it) {
    struct table_measure *table = &evaluation->table;
    const struct table_range *range = &table->ranges[it->index];
    struct dn_sample_request request = table->request;
    request.first = range->first;
    request.n = range->n;
    request.label = range->label;
    struct dn_sample_result result = {
        .values = table->values + (size_t)range->first * (size_t)table->dim,
    };
    it->status = sample_in_turns(evaluation->loaded.model, &request, &result, evaluation->exchange,
                                 &it->error);
}

static void sample_images(struct evaluation *evaluation, struct measurement *it) {
    const struct image_measure *images = &evaluation->images;
    struct dn_sample_request request = evaluation->request;
    request.first = it->index * IMAGES_RANGE;
    request.n = images->n - request.first < IMAGES_RANGE ? images->n - request.first : IMAGES_RANGE;
    struct dn_sample_result result = {
        .points = images->values + (size_t)request.first * (size_t)evaluation->data.dim,
    };
    it->status = sample_in_turns(evaluation->loaded.model, &request, &result, evaluation->exchange,
                                 &it->error);
}

/* ------------------------------------------------------------------ measuring */

static struct dn_points points_of(const struct dn_data *data) {
    return (struct dn_points){data->points, data->n, data->dim};
}

/* What is measured: the model's samples or, for the floor, a second set of data. */
static struct dn_points measured(const struct evaluation *evaluation, bool floor) {
    struct dn_points points = points_of(&evaluation->fresh[floor]);
    if (!floor)
        points.points = evaluation->points;
    return points;
}

/* index: 2 * metric, plus 1 for the floor */
static void measure_metric(struct evaluation *evaluation, struct measurement *it) {
    const struct dn_points x = measured(evaluation, it->index % 2),
                           y = points_of(&evaluation->fresh[0]);
    const struct dn_breaks breaks = breaks_of(evaluation->exchange);
    it->status =
        dn_metric((enum dn_metric)(it->index / 2), &x, &y, &it->value, &breaks, &it->error);
}

static int compare_doubles(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Mean and 99th percentile. */
static void summarize(double *distances, size_t n, struct measurement *it) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += distances[i];
    it->value = sum / (double)n;
    qsort(distances, n, sizeof *distances, compare_doubles);
    it->p99 = distances[(size_t)ceil(0.99 * (double)n) - 1];
}

static void measure_distances(struct evaluation *evaluation, struct measurement *it, int label,
                              const float *points, size_t n) {
    double *distances = malloc((n + 1) * sizeof *distances);
    if (!distances) {
        it->status = DN_NO_MEMORY;
        return;
    }
    dn_spec_distances(dn_model_spec(evaluation->loaded.model), label, points, n, distances);
    summarize(distances, n, it);
    free(distances);
}

/* index: 1 for the floor */
static void measure_curve(struct evaluation *evaluation, struct measurement *it) {
    const struct dn_points x = measured(evaluation, it->index);
    measure_distances(evaluation, it, -1, x.points, x.n);
}

/* index: 2 * frame, plus 1 for its x0 */
static void measure_frame(struct evaluation *evaluation, struct measurement *it) {
    const size_t n = (size_t)evaluation->request.n, dim = (size_t)evaluation->data.dim;
    const float *frames = it->index % 2 ? evaluation->x0 : evaluation->x;
    if (http_is_stopping(evaluation->exchange))
        it->status = DN_STOPPED;
    else
        measure_distances(evaluation, it, -1, frames + (size_t)(it->index / 2) * n * dim,
                          n < FRAME_POINTS ? n : FRAME_POINTS);
}

/* Data that the model has not seen: new points of patterns, or points held out of uploads. */
static struct dn_points unseen(const struct evaluation *evaluation) {
    const struct dn_data *data = &evaluation->data;
    if (!spec_has_uploads(dn_model_spec(evaluation->loaded.model)) || !data->points)
        return points_of(&evaluation->fresh[0]);
    const size_t n = (size_t)evaluation->request.n;
    return (struct dn_points){data->points + data->n * (size_t)data->dim,
                              data->n_val < n ? data->n_val : n, data->dim};
}

static void measure_nearest(struct evaluation *evaluation, struct measurement *it) {
    const struct dn_points x = it->index ? unseen(evaluation) : measured(evaluation, false);
    const struct dn_points y = points_of(&evaluation->data);
    const struct dn_breaks breaks = breaks_of(evaluation->exchange);
    if (x.n == 0 || !evaluation->data.points) /* rows with missing values have no distance */
        return;
    double *distances = malloc(x.n * sizeof *distances);
    it->status =
        distances ? dn_nearest(&x, &y, distances, NULL, &breaks, &it->error) : DN_NO_MEMORY;
    if (it->status == DN_OK)
        summarize(distances, x.n, it);
    free(distances);
}

static void measure_denoising(struct evaluation *evaluation, struct measurement *it) {
    const struct dn_points y = points_of(&evaluation->data);
    const struct dn_breaks breaks = breaks_of(evaluation->exchange);
    evaluation->denoising = (struct dn_denoising){NAN, NAN, NAN};
    if (!y.points)
        return;
    const size_t affordable = PROBE_PAIRS / y.n;
    const int probes = affordable < 1 ? 1 : affordable < PROBES ? (int)affordable : PROBES;
    it->status = dn_denoising_loss(evaluation->loaded.model, &y, probes, evaluation->request.seed,
                                   &evaluation->denoising, &breaks, &it->error);
}

static void measure_table(struct evaluation *evaluation, struct measurement *it) {
    const struct dn_breaks breaks = breaks_of(evaluation->exchange);
    it->status = table_report(&evaluation->table, &evaluation->data, &breaks, &it->error);
}

static void train_judge(struct evaluation *evaluation, struct measurement *it) {
    const struct dn_breaks breaks = breaks_of(evaluation->exchange);
    it->status = image_judge(&evaluation->images, &evaluation->data, &breaks, &it->error);
}

static void measure_images(struct evaluation *evaluation, struct measurement *it) {
    const struct dn_breaks breaks = breaks_of(evaluation->exchange);
    it->status = image_report(&evaluation->images, &evaluation->data, evaluation->request.seed,
                              &breaks, &it->error);
}

/* The points of one class, which are adjacent; `points` are in the order of `data`. */
static struct dn_points of_class(const struct dn_data *data, const float *points, int label) {
    size_t first = 0, n = 0;
    for (size_t i = 0; i < data->n; i++) {
        first += data->labels[i] < label;
        n += data->labels[i] == label;
    }
    return (struct dn_points){points + first * (size_t)data->dim, n, data->dim};
}

/* index: PER_CLASS * class, plus which of its measurements */
static void measure_class(struct evaluation *evaluation, struct measurement *it) {
    const int label = it->index / PER_CLASS, what = it->index % PER_CLASS;
    const struct dn_data *fresh = evaluation->fresh;
    const struct dn_points x = what == CLASS_ENERGY_FLOOR
                                   ? of_class(&fresh[1], fresh[1].points, label)
                                   : of_class(&fresh[0], evaluation->points, label);
    const struct dn_points y = of_class(&fresh[0], fresh[0].points, label);
    const struct dn_breaks breaks = breaks_of(evaluation->exchange);
    if (x.n == 0 || y.n == 0)
        return;
    if (what == CLASS_CURVE && evaluation->has_curve)
        measure_distances(evaluation, it, label, x.points, x.n);
    else if (what != CLASS_CURVE)
        it->status = dn_metric(DN_ENERGY_DISTANCE, &x, &y, &it->value, &breaks, &it->error);
}

/* ------------------------------------------------------------------ all of it */

static void run_task(void *argument, int part) {
    struct evaluation *evaluation = argument;
    struct measurement *it = &evaluation->tasks[part];
    it->value = it->p99 = NAN;
    pool_pause();
    it->run(evaluation, it);
}

/* Runs the tasks on all threads. Returns the first failure; a value that is merely not defined for
 * these points stays NAN. */
static enum dn_status run_tasks(struct evaluation *evaluation) {
    struct pool *pool = service_of(evaluation->exchange)->pool;
    split_run(pool, evaluation->task_count, run_task, evaluation);
    for (int i = 0; i < evaluation->task_count; i++) {
        const struct measurement *it = &evaluation->tasks[i];
        if (it->status != DN_OK && it->status != DN_INVALID) {
            evaluation->error = it->error;
            return it->status;
        }
    }
    return DN_OK;
}

/* The same where everything is defined. */
static enum dn_status run_all_tasks(struct evaluation *evaluation) {
    enum dn_status status = run_tasks(evaluation);
    for (int i = 0; i < evaluation->task_count && status == DN_OK; i++) {
        status = evaluation->tasks[i].status;
        evaluation->error = evaluation->tasks[i].error;
    }
    return status;
}

static int add_tasks(struct evaluation *evaluation, measurement_run run, int count) {
    const int first = evaluation->task_count;
    for (int i = 0; i < count; i++)
        evaluation->tasks[evaluation->task_count++] = (struct measurement){.run = run, .index = i};
    return first;
}

static enum dn_status sample_all(struct evaluation *evaluation) {
    const size_t values = (size_t)evaluation->request.n * (size_t)evaluation->data.dim;
    const size_t frames = (size_t)evaluation->frames;
    evaluation->points = malloc((values * (2 * frames + 1) + 1) * sizeof(float));
    const int count = evaluation->range_count + evaluation->table.range_count;
    evaluation->tasks = http_alloc(evaluation->exchange, (size_t)count * sizeof *evaluation->tasks);
    if (!evaluation->points || !evaluation->tasks)
        return DN_NO_MEMORY;
    if (frames > 0) {
        evaluation->x = evaluation->points + values;
        evaluation->x0 = evaluation->x + values * frames;
    }
    evaluation->task_count = 0;
    add_tasks(evaluation, sample_range, evaluation->range_count);
    add_tasks(evaluation, sample_table, evaluation->table.range_count);
    return run_all_tasks(evaluation);
}

/* The longest tasks come first, so that no thread starts one of them at the end. */
static enum dn_status measure_all(struct evaluation *evaluation) {
    enum { METRIC_TASKS = 2 * DN_METRIC_COUNT, OTHERS = 6 };
    const int classes = evaluation->data.classes;
    const int most = METRIC_TASKS + OTHERS + 2 * EVALUATION_FRAMES + PER_CLASS * classes;
    evaluation->tasks = http_alloc(evaluation->exchange, (size_t)most * sizeof *evaluation->tasks);
    if (!evaluation->tasks)
        return DN_NO_MEMORY;
    evaluation->task_count = 0;
    add_tasks(evaluation, measure_table, evaluation->table.request.n > 0);
    evaluation->first_metric = add_tasks(evaluation, measure_metric, METRIC_TASKS);
    evaluation->first_nearest = add_tasks(evaluation, measure_nearest, 2);
    add_tasks(evaluation, measure_denoising, 1);
    if (evaluation->has_curve) {
        evaluation->first_curve = add_tasks(evaluation, measure_curve, 2);
        evaluation->first_frame = add_tasks(evaluation, measure_frame, 2 * evaluation->frames - 1);
    }
    evaluation->first_class = add_tasks(evaluation, measure_class, PER_CLASS * classes);
    return run_tasks(evaluation);
}

/* The judge learns while images are sampled. Nothing of this may be undefined. */
static enum dn_status run_images(struct evaluation *evaluation) {
    const int ranges = (evaluation->images.n + IMAGES_RANGE - 1) / IMAGES_RANGE;
    evaluation->tasks =
        http_alloc(evaluation->exchange, (size_t)(ranges + 1) * sizeof *evaluation->tasks);
    if (!evaluation->tasks ||
        !image_begin(&evaluation->images, evaluation->loaded.model, &evaluation->request))
        return DN_NO_MEMORY;
    add_tasks(evaluation, train_judge, 1);
    add_tasks(evaluation, sample_images, ranges);
    enum dn_status status = run_all_tasks(evaluation);
    evaluation->task_count = 0;
    if (status == DN_OK) {
        add_tasks(evaluation, measure_images, 1);
        status = run_all_tasks(evaluation);
    }
    return status;
}

enum dn_status evaluation_run(struct evaluation *evaluation) {
    if (evaluation->images.n > 0)
        return run_images(evaluation);
    const struct dn_spec *spec = dn_model_spec(evaluation->loaded.model);
    const int steps = evaluation->request.steps;
    enum dn_status status = DN_OK;
    for (int which = 0; which < 2 && status == DN_OK; which++)
        status = dn_data_fresh(spec, &evaluation->data, which, evaluation->request.seed,
                               (size_t)evaluation->request.n, &evaluation->fresh[which],
                               &evaluation->error);
    if (status != DN_OK)
        return status;
    evaluation->request.n = (int)evaluation->fresh[0].n;
    evaluation->has_curve = dn_spec_has_distance(spec);
    if (evaluation->has_curve)
        evaluation->frames = steps + 1 < EVALUATION_FRAMES ? steps + 1 : EVALUATION_FRAMES;
    struct arena *arena = http_arena(evaluation->exchange);
    const bool has_table = evaluation->table.request.n > 0;
    if (!make_ranges(evaluation) ||
        (has_table && !table_begin(&evaluation->table, &evaluation->data, arena)))
        return DN_NO_MEMORY;
    status = sample_all(evaluation);
    return status == DN_OK ? measure_all(evaluation) : status;
}

void evaluation_clear(struct evaluation *evaluation) {
    free(evaluation->points);
    evaluation->points = NULL;
    table_clear(&evaluation->table);
    image_clear(&evaluation->images);
    dn_data_clear(&evaluation->data);
    for (int which = 0; which < 2; which++)
        dn_data_clear(&evaluation->fresh[which]);
    loaded_model_clear(&evaluation->loaded);
}
