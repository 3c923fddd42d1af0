#include "server/threads/watch.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "server/base/clock.h"

enum {
    LOOK_MS = 10,  /* between two looks at least, for a training can commit all the time */
    IDLE_MS = 100, /* and at most */
};

struct watch {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_t thread;
    struct task *waiting;
    int count, most;
    bool committed, stop;
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

/* The mutex is held. Waits for a commit, or for the next look that is due without one. */
static void wait_for_commit(struct watch *watch) {
    const struct timespec until = clock_after(1e-3 * IDLE_MS);
    int waited = 0;
    while (!watch->committed && !watch->stop && waited == 0)
        waited = pthread_cond_clockwait(&watch->changed, &watch->mutex, CLOCK_MONOTONIC, &until);
}

static void *watch_main(void *argument) {
    struct watch *watch = argument;
    pthread_mutex_lock(&watch->mutex);
    while (!watch->stop) {
        if (!watch->waiting) {
            pthread_cond_wait(&watch->changed, &watch->mutex);
            continue;
        }
        wait_for_commit(watch);
        watch->committed = false;
        pthread_mutex_unlock(&watch->mutex);
        look(watch);
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
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
        watch->committed = true; /* what it waits for may have happened just before */
        pthread_cond_signal(&watch->changed);
    }
    pthread_mutex_unlock(&watch->mutex);
    if (!accepted)
        task->done(task, TASK_REFUSED);
}

void watch_committed(struct watch *watch) {
    pthread_mutex_lock(&watch->mutex);
    watch->committed = true;
    pthread_cond_signal(&watch->changed);
    pthread_mutex_unlock(&watch->mutex);
}
