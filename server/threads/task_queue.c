#include "server/threads/task_queue.h"

void task_queue_init(struct task_queue *queue, int limit) {
    *queue = (struct task_queue){.limit = limit};
    queue->end = &queue->first;
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_cond_init(&queue->changed, NULL);
}

void task_queue_destroy(struct task_queue *queue) {
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->mutex);
}

bool task_queue_put(struct task_queue *queue, struct task *task, bool even_if_full) {
    pthread_mutex_lock(&queue->mutex);
    bool accepted = !queue->closed && (even_if_full || queue->length < queue->limit);
    if (accepted) {
        task->next = NULL;
        *queue->end = task;
        queue->end = &task->next;
        queue->length++;
        pthread_cond_signal(&queue->changed);
    }
    pthread_mutex_unlock(&queue->mutex);
    return accepted;
}

struct task *task_queue_take(struct task_queue *queue, int most) {
    pthread_mutex_lock(&queue->mutex);
    while (!queue->first && !queue->closed)
        pthread_cond_wait(&queue->changed, &queue->mutex);
    struct task *taken = queue->first, **end = &queue->first;
    for (; *end && most > 0; most--) {
        end = &(*end)->next;
        queue->length--;
    }
    if (taken) {
        struct task *rest = *end;
        *end = NULL;
        queue->first = rest;
        if (!rest)
            queue->end = &queue->first;
    }
    pthread_mutex_unlock(&queue->mutex);
    return taken;
}

void task_queue_close(struct task_queue *queue) {
    pthread_mutex_lock(&queue->mutex);
    queue->closed = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->mutex);
}
