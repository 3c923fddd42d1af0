/*
 * machine.h - the processors and the memory that this process may use.
 *
 * The limits are those of the process's control group and of every group around it, of version 1
 * and 2. What cannot be read sets no limit. root: "" for this machine, or a directory that replaces
 * /, with proc/self/cgroup and sys/fs/cgroup in it.
 */
#ifndef SERVER_BASE_MACHINE_H
#define SERVER_BASE_MACHINE_H

#include <stdint.h>

/* The smaller of `allowed` and of the limits on processor time (cpu.max, cpu.cfs_quota_us), rounded
 * up; at least 1. */
int machine_cores_within(const char *root, int allowed);
/* The same on this machine, with the process's affinity. The first call decides; any thread. */
int machine_cores(void);

/* Bytes: the smaller of `physical` and of the limits (memory.max, memory.high,
 * memory.limit_in_bytes). */
int64_t machine_memory_within(const char *root, int64_t physical);
int64_t machine_memory(void);

/* At the start: from now on, blocks of 4 MiB or more are allocated by the system and returned to it
 * when they are freed. Otherwise the allocator would keep ever larger blocks once one was freed,
 * and the memory of a finished job would still count as the process's. */
void machine_set_up_memory(void);
/* After a job: also gives back what is free between the smaller blocks. */
void machine_give_back_memory(void);

#endif
