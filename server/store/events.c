/* Reads what happened to jobs; triggers write it (migrations/). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/driver.h"
#include "server/store/sql.h"

const char *const event_kind_names[] = {"status", "epoch", "checkpoint", NULL};

void event_clear(struct event *event) {
    free(event->error.code);
    free(event->error.detail);
    *event = (struct event){0};
}

static bool is_end(const char *status) {
    return strcmp(status, "queued") != 0 && strcmp(status, "running") != 0;
}

#define EVENT_COLUMNS "id, job, at, kind, status, error_code, error_detail" SQL_EPOCH_NAMES

static void read_event(struct store_session *session, struct sql_statement *row,
                       struct event *event) {
    *event = (struct event){
        .id = sql_int64(row, 0),
        .at = sql_int64(row, 2),
        .kind = (enum event_kind)sql_name(row, 3, event_kind_names),
        .row = sql_epoch(row, 7),
        .error = {sql_text(session, row, 5), sql_text(session, row, 6)},
    };
    memcpy(event->job, sql_chars(row, 1), ID_LENGTH);
    const char *status = sql_chars(row, 4);
    if (status) {
        strncpy(event->status, status, sizeof event->status - 1);
        event->is_end = is_end(status);
    }
}

enum store_status store_watched_job(struct store_session *session, const char *id,
                                    struct watched_job *job) {
    struct sql_statement *row =
        strcmp(id, "latest") == 0
            ? sql_prepare(session, "SELECT seq, id FROM job ORDER BY seq DESC LIMIT 1", "")
            : sql_prepare(session,
                          "SELECT seq, id FROM job WHERE id = ?1 UNION ALL"
                          " SELECT job_seq, job FROM event WHERE job = ?1 AND status = 'deleted'",
                          "t", id);
    bool found = sql_row(session, row);
    if (found) {
        *job = (struct watched_job){.seq = sql_int64(row, 0)};
        memcpy(job->id, sql_chars(row, 1), ID_LENGTH);
    }
    return sql_found(session, row, found, STORE_NOT_FOUND);
}

/* Appends the events of one job, or of all (job NULL). */
static enum store_status read_events(struct store_session *session,
                                     const struct event_filter *filter,
                                     const struct watched_job *job, struct event *events,
                                     int *count) {
#define EVENTS(where)                                                                              \
    "SELECT " EVENT_COLUMNS " FROM event WHERE " where " id > ?1 AND id <= ?2 ORDER BY id LIMIT "  \
    "?3"
    struct sql_statement *row =
        job ? sql_prepare(session, EVENTS("job_seq = ?4 AND"), "iiii", filter->after, filter->until,
                          (int64_t)filter->limit, job->seq)
            : sql_prepare(session, EVENTS(""), "iii", filter->after, filter->until,
                          (int64_t)filter->limit);
#undef EVENTS
    while (sql_row(session, row))
        read_event(session, row, &events[(*count)++]);
    return sql_done(session, row);
}

/* For ids, and for events, which begin with their id. */
static int by_id(const void *a, const void *b) {
    const int64_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

/* The last event that a batch for many jobs has room for. An index has all ids, while the events
 * themselves would be many times as much to read. */
static enum store_status find_last(struct store_session *session, const struct event_filter *filter,
                                   int64_t *last) {
    enum store_status status = STORE_OK;
    size_t found = 0;
    int64_t *ids = malloc((size_t)filter->job_count * (size_t)filter->limit * sizeof *ids);
    if (!ids)
        return STORE_ERROR;
    for (int i = 0; i < filter->job_count && status == STORE_OK; i++) {
        struct sql_statement *row = sql_prepare(
            session,
            "SELECT id FROM event WHERE job_seq = ?1 AND id > ?2"
            " AND id <= ?3 ORDER BY id LIMIT ?4",
            "iiii", filter->jobs[i].seq, filter->after, filter->until, (int64_t)filter->limit);
        while (sql_row(session, row))
            ids[found++] = sql_int64(row, 0);
        status = sql_done(session, row);
    }
    qsort(ids, found, sizeof *ids, by_id);
    *last = found > (size_t)filter->limit ? ids[filter->limit - 1] : filter->until;
    free(ids);
    return status;
}

/* Reads the events of each job, as far as all of them together fit, and sorts them. */
static enum store_status read_merged(struct store_session *session,
                                     const struct event_filter *filter, struct event *events,
                                     int *count) {
    struct event_filter part = *filter;
    enum store_status status = sql_begin_reading(session);
    if (status != STORE_OK)
        return status;
    status = find_last(session, filter, &part.until);
    for (int i = 0; i < filter->job_count && status == STORE_OK; i++) {
        part.limit = filter->limit - *count;
        status = read_events(session, &part, &filter->jobs[i], events, count);
    }
    qsort(events, (size_t)*count, sizeof *events, by_id);
    return sql_end_reading(session, status);
}

/* The last id up to `wanted` before which no event can appear any more. */
static enum store_status settle(struct store_session *session, int64_t wanted, int64_t *id) {
    *id = wanted;
    return session->driver->horizon ? session->driver->horizon(session, wanted, id) : STORE_OK;
}

enum store_status store_events_settle(struct store_session *session, bool for_others) {
    return session->driver->settle ? session->driver->settle(session, for_others) : STORE_OK;
}

enum store_status store_events(struct store_session *session, const struct event_filter *filter,
                               struct event *events, int *count) {
    struct event_filter settled = *filter;
    *count = 0;
    enum store_status status = settle(session, filter->until, &settled.until);
    if (status == STORE_OK && settled.until > settled.after)
        status = filter->job_count > 1
                     ? read_merged(session, &settled, events, count)
                     : read_events(session, &settled, filter->job_count ? filter->jobs : NULL,
                                   events, count);
    if (status != STORE_OK)
        while (*count > 0)
            event_clear(&events[--*count]);
    return status;
}

enum store_status store_event_count(struct store_session *session, int64_t after, int64_t until,
                                    int64_t *count) {
    return sql_value(session,
                     sql_prepare(session, "SELECT count(*) FROM event WHERE id > ?1 AND id <= ?2",
                                 "ii", after, until),
                     count, STORE_ERROR);
}

enum store_status store_event_last(struct store_session *session, int64_t *id) {
    return session->driver->horizon ? settle(session, INT64_MAX, id)
                                    : session->driver->last_event(session, id);
}

double store_event_pause(struct store *store) {
    return store->driver->event_pause ? store->driver->event_pause(store) : INFINITY;
}

enum store_status store_event_place(struct store_session *session, int64_t *id) {
    int64_t last;
    /* A client may know an event from another node that is not settled here. */
    enum store_status status = session->driver->last_event(session, &last);
    if (*id > last || *id >> EVENT_MARK_BITS != last >> EVENT_MARK_BITS)
        *id = 0;
    return status;
}

enum store_status store_events_over(struct store_session *session, const struct watched_job *jobs,
                                    int job_count, int64_t after, bool *over) {
    enum store_status status = STORE_OK;
    *over = true;
    for (int i = 0; i < job_count && status == STORE_OK && *over; i++) {
        struct sql_statement *row = sql_prepare(
            session,
            "SELECT 1 WHERE EXISTS (SELECT 1 FROM event WHERE job_seq = ?1 AND id > ?2)"
            " OR EXISTS (SELECT 1 FROM job WHERE seq = ?1 AND status IN ('queued', 'running'))",
            "ii", jobs[i].seq, after);
        *over = !sql_row(session, row);
        status = sql_done(session, row);
    }
    return status;
}
