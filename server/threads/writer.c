#include "server/threads/writer.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "server/base/bell.h"
#include "server/base/clock.h"
#include "server/base/counters.h"
#include "server/base/fault.h"
#include "server/base/log.h"

enum { WRITER_QUEUE = 1024, WRITER_GROUP = 128 };

static const struct {
    const char *name; /* for the log */
    enum store_status status;
} outcomes[] = {
    [TASK_DONE] = {"done", STORE_OK},
    [TASK_REFUSED] = {"refused", STORE_ERROR},
    [TASK_UNKNOWN] = {"unknown", STORE_ERROR},
    [TASK_DISK_FULL] = {"disk_full", STORE_FULL},
    [TASK_DISK_ERROR] = {"disk_error", STORE_DISK},
    [TASK_GONE] = {"gone", STORE_GONE},
};

struct writer {
    struct bell bell;          /* rings for a task; its mutex guards the queue */
    struct task *first, **end; /* the queue */
    int length;
    struct store *store;
    atomic_int state;              /* enum task_outcome */
    atomic_bool hurry;             /* no time to move the log into the database */
    void (*committed)(void *self); /* may be NULL */
    void *listener;
};

/* Removes the first tasks of the queue, linked by `next`; NULL when it is empty. */
static struct task *take(struct writer *writer) {
    pthread_mutex_lock(&writer->bell.mutex);
    struct task *group = writer->first, **end = &writer->first;
    /* Where others write, too, each task is short of locks: two groups could wait for each other. */
    const int most = store_is_shared(writer->store) ? 1 : WRITER_GROUP;
    for (int i = 0; *end && i < most; i++) {
        end = &(*end)->next;
        writer->length--;
    }
    writer->first = *end;
    *end = NULL;
    if (!writer->first)
        writer->end = &writer->first;
    pthread_mutex_unlock(&writer->bell.mutex);
    return group;
}

/* The same, but waits for a task. NULL when the queue is empty and the writer stops. */
static struct task *await_group(struct writer *writer) {
    struct task *group;
    for (bool is_open = true; !(group = take(writer)) && is_open;)
        is_open = bell_wait(&writer->bell, INFINITY);
    return group;
}

static void finish(struct task *group, enum task_outcome outcome) {
    while (group) {
        struct task *task = group;
        group = task->next; /* done() may free the task */
        task->done(task, outcome);
    }
}

/* A transaction that fails before its commit has written nothing; after a commit that failed, the
 * next start may find what it wrote. */
static enum task_outcome outcome_of(enum store_status status, bool has_tried_to_commit) {
    switch (status) {
    case STORE_OK: return TASK_DONE;
    case STORE_FULL: return TASK_DISK_FULL;
    case STORE_DISK: return has_tried_to_commit ? TASK_UNKNOWN : TASK_DISK_ERROR;
    case STORE_GONE: return TASK_GONE;
    default: return TASK_UNKNOWN;
    }
}

/* Runs a group in one transaction. A task that fails rolls back only its own savepoint; a failure of
 * the store rolls back the whole group. */
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
    /* If the database was moved during the commit, no next start will find what it wrote. */
    return status == STORE_OK && !store_is_whole(store) ? TASK_GONE : outcome_of(status, true);
}

static void *writer_main(void *argument) {
    struct writer *writer = argument;
    for (struct task *group; (group = await_group(writer));) {
        const double began = clock_monotonic();
        const uint64_t before = store_commits(writer->store);
        enum task_outcome outcome = run_group(writer->store, group);
        FAULT_POINT("writer.committed");
        counters_add_transaction(clock_monotonic() - began);
        if (outcome != TASK_DONE && outcome != TASK_GONE) /* the store has logged that */
            log_line(LOG_ERROR, "a write failed", "outcome=%s", outcomes[outcome].name);
        if (outcome != TASK_DONE || store_commits(writer->store) > before)
            atomic_store(&writer->state, (int)outcome);
        finish(group, outcome);
        FAULT_POINT("writer.acknowledged");
        /* What failed may have been committed, too. */
        if (writer->committed && (outcome != TASK_DONE || store_commits(writer->store) > before))
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
    writer->end = &writer->first;
    if (!bell_start(&writer->bell, writer_main, writer)) {
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
    bell_stop(&writer->bell);
    free(writer);
}

static void post(struct writer *writer, struct task *task, bool even_if_full) {
    pthread_mutex_lock(&writer->bell.mutex);
    const bool accepted = !writer->bell.closed && (even_if_full || writer->length < WRITER_QUEUE);
    if (accepted) {
        task->next = NULL;
        *writer->end = task;
        writer->end = &task->next;
        writer->length++;
    }
    pthread_mutex_unlock(&writer->bell.mutex);
    if (accepted)
        bell_ring(&writer->bell);
    else
        task->done(task, TASK_REFUSED);
}

void writer_post(void *self, struct task *task) {
    post(self, task, false);
}

void writer_post_next(struct writer *writer, struct task *task) {
    post(writer, task, true);
}

enum store_status writer_status(enum task_outcome outcome) {
    return outcomes[outcome].status;
}

/* A task whose poster waits for it. */
struct call {
    struct task task;
    enum store_status (*run)(void *argument, struct store_session *session);
    void *argument;
    enum store_status status;
    struct bell over;
};

static bool call_run(struct task *task, struct store_session *session) {
    struct call *call = (struct call *)task;
    call->status = call->run(call->argument, session);
    return call->status == STORE_OK;
}

static void call_done(struct task *task, enum task_outcome outcome) {
    struct call *call = (struct call *)task;
    if (outcome != TASK_DONE)
        call->status = writer_status(outcome);
    bell_ring(&call->over);
}

enum store_status writer_do(struct writer *writer,
                            enum store_status (*run)(void *argument, struct store_session *session),
                            void *argument) {
    struct call call = {
        .task = {.run = call_run, .done = call_done}, .run = run, .argument = argument};
    bell_init(&call.over);
    writer_post(writer, &call.task);
    bell_wait(&call.over, INFINITY);
    bell_clear(&call.over);
    return call.status;
}
