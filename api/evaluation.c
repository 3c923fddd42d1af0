/* /v1/models/{id}/evaluation: how good a model is, in numbers, each beside what data itself gets.
 */
#include "api/evaluation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/contract/caching.h"
#include "api/contract/openapi.h"
#include "api/cost.h"
#include "api/format/point_stream.h"
#include "api/sampling.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/threads/writer.h"

enum { EVALUATION_DEFAULT = 1000, EVALUATION_LEAST = 16 };

#define AT(member) offsetof(struct evaluation, request.member)
static const struct field rows[] = {
    {"", "n", FIELD_INTEGER, AT(n), EVALUATION_LEAST, DN_MAX_ASSIGNMENT, 0, NULL,
     "Number of points to draw and to compare with the same number of data points."},
    {"", "seed", FIELD_SEED, AT(seed), 0, 0, 0, NULL, "Seed of the points and of the data."},
    {"", "sampler", FIELD_CHOICE, AT(sampler), 0, 0, 0, dn_sampler_names, "As for samples."},
    {"", "steps", FIELD_INTEGER, AT(steps), 1, DN_MAX_TIMESTEPS, 0, NULL, "As for samples."},
    {"", "eta", FIELD_NUMBER, AT(eta), 0, 1, 0, NULL, "As for samples."},
    {"", "guidance", FIELD_NUMBER, AT(guidance), 0, DN_MAX_GUIDANCE, 0, NULL,
     "As for samples. Without label and class, each class is drawn in its proportion in the data."},
    {"", "clip", FIELD_BOOLEAN, AT(clip), 0, 0, 0, NULL, "As for samples."},
    EPOCH_ROW(offsetof(struct evaluation, epoch)),
};
const struct field_set evaluation_fields = {rows, sizeof rows / sizeof rows[0]};

/* ------------------------------------------------------------------ the answer */

static void write_number(struct json_writer *json, const char *key, double value) {
    json_key(json, key);
    json_double(json, value);
}

/* Value and floor. */
static void write_pair(struct json_writer *json, const char *key, const struct measurement *pair) {
    json_key(json, key);
    json_open(json, '{');
    write_number(json, "value", pair[0].value);
    write_number(json, "floor", pair[1].value);
    json_close(json, '}');
}

static void write_metrics(const struct evaluation *evaluation, struct json_writer *json) {
    const struct measurement *tasks = evaluation->tasks;
    const struct measurement *curve = &tasks[evaluation->first_curve];
    json_key(json, "metrics");
    json_open(json, '{');
    json_key(json, "curve_distance");
    if (evaluation->has_curve) {
        json_open(json, '{');
        write_number(json, "mean", curve[0].value);
        write_number(json, "p99", curve[0].p99);
        write_number(json, "floor", curve[1].value);
        write_number(json, "floor_p99", curve[1].p99);
        json_close(json, '}');
    } else {
        json_null(json);
    }
    for (int which = 0; which < DN_METRIC_COUNT; which++)
        write_pair(json, dn_metric_names[which], &tasks[evaluation->first_metric + 2 * which]);
    write_pair(json, "training_distance", &tasks[evaluation->first_nearest]);
    json_key(json, "denoising_loss");
    json_open(json, '{');
    write_number(json, "model", evaluation->denoising.model);
    write_number(json, "optimal", evaluation->denoising.optimal);
    write_number(json, "excess", evaluation->denoising.excess);
    json_close(json, '}');
    json_close(json, '}');
}

static void write_steps(const struct evaluation *evaluation, struct json_writer *json) {
    const struct measurement *frame = &evaluation->tasks[evaluation->first_frame];
    int timesteps[DN_MAX_TIMESTEPS + 1];
    json_key(json, "curve_distance_per_step");
    if (!evaluation->has_curve) {
        json_null(json);
        return;
    }
    dn_sample_timesteps(evaluation->loaded.model, &evaluation->request, timesteps);
    json_open(json, '[');
    for (int k = 0; k < evaluation->frames; k++) {
        const bool is_last = k == evaluation->frames - 1;
        json_open(json, '{');
        json_key(json, "timestep");
        json_integer(json,
                     timesteps[dn_frame_step(k, evaluation->frames, evaluation->request.steps)]);
        write_number(json, "x", frame[2 * k].value);
        write_number(json, "x0", is_last ? NAN : frame[2 * k + 1].value);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void write_classes(const struct evaluation *evaluation, struct json_writer *json) {
    const char *const *names = model_class_names(&evaluation->loaded.row, evaluation->data.classes,
                                                 http_arena(evaluation->exchange));
    json_key(json, "per_class");
    if (evaluation->data.classes == 0) {
        json_null(json);
        return;
    }
    json_open(json, '[');
    for (int label = 0; label < evaluation->data.classes; label++) {
        const struct measurement *of =
            &evaluation->tasks[evaluation->first_class + PER_CLASS * label];
        int64_t n = 0;
        for (size_t i = 0; i < evaluation->fresh[0].n; i++)
            n += evaluation->fresh[0].labels[i] == label;
        json_open(json, '{');
        json_key(json, "label");
        json_string(json, names ? names[label] : NULL);
        json_key(json, "class");
        json_integer(json, label);
        json_key(json, "n");
        json_integer(json, n);
        write_number(json, "curve_distance", of[CLASS_CURVE].value);
        write_pair(json, "energy_distance", &of[CLASS_ENERGY]);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void reply(const struct evaluation *evaluation, double seconds) {
    const struct dn_sample_request *request = &evaluation->request;
    struct json_writer json = json_reply(evaluation->exchange, 200);
    json_open(&json, '{');
    json_key(&json, "model");
    json_string(&json, evaluation->loaded.row.id);
    json_key(&json, "epoch");
    json_integer(&json, evaluation->loaded.row.epoch);
    json_key(&json, "n");
    json_integer(&json, request->n);
    json_key(&json, "seed");
    json_integer(&json, (int64_t)request->seed);
    json_key(&json, "sampler");
    json_string(&json, dn_sampler_names[request->sampler]);
    json_key(&json, "steps");
    json_integer(&json, request->steps);
    write_metrics(evaluation, &json);
    write_steps(evaluation, &json);
    write_classes(evaluation, &json);
    write_number(&json, "duration_seconds", seconds);
    json_close(&json, '}');
}

/* ------------------------------------------------------------------ what is kept */

/* All that the answer depends on beside the model's id and epoch: what was asked for, the state of
 * the model, and the program. */
static const char *key_of(const struct evaluation *evaluation, const struct model *row) {
    const struct dn_sample_request *request = &evaluation->asked;
    const char *program = program_of(evaluation->exchange);
    if (!program)
        return NULL;
    return http_format(evaluation->exchange, "%s %lld %s n=%d seed=%llu %s/%d %.17g %.17g %d",
                       program, (long long)row->updated_at, row->variant, request->n,
                       (unsigned long long)request->seed, dn_sampler_names[request->sampler],
                       request->steps, request->eta, request->guidance, request->clip);
}

static bool is_plain(const struct evaluation *evaluation) {
    const struct dn_sample_request *request = &evaluation->asked;
    return evaluation->epoch == 0 && request->sampler == 0 && request->steps == 0 &&
           isnan(request->eta) && isnan(request->guidance) && request->clip;
}

/* Answers with what was kept. False: there is none, or the error is already the answer. */
static bool find_kept(struct evaluation *evaluation, struct store_session *session,
                      const struct model *row) {
    struct http_exchange *exchange = evaluation->exchange;
    char *answer;
    evaluation->key = key_of(evaluation, row);
    if (!evaluation->key ||
        store_evaluation_get(session, row->id, row->epoch, evaluation->key, &answer) != STORE_OK)
        return false;
    json_reply(exchange, 200);
    buffer_text(&exchange->response.body, answer);
    free(answer);
    return true;
}

/* Looks before anything is loaded or computed. */
static bool answer_kept(struct evaluation *evaluation) {
    struct http_exchange *exchange = evaluation->exchange;
    struct store_session *session = begin_reading(exchange);
    struct model row;
    if (!session)
        return true;
    bool found = false;
    if (store_model_at(session, exchange->request.ids[0], evaluation->epoch, false, &row) ==
        STORE_OK) {
        found = find_kept(evaluation, session, &row);
        model_clear(&row);
    }
    end_reading(exchange, session);
    return found;
}

static struct figures figures_of(const struct evaluation *evaluation) {
    const struct measurement *curve = &evaluation->tasks[evaluation->first_curve];
    const struct measurement *energy =
        &evaluation->tasks[evaluation->first_metric + 2 * DN_ENERGY_DISTANCE];
    const struct measurement *coverage =
        &evaluation->tasks[evaluation->first_metric + 2 * DN_COVERAGE];
    return (struct figures){
        .n = evaluation->request.n,
        .curve = {evaluation->has_curve ? curve[0].value : NAN,
                  evaluation->has_curve ? curve[1].value : NAN},
        .energy = {energy[0].value, energy[1].value},
        .coverage = {coverage[0].value, coverage[1].value},
    };
}

static enum store_status keep(void *argument, struct store_session *session) {
    const struct evaluation *evaluation = argument;
    const struct buffer *body = &evaluation->exchange->response.body;
    const struct figures figures = figures_of(evaluation);
    const char *answer = http_format(evaluation->exchange, "%.*s", (int)body->length, body->data);
    if (!answer)
        return STORE_ERROR;
    return store_evaluation_keep(session, &evaluation->loaded.row, evaluation->key, answer,
                                 is_plain(evaluation) ? &figures : NULL);
}

/* An answer that cannot be kept is an answer all the same: it is computed anew the next time. */
static void keep_answer(struct evaluation *evaluation) {
    struct http_exchange *exchange = evaluation->exchange;
    /* The model may have changed since it was looked for. */
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
    sampling_fit(&evaluation->request, evaluation->loaded.model, &wrong);
    if (wrong.count > 0)
        problem_send(evaluation->exchange, &wrong);
    return wrong.count == 0 &&
           cost_fits(evaluation->exchange, evaluation->loaded.model, evaluation->request.n,
                     dn_sample_evaluations(evaluation->loaded.model, &evaluation->request));
}

/* What the model was trained on. False: the error is already the answer. */
static bool load_data(struct evaluation *evaluation) {
    static const enum problem_code problems[JOB_ERRORS] = {
        [JOB_ERROR_NO_MEMORY] = PROBLEM_NO_MEMORY,
        [JOB_ERROR_DATASET_MISSING] = PROBLEM_DATASET_MISSING,
        [JOB_ERROR_DATASET_DIFFERS] = PROBLEM_DATASET_DIFFERS,
        [JOB_ERROR_SPEC_UNREADABLE] = PROBLEM_SPEC_UNREADABLE,
    };
    struct http_exchange *exchange = evaluation->exchange;
    struct store_session *session = begin_reading(exchange);
    struct training training = {0};
    struct training_failure failure = {0};
    enum dn_status status = DN_OK;
    if (!session)
        return false;
    const bool loaded =
        api_load_training(evaluation->loaded.row.spec, session, &training, &failure);
    end_reading(exchange, session);
    if (!loaded && failure.error)
        problem(exchange, problems[failure.error], failure.why.text[0] ? failure.why.text : NULL);
    else if (!loaded)
        problem_store(exchange, STORE_ERROR);
    else if (!training.data.points)
        status = dn_data_draw(&training.spec, NULL, &training.data, &failure.why);
    if (status != DN_OK)
        point_stream_failure(exchange, status, failure.why.text);
    evaluation->data = training.data;
    return loaded && status == DN_OK;
}

/* What it will take, for the most part: points of the training data (n [dim]) as floats in two
 * units, and by axis as doubles for two threads at a time, and the points of the model. False: the
 * error is already the answer. */
static bool reserve(struct evaluation *evaluation) {
    const struct dn_sample_request *request = &evaluation->request;
    const struct dn_model *model = evaluation->loaded.model;
    const struct dn_dataset_spec *set = &dn_model_spec(model)->dataset;
    const size_t point = (size_t)set->dim;
    size_t n = 0;
    for (int k = 0; k < set->source_count; k++)
        n += (size_t)set->sources[k].n;
    const size_t frames = 2 * (size_t)EVALUATION_FRAMES;
    const size_t assignment = (size_t)request->n * (size_t)request->n * sizeof(float);
    return http_reserve(evaluation->exchange,
                        n * (point * (2 * sizeof(float) + 2 * sizeof(double)) + 32) +
                            frames * point * (size_t)request->n * sizeof(float) + 2 * assignment +
                            2 * dn_sampling_bytes(model, request));
}

static void evaluate(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    struct evaluation *evaluation = exchange->state;
    const double started = clock_monotonic();
    const char *detail = "";
    pool_begin_alone(); /* patterns are drawn, or uploads are dealt out, in one go */
    const bool loaded = reserve(evaluation) && load_data(evaluation);
    pool_end_alone();
    if (loaded) {
        enum dn_status status = evaluation_run(evaluation, &detail);
        if (status == DN_OK) {
            reply(evaluation, clock_monotonic() - started);
            keep_answer(evaluation);
        } else {
            point_stream_failure(exchange, status, detail);
        }
    }
    evaluation_clear(evaluation);
}

static void release(struct http_exchange *exchange) {
    evaluation_clear(exchange->state);
}

/* It is much work, whatever the model, and nobody waits for it as for a picture. */
static void begin(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    struct evaluation *evaluation = exchange->state;
    if (load_model(exchange, evaluation->epoch, &evaluation->loaded) && fits_model(evaluation))
        http_then_on_pool(exchange, evaluate, TURN_BACKGROUND);
}

enum http_next api_evaluation(struct http_exchange *exchange) {
    struct evaluation *evaluation = need_memory(exchange, sizeof *evaluation);
    if (!evaluation)
        return HTTP_REPLY;
    evaluation->exchange = exchange;
    exchange->release = release;
    evaluation->request = (struct dn_sample_request){.n = EVALUATION_DEFAULT,
                                                     .clip = true,
                                                     .eta = NAN, /* not given */
                                                     .guidance = NAN,
                                                     .label = DN_LABELS_IN_TURN};
    exchange->state = evaluation;
    if (!path_id(exchange, PROBLEM_NO_SUCH_MODEL) ||
        !read_query(exchange, &evaluation_fields, evaluation))
        return HTTP_REPLY;
    evaluation->asked = evaluation->request;
    return answer_kept(evaluation) ? HTTP_REPLY : http_on_pool(exchange, begin);
}
