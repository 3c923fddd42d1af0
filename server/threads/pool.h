/*
 * pool.h - the threads that compute answers, so that HTTP threads never do.
 *
 * The pool runs a fixed number of computations at a time; each has a turn of about 20 ms while
 * others wait (turns.h decides whose turn is next). A computation calls pool_pause() every few
 * milliseconds, wherever it can wait: between two sampling steps, two rows of a metric, two frames
 * of a picture. When its turn is over, it waits there, on its own stack, until the next one. So
 * work can be sliced without being rewritten, and a waiting thread costs only a stack.
 *
 * Work that cannot pause (reading a large model from the database, parsing a file) steps out: it
 * gives its turn to other work and runs beside it, one such piece at a time. Work that waits for
 * another thread steps out as well, so that no idle work holds a turn.
 *
 * The pool never ends a computation: the computation checks its stop flag where it pauses.
 */
#ifndef SERVER_THREADS_POOL_H
#define SERVER_THREADS_POOL_H

#include "server/threads/task.h"

struct pool;

/* Runs this number of tasks at a time; in each class, at most max_waiting tasks wait to begin. */
struct pool *pool_start(int threads, int max_waiting);
int pool_threads(const struct pool *pool);
/* Refuses what has not begun, waits for what has, joins. */
void pool_stop(struct pool *pool);
/* task->turn names the client and the class. If the pool is full or stopping, calls
 * done(TASK_REFUSED) at once, on this thread. */
void pool_post(void *self, struct task *task);
/* The same for a part of work that has begun: refused only when the pool stops. */
void pool_post_piece(void *self, struct task *task);

/* The following concern the work of the calling thread, and do nothing on threads outside the
 * pool. */

/* Waits for the next turn if this one is over. Cheap if it is not. */
void pool_pause(void);
/* The turn of the calling thread's task: threads that help with it use the same client and class.
 * NULL on threads outside the pool. */
const struct turn *pool_turn(void);
/* Before and after waiting for another thread. */
void pool_step_out(void);
void pool_step_in(void);
/* Before and after long work that cannot pause: it runs outside the turns, one piece at a time. */
void pool_begin_alone(void);
void pool_end_alone(void);

/* For metrics. */
struct pool_counts {
    int waiting[TURN_CLASSES];    /* tasks that wait for a turn, begun or not */
    int at_work, threads, begun;  /* tasks that have a turn, how many can, and that have begun */
    uint64_t turns[TURN_CLASSES]; /* turns given so far */
};
struct pool_counts pool_count(struct pool *pool);

#endif
