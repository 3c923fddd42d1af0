/*
 * pool.h - threads that compute answers (sampling), so that HTTP threads never do.
 */
#ifndef SERVER_POOL_H
#define SERVER_POOL_H

#include "server/task.h"

struct pool;

struct pool *pool_start(int threads, int max_waiting);
int pool_threads(const struct pool *pool);
void pool_stop(struct pool *pool); /* refuses what still waits, waits for what runs, joins */
/* Full or stopping: done(TASK_REFUSED) at once, on this thread. */
void pool_post(void *self, struct task *task);
/* The same for a piece of something that has begun, which no length of the queue refuses. */
void pool_post_piece(void *self, struct task *task);

#endif
