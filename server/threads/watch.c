#include "server/threads/watch.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "server/base/bell.h"

enum {
    LOOK_MS = 10,  /* minimum between two rounds, because training can commit all the time, */
    IDLE_MS = 100, /* and maximum */
};

struct watch {
    struct bell bell; /* rings after a commit; its mutex guards the rest */
    struct task *waiting;
    int count, most;
};

/* Runs all tasks that wait now; those posted meanwhile wait for the next round. False: none is
 * left. */
static bool look(struct watch *watch) {
    pthread_mutex_lock(&watch->bell.mutex);
    struct task *tasks = watch->waiting, *still = NULL;
    watch->waiting = NULL;
    pthread_mutex_unlock(&watch->bell.mutex);
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
    pthread_mutex_lock(&watch->bell.mutex);
    watch->count -= over;
    struct task **end = &watch->waiting;
    while (*end)
        end = &(*end)->next;
    *end = still;
    const bool is_any_left = watch->waiting != NULL;
    pthread_mutex_unlock(&watch->bell.mutex);
    return is_any_left;
}

static void *watch_main(void *argument) {
    struct watch *watch = argument;
    double patience = INFINITY;
    while (bell_wait(&watch->bell, patience)) {
        patience = look(watch) ? 1e-3 * IDLE_MS : INFINITY;
        if (isfinite(patience))
            nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
    }
    return NULL;
}

struct watch *watch_start(int most_waiting) {
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    watch->most = most_waiting;
    if (!bell_start(&watch->bell, watch_main, watch)) {
        free(watch);
        return NULL;
    }
    return watch;
}

void watch_stop(struct watch *watch) {
    bell_stop(&watch->bell);
    free(watch);
}

void watch_post(void *self, struct task *task) {
    struct watch *watch = self;
    pthread_mutex_lock(&watch->bell.mutex);
    bool accepted = watch->count < watch->most;
    if (accepted) {
        watch->count++;
        task->next = watch->waiting;
        watch->waiting = task;
    }
    pthread_mutex_unlock(&watch->bell.mutex);
    if (accepted)
        bell_ring(&watch->bell); /* what it waits for may have happened just before */
    else
        task->done(task, TASK_REFUSED);
}

void watch_committed(struct watch *watch) {
    bell_ring(&watch->bell);
}
