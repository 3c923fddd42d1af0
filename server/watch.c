#include "server/watch.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct watch {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_t thread;
    struct task *waiting;
    int count, most;
    bool stop;
};

/* Runs all that wait now; what is posted meanwhile waits for the next round. */
static void look(struct watch *watch) {
    pthread_mutex_lock(&watch->mutex);
    struct task *tasks = watch->waiting, *still = NULL;
    watch->waiting = NULL;
    pthread_mutex_unlock(&watch->mutex);
    int over = 0;
    while (tasks) {
        struct task *task = tasks;
        tasks = task->next;
        if (task->run(task, NULL)) {
            over++;
            task->done(task, TASK_DONE); /* may free it */
        } else {
            task->next = still;
            still = task;
        }
    }
    pthread_mutex_lock(&watch->mutex);
    watch->count -= over;
    struct task **end = &watch->waiting;
    while (*end)
        end = &(*end)->next;
    *end = still;
    pthread_mutex_unlock(&watch->mutex);
}

static void *watch_main(void *argument) {
    struct watch *watch = argument;
    pthread_mutex_lock(&watch->mutex);
    while (!watch->stop) {
        if (!watch->waiting) {
            pthread_cond_wait(&watch->changed, &watch->mutex);
            continue;
        }
        pthread_mutex_unlock(&watch->mutex);
        nanosleep(&(struct timespec){.tv_nsec = WATCH_MS * 1000000L}, NULL);
        look(watch);
        pthread_mutex_lock(&watch->mutex);
    }
    pthread_mutex_unlock(&watch->mutex);
    return NULL;
}

struct watch *watch_start(int most_waiting) {
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    watch->most = most_waiting;
    pthread_mutex_init(&watch->mutex, NULL);
    pthread_cond_init(&watch->changed, NULL);
    if (pthread_create(&watch->thread, NULL, watch_main, watch) != 0) {
        free(watch);
        return NULL;
    }
    return watch;
}

void watch_stop(struct watch *watch) {
    pthread_mutex_lock(&watch->mutex);
    watch->stop = true;
    pthread_cond_signal(&watch->changed);
    pthread_mutex_unlock(&watch->mutex);
    pthread_join(watch->thread, NULL);
    pthread_cond_destroy(&watch->changed);
    pthread_mutex_destroy(&watch->mutex);
    free(watch);
}

void watch_post(void *self, struct task *task) {
    struct watch *watch = self;
    pthread_mutex_lock(&watch->mutex);
    bool accepted = watch->count < watch->most;
    if (accepted) {
        watch->count++;
        task->next = watch->waiting;
        watch->waiting = task;
        pthread_cond_signal(&watch->changed);
    }
    pthread_mutex_unlock(&watch->mutex);
    if (!accepted)
        task->done(task, TASK_REFUSED);
}
