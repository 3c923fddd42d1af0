#include "server/pool.h"

#include <stdlib.h>

#include "server/task_queue.h"

enum { POOL_MAX_THREADS = 256, POOL_STACK_BYTES = 1 << 20 };

struct pool {
    struct task_queue queue;
    int threads;
    pthread_t thread[POOL_MAX_THREADS];
};

static void *pool_main(void *argument) {
    struct pool *pool = argument;
    for (struct task *task; (task = task_queue_take(&pool->queue, 1));) {
        task->run(task, NULL);
        task->done(task, TASK_DONE);
    }
    return NULL;
}

struct pool *pool_start(int threads, int max_waiting) {
    struct pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    task_queue_init(&pool->queue, max_waiting);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, POOL_STACK_BYTES);
    for (int i = 0; i < threads && i < POOL_MAX_THREADS; i++) {
        if (pthread_create(&pool->thread[i], &attributes, pool_main, pool) != 0)
            break;
        pool->threads++;
    }
    pthread_attr_destroy(&attributes);
    if (pool->threads == 0) {
        pool_stop(pool);
        return NULL;
    }
    return pool;
}

int pool_threads(const struct pool *pool) {
    return pool->threads;
}

void pool_stop(struct pool *pool) {
    task_queue_close(&pool->queue);
    /* What still waits is taken here and refused; whatever a thread takes first just runs. */
    for (struct task *task; (task = task_queue_take(&pool->queue, 1));)
        task->done(task, TASK_REFUSED);
    for (int i = 0; i < pool->threads; i++)
        pthread_join(pool->thread[i], NULL);
    task_queue_destroy(&pool->queue);
    free(pool);
}

void pool_post(void *self, struct task *task) {
    struct pool *pool = self;
    if (!task_queue_put(&pool->queue, task, false))
        task->done(task, TASK_REFUSED);
}

void pool_post_piece(void *self, struct task *task) {
    struct pool *pool = self;
    if (!task_queue_put(&pool->queue, task, true))
        task->done(task, TASK_REFUSED);
}
