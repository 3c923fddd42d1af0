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

/* A report is sent when its models take this much memory, or when the store probably needs a moment
 * for its rows of the history: others wait for the writer meanwhile, and a stop of the server waits
 * for the report in flight and then for the last one. A busy PostgreSQL stores some thousand rows in
 * a second, SQLite a hundred thousand. */
enum { REPORT_FULL_BYTES = 8 << 20, REPORT_LEAST_ROWS = 512, REPORT_MOST_ROWS = 16384 };
#define REPORT_SECONDS 0.25 /* that moment */

/* From good to bad. Broken is the worst: if the transaction was rolled back, whatever else it found
 * does not count. */
enum reports_state {
    REPORTS_GOOD,
    REPORTS_CANCELLED,
    REPORTS_OVER_LIMIT, /* --max-database leaves no room for them */
    REPORTS_LOST,
    REPORTS_BROKEN
};

struct report {
    struct task task;
    struct reports *reports;
    int64_t number;   /* the first of the claim is 1 */
    bool is_in_doubt; /* it is sent once more, because a commit has failed */
    int64_t step;
    double seconds;
    struct epoch_row *epochs;
    size_t epoch_count, epoch_capacity;
    struct checkpoint checkpoint; /* bytes NULL: none */
    struct trained_model *models;
    size_t model_count, model_capacity, model_bytes;
    bool is_passing; /* the last of them is stored only if no newer one joins it */
    enum report_end end;
    int64_t ended;             /* ms: the same in each run, which finds what an earlier one did */
    enum reports_state found;  /* by its last run, which counts once it is committed */
    struct blob_write write;   /* writes the bytes of a large model or checkpoint, */
    int64_t *written;          /* whose blob id goes here */
    atomic_bool is_superseded; /* a newer checkpoint than its own follows */
    bool has_checkpoint;       /* when it was sent */
    double sent, posted;       /* monotonic: the whole, and what names its bytes */
    bool in_flight;            /* under the mutex */
};

/* Seconds that the store has needed. */
struct report_times {
    double report;     /* for the last report, without the bytes that were stored before it, */
    double checkpoint; /* and for the last one with a checkpoint, in all */
};

struct reports {
    struct writer *writer;
    const char *boot;         /* store_boot */
    size_t bytes_at_once;     /* see struct store_pace */
    const atomic_bool *hurry; /* true when the server stops, see blob_write */
    struct claim *claim;
    const char *arithmetic; /* of the trainer; set by the caller, and outlives the reports */
    char *warnings; /* about the result, when the job succeeds: JSON from malloc; NULL: none */
    struct report two[2];
    int filling;     /* index of the report that is being filled */
    int model_epoch; /* of the last model that was added to any; 0: none */
    pthread_mutex_t mutex;
    pthread_cond_t back;      /* signaled when a report is no longer in flight */
    enum reports_state state; /* the worst so far; under the mutex, as are the next two */
    struct report_times times;
    size_t full_rows; /* a report with as many rows is sent */
};

/* bytes_at_once: see struct store_pace. */
void reports_init(struct reports *reports, struct writer *writer, const char *boot,
                  size_t bytes_at_once, const atomic_bool *hurry, struct claim *claim);
void reports_clear(struct reports *reports); /* waits until no report is in flight */

/* Adds to the report that is being filled; false when out of memory. A checkpoint is the trainer as
 * it is now, with the history up to `epoch`; adding it waits until no report is in flight. A model
 * is the current one of the trainer. It takes the place of the one before it in the report, unless
 * that will be kept as a snapshot: a training may have thousands in a second. */
bool reports_add_epoch(struct reports *reports, const struct epoch_row *row);
bool reports_add_checkpoint(struct reports *reports, const struct dn_trainer *trainer, int epoch,
                            double seconds);
bool reports_add_model(struct reports *reports, const struct dn_trainer *trainer);
bool reports_has_epochs(const struct reports *reports);
bool reports_has_checkpoint(const struct reports *reports);

/* Could the report that is being filled be sent without waiting? */
bool reports_can_send(struct reports *reports);
/* Should it be sent even if that means waiting, because the store cannot keep up? */
bool reports_is_full(struct reports *reports);
/* How many rows make a report full, after one with so many has taken the store so long and `full`
 * did before: as many as it stores in REPORT_SECONDS, but at most twice as many as before. */
size_t reports_full_rows(size_t full, size_t rows, double seconds);
/* Sends it, once the other report is back. */
void reports_send(struct reports *reports, int64_t step, double seconds, enum report_end end);
void reports_wait(struct reports *reports); /* until no report is in flight */
/* A newer checkpoint follows: drops the one in flight. */
void reports_supersede(struct reports *reports);

/* Of the reports that are back. */
struct report_times reports_times(struct reports *reports);
/* The worst state so far. */
enum reports_state reports_state(struct reports *reports);

#endif
