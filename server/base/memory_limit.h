/*
 * memory_limit.h - how much memory this process may have, as the machine and its control groups
 * say.
 */
#ifndef SERVER_BASE_MEMORY_LIMIT_H
#define SERVER_BASE_MEMORY_LIMIT_H

#include <stdint.h>

/* Bytes: the smaller of `physical` and of every limit of the process's control group and of those
 * that it is in, of version 2 (memory.max, memory.high) and 1. What cannot be read sets no limit.
 * root: "" for this machine, or a directory in the place of /, with proc/self/cgroup and
 * sys/fs/cgroup in it. */
int64_t memory_limit(const char *root, int64_t physical);

/* The same for this process on this machine. */
int64_t memory_limit_here(void);

/* At the start: from now on, blocks of 4 MiB or more are allocated by the system and returned to it
 * when they are freed. Otherwise the allocator would keep ever larger blocks once one was freed,
 * and the memory of a finished training would still count as the process's. */
void memory_set_up(void);
/* After a training: gives back what is free between the smaller blocks, too. */
void memory_give_back(void);

#endif
