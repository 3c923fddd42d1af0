/*
 * events.h - tells those who watch jobs what happens to them, as server-sent events (WHATWG HTML,
 * section 9.2).
 *
 * One thread reads each event once, after the commit that made it, and wakes the streams that it
 * concerns. They copy its text from a short memory that all share. A stream that has fallen behind
 * that reads from the store instead, so a slow reader holds nothing up and no memory.
 */
#ifndef SERVER_EVENTS_H
#define SERVER_EVENTS_H

#include "server/http/http.h"
#include "server/store/store.h"

enum { EVENTS_MAX_STREAMS = 256, EVENTS_RETRY_MS = 2000 };

struct events;

/* One stream. Its memory is the exchange's; the fields up to `after` are set by the handler. */
struct listener {
    struct events *events;
    struct http_exchange *exchange;
    const struct watched_job *jobs; /* [job_count]; none: all jobs */
    int job_count;
    int64_t after; /* id of the last event that it has had */
    /* of events.c */
    struct listener *previous, *next;
    double began, spoke; /* monotonic; when it last had something to send */
    bool may_be_over;    /* the last event of a watched job may have been sent */
};

/* data: writes the data of an event, as one line. */
struct events *events_start(struct store *store,
                            void (*data)(const struct event *event, struct buffer *out));
void events_stop(struct events *events);      /* no stream may be left */
void events_committed(struct events *events); /* something may have happened. Any thread */
int events_streams(struct events *events);

/* False: there are EVENTS_MAX_STREAMS already. */
bool events_join(struct listener *listener);
void events_leave(struct listener *listener);
/* The next text of a stream, as http_stream.next. It ends after the last event of the last watched
 * job, after a while (the client connects again), and when the server stops. */
enum http_piece events_next(struct listener *listener, struct buffer *out);

#endif
