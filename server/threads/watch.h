/*
 * watch.h - requests that wait for something to happen in the store.
 *
 * One thread handles all of them, so that waiting costs no HTTP thread: after each commit, and
 * regularly for their time limits, it runs each waiting task; run() returns true when the wait is
 * over.
 */
#ifndef SERVER_THREADS_WATCH_H
#define SERVER_THREADS_WATCH_H

#include "server/threads/task.h"

struct watch;

struct watch *watch_start(int most_waiting);
void watch_stop(struct watch *watch);      /* nothing may be waiting */
void watch_committed(struct watch *watch); /* something may have happened */
void watch_post(void *self,
                struct task *task); /* full: done(TASK_REFUSED) at once, on this thread */

#endif
