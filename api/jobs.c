/* /v1/jobs: list, read, cancel, delete. */
#include "server/base/clock.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/contract/handlers.h"
#include "api/contract/lists.h"
#include "api/contract/openapi.h"
#include "api/jobs.h"
#include "api/models.h"
#include "api/spec/warnings.h"

/* ------------------------------------------------------------------ the job as JSON */

/* Steps per second; NAN before the first. */
static double rate_of(const struct job *job) {
    return job->seconds > 0 ? (double)job->step / job->seconds : NAN;
}

static void write_rate(const void *job, struct json_writer *json) {
    json_double(json, rate_of(job));
}

static void write_fraction(const void *value, struct json_writer *json) {
    const struct job *job = value;
    json_double(json, (double)job->step / (double)job->steps);
}

static void write_eta(const void *value, struct json_writer *json) {
    const struct job *job = value;
    const double left = (double)(job->steps - job->step);
    json_double(json, job->status == JOB_RUNNING ? left / rate_of(job) : NAN);
}

static void write_model(const void *value, struct json_writer *json) {
    const struct job *job = value;
    json_string(json, job->has_model ? job->id : NULL);
}

static void write_warnings(const void *value, struct json_writer *json) {
    const struct job *job = value;
    if (job->waits_for_offer)
        warnings_write_waiting(job->warnings, job->arithmetic, json);
    else
        json_raw(json, job->warnings);
}

static void write_node(const void *value, struct json_writer *json) {
    json_string(json, ((const struct job *)value)->node);
}

static void write_job_links(const void *id, struct json_writer *json) {
    static const struct link links[] = {
        {"self", "/v1/jobs/", ""},
        {"history", "/v1/jobs/", "/history"},
        {"events", "/v1/jobs/", "/events"},
        {"cancel", "/v1/jobs/", "/cancel"},
        {"model", "/v1/models/", ""},
        {"samples", "/v1/models/", "/samples"},
        {"trajectories", "/v1/models/", "/trajectories"},
    };
    write_links(json, links, sizeof links / sizeof *links, id);
}

static const struct field error_rows[] = {
    {"", "code", FIELD_STRING, offsetof(struct job_failure, code), .schema = "JobErrorCode"},
    {"", "detail", FIELD_STRING, offsetof(struct job_failure, detail)},
};
const struct field_set job_error_answer = ANSWER(error_rows, .may_be_null = true);

#define AT(member) offsetof(struct job, member)
#define ANY        0, INFINITY
static const struct field job_rows[] = {
    {"", "id", FIELD_ID, AT(id)},
    {"", "name", FIELD_STRING, AT(name), .flags = FIELD_OR_NULL},
    {"", "status", FIELD_CHOICE, AT(status), .choices = job_status_names},
    {"", "queue_position", FIELD_INT64, AT(queue_position), ANY, FIELD_OR_NULL,
     .doc = "0: next to run; null unless queued, and while it waits for a server (see the warning "
            "`waits_for_kernels`)."},
    {"", "spec", FIELD_JSON, AT(spec), .schema = "JobRequest"},
    {"", "progress", FIELD_GROUP},
    {"progress", "epoch", FIELD_INTEGER, AT(epoch), ANY},
    {"progress", "epochs", FIELD_INTEGER, AT(epochs), 1, INFINITY},
    {"progress", "step", FIELD_INT64, AT(step), ANY},
    {"progress", "steps", FIELD_INT64, AT(steps), 1, INFINITY},
    {"progress", "fraction", FIELD_NUMBER, .max = 1, .write = write_fraction},
    {"progress", "seconds", FIELD_NUMBER, AT(seconds), ANY,
     .doc = "Seconds of training so far, over all attempts."},
    {"progress", "steps_per_second", FIELD_NUMBER, .flags = FIELD_OR_NULL, .write = write_rate},
    {"progress", "eta_seconds", FIELD_NUMBER, .flags = FIELD_OR_NULL, .write = write_eta},
    {"", "metrics", FIELD_GROUP},
    {"metrics", "train_loss", FIELD_NUMBER, AT(train_loss), .flags = FIELD_OR_NULL},
    {"metrics", "val_loss", FIELD_NUMBER, AT(val_loss), .flags = FIELD_OR_NULL},
    {"", "error", FIELD_OBJECT, AT(error), .schema = "JobError", .set = &job_error_answer},
    {"", "warnings", FIELD_JSON, .schema = "Warnings", .write = write_warnings},
    {"", "model", FIELD_ID, .flags = FIELD_OR_NULL, .write = write_model,
     .doc =
         "The id of its model; null before the first checkpoint, and after the model was deleted."},
    {"", "evaluation", FIELD_OBJECT, AT(figures), .schema = "Figures", .set = &figures_answer},
    {"", "attempt", FIELD_INTEGER, AT(attempt), ANY},
    {"", "node", FIELD_ID, .flags = FIELD_OR_NULL, .write = write_node,
     .doc = "The id of the node that trains it; null unless running. `/v1/nodes` lists the nodes."},
    {"", "arithmetic", FIELD_STRING, AT(arithmetic), .flags = FIELD_OR_NULL,
     .doc = "What its training continues with, to the same bits: the instruction set, the version "
            "of the arithmetic, and a hash of what the C library computes; null before the first "
            "checkpoint."},
    {"", "created_at", FIELD_TIME, AT(created_at)},
    {"", "started_at", FIELD_TIME, AT(started_at), .flags = FIELD_OR_NULL},
    {"", "finished_at", FIELD_TIME, AT(finished_at), .flags = FIELD_OR_NULL},
    {"", "links", FIELD_WRITTEN, AT(id), .schema = "Links", .write = write_job_links},
    {"", "sparkline", FIELD_OTHER, .flags = FIELD_OPTIONAL, .schema = "Column",
     .doc = "Only in a list that asks for it: the loss of some epochs, including the first and the "
            "last; the validation loss if there is one, otherwise the training loss."},
};
const struct field_set job_answer = ANSWER(job_rows);

void job_reply(struct http_exchange *exchange, struct store_session *session, const char *id,
               int http_status) {
    struct job job;
    enum store_status status = store_job_get(session, id, &job);
    if (status != STORE_OK) {
        answer_store(exchange, status, PROBLEM_NO_SUCH_JOB);
        return;
    }
    struct json_writer json = json_reply(exchange, http_status);
    fields_write(&job_answer, &job, &json);
    job_clear(&job);
}

void job_reply_new(struct http_exchange *exchange, const struct job *job, int64_t queue_position,
                   int http_status) {
    const struct figure none = {NAN, NAN};
    struct job seen = *job;
    seen.status = JOB_QUEUED;
    seen.queue_position = queue_position;
    seen.train_loss = seen.val_loss = NAN;
    seen.figures = (struct figures){.curve = none, .energy = none, .coverage = none};
    struct json_writer json = json_reply(exchange, http_status);
    fields_write(&job_answer, &seen, &json);
}

bool job_is_over(struct http_exchange *exchange, const char *id, double until, int http_status) {
    struct store_session *session = store_acquire(service_of(exchange)->store);
    const bool is_late = http_is_stopping(exchange) || clock_monotonic() >= until;
    struct job job;
    const enum store_status status = session ? store_job_get(session, id, &job) : STORE_ERROR;
    bool over = is_late;
    if (status == STORE_OK) {
        over |= !job_is_active(&job);
        job_clear(&job);
    }
    if (status == STORE_OK && over) {
        buffer_clear(&exchange->response.body);
        job_reply(exchange, session, id, http_status);
    } else if (status == STORE_NOT_FOUND) {
        exchange->response.header_count = 0; /* they described the job */
        problem(exchange, PROBLEM_NO_SUCH_JOB,
                "the job was deleted while the request waited for it");
        over = true;
    }
    if (session)
        end_reading(exchange, session);
    return over;
}

/* ------------------------------------------------------------------ GET */

enum http_next api_job_get(struct http_exchange *exchange) {
    const char *id = path_id(exchange, PROBLEM_NO_SUCH_JOB);
    if (!id || !no_query(exchange))
        return HTTP_REPLY;
    struct service *service = service_of(exchange);
    const uint64_t version = store_version(service->store); /* before anything is read */
    if (reply_cache_find(service->replies, id, version, &exchange->response.body)) {
        json_reply(exchange, 200);
        return HTTP_REPLY;
    }
    struct store_session *session = begin_reading(exchange);
    if (!session)
        return HTTP_REPLY;
    job_reply(exchange, session, id, 200);
    end_reading(exchange, session);
    if (exchange->response.status == 200)
        reply_cache_keep(service->replies, id, version, &exchange->response.body);
    return HTTP_REPLY;
}

enum { LIST_DEFAULT = 20, LIST_MAX = 200, FILTER_BYTES = 100, SPARKLINE_MAX = 200 };
enum { LOSSES_ON_LOOP = 800 }; /* look-ups for sparklines on an HTTP thread */

struct list_query {
    unsigned statuses; /* bits: 1 is any, 2 << enum job_status the others */
    char search[SEARCH_BYTES + 1], dataset[FILTER_BYTES + 1], after[CURSOR_BYTES + 1];
    int sort; /* index into order_names */
    int limit, sparkline;
    bool counts;
    struct job_filter filter;
};

static const char *const status_filter_names[] = {"any",    "queued",    "running", "succeeded",
                                                  "failed", "cancelled", NULL};
/* as enum job_sort */
static const char *const order_names[] = {ORDER("created_at"),
                                          ORDER("name"),
                                          ORDER("dataset"),
                                          ORDER("status"),
                                          ORDER("epoch"),
                                          ORDER("train_loss"),
                                          ORDER("val_loss"),
                                          ORDER("duration"),
                                          ORDER("curve_distance"),
                                          ORDER("energy_distance"),
                                          NULL};
static const struct field list_rows[] = {
    {"", "search", FIELD_TEXT, offsetof(struct list_query, search), 0, SEARCH_BYTES, 0, NULL,
     "Only jobs that contain this text in their name, their preset's name, or a data set's name, "
     "ignoring case, or whose id starts with it. The text is taken literally: there are no "
     "wildcards."},
    {"", "status", FIELD_CHOICES, offsetof(struct list_query, statuses), 0, 0, 0,
     status_filter_names,
     "Only jobs with this status; for several, repeat the parameter or separate them with commas."},
    {"", "dataset", FIELD_TEXT, offsetof(struct list_query, dataset), 0, FILTER_BYTES, 0, NULL,
     "Only jobs that train on this data set."},
    {"", "sort", FIELD_CHOICE, offsetof(struct list_query, sort), 0, 0, 0, order_names,
     "Sort order; a leading \"-\" means descending. Jobs without the value come last, and equal "
     "ones are sorted by id, in the same direction. A job without a name is sorted by the name of "
     "its data; `duration` is the training time. Texts are compared by their first 60 characters."},
    {"", "counts", FIELD_BOOLEAN, offsetof(struct list_query, counts), 0, 0, 0, NULL,
     "Also the number of jobs of each status that match `search` and `dataset`."},
    {"", "sparkline", FIELD_INTEGER, offsetof(struct list_query, sparkline), 0, SPARKLINE_MAX, 0,
     NULL, "Also the loss of this number of epochs of each job, for a thumbnail chart."},
    {"", "limit", FIELD_INTEGER, offsetof(struct list_query, limit), 1, LIST_MAX, 0, NULL,
     "Maximum number of jobs per page."},
    {"", "after", FIELD_TEXT, offsetof(struct list_query, after), 0, CURSOR_BYTES, 0, NULL,
     "`next` of the previous page. It stays valid if that page's last job has been deleted."},
};
const struct field_set job_list_fields = {list_rows, sizeof list_rows / sizeof list_rows[0]};

static enum store_status write_item(struct store_session *session, const struct job *job,
                                    int sparkline, struct json_writer *json) {
    double losses[SPARKLINE_MAX];
    int count = 0;
    enum store_status status = store_sparkline(session, job, sparkline, losses, &count);
    json_open(json, '{');
    fields_write_members(&job_answer, "", job, json);
    if (sparkline > 0) {
        json_key(json, "sparkline");
        json_numbers(json, losses, count);
    }
    json_close(json, '}');
    return status;
}

static enum store_status write_counts(struct store_session *session,
                                      const struct job_filter *filter, struct json_writer *json) {
    int64_t counts[JOB_STATUS_COUNT];
    enum store_status status = store_job_counts(session, filter, counts);
    json_member_open(json, "counts", '{');
    for (int i = 0; i < JOB_STATUS_COUNT; i++)
        json_member_integer(json, job_status_names[i], counts[i]);
    json_close(json, '}');
    return status;
}

static enum store_status reply_list(struct http_exchange *exchange, struct store_session *session,
                                    const struct job *jobs, int count, const char *next) {
    const struct list_query *query = exchange->state;
    enum store_status status = STORE_OK;
    struct json_writer json = page_begin(exchange);
    for (int i = 0; i < count && status == STORE_OK; i++)
        status = write_item(session, &jobs[i], query->sparkline, &json);
    page_end_items(&json, next);
    if (query->counts && status == STORE_OK)
        status = write_counts(session, &query->filter, &json);
    json_close(&json, '}');
    return status;
}

/* Answers, unless the client wants more than `most` jobs and there are more: then false. */
static bool answer_list(struct http_exchange *exchange, int most) {
    const struct list_query *query = exchange->state;
    struct store_session *session = begin_reading(exchange);
    if (!session)
        return true;
    struct job_filter filter = query->filter;
    filter.limit = query->limit < most ? query->limit : most;
    filter.most_bytes = most < LIST_MAX ? BYTES_ON_LOOP : 0;
    struct job *jobs = calloc((size_t)filter.limit, sizeof *jobs);
    struct list_place last;
    int count = 0;
    bool has_more = false;
    enum store_status status =
        jobs ? store_job_list(session, &filter, jobs, &count, &has_more, &last) : STORE_ERROR;
    const bool is_cut = status == STORE_OK && has_more && count < query->limit;
    if (status == STORE_OK && !is_cut)
        status =
            reply_list(exchange, session, jobs, count,
                       has_more ? cursor_write(exchange, &last, order_names, query->sort) : NULL);
    end_reading(exchange, session);
    if (status != STORE_OK)
        problem_store(exchange, status);
    for (int i = 0; i < count; i++)
        job_clear(&jobs[i]);
    free(jobs);
    return !is_cut;
}

/* A search reads many rows without a pause, so it runs outside the turns. */
static void list_on_pool(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    pool_begin_alone();
    answer_list(exchange, LIST_MAX);
    pool_end_alone();
}

static bool is_quick(const struct list_query *query) {
    const int rows = query->limit < ROWS_ON_LOOP ? query->limit : ROWS_ON_LOOP;
    return store_job_list_is_quick(&query->filter) && rows * query->sparkline <= LOSSES_ON_LOOP &&
           !(query->counts && query->filter.dataset);
}

enum http_next api_job_list(struct http_exchange *exchange) {
    struct list_query *query = http_alloc(exchange, sizeof *query);
    if (!query)
        return HTTP_REPLY;
    query->limit = LIST_DEFAULT;
    exchange->state = query;
    if (!read_query(exchange, &job_list_fields, query))
        return HTTP_REPLY;
    query->filter = (struct job_filter){.statuses = query->statuses & 1 ? 0 : query->statuses >> 1,
                                        .search = query->search[0] ? query->search : NULL,
                                        .dataset = query->dataset[0] ? query->dataset : NULL,
                                        .sort = (enum job_sort)order_of(query->sort),
                                        .descending = order_descends(query->sort)};
    if (!cursor_read(exchange, query->after, order_names, query->sort, &query->filter.after))
        return HTTP_REPLY;
    if (is_quick(query) && answer_list(exchange, ROWS_ON_LOOP))
        return HTTP_REPLY;
    return http_on_pool(exchange, list_on_pool);
}

/* ------------------------------------------------------------------ cancel and delete */

struct change {
    const char *id; /* the real one, because "latest" may change */
    bool force;     /* only for a deletion */
    double until;   /* only for a cancel: monotonic end of the wait, */
    int64_t asked;  /* and when it was asked for */
    bool is_running;
    bool is_elsewhere; /* and by another node, or an earlier life of this one */
};

static void interrupt_worker(struct http_exchange *exchange) {
    const struct change *change = exchange->state;
    const struct service *service = service_of(exchange);
    workers_interrupt(service->workers, change->id, INT64_MAX); /* no claim can come between */
    if (change->is_elsewhere)
        peers_cancelled(service->peers, change->id);
}

/* Finds the real id of the job, and whether it is running. */
static enum store_status resolve(struct http_exchange *exchange, struct store_session *session) {
    struct change *change = exchange->state;
    struct job job;
    enum store_status status =
        store_job_get(session, change->id ? change->id : exchange->request.ids[0], &job);
    if (status != STORE_OK)
        return status;
    change->id = http_format(exchange, "%s", job.id);
    change->is_running = job.status == JOB_RUNNING;
    change->is_elsewhere = change->is_running && job.node &&
                           strcmp(job.node, store_boot(service_of(exchange)->store)) != 0;
    job_clear(&job);
    return change->id ? STORE_OK : STORE_ERROR;
}

/* A worker stops after its current step, usually at once, so the response can have the final
 * state. */
enum { CANCEL_WAIT_SECONDS = 2 };

static bool has_stopped(struct http_exchange *exchange) {
    const struct change *change = exchange->state;
    return job_is_over(exchange, change->id, change->until, 200);
}

static void cancel_job(struct http_exchange *exchange, struct store_session *session) {
    struct change *change = exchange->state;
    enum store_status status = resolve(exchange, session);
    if (status == STORE_OK)
        status =
            store_job_cancel_again(session, change->id, change->asked, http_is_in_doubt(exchange));
    if (status == STORE_OK) /* another node may have begun with it since */
        status = resolve(exchange, session);
    if (status != STORE_OK) {
        answer_store(exchange, status, PROBLEM_NO_SUCH_JOB);
        return;
    }
    job_reply(exchange, session, change->id, 200);
    change->until = clock_monotonic() + CANCEL_WAIT_SECONDS;
    exchange->wait =
        (struct wait){.job = change->id, .what = WAIT_FOR_STATUS, .until = change->until};
    if (change->is_running)
        exchange->poll = has_stopped;
}

enum http_next api_job_cancel(struct http_exchange *exchange) {
    struct change *change = http_alloc(exchange, sizeof *change);
    if (!change || !path_id(exchange, PROBLEM_NO_SUCH_JOB) || !no_query(exchange) ||
        !no_members(exchange))
        return HTTP_REPLY;
    change->asked = clock_now_ms();
    exchange->state = change;
    exchange->after = interrupt_worker;
    return http_on_writer(exchange, cancel_job);
}

static const struct field delete_rows[] = {
    {"", "force", FIELD_BOOLEAN, offsetof(struct change, force), 0, 0, 0, NULL,
     "Delete the job even while it is running."},
};
const struct field_set job_delete_fields = {delete_rows, 1};

static void delete_job(struct http_exchange *exchange, struct store_session *session) {
    const struct change *change = exchange->state;
    enum store_status status = resolve(exchange, session);
    if (status == STORE_OK)
        status = store_job_delete(session, change->id, change->force);
    else if (status == STORE_NOT_FOUND && change->id && http_is_in_doubt(exchange))
        status = STORE_OK; /* an earlier run has deleted it */
    if (status == STORE_OK)
        exchange->response.status = 204;
    else if (status == STORE_CONFLICT)
        problem(exchange, PROBLEM_JOB_RUNNING,
                "the job is running: cancel it first, or delete it with ?force=true");
    else
        answer_store(exchange, status, PROBLEM_NO_SUCH_JOB);
}

enum http_next api_job_delete(struct http_exchange *exchange) {
    struct change *change = http_alloc(exchange, sizeof *change);
    if (!change || !path_id(exchange, PROBLEM_NO_SUCH_JOB) ||
        !read_query(exchange, &job_delete_fields, change))
        return HTTP_REPLY;
    exchange->state = change;
    exchange->after = interrupt_worker;
    return http_on_writer(exchange, delete_job);
}
