/*
 * worker.h - the training workers: N threads that share one FIFO queue, which is the jobs table.
 *
 * A worker claims the first job that fits into the memory that the running jobs leave
 * (store_claim), trains it to its end (attempt.h) or gives it back, and claims the next. It owns a
 * job by a fence number: when a report is "lost", the job was deleted or belongs to another worker,
 * and the worker drops everything.
 */
#ifndef SERVER_JOBS_WORKER_H
#define SERVER_JOBS_WORKER_H

#include "engine/denoise.h"
#include "server/jobs/offers.h"
#include "server/threads/writer.h"

struct workers;

/* What a job trains on. */
struct training {
    struct dn_spec spec;
    struct dn_data data; /* a copy of uploaded data; empty when the spec is enough to draw it */
};

/* Why it cannot be loaded: the error of the job; JOB_ERROR_NONE: the store cannot be read now, for
 * this reason, or the breaks said stop. */
struct training_failure {
    enum job_error error;
    enum store_status store;
    struct dn_error why;
    bool is_stopped;
};

/* Reads the stored spec of a job, whose format this layer does not know, and the uploaded points
 * that it names, with a session that it has only while it reads. *training is zero before. breaks
 * are those of dn_data_draw. */
typedef bool (*worker_load)(const char *spec, struct store *store, struct training *training,
                            const struct dn_breaks *breaks, struct training_failure *failure);

/* How the training of a job went. */
struct training_outcome {
    double
        last; /* loss of the last epoch: the validation loss or, without one, the training loss */
    struct lowest_loss lowest;
    struct dn_verdict verdict; /* NAN until the end */
};

/* Writes warnings about the result of a job, as the store keeps them: a text from malloc, or
 * NULL for none (or no memory). */
typedef char *(*worker_conclude)(const struct dn_spec *spec,
                                 const struct training_outcome *outcome);

struct workers_config {
    struct store *store;
    struct writer *writer;
    worker_load load;
    worker_conclude conclude;
    const struct offers *offers; /* must outlive the workers */
    int count;
    double checkpoint_seconds; /* between two checkpoints, see attempt.h */
    int64_t max_memory;        /* maximum bytes of all running jobs together */
};

struct workers *workers_start(const struct workers_config *config);
/* Lets idle workers check the queue again. Any thread. */
void workers_wake(struct workers *workers);
/* The same for one of them, which calls the next one if it finds a job: for news from other nodes,
 * which call theirs as well. Any thread. */
void workers_call(struct workers *workers);
/* Has any of them no job? Whoever has none by then looks at the queue after that. Any thread. */
bool workers_are_idle(struct workers *workers);
/* Bytes that the running jobs have reserved. Any thread. */
int64_t workers_memory(struct workers *workers);
/* Bytes of the largest job that could begin now. Any thread. */
int64_t workers_room(struct workers *workers);
/* Asks the worker that runs this job by this claim or an earlier one, if there is one here, to stop it
 * within a training step. Any thread. */
void workers_interrupt(struct workers *workers, const char *job_id, int64_t fence);
/* Asks all workers to stop, without waiting for them. */
void workers_halt(struct workers *workers);
/* Stops within a training step; running jobs go back to the queue, and keep the steps before it. */
void workers_stop(struct workers *workers);

#endif
