/*
 * split.h - one long computation in a pool task, split over whatever pool threads are free.
 */
#ifndef SERVER_THREADS_SPLIT_H
#define SERVER_THREADS_SPLIT_H

#include "server/threads/pool.h"

/* Calls work(argument, part) once for each part 0..parts-1, on this thread and on threads of the
 * pool that have nothing else to do, and returns when all parts are done. Never waits for a thread
 * that is busy with something else, so it may be called from a pool task; and while it waits for
 * the last parts, it has no turn (pool.h). */
void split_run(struct pool *pool, int parts, void (*work)(void *argument, int part),
               void *argument);

#endif
