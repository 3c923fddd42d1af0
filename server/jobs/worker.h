/*
 * worker.h - the training workers: N threads that share one FIFO queue, which is the jobs table.
 *
 * A worker claims the first job whose memory fits into what the running jobs leave (store_claim),
 * trains it to its end (attempt.h) or gives it back, and looks for the next. It owns a job by a
 * fence number; when a report comes back as "lost", the job is no longer its own (it was deleted,
 * or taken over) and the worker drops everything.
 */
#ifndef SERVER_JOBS_WORKER_H
#define SERVER_JOBS_WORKER_H

#include "engine/denoise.h"
#include "server/threads/writer.h"

struct workers;

/* What a job trains on. */
struct training {
    struct dn_spec spec;
    struct dn_data data; /* its own copy; empty when the spec is enough to draw the data */
};

/* Why there is none: what the job fails with; JOB_ERROR_NONE: the store cannot be read now. */
struct training_failure {
    enum job_error error;
    struct dn_error why;
};

/* Reads the stored spec of a job, whose format this layer does not know, and the points that it
 * names. *training is zero before. */
typedef bool (*worker_load)(const char *spec, struct store_session *session,
                            struct training *training, struct training_failure *failure);

/* How a training went. */
struct training_outcome {
    double
        last; /* loss of the last epoch: the validation loss or, without one, the training loss */
    struct lowest_loss lowest;
    struct dn_verdict verdict; /* NAN until the end */
};

/* Writes warnings about the result of a training, as the store keeps them: a text from malloc, or
 * NULL for none (or no memory). */
typedef char *(*worker_conclude)(const struct dn_spec *spec,
                                 const struct training_outcome *outcome);

struct workers_config {
    struct store *store;
    struct writer *writer;
    worker_load load;
    worker_conclude conclude;
    int count;
    double checkpoint_seconds; /* between two checkpoints, see attempt.h */
    int64_t max_memory;        /* bytes that all trainings together may take */
};

struct workers *workers_start(const struct workers_config *config);
/* The queue may have a job, or a running job was cancelled or deleted: look. Any thread. */
void workers_wake(struct workers *workers);
/* Bytes that the running jobs have reserved. Any thread. */
int64_t workers_memory(struct workers *workers);
/* Asks the worker that runs this job, if any, to stop it within a training step. Any thread. */
void workers_interrupt(struct workers *workers, const char *job_id);
/* Tells all to stop, and does not wait for it. */
void workers_halt(struct workers *workers);
/* Stops within a training step; running jobs go back to the queue with all the steps before it. */
void workers_stop(struct workers *workers);

#endif
