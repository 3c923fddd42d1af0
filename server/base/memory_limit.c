#include "server/base/memory_limit.h"

#include <malloc.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/sysinfo.h>

#include "server/base/cgroup.h"

static double limit_of_group(const char *directory) {
    static const char *const files[] = {"memory.max", "memory.high", "memory.limit_in_bytes"};
    double limit = INFINITY, value;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (cgroup_read(directory, files[i], 1, &value) == 1 && value > 0)
            limit = fmin(limit, value);
    return limit;
}

int64_t memory_limit(const char *root, int64_t physical) {
    const double limit = cgroup_least(root, "memory", limit_of_group);
    return limit < (double)physical ? (int64_t)limit : physical;
}

/* sysinfo() and not /proc/meminfo, which a service of systemd may not see. */
int64_t memory_limit_here(void) {
    struct sysinfo info;
    const bool known = sysinfo(&info) == 0;
    return memory_limit("", known ? (int64_t)info.totalram * info.mem_unit : INT64_MAX);
}

/* ------------------------------------------------------------------ the allocator */

enum { MAPPED_BYTES = 4 << 20, KEPT_BYTES = 8 << 20 };

/* Another C library has its own ways. */
void memory_set_up(void) {
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
#endif
}

void memory_give_back(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}
