#include "server/jobs/worker.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/bell.h"
#include "server/base/clock.h"
#include "server/base/counters.h"
#include "server/base/id.h"
#include "server/base/log.h"
#include "server/base/machine.h"
#include "server/jobs/attempt.h"

enum {
    STORE_RETRY_SECONDS = 1,
    SMALL_SHARE = 32, /* a job is small if it takes at most 1/32 of max_memory; */
    BESIDE_SHARE = 8, /* another 1/8 on top of max_memory is for small jobs only */
};

struct worker {
    struct workers *workers;
    struct bell bell;
    int number;
    bool may_hold; /* a job that it does not know: the answer to a claim may have been lost, or an
                    * attempt has ended without the job */
    /* under the mutex of the workers */
    char job_id[ID_LENGTH + 1]; /* "" when idle */
    int64_t fence;              /* of its claim */
    int64_t memory;             /* bytes that its job has reserved, */
    bool is_beside;             /* and whether in the room for small jobs */
    struct interruption interruption;
};

struct workers {
    struct workers_config config;
    pthread_mutex_t mutex;
    int count; /* started */
    struct worker worker[];
};

/* ------------------------------------------------------------------ holding a job */

/* Bytes that the running jobs have reserved in one of the two rooms. Under the mutex. */
static int64_t reserved(const struct workers *workers, bool beside) {
    int64_t sum = 0;
    for (int i = 0; i < workers->config.count; i++)
        if (workers->worker[i].is_beside == beside)
            sum += workers->worker[i].memory;
    return sum;
}

int64_t workers_memory(struct workers *workers) {
    pthread_mutex_lock(&workers->mutex);
    const int64_t sum = reserved(workers, false) + reserved(workers, true);
    pthread_mutex_unlock(&workers->mutex);
    return sum;
}

static struct memory_room room_left(struct workers *workers) {
    const int64_t all = workers->config.max_memory;
    pthread_mutex_lock(&workers->mutex);
    const struct memory_room room = {.all = all,
                                     .unreserved = all - reserved(workers, false),
                                     .small = all / SMALL_SHARE,
                                     .beside = all / BESIDE_SHARE - reserved(workers, true)};
    pthread_mutex_unlock(&workers->mutex);
    return room;
}

int64_t workers_room(struct workers *workers) {
    const struct memory_room room = room_left(workers);
    const int64_t beside = room.small < room.beside ? room.small : room.beside;
    return room.unreserved > beside ? room.unreserved : beside;
}

/* Divides the cores among the jobs; each has at least one. Under the mutex. */
static void share_cores(struct workers *workers) {
    int jobs = 0, left = machine_cores();
    for (int i = 0; i < workers->config.count; i++)
        jobs += workers->worker[i].job_id[0] != '\0';
    for (int i = 0; jobs > 0; i++) {
        struct worker *worker = &workers->worker[i];
        if (!worker->job_id[0])
            continue;
        const int share = left > jobs ? left / jobs : 1;
        atomic_store(&worker->interruption.cores, share);
        left -= share;
        jobs--;
    }
}

/* Notes which job a worker holds; a claim of zeros: none. */
static void set_job(struct worker *worker, const struct claim *claim) {
    struct workers *workers = worker->workers;
    pthread_mutex_lock(&workers->mutex);
    snprintf(worker->job_id, sizeof worker->job_id, "%s", claim->id);
    worker->fence = claim->fence;
    worker->memory = claim->memory;
    worker->is_beside = claim->is_beside;
    share_cores(workers);
    __atomic_store_n(&worker->interruption.stop, worker->interruption.server_is_done,
                     __ATOMIC_RELAXED);
    pthread_mutex_unlock(&workers->mutex);
}

struct holding {
    struct worker *worker;
    struct claim claim;
};

static enum store_status run_claim(void *argument, struct store_session *session) {
    struct holding *holding = argument;
    struct workers *workers = holding->worker->workers;
    char owner[16];
    /* An earlier run may have claimed a job; if it did, that is put back below. */
    set_job(holding->worker, &(struct claim){0});
    claim_clear(&holding->claim);
    snprintf(owner, sizeof owner, "%d", holding->worker->number);
    enum store_status status = STORE_OK;
    int forgotten = 0;
    if (holding->worker->may_hold)
        status = store_put_back(session, owner, &forgotten);
    holding->worker->may_hold = true;        /* until work() has the answer */
    if (status != STORE_OK || forgotten > 0) /* commits, whether there is a job to claim or not */
        return status;
    const struct memory_room room = room_left(workers);
    status = store_claim(session, owner, &room, clock_now_ms(), &holding->claim);
    /* This is still on the writer's thread, so that a cancel that comes next finds this worker, and
     * the next claim finds its memory reserved. */
    if (status == STORE_OK)
        set_job(holding->worker, &holding->claim);
    return status;
}

static enum store_status run_unclaim(void *argument, struct store_session *session) {
    const struct claim *claim = argument;
    return store_unclaim(session, claim->id, claim->fence);
}

/* Gives a job back whose end could not be stored. Tries until that works or the worker stops; then,
 * the next start does it. */
static void unclaim(struct worker *worker, struct claim *claim) {
    enum store_status status;
    do {
        bell_pause(&worker->bell, STORE_RETRY_SECONDS);
        status = writer_do(worker->workers->config.writer, run_unclaim, claim);
    } while (status != STORE_OK && status != STORE_LOST && !bell_is_closed(&worker->bell));
}

/* ------------------------------------------------------------------ the worker's life */

static void train(struct worker *worker, struct claim *claim) {
    static const char *const ending_names[] = {"ended", "lost", "stopped", "store_broken",
                                               "other_arithmetic"};
    if (claim->attempt == 1)
        counters_add_start(1e-3 * (double)(clock_now_ms() - claim->created_at));
    log_line(LOG_INFO, "training", "job=%s attempt=%d worker=%d from_step=%lld", claim->id,
             claim->attempt, worker->number, (long long)claim->checkpoint.step);
    enum ending ending = attempt_run(&worker->workers->config, claim, &worker->interruption);
    worker->may_hold = ending != ENDING_ENDED;
    if (ending == ENDING_BROKEN)
        unclaim(worker, claim);
    machine_give_back_memory();
    log_line(LOG_INFO, "training over", "job=%s ending=%s", claim->id, ending_names[ending]);
}

/* Claims a job and trains it. False when there was none; true also when it has only put back one
 * that it did not know to be its own. */
static bool work(struct worker *worker) {
    struct holding holding = {.worker = worker};
    enum store_status status = writer_do(worker->workers->config.writer, run_claim, &holding);
    worker->may_hold = status != STORE_OK && status != STORE_NOT_FOUND;
    if (status == STORE_OK && holding.claim.id[0]) {
        if (store_is_shared(worker->workers->config.store))
            workers_call(worker->workers); /* who called this one may have meant more jobs */
        train(worker, &holding.claim);
    } else if (status == STORE_OK)
        log_line(LOG_WARN,
                 "a claim without an answer had taken place: the job is back in the queue",
                 "worker=%d", worker->number);
    else if (status != STORE_NOT_FOUND)
        bell_pause(&worker->bell, STORE_RETRY_SECONDS);
    set_job(worker, &(struct claim){0});
    if (holding.claim.memory > 0) /* a job may have waited for this memory */
        workers_wake(worker->workers);
    claim_clear(&holding.claim);
    return status != STORE_NOT_FOUND;
}

static void *worker_main(void *argument) {
    struct worker *worker = argument;
    store_be_patient();
    while (!bell_is_closed(&worker->bell))
        if (!work(worker))
            bell_wait(&worker->bell, INFINITY);
    return NULL;
}

struct workers *workers_start(const struct workers_config *config) {
    struct workers *workers =
        calloc(1, sizeof *workers + (size_t)config->count * sizeof workers->worker[0]);
    if (!workers)
        return NULL;
    workers->config = *config;
    pthread_mutex_init(&workers->mutex, NULL);
    for (int i = 0; i < config->count; i++) {
        struct worker *worker = &workers->worker[i];
        worker->workers = workers;
        worker->number = i;
        /* Under the mutex, so that workers_wake() finds each worker that has started. */
        pthread_mutex_lock(&workers->mutex);
        const bool has_begun = bell_start(&worker->bell, worker_main, worker);
        workers->count += has_begun;
        pthread_mutex_unlock(&workers->mutex);
        if (!has_begun) {
            workers_stop(workers);
            return NULL;
        }
    }
    return workers;
}

void workers_wake(struct workers *workers) {
    pthread_mutex_lock(&workers->mutex);
    for (int i = 0; i < workers->count; i++)
        bell_ring(&workers->worker[i].bell);
    pthread_mutex_unlock(&workers->mutex);
}

void workers_call(struct workers *workers) {
    int i = 0;
    pthread_mutex_lock(&workers->mutex);
    while (i < workers->count && workers->worker[i].job_id[0])
        i++;
    if (i < workers->count)
        bell_ring(&workers->worker[i].bell);
    pthread_mutex_unlock(&workers->mutex);
}

bool workers_are_idle(struct workers *workers) {
    bool is_any = false;
    pthread_mutex_lock(&workers->mutex);
    for (int i = 0; i < workers->count; i++)
        is_any |= !workers->worker[i].job_id[0];
    pthread_mutex_unlock(&workers->mutex);
    return is_any;
}

void workers_interrupt(struct workers *workers, const char *job_id, int64_t fence) {
    pthread_mutex_lock(&workers->mutex);
    for (int i = 0; i < workers->count; i++)
        if (strcmp(workers->worker[i].job_id, job_id) == 0 && workers->worker[i].fence <= fence)
            __atomic_store_n(&workers->worker[i].interruption.stop, true, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&workers->mutex);
}

void workers_halt(struct workers *workers) {
    pthread_mutex_lock(&workers->mutex);
    for (int i = 0; i < workers->count; i++) {
        struct interruption *interruption = &workers->worker[i].interruption;
        atomic_store(&interruption->server_is_done, true);
        __atomic_store_n(&interruption->stop, true, __ATOMIC_RELAXED);
        bell_close(&workers->worker[i].bell);
    }
    pthread_mutex_unlock(&workers->mutex);
}

void workers_stop(struct workers *workers) {
    workers_halt(workers);
    for (int i = 0; i < workers->count; i++) /* each may wake the others before it ends */
        bell_join(&workers->worker[i].bell);
    for (int i = 0; i < workers->count; i++)
        bell_clear(&workers->worker[i].bell);
    pthread_mutex_destroy(&workers->mutex);
    free(workers);
}
