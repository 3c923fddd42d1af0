#include "server/events.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/base/bell.h"
#include "server/base/clock.h"
#include "server/base/counters.h"
#include "server/base/id.h"
#include "server/base/log.h"

enum {
    REMEMBERED = 512, /* events */
    BATCH = 64,       /* read at a time */
    PIECE_BYTES = 16 << 10,
    HEARTBEAT_SECONDS = 9,
    LONGEST_SECONDS = 15 * 60,
    RECOUNT_SECONDS = 15, /* longer than a database lets a transaction wait */
    OWN_NS = 2000000,     /* between two looks, at least, */
    SHARED_NS = 25000000, /* and where each look costs a server that others use, too */
};

/* An event as the text that streams send. */
struct remembered {
    int64_t id;
    char job[ID_LENGTH + 1];
    bool is_end;
    struct buffer text;
};

/* Events that were told in a row. */
struct told {
    int64_t after, until, count; /* those with after < id <= until; count 0: none */
};

struct events {
    struct store *store;
    struct watch *watch;
    void (*data)(const struct event *event, struct buffer *out);
    struct bell bell; /* rings after a commit; its mutex guards the rest */
    struct listener *listeners;
    int count;
    /* All events with base < id <= latest, the oldest first. */
    struct remembered memory[REMEMBERED];
    int first, length;
    int64_t base, latest;
    struct told told, before; /* in this turn of RECOUNT_SECONDS, and in the one before */
    double turned;
    long least_ns;
    bool has_skipped; /* nobody wanted the last ones; for the thread */
    struct events_queue queue;
};

static void put_event(const struct events *events, const struct event *event, struct buffer *out) {
    buffer_format(out, "id: %lld\nevent: %s\ndata: ", (long long)event->id,
                  event_kind_names[event->kind]);
    events->data(event, out);
    buffer_text(out, "\n\n");
}

static bool concerns(const struct listener *listener, const char *job) {
    for (int i = 0; i < listener->job_count; i++)
        if (strcmp(listener->jobs[i].id, job) == 0)
            return true;
    return listener->job_count == 0;
}

/* ------------------------------------------------------------------ the thread */

static void forget_oldest(struct events *events) {
    struct remembered *oldest = &events->memory[events->first];
    events->base = oldest->id;
    buffer_clear(&oldest->text);
    events->first = (events->first + 1) % REMEMBERED;
    events->length--;
}

/* Remembered events of a deleted job are not sent any more. */
static void forget_job(struct events *events, const char *job) {
    for (int i = 0; i < events->length; i++) {
        struct remembered *kept = &events->memory[(events->first + i) % REMEMBERED];
        if (strcmp(kept->job, job) == 0)
            buffer_clear(&kept->text);
    }
}

/* The mutex is held. If there is no memory for an event, all streams read it from the store. */
static void remember(struct events *events, const struct event *event) {
    if (events->length == REMEMBERED)
        forget_oldest(events);
    if (event->kind == EVENT_STATUS && strcmp(event->status, "deleted") == 0)
        forget_job(events, event->job);
    struct remembered *kept = &events->memory[(events->first + events->length) % REMEMBERED];
    *kept = (struct remembered){.id = event->id, .is_end = event->is_end};
    memcpy(kept->job, event->job, sizeof kept->job);
    put_event(events, event, &kept->text);
    events->length++;
    events->latest = event->id;
    if (kept->text.failed)
        while (events->length > 0)
            forget_oldest(events);
}

static void wake_concerned(struct events *events, const struct event *batch, int count) {
    for (struct listener *listener = events->listeners; listener; listener = listener->next)
        for (int i = 0; i < count; i++)
            if (concerns(listener, batch[i].job)) {
                http_wake(listener->exchange);
                break;
            }
}

/* The mutex is held. */
static void tell_queued(const struct events *events, const struct event *batch, int count) {
    bool is_any = false;
    for (int i = 0; i < count; i++)
        is_any |= batch[i].kind == EVENT_STATUS && strcmp(batch[i].status, "queued") == 0;
    if (is_any && events->queue.queued)
        events->queue.queued(events->queue.listener);
}

/* Does anybody wait for events? Nodes whose workers are all busy, and which nobody asks, leave those
 * of all the others unread. */
static bool is_wanted(struct events *events) {
    if (!store_is_shared(events->store))
        return true;
    pthread_mutex_lock(&events->bell.mutex);
    const struct events_queue *queue = &events->queue;
    const bool is = events->count > 0 || (queue->is_awaited && queue->is_awaited(queue->listener));
    pthread_mutex_unlock(&events->bell.mutex);
    return is || watch_is_awaited(events->watch);
}

/* After events that nobody wanted: goes on with those to come. Whoever waits since then looks for
 * itself at what it waits for, and streams read what they miss. */
static enum store_status catch_up(struct events *events, struct store_session *session) {
    int64_t last;
    const enum store_status status = store_event_last(session, &last);
    if (status != STORE_OK)
        return status;
    pthread_mutex_lock(&events->bell.mutex);
    while (events->length > 0)
        forget_oldest(events);
    events->base = events->latest = last;
    events->has_skipped = false;
    events->told = (struct told){0}; /* those between were not */
    for (struct listener *listener = events->listeners; listener; listener = listener->next)
        http_wake(listener->exchange);
    if (events->queue.queued)
        events->queue.queued(events->queue.listener);
    pthread_mutex_unlock(&events->bell.mutex);
    watch_suspect(events->watch);
    return STORE_OK;
}

/* Reads events beyond the last one, if anybody wants them. */
static void read_new(struct events *events, struct store_session *session, struct event *batch,
                     int *count) {
    const bool wanted = is_wanted(events);
    enum store_status status = store_events_settle(session, wanted);
    events->has_skipped |= !wanted;
    if (status == STORE_OK && wanted && events->has_skipped)
        status = catch_up(events, session);
    const struct event_filter filter = {
        .after = events->latest, .until = INT64_MAX, .limit = BATCH};
    if (status == STORE_OK && wanted)
        store_events(session, &filter, batch, count);
}

static void note_told(struct told *told, int64_t after, int64_t until, int count) {
    if (told->count == 0)
        told->after = after;
    told->until = until;
    told->count += count;
}

static enum store_status find_late(struct events *events, const struct told *told, int64_t *late) {
    struct store_session *session = store_acquire(events->store);
    int64_t count = 0;
    if (!session)
        return store_why_none(events->store);
    const enum store_status status = store_event_count(session, told->after, told->until, &count);
    store_release(events->store, session);
    *late = count - told->count;
    return status;
}

/* When an event is told, each before it must be visible, for no stream would ever send one that comes
 * later. So where other processes write, too, they are counted again after a while. By then there may
 * be less of them, as jobs are deleted. */
static void count_again(struct events *events) {
    const double now = clock_monotonic();
    const struct told before = events->before;
    int64_t late = 0;
    if (!store_is_shared(events->store) || now - events->turned < RECOUNT_SECONDS)
        return;
    events->turned = now;
    events->before = events->told;
    events->told = (struct told){0};
    if (before.count == 0 || find_late(events, &before, &late) != STORE_OK || late <= 0)
        return;
    counters_add_late_events(late);
    log_line(LOG_ERROR, "events came after later ones, so streams have missed them",
             "events=%lld after=%lld until=%lld", (long long)late, (long long)before.after,
             (long long)before.until);
}

/* Reads a batch of new events; false when there are no more. */
static bool look(struct events *events) {
    struct store_session *session = store_acquire(events->store);
    struct event batch[BATCH];
    int count = 0;
    if (!session)
        return false; /* logged; the next tick tries again */
    read_new(events, session, batch, &count);
    store_release(events->store, session);
    if (count == 0)
        return false;
    note_told(&events->told, events->latest, batch[count - 1].id, count);
    pthread_mutex_lock(&events->bell.mutex);
    for (int i = 0; i < count; i++)
        remember(events, &batch[i]);
    wake_concerned(events, batch, count);
    tell_queued(events, batch, count);
    pthread_mutex_unlock(&events->bell.mutex);
    for (int i = 0; i < count; i++) {
        watch_news(events->watch, batch[i].job,
                   batch[i].kind == EVENT_STATUS ? WAIT_FOR_STATUS : WAIT_FOR_ANYTHING);
        event_clear(&batch[i]);
    }
    return count == BATCH;
}

/* Wakes streams that were silent, or open, for too long, and those that could not read what they have
 * missed: events_next() decides what they send. */
static void wake_silent(struct events *events) {
    const double now = clock_monotonic();
    const bool is_there = store_away(events->store) == 0;
    pthread_mutex_lock(&events->bell.mutex);
    for (struct listener *listener = events->listeners; listener; listener = listener->next)
        if ((listener->has_to_read && is_there) || now - listener->spoke >= HEARTBEAT_SECONDS ||
            now - listener->began >= LONGEST_SECONDS)
            http_wake(listener->exchange);
    pthread_mutex_unlock(&events->bell.mutex);
}

/* Streams are gone by now, but other nodes wait to hear of what this one has committed. They look for
 * themselves soon if it cannot be told at once. */
static void tell_last(struct events *events) {
    struct store_session *session = store_acquire(events->store);
    if (!session)
        return;
    store_events_settle(session, false);
    store_release(events->store, session);
}

static void *events_main(void *argument) {
    struct events *events = argument;
    double beaten = clock_monotonic();
    bool is_behind = false;
    while (bell_wait(&events->bell, is_behind ? 0 : fmin(1, store_event_pause(events->store)))) {
        is_behind = look(events);
        /* Jobs can commit a thousand times a second, and each wake of a stream costs a system call
         * or two. So the first event goes out at once, and those right after it together. */
        const long streams = events_streams(events);
        if (!is_behind)
            nanosleep(&(struct timespec){.tv_nsec = events->least_ns + 100000L * streams}, NULL);
        if (clock_monotonic() - beaten >= 1) {
            beaten = clock_monotonic();
            wake_silent(events);
            count_again(events);
        }
    }
    tell_last(events);
    return NULL;
}

struct events *events_start(struct store *store, struct watch *watch,
                            void (*data)(const struct event *event, struct buffer *out)) {
    struct events *events = calloc(1, sizeof *events);
    if (!events)
        return NULL;
    events->store = store;
    events->watch = watch;
    events->data = data;
    events->least_ns = store_is_shared(store) ? SHARED_NS : OWN_NS;
    struct store_session *session = store_acquire(store);
    bool works = session && store_event_last(session, &events->latest) == STORE_OK;
    if (session)
        store_release(store, session);
    events->base = events->latest;
    if (!works || !bell_start(&events->bell, events_main, events)) {
        free(events);
        return NULL;
    }
    return events;
}

void events_stop(struct events *events) {
    bell_stop(&events->bell);
    while (events->length > 0)
        forget_oldest(events);
    free(events);
}

void events_committed(struct events *events) {
    bell_ring(&events->bell);
}

void events_on_queued(struct events *events, struct events_queue queue) {
    pthread_mutex_lock(&events->bell.mutex);
    events->queue = queue;
    pthread_mutex_unlock(&events->bell.mutex);
}

int events_streams(struct events *events) {
    pthread_mutex_lock(&events->bell.mutex);
    int count = events->count;
    pthread_mutex_unlock(&events->bell.mutex);
    return count;
}

/* ------------------------------------------------------------------ the streams */

bool events_join(struct listener *listener) {
    struct events *events = listener->events;
    listener->began = listener->spoke = clock_monotonic();
    listener->may_be_over = true;
    pthread_mutex_lock(&events->bell.mutex);
    bool joined = events->count < EVENTS_MAX_STREAMS;
    if (joined) {
        events->count++;
        listener->next = events->listeners;
        if (listener->next)
            listener->next->previous = listener;
        events->listeners = listener;
    }
    pthread_mutex_unlock(&events->bell.mutex);
    bell_ring(&events->bell); /* perhaps nobody wanted events until now */
    return joined;
}

void events_leave(struct listener *listener) {
    struct events *events = listener->events;
    pthread_mutex_lock(&events->bell.mutex);
    events->count--;
    *(listener->previous ? &listener->previous->next : &events->listeners) = listener->next;
    if (listener->next)
        listener->next->previous = listener->previous;
    pthread_mutex_unlock(&events->bell.mutex);
}

/* The mutex is held. */
static void copy_remembered(struct events *events, struct listener *listener, struct buffer *out) {
    for (int i = 0; i < events->length && out->length < PIECE_BYTES; i++) {
        const struct remembered *kept = &events->memory[(events->first + i) % REMEMBERED];
        if (kept->id <= listener->after)
            continue;
        listener->after = kept->id;
        if (!concerns(listener, kept->job))
            continue;
        buffer_append(out, kept->text.data, kept->text.length);
        listener->may_be_over |= kept->is_end;
    }
}

/* Reads events that are no longer remembered, up to `until`. */
static enum store_status read_stored(struct listener *listener, int64_t until,
                                     struct store_session *session, struct buffer *out) {
    struct event batch[BATCH];
    int count;
    const struct event_filter filter = {.jobs = listener->jobs,
                                        .job_count = listener->job_count,
                                        .after = listener->after,
                                        .until = until,
                                        .limit = BATCH};
    enum store_status status = store_events(session, &filter, batch, &count);
    if (status != STORE_OK)
        return status;
    listener->after = count == BATCH ? batch[count - 1].id : until;
    for (int i = 0; i < count; i++) {
        put_event(listener->events, &batch[i], out);
        listener->may_be_over |= batch[i].is_end;
        event_clear(&batch[i]);
    }
    return STORE_OK;
}

static void note_has_to_read(struct listener *listener) {
    pthread_mutex_lock(&listener->events->bell.mutex);
    listener->has_to_read = true;
    pthread_mutex_unlock(&listener->events->bell.mutex);
}

/* Appends whatever is new for this stream, or reports its end. */
static enum http_piece read_news(struct listener *listener, struct buffer *out) {
    struct events *events = listener->events;
    pthread_mutex_lock(&events->bell.mutex);
    const int64_t until = events->latest;
    const bool is_behind = listener->after < events->base;
    listener->has_to_read = false;
    if (!is_behind)
        copy_remembered(events, listener, out);
    pthread_mutex_unlock(&events->bell.mutex);
    const bool may_end = listener->may_be_over && listener->job_count > 0 && out->length == 0;
    if (!is_behind && !may_end)
        return HTTP_PIECE_MORE;
    struct store_session *session = store_acquire(events->store);
    bool over = false;
    enum store_status status = !session    ? store_why_none(events->store)
                               : is_behind ? read_stored(listener, until, session, out)
                                           : STORE_OK;
    if (status == STORE_OK && out->length == 0 && may_end) {
        /* A commit in the meantime sets the mark again when its text is copied. */
        listener->may_be_over = false;
        status =
            store_events_over(session, listener->jobs, listener->job_count, listener->after, &over);
        listener->may_be_over = status == STORE_AWAY;
    }
    if (session)
        store_release(events->store, session);
    if (status == STORE_AWAY) {
        note_has_to_read(listener); /* then the stream goes on */
        return HTTP_PIECE_MORE;
    }
    return status != STORE_OK ? HTTP_PIECE_FAIL : over ? HTTP_PIECE_LAST : HTTP_PIECE_MORE;
}

enum http_piece events_next(struct listener *listener, struct buffer *out) {
    if (http_is_stopping(listener->exchange)) {
        buffer_text(out, "event: shutdown\ndata: {}\n\n");
        return HTTP_PIECE_LAST;
    }
    enum http_piece piece = read_news(listener, out);
    if (piece != HTTP_PIECE_MORE)
        return piece;
    const double now = clock_monotonic();
    if (now - listener->began >= LONGEST_SECONDS && out->length == 0)
        return HTTP_PIECE_LAST; /* the client reconnects after EVENTS_RETRY_MS */
    if (now - listener->spoke >= HEARTBEAT_SECONDS && out->length == 0)
        buffer_text(out, ": still here\n\n");
    if (out->length == 0)
        return HTTP_PIECE_WAIT;
    pthread_mutex_lock(&listener->events->bell.mutex);
    listener->spoke = now;
    pthread_mutex_unlock(&listener->events->bell.mutex);
    return HTTP_PIECE_MORE;
}
