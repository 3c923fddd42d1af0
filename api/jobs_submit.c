/* The requests that put a job into the queue: POST /v1/jobs and POST /v1/jobs/{id}/resume. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/api.h"
#include "api/contract/handlers.h"
#include "api/contract/idempotency.h"
#include "api/contract/names.h"
#include "api/contract/openapi.h"
#include "api/datasets.h"
#include "api/jobs.h"
#include "api/spec/cost.h"
#include "api/spec/spec.h"
#include "api/spec/warnings.h"
#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/jobs/estimate.h"
#include "server/threads/pool.h"

/* ------------------------------------------------------------------ POST /v1/jobs */

struct submission {
    struct job job;
    char id[ID_LENGTH + 1]; /* of the job that is the answer: this one, or that of a replay */
    const char *key;        /* Idempotency-Key, or NULL */
    double wait_until;      /* monotonic; 0: without Prefer: wait */
    int answer;             /* 201, or 200 for a replay */
    struct job_request request;
};

/* Answers with the job that this key created before. False: there is none, so insert one. */
static bool replay(struct http_exchange *exchange, struct store_session *session,
                   struct submission *submission) {
    struct job *job = &submission->job;
    char id[ID_LENGTH + 1];
    bool same;
    enum store_status status = submission->key
                                   ? store_job_by_key(session, submission->key, job, id, &same)
                                   : STORE_NOT_FOUND;
    if (status == STORE_NOT_FOUND)
        return false;
    if (status != STORE_OK) {
        problem_store(exchange, status);
    } else if (!same) {
        idempotency_reused(exchange);
    } else {
        memcpy(submission->id, id, sizeof id);
        submission->answer = 200;
        job_reply(exchange, session, id, 200);
        idempotency_replayed(exchange, "/v1/jobs/", id);
    }
    return true;
}

/* Records which uploads the job uses, so that nobody deletes them. False: the error is already the
 * response. */
static bool note_uploads(struct http_exchange *exchange, struct store_session *session,
                         const char *id, const struct job_request *request) {
    for (int k = 0; k < request->spec.dataset.source_count; k++) {
        const char *upload = request->uploads[k].id;
        enum store_status status = upload[0] ? store_job_uses(session, id, upload) : STORE_OK;
        if (status == STORE_NOT_FOUND)
            problem(exchange, PROBLEM_DATASET_MISSING,
                    http_format(exchange, "the data set %s has been deleted", upload));
        else if (status != STORE_OK)
            problem_store(exchange, status);
        if (status != STORE_OK)
            return false;
    }
    return true;
}

/* Is there room in the queue? False: the error is already the response. *place: of the next job. */
static bool has_place(struct http_exchange *exchange, struct store_session *session,
                      int64_t *place) {
    int64_t queued, waiting;
    enum store_status status = store_queue_length_once(session, &queued, &waiting);
    *place = queued - waiting;
    const bool has = status == STORE_OK && queued < service_of(exchange)->max_queued;
    if (status != STORE_OK) {
        problem_store(exchange, status);
    } else if (!has) {
        problem(exchange, PROBLEM_QUEUE_FULL,
                http_format(exchange, "the queue is full with %lld jobs; try again later",
                            (long long)queued));
        http_set_header(exchange, "Retry-After", "10");
    }
    return has;
}

static void locate(struct http_exchange *exchange, const char *id) {
    http_set_header(exchange, "Location", http_format(exchange, "/v1/jobs/%s", id));
}

/* Answers with the job if an earlier run, whose commit got no answer, has inserted it. */
static bool find_inserted(struct http_exchange *exchange, struct store_session *session,
                          const char *id) {
    struct job job;
    const bool found = store_job_get(session, id, &job) == STORE_OK;
    if (found) {
        job_clear(&job);
        job_reply(exchange, session, id, 201);
        locate(exchange, id);
    }
    return found;
}

static void insert_job(struct http_exchange *exchange, struct store_session *session) {
    struct submission *submission = exchange->state;
    const struct job *job = &submission->job;
    int64_t place;
    if (http_is_in_doubt(exchange) && find_inserted(exchange, session, job->id))
        return;
    if (replay(exchange, session, submission) || !has_place(exchange, session, &place))
        return;
    enum store_status status = store_job_insert(session, job, submission->key);
    if (status == STORE_CONFLICT && replay(exchange, session, submission))
        return; /* another node was faster */
    if (status != STORE_OK) {
        problem_store(exchange, status);
        return;
    }
    if (!note_uploads(exchange, session, job->id, &submission->request))
        return;
    job_reply_new(exchange, job, place, 201);
    locate(exchange, job->id);
}

static void wake_workers(struct http_exchange *exchange) {
    workers_wake(service_of(exchange)->workers);
}

/* For Prefer: wait. */
static bool is_over(struct http_exchange *exchange) {
    const struct submission *submission = exchange->state;
    return job_is_over(exchange, submission->id, submission->wait_until, submission->answer);
}

enum { WAIT_MAX_SECONDS = 60 };

/* The end of a preference in a list: the next comma that is not in quotes. */
static const char *member_end(const char *at) {
    for (bool is_quoted = false; *at && (is_quoted || *at != ','); at++) {
        if (*at == '"')
            is_quoted = !is_quoted;
        else if (is_quoted && *at == '\\' && at[1])
            at++;
    }
    return at;
}

/* The N of `wait=N`, where the name ends at `at`: digits, perhaps in quotes or followed by
 * parameters. 0 if it is malformed. */
static int seconds_of(const char *at, const char *end) {
    at += strspn(at, " \t");
    if (*at++ != '=')
        return 0;
    at += strspn(at, " \t");
    const bool is_quoted = *at == '"';
    const char *digits = at + is_quoted;
    const size_t length = strspn(digits, "0123456789");
    const char *rest = digits + length;
    if (length == 0 || (is_quoted && *rest++ != '"'))
        return 0;
    rest += strspn(rest, " \t");
    const long seconds = length > 9 ? WAIT_MAX_SECONDS : strtol(digits, NULL, 10);
    return rest != end && *rest != ';'  ? 0
           : seconds > WAIT_MAX_SECONDS ? WAIT_MAX_SECONDS
                                        : (int)seconds;
}

/* The seconds of the first "Prefer: wait=N" (RFC 7240), or 0. Other preferences are ignored. */
static int preferred_wait(struct http_exchange *exchange) {
    const char *at = http_header(exchange, "Prefer");
    while (at && *at) {
        at += strspn(at, ", \t");
        const char *end = member_end(at);
        const size_t name = strcspn(at, "=;, \t");
        if (name == 4 && strncasecmp(at, "wait", 4) == 0)
            return seconds_of(at + name, end);
        at = end;
    }
    return 0;
}

/* Makes the row to insert, in the exchange's arena. NULL: no memory. */
static struct submission *make_submission(struct http_exchange *exchange,
                                          const struct job_request *request) {
    struct submission *submission = http_alloc(exchange, sizeof *submission);
    if (!submission)
        return NULL;
    struct buffer spec = {0}, dataset = {0}, warnings = {0}, words = {0};
    spec_write(request, &(struct json_writer){.out = &spec});
    spec_dataset_name(request, &dataset);
    spec_words(request, request->name, &words);
    warnings_write(NULL, request, &(struct json_writer){.out = &warnings});
    struct job *job = &submission->job;
    id_new(job->id);
    memcpy(submission->id, job->id, sizeof submission->id);
    job->name = request->name[0] ? http_format(exchange, "%s", request->name) : NULL;
    job->dataset = keep_text(exchange, &dataset);
    job->spec = keep_text(exchange, &spec);
    job->form = spec_form(request) ? http_format(exchange, "%s", spec_form(request)) : NULL;
    job->words = keep_text(exchange, &words);
    job->warnings = keep_text(exchange, &warnings);
    job->epochs = request->spec.training.epochs;
    job->steps = (int64_t)job->epochs * dn_spec_steps_per_epoch(&request->spec);
    job->memory = cost_memory(exchange, &request->spec);
    job->created_at = clock_now_ms();
    submission->request = *request;
    submission->answer = 201;
    return http_arena(exchange)->failed ? NULL : submission;
}

/* Rounds an estimate to two digits, and to at least the time that a job needs to start. */
static double rounded(double seconds) {
    const double least = 0.01;
    char text[32];
    snprintf(text, sizeof text, "%.1e", seconds < least ? least : seconds);
    return strtod(text, NULL);
}

struct estimate {
    int64_t memory_bytes, checkpoint_bytes, model_bytes;
    double seconds;
};
struct validation {
    const char *id;
    bool valid;
    const char *spec, *warnings;
    int64_t steps, parameters;
    struct estimate estimate;
};
#define BYTES(member, about)                                                                       \
    { "", #member, FIELD_INT64, offsetof(struct estimate, member), 1, INFINITY, .doc = (about) }
static const struct field estimate_rows[] = {
    BYTES(memory_bytes,
          "Maximum memory for training in the server; `--max-training-memory` limits the total for "
          "all running jobs."),
    BYTES(checkpoint_bytes, "Size of a checkpoint in the database; two are kept."),
    BYTES(model_bytes, "Size of the model in the database."),
    {"", "seconds", FIELD_NUMBER, offsetof(struct estimate, seconds), .flags = FIELD_OR_NULL,
     .doc = "Training time on idle processors, within a factor of two, estimated from small "
            "training steps measured on this machine; null when there was not enough memory to "
            "measure them."},
};
const struct field_set estimate_answer =
    ANSWER(estimate_rows, .doc = "Estimated cost of training.");
#define AT(member) offsetof(struct validation, member)
static const struct field validation_rows[] = {
    /* tells typed clients that there is no job */
    {"", "id", FIELD_STRING, AT(id), .flags = FIELD_OR_NULL,
     .doc = "null, because nothing was queued."},
    {"", "valid", FIELD_BOOLEAN, AT(valid), .schema = "True"},
    {"", "spec", FIELD_JSON, AT(spec), .schema = "JobRequest"},
    {"", "steps", FIELD_INT64, AT(steps)},
    {"", "parameters", FIELD_INT64, AT(parameters)},
    {"", "warnings", FIELD_JSON, AT(warnings), .schema = "Warnings"},
    {"", "estimate", FIELD_OBJECT, AT(estimate), .schema = "Estimate", .set = &estimate_answer},
};
const struct field_set validation_answer = ANSWER(validation_rows);

/* For validate_only. The estimate may measure training steps, so this may need the pool. */
static void reply_valid(struct http_exchange *exchange, struct store_session *session) {
    (void)session;
    const struct submission *submission = exchange->state;
    const struct dn_spec *spec = &submission->request.spec;
    const struct validation answer = {
        .valid = true,
        .spec = submission->job.spec,
        .warnings = submission->job.warnings,
        .steps = submission->job.steps,
        .parameters = dn_spec_parameters(spec),
        .estimate = {submission->job.memory, dn_spec_checkpoint_bytes(spec),
                     dn_spec_model_bytes(spec),
                     rounded(estimate_seconds(spec, &exchange->stopping))},
    };
    struct json_writer json = json_reply(exchange, 200);
    fields_write(&validation_answer, &answer, &json);
}

/* Uploads that are looked up on an HTTP thread: each look-up reads all that is known of its columns. */
enum { UPLOADS_ON_LOOP = 2 };

struct creation {
    bool validate_only;
    int looked_up;
    bool on_loop, is_long; /* on_loop: it may not take long; is_long: it would have */
    bool is_away;          /* the database was, when an upload was looked up */
    struct http_exchange *exchange;
};

static enum store_status look_up(void *context, struct arena *arena,
                                 struct upload_request *upload) {
    struct creation *creation = context;
    creation->is_long |= creation->on_loop && creation->looked_up == UPLOADS_ON_LOOP;
    if (creation->is_long)
        return STORE_NOT_FOUND;
    creation->looked_up++;
    pool_pause();
    const enum store_status status = dataset_lookup(creation->exchange, arena, upload);
    creation->is_away |= status == STORE_AWAY;
    return status;
}

/* Reads the job in the body. False: the error is already the response, or creation->is_long. */
static bool read_job(struct creation *creation, struct job_request *request) {
    struct http_exchange *exchange = creation->exchange;
    cJSON *json = json_body(exchange, JSON_MAX_VALUES);
    if (!json)
        return false;
    struct problem_fields wrong = {.arena = http_arena(exchange)};
    spec_read(json, request, look_up, creation, &wrong);
    cJSON_Delete(json);
    if (creation->is_long)
        return false;
    if (creation->is_away) {
        problem_store(exchange, STORE_AWAY);
        return false;
    }
    const char *name =
        name_wrong(request->name, strlen(request->name)); /* stored ones were checked */
    if (name)
        problem_add(&wrong, "/name", "%s", name);
    return problem_none(exchange, &wrong);
}

/* What is to be inserted, with what follows from the headers. NULL: the error is already the
 * response, or creation->is_long. */
static struct submission *read_submission(struct creation *creation) {
    struct http_exchange *exchange = creation->exchange;
    struct job_request request;
    struct submission *submission;
    if (!read_job(creation, &request) || !(submission = make_submission(exchange, &request)) ||
        !cost_training_fits(exchange, &request.spec, submission->job.memory))
        return NULL;
    exchange->state = submission;
    if (creation->validate_only)
        return submission;
    if (!idempotency_key(exchange, &submission->key))
        return NULL;
    const int wait = preferred_wait(exchange);
    if (wait > 0) {
        submission->wait_until = clock_monotonic() + wait;
        exchange->poll = is_over;
        exchange->wait = (struct wait){
            .job = submission->id, .what = WAIT_FOR_STATUS, .until = submission->wait_until};
        http_set_header(exchange, "Preference-Applied", http_format(exchange, "wait=%d", wait));
    }
    exchange->after = wake_workers;
    return submission;
}

/* The whole creation of a job on many uploads. */
static void create_on_pool(struct http_exchange *exchange, struct store_session *session) {
    struct creation *creation = exchange->state;
    creation->on_loop = creation->is_long = false;
    if (!read_submission(creation))
        return;
    if (creation->validate_only)
        reply_valid(exchange, session);
    else
        http_then_on_writer(exchange, insert_job);
}

/* A job on uploads locks their rows. */
static enum http_next put_on_writer(struct http_exchange *exchange) {
    const struct submission *submission = exchange->state;
    const struct job_request *request = &submission->request;
    bool is_on_uploads = false;
    for (int k = 0; k < request->spec.dataset.source_count; k++)
        is_on_uploads |= request->uploads[k].id[0] != 0;
    if (is_on_uploads)
        return http_on_writer(exchange, insert_job);
    return http_on_writer_together(exchange, insert_job, submission->key ? submission->key : "");
}

static const struct field create_rows[] = {
    {"", "validate_only", FIELD_BOOLEAN, offsetof(struct creation, validate_only), 0, 0, 0, NULL,
     "Validate the job and return its complete spec, without queueing it."},
};
const struct field_set job_create_fields = {create_rows, 1};

enum http_next api_job_create(struct http_exchange *exchange) {
    struct creation *creation = http_alloc(exchange, sizeof *creation);
    if (!creation || !read_query(exchange, &job_create_fields, creation))
        return HTTP_REPLY;
    creation->exchange = exchange;
    creation->on_loop = true;
    if (!read_submission(creation)) {
        exchange->state = creation;
        return creation->is_long ? http_on_pool(exchange, create_on_pool) : HTTP_REPLY;
    }
    if (!creation->validate_only)
        return put_on_writer(exchange);
    if (!estimate_is_quick())
        return http_on_pool(exchange, reply_valid);
    reply_valid(exchange, NULL);
    return HTTP_REPLY;
}

/* ------------------------------------------------------------------ POST /v1/jobs/{id}/resume */

struct resume_body {
    int epochs; /* 0: as many as before */
    bool afresh;
    struct replay once;
    bool has_resumed; /* in a run that may not have been committed */
};
static const struct field resume_rows[] = {
    {"", "epochs", FIELD_INTEGER, offsetof(struct resume_body, epochs), 1, DN_MAX_EPOCHS, 0, NULL,
     "Total number of epochs, including those already trained; a larger number than before extends "
     "training."},
};
const struct field_set job_resume_fields = {resume_rows, 1};
static const struct field resume_query_rows[] = {
    {"", "afresh", FIELD_BOOLEAN, offsetof(struct resume_body, afresh), 0, 0, 0, NULL,
     "Train from the beginning instead, also a job that is still queued: its checkpoints, history "
     "and model are deleted. For a job with the warning `waits_for_kernels`, which no running "
     "server "
     "can continue to the same result."},
};
const struct field_set job_resume_query_fields = {resume_query_rows, 1};

/* Reads the stored spec and gives it the new number of epochs. False: the error is already the
 * response. */
static bool extend(struct http_exchange *exchange, const struct job *job, int epochs,
                   struct job_request *request) {
    struct dn_error why;
    if (!spec_read_stored(job->spec, request, http_arena(exchange), &why)) {
        problem(exchange, PROBLEM_SPEC_UNREADABLE, "the stored job cannot be read by this version");
        return false;
    }
    request->spec.training.epochs = epochs;
    if (dn_spec_check(&request->spec, &why) != DN_OK) {
        problem_field(exchange, "/epochs", why.text);
        return false;
    }
    return cost_training_fits(exchange, &request->spec, cost_memory(exchange, &request->spec));
}

/* Would training to this number of epochs take more steps? A job may have ended within an epoch. */
static bool has_more_steps(const struct job *job, int epochs) {
    const int64_t steps = epochs * (job->steps / job->epochs);
    return job->status == JOB_SUCCEEDED ? steps > job->step : steps >= job->step;
}

static void answer_active(struct http_exchange *exchange, const struct resume_body *body) {
    problem(exchange, PROBLEM_JOB_ACTIVE,
            body->afresh ? "the job is running: cancel it first"
                         : "the job is already queued or running");
}

/* Puts the job back into the queue. False: the error is already the response. */
static bool requeue(struct http_exchange *exchange, struct store_session *session,
                    const struct job *job, int epochs) {
    const struct resume_body *body = exchange->state;
    struct job_request request;
    struct buffer spec = {0}, warnings = {0};
    const bool has_own_place = job->status == JOB_QUEUED;
    int64_t at_end; /* not of this job, whose place is by its age */
    if ((!has_own_place && !has_place(exchange, session, &at_end)) ||
        !extend(exchange, job, epochs, &request) ||
        !note_uploads(exchange, session, job->id, &request))
        return false;
    spec_write(&request, &(struct json_writer){.out = &spec});
    warnings_write(job->warnings, &request, &(struct json_writer){.out = &warnings});
    const char *new_spec = keep_text(exchange, &spec);
    const char *new_warnings = keep_text(exchange, &warnings);
    if (!new_spec || !new_warnings)
        return false;
    const int64_t steps = (int64_t)epochs * dn_spec_steps_per_epoch(&request.spec);
    enum store_status status = (body->afresh ? store_job_restart : store_job_resume)(
        session, job->id, new_spec, epochs, steps, cost_memory(exchange, &request.spec));
    if (status == STORE_OK)
        status = store_rewarn(session, job->id, new_warnings);
    if (status == STORE_CONFLICT) /* another node was faster */
        answer_active(exchange, body);
    else if (status != STORE_OK)
        problem_store(exchange, status);
    return status == STORE_OK;
}

static void reply_again(struct http_exchange *exchange, struct store_session *session,
                        const char *id) {
    const struct resume_body *body = exchange->state;
    if (body->has_resumed && http_is_in_doubt(exchange)) { /* so it did, in that run */
        if (idempotency_created(exchange, STORE_OK, "/v1/jobs/", id))
            job_reply(exchange, session, id, 202);
        return;
    }
    job_reply(exchange, session, id, 200);
    idempotency_replayed(exchange, "/v1/jobs/", id);
}

static void resume_once(struct http_exchange *exchange, struct store_session *session,
                        const struct job *job) {
    struct resume_body *body = exchange->state;
    const int epochs = body->epochs ? body->epochs : job->epochs;
    /* as it was sent: "latest" may be another job by now */
    body->once.request = http_format(exchange, "%s %d%s", exchange->request.ids[0], body->epochs,
                                     body->afresh ? " afresh" : "");
    if (!idempotency_is_new(exchange, session, &body->once, job->id, reply_again))
        return;
    if (body->afresh ? job->status == JOB_RUNNING : job_is_active(job)) {
        answer_active(exchange, body);
    } else if (!body->afresh && !has_more_steps(job, epochs)) {
        problem_field(
            exchange, "/epochs",
            http_format(
                exchange,
                "is the total number of epochs, so it must be more than the %d already trained",
                job->epoch));
    } else if (requeue(exchange, session, job, epochs) &&
               idempotency_created(exchange, STORE_OK, "/v1/jobs/", job->id)) {
        job_reply(exchange, session, job->id, 202);
        body->has_resumed = true;
    }
}

static void resume_job(struct http_exchange *exchange, struct store_session *session) {
    struct job job;
    enum store_status status = store_job_get(session, exchange->request.ids[0], &job);
    if (status != STORE_OK) {
        answer_store(exchange, status, PROBLEM_NO_SUCH_JOB);
        return;
    }
    resume_once(exchange, session, &job);
    job_clear(&job);
}

enum http_next api_job_resume(struct http_exchange *exchange) {
    struct resume_body *body = http_alloc(exchange, sizeof *body);
    if (!body || !path_id(exchange, PROBLEM_NO_SUCH_JOB) ||
        !read_query(exchange, &job_resume_query_fields, body))
        return HTTP_REPLY;
    body->once.operation = "resumeJob";
    if (!idempotency_key(exchange, &body->once.key) ||
        !read_members(exchange, &job_resume_fields, body, JSON_MAX_VALUES, NULL))
        return HTTP_REPLY;
    if (!body->once.key && store_is_shared(service_of(exchange)->store)) {
        /* The job itself does not tell who has resumed it, if a commit gets no answer. */
        char own[ID_LENGTH + 1];
        id_new(own);
        body->once.key = http_format(exchange, "%s", own);
    }
    exchange->state = body;
    exchange->after = wake_workers;
    return http_on_writer(exchange, resume_job);
}
