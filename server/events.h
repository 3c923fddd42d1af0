/*
 * events.h - reports what happens to jobs to the clients that watch them, as server-sent events
 * (WHATWG HTML, section 9.2).
 *
 * One thread reads each event once, after the commit that made it, if anybody waits for events, and
 * wakes the streams that it concerns. They copy its text from a short memory that all of them
 * share. A stream that has fallen too far behind reads from the store instead, so a slow reader
 * delays nobody and costs no memory.
 */
#ifndef SERVER_EVENTS_H
#define SERVER_EVENTS_H

#include "server/http/http.h"
#include "server/store/store.h"
#include "server/threads/watch.h"

enum { EVENTS_MAX_STREAMS = 256, EVENTS_RETRY_MS = 2000 };

struct events;

/* One stream. Its memory belongs to the exchange; the handler sets the fields up to `after`. */
struct listener {
    struct events *events;
    struct http_exchange *exchange;
    const struct watched_job *jobs; /* [job_count]; none: all jobs */
    int job_count;
    int64_t after; /* id of the last event that it has sent */
    /* used by events.c */
    struct listener *previous, *next;
    double began, spoke; /* monotonic seconds; when it last sent something */
    bool may_be_over;    /* the last event of a watched job may have been sent */
    bool has_to_read;    /* it could not read the database, and tries again soon */
};

/* data: writes an event's data, as one line. watch: hears of each event. */
struct events *events_start(struct store *store, struct watch *watch,
                            void (*data)(const struct event *event, struct buffer *out));
void events_stop(struct events *events);      /* no stream may be left */
void events_committed(struct events *events); /* after each commit. Any thread */
int events_streams(struct events *events);
/* Who wants to hear of jobs that were put into the queue, by whatever node. */
struct events_queue {
    bool (*is_awaited)(void *listener); /* just now. Any thread; NULL: never */
    void (*queued)(void *listener);     /* on the thread, after such events; NULL: nobody */
    void *listener;
};
void events_on_queued(struct events *events, struct events_queue queue);

/* False: there are EVENTS_MAX_STREAMS already. */
bool events_join(struct listener *listener);
void events_leave(struct listener *listener);
/* The next text of a stream, like http_stream.next. The stream ends after the last event of the
 * last watched job, after a while (the client reconnects), and when the server stops. */
enum http_piece events_next(struct listener *listener, struct buffer *out);

#endif
