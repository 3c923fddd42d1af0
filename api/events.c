/* /v1/events and /v1/jobs/{id}/events: the events of jobs, as server-sent events or as a list. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/contract/handlers.h"
#include "api/contract/openapi.h"
#include "api/format/formats.h"
#include "api/jobs.h"

enum {
    EVENTS_DEFAULT = 100,
    EVENTS_MAX = 1000,
    EVENTS_ON_LOOP = 500, /* that an HTTP thread reads for a list, for all of its jobs together */
    ID_TEXT_BYTES = 100,
};

#define NOT_GIVEN  UINT64_MAX
#define LARGEST_ID 9007199254740991 /* 2^53 - 1 */

/* The query, and the jobs found for it. */
struct watching {
    uint64_t after;
    int limit;
    struct field_texts ids;
    struct watched_job jobs[HTTP_MAX_PARAMS];
    int job_count;
    struct listener listener;
};

static const struct field rows[] = {
    {"", "after", FIELD_UINT53, offsetof(struct watching, after), 0, 0, 0, NULL,
     "Only events after the one with this id. Without it, a stream of named jobs starts with their "
     "first event, and a stream of all jobs with the next event. Ids increase and are unique "
     "across databases. If the id is not from this database, the stream starts with the first "
     "event."},
    {"", "limit", FIELD_INTEGER, offsetof(struct watching, limit), 1, EVENTS_MAX, 0, NULL,
     "Maximum number of events in a list."},
    /* last, because the events of one job do not have it */
    {"", "job", FIELD_TEXTS, offsetof(struct watching, ids), 0, ID_TEXT_BYTES, 0, NULL,
     "Id of a job to watch; repeat it to watch several. Default: all jobs."},
};
const struct field_set job_event_fields = {rows, sizeof rows / sizeof rows[0] - 1};
const struct field_set event_fields = {rows, sizeof rows / sizeof rows[0]};

/* ------------------------------------------------------------------ one event */

#define AT(member) offsetof(struct event, member)
static const struct field common_rows[] = {
    {"", "job", FIELD_TEXT, AT(job), .schema = "Id"},
    {"", "at", FIELD_TIME, AT(at)},
};
static const struct field_set common = ANSWER(common_rows);

static const struct field status_rows[] = {
    {"", "", FIELD_MEMBERS, .set = &common},
    {"", "status", FIELD_TEXT, AT(status), .schema = "EventStatus"},
    {"", "epoch", FIELD_INTEGER, AT(row.epoch), 0, INFINITY},
    {"", "error", FIELD_OBJECT, AT(error), .schema = "JobError", .set = &job_error_answer},
};
static const struct field epoch_rows[] = {
    {"", "", FIELD_MEMBERS, .set = &common},
    {"", "", FIELD_MEMBERS, AT(row), .set = &epoch_columns},
};
static const struct field checkpoint_rows[] = {
    {"", "", FIELD_MEMBERS, .set = &common},
    {"", "epoch", FIELD_INTEGER, AT(row.epoch), 1, INFINITY},
};
const struct field_set status_event = ANSWER(status_rows);
const struct field_set epoch_event = ANSWER(epoch_rows);
const struct field_set checkpoint_event =
    ANSWER(checkpoint_rows, .doc = "A newer model has been saved.");

static void write_data(const void *value, struct json_writer *json) {
    static const struct field_set *const sets[EVENT_KIND_COUNT] = {
        [EVENT_STATUS] = &status_event,
        [EVENT_EPOCH] = &epoch_event,
        [EVENT_CHECKPOINT] = &checkpoint_event,
    };
    const struct event *event = value;
    fields_write(sets[event->kind], event, json);
}

static const struct field event_rows[] = {
    {"", "id", FIELD_INT64, AT(id), 1, INFINITY},
    {"", "event", FIELD_CHOICE, AT(kind), .choices = event_kind_names},
    {"", "data", FIELD_WRITTEN, .schema = "EventData", .write = write_data},
};
const struct field_set event_answer = ANSWER(
    event_rows,
    .doc = "An event of a stream of server-sent events, with its fields id, event and data.");

void api_event_data(const struct event *event, struct buffer *out) {
    write_data(event, &(struct json_writer){.out = out});
}

/* ------------------------------------------------------------------ the request */

/* An EventSource that reconnects sends its last event's id in a header, with its old query. */
static bool read_last_event_id(struct http_exchange *exchange, uint64_t *after) {
    const char *text = http_header(exchange, "Last-Event-ID");
    if (!text || !*text)
        return true;
    const size_t length = strlen(text);
    const bool is_number = length <= 16 && strspn(text, "0123456789") == length;
    if (is_number)
        *after = strtoull(text, NULL, 10);
    if (!is_number || *after > LARGEST_ID) {
        problem(exchange, PROBLEM_BAD_LAST_EVENT_ID, "Last-Event-ID must be the id of an event");
        return false;
    }
    return true;
}

/* Adds a job to those watched, once. False: the error is already the response. */
static bool find_job(struct http_exchange *exchange, struct store_session *session, const char *id,
                     struct watching *watching) {
    struct watched_job job;
    enum store_status status = store_watched_job(session, id, &job);
    if (status != STORE_OK) {
        answer_store(exchange, status, PROBLEM_NO_SUCH_JOB);
        return false;
    }
    int i = 0;
    while (i < watching->job_count && watching->jobs[i].seq != job.seq)
        i++;
    if (i == watching->job_count)
        watching->jobs[watching->job_count++] = job;
    return true;
}

/* ------------------------------------------------------------------ the list */

static void reply_list(struct http_exchange *exchange, const struct event *events, int count,
                       bool has_more) {
    struct json_writer json = page_begin(exchange);
    for (int i = 0; i < count; i++)
        fields_write(&event_answer, &events[i], &json);
    page_end_number(&json, has_more ? events[count - 1].id : 0);
}

static void list(struct http_exchange *exchange, struct store_session *session,
                 const struct watching *watching) {
    int64_t after = watching->after == NOT_GIVEN ? 0 : (int64_t)watching->after;
    const int most = watching->limit + 1; /* one more, to know whether there is more */
    struct event *events = calloc((size_t)most, sizeof *events);
    int count = 0;
    enum store_status status = store_event_place(session, &after);
    const struct event_filter filter = {
        .jobs = watching->jobs,
        .job_count = watching->job_count,
        .after = after,
        .until = INT64_MAX,
        .limit = most,
    };
    if (status == STORE_OK)
        status = events ? store_events(session, &filter, events, &count) : STORE_ERROR;
    const int shown = count < most ? count : watching->limit;
    if (status == STORE_OK)
        reply_list(exchange, events, shown, count > shown);
    else
        problem_store(exchange, status);
    for (int i = 0; i < count; i++)
        event_clear(&events[i]);
    free(events);
}

static void list_on_pool(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    struct store_session *session = begin_reading(exchange);
    if (!session)
        return;
    list(exchange, session, exchange->state);
    end_reading(exchange, session);
}

/* ------------------------------------------------------------------ the stream */

static enum http_piece next_events(struct http_exchange *exchange, struct buffer *piece) {
    struct watching *watching = exchange->state;
    return events_next(&watching->listener, piece);
}

static void leave(struct http_exchange *exchange) {
    struct watching *watching = exchange->state;
    events_leave(&watching->listener);
}

/* Finds the event after which the stream starts. */
static enum store_status start_of(struct store_session *session, struct watching *watching,
                                  int64_t *after) {
    *after = (int64_t)watching->after;
    if (watching->after != NOT_GIVEN)
        return store_event_place(session, after);
    *after = 0;
    return watching->job_count > 0 ? STORE_OK : store_event_last(session, after);
}

static void stream(struct http_exchange *exchange, struct store_session *session,
                   struct watching *watching) {
    int64_t after;
    bool over = false;
    enum store_status status = start_of(session, watching, &after);
    if (status == STORE_OK && watching->job_count > 0)
        status = store_events_over(session, watching->jobs, watching->job_count, after, &over);
    if (status != STORE_OK) {
        problem_store(exchange, status);
        return;
    }
    if (over) { /* an EventSource then does not reconnect */
        exchange->response.status = 204;
        exchange->response.content_type = NULL;
        return;
    }
    watching->listener = (struct listener){
        .events = service_of(exchange)->events,
        .exchange = exchange,
        .jobs = watching->jobs,
        .job_count = watching->job_count,
        .after = after,
    };
    if (!events_join(&watching->listener)) {
        problem(exchange, PROBLEM_TOO_MANY_STREAMS, "too many event streams are open");
        http_set_header(exchange, "Retry-After", "5");
        return;
    }
    /* An id without data is not an event; it tells a client that has received nothing yet where to
     * resume. */
    buffer_format(&exchange->response.body, "retry: %d\nid: %" PRIi64 "\n\n", EVENTS_RETRY_MS,
                  after);
    http_set_header(exchange, "Cache-Control", "no-store");
    http_set_header(exchange, "X-Accel-Buffering", "no");
    exchange->response.status = 200;
    exchange->response.stream = (struct http_stream){.next = next_events, .closed = leave};
}

static enum http_next answer(struct http_exchange *exchange, const char *id) {
    const struct format *format = format_of(exchange);
    struct watching *watching = format ? http_alloc(exchange, sizeof *watching) : NULL;
    if (!watching)
        return HTTP_REPLY;
    watching->after = NOT_GIVEN;
    watching->limit = EVENTS_DEFAULT;
    if (!read_query(exchange, id ? &job_event_fields : &event_fields, watching) ||
        !read_last_event_id(exchange, &watching->after))
        return HTTP_REPLY;
    struct store_session *session = begin_reading(exchange);
    if (!session)
        return HTTP_REPLY;
    bool found = !id || find_job(exchange, session, id, watching);
    for (int i = 0; i < watching->ids.count && found; i++)
        found = find_job(exchange, session, watching->ids.items[i], watching);
    const bool is_list = format_is_json(format);
    const int jobs = watching->job_count > 0 ? watching->job_count : 1;
    const bool is_for_pool = found && is_list && jobs * watching->limit > EVENTS_ON_LOOP;
    exchange->state = watching;
    if (found && is_list && !is_for_pool)
        list(exchange, session, watching);
    else if (found && !is_list)
        stream(exchange, session, watching);
    end_reading(exchange, session);
    return is_for_pool ? http_on_pool(exchange, list_on_pool) : HTTP_REPLY;
}

enum http_next api_events(struct http_exchange *exchange) {
    return answer(exchange, NULL);
}

enum http_next api_job_events(struct http_exchange *exchange) {
    const char *id = path_id(exchange, PROBLEM_NO_SUCH_JOB);
    return id ? answer(exchange, id) : HTTP_REPLY;
}
