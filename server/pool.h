/*
 * pool.h - threads that compute answers (sampling), so that HTTP threads never do.
 */
#ifndef SERVER_POOL_H
#define SERVER_POOL_H

#include "server/task.h"

struct pool;

struct pool *pool_start(int threads, int max_waiting);
void pool_stop(struct pool *pool); /* refuses what still waits, waits for what runs, joins */
void pool_post(
    void *pool,
    struct task *task); /* full or stopping: done(TASK_REFUSED) at once, on this thread */

#endif
