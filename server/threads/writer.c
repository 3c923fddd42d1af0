#include "server/threads/writer.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/bell.h"
#include "server/base/clock.h"
#include "server/base/counters.h"
#include "server/base/fault.h"
#include "server/base/log.h"

enum { WRITER_QUEUE = 1024, WRITER_GROUP = 128 };
enum { REPEATS = 3 };     /* of a task that others were in the way of */
#define DOUBT_SECONDS 5.0 /* in which a client learns whether a commit took place */
#define RETRY_SECONDS 0.1 /* between two looks whether the database is back */
#define BUSY_SECONDS  1.0 /* before another attempt of a task that others were in the way of */

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
    [TASK_AWAY] = {"away", STORE_AWAY},
};

struct writer {
    struct bell bell;          /* rings for a task; its mutex guards the queue */
    struct task *first, **end; /* the queue */
    int length;
    struct task *aside, **aside_end; /* what waits for the database; for the writer's thread */
    struct store *store;
    double hindered;  /* when a run was last in vain: the database was away, or others in the way */
    atomic_int state; /* enum task_outcome */
    atomic_bool hurry;             /* no time to move the log into the database */
    void (*committed)(void *self); /* may be NULL */
    void *listener;
};

/* Where others write, too, most tasks have a transaction of their own, because two groups could each
 * hold the rows that the other waits for. */
static bool may_join(const struct writer *writer, const struct task *group,
                     const struct task *task) {
    return !store_is_shared(writer->store) || task == group || (group->together && task->together);
}

/* Removes the first tasks of the queue, linked by `next`; NULL when it is empty. */
static struct task *take(struct writer *writer) {
    pthread_mutex_lock(&writer->bell.mutex);
    struct task *group = writer->first, **end = &writer->first;
    for (int i = 0; *end && i < WRITER_GROUP && may_join(writer, group, *end); i++) {
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

/* The same, but waits for a task, or until it is time to look for the database again. NULL when
 * nothing is left and the writer stops. */
static struct task *await_group(struct writer *writer) {
    struct task *group;
    for (bool is_open = true; !(group = take(writer)) && is_open && !writer->aside;)
        is_open = bell_wait(&writer->bell, INFINITY);
    return group;
}

static void finish(struct task *group, enum task_outcome outcome, double hindered) {
    while (group) {
        struct task *task = group;
        group = task->next; /* done() may free the task */
        task->hindered = hindered;
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
    case STORE_BUSY:
    case STORE_TAKEN:
    case STORE_AWAY: return TASK_AWAY;
    default: return TASK_UNKNOWN;
    }
}

static bool is_quiet(const struct task *group) {
    while (group && group->makes_no_events)
        group = group->next;
    return !group;
}

/* Runs a group in one transaction. A task that fails rolls back only its own savepoint; a failure of
 * the store rolls back the whole group, and so does a task where there are no savepoints: then the
 * others did not run. *lost: why a transaction that had begun was not committed. */
static enum task_outcome run_group(struct store *store, struct task *group,
                                   enum store_status *lost) {
    struct store_session *session = store_writer(store);
    *lost = STORE_OK;
    if (!store_is_whole(store))
        return TASK_GONE;
    enum store_status status = is_quiet(group) ? store_begin_quiet(session) : store_begin(session);
    if (status != STORE_OK) {
        store_abort(session);
        return outcome_of(status, false);
    }
    for (struct task *task = group; task && status == STORE_OK; task = task->next) {
        status = store_savepoint(session);
        if (status == STORE_OK) {
            bool keep = task->run(task, session);
            status = store_keep(session, keep);
        }
    }
    if (status == STORE_OK && !store_is_whole(store))
        status = STORE_GONE;
    *lost = status;
    if (status != STORE_OK) {
        store_abort(session);
        return status != STORE_CONFLICT ? outcome_of(status, false)
               : group->next            ? TASK_REFUSED
                                        : TASK_DONE;
    }
    FAULT_POINT("writer.before_commit");
    *lost = status = store_commit(session);
    /* If the database was moved during the commit, no next start will find what it wrote. */
    return status == STORE_OK && !store_is_whole(store) ? TASK_GONE : outcome_of(status, true);
}

/* Runs the group, and notes when that was in vain. */
static enum task_outcome run_once(struct writer *writer, struct task *group,
                                  enum store_status *lost) {
    const enum task_outcome outcome = run_group(writer->store, group, lost);
    if (outcome == TASK_AWAY || *lost == STORE_IN_DOUBT)
        writer->hindered = clock_monotonic();
    return outcome;
}

static bool may_succeed_now(enum store_status lost) {
    return lost == STORE_BUSY || lost == STORE_TAKEN || lost == STORE_AWAY;
}

static void doubt(struct task *task) {
    if (!task->is_in_doubt) {
        log_line(LOG_WARN, "a commit got no answer: looking whether it took place", NULL);
        task->is_in_doubt = true;
        task->doubted = clock_monotonic();
    }
}

/* Runs the group again if only others were in its way, or its connection was lost before the
 * commit. */
static enum task_outcome run_repeatedly(struct writer *writer, struct task *group,
                                        enum store_status *lost) {
    const double began = clock_monotonic();
    enum task_outcome outcome = run_once(writer, group, lost);
    for (int i = 0;
         i < REPEATS && may_succeed_now(*lost) && clock_monotonic() - began < DOUBT_SECONDS; i++)
        outcome = run_once(writer, group, lost);
    if (*lost == STORE_BUSY || *lost == STORE_TAKEN)
        log_line(LOG_WARN, "others were in the way of a transaction each time", NULL);
    if (*lost == STORE_IN_DOUBT)
        doubt(group);
    return outcome;
}

/* Is the task, which was not committed as far as is known, to run again later? Not if nobody would
 * wait that long, nor if what is in its way stays there. */
static bool can_wait(const struct writer *writer, const struct task *task,
                     enum task_outcome outcome, enum store_status lost) {
    const bool is_away = outcome == TASK_AWAY && lost != STORE_TAKEN;
    if ((!is_away && lost != STORE_IN_DOUBT) || (is_away && atomic_load(&writer->hurry)))
        return false;
    return task->waits_for_database ||
           (task->is_in_doubt && clock_monotonic() - task->doubted < DOUBT_SECONDS);
}

static void put_aside(struct writer *writer, struct task *task) {
    *writer->aside_end = task;
    writer->aside_end = &task->next;
}

static void process(struct writer *writer, struct task *group);

/* Of two that lock the same keys, the one that locked its first key first gets all. */
static struct task *sorted(struct task *group) {
    struct task *first = NULL;
    while (group) {
        struct task *task = group, **at = &first;
        group = task->next;
        while (*at && strcmp((*at)->together, task->together) <= 0)
            at = &(*at)->next;
        task->next = *at;
        *at = task;
    }
    return first;
}

/* Tries a group without savepoints. True: it is committed. */
static bool run_together(struct writer *writer, struct task **group) {
    enum store_status lost;
    *group = sorted(*group);
    const bool is_done = run_once(writer, *group, &lost) == TASK_DONE;
    for (struct task *task = *group; task && lost == STORE_IN_DOUBT; task = task->next)
        doubt(task);
    return is_done;
}

static void process_each(struct writer *writer, struct task *group) {
    while (group) {
        struct task *task = group;
        group = task->next;
        task->next = NULL;
        process(writer, task);
    }
}

/* Runs the group to its end, or puts it aside. */
static void process(struct writer *writer, struct task *group) {
    const double began = clock_monotonic();
    const uint64_t before = store_commits(writer->store);
    enum store_status lost = STORE_OK;
    enum task_outcome outcome = TASK_DONE;
    if (!group->next || !store_is_shared(writer->store)) {
        outcome = run_repeatedly(writer, group, &lost);
    } else if (!run_together(writer, &group)) {
        process_each(writer, group);
        return;
    }
    FAULT_POINT("writer.committed");
    if (can_wait(writer, group, outcome, lost)) {
        group->due = lost == STORE_BUSY ? clock_monotonic() + BUSY_SECONDS : 0;
        put_aside(writer, group);
        return;
    }
    counters_add_transaction(clock_monotonic() - began);
    if (outcome == TASK_AWAY && group->is_in_doubt)
        outcome = TASK_UNKNOWN;
    if (outcome != TASK_DONE && outcome != TASK_GONE && outcome != TASK_AWAY) /* that is logged */
        log_line(LOG_ERROR, "a write failed", "outcome=%s", outcomes[outcome].name);
    if (outcome != TASK_AWAY && (outcome != TASK_DONE || store_commits(writer->store) > before))
        atomic_store(&writer->state, (int)outcome);
    /* What failed may have been committed, too, and so may an earlier run. */
    const bool is_news = outcome != TASK_DONE || group->is_in_doubt;
    finish(group, outcome, writer->hindered);
    FAULT_POINT("writer.acknowledged");
    if (writer->committed && (is_news || store_commits(writer->store) > before))
        writer->committed(writer->listener);
    if (!atomic_load(&writer->hurry))
        store_checkpoint(writer->store, outcome == TASK_DISK_FULL);
}

/* Looks once more after all tasks that wait for the database. When the server stops, no other
 * transaction is worth waiting for. */
static void look_aside(struct writer *writer) {
    struct task *task = writer->aside;
    writer->aside = NULL;
    writer->aside_end = &writer->aside;
    while (task) {
        struct task *next = task->next;
        task->next = NULL;
        if (clock_monotonic() >= task->due || atomic_load(&writer->hurry))
            process(writer, task);
        else
            put_aside(writer, task);
        task = next;
    }
}

static void *writer_main(void *argument) {
    struct writer *writer = argument;
    for (struct task *group; (group = await_group(writer)) || writer->aside;) {
        look_aside(writer);
        if (group)
            process(writer, group);
        else
            bell_wait(&writer->bell, RETRY_SECONDS);
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
    writer->aside_end = &writer->aside;
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
    bell_ring(&writer->bell);
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

static enum store_status do_there(struct writer *writer,
                                  enum store_status (*run)(void *argument,
                                                           struct store_session *session),
                                  void *argument, struct task how) {
    how.run = call_run;
    how.done = call_done;
    struct call call = {.task = how, .run = run, .argument = argument};
    bell_init(&call.over);
    writer_post(writer, &call.task);
    bell_wait(&call.over, INFINITY);
    bell_clear(&call.over);
    return call.status;
}

enum store_status writer_do(struct writer *writer,
                            enum store_status (*run)(void *argument, struct store_session *session),
                            void *argument) {
    return do_there(writer, run, argument, (struct task){0});
}

enum store_status writer_do_at_last(struct writer *writer,
                                    enum store_status (*run)(void *argument,
                                                             struct store_session *session),
                                    void *argument) {
    return do_there(writer, run, argument, (struct task){.waits_for_database = true});
}

enum store_status writer_do_quietly(struct writer *writer,
                                    enum store_status (*run)(void *argument,
                                                             struct store_session *session),
                                    void *argument) {
    return do_there(writer, run, argument, (struct task){.makes_no_events = true});
}
