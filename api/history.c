/* /v1/jobs/{id}/history: the loss of each epoch, in columns. */
#include "server/base/clock.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/contract/caching.h"
#include "api/contract/handlers.h"
#include "api/contract/openapi.h"
#include "api/format/formats.h"
#include "api/format/svg.h"
#include "api/jobs.h"

enum {
    HISTORY_MAX = 10000,
    HISTORY_ON_LOOP = 500, /* epochs that are read on an HTTP thread */
    WAIT_MAX_SECONDS = 60,
    POINTS_MIN = 4,
};

struct history_query {
    int after, limit, max_points, wait;
    const struct format *format;
    double until; /* monotonic end of the wait */
};

static const struct field rows[] = {
    {"", "after", FIELD_INTEGER, offsetof(struct history_query, after), 0, INT32_MAX, 0, NULL,
     "Only epochs after this one. If the job has not reached it yet, next_after says where the job "
     "is."},
    {"", "limit", FIELD_INTEGER, offsetof(struct history_query, limit), 1, HISTORY_MAX, 0, NULL,
     "Maximum number of epochs."},
    {"", "max_points", FIELD_INTEGER, offsetof(struct history_query, max_points), POINTS_MIN,
     HISTORY_MAX, 0, NULL,
     "Thin the epochs to this number; the first, the last, and the peaks are kept."},
    {"", "wait", FIELD_INTEGER, offsetof(struct history_query, wait), 0, WAIT_MAX_SECONDS, 0, NULL,
     "Seconds to wait for an epoch after `after`, if there is none yet and the job is still "
     "active."},
};
const struct field_set history_fields = {rows, sizeof rows / sizeof rows[0]};

#define KIND_INTEGER   .type = FIELD_INTEGER, .min = 1, .max = INFINITY
#define KIND_INTEGER64 .type = FIELD_INT64, .min = 1, .max = INFINITY
#define KIND_NUMBER    .type = FIELD_NUMBER
#define KIND_NULLABLE  .type = FIELD_NUMBER, .flags = FIELD_OR_NULL
#define COLUMN(kind, member, about)                                                                \
    {.group = "",                                                                                  \
     .name = #member,                                                                              \
     .offset = offsetof(struct epoch_row, member),                                                 \
     .doc = (about),                                                                               \
     KIND_##kind},
static const struct field columns[] = {EPOCH_COLUMNS(COLUMN)};
const struct field_set epoch_columns = ANSWER(columns);

struct history {
    const char *job;
    enum job_status status;
    struct table table;
    int next_after;
    bool has_more;
};
#define AT(member) offsetof(struct history, member)
static const struct field answer_rows[] = {
    {"", "job", FIELD_STRING, AT(job), .schema = "Id"},
    {"", "status", FIELD_CHOICE, AT(status), .choices = job_status_names},
    {"", "columns", FIELD_WRITTEN, AT(table), .schema = "Names", .write = table_write_names},
    {"", "data", FIELD_WRITTEN, AT(table), .schema = "HistoryColumns",
     .write = table_write_columns},
    {"", "next_after", FIELD_INTEGER, AT(next_after), 0, INFINITY},
    {"", "has_more", FIELD_BOOLEAN, AT(has_more)},
};
const struct field_set history_answer = ANSWER(answer_rows);

static void reply_json(struct http_exchange *exchange, const struct job *job,
                       const struct history_query *query, const struct table *table,
                       bool has_more) {
    const struct epoch_row *epochs = table->rows;
    const int at = query->after < job->epoch ? query->after : job->epoch;
    const struct history history = {
        .job = job->id,
        .status = job->status,
        .table = *table,
        .next_after = table->count > 0 ? epochs[table->count - 1].epoch : at,
        .has_more = has_more,
    };
    struct json_writer json = json_reply(exchange, 200);
    fields_write(&history_answer, &history, &json);
}

static void reply(struct http_exchange *exchange, const struct job *job,
                  const struct history_query *query, const struct epoch_row *epochs, int count,
                  bool has_more) {
    const struct table table = {&epoch_columns, epochs, sizeof *epochs, (size_t)count};
    exchange->response.status = 200;
    if (strcmp(query->format->suffix, "csv") == 0)
        table_write_csv(&table, &exchange->response.body);
    else if (strcmp(query->format->suffix, "svg") == 0)
        svg_curves(&exchange->response.body, &(struct curves){
                                                 .title = job->name ? job->name : "loss",
                                                 .x_name = "epoch",
                                                 .table = &table,
                                                 .x = offsetof(struct epoch_row, epoch),
                                                 .names = {"training loss", "validation loss"},
                                                 .y = {offsetof(struct epoch_row, train_loss),
                                                       offsetof(struct epoch_row, val_loss)},
                                             });
    else
        reply_json(exchange, job, query, &table, has_more);
}

/* The number of epochs to read: all of them if they are thinned. */
static int64_t epochs_to_read(const struct history_query *query, const struct job *job) {
    const int64_t epochs = (int64_t)job->epoch - query->after;
    return query->max_points == 0 && epochs > query->limit ? query->limit : epochs;
}

enum result { ANSWERED, NOTHING_NEW, TOO_MUCH };

/* Answers, unless there is nothing new for an active job, or more than `most` epochs to read. */
static enum result answer_if_new(struct http_exchange *exchange, bool even_if_nothing,
                                 int64_t most) {
    const struct history_query *query = exchange->state;
    struct store_session *session = begin_reading(exchange);
    if (!session)
        return ANSWERED;
    struct epoch_row *epochs = malloc((size_t)query->limit * sizeof *epochs);
    struct job job;
    int count = 0;
    bool has_more = false;
    enum result result = ANSWERED;
    /* The job first, so that a response with a final status has the last epochs. */
    enum store_status status =
        epochs ? store_job_get(session, exchange->request.ids[0], &job) : STORE_ERROR;
    if (status == STORE_OK && epochs_to_read(query, &job) > most) {
        result = TOO_MUCH;
        job_clear(&job);
    } else if (status == STORE_OK) {
        status = query->max_points ? store_history_peaks(session, job.id, query->after,
                                                         query->max_points, epochs, &count)
                                   : store_history(session, job.id, query->after, query->limit,
                                                   epochs, &count, &has_more);
        if (status == STORE_OK && count == 0 && job_is_active(&job) && !even_if_nothing)
            result = NOTHING_NEW;
        if (status == STORE_OK && result == ANSWERED) {
            reply(exchange, &job, query, epochs, count, has_more);
            const struct buffer *body = &exchange->response.body;
            exchange->response.etag = tag_of(exchange, body->data, body->length);
        }
        job_clear(&job);
    }
    if (status != STORE_OK)
        answer_store(exchange, status, PROBLEM_NO_SUCH_JOB);
    end_reading(exchange, session);
    free(epochs);
    return result;
}

static bool look_again(struct http_exchange *exchange) {
    const struct history_query *query = exchange->state;
    const bool is_late = http_is_stopping(exchange) || clock_monotonic() >= query->until;
    return answer_if_new(exchange, is_late, INT64_MAX) == ANSWERED;
}

/* "latest" may become another job. */
static struct wait wait_of(const struct http_exchange *exchange) {
    const struct history_query *query = exchange->state;
    const char *id = exchange->request.ids[0];
    return (struct wait){.job = strcmp(id, "latest") == 0 ? NULL : id, .until = query->until};
}

static void answer_on_pool(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    answer_if_new(exchange, true, INT64_MAX);
}

enum http_next api_history(struct http_exchange *exchange) {
    struct history_query *query = http_alloc(exchange, sizeof *query);
    if (!query)
        return HTTP_REPLY;
    query->limit = HISTORY_MAX;
    query->format = format_of(exchange);
    if (!query->format || !path_id(exchange, PROBLEM_NO_SUCH_JOB) ||
        !read_query(exchange, &history_fields, query))
        return HTTP_REPLY;
    if (query->max_points > query->limit)
        query->max_points = query->limit;
    query->until = clock_monotonic() + query->wait;
    exchange->state = query;
    switch (answer_if_new(exchange, query->wait == 0, HISTORY_ON_LOOP)) {
    case ANSWERED: break;
    case NOTHING_NEW: return http_on_watch(exchange, look_again, wait_of(exchange));
    case TOO_MUCH: return http_on_pool(exchange, answer_on_pool);
    }
    return HTTP_REPLY;
}
