/* /v1/jobs: submit, list, read, cancel, delete. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/datasets.h"
#include "api/handlers.h"
#include "api/jobs.h"
#include "api/openapi.h"
#include "api/spec.h"
#include "api/warnings.h"
#include "server/id.h"
#include "server/router.h"

/* ------------------------------------------------------------------ the job as JSON */

static void write_progress(const struct job *job, struct json_writer *json) {
    double rate = job->seconds > 0 ? (double)job->step / job->seconds : NAN;
    json_key(json, "progress");
    json_open(json, '{');
    json_key(json, "epoch");
    json_integer(json, job->epoch);
    json_key(json, "epochs");
    json_integer(json, job->epochs);
    json_key(json, "step");
    json_integer(json, job->step);
    json_key(json, "steps");
    json_integer(json, job->steps);
    json_key(json, "fraction");
    json_double(json, (double)job->step / (double)job->steps);
    json_key(json, "steps_per_second");
    json_double(json, rate);
    json_key(json, "eta_seconds");
    json_double(json, job->status == JOB_RUNNING ? (double)(job->steps - job->step) / rate : NAN);
    json_close(json, '}');
}

void job_write_error(const char *code, const char *detail, struct json_writer *json) {
    json_key(json, "error");
    if (!code) {
        json_null(json);
        return;
    }
    json_open(json, '{');
    json_key(json, "code");
    json_string(json, code);
    json_key(json, "detail");
    json_string(json, detail);
    json_close(json, '}');
}

static const struct link links[] = {
    {"self", "/v1/jobs/", ""},
    {"history", "/v1/jobs/", "/history"},
    {"events", "/v1/jobs/", "/events"},
    {"cancel", "/v1/jobs/", "/cancel"},
    {"model", "/v1/models/", ""},
    {"samples", "/v1/models/", "/samples"},
    {"trajectories", "/v1/models/", "/trajectories"},
};

void job_write(const struct job *job, struct json_writer *json) {
    json_open(json, '{');
    json_key(json, "id");
    json_string(json, job->id);
    json_key(json, "name");
    json_string(json, job->name);
    json_key(json, "status");
    json_string(json, job_status_names[job->status]);
    json_key(json, "queue_position");
    if (job->status == JOB_QUEUED)
        json_integer(json, job->queue_position);
    else
        json_null(json);
    json_key(json, "spec");
    json_raw(json, job->spec);
    write_progress(job, json);
    json_key(json, "metrics");
    json_open(json, '{');
    json_key(json, "train_loss");
    json_double(json, job->train_loss);
    json_key(json, "val_loss");
    json_double(json, job->val_loss);
    json_close(json, '}');
    job_write_error(job->error_code, job->error_detail, json);
    json_key(json, "warnings");
    json_raw(json, job->warnings);
    json_key(json, "model");
    json_string(json, job->has_model ? job->id : NULL);
    json_key(json, "attempt");
    json_integer(json, job->attempt);
    json_key(json, "created_at");
    json_time(json, job->created_at);
    json_key(json, "started_at");
    json_time(json, job->started_at);
    json_key(json, "finished_at");
    json_time(json, job->finished_at);
    write_links(json, links, sizeof links / sizeof *links, job->id);
    json_close(json, '}');
}

/* Answers with the job as it is now, or with why it cannot be read. */
static void reply_job(struct http_exchange *exchange, struct store_session *session, const char *id,
                      int http_status) {
    struct job job;
    enum store_status status = store_job_get(session, id, &job);
    if (status != STORE_OK) {
        answer_store(exchange, status, "job");
        return;
    }
    struct json_writer json = json_reply(exchange, http_status);
    job_write(&job, &json);
    job_clear(&job);
}

/* ------------------------------------------------------------------ POST /v1/jobs */

/* A submission on its way through the writer. */
struct submission {
    struct job job;
    const char *key;   /* Idempotency-Key, or NULL */
    double wait_until; /* monotonic; 0: Prefer: wait was not said */
    int answer;        /* 201, or 200 for a replay */
    struct job_request request;
};

/* The job that this key has made before, if any. False: go on and insert. */
static bool replay(struct http_exchange *exchange, struct store_session *session,
                   struct submission *submission) {
    char id[STORE_ID_LENGTH + 1];
    struct job earlier;
    if (!submission->key || store_job_by_key(session, submission->key, id) != STORE_OK ||
        store_job_get(session, id, &earlier) != STORE_OK)
        return false;
    const char *name = submission->job.name ? submission->job.name : "";
    bool same = strcmp(earlier.spec, submission->job.spec) == 0 &&
                strcmp(earlier.name ? earlier.name : "", name) == 0;
    job_clear(&earlier);
    if (!same) {
        problem(exchange, 422, "idempotency_key_reused",
                "this Idempotency-Key was used before, with another job");
        return true;
    }
    memcpy(submission->job.id, id, sizeof id);
    submission->answer = 200;
    reply_job(exchange, session, id, 200);
    http_set_header(exchange, "Idempotency-Replayed", "true");
    return true;
}

/* Notes which uploads the job needs, so that they stay. False: the error is already the answer. */
static bool note_uploads(struct http_exchange *exchange, struct store_session *session,
                         const char *id, const struct job_request *request) {
    for (int k = 0; k < request->spec.dataset.source_count; k++) {
        const char *upload = request->uploads[k].id;
        enum store_status status = upload[0] ? store_job_uses(session, id, upload) : STORE_OK;
        if (status == STORE_NOT_FOUND)
            problem(exchange, 409, "dataset_missing",
                    http_format(exchange, "the data set %s has been deleted", upload));
        else if (status != STORE_OK)
            problem_store(exchange, status);
        if (status != STORE_OK)
            return false;
    }
    return true;
}

static void insert_job(struct http_exchange *exchange, struct store_session *session) {
    struct submission *submission = exchange->state;
    const struct job *job = &submission->job;
    int64_t queued;
    if (replay(exchange, session, submission))
        return;
    enum store_status status = store_job_count(session, JOB_QUEUED, &queued);
    if (status == STORE_OK && queued >= service_of(exchange)->max_queued) {
        problem(exchange, 429, "queue_full",
                http_format(exchange, "%lld jobs are waiting already; try again later",
                            (long long)queued));
        http_set_header(exchange, "Retry-After", "10");
        return;
    }
    if (status == STORE_OK)
        status = store_job_insert(session, job, submission->key);
    if (status != STORE_OK) {
        problem_store(exchange, status);
        return;
    }
    if (!note_uploads(exchange, session, job->id, &submission->request))
        return;
    reply_job(exchange, session, job->id, 201);
    http_set_header(exchange, "Location", http_format(exchange, "/v1/jobs/%s", job->id));
}

static void wake_workers(struct http_exchange *exchange) {
    workers_wake(service_of(exchange)->workers);
}

/* Prefer: wait: the answer is the job when it is over, or as it is when the time is. */
static bool is_over(struct http_exchange *exchange) {
    struct submission *submission = exchange->state;
    struct store_session *session = store_acquire(service_of(exchange)->store);
    struct job job;
    if (!session || store_job_get(session, submission->job.id, &job) != STORE_OK) {
        if (session)
            end_reading(exchange, session);
        return true; /* it was deleted: the first answer stands */
    }
    bool over = job.status != JOB_QUEUED && job.status != JOB_RUNNING;
    over |= http_is_stopping(exchange) || clock_monotonic() >= submission->wait_until;
    job_clear(&job);
    if (over) {
        buffer_clear(&exchange->response.body);
        reply_job(exchange, session, submission->job.id, submission->answer);
    }
    end_reading(exchange, session);
    return over;
}

enum { WAIT_MOST_SECONDS = 60, KEY_BYTES = 255 };

/* The seconds of "Prefer: wait=N" (RFC 7240), or 0. A preference that cannot be met is ignored. */
static int preferred_wait(struct http_exchange *exchange) {
    const char *prefer = http_header(exchange, "Prefer");
    const char *wait = prefer ? strstr(prefer, "wait=") : NULL;
    int seconds = wait ? atoi(wait + 5) : 0;
    return seconds < 0 ? 0 : seconds > WAIT_MOST_SECONDS ? WAIT_MOST_SECONDS : seconds;
}

/* The row to insert, all of it in the exchange's arena. */
static struct submission *make_submission(struct http_exchange *exchange,
                                          const struct job_request *request) {
    struct submission *submission = http_alloc(exchange, sizeof *submission);
    struct buffer spec = {0}, dataset = {0}, warnings = {0};
    spec_write(request, &(struct json_writer){.out = &spec});
    spec_dataset_name(request, &dataset);
    warnings_write(&request->spec, &(struct json_writer){.out = &warnings});
    if (submission && !spec.failed && !dataset.failed && !warnings.failed) {
        struct job *job = &submission->job;
        id_new(job->id);
        job->name = request->name[0] ? http_format(exchange, "%s", request->name) : NULL;
        job->dataset = http_format(exchange, "%.*s", (int)dataset.length, dataset.data);
        job->spec = http_format(exchange, "%.*s", (int)spec.length, spec.data);
        job->warnings = http_format(exchange, "%.*s", (int)warnings.length, warnings.data);
        job->epochs = request->spec.training.epochs;
        job->steps = (int64_t)job->epochs * dn_spec_steps_per_epoch(&request->spec);
        job->created_at = clock_now_ms();
        submission->request = *request;
        submission->answer = 201;
    }
    bool made =
        submission && submission->job.spec && submission->job.dataset && submission->job.warnings;
    buffer_clear(&spec);
    buffer_clear(&dataset);
    buffer_clear(&warnings);
    if (!made)
        problem(exchange, 503, "no_memory", "not enough memory for this job");
    return made ? submission : NULL;
}

/* ?validate_only=true: what the job would be. */
static void reply_valid(struct http_exchange *exchange, const struct submission *submission) {
    struct json_writer json = json_reply(exchange, 200);
    json_open(&json, '{');
    json_key(&json, "valid");
    json_bool(&json, true);
    json_key(&json, "spec");
    json_raw(&json, submission->job.spec);
    json_key(&json, "steps");
    json_integer(&json, submission->job.steps);
    json_key(&json, "parameters");
    json_integer(&json, dn_spec_parameters(&submission->request.spec));
    json_key(&json, "warnings");
    json_raw(&json, submission->job.warnings);
    json_close(&json, '}');
}

/* The job in the body. False: the error is already the answer. */
static bool read_job(struct http_exchange *exchange, struct job_request *request) {
    cJSON *json = json_body(exchange, JSON_MAX_VALUES);
    if (!json)
        return false;
    struct problem_fields wrong = {.arena = http_arena(exchange)};
    spec_read(json, request, dataset_lookup, exchange, &wrong);
    cJSON_Delete(json);
    if (wrong.count > 0)
        problem_send(exchange, &wrong);
    return wrong.count == 0;
}

struct create_query {
    bool validate_only;
};
static const struct field create_rows[] = {
    {"", "validate_only", FIELD_BOOLEAN, offsetof(struct create_query, validate_only), 0, 0, 0,
     NULL, "Check the job and say what it would be; nothing is queued."},
};
const struct field_set create_fields = {create_rows, 1};

enum http_next api_job_create(struct http_exchange *exchange) {
    struct create_query query = {0};
    struct job_request request;
    struct submission *submission;
    if (!read_query(exchange, &create_fields, &query) || !read_job(exchange, &request) ||
        !(submission = make_submission(exchange, &request)))
        return HTTP_REPLY;
    if (query.validate_only) {
        reply_valid(exchange, submission);
        return HTTP_REPLY;
    }
    const char *key = http_header(exchange, "Idempotency-Key");
    if (key && (!key[0] || strlen(key) > KEY_BYTES || !router_is_utf8(key, strlen(key)))) {
        problem(exchange, 400, "bad_idempotency_key",
                "Idempotency-Key must be 1 to 255 bytes of text");
        return HTTP_REPLY;
    }
    submission->key = key ? http_format(exchange, "%s", key) : NULL;
    int wait = preferred_wait(exchange);
    if (wait > 0) {
        submission->wait_until = clock_monotonic() + wait;
        exchange->poll = is_over;
        http_set_header(exchange, "Preference-Applied", http_format(exchange, "wait=%d", wait));
    }
    exchange->state = submission;
    exchange->after = wake_workers;
    return http_on_writer(exchange, insert_job);
}

/* ------------------------------------------------------------------ POST /v1/jobs/{id}/resume */

struct resume_body {
    int epochs; /* 0: as many as before */
};
static const struct field resume_rows[] = {
    {"", "epochs", FIELD_INTEGER, offsetof(struct resume_body, epochs), 1, DN_MAX_EPOCHS, 0, NULL,
     "Epochs in all, those already trained included; more than before extends the training."},
};
const struct field_set resume_fields = {resume_rows, 1};

/* The stored spec with the new number of epochs. False: the error is already the answer. */
static bool extend(struct http_exchange *exchange, const struct job *job, int epochs,
                   struct job_request *request, struct buffer *spec) {
    struct dn_error why;
    if (!spec_read_stored(job->spec, request, http_arena(exchange), &why)) {
        problem(exchange, 500, "spec_unreadable", "the stored job cannot be read by this version");
        return false;
    }
    request->spec.training.epochs = epochs;
    if (dn_spec_check(&request->spec, &why) != DN_OK) {
        problem_field(exchange, "/epochs", why.text);
        return false;
    }
    spec_write(request, &(struct json_writer){.out = spec});
    buffer_append(spec, "", 1);
    return true;
}

static void resume_job(struct http_exchange *exchange, struct store_session *session) {
    const struct resume_body *body = exchange->state;
    struct job job;
    struct job_request request;
    struct buffer spec = {0};
    enum store_status status = store_job_get(session, exchange->request.ids[0], &job);
    if (status != STORE_OK) {
        answer_store(exchange, status, "job");
        return;
    }
    const int epochs = body->epochs ? body->epochs : job.epochs;
    if (job.status == JOB_QUEUED || job.status == JOB_RUNNING) {
        problem(exchange, 409, "job_active", "the job is queued or running already");
    } else if (epochs < job.epoch || (job.status == JOB_SUCCEEDED && epochs == job.epoch)) {
        problem_field(exchange, "/epochs",
                      http_format(exchange,
                                  "is the number of epochs in all: more than the %d that are done",
                                  job.epoch));
    } else if (extend(exchange, &job, epochs, &request, &spec) &&
               note_uploads(exchange, session, job.id, &request)) {
        status = spec.failed
                     ? STORE_ERROR
                     : store_job_resume(session, job.id, spec.data, epochs,
                                        (int64_t)epochs * dn_spec_steps_per_epoch(&request.spec));
        if (status == STORE_OK)
            reply_job(exchange, session, job.id, 202);
        else
            problem_store(exchange, status);
    }
    buffer_clear(&spec);
    job_clear(&job);
}

enum http_next api_job_resume(struct http_exchange *exchange) {
    struct resume_body *body = http_alloc(exchange, sizeof *body);
    if (!body || !path_id(exchange, "job") || !no_query(exchange))
        return HTTP_REPLY;
    cJSON *json = json_body(exchange, JSON_MAX_VALUES);
    if (!json)
        return HTTP_REPLY;
    struct problem_fields wrong = {.arena = http_arena(exchange)};
    if (cJSON_IsObject(json))
        fields_read(&resume_fields, "", json, body, &wrong);
    else
        problem_add(&wrong, "", "must be a JSON object");
    cJSON_Delete(json);
    if (wrong.count > 0) {
        problem_send(exchange, &wrong);
        return HTTP_REPLY;
    }
    exchange->state = body;
    exchange->after = wake_workers;
    return http_on_writer(exchange, resume_job);
}

/* ------------------------------------------------------------------ GET */

enum http_next api_job_get(struct http_exchange *exchange) {
    const char *id = path_id(exchange, "job");
    if (!id || !no_query(exchange))
        return HTTP_REPLY;
    struct service *service = service_of(exchange);
    const uint64_t version = store_version(service->store); /* before anything is read */
    if (answers_find(service->answers, id, version, &exchange->response.body)) {
        json_reply(exchange, 200);
        return HTTP_REPLY;
    }
    struct store_session *session = begin_reading(exchange);
    if (!session)
        return HTTP_REPLY;
    reply_job(exchange, session, id, 200);
    end_reading(exchange, session);
    if (exchange->response.status == 200)
        answers_keep(service->answers, id, version, &exchange->response.body);
    return HTTP_REPLY;
}

enum { LIST_DEFAULT = 20, LIST_MOST = 200, FILTER_BYTES = 100 };

struct list_query {
    int status; /* 0: any, else enum job_status + 1 */
    char dataset[FILTER_BYTES + 1], after[FILTER_BYTES + 1];
    int limit;
};

static const char *const status_filter_names[] = {"any",    "queued",    "running", "succeeded",
                                                  "failed", "cancelled", NULL};
static const struct field list_rows[] = {
    {"", "status", FIELD_CHOICE, offsetof(struct list_query, status), 0, 0, 0, status_filter_names,
     "Only jobs with this status."},
    {"", "dataset", FIELD_TEXT, offsetof(struct list_query, dataset), 0, FILTER_BYTES, 0, NULL,
     "Only jobs on this data set."},
    {"", "limit", FIELD_INTEGER, offsetof(struct list_query, limit), 1, LIST_MOST, 0, NULL,
     "Jobs per page."},
    {"", "after", FIELD_TEXT, offsetof(struct list_query, after), 0, FILTER_BYTES, 0, NULL,
     "The id of the last job of the page before."},
};
const struct field_set list_fields = {list_rows, sizeof list_rows / sizeof list_rows[0]};

static void reply_list(struct http_exchange *exchange, struct job *jobs, int count, bool has_more) {
    struct json_writer json = page_begin(exchange);
    for (int i = 0; i < count; i++)
        job_write(&jobs[i], &json);
    page_end(&json, has_more ? jobs[count - 1].id : NULL);
    for (int i = 0; i < count; i++)
        job_clear(&jobs[i]);
}

enum http_next api_job_list(struct http_exchange *exchange) {
    struct list_query query = {.limit = LIST_DEFAULT};
    struct store_session *session;
    if (!read_query(exchange, &list_fields, &query) || !(session = begin_reading(exchange)))
        return HTTP_REPLY;
    struct job_filter filter = {.status = query.status - 1,
                                .dataset = query.dataset[0] ? query.dataset : NULL,
                                .after = query.after[0] ? query.after : NULL,
                                .limit = query.limit};
    struct job *jobs = calloc((size_t)query.limit, sizeof *jobs);
    int count = 0;
    bool has_more;
    enum store_status status =
        jobs ? store_job_list(session, &filter, jobs, &count, &has_more) : STORE_ERROR;
    end_reading(exchange, session);
    if (status == STORE_OK) {
        reply_list(exchange, jobs, count, has_more);
    } else if (status == STORE_NOT_FOUND) {
        problem_field(exchange, "/after", "there is no job with this id");
    } else {
        problem_store(exchange, status);
    }
    free(jobs);
    return HTTP_REPLY;
}

/* ------------------------------------------------------------------ cancel and delete */

static void interrupt_worker(struct http_exchange *exchange) {
    workers_interrupt(service_of(exchange)->workers, exchange->state);
}

/* Puts the real id of the job into exchange->state: "latest" may be another one a moment later. */
static enum store_status resolve(struct http_exchange *exchange, struct store_session *session) {
    struct job job;
    enum store_status status = store_job_get(session, exchange->request.ids[0], &job);
    if (status != STORE_OK)
        return status;
    exchange->state = http_format(exchange, "%s", job.id);
    job_clear(&job);
    return exchange->state ? STORE_OK : STORE_ERROR;
}

static void cancel_job(struct http_exchange *exchange, struct store_session *session) {
    enum store_status status = resolve(exchange, session);
    if (status == STORE_OK)
        status = store_job_cancel(session, exchange->state, clock_now_ms());
    if (status != STORE_OK)
        answer_store(exchange, status, "job");
    else
        reply_job(exchange, session, exchange->state, 200);
}

enum http_next api_job_cancel(struct http_exchange *exchange) {
    if (!path_id(exchange, "job") || !no_query(exchange))
        return HTTP_REPLY;
    exchange->after = interrupt_worker;
    return http_on_writer(exchange, cancel_job);
}

struct delete_query {
    bool force;
};
static const struct field delete_rows[] = {
    {"", "force", FIELD_BOOLEAN, offsetof(struct delete_query, force), 0, 0, 0, NULL,
     "Delete the job even while it runs."},
};
const struct field_set delete_fields = {delete_rows, 1};

static void delete_job(struct http_exchange *exchange, struct store_session *session) {
    const struct delete_query *query = exchange->state;
    bool force = query->force;
    enum store_status status = resolve(exchange, session);
    if (status == STORE_OK)
        status = store_job_delete(session, exchange->state, force);
    if (status == STORE_OK)
        exchange->response.status = 204;
    else if (status == STORE_CONFLICT)
        problem(exchange, 409, "job_running",
                "the job is running: cancel it first, or delete it with ?force=true");
    else
        answer_store(exchange, status, "job");
}

enum http_next api_job_delete(struct http_exchange *exchange) {
    struct delete_query *query = need_memory(exchange, sizeof *query);
    if (!query || !path_id(exchange, "job") || !read_query(exchange, &delete_fields, query))
        return HTTP_REPLY;
    exchange->state = query;
    exchange->after = interrupt_worker;
    return http_on_writer(exchange, delete_job);
}
