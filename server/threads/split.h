/*
 * split.h - splits one long computation over the free threads of the pool.
 */
#ifndef SERVER_THREADS_SPLIT_H
#define SERVER_THREADS_SPLIT_H

#include "server/threads/pool.h"

/* Calls work(argument, part) once for each part 0..parts-1, on this thread and on threads of the
 * pool that have nothing else to do, and returns when all parts are done. It never waits for a
 * thread that is busy with something else, so a pool task may call it. While it waits for the last
 * parts, it has no turn (pool.h). */
void split_run(struct pool *pool, int parts, void (*work)(void *argument, int part),
               void *argument);

#endif
