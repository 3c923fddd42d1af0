/*
 * worker.h - the training workers: claim a job, run the engine, report each epoch to the writer.
 *
 * N threads share one FIFO queue, which is the jobs table. A worker holds a job by a fence number;
 * when a report comes back as "lost", somebody else owns the job (it was deleted, or taken over)
 * and the worker drops everything. Reports are double-buffered: training goes on while the last
 * checkpoint is being committed.
 */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

#include "engine/denoise.h"
#include "server/writer.h"

struct workers;

/* What a job trains on. */
struct training {
    struct dn_spec spec;
    struct dn_data data; /* its own; empty when the spec has all that is needed to draw it */
};

/* Why there is none: what the job fails with; code NULL: the store cannot be read now. */
struct training_failure {
    const char *code;
    struct dn_error why;
};

/* Reads the stored spec of a job, whose format this layer does not know, and the points that it
 * names. *training is zero before. */
typedef bool (*worker_load)(const char *spec, struct store_session *session,
                            struct training *training, struct training_failure *failure);

struct workers *workers_start(struct store *store, struct writer *writer, int count,
                              const char *boot_id, worker_load load);
/* There may be something in the queue, or a running job was cancelled or deleted: look. Any thread.
 */
void workers_wake(struct workers *workers);
/* Asks the worker that runs this job, if any, to stop it within a training step. Any thread. */
void workers_interrupt(struct workers *workers, const char *job_id);
/* Stops at the next training step; running jobs go back to the queue and resume from their last
 * checkpoint. */
void workers_stop(struct workers *workers);

#endif
