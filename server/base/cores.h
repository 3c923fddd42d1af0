/*
 * cores.h - how many processors this process may use.
 */
#ifndef SERVER_BASE_CORES_H
#define SERVER_BASE_CORES_H

/* The smaller of `allowed` and of every limit on processor time of the process's control group and
 * of those that it is in (cpu.max of version 2, cpu.cfs_quota_us of version 1), rounded up; at
 * least 1. root: as in cgroup.h. */
int cores_within(const char *root, int allowed);

/* The same for this process on this machine, of whose processors its affinity may allow it some.
 * The first call decides; any thread. */
int cores_here(void);

#endif
