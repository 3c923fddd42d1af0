/*
 * attempt.h - one attempt at a job, from the claim to its end, on a worker's thread.
 *
 * After every `checkpoint_every` epochs of the spec the model is stored, and a checkpoint saved.
 * There is also one when the last is `checkpoint_seconds` old, in the middle of an epoch, too; at
 * first sooner, so that a job gets on that is interrupted again and again. Checkpoints are put off
 * while the last one is still on its way to the disk, and so that making them takes no more than
 * 2.5 % of the time; models are not. A kill costs max(2 s, one step, 50 x what a checkpoint costs).
 */
#ifndef SERVER_JOBS_ATTEMPT_H
#define SERVER_JOBS_ATTEMPT_H

#include <stdatomic.h>

#include "server/jobs/worker.h"

/* How it ended. */
enum ending {
    ENDING_ENDED,   /* succeeded, failed or cancelled, and the store knows */
    ENDING_LOST,    /* somebody else owns the job, or it was deleted */
    ENDING_STOPPED, /* the server stops, and the job is back in the queue, up to the last step */
    ENDING_BROKEN,  /* the store cannot write now: to be given back, and tried again later */
};

/* Requests of other threads to a worker. */
struct interruption {
    volatile bool stop;         /* read by the engine within every step */
    atomic_bool server_is_done; /* why: else the job was cancelled or deleted */
};

enum ending attempt_run(const struct workers_config *config, struct claim *claim,
                        struct interruption *interruption);

#endif
