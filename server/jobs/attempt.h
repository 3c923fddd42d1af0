/*
 * attempt.h - one attempt at a job, from the claim to its end, on a worker's thread.
 *
 * After every `checkpoint_every` epochs of the spec, the model is stored and a checkpoint is saved.
 * A checkpoint is also saved when the last one is `checkpoint_seconds` old, even within an epoch;
 * at first sooner, so that a job makes progress even if it is interrupted again and again.
 * Checkpoints, unlike models, are put off while the last one is still on its way to the disk, and
 * so that saving them takes at most 2% of the time (pace.h). A kill costs max(2 s, one step, 50 x
 * the cost of a checkpoint).
 *
 * A job that leaves the number of its threads open has as many as there are cores for it, and more
 * or fewer when another job ends or begins: its results do not depend on them.
 */
#ifndef SERVER_JOBS_ATTEMPT_H
#define SERVER_JOBS_ATTEMPT_H

#include <stdatomic.h>

#include "server/jobs/worker.h"

/* How an attempt ended. */
enum ending {
    ENDING_ENDED,   /* the job has succeeded, failed or was cancelled, and that is stored */
    ENDING_LOST,    /* another worker owns the job, or it was deleted */
    ENDING_STOPPED, /* the server stops; the job is back in the queue, with its last step saved */
    ENDING_BROKEN,  /* the store cannot write now: the caller gives the job back to the queue */
    ENDING_BOUND, /* its checkpoint needs other arithmetic; the job is back in the queue, for it */
};

/* Requests of other threads to a worker. */
struct interruption {
    volatile bool stop;         /* read by the engine within every step */
    atomic_bool server_is_done; /* the reason; otherwise, the job was cancelled or deleted */
    atomic_int cores; /* the job's share of the machine's, if its spec leaves the threads open */
};

enum ending attempt_run(const struct workers_config *config, struct claim *claim,
                        struct interruption *interruption);

#endif
