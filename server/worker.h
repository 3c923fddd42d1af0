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

/* Reads the stored spec of a job, whose format this layer does not know; false and a message if it
 * cannot. */
typedef bool (*worker_decode)(const char *spec, struct dn_spec *out, struct dn_error *error);

struct workers *workers_start(struct writer *writer, int count, const char *boot_id,
                              worker_decode decode);
/* There may be something in the queue, or a running job was cancelled or deleted: look. Any thread.
 */
void workers_wake(struct workers *workers);
/* Asks the worker that runs this job, if any, to stop it within a training step. Any thread. */
void workers_interrupt(struct workers *workers, const char *job_id);
/* Stops at the next training step; running jobs go back to the queue and resume from their last
 * checkpoint. */
void workers_stop(struct workers *workers);

#endif
