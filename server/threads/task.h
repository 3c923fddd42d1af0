/*
 * task.h - a piece of work that is handed to another thread.
 *
 * A task is embedded in the struct it works on (an HTTP exchange, a training update). The poster
 * owns it again after done() was called. Two executors take tasks: the writer (writer.h), which
 * runs them inside a transaction, and the sampler pool (pool.h).
 */
#ifndef SERVER_THREADS_TASK_H
#define SERVER_THREADS_TASK_H

#include <stdbool.h>

#include "server/threads/turns.h"

struct store_session;

enum task_outcome {
    TASK_DONE,       /* ran; on the writer: what it wrote is committed, durable */
    TASK_REFUSED,    /* did not run: the executor's queue is full or it is stopping */
    TASK_UNKNOWN,    /* writer only: the commit reported an error, so the writes may or may not be
                        durable */
    TASK_DISK_FULL,  /* writer only: rolled back because there was no space */
    TASK_DISK_ERROR, /* writer only: the disk reported an error before the commit: rolled back */
    TASK_GONE,       /* writer only: the database is not where it was: whatever was written, no next
                        start will find it */
};

struct task {
    struct task *next; /* the executor's */
    /* The work. On the writer, session is the writing connection inside an open savepoint, and
     * returning false rolls the savepoint back (the outcome is TASK_DONE all the same). In the
     * pool, session is NULL, the result ignored. */
    bool (*run)(struct task *task, struct store_session *session);
    /* Called on the executor's thread when it is over. It may free the task. */
    void (*done)(struct task *task, enum task_outcome outcome);
    struct turn turn; /* in the pool: its client, and whether it is large */
};

#endif
