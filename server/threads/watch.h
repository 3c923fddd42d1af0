/*
 * watch.h - lets requests wait for something to happen to a job.
 *
 * One thread serves all of them, so that waiting costs no HTTP thread. It runs a waiting task when
 * there is news of the job that the task waits for (struct wait), which whoever reads the events
 * passes on, and when the task's time is over; and every few seconds in any case, so that a lost
 * piece of news costs time but no answer. So a task that waits for a job in a long queue reads
 * nothing from the store while other jobs train.
 */
#ifndef SERVER_THREADS_WATCH_H
#define SERVER_THREADS_WATCH_H

#include "server/threads/task.h"

struct watch;

#define WATCH_FLOOR_SECONDS 2.0

/* floor: maximum seconds between two runs of a task. */
struct watch *watch_start(int most_waiting, double floor);
void watch_stop(struct watch *watch); /* no task may be waiting */
/* Something has happened to this job, and is committed. Any thread. */
void watch_news(struct watch *watch, const char *job, enum wait_for what);
/* Does any task wait? Otherwise, news need not be told. Any thread. */
bool watch_is_awaited(struct watch *watch);
/* News may have been missed: all tasks run. Any thread. */
void watch_suspect(struct watch *watch);
/* task->wait says what it waits for, and stays valid until the task is done. The task runs once
 * soon, because that may have happened already. If most_waiting tasks wait already, calls
 * done(TASK_REFUSED) at once, on this thread. */
void watch_post(void *self, struct task *task);

#endif
