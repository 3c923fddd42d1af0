/*
 * watch.h - lets requests wait for something to happen in the store.
 *
 * One thread serves all of them, so that waiting costs no HTTP thread: after each commit, and
 * regularly for their time limits, it runs each waiting task until run() returns true.
 */
#ifndef SERVER_THREADS_WATCH_H
#define SERVER_THREADS_WATCH_H

#include "server/threads/task.h"

struct watch;

struct watch *watch_start(int most_waiting);
void watch_stop(struct watch *watch);      /* no task may be waiting */
void watch_committed(struct watch *watch); /* called after each commit */
/* If most_waiting tasks wait already, calls done(TASK_REFUSED) at once, on this thread. */
void watch_post(void *self, struct task *task);

#endif
