/*
 * memory_limit.h - how much memory this process may have, as the machine and its control groups
 * say.
 */
#ifndef SERVER_MEMORY_LIMIT_H
#define SERVER_MEMORY_LIMIT_H

#include <stdint.h>

/* Bytes: the smaller of `physical` and of every limit of the process's control group and of those
 * that it is in, of version 2 (memory.max, memory.high) and 1. What cannot be read sets no limit.
 * root: "" for this machine, or a directory in the place of /, with proc/self/cgroup and
 * sys/fs/cgroup in it. */
int64_t memory_limit(const char *root, int64_t physical);

/* The same for this process on this machine. */
int64_t memory_limit_here(void);

#endif
