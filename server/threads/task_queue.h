/*
 * task_queue.h - a bounded FIFO of tasks between threads: what the writer and the pool share.
 */
#ifndef SERVER_THREADS_TASK_QUEUE_H
#define SERVER_THREADS_TASK_QUEUE_H

#include <pthread.h>
#include <stdbool.h>

#include "server/threads/task.h"

struct task_queue {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct task *first, **end;
    int length, limit;
    bool closed;
};

void task_queue_init(struct task_queue *queue, int limit);
void task_queue_destroy(struct task_queue *queue);

/* False when the queue is closed, or full unless that does not matter. */
bool task_queue_put(struct task_queue *queue, struct task *task, bool even_if_full);
/* Takes up to `most` tasks as a list linked by `next`; waits while the queue is empty and open.
 * NULL when it is empty and closed. */
struct task *task_queue_take(struct task_queue *queue, int most);
/* Takes in nothing more; takers get what is left and then NULL. */
void task_queue_close(struct task_queue *queue);

#endif
