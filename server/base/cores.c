#include "server/base/cores.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <unistd.h>

#include "server/base/cgroup.h"

/* Processors that the time allowed per period is worth. */
static double limit_of_group(const char *directory) {
    double time[2], quota, period;
    if (cgroup_read(directory, "cpu.max", 2, time) == 2 && time[0] > 0 && time[1] > 0)
        return time[0] / time[1];
    if (cgroup_read(directory, "cpu.cfs_quota_us", 1, &quota) == 1 && quota > 0 &&
        cgroup_read(directory, "cpu.cfs_period_us", 1, &period) == 1 && period > 0)
        return quota / period; /* no limit is -1 */
    return INFINITY;
}

int cores_within(const char *root, int allowed) {
    const double limit = ceil(cgroup_least(root, "cpu", limit_of_group));
    const int cores = limit < allowed ? (int)limit : allowed;
    return cores < 1 ? 1 : cores;
}

/* A machine may have more processors than a cpu_set_t. */
static int count_allowed(void) {
    enum { MAX = 1 << 16 };
    int count = (int)sysconf(_SC_NPROCESSORS_ONLN);
    cpu_set_t *set = CPU_ALLOC(MAX);
    if (set && sched_getaffinity(0, CPU_ALLOC_SIZE(MAX), set) == 0)
        count = CPU_COUNT_S(CPU_ALLOC_SIZE(MAX), set);
    CPU_FREE(set);
    return count;
}

static int cores;

static void find_cores(void) {
    cores = cores_within("", count_allowed());
}

int cores_here(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_cores);
    return cores;
}
