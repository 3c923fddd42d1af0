#include "server/threads/split.h"

#include <pthread.h>
#include <stdlib.h>

/* Shared by the caller and its helpers. A helper may start after the last part is done, so the last
 * thread that leaves frees it. */
struct split {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    void (*work)(void *argument, int part);
    void *argument;
    int parts, next, done;
    int holders;
};

struct helper {
    struct task task;
    struct split *split;
};

static void leave(struct split *split) {
    pthread_mutex_lock(&split->mutex);
    bool last = --split->holders == 0;
    pthread_mutex_unlock(&split->mutex);
    if (last) {
        pthread_cond_destroy(&split->changed);
        pthread_mutex_destroy(&split->mutex);
        free(split);
    }
}

static void do_parts(struct split *split) {
    pthread_mutex_lock(&split->mutex);
    while (split->next < split->parts) {
        int part = split->next++;
        pthread_mutex_unlock(&split->mutex);
        split->work(split->argument, part);
        pthread_mutex_lock(&split->mutex);
        if (++split->done == split->parts)
            pthread_cond_broadcast(&split->changed);
    }
    pthread_mutex_unlock(&split->mutex);
}

/* A helper may have to wait for its turn in the middle of a part. */
static void wait_for_others(struct split *split) {
    pthread_mutex_lock(&split->mutex);
    const bool done = split->done == split->parts;
    pthread_mutex_unlock(&split->mutex);
    if (done)
        return;
    pool_step_out();
    pthread_mutex_lock(&split->mutex);
    while (split->done < split->parts)
        pthread_cond_wait(&split->changed, &split->mutex);
    pthread_mutex_unlock(&split->mutex);
    pool_step_in();
}

static bool help(struct task *task, struct store_session *unused) {
    (void)unused;
    do_parts(((struct helper *)task)->split);
    return true;
}

static void helper_done(struct task *task, enum task_outcome outcome) {
    (void)outcome; /* if it was refused, the other threads do its parts */
    leave(((struct helper *)task)->split);
    free(task);
}

static void ask_for_help(struct pool *pool, struct split *split) {
    struct helper *helper = calloc(1, sizeof *helper);
    if (!helper)
        return; /* this only makes it slower */
    helper->task = (struct task){.run = help, .done = helper_done};
    if (pool_turn()) {
        helper->task.turn.client = pool_turn()->client;
        helper->task.turn.class = pool_turn()->class;
    }
    helper->split = split;
    pthread_mutex_lock(&split->mutex);
    split->holders++;
    pthread_mutex_unlock(&split->mutex);
    pool_post(pool, &helper->task);
}

void split_run(struct pool *pool, int parts, void (*work)(void *argument, int part),
               void *argument) {
    struct split *split = parts > 1 ? calloc(1, sizeof *split) : NULL;
    if (!split) {
        for (int part = 0; part < parts; part++)
            work(argument, part);
        return;
    }
    *split = (struct split){.work = work, .argument = argument, .parts = parts, .holders = 1};
    pthread_mutex_init(&split->mutex, NULL);
    pthread_cond_init(&split->changed, NULL);
    int helpers = pool_threads(pool) - 1;
    for (int i = 0; i < helpers && i < parts - 1; i++)
        ask_for_help(pool, split);
    do_parts(split);
    wait_for_others(split);
    leave(split);
}
