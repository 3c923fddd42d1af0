/*
 * task.h - a piece of work that is handed to another thread.
 *
 * A task is embedded in the struct that it works on (an HTTP exchange, a training update). Its
 * poster owns it again once done() has been called. Three executors run tasks: the writer
 * (writer.h), inside a transaction; the pool (pool.h); and the watch (watch.h), again and again.
 */
#ifndef SERVER_THREADS_TASK_H
#define SERVER_THREADS_TASK_H

#include <stdbool.h>

#include "server/threads/turns.h"

struct store_session;

enum task_outcome {
    TASK_DONE,    /* ran; on the writer: what it wrote is committed and durable */
    TASK_REFUSED, /* did not run: the executor's queue is full or it is stopping */
    /* on the writer only */
    TASK_UNKNOWN,    /* the commit reported an error: what was written may be durable or not */
    TASK_DISK_FULL,  /* rolled back because there was no space */
    TASK_DISK_ERROR, /* rolled back because the disk reported an error before the commit */
    TASK_GONE,       /* the database was moved: no next start will find what was written */
    TASK_AWAY, /* rolled back because the database cannot be reached, or others write so much */
};

/* What a task on the watch waits for. A change of a job's status is also news for those that wait
 * for anything. */
enum wait_for { WAIT_FOR_ANYTHING, WAIT_FOR_STATUS };
struct wait {
    const char *job; /* its id; NULL: whichever */
    enum wait_for what;
    double until; /* monotonic */
};

struct task {
    struct task *next; /* for the executor */
    /* The work. On the writer, session is the writing session inside an open savepoint, and
     * returning false rolls the savepoint back (the outcome is still TASK_DONE). Elsewhere, session
     * is NULL. The pool ignores the result; the watch runs the task until it returns true. */
    bool (*run)(struct task *task, struct store_session *session);
    /* Called on the executor's thread when the task is over. It may free the task. */
    void (*done)(struct task *task, enum task_outcome outcome);
    /* On the writer, if the database can be away, a task may run several times before it is done: each
     * run is a transaction of its own, and must not count on what an earlier one has left in memory.
     * waits_for_database: set by the poster: it is not done before the database is back. is_in_doubt:
     * set by the writer: the commit of an earlier run may have taken place. */
    bool waits_for_database, is_in_doubt;
    /* Set by the writer before done(): when the database was last away, or others in the way
     * (monotonic; 0: never). Only what came after that tells how long the database needs. */
    double hindered;
    double doubted, due; /* for the writer: when the doubt began; when the task runs again */
    /* Set by the poster: on the writer, it holds up nobody who reads events (store_begin_quiet). */
    bool makes_no_events;
    /* Set by the poster of a task that only makes new rows: then a transaction may also have others of
     * this kind, even where other servers write. It is the key that the task takes, so that all take
     * their keys in the same order; "": none. NULL: it may lock more than that. */
    const char *together;
    struct turn turn; /* in the pool: its client, and whether it is large */
    /* on the watch: */
    const struct wait *wait;
    const volatile bool *is_unwanted; /* set when nobody waits any more; read atomically */
    double looked;                    /* for the watch: when it ran last */
};

#endif
