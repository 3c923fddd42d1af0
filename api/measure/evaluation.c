/* /v1/models/{id}/evaluation: the metrics of a model, each with the score of real data. */
#include "api/measure/evaluation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/contract/caching.h"
#include "api/contract/openapi.h"
#include "api/format/point_stream.h"
#include "api/samples.h"
#include "api/spec/cost.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/threads/writer.h"

enum { EVALUATION_DEFAULT = 1000, EVALUATION_MIN = 16, EVALUATION_MAX = 10000 };

#define AT(member) offsetof(struct evaluation, request.member)
static const struct field rows[] = {
    {"", "n", FIELD_INTEGER, AT(n), EVALUATION_MIN, EVALUATION_MAX, 0, NULL,
     "Number of points to draw and to compare with the same number of data points, at most 2048; "
     "or number of images to draw. By default 1,000, or as many as one request may cost."},
    {"", "seed", FIELD_UINT53, AT(seed), 0, 0, 0, NULL, "Seed of the points and of the data."},
    {"", "sampler", FIELD_CHOICE, AT(sampler), 0, 0, 0, dn_sampler_names, "As for samples."},
    {"", "steps", FIELD_INTEGER, AT(steps), 1, DN_MAX_TIMESTEPS, 0, NULL, "As for samples."},
    {"", "eta", FIELD_NUMBER, AT(eta), 0, 1, 0, NULL, "As for samples."},
    {"", "guidance", FIELD_NUMBER, AT(guidance), 0, DN_MAX_GUIDANCE, 0, NULL,
     "As for samples. Without label and class, each class is drawn in its proportion in the data."},
    {"", "guidance_ratio_min", FIELD_NUMBER, AT(guidance_ratio_min), 0, DN_MAX_RATIO_MAX, 0, NULL,
     "As for samples."},
    {"", "guidance_ratio_max", FIELD_NUMBER, AT(guidance_ratio_max), 0, DN_MAX_RATIO_MAX,
     FIELD_OPEN_MIN, NULL, "As for samples."},
    {"", "clip", FIELD_BOOLEAN, AT(clip), 0, 0, 0, NULL, "As for samples."},
    EPOCH_ROW(offsetof(struct evaluation, epoch)),
};
const struct field_set evaluation_fields = {rows, sizeof rows / sizeof rows[0]};

/* ------------------------------------------------------------------ the response */

struct curve_distance {
    double mean, p99, floor, floor_p99;
};
struct step {
    int timestep;
    double x, x0;
};
struct class_row {
    const char *label;
    int class;
    int64_t n;
    double curve_distance;
    struct figure energy_distance;
};
struct evaluation_answer {
    const struct evaluation *evaluation;
    const char *model;
    int epoch;
    struct dn_sample_request request;
    struct sampling_guidance guidance;
    struct curve_distance curve;
    struct figure metrics[DN_METRIC_COUNT], training_distance;
    struct dn_denoising denoising;
    struct field_list steps, classes;
    struct table_answer table;
    struct image_answer images;
    double seconds;
};

static void write_curve(const void *value, struct json_writer *json);

#define NUMBER_OR_NULL(type, member)                                                               \
    { "", #member, FIELD_NUMBER, offsetof(struct type, member), .flags = FIELD_OR_NULL }
static const struct field curve_rows[] = {
    NUMBER_OR_NULL(curve_distance, mean),
    NUMBER_OR_NULL(curve_distance, p99),
    NUMBER_OR_NULL(curve_distance, floor),
    NUMBER_OR_NULL(curve_distance, floor_p99),
};
static const struct field_set curve_set = ANSWER(curve_rows, .may_be_null = true);
static const struct field floored_rows[] = {
    {"", "value", FIELD_NUMBER, offsetof(struct figure, value), .flags = FIELD_OR_NULL,
     .doc = "Value for the model's samples; null where the metric is not defined."},
    {"", "floor", FIELD_NUMBER, offsetof(struct figure, floor), .flags = FIELD_OR_NULL,
     .doc = "Value for a second set of real data of the same size: what a perfect model would "
            "score."},
};
const struct field_set floored_answer = ANSWER(floored_rows);
static const struct field denoising_rows[] = {
    NUMBER_OR_NULL(dn_denoising, model),
    NUMBER_OR_NULL(dn_denoising, optimal),
    NUMBER_OR_NULL(dn_denoising, excess),
};
static const struct field_set denoising_set =
    ANSWER(denoising_rows, .doc = "Mean squared errors in the noise: of the model, of the optimal "
                                  "denoiser for the training points, and between the two.");
static const struct field step_rows[] = {
    {"", "timestep", FIELD_INTEGER, offsetof(struct step, timestep)},
    NUMBER_OR_NULL(step, x),
    NUMBER_OR_NULL(step, x0),
};
static const struct field_set step_set = ANSWER(step_rows);
static const struct field class_rows[] = {
    {"", "label", FIELD_STRING, offsetof(struct class_row, label)},
    {"", "class", FIELD_INTEGER, offsetof(struct class_row, class),
     .doc = "Its index in the classes of the model."},
    {"", "n", FIELD_INT64, offsetof(struct class_row, n)},
    NUMBER_OR_NULL(class_row, curve_distance),
    {"", "energy_distance", FIELD_OBJECT, offsetof(struct class_row, energy_distance),
     .schema = "Floored", .set = &floored_answer},
};
static const struct field_set class_set = ANSWER(class_rows);

#define OF(member) offsetof(struct evaluation_answer, member)
#define METRIC(name, member, about)                                                                \
    {                                                                                              \
        "metrics", name, FIELD_OBJECT, OF(member), .schema = "Floored", .set = &floored_answer,    \
                                                   .doc = (about)                                  \
    }
static const struct field answer_rows[] = {
    {"", "model", FIELD_STRING, OF(model), .schema = "Id"},
    {"", "epoch", FIELD_INTEGER, OF(epoch)},
    {"", "n", FIELD_INTEGER, OF(request.n),
     .doc = "Number of samples, compared with the same number of data points; fewer than "
            "requested if the upload has fewer points."},
    {"", "seed", FIELD_UINT53, OF(request.seed)},
    {"", "sampler", FIELD_CHOICE, OF(request.sampler), .choices = dn_sampler_names},
    {"", "steps", FIELD_INTEGER, OF(request.steps)},
    {"", "", FIELD_MEMBERS, OF(guidance), .set = &sampling_guidance_answer},
    {"", "metrics", FIELD_GROUP, .doc = "Of points; for images, see images."},
    {"metrics", "curve_distance", FIELD_OBJECT, .set = &curve_set, .write = write_curve,
     .doc = "Distance to the exact shape of the data: mean and 99th percentile. null for data "
            "without an exact shape."},
    METRIC("energy_distance", metrics[DN_ENERGY_DISTANCE],
           "2 E|X-Y| - E|X-X'| - E|Y-Y'| over all pairs."),
    METRIC("sliced_wasserstein", metrics[DN_SLICED_WASSERSTEIN],
           "Root of the mean squared Wasserstein-2 distance over 128 fixed directions."),
    METRIC("wasserstein", metrics[DN_WASSERSTEIN], "Exact Wasserstein-2 distance."),
    METRIC("mmd", metrics[DN_MMD],
           "Squared maximum mean discrepancy with a Gaussian kernel whose width is the median "
           "distance of the data."),
    METRIC("chamfer", metrics[DN_CHAMFER],
           "Sum of the squared distances to the nearest point of the other set, in both "
           "directions."),
    METRIC("coverage", metrics[DN_COVERAGE],
           "Fraction of the data points with a sample no farther away than their fifth-nearest "
           "neighbor; higher is better."),
    METRIC("training_distance", training_distance,
           "Mean distance to the nearest training point; a value far below the floor means that "
           "the model memorized the data."),
    {"metrics", "denoising_loss", FIELD_OBJECT, OF(denoising), .set = &denoising_set},
    {"", "curve_distance_per_step", FIELD_LIST, OF(steps), .set = &step_set, .flags = FIELD_OR_NULL,
     .doc = "Mean distance of the points, and of the estimates made from them, along the way "
            "from noise to data."},
    {"", "per_class", FIELD_LIST, OF(classes), .set = &class_set, .flags = FIELD_OR_NULL,
     .doc = "Only for models with labels."},
    {"", "table", FIELD_OBJECT, OF(table), .set = &table_answer_set},
    {"", "images", FIELD_OBJECT, OF(images), .set = &image_answer_set},
    {"", "duration_seconds", FIELD_NUMBER, OF(seconds), 0, INFINITY},
};
const struct field_set evaluation_answer = ANSWER(answer_rows);

/* Not null if there is a curve, even if its numbers are NAN. */
static void write_curve(const void *value, struct json_writer *json) {
    const struct evaluation_answer *answer = value;
    if (!answer->evaluation->has_curve) {
        json_null(json);
        return;
    }
    json_open(json, '{');
    fields_write_members(&curve_set, "", &answer->curve, json);
    json_close(json, '}');
}

static bool is_of_images(const struct evaluation *evaluation) {
    return evaluation->images.n > 0;
}

static struct figure figure_of(const struct measurement *pair) {
    return (struct figure){pair[0].value, pair[1].value};
}

/* The value and the floor of a metric of points: the tasks `first` and the next. */
static struct figure metric_at(const struct evaluation *evaluation, int first) {
    return is_of_images(evaluation) ? (struct figure){NAN, NAN}
                                    : figure_of(&evaluation->tasks[first]);
}

static struct field_list steps_of(const struct evaluation *evaluation,
                                  struct step steps[EVALUATION_FRAMES]) {
    const struct measurement *frame = &evaluation->tasks[evaluation->first_frame];
    const int frames = evaluation->frames;
    int timesteps[DN_MAX_TIMESTEPS + 1];
    if (!evaluation->has_curve)
        return (struct field_list){0};
    dn_sample_timesteps(evaluation->loaded.model, &evaluation->request, timesteps);
    for (int k = 0; k < frames; k++)
        steps[k] = (struct step){
            .timestep = timesteps[dn_frame_step(k, frames, evaluation->request.steps)],
            .x = frame[2 * k].value,
            .x0 = k == frames - 1 ? NAN : frame[2 * k + 1].value,
        };
    return (struct field_list){steps, sizeof *steps, (size_t)frames};
}

static struct field_list classes_of(const struct evaluation *evaluation,
                                    struct class_row classes[DN_MAX_CLASSES]) {
    const int count = evaluation->data.classes;
    const struct dn_data *fresh = &evaluation->fresh[0];
    const char *const *names =
        model_class_names(&evaluation->loaded.row, count, http_arena(evaluation->exchange));
    if (count == 0 || is_of_images(evaluation))
        return (struct field_list){0};
    for (int label = 0; label < count; label++) {
        const struct measurement *of =
            &evaluation->tasks[evaluation->first_class + PER_CLASS * label];
        classes[label] = (struct class_row){
            .label = names ? names[label] : NULL,
            .class = label,
            .curve_distance = of[CLASS_CURVE].value,
            .energy_distance = figure_of(&of[CLASS_ENERGY]),
        };
    }
    for (size_t i = 0; i < fresh->n; i++)
        classes[fresh->labels[i]].n++;
    return (struct field_list){classes, sizeof *classes, (size_t)count};
}

static void reply(const struct evaluation *evaluation, double seconds) {
    const struct measurement *curve = &evaluation->tasks[evaluation->first_curve];
    struct step steps[EVALUATION_FRAMES];
    struct class_row classes[DN_MAX_CLASSES];
    struct evaluation_answer answer = {
        .evaluation = evaluation,
        .model = evaluation->loaded.row.id,
        .epoch = evaluation->loaded.row.epoch,
        .request = evaluation->request,
        .guidance = sampling_guidance_of(evaluation->loaded.model, &evaluation->request),
        .training_distance = metric_at(evaluation, evaluation->first_nearest),
        .denoising =
            is_of_images(evaluation) ? (struct dn_denoising){NAN, NAN, NAN} : evaluation->denoising,
        .steps = steps_of(evaluation, steps),
        .classes = classes_of(evaluation, classes),
        .table = table_answer(&evaluation->table, http_arena(evaluation->exchange)),
        .images = image_answer(&evaluation->images),
        .seconds = seconds,
    };
    if (evaluation->has_curve)
        answer.curve =
            (struct curve_distance){curve[0].value, curve[0].p99, curve[1].value, curve[1].p99};
    for (int which = 0; which < DN_METRIC_COUNT; which++)
        answer.metrics[which] = metric_at(evaluation, evaluation->first_metric + 2 * which);
    struct json_writer json = json_reply(evaluation->exchange, 200);
    fields_write(&evaluation_answer, &answer, &json);
}

/* ------------------------------------------------------------------ stored responses */

/* Everything that the response depends on besides the model's id and epoch: the request, the state
 * of the model, and the program. */
static const char *key_of(const struct evaluation *evaluation, const struct model *row) {
    const struct dn_sample_request *request = &evaluation->asked;
    const char *program = program_of(evaluation->exchange);
    const char *sampler = dn_sampler_names[request->sampler]; /* NULL for SAMPLER_OPEN */
    if (!program)
        return NULL;
    return http_format(evaluation->exchange,
                       "%s %lld %s n=%d seed=%llu %s/%d %.17g %.17g %.17g..%.17g %d", program,
                       (long long)row->updated_at, row->variant, request->n,
                       (unsigned long long)request->seed, sampler ? sampler : "usual",
                       request->steps, request->eta, request->guidance, request->guidance_ratio_min,
                       request->guidance_ratio_max, request->clip);
}

/* Is it of the current model, with the usual settings? */
static bool is_plain(const struct evaluation *evaluation) {
    const struct dn_sample_request *request = &evaluation->asked;
    const struct dn_usual_sampling usual =
        dn_sample_usual(dn_model_spec(evaluation->loaded.model), false);
    return evaluation->epoch == 0 && evaluation->request.sampler == usual.sampler &&
           evaluation->request.steps == usual.steps && isnan(request->eta) &&
           isnan(request->guidance) && isnan(request->guidance_ratio_min) &&
           isnan(request->guidance_ratio_max) && request->clip;
}

/* Responds with what is stored, before anything is loaded or computed. False: nothing is. */
static bool answer_kept(struct evaluation *evaluation) {
    struct http_exchange *exchange = evaluation->exchange;
    struct store_session *session = begin_reading(exchange);
    struct model row;
    char *answer = NULL;
    if (!session)
        return true;
    if (store_model_at(session, exchange->request.ids[0], evaluation->epoch, false, &row) ==
        STORE_OK) {
        evaluation->key = key_of(evaluation, &row);
        if (evaluation->key)
            store_evaluation_get(session, row.id, row.epoch, evaluation->key, &answer);
        model_clear(&row);
    }
    end_reading(exchange, session);
    if (answer) {
        json_reply(exchange, 200);
        buffer_text(&exchange->response.body, answer);
    }
    free(answer);
    return exchange->response.status == 200;
}

static struct figures figures_of(const struct evaluation *evaluation) {
    const struct measurement *tasks = evaluation->tasks;
    const struct measurement *metrics = &tasks[evaluation->first_metric];
    return (struct figures){
        .n = evaluation->request.n,
        .curve = evaluation->has_curve ? figure_of(&tasks[evaluation->first_curve])
                                       : (struct figure){NAN, NAN},
        .energy = figure_of(&metrics[2 * DN_ENERGY_DISTANCE]),
        .coverage = figure_of(&metrics[2 * DN_COVERAGE]),
    };
}

/* The judge of these images, if an evaluation has stored it; a failure to read it costs time only. */
static void find_judge(struct evaluation *evaluation) {
    struct store *store = service_of(evaluation->exchange)->store;
    void *bytes = NULL;
    size_t size;
    evaluation->judge_key =
        image_judge_key(&evaluation->images, &evaluation->data, http_arena(evaluation->exchange));
    struct store_session *session = evaluation->judge_key ? store_acquire(store) : NULL;
    if (session && store_judge_get(session, evaluation->judge_key, &bytes, &size) == STORE_OK &&
        !image_judge_take(&evaluation->images, bytes, size))
        log_line(LOG_WARN, "a stored judge is damaged: another is trained", "model=%s",
                 evaluation->loaded.row.id);
    if (session)
        store_release(store, session);
    free(bytes);
}

static enum store_status keep_judge(const struct evaluation *evaluation,
                                    struct store_session *session) {
    const struct dn_judge *judge = evaluation->images.judge;
    if (!evaluation->images.is_new || !evaluation->judge_key)
        return STORE_OK;
    const size_t size = dn_judge_bytes(judge);
    void *bytes = malloc(size);
    if (!bytes)
        return STORE_ERROR;
    dn_judge_save(judge, bytes);
    const enum store_status status = store_judge_keep(session, evaluation->judge_key, bytes, size);
    free(bytes);
    return status;
}

static enum store_status keep(void *argument, struct store_session *session) {
    const struct evaluation *evaluation = argument;
    const struct buffer *body = &evaluation->exchange->response.body;
    const bool has_figures = is_plain(evaluation) && !is_of_images(evaluation);
    const struct figures figures = has_figures ? figures_of(evaluation) : (struct figures){0};
    const char *answer = arena_copy(http_arena(evaluation->exchange), body->data, body->length);
    if (!answer)
        return STORE_ERROR;
    const enum store_status status = keep_judge(evaluation, session);
    if (status != STORE_OK)
        return status;
    return store_evaluation_keep(session, &evaluation->loaded.row, evaluation->key, answer,
                                 has_figures ? &figures : NULL);
}

/* A response that cannot be stored is still sent; the next request computes it again. */
static void keep_answer(struct evaluation *evaluation) {
    struct http_exchange *exchange = evaluation->exchange;
    /* The model may have changed since answer_kept. */
    evaluation->key = key_of(evaluation, &evaluation->loaded.row);
    if (!evaluation->key || exchange->response.body.failed || http_is_stopping(exchange))
        return;
    pool_step_out();
    const enum store_status status = writer_do(service_of(exchange)->writer, keep, evaluation);
    pool_step_in();
    if (status != STORE_OK)
        log_line(LOG_INFO, "an evaluation was not kept", "model=%s", evaluation->loaded.row.id);
}

/* ------------------------------------------------------------------ the request */

static bool fits_model(struct evaluation *evaluation) {
    struct problem_fields wrong = {.arena = http_arena(evaluation->exchange)};
    const struct dn_model *model = evaluation->loaded.model;
    struct dn_sample_request *request = &evaluation->request;
    const bool is_open = request->n == 0;
    if (is_open)
        request->n = EVALUATION_DEFAULT;
    sampling_fit(request, model, &wrong);
    if (is_open) /* as many as one request may cost */
        request->n =
            (int)fmax(fmin(request->n, cost_affordable(evaluation->exchange, model, request)),
                      EVALUATION_MIN);
    image_plan(&evaluation->images, model, request);
    if (!is_of_images(evaluation) && request->n > DN_MAX_ASSIGNMENT)
        problem_add(&wrong, "/n", "must be at most %d for a model of points", DN_MAX_ASSIGNMENT);
    if (!problem_none(evaluation->exchange, &wrong) ||
        !cost_fits(evaluation->exchange, model, request))
        return false;
    const char *text = evaluation->loaded.row.form;
    const struct table_form *form = text ? form_read(text, wrong.arena) : NULL;
    if ((!text || form) &&
        table_plan(&evaluation->table, model, form, request,
                   cost_affordable(evaluation->exchange, model, request), wrong.arena))
        return true;
    problem(evaluation->exchange, PROBLEM_NO_MEMORY, "not enough memory for the form of the rows");
    return false;
}

/* Most of the memory for points: for the training data (n [dim]) as floats in two units and, by axis,
 * as doubles for two threads at a time; and for the samples. */
static size_t point_bytes(const struct evaluation *evaluation, size_t n, size_t dim) {
    const size_t samples = (size_t)evaluation->request.n, frames = 2 * (size_t)EVALUATION_FRAMES;
    return n * (dim * (2 * sizeof(float) + 2 * sizeof(double)) + 32) +
           frames * dim * samples * sizeof(float) + 2 * samples * samples * sizeof(float) +
           table_bytes(&evaluation->table, evaluation->loaded.model);
}

/* False: the error is already the response. */
static bool reserve(struct evaluation *evaluation) {
    const struct dn_model *model = evaluation->loaded.model;
    const struct dn_dataset_spec *set = &dn_model_spec(model)->dataset;
    const size_t dim = (size_t)set->dim;
    size_t n = 0;
    for (int k = 0; k < set->source_count; k++)
        n += (size_t)set->sources[k].n;
    const size_t measured = is_of_images(evaluation)
                                ? 2 * n * dim + image_bytes(&evaluation->images, model)
                                : point_bytes(evaluation, n, dim);
    return http_reserve(evaluation->exchange,
                        measured + 2 * dn_sampling_bytes(model, &evaluation->request));
}

static void evaluate(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    struct evaluation *evaluation = exchange->state;
    const double started = clock_monotonic();
    if (reserve(evaluation) &&
        load_training_data(exchange, &evaluation->loaded.row, &evaluation->data, NULL)) {
        pool_begin_alone(); /* hashing the data cannot pause */
        find_judge(evaluation);
        pool_end_alone();
        enum dn_status status = evaluation_run(evaluation);
        if (status == DN_OK) {
            reply(evaluation, clock_monotonic() - started);
            keep_answer(evaluation);
        } else {
            point_stream_failure(exchange, status, evaluation->error.text);
        }
    }
    evaluation_clear(evaluation);
}

static void release(struct http_exchange *exchange) {
    evaluation_clear(exchange->state);
}

/* Any evaluation is much work, and it is less urgent than samples. */
static void begin(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    struct evaluation *evaluation = exchange->state;
    if (load_model(exchange, evaluation->epoch, &evaluation->loaded) && fits_model(evaluation))
        http_then_on_pool(exchange, evaluate, TURN_BACKGROUND);
}

enum http_next api_evaluation(struct http_exchange *exchange) {
    struct evaluation *evaluation = http_alloc(exchange, sizeof *evaluation);
    if (!evaluation)
        return HTTP_REPLY;
    evaluation->exchange = exchange;
    exchange->release = release;
    evaluation->request = sampling_default(0); /* n is open */
    exchange->state = evaluation;
    if (!path_id(exchange, PROBLEM_NO_SUCH_MODEL) ||
        !read_query(exchange, &evaluation_fields, evaluation))
        return HTTP_REPLY;
    evaluation->asked = evaluation->request;
    return answer_kept(evaluation) ? HTTP_REPLY : http_on_pool(exchange, begin);
}
