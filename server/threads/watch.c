#include "server/threads/watch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/base/bell.h"
#include "server/base/clock.h"
#include "server/base/counters.h"
#include "server/base/id.h"

enum {
    ROUND_MS = 10, /* minimum between two rounds, because training can commit all the time, */
    TICK_MS = 100, /* and maximum, for time limits and clients that leave */
    NEWS = 64,     /* jobs with news between two rounds; with more, all tasks run */
};

/* What has happened to jobs since the last round. */
struct news {
    int count;
    bool is_too_much;
    struct {
        char job[ID_LENGTH + 1];
        enum wait_for what;
    } jobs[NEWS];
};

struct watch {
    struct bell bell; /* rings for news and new tasks; its mutex guards the rest */
    struct task *waiting;
    struct news news;
    int count, most;
    double floor;
};

static bool concerns(const struct news *news, const struct wait *wait) {
    if (news->is_too_much)
        return true;
    for (int i = 0; i < news->count; i++)
        if (news->jobs[i].what >= wait->what &&
            (!wait->job || strcmp(news->jobs[i].job, wait->job) == 0))
            return true;
    return false;
}

static bool is_due(const struct watch *watch, const struct task *task, const struct news *news) {
    const struct wait *wait = task->wait;
    const double now = clock_monotonic();
    return now - task->looked >= watch->floor || now >= wait->until ||
           __atomic_load_n(task->is_unwanted, __ATOMIC_RELAXED) || concerns(news, wait);
}

/* Runs the task if it is due. True: it is over. */
static bool look(const struct watch *watch, struct task *task, const struct news *news) {
    if (!is_due(watch, task, news))
        return false;
    task->looked = clock_monotonic();
    counters_add_look();
    return task->run(task, NULL);
}

/* One round over all tasks that wait now; those posted meanwhile wait for the next. News that comes
 * meanwhile does, too, so a task that has just looked hears of it. False: no task is left. */
static bool look_round(struct watch *watch) {
    pthread_mutex_lock(&watch->bell.mutex);
    struct task *tasks = watch->waiting, *still = NULL;
    const struct news news = watch->news;
    watch->waiting = NULL;
    watch->news.count = 0;
    watch->news.is_too_much = false;
    pthread_mutex_unlock(&watch->bell.mutex);
    int over = 0;
    while (tasks) {
        struct task *task = tasks;
        tasks = task->next;
        if (look(watch, task, &news)) {
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
        patience = look_round(watch) ? 1e-3 * TICK_MS : INFINITY;
        if (isfinite(patience))
            nanosleep(&(struct timespec){.tv_nsec = ROUND_MS * 1000000L}, NULL);
    }
    return NULL;
}

struct watch *watch_start(int most_waiting, double floor) {
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    watch->most = most_waiting;
    watch->floor = floor;
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
    task->looked = -INFINITY;
    pthread_mutex_lock(&watch->bell.mutex);
    bool accepted = watch->count < watch->most;
    if (accepted) {
        watch->count++;
        task->next = watch->waiting;
        watch->waiting = task;
    }
    pthread_mutex_unlock(&watch->bell.mutex);
    if (accepted)
        bell_ring(&watch->bell);
    else
        task->done(task, TASK_REFUSED);
}

/* The mutex is held. */
static void note(struct news *news, const char *job, enum wait_for what) {
    int i = 0;
    while (i < news->count && strcmp(news->jobs[i].job, job) != 0)
        i++;
    if (i == NEWS) {
        news->is_too_much = true;
    } else if (i < news->count) {
        if (what > news->jobs[i].what)
            news->jobs[i].what = what;
    } else {
        snprintf(news->jobs[i].job, sizeof news->jobs[i].job, "%s", job);
        news->jobs[i].what = what;
        news->count++;
    }
}

bool watch_is_awaited(struct watch *watch) {
    pthread_mutex_lock(&watch->bell.mutex);
    const bool is_awaited = watch->count > 0;
    pthread_mutex_unlock(&watch->bell.mutex);
    return is_awaited;
}

void watch_suspect(struct watch *watch) {
    pthread_mutex_lock(&watch->bell.mutex);
    watch->news.is_too_much = true;
    pthread_mutex_unlock(&watch->bell.mutex);
    bell_ring(&watch->bell);
}

void watch_news(struct watch *watch, const char *job, enum wait_for what) {
    pthread_mutex_lock(&watch->bell.mutex);
    const bool is_awaited = watch->count > 0; /* otherwise, who comes later looks first */
    if (is_awaited)
        note(&watch->news, job, what);
    pthread_mutex_unlock(&watch->bell.mutex);
    if (is_awaited)
        bell_ring(&watch->bell);
}
