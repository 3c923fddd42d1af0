/* /v1/jobs: list, read, cancel, delete. */
#include <math.h>
#include <stdlib.h>

#include "api/api.h"
#include "api/handlers.h"
#include "api/jobs.h"
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

void job_reply(struct http_exchange *exchange, struct store_session *session, const char *id,
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
    job_reply(exchange, session, id, 200);
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
}

/* False: there are more than `most`, the client wants them, and nothing is answered. */
static bool answer_list(struct http_exchange *exchange, int most) {
    const struct list_query *query = exchange->state;
    struct store_session *session = begin_reading(exchange);
    if (!session)
        return true;
    struct job_filter filter = {.status = query->status - 1,
                                .dataset = query->dataset[0] ? query->dataset : NULL,
                                .after = query->after[0] ? query->after : NULL,
                                .limit = query->limit < most ? query->limit : most,
                                .most_bytes = most < LIST_MOST ? BYTES_ON_LOOP : 0};
    struct job *jobs = calloc((size_t)filter.limit, sizeof *jobs);
    int count = 0;
    bool has_more = false;
    enum store_status status =
        jobs ? store_job_list(session, &filter, jobs, &count, &has_more) : STORE_ERROR;
    end_reading(exchange, session);
    const bool is_cut = status == STORE_OK && has_more && count < query->limit;
    if (is_cut) {
        /* for the pool */
    } else if (status == STORE_OK) {
        reply_list(exchange, jobs, count, has_more);
    } else if (status == STORE_NOT_FOUND) {
        problem_field(exchange, "/after", "there is no job with this id");
    } else {
        problem_store(exchange, status);
    }
    for (int i = 0; i < count; i++)
        job_clear(&jobs[i]);
    free(jobs);
    return !is_cut;
}

static void list_on_pool(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    answer_list(exchange, LIST_MOST);
}

enum http_next api_job_list(struct http_exchange *exchange) {
    struct list_query *query = need_memory(exchange, sizeof *query);
    if (!query)
        return HTTP_REPLY;
    query->limit = LIST_DEFAULT;
    exchange->state = query;
    if (!read_query(exchange, &list_fields, query) || answer_list(exchange, ROWS_ON_LOOP))
        return HTTP_REPLY;
    return http_on_pool(exchange, list_on_pool);
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
        job_reply(exchange, session, exchange->state, 200);
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
