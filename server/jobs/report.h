/*
 * report.h - sends the results of an attempt to the store, without waiting for it.
 *
 * There are two reports: one fills up while the other is being committed, so training continues
 * while the disk writes. The bytes of large models and checkpoints are written first, piece by
 * piece (blob.h); then everything in the report is stored in one transaction, under the fence of
 * the claim. After a report that was lost or could not be stored, no other is sent: a report is
 * useless without the one before it.
 */
#ifndef SERVER_JOBS_REPORT_H
#define SERVER_JOBS_REPORT_H

#include <pthread.h>

#include "engine/denoise.h"
#include "server/threads/blob.h"
#include "server/threads/writer.h"

/* What becomes of the job with a report, in its transaction. */
enum report_end { REPORT_GOES_ON, REPORT_SUCCEEDS, REPORT_GIVES_BACK };

/* Maximum number of models, or of rows of the history, in one report: it is sent when it has that
 * many. */
enum { REPORT_FULL_BYTES = 8 << 20 };

struct report {
    struct task task;
    struct reports *reports;
    int64_t step;
    double seconds;
    struct epoch_row *epochs;
    size_t epoch_count, epoch_capacity;
    struct checkpoint checkpoint; /* bytes NULL: none */
    struct trained_model *models;
    size_t model_count, model_capacity, model_bytes;
    enum report_end end;
    struct blob_write write; /* the bytes that go ahead now, */
    int64_t *written;        /* and where the id of their blob goes */
    /* Under the mutex. */
    bool in_flight;
    bool is_superseded; /* its checkpoint: a newer one comes */
};

struct reports {
    struct writer *writer;
    const char *boot;         /* store_boot */
    const atomic_bool *hurry; /* the server stops: pieces may keep the writer to themselves */
    const struct claim *claim;
    char *warnings; /* about the result, when the job succeeds: JSON from malloc; NULL: none */
    struct report two[2];
    int filling; /* index of the one that takes what is new */
    pthread_mutex_t mutex;
    pthread_cond_t back; /* one of them is */
    /* What the writer said; under the mutex. */
    bool lost, broken, over_limit, cancel_requested;
};

void reports_init(struct reports *reports, struct writer *writer, const char *boot,
                  const atomic_bool *hurry, const struct claim *claim);
void reports_clear(struct reports *reports); /* waits for what is on its way */

/* Into the report that is being filled; false when out of memory. A checkpoint is the trainer as it
 * is now, with the history up to `epoch`, and waits for what is on its way; the model is the one
 * that it gives now. */
bool reports_add_epoch(struct reports *reports, const struct epoch_row *row);
bool reports_add_checkpoint(struct reports *reports, const struct dn_trainer *trainer, int epoch,
                            double seconds);
bool reports_add_model(struct reports *reports, const struct dn_trainer *trainer);
bool reports_has_epochs(const struct reports *reports);

/* Would the report that is being filled leave at once? */
bool reports_can_send(struct reports *reports);
/* It should leave now, even if that takes waiting: the disk cannot keep up with the models. */
bool reports_is_full(const struct reports *reports);
/* Sends it, after the other one has come back. */
void reports_send(struct reports *reports, int64_t step, double seconds, enum report_end end);
void reports_wait(struct reports *reports); /* until nothing is on its way */
/* There is a newer checkpoint in the report that is being filled: the one on its way is dropped. */
void reports_supersede(struct reports *reports);

enum reports_state {
    REPORTS_GOOD,
    REPORTS_CANCELLED,
    REPORTS_OVER_LIMIT, /* the database has no room for them, and will not have */
    REPORTS_LOST,
    REPORTS_BROKEN
};
/* The worst that was heard so far. */
enum reports_state reports_state(struct reports *reports);

#endif
