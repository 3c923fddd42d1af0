#include "server/jobs/attempt.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/counters.h"
#include "server/base/fault.h"
#include "server/base/log.h"
#include "server/jobs/checkpoint.h"
#include "server/jobs/estimate.h"
#include "server/jobs/pace.h"
#include "server/jobs/report.h"
#include "server/jobs/team.h"

#define LOOK_AFTER 0.05       /* seconds of steps after which there may be something to report */
#define WAIT_NS    100000000L /* between two looks for a database that is away */

struct attempt {
    const struct workers_config *config;
    struct claim *claim;
    const struct offer *offer;         /* what the trainer computes with */
    char bound_to[DN_ARITHMETIC_TEXT]; /* what its checkpoint needs instead; "" if it can be used */
    struct interruption *interruption;
    struct training training;
    struct training_failure failure; /* why that could not be loaded */
    struct dn_trainer *trainer;
    bool shares_cores;    /* the spec leaves the threads open */
    int threads;          /* that train now; 0: not begun */
    struct dn_team *team; /* these, if they are more than one */
    struct reports reports;
    struct training_outcome outcome;
    struct job_end end;  /* as it is stored, */
    int64_t ended_at;    /* and when, in ms */
    int epochs_reported; /* the last epoch whose row the reports have */
    bool is_due;         /* an epoch asked for a checkpoint */
    int64_t safe_step;   /* the step of the last checkpoint */
    struct pace pace;
};

/* ------------------------------------------------------------------ the end, in the store */

static enum ending ending_of(enum store_status status) {
    return status == STORE_OK ? ENDING_ENDED : status == STORE_LOST ? ENDING_LOST : ENDING_BROKEN;
}

static enum store_status run_finish(void *argument, struct store_session *session) {
    const struct attempt *attempt = argument;
    return store_finish(session, attempt->claim->id, attempt->claim->fence, &attempt->end,
                        attempt->ended_at);
}

static enum ending finish(struct attempt *attempt, struct job_end end) {
    attempt->end = end;
    attempt->ended_at = clock_now_ms(); /* the same each time that it runs */
    return ending_of(writer_do_at_last(attempt->config->writer, run_finish, attempt));
}

/* why: NULL or empty if the description of the error says it all. */
static enum ending fail(struct attempt *attempt, enum job_error error, const char *why) {
    const char *detail = why && why[0] ? why : job_error_rows[error].doc;
    return finish(attempt, (struct job_end){JOB_FAILED, error, detail, NULL});
}

/* ------------------------------------------------------------------ where to begin */

/* Tries to read from the store. A database that is away is waited for, as long as the server runs;
 * then the reading begins anew. */
static enum store_status read_when_there(struct attempt *attempt,
                                         enum store_status (*read)(struct attempt *attempt)) {
    for (;;) {
        const enum store_status status = read(attempt);
        if (status != STORE_AWAY || atomic_load(&attempt->interruption->server_is_done))
            return status;
        nanosleep(&(struct timespec){.tv_nsec = WAIT_NS}, NULL);
    }
}

static enum store_status load(struct attempt *attempt) {
    struct training_failure *failure = &attempt->failure;
    const struct dn_breaks breaks = {.stop = &attempt->interruption->stop};
    attempt->training = (struct training){0};
    *failure = (struct training_failure){0};
    if (attempt->config->load(attempt->claim->spec, attempt->config->store, &attempt->training,
                              &breaks, failure))
        return STORE_OK;
    return failure->error || failure->is_stopped ? STORE_NOT_FOUND : failure->store;
}

/* The claim of the attempt stays as it is until this is committed. */
struct dropping {
    const struct claim *from;
    struct claim claim;
};

static enum store_status run_drop(void *argument, struct store_session *session) {
    struct dropping *dropping = argument;
    dropping->claim = *dropping->from;
    return store_drop_checkpoint(session, &dropping->claim);
}

static enum store_status drop_checkpoint(struct attempt *attempt) {
    struct dropping dropping = {.from = attempt->claim};
    const enum store_status status =
        writer_do_at_last(attempt->config->writer, run_drop, &dropping);
    if (status == STORE_OK)
        attempt->claim->checkpoint = dropping.claim.checkpoint;
    return status;
}

/* Reads the bytes of the claim's checkpoint, without keeping the writer busy. */
static enum store_status read_checkpoint(struct attempt *attempt) {
    struct checkpoint *checkpoint = &attempt->claim->checkpoint;
    struct store *store = attempt->config->store;
    struct store_session *session = store_acquire(store);
    if (!session)
        return store_why_none(store);
    const enum store_status status =
        store_blob_read(session, checkpoint->blob, checkpoint->size, &checkpoint->bytes);
    store_release(store, session);
    return status;
}

/* Loads the checkpoint into the trainer; if it cannot be used, see checkpoint_load. */
static enum dn_status load_checkpoint(struct attempt *attempt, struct dn_error *error) {
    struct checkpoint *checkpoint = &attempt->claim->checkpoint;
    enum dn_status status = checkpoint_load(checkpoint, attempt->trainer, error);
    if (status == DN_OTHER_ARITHMETIC)
        dn_checkpoint_arithmetic(checkpoint->bytes, checkpoint->size, attempt->bound_to);
    free(checkpoint->bytes);
    checkpoint->bytes = NULL;
    return status;
}

/* Loads the newest checkpoint that can be used. One that is damaged costs the work since the one
 * before, or all of it, but never the job: the result is the same. One of other arithmetic is good,
 * but not here: the attempt is bound to it, and ends. */
static enum store_status resume(struct attempt *attempt) {
    struct claim *claim = attempt->claim;
    while (claim->checkpoint.blob) {
        struct dn_error error = {"its bytes are missing"};
        enum store_status status = read_when_there(attempt, read_checkpoint);
        if (status != STORE_OK && status != STORE_NOT_FOUND)
            return status;
        if (status == STORE_OK && load_checkpoint(attempt, &error) == DN_OK)
            break;
        if (attempt->bound_to[0])
            return STORE_OK;
        log_line(LOG_WARN, "checkpoint not usable; going back to the one before or to the start",
                 "job=%s step=%lld detail=%s", claim->id, (long long)claim->checkpoint.step,
                 error.text);
        status = drop_checkpoint(attempt);
        if (status != STORE_OK)
            return status;
    }
    attempt->epochs_reported = claim->checkpoint.epoch;
    attempt->safe_step = claim->checkpoint.step;
    return STORE_OK;
}

static enum store_status run_unclaim_bound(void *argument, struct store_session *session) {
    const struct attempt *attempt = argument;
    return store_unclaim_bound(session, attempt->claim->id, attempt->claim->fence,
                               attempt->bound_to);
}

/* Leaves the job to a process that offers what its checkpoint needs, which may be this one. */
static enum ending leave(struct attempt *attempt) {
    log_line(LOG_INFO, "the checkpoint continues with other arithmetic: back to the queue",
             "job=%s step=%lld arithmetic=%s", attempt->claim->id,
             (long long)attempt->claim->checkpoint.step, attempt->bound_to);
    const enum ending ending =
        ending_of(writer_do_at_last(attempt->config->writer, run_unclaim_bound, attempt));
    return ending == ENDING_ENDED ? ENDING_BOUND : ending;
}

static enum store_status read_lowest_loss(struct attempt *attempt) {
    struct store *store = attempt->config->store;
    struct store_session *session = store_acquire(store);
    if (!session)
        return store_why_none(store);
    const enum store_status status =
        store_lowest_loss(session, attempt->claim->id, &attempt->outcome.lowest);
    store_release(store, session);
    return status;
}

/* Starts the outcome from the stored history, if there is any. */
static enum store_status begin_outcome(struct attempt *attempt) {
    attempt->outcome =
        (struct training_outcome){.last = NAN, .lowest.loss = NAN, .verdict = {NAN, NAN}};
    return attempt->epochs_reported > 0 ? read_when_there(attempt, read_lowest_loss) : STORE_OK;
}

/* Before there is a trainer, which needs memory for each thread: the most that it may have. */
static void plan_threads(struct attempt *attempt) {
    struct dn_spec *spec = &attempt->training.spec;
    attempt->shares_cores = spec->training.threads == 0;
    spec->training.threads =
        estimate_threads(spec, store_row_copies(attempt->config->store), attempt->claim->memory);
}

/* Draws the data, unless it is uploaded, and makes the trainer, which copies what it needs. Of the data,
 * only measurements need more. */
static enum dn_status make_trainer(struct attempt *attempt, struct dn_error *error) {
    struct training *training = &attempt->training;
    const struct dn_breaks breaks = {.stop = &attempt->interruption->stop};
    enum dn_status status =
        training->data.n > 0 ? DN_OK
                             : dn_data_draw(&training->spec, NULL, &training->data, &breaks, error);
    if (status == DN_OK)
        status = dn_trainer_new_with(attempt->offer->kernels, &training->spec, &training->data,
                                     &attempt->trainer, error);
    if (training->spec.training.evaluate_every == 0)
        dn_data_clear(&training->data);
    return status;
}

/* ------------------------------------------------------------------ training */

static double seconds_trained(const struct attempt *attempt) {
    return attempt->claim->checkpoint.seconds + clock_monotonic() - attempt->pace.started;
}

static void send(struct attempt *attempt, enum report_end end) {
    reports_send(&attempt->reports, dn_trainer_steps_done(attempt->trainer),
                 seconds_trained(attempt), end);
    pace_reported(&attempt->pace, clock_monotonic());
}

static bool add_checkpoint(struct attempt *attempt) {
    const double began = clock_monotonic();
    if (!reports_add_checkpoint(&attempt->reports, attempt->trainer, attempt->epochs_reported,
                                seconds_trained(attempt)))
        return false;
    attempt->is_due = false;
    attempt->safe_step = dn_trainer_steps_done(attempt->trainer);
    const double now = clock_monotonic();
    pace_checkpointed(&attempt->pace, now, now - began);
    log_line(LOG_DEBUG, "checkpoint saved", "job=%s step=%lld ms=%.1f", attempt->claim->id,
             (long long)attempt->safe_step, 1e3 * (now - began));
    return true;
}

/* Saves a checkpoint if it is time for one. False when out of memory. */
static bool save_in_time(struct attempt *attempt, double now) {
    const struct pace *pace = &attempt->pace;
    const bool is_first = attempt->is_due && attempt->safe_step == 0;
    return (!is_first && !pace_saves(pace, attempt->is_due, now)) || add_checkpoint(attempt);
}

/* Sends what there is to report, if the other report is back; waits for that if there is too much to
 * go on. False when out of memory. */
static bool report(struct attempt *attempt) {
    struct reports *reports = &attempt->reports;
    struct pace *pace = &attempt->pace;
    const bool is_full = reports_is_full(reports);
    if (is_full)
        reports_wait(reports);
    if (!reports_can_send(reports))
        return true;
    if (is_full && __atomic_load_n(&attempt->interruption->stop, __ATOMIC_RELAXED))
        return true; /* it goes with the last one */
    const double now = clock_monotonic();
    const struct report_times times = reports_times(reports);
    pace_stored(pace, times.report, times.checkpoint);
    if (!save_in_time(attempt, now))
        return false;
    if (is_full || reports_has_checkpoint(reports) || pace_should_report(pace, now) ||
        (reports_has_epochs(reports) && pace_may_report(pace, now)))
        send(attempt, REPORT_GOES_ON);
    return true;
}

/* Gives the trainer as many threads as it may have now. Without a team, training is slower, with the
 * same results. */
static void follow_share(struct attempt *attempt) {
    const int most = attempt->training.spec.training.threads;
    const int share = attempt->shares_cores ? atomic_load(&attempt->interruption->cores) : most;
    const int threads = share < most ? share : most;
    if (threads == attempt->threads)
        return;
    dn_trainer_use_team(attempt->trainer, NULL);
    team_stop(attempt->team);
    attempt->threads = threads;
    attempt->team = threads > 1 ? team_start(threads) : NULL;
    dn_trainer_use_team(attempt->trainer, attempt->team);
    log_line(LOG_DEBUG, "threads chosen", "job=%s threads=%d", attempt->claim->id, threads);
}

/* Trains until the epoch ends, but for at most LOOK_AFTER. */
static enum dn_status train_some(struct attempt *attempt, struct dn_error *error) {
    struct dn_trainer *trainer = attempt->trainer;
    const int64_t before = dn_trainer_steps_done(trainer);
    const int epochs = dn_trainer_epochs_done(trainer);
    const double began = clock_monotonic();
    double now = began;
    enum dn_status status = DN_OK;
    follow_share(attempt);
    while (status == DN_OK && dn_trainer_epochs_done(trainer) == epochs &&
           now < began + LOOK_AFTER) {
        status = dn_trainer_step(trainer, &attempt->interruption->stop, error);
        FAULT_STEP();
        now = clock_monotonic();
    }
    const int64_t steps = dn_trainer_steps_done(trainer) - before;
    counters_add_steps(steps, steps * attempt->training.spec.training.batch_size, now - began);
    return status;
}

/* The metrics of the model, after the epochs that the spec asks for and after the last. Otherwise,
 * and where this data does not allow them, NAN. */
static enum dn_status measure_epoch(struct attempt *attempt, int epoch,
                                    struct dn_evaluation *result, struct dn_error *error) {
    const struct dn_spec *spec = &attempt->training.spec;
    const int every = spec->training.evaluate_every;
    struct dn_model *model;
    *result = (struct dn_evaluation){NAN, NAN};
    if (every == 0 || (epoch % every != 0 && epoch != spec->training.epochs))
        return DN_OK;
    enum dn_status status = dn_trainer_model(attempt->trainer, &model, error);
    if (status != DN_OK)
        return status;
    status = dn_evaluate(model, &attempt->training.data, DN_EVALUATION_POINTS, spec->seed, result,
                         &attempt->interruption->stop, error);
    dn_model_free(model);
    return status == DN_INVALID ? DN_OK : status;
}

static void note_loss(struct training_outcome *outcome, const struct dn_epoch *epoch) {
    outcome->last = isnan(epoch->val_loss) ? epoch->train_loss : epoch->val_loss;
    if (outcome->last <= outcome->lowest.loss || isnan(outcome->lowest.loss))
        outcome->lowest = (struct lowest_loss){outcome->last, epoch->epoch};
}

/* Adds the row of the epoch that has ended. */
static enum dn_status report_epoch(struct attempt *attempt, struct dn_error *error) {
    const struct dn_training_spec *spec = &attempt->training.spec.training;
    const struct dn_epoch epoch = dn_trainer_last_epoch(attempt->trainer);
    struct dn_evaluation evaluation;
    enum dn_status status = measure_epoch(attempt, epoch.epoch, &evaluation, error);
    if (status != DN_OK)
        return status;
    const struct epoch_row row = {
        .epoch = epoch.epoch,
        .step = epoch.step,
        .train_loss = epoch.train_loss,
        .val_loss = epoch.val_loss,
        .learning_rate = epoch.learning_rate,
        .gradient_norm = epoch.gradient_norm,
        .seconds = seconds_trained(attempt),
        .curve_distance = evaluation.curve_distance,
        .energy_distance = evaluation.energy_distance,
    };
    if (!reports_add_epoch(&attempt->reports, &row))
        return DN_NO_MEMORY;
    attempt->epochs_reported = epoch.epoch;
    note_loss(&attempt->outcome, &epoch);
    /* The first epoch always stores a model, so that there is something to look at. */
    const bool is_last = epoch.epoch == spec->epochs;
    const bool is_due = epoch.epoch % spec->checkpoint_every == 0 || epoch.epoch == 1 || is_last;
    if (!is_due)
        return DN_OK;
    status = dn_trainer_check(attempt->trainer, is_last, NULL, error);
    if (status != DN_OK)
        return status;
    attempt->is_due = true;
    return reports_add_model(&attempt->reports, attempt->trainer) ? DN_OK : DN_NO_MEMORY;
}

static enum store_status run_unclaim(void *argument, struct store_session *session) {
    const struct attempt *attempt = argument;
    return store_unclaim(session, attempt->claim->id, attempt->claim->fence);
}

/* Before there is a trainer, there is nothing to keep. */
static enum ending stop_early(struct attempt *attempt) {
    if (!atomic_load(&attempt->interruption->server_is_done)) /* a cancel or a delete */
        return finish(attempt, (struct job_end){.status = JOB_CANCELLED});
    const enum ending ending =
        ending_of(writer_do_at_last(attempt->config->writer, run_unclaim, attempt));
    return ending == ENDING_ENDED ? ENDING_STOPPED : ending;
}

/* The server stops: the job goes back to the queue, and keeps every step that was taken. */
static enum ending give_back(struct attempt *attempt) {
    /* Without memory for it, the job resumes from its last checkpoint. */
    if (dn_trainer_steps_done(attempt->trainer) > attempt->safe_step) {
        reports_supersede(&attempt->reports);
        (void)add_checkpoint(attempt);
    }
    send(attempt, REPORT_GIVES_BACK);
    return ENDING_STOPPED;
}

/* Training cannot continue: stores the reason. */
static enum ending stop_training(struct attempt *attempt, enum dn_status status,
                                 const struct dn_error *error) {
    if (status == DN_STOPPED && atomic_load(&attempt->interruption->server_is_done))
        return give_back(attempt);
    if (reports_has_epochs(&attempt->reports))
        send(attempt, REPORT_GOES_ON);
    reports_wait(&attempt->reports);
    if (reports_state(&attempt->reports) > REPORTS_CANCELLED)
        return ENDING_ENDED; /* attempt_run finds out how */
    switch (status) {
    case DN_STOPPED: /* and the server keeps running: only a cancel or a delete interrupts a job */
        return finish(attempt, (struct job_end){.status = JOB_CANCELLED});
    case DN_NOT_FINITE: /* from an evaluation after an epoch */
    case DN_DIVERGED: return fail(attempt, JOB_ERROR_DIVERGED, error->text);
    case DN_NO_MEMORY: return fail(attempt, JOB_ERROR_NO_MEMORY, NULL);
    default: return fail(attempt, JOB_ERROR_TRAINING_ERROR, error->text);
    }
}

static enum dn_status advance(struct attempt *attempt, struct dn_error *error) {
    const struct dn_trainer *trainer = attempt->trainer;
    enum dn_status status = DN_OK;
    /* An attempt that was stopped after an epoch, before its row was added, adds it first. */
    if (dn_trainer_epochs_done(trainer) == attempt->epochs_reported)
        status = train_some(attempt, error);
    if (status == DN_OK && dn_trainer_epochs_done(trainer) > attempt->epochs_reported)
        status = report_epoch(attempt, error);
    if (status == DN_OK && attempt->epochs_reported < attempt->training.spec.training.epochs &&
        !report(attempt))
        status = DN_NO_MEMORY;
    if (status == DN_OK && reports_state(&attempt->reports) != REPORTS_GOOD)
        status = DN_STOPPED;
    return status;
}

/* All epochs are trained: finds the warnings about the result. */
static enum dn_status conclude(struct attempt *attempt, struct dn_error *error) {
    struct training_outcome *outcome = &attempt->outcome;
    const struct dn_epoch last = dn_trainer_last_epoch(attempt->trainer);
    note_loss(outcome, &last);
    enum dn_status status =
        dn_trainer_judge(attempt->trainer, &outcome->verdict, &attempt->interruption->stop, error);
    if (status != DN_OK)
        return status;
    attempt->reports.warnings = attempt->config->conclude(&attempt->training.spec, outcome);
    return DN_OK;
}

static enum ending train(struct attempt *attempt) {
    const int epochs = attempt->training.spec.training.epochs;
    struct dn_error error = {""};
    while (attempt->epochs_reported < epochs) {
        enum dn_status status = advance(attempt, &error);
        if (status != DN_OK)
            return stop_training(attempt, status, &error);
    }
    enum dn_status status = conclude(attempt, &error);
    if (status != DN_OK)
        return stop_training(attempt, status, &error);
    const struct job_end end = {.status = JOB_SUCCEEDED, .warnings = attempt->reports.warnings};
    if (!reports_has_epochs(&attempt->reports)) /* an earlier attempt had trained all */
        return finish(attempt, end);
    if (!add_checkpoint(attempt))
        return stop_training(attempt, DN_NO_MEMORY, &error);
    send(attempt, REPORT_SUCCEEDS);
    return ENDING_ENDED;
}

/* ------------------------------------------------------------------ the whole */

static enum ending prepare_and_train(struct attempt *attempt) {
    struct dn_error error = {""};
    if (attempt->claim->cancel_requested)
        return finish(attempt, (struct job_end){.status = JOB_CANCELLED});
    if (read_when_there(attempt, load) != STORE_OK) {
        const struct training_failure *failure = &attempt->failure;
        if (failure->is_stopped)
            return stop_early(attempt);
        return failure->error ? fail(attempt, failure->error, failure->why.text) : ENDING_BROKEN;
    }
    plan_threads(attempt);
    const enum dn_status status = make_trainer(attempt, &error);
    if (status == DN_STOPPED)
        return stop_early(attempt);
    if (status != DN_OK)
        return fail(attempt,
                    status == DN_NO_MEMORY ? JOB_ERROR_NO_MEMORY : JOB_ERROR_SPEC_UNREADABLE,
                    error.text);
    enum store_status resumed = resume(attempt);
    if (attempt->bound_to[0])
        return leave(attempt);
    if (resumed == STORE_OK)
        resumed = begin_outcome(attempt);
    if (resumed != STORE_OK)
        return ending_of(resumed);
    pace_begin(&attempt->pace, store_pace(attempt->config->store),
               attempt->config->checkpoint_seconds, clock_monotonic());
    return train(attempt);
}

enum ending attempt_run(const struct workers_config *config, struct claim *claim,
                        struct interruption *interruption) {
    struct attempt attempt = {.config = config,
                              .claim = claim,
                              .offer = offers_choose(config->offers, claim->arithmetic),
                              .interruption = interruption};
    reports_init(&attempt.reports, config->writer, store_boot(config->store),
                 store_pace(config->store).bytes_at_once, &interruption->server_is_done, claim);
    attempt.reports.arithmetic = attempt.offer->arithmetic;
    enum ending ending = prepare_and_train(&attempt);
    reports_wait(&attempt.reports);
    const enum reports_state state = reports_state(&attempt.reports);
    if (state == REPORTS_BROKEN)
        ending = ENDING_BROKEN;
    else if (state == REPORTS_LOST)
        ending = ENDING_LOST;
    else if (state == REPORTS_OVER_LIMIT)
        ending = fail(&attempt, JOB_ERROR_DATABASE_FULL, NULL);
    reports_clear(&attempt.reports);
    dn_trainer_free(attempt.trainer);
    dn_data_clear(&attempt.training.data);
    team_stop(attempt.team);
    return ending;
}
