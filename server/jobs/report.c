#include "server/jobs/report.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>

#include "server/base/clock.h"
#include "server/jobs/checkpoint.h"

void reports_init(struct reports *reports, struct writer *writer, const char *boot,
                  size_t bytes_at_once, const atomic_bool *hurry, struct claim *claim) {
    *reports = (struct reports){.writer = writer,
                                .boot = boot,
                                .bytes_at_once = bytes_at_once,
                                .hurry = hurry,
                                .claim = claim,
                                .full_rows = REPORT_LEAST_ROWS};
    for (int i = 0; i < 2; i++)
        reports->two[i].reports = reports;
    pthread_mutex_init(&reports->mutex, NULL);
    pthread_cond_init(&reports->back, NULL);
}

static void drop_checkpoint(struct report *report) {
    free(report->checkpoint.bytes);
    report->checkpoint = (struct checkpoint){0};
}

static void drop_model(struct report *report) {
    struct trained_model *last = &report->models[--report->model_count];
    report->model_bytes -= last->size;
    free(last->bytes);
    free(last->transform);
}

static void report_empty(struct report *report) {
    drop_checkpoint(report);
    while (report->model_count > 0)
        drop_model(report);
    report->epoch_count = 0;
    report->is_superseded = false;
}

void reports_clear(struct reports *reports) {
    reports_wait(reports);
    for (int i = 0; i < 2; i++) {
        report_empty(&reports->two[i]);
        free(reports->two[i].epochs);
        free(reports->two[i].models);
    }
    free(reports->warnings);
    pthread_cond_destroy(&reports->back);
    pthread_mutex_destroy(&reports->mutex);
}

/* ------------------------------------------------------------------ filling */

static struct report *filling(struct reports *reports) {
    return &reports->two[reports->filling];
}

bool reports_has_epochs(const struct reports *reports) {
    return reports->two[reports->filling].epoch_count > 0;
}

bool reports_has_checkpoint(const struct reports *reports) {
    return reports->two[reports->filling].checkpoint.bytes != NULL;
}

size_t reports_full_rows(size_t full, size_t rows, double seconds) {
    const double fits = REPORT_SECONDS * (double)rows / fmax(seconds, 1e-9);
    if (seconds > REPORT_SECONDS)
        full = fits < (double)full ? (size_t)fits : full;
    else if (rows >= full)
        full = fits < 2 * (double)full ? (size_t)fits : 2 * full;
    return full < REPORT_LEAST_ROWS  ? REPORT_LEAST_ROWS
           : full > REPORT_MOST_ROWS ? REPORT_MOST_ROWS
                                     : full;
}

bool reports_is_full(struct reports *reports) {
    const struct report *report = filling(reports);
    pthread_mutex_lock(&reports->mutex);
    const size_t full_rows = reports->full_rows;
    pthread_mutex_unlock(&reports->mutex);
    return report->model_bytes >= REPORT_FULL_BYTES || report->epoch_count >= full_rows;
}

/* Returns the array of `count` items with room for one more, perhaps moved. NULL when out of
 * memory: the array is unchanged. */
static void *with_room(void *array, size_t size, size_t count, size_t *capacity) {
    if (count < *capacity)
        return array;
    const size_t more = *capacity ? 2 * *capacity : 16;
    void *moved = realloc(array, more * size);
    if (moved)
        *capacity = more;
    return moved;
}

bool reports_add_epoch(struct reports *reports, const struct epoch_row *row) {
    struct report *report = filling(reports);
    struct epoch_row *epochs =
        with_room(report->epochs, sizeof *epochs, report->epoch_count, &report->epoch_capacity);
    if (!epochs)
        return false;
    report->epochs = epochs;
    report->epochs[report->epoch_count++] = *row;
    return true;
}

bool reports_add_checkpoint(struct reports *reports, const struct dn_trainer *trainer, int epoch,
                            double seconds) {
    struct checkpoint *last = &filling(reports)->checkpoint, checkpoint;
    /* A checkpoint may be larger than everything else: one at a time is in memory (estimate.c). */
    reports_wait(reports);
    report_empty(&reports->two[!reports->filling]);
    if (!checkpoint_save(trainer, epoch, seconds, &checkpoint))
        return false;
    checkpoint.arithmetic = reports->arithmetic;
    free(last->bytes);
    *last = checkpoint;
    return true;
}

/* Saves and describes the current model of the trainer. False when out of memory. */
static bool describe(const struct dn_trainer *trainer, struct trained_model *trained) {
    const struct dn_spec *spec = dn_trainer_spec(trainer);
    const int dim = spec->dataset.dim;
    *trained = (struct trained_model){.size = dn_trainer_model_bytes(trainer),
                                      .epoch = dn_trainer_model_epoch(trainer),
                                      .dim = dim,
                                      .parameters = dn_spec_parameters(spec),
                                      .variant = dn_trainer_kernels(trainer)};
    trained->bytes = malloc(trained->size);
    trained->transform = calloc(2 * (size_t)dim, sizeof *trained->transform);
    if (!trained->bytes || !trained->transform ||
        dn_trainer_model_save(trainer, trained->bytes, NULL) != DN_OK) {
        free(trained->bytes);
        free(trained->transform);
        return false;
    }
    dn_trainer_transform(trainer, trained->transform, trained->transform + dim);
    return true;
}

bool reports_add_model(struct reports *reports, const struct dn_trainer *trainer) {
    struct report *report = filling(reports);
    const struct dn_training_spec *training = &dn_trainer_spec(trainer)->training;
    if (report->model_count > 0 && report->is_passing)
        drop_model(report);
    struct trained_model *models =
        with_room(report->models, sizeof *models, report->model_count, &report->model_capacity);
    if (!models)
        return false;
    report->models = models;
    struct trained_model *added = &models[report->model_count];
    if (!describe(trainer, added))
        return false;
    report->model_count++;
    report->model_bytes += added->size;
    report->is_passing =
        !store_is_snapshot(added->size, training->epochs, reports->model_epoch, added->epoch);
    reports->model_epoch = added->epoch;
    return true;
}

/* ------------------------------------------------------------------ sending */

static enum reports_state state_of(enum store_status status) {
    switch (status) {
    case STORE_OK: return REPORTS_GOOD;
    case STORE_LOST: return REPORTS_LOST;
    case STORE_OVER_LIMIT: return REPORTS_OVER_LIMIT;
    default: return REPORTS_BROKEN;
    }
}

/* Returns the worst state so far. */
static enum reports_state worsen(struct reports *reports, enum reports_state state) {
    pthread_mutex_lock(&reports->mutex);
    if (state > reports->state)
        reports->state = state;
    state = reports->state;
    pthread_mutex_unlock(&reports->mutex);
    return state;
}

/* On the writer. */
static enum store_status store_end(struct store_session *session, const struct report *report) {
    const struct claim *claim = report->reports->claim;
    switch (report->end) {
    case REPORT_GOES_ON: break;
    case REPORT_SUCCEEDS:
        return store_finish(
            session, claim->id, claim->fence,
            &(struct job_end){.status = JOB_SUCCEEDED, .warnings = report->reports->warnings},
            report->ended);
    case REPORT_GIVES_BACK: return store_unclaim(session, claim->id, claim->fence);
    }
    return STORE_OK;
}

static bool run_report(struct task *task, struct store_session *session) {
    struct report *report = (struct report *)task;
    struct reports *reports = report->reports;
    struct progress progress = {
        .id = reports->claim->id,
        .fence = reports->claim->fence,
        .report = report->number,
        .step = report->step,
        .seconds = report->seconds,
        .epochs = report->epochs,
        .epoch_count = report->epoch_count,
        .checkpoint = report->checkpoint.bytes ? &report->checkpoint : NULL,
        .models = report->models,
        .model_count = report->model_count,
    };
    struct receipt receipt;
    enum store_status status = store_progress(session, &progress, clock_now_ms(), &receipt);
    if (status == STORE_OK && !receipt.is_repeated)
        status = store_end(session, report);
    else if (status == STORE_OK && report->end == REPORT_SUCCEEDS)
        (void)store_end(session, report); /* finds this end, which nobody has counted yet, or not */
    report->found = state_of(status);
    if (receipt.cancel_requested && report->found < REPORTS_CANCELLED)
        report->found = REPORTS_CANCELLED;
    return status == STORE_OK;
}

/* Abandons the blobs of a report that was not stored. */
static void abandon_blobs(struct report *report) {
    struct writer *writer = report->reports->writer;
    if (report->checkpoint.blob)
        blob_abandon(writer, report->checkpoint.blob);
    for (size_t i = 0; i < report->model_count; i++)
        if (report->models[i].blob)
            blob_abandon(writer, report->models[i].blob);
}

/* The report is back. */
static void report_over(struct report *report, enum reports_state state) {
    struct reports *reports = report->reports;
    if (worsen(reports, state) > REPORTS_CANCELLED)
        abandon_blobs(report);
    /* The time in which the database was away says nothing about how long it needs. */
    const double now = clock_monotonic(), hindered = report->task.hindered;
    pthread_mutex_lock(&reports->mutex);
    reports->times.report = now - fmax(report->posted, hindered);
    reports->full_rows =
        reports_full_rows(reports->full_rows, report->epoch_count, reports->times.report);
    if (report->has_checkpoint)
        reports->times.checkpoint = now - fmax(report->sent, hindered);
    report->in_flight = false;
    pthread_cond_broadcast(&reports->back);
    pthread_mutex_unlock(&reports->mutex);
}

/* A commit that failed may have stored the report or not. Sending it once more settles that. */
static void report_done(struct task *task, enum task_outcome outcome) {
    struct report *report = (struct report *)task;
    if (outcome == TASK_UNKNOWN && !report->is_in_doubt) {
        report->is_in_doubt = true;
        writer_post_next(report->reports->writer, task);
        return;
    }
    report_over(report, outcome == TASK_DONE ? report->found : REPORTS_BROKEN);
}

static void send_next(struct report *report);

static void bytes_done(struct blob_write *write) {
    struct report *report = (struct report *)((char *)write - offsetof(struct report, write));
    const bool is_checkpoint = report->written == &report->checkpoint.blob;
    if (write->status == STORE_OK)
        *report->written = write->so_far.id;
    if (write->status == STORE_LOST && is_checkpoint) /* it was superseded */
        drop_checkpoint(report);
    else if (write->status != STORE_OK) {
        report_over(report,
                    write->status == STORE_OVER_LIMIT ? REPORTS_OVER_LIMIT : REPORTS_BROKEN);
        return;
    }
    send_next(report);
}

static void send_bytes(struct report *report, const void *bytes, size_t size, int64_t *written) {
    struct reports *reports = report->reports;
    pthread_mutex_lock(&reports->mutex);
    report->written = written;
    report->write = (struct blob_write){.writer = reports->writer,
                                        .boot = reports->boot,
                                        .bytes = bytes,
                                        .size = size,
                                        .hurry = reports->hurry,
                                        .waits_for_database = true,
                                        .done = bytes_done};
    pthread_mutex_unlock(&reports->mutex);
    blob_write_start(&report->write);
}

/* Sends what comes next: bytes too large for the report's own transaction, then the report. */
static void send_next(struct report *report) {
    for (size_t i = 0; i < report->model_count; i++) {
        struct trained_model *model = &report->models[i];
        if (model->blob == 0 && model->size > report->reports->bytes_at_once) {
            send_bytes(report, model->bytes, model->size, &model->blob);
            return;
        }
    }
    struct checkpoint *checkpoint = &report->checkpoint;
    if (checkpoint->bytes && checkpoint->blob == 0 && atomic_load(&report->is_superseded))
        drop_checkpoint(report);
    if (checkpoint->bytes && checkpoint->blob == 0 &&
        checkpoint->size > report->reports->bytes_at_once) {
        send_bytes(report, checkpoint->bytes, checkpoint->size, &checkpoint->blob);
        return;
    }
    report->posted = clock_monotonic();
    writer_post_next(report->reports->writer, &report->task);
}

void reports_supersede(struct reports *reports) {
    pthread_mutex_lock(&reports->mutex);
    struct report *sent = &reports->two[!reports->filling];
    if (sent->in_flight) {
        sent->is_superseded = true;
        if (sent->written == &sent->checkpoint.blob)
            atomic_store(&sent->write.give_up, true);
    }
    pthread_mutex_unlock(&reports->mutex);
}

struct report_times reports_times(struct reports *reports) {
    pthread_mutex_lock(&reports->mutex);
    const struct report_times times = reports->times;
    pthread_mutex_unlock(&reports->mutex);
    return times;
}

enum reports_state reports_state(struct reports *reports) {
    return worsen(reports, REPORTS_GOOD);
}

bool reports_can_send(struct reports *reports) {
    pthread_mutex_lock(&reports->mutex);
    bool can = !reports->two[!reports->filling].in_flight;
    pthread_mutex_unlock(&reports->mutex);
    return can;
}

void reports_wait(struct reports *reports) {
    pthread_mutex_lock(&reports->mutex);
    while (reports->two[0].in_flight || reports->two[1].in_flight)
        pthread_cond_wait(&reports->back, &reports->mutex);
    pthread_mutex_unlock(&reports->mutex);
}

void reports_send(struct reports *reports, int64_t step, double seconds, enum report_end end) {
    reports_wait(reports);
    if (reports_state(reports) > REPORTS_CANCELLED)
        return;
    struct report *report = filling(reports);
    report->task =
        (struct task){.run = run_report, .done = report_done, .waits_for_database = true};
    report->number = ++reports->claim->reports;
    report->is_in_doubt = false;
    report->step = step;
    report->seconds = seconds;
    report->end = end;
    report->ended = clock_now_ms();
    report->has_checkpoint = report->checkpoint.bytes != NULL;
    report->sent = report->posted = clock_monotonic();
    report->in_flight = true; /* no other thread reads it yet */
    reports->filling = !reports->filling;
    report_empty(filling(reports));
    report->written = NULL;
    send_next(report);
}
