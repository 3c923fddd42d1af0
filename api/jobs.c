/* /v1/jobs: submit, list, read, cancel, delete. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/handlers.h"
#include "api/jobs.h"
#include "api/spec.h"
#include "server/id.h"

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

static void write_error(const struct job *job, struct json_writer *json) {
    json_key(json, "error");
    if (!job->error_code) {
        json_null(json);
        return;
    }
    json_open(json, '{');
    json_key(json, "code");
    json_string(json, job->error_code);
    json_key(json, "detail");
    json_string(json, job->error_detail);
    json_close(json, '}');
}

static const struct link links[] = {
    {"self", "/v1/jobs/", ""},
    {"history", "/v1/jobs/", "/history"},
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
    write_error(job, json);
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

bool api_decode_spec(const char *text, struct dn_spec *spec, struct dn_error *error) {
    struct arena arena = {0};
    struct problem_fields wrong = {.arena = &arena};
    struct job_request job;
    cJSON *json = json_read(text, strlen(text), JSON_MAX_VALUES, error->text, sizeof error->text);
    if (json) {
        spec_read(json, &job, &wrong);
        *spec = job.spec;
        if (wrong.count > 0)
            snprintf(error->text, sizeof error->text, "%s: %s", wrong.items[0].pointer,
                     wrong.items[0].detail);
    }
    bool read = json && wrong.count == 0;
    cJSON_Delete(json);
    arena_clear(&arena);
    return read;
}

/* ------------------------------------------------------------------ POST /v1/jobs */

static void insert_job(struct http_exchange *exchange, struct store_session *session) {
    const struct job *job = exchange->state;
    int64_t queued;
    enum store_status status = store_job_count(session, JOB_QUEUED, &queued);
    if (status == STORE_OK && queued >= service_of(exchange)->max_queued) {
        problem(exchange, 429, "queue_full",
                http_format(exchange, "%lld jobs are waiting already; try again later",
                            (long long)queued));
        http_set_header(exchange, "Retry-After", "10");
        return;
    }
    if (status == STORE_OK)
        status = store_job_insert(session, job);
    if (status != STORE_OK) {
        problem_store(exchange, status);
        return;
    }
    reply_job(exchange, session, job->id, 201);
    http_set_header(exchange, "Location", http_format(exchange, "/v1/jobs/%s", job->id));
}

static void wake_workers(struct http_exchange *exchange) {
    workers_wake(service_of(exchange)->workers);
}

/* The row to insert, all of it in the exchange's arena. */
static struct job *make_job(struct http_exchange *exchange, const struct job_request *request) {
    struct job *job = http_alloc(exchange, sizeof *job);
    struct buffer spec = {0};
    spec_write(request, &(struct json_writer){.out = &spec});
    if (job && !spec.failed) {
        id_new(job->id);
        job->name = request->name[0] ? http_format(exchange, "%s", request->name) : NULL;
        job->dataset = http_format(exchange, "%s", dn_patterns[request->spec.dataset.pattern].name);
        job->spec = http_format(exchange, "%.*s", (int)spec.length, spec.data);
        job->epochs = request->spec.training.epochs;
        job->steps = (int64_t)job->epochs * dn_spec_steps_per_epoch(&request->spec);
        job->created_at = clock_now_ms();
    }
    bool made = job && job->spec && job->dataset;
    buffer_clear(&spec);
    if (!made)
        problem(exchange, 503, "no_memory", "not enough memory for this job");
    return made ? job : NULL;
}

enum http_next api_job_create(struct http_exchange *exchange) {
    if (!no_query(exchange))
        return HTTP_REPLY;
    cJSON *json = json_body(exchange, JSON_MAX_VALUES);
    if (!json)
        return HTTP_REPLY;
    struct job_request request;
    struct problem_fields wrong = {.arena = http_arena(exchange)};
    spec_read(json, &request, &wrong);
    cJSON_Delete(json);
    if (wrong.count > 0) {
        problem_send(exchange, &wrong);
        return HTTP_REPLY;
    }
    exchange->state = make_job(exchange, &request);
    if (!exchange->state)
        return HTTP_REPLY;
    exchange->after = wake_workers;
    return http_on_writer(exchange, insert_job);
}

/* ------------------------------------------------------------------ GET */

enum http_next api_job_get(struct http_exchange *exchange) {
    const char *id = path_id(exchange, "job");
    struct store_session *session;
    if (!id || !no_query(exchange) || !(session = begin_reading(exchange)))
        return HTTP_REPLY;
    reply_job(exchange, session, id, 200);
    end_reading(exchange, session);
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
static const struct field_set list_fields = {list_rows, sizeof list_rows / sizeof list_rows[0]};

static void reply_list(struct http_exchange *exchange, struct job *jobs, int count, bool has_more) {
    struct json_writer json = json_reply(exchange, 200);
    json_open(&json, '{');
    json_key(&json, "items");
    json_open(&json, '[');
    for (int i = 0; i < count; i++)
        job_write(&jobs[i], &json);
    json_close(&json, ']');
    json_key(&json, "has_more");
    json_bool(&json, has_more);
    json_key(&json, "next");
    json_string(&json, has_more ? jobs[count - 1].id : NULL);
    json_close(&json, '}');
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
        struct problem_fields wrong = {.arena = http_arena(exchange)};
        problem_add(&wrong, "/after", "there is no job with this id");
        problem_send(exchange, &wrong);
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
static const struct field_set delete_fields = {delete_rows, 1};

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
    struct delete_query *query = http_alloc(exchange, sizeof *query);
    if (!query || !path_id(exchange, "job") || !read_query(exchange, &delete_fields, query))
        return HTTP_REPLY;
    exchange->state = query;
    exchange->after = interrupt_worker;
    return http_on_writer(exchange, delete_job);
}
