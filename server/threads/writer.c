#include "server/threads/writer.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "server/base/bell.h"
#include "server/base/clock.h"
#include "server/base/counters.h"
#include "server/base/fault.h"
#include "server/base/log.h"
#include "server/threads/task_queue.h"

enum { WRITER_QUEUE = 1024, WRITER_GROUP = 128 };

struct writer {
    struct task_queue queue;
    struct store *store;
    atomic_int state;              /* enum task_outcome */
    atomic_bool hurry;             /* no time to move the log into the database */
    void (*committed)(void *self); /* may be NULL */
    void *listener;
    pthread_t thread;
};

static void finish(struct task *group, enum task_outcome outcome) {
    while (group) {
        struct task *task = group;
        group = task->next; /* done() may free the task */
        task->done(task, outcome);
    }
}

/* What is written before a commit is nobody's until then; what a commit that failed has written may
 * be found by the next start. */
static enum task_outcome outcome_of(enum store_status status, bool has_tried_to_commit) {
    switch (status) {
    case STORE_OK: return TASK_DONE;
    case STORE_FULL: return TASK_DISK_FULL;
    case STORE_DISK: return has_tried_to_commit ? TASK_UNKNOWN : TASK_DISK_ERROR;
    case STORE_GONE: return TASK_GONE;
    default: return TASK_UNKNOWN;
    }
}

static const char *name_of(enum task_outcome outcome) {
    return outcome == TASK_DISK_FULL    ? "disk_full"
           : outcome == TASK_DISK_ERROR ? "disk_error"
                                        : "unknown";
}

/* Runs a group in one transaction. A task that fails takes only its own savepoint back; a store
 * that fails takes the whole group. */
static enum task_outcome run_group(struct store *store, struct task *group) {
    struct store_session *session = store_writer(store);
    if (!store_is_whole(store))
        return TASK_GONE;
    enum store_status status = store_begin(session);
    for (struct task *task = group; task && status == STORE_OK; task = task->next) {
        status = store_savepoint(session);
        if (status == STORE_OK) {
            bool keep = task->run(task, session);
            status = store_keep(session, keep);
        }
    }
    if (status == STORE_OK && !store_is_whole(store))
        status = STORE_GONE;
    if (status != STORE_OK) {
        store_abort(session);
        return outcome_of(status, false);
    }
    FAULT_POINT("writer.before_commit");
    status = store_commit(session);
    /* Gone while it was committed: then that is where nobody will look for it. */
    return status == STORE_OK && !store_is_whole(store) ? TASK_GONE : outcome_of(status, true);
}

static void *writer_main(void *argument) {
    struct writer *writer = argument;
    for (struct task *group; (group = task_queue_take(&writer->queue, WRITER_GROUP));) {
        const double began = clock_monotonic();
        const uint64_t before = store_version(writer->store);
        enum task_outcome outcome = run_group(writer->store, group);
        FAULT_POINT("writer.committed");
        counters_add_transaction(clock_monotonic() - began);
        if (outcome != TASK_DONE && outcome != TASK_GONE) /* which has been told */
            log_line(LOG_ERROR, "a write failed", "outcome=%s", name_of(outcome));
        if (outcome != TASK_DONE || store_version(writer->store) > before)
            atomic_store(&writer->state, (int)outcome);
        finish(group, outcome);
        FAULT_POINT("writer.acknowledged");
        if (writer->committed)
            writer->committed(writer->listener);
        if (!atomic_load(&writer->hurry))
            store_checkpoint(writer->store, outcome == TASK_DISK_FULL);
    }
    return NULL;
}

struct writer *writer_start(struct store *store, void (*committed)(void *listener),
                            void *listener) {
    struct writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return NULL;
    writer->store = store;
    writer->committed = committed;
    writer->listener = listener;
    task_queue_init(&writer->queue, WRITER_QUEUE);
    if (pthread_create(&writer->thread, NULL, writer_main, writer) != 0) {
        task_queue_destroy(&writer->queue);
        free(writer);
        return NULL;
    }
    return writer;
}

enum task_outcome writer_state(struct writer *writer) {
    return (enum task_outcome)atomic_load(&writer->state);
}

void writer_hurry(struct writer *writer) {
    atomic_store(&writer->hurry, true);
}

void writer_stop(struct writer *writer) {
    task_queue_close(&writer->queue);
    pthread_join(writer->thread, NULL);
    task_queue_destroy(&writer->queue);
    free(writer);
}

void writer_post(void *self, struct task *task) {
    struct writer *writer = self;
    if (!task_queue_put(&writer->queue, task, false))
        task->done(task, TASK_REFUSED);
}

void writer_post_next(struct writer *writer, struct task *task) {
    if (!task_queue_put(&writer->queue, task, true))
        task->done(task, TASK_REFUSED);
}

/* A task whose poster waits for it. */
struct call {
    struct task task;
    bool (*run)(void *argument, struct store_session *session);
    void *argument;
    struct bell over;
    enum task_outcome outcome;
};

static bool call_run(struct task *task, struct store_session *session) {
    struct call *call = (struct call *)task;
    return call->run(call->argument, session);
}

static void call_done(struct task *task, enum task_outcome outcome) {
    struct call *call = (struct call *)task;
    call->outcome = outcome;
    bell_ring(&call->over);
}

/* Runs a function on the writer and waits until it is committed. */
static enum task_outcome call_and_wait(struct writer *writer,
                                       bool (*run)(void *argument, struct store_session *session),
                                       void *argument) {
    struct call call = {
        .task = {.run = call_run, .done = call_done}, .run = run, .argument = argument};
    bell_init(&call.over);
    writer_post(writer, &call.task);
    bell_wait(&call.over, INFINITY);
    bell_clear(&call.over);
    return call.outcome;
}

struct errand {
    enum store_status (*run)(void *argument, struct store_session *session);
    void *argument;
    enum store_status status;
};

static bool run_errand(void *argument, struct store_session *session) {
    struct errand *errand = argument;
    errand->status = errand->run(errand->argument, session);
    return errand->status == STORE_OK;
}

enum store_status writer_status(enum task_outcome outcome) {
    switch (outcome) {
    case TASK_DONE: return STORE_OK;
    case TASK_DISK_FULL: return STORE_FULL;
    case TASK_DISK_ERROR: return STORE_DISK;
    case TASK_GONE: return STORE_GONE;
    case TASK_REFUSED:
    case TASK_UNKNOWN: break;
    }
    return STORE_ERROR;
}

enum store_status writer_do(struct writer *writer,
                            enum store_status (*run)(void *argument, struct store_session *session),
                            void *argument) {
    struct errand errand = {.run = run, .argument = argument};
    const enum store_status status = writer_status(call_and_wait(writer, run_errand, &errand));
    return status == STORE_OK ? errand.status : status;
}
