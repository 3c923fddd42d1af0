#include "server/worker.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/counters.h"
#include "server/id.h"
#include "server/log.h"
#include "server/measure.h"
#include "server/team.h"

enum { STORE_RETRY_SECONDS = 1 };

/* How one attempt at a job ended. */
enum ending {
    ENDED,   /* succeeded, failed or cancelled, and the store knows */
    LOST,    /* somebody else owns the job, or it was deleted */
    STOPPED, /* the server stops */
    BROKEN,  /* the store cannot write now: try again later, from the last checkpoint */
};

/* A batch of news about a job on its way to the writer. Two of them per attempt: one fills up while
 * the other is being committed. */
struct report {
    struct task task;
    struct attempt *attempt;
    struct epoch_row *epochs;
    size_t epoch_count, epoch_capacity;
    void *checkpoint, *model;
    size_t checkpoint_bytes, model_bytes;
    int model_epoch;
    bool is_last; /* the job succeeds with it, in the same transaction */
    bool in_flight;
};

struct attempt {
    struct worker *worker;
    struct claim claim;
    struct training training;
    struct dn_trainer *trainer;
    struct dn_team *team; /* NULL unless the spec asks for threads */
    double started;       /* monotonic */
    struct report reports[2];
    int filling; /* index of the report that takes new epochs */
    /* What the writer said; under the workers' mutex. */
    bool lost, broken, cancel_requested;
};

struct worker {
    struct workers *workers;
    pthread_t thread;
    int number;
    char job_id[STORE_ID_LENGTH + 1]; /* "" when idle; under the mutex */
    volatile bool stop;               /* read by the engine within every step */
};

struct workers {
    struct writer *writer;
    struct store *store;
    worker_load load;
    char boot_id[STORE_ID_LENGTH + 1];
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* woken, stopping, or a report is back */
    uint64_t wakes;
    bool stopping;
    int count;
    struct worker worker[];
};

/* ------------------------------------------------------------------ short calls to the store */

struct store_call {
    struct attempt *attempt;
    enum store_status (*run)(struct store_session *session, struct store_call *call);
    enum store_status status;
    enum job_status end;
    const char *code, *detail;
};

static bool run_store_call(void *argument, struct store_session *session) {
    struct store_call *call = argument;
    call->status = call->run(session, call);
    return call->status == STORE_OK;
}

static enum store_status call_store(struct store_call *call) {
    struct writer *writer = call->attempt->worker->workers->writer;
    enum task_outcome outcome = writer_call(writer, run_store_call, call);
    return outcome == TASK_DONE ? call->status : STORE_ERROR;
}

static void set_job(struct worker *worker, const char *id) {
    struct workers *workers = worker->workers;
    pthread_mutex_lock(&workers->mutex);
    snprintf(worker->job_id, sizeof worker->job_id, "%s", id);
    __atomic_store_n(&worker->stop, workers->stopping, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&workers->mutex);
}

static enum store_status do_claim(struct store_session *session, struct store_call *call) {
    char owner[STORE_ID_LENGTH + 16];
    snprintf(owner, sizeof owner, "%s/%d", call->attempt->worker->workers->boot_id,
             call->attempt->worker->number);
    enum store_status status = store_claim(session, owner, clock_now_ms(), &call->attempt->claim);
    /* Still on the writer thread: a cancel that comes next finds this worker. */
    if (status == STORE_OK)
        set_job(call->attempt->worker, call->attempt->claim.id);
    return status;
}

static enum store_status do_restart(struct store_session *session, struct store_call *call) {
    return store_restart(session, call->attempt->claim.id, call->attempt->claim.fence);
}

static enum store_status do_unclaim(struct store_session *session, struct store_call *call) {
    return store_unclaim(session, call->attempt->claim.id, call->attempt->claim.fence);
}

static enum store_status do_finish(struct store_session *session, struct store_call *call) {
    return store_finish(session, call->attempt->claim.id, call->attempt->claim.fence, call->end,
                        call->code, call->detail, clock_now_ms());
}

static enum ending ending_of(enum store_status status) {
    return status == STORE_OK ? ENDED : status == STORE_LOST ? LOST : BROKEN;
}

static enum ending finish(struct attempt *attempt, enum job_status end, const char *code,
                          const char *detail) {
    struct store_call call = {
        .attempt = attempt, .run = do_finish, .end = end, .code = code, .detail = detail};
    return ending_of(call_store(&call));
}

/* ------------------------------------------------------------------ reports */

static bool run_report(struct task *task, struct store_session *session) {
    struct report *report = (struct report *)task;
    struct attempt *attempt = report->attempt;
    struct progress progress = {
        .id = attempt->claim.id,
        .fence = attempt->claim.fence,
        .epochs = report->epochs,
        .epoch_count = report->epoch_count,
        .checkpoint = report->checkpoint,
        .checkpoint_bytes = report->checkpoint_bytes,
        .model = report->model,
        .model_bytes = report->model_bytes,
        .model_epoch = report->model_epoch,
        .variant = dn_kernels_name(),
    };
    bool cancel = false;
    enum store_status status = store_progress(session, &progress, clock_now_ms(), &cancel);
    if (status == STORE_OK && report->is_last)
        status = store_finish(session, progress.id, progress.fence, JOB_SUCCEEDED, NULL, NULL,
                              clock_now_ms());
    struct workers *workers = attempt->worker->workers;
    pthread_mutex_lock(&workers->mutex);
    attempt->lost |= status == STORE_LOST;
    attempt->broken |= status != STORE_OK && status != STORE_LOST;
    attempt->cancel_requested |= cancel;
    pthread_mutex_unlock(&workers->mutex);
    return status == STORE_OK;
}

static void report_done(struct task *task, enum task_outcome outcome) {
    struct report *report = (struct report *)task;
    struct workers *workers = report->attempt->worker->workers;
    pthread_mutex_lock(&workers->mutex);
    report->attempt->broken |= outcome != TASK_DONE;
    report->in_flight = false;
    pthread_cond_broadcast(&workers->changed);
    pthread_mutex_unlock(&workers->mutex);
}

/* What other threads want of this attempt; ENDED means "go on". */
static enum ending interrupted(struct attempt *attempt) {
    struct workers *workers = attempt->worker->workers;
    pthread_mutex_lock(&workers->mutex);
    /* Broken first: what was lost in a transaction that was taken back was not lost. */
    enum ending ending = attempt->broken     ? BROKEN
                         : attempt->lost     ? LOST
                         : workers->stopping ? STOPPED
                                             : ENDED;
    pthread_mutex_unlock(&workers->mutex);
    return ending;
}

static void wait_for(struct report *report) {
    struct workers *workers = report->attempt->worker->workers;
    pthread_mutex_lock(&workers->mutex);
    while (report->in_flight)
        pthread_cond_wait(&workers->changed, &workers->mutex);
    pthread_mutex_unlock(&workers->mutex);
}

static bool is_in_flight(struct report *report) {
    struct workers *workers = report->attempt->worker->workers;
    pthread_mutex_lock(&workers->mutex);
    bool in_flight = report->in_flight;
    pthread_mutex_unlock(&workers->mutex);
    return in_flight;
}

static bool add_epoch(struct attempt *attempt, struct report *report, const struct dn_epoch *epoch,
                      const struct dn_evaluation *evaluation) {
    if (report->epoch_count == report->epoch_capacity) {
        size_t capacity = report->epoch_capacity ? 2 * report->epoch_capacity : 16;
        struct epoch_row *epochs = realloc(report->epochs, capacity * sizeof *epochs);
        if (!epochs)
            return false;
        report->epochs = epochs;
        report->epoch_capacity = capacity;
    }
    report->epochs[report->epoch_count++] = (struct epoch_row){
        .epoch = epoch->epoch,
        .step = epoch->step,
        .train_loss = epoch->train_loss,
        .val_loss = epoch->val_loss,
        .learning_rate = epoch->learning_rate,
        .gradient_norm = epoch->gradient_norm,
        .seconds = attempt->claim.seconds + clock_monotonic() - attempt->started,
        .curve_distance = evaluation->curve_distance,
        .energy_distance = evaluation->energy_distance,
    };
    return true;
}

/* The training state and the model that goes with it, as bytes. */
static bool add_checkpoint(struct attempt *attempt, struct report *report) {
    struct dn_error error;
    struct dn_model *model;
    if (dn_trainer_model(attempt->trainer, &model, &error) != DN_OK)
        return false;
    report->checkpoint_bytes = dn_trainer_bytes(attempt->trainer);
    report->model_bytes = dn_model_bytes(model);
    report->model_epoch = dn_model_epoch(model);
    report->checkpoint = malloc(report->checkpoint_bytes);
    report->model = malloc(report->model_bytes);
    bool made = report->checkpoint && report->model;
    if (made) {
        dn_trainer_save(attempt->trainer, report->checkpoint);
        dn_model_save(model, report->model);
    } else {
        free(report->checkpoint);
        free(report->model);
        report->checkpoint = report->model = NULL;
    }
    dn_model_free(model);
    return made;
}

static void report_clear(struct report *report) {
    free(report->checkpoint);
    free(report->model);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it confuses this report with the other one */
    report->checkpoint = report->model = NULL;
    report->epoch_count = 0;
}

/* Sends the report that was being filled, if the other one is back. With `must` it waits for that,
 * which holds training back when the disk cannot keep up with checkpoints. */
static void send(struct attempt *attempt, bool must) {
    struct report *report = &attempt->reports[attempt->filling];
    struct report *other = &attempt->reports[!attempt->filling];
    if (must)
        wait_for(other);
    else if (is_in_flight(other))
        return;
    enum ending ending = interrupted(attempt);
    if (ending == LOST || ending == BROKEN)
        return; /* a report must not be stored without the one before it */
    report_clear(other);
    report->task = (struct task){.run = run_report, .done = report_done};
    report->in_flight = true;
    attempt->filling = !attempt->filling;
    writer_post(attempt->worker->workers->writer, &report->task);
}

/* ------------------------------------------------------------------ an attempt */

static bool load_training(struct attempt *attempt, struct training_failure *failure) {
    struct workers *workers = attempt->worker->workers;
    struct store_session *session = store_acquire(workers->store);
    bool loaded =
        session && workers->load(attempt->claim.spec, session, &attempt->training, failure);
    if (session)
        store_release(workers->store, session);
    return loaded;
}

static enum dn_status new_trainer(struct attempt *attempt, struct dn_error *error) {
    const struct dn_data *data = &attempt->training.data;
    return dn_trainer_new(&attempt->training.spec, data->points ? data : NULL, &attempt->trainer,
                          error);
}

/* A trainer at the state of the checkpoint. One that cannot be used (another kernel variant,
 * another version) costs the work done so far, not the job. */
static enum dn_status make_trainer(struct attempt *attempt, bool *restarted,
                                   struct dn_error *error) {
    const struct claim *claim = &attempt->claim;
    *restarted = false;
    enum dn_status status = new_trainer(attempt, error);
    if (status != DN_OK || !claim->checkpoint)
        return status;
    if (dn_trainer_load(attempt->trainer, claim->checkpoint, claim->checkpoint_bytes, error) ==
        DN_OK)
        return DN_OK;
    char quoted[300];
    log_line(LOG_WARN, "checkpoint not usable, training starts afresh", "job=%s detail=%s",
             claim->id, log_quote(error->text, quoted, sizeof quoted));
    *restarted = true;
    dn_trainer_free(attempt->trainer);
    attempt->trainer = NULL;
    attempt->claim.seconds = 0;
    return new_trainer(attempt, error);
}

static bool cancel_requested(struct attempt *attempt) {
    struct workers *workers = attempt->worker->workers;
    pthread_mutex_lock(&workers->mutex);
    bool requested = attempt->cancel_requested;
    pthread_mutex_unlock(&workers->mutex);
    return requested;
}

/* Why an epoch could not be trained, as the store should know it. */
static enum ending stop_training(struct attempt *attempt, enum dn_status status,
                                 const struct dn_error *error) {
    if (attempt->reports[attempt->filling].epoch_count > 0)
        send(attempt, true);
    wait_for(&attempt->reports[!attempt->filling]);
    enum ending ending = interrupted(attempt);
    if (ending != ENDED)
        return ending;
    switch (status) {
    case DN_STOPPED: /* and the server goes on: only a cancel or a delete interrupts a job */
        return finish(attempt, JOB_CANCELLED, NULL, NULL);
    case DN_DIVERGED: return finish(attempt, JOB_FAILED, "diverged", error->text);
    case DN_NO_MEMORY:
        return finish(attempt, JOB_FAILED, "no_memory", "not enough memory to train this network");
    default: return finish(attempt, JOB_FAILED, "training_error", error->text);
    }
}

static enum dn_status train_epoch(struct attempt *attempt, struct dn_epoch *epoch,
                                  struct dn_error *error) {
    const int64_t before = dn_trainer_steps_done(attempt->trainer);
    const double began = clock_monotonic();
    enum dn_status status =
        dn_trainer_epoch(attempt->trainer, &attempt->worker->stop, epoch, error);
    const int64_t steps = dn_trainer_steps_done(attempt->trainer) - before;
    count_steps(steps, steps * attempt->training.spec.training.batch_size,
                clock_monotonic() - began);
    return status;
}

static enum ending train(struct attempt *attempt) {
    const int epochs = attempt->training.spec.training.epochs;
    const int every = attempt->training.spec.training.checkpoint_every;
    struct dn_error error = {""};
    for (int done = dn_trainer_epochs_done(attempt->trainer); done < epochs;) {
        struct dn_epoch epoch;
        struct dn_evaluation evaluation;
        enum dn_status status = train_epoch(attempt, &epoch, &error);
        if (status == DN_OK)
            status = measure_epoch(attempt->trainer, &attempt->training, epoch.epoch, &evaluation,
                                   &attempt->worker->stop, &error);
        if (status == DN_OK && cancel_requested(attempt))
            status = DN_STOPPED;
        if (status != DN_OK)
            return stop_training(attempt, status, &error);
        done = epoch.epoch;
        struct report *report = &attempt->reports[attempt->filling];
        /* The first epoch always leaves a checkpoint, so that there is a model to look at. */
        bool is_due = done % every == 0 || done == 1 || done == epochs;
        if (!add_epoch(attempt, report, &epoch, &evaluation) ||
            (is_due && !add_checkpoint(attempt, report)))
            return stop_training(attempt, DN_NO_MEMORY, &error);
        report->is_last = done == epochs;
        send(attempt, is_due);
        enum ending ending = interrupted(attempt);
        if (ending == LOST || ending == BROKEN)
            return ending;
    }
    struct report *last = &attempt->reports[!attempt->filling];
    if (!last->is_last)
        return finish(attempt, JOB_SUCCEEDED, NULL, NULL); /* all epochs had been trained before */
    wait_for(last);
    enum ending ending = interrupted(attempt);
    return ending == STOPPED ? ENDED : ending;
}

static enum ending start_and_train(struct attempt *attempt) {
    struct dn_error error = {""};
    if (attempt->claim.cancel_requested)
        return finish(attempt, JOB_CANCELLED, NULL, NULL);
    struct training_failure failure = {0};
    if (!load_training(attempt, &failure))
        return failure.code ? finish(attempt, JOB_FAILED, failure.code, failure.why.text) : BROKEN;
    bool restarted;
    enum dn_status status = make_trainer(attempt, &restarted, &error);
    if (status == DN_OK)
        status = measure_prepare(&attempt->training, &error);
    if (status != DN_OK)
        return finish(attempt, JOB_FAILED, status == DN_NO_MEMORY ? "no_memory" : "invalid_spec",
                      error.text);
    if (restarted) {
        struct store_call call = {.attempt = attempt, .run = do_restart};
        enum ending ending = ending_of(call_store(&call));
        if (ending != ENDED)
            return ending;
    }
    if (attempt->training.spec.training.threads > 1) {
        /* Without a team the training is slower and its results are the same. */
        attempt->team = team_start(attempt->training.spec.training.threads);
        dn_trainer_use_team(attempt->trainer, attempt->team);
    }
    attempt->started = clock_monotonic();
    return train(attempt);
}

static void attempt_clear(struct attempt *attempt) {
    for (int i = 0; i < 2; i++) {
        wait_for(&attempt->reports[i]);
        report_clear(&attempt->reports[i]);
        free(attempt->reports[i].epochs);
    }
    dn_trainer_free(attempt->trainer);
    dn_data_clear(&attempt->training.data);
    team_stop(attempt->team);
    claim_clear(&attempt->claim);
}

/* ------------------------------------------------------------------ the worker's life */

static bool is_stopping(struct workers *workers) {
    pthread_mutex_lock(&workers->mutex);
    bool stopping = workers->stopping;
    pthread_mutex_unlock(&workers->mutex);
    return stopping;
}

/* Sleeps a moment unless the server stops. */
static void pause_for_store(struct workers *workers) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += STORE_RETRY_SECONDS;
    pthread_mutex_lock(&workers->mutex);
    int waited = 0;
    while (!workers->stopping && waited == 0)
        waited =
            pthread_cond_clockwait(&workers->changed, &workers->mutex, CLOCK_MONOTONIC, &until);
    pthread_mutex_unlock(&workers->mutex);
}

/* Gives the job back, as often as it takes; recovery at the next start does it otherwise. */
static void unclaim(struct attempt *attempt, enum ending ending) {
    struct workers *workers = attempt->worker->workers;
    for (;;) {
        if (ending == BROKEN)
            pause_for_store(workers);
        struct store_call call = {.attempt = attempt, .run = do_unclaim};
        enum store_status status = call_store(&call);
        if (status == STORE_OK || status == STORE_LOST || is_stopping(workers))
            return;
        ending = BROKEN;
    }
}

/* Claims a job and sees it through. False when there was nothing to do. */
static bool work(struct worker *worker) {
    static const char *const ending_names[] = {"ended", "lost", "stopped", "store_broken"};
    struct attempt attempt = {.worker = worker};
    attempt.reports[0].attempt = attempt.reports[1].attempt = &attempt;
    struct store_call call = {.attempt = &attempt, .run = do_claim};
    enum store_status status = call_store(&call);
    if (status != STORE_OK) {
        if (status != STORE_NOT_FOUND)
            pause_for_store(worker->workers);
        set_job(worker, "");
        claim_clear(&attempt.claim);
        return status != STORE_NOT_FOUND;
    }
    if (attempt.claim.attempt == 1)
        count_start(1e-3 * (double)(clock_now_ms() - attempt.claim.created_at));
    log_line(LOG_INFO, "training", "job=%s attempt=%d worker=%d", attempt.claim.id,
             attempt.claim.attempt, worker->number);
    enum ending ending = start_and_train(&attempt);
    if (ending == STOPPED || ending == BROKEN)
        unclaim(&attempt, ending);
    log_line(LOG_INFO, "training over", "job=%s ending=%s", attempt.claim.id, ending_names[ending]);
    set_job(worker, "");
    attempt_clear(&attempt);
    return true;
}

static void *worker_main(void *argument) {
    struct worker *worker = argument;
    struct workers *workers = worker->workers;
    pthread_mutex_lock(&workers->mutex);
    while (!workers->stopping) {
        uint64_t seen = workers->wakes;
        pthread_mutex_unlock(&workers->mutex);
        bool worked = work(worker);
        pthread_mutex_lock(&workers->mutex);
        while (!worked && !workers->stopping && workers->wakes == seen)
            pthread_cond_wait(&workers->changed, &workers->mutex);
    }
    pthread_mutex_unlock(&workers->mutex);
    return NULL;
}

struct workers *workers_start(struct store *store, struct writer *writer, int count,
                              const char *boot_id, worker_load load) {
    struct workers *workers =
        calloc(1, sizeof *workers + (size_t)count * sizeof workers->worker[0]);
    if (!workers)
        return NULL;
    workers->writer = writer;
    workers->store = store;
    workers->load = load;
    snprintf(workers->boot_id, sizeof workers->boot_id, "%s", boot_id);
    pthread_mutex_init(&workers->mutex, NULL);
    pthread_cond_init(&workers->changed, NULL);
    for (int i = 0; i < count; i++) {
        struct worker *worker = &workers->worker[i];
        worker->workers = workers;
        worker->number = i;
        if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0) {
            workers_stop(workers);
            return NULL;
        }
        workers->count++;
    }
    return workers;
}

void workers_wake(struct workers *workers) {
    pthread_mutex_lock(&workers->mutex);
    workers->wakes++;
    pthread_cond_broadcast(&workers->changed);
    pthread_mutex_unlock(&workers->mutex);
}

void workers_interrupt(struct workers *workers, const char *job_id) {
    pthread_mutex_lock(&workers->mutex);
    for (int i = 0; i < workers->count; i++)
        if (strcmp(workers->worker[i].job_id, job_id) == 0)
            __atomic_store_n(&workers->worker[i].stop, true, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&workers->mutex);
}

void workers_stop(struct workers *workers) {
    pthread_mutex_lock(&workers->mutex);
    workers->stopping = true;
    for (int i = 0; i < workers->count; i++)
        __atomic_store_n(&workers->worker[i].stop, true, __ATOMIC_RELAXED);
    pthread_cond_broadcast(&workers->changed);
    pthread_mutex_unlock(&workers->mutex);
    for (int i = 0; i < workers->count; i++)
        pthread_join(workers->worker[i].thread, NULL);
    pthread_cond_destroy(&workers->changed);
    pthread_mutex_destroy(&workers->mutex);
    free(workers);
}
