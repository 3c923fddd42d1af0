#include "server/base/machine.h"

#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

/* ------------------------------------------------------------------ control groups */

/* The limit that is set in the directory of one group; INFINITY: none. */
typedef double group_limit(const char *directory);

/* Reads the numbers at the start of a file of a group, up to `most`, and returns their count. "max"
 * is read as INFINITY. */
static int read_numbers(const char *directory, const char *file, int most, double *values) {
    char path[PATH_BYTES + 64], text[96];
    snprintf(path, sizeof path, "%s/%s", directory, file);
    FILE *opened = fopen(path, "re");
    if (!opened)
        return 0;
    const bool has = fgets(text, sizeof text, opened);
    fclose(opened);
    int count = 0;
    char *left = NULL;
    for (char *word = has ? strtok_r(text, " \n", &left) : NULL; word && count < most;
         word = strtok_r(NULL, " \n", &left)) {
        char *end = word + strlen(word);
        values[count] = strcmp(word, "max") == 0 ? INFINITY : strtod(word, &end);
        if (end == word || *end)
            break;
        count++;
    }
    return count;
}

/* The smallest limit of a group and of those around it, up to the mount. In a container the path
 * may be the host's, which is not there: then the mount itself is the container's group. */
static double least_on_the_way_up(const char *root, const char *mount, const char *group,
                                  group_limit *limit) {
    char directory[PATH_BYTES];
    double least = INFINITY;
    if (strstr(group, "/..")) /* outside of what this process can see */
        group = "";
    const size_t top = strlen(root) + strlen("/sys/fs/cgroup") + strlen(mount);
    const int length =
        snprintf(directory, sizeof directory, "%s/sys/fs/cgroup%s%s", root, mount, group);
    if (length < 0 || (size_t)length >= sizeof directory)
        return least;
    for (;;) {
        least = fmin(least, limit(directory));
        char *slash = strrchr(directory, '/');
        if (strlen(directory) <= top || !slash)
            return least;
        *slash = '\0';
    }
}

/* Is `wanted` one of the controllers in "a,b,c"? */
static bool names(const char *controllers, size_t length, const char *wanted) {
    for (size_t at = 0; at < length;) {
        const size_t one = strcspn(controllers + at, ",:");
        if (one == strlen(wanted) && strncmp(controllers + at, wanted, one) == 0)
            return true;
        at += one + 1;
    }
    return false;
}

/* A line "4:cpu,cpuacct:/path" of version 1, or "0::/path" of version 2, which names no controller.
 * A controller belongs to one version at a time, so the files of the other are not there. */
static double limit_of_line(const char *root, char *line, const char *controller,
                            group_limit *limit) {
    char mount[32];
    line[strcspn(line, "\n")] = '\0';
    const char *controllers = strchrnul(line, ':');
    const char *path = *controllers ? strchr(++controllers, ':') : NULL;
    if (!path)
        return INFINITY;
    if (path == controllers) /* version 2 is mounted at the top, or beside version 1 */
        return fmin(least_on_the_way_up(root, "", path + 1, limit),
                    least_on_the_way_up(root, "/unified", path + 1, limit));
    snprintf(mount, sizeof mount, "/%s", controller);
    return names(controllers, (size_t)(path - controllers), controller)
               ? least_on_the_way_up(root, mount, path + 1, limit)
               : INFINITY;
}

static double least_limit(const char *root, const char *controller, group_limit *limit) {
    char name[PATH_BYTES], line[PATH_BYTES];
    double least = INFINITY;
    snprintf(name, sizeof name, "%s/proc/self/cgroup", root);
    FILE *groups = fopen(name, "re");
    while (groups && fgets(line, sizeof line, groups))
        least = fmin(least, limit_of_line(root, line, controller, limit));
    if (groups)
        fclose(groups);
    return least;
}

/* ------------------------------------------------------------------ processors */

/* How many processors the time allowed per period amounts to. */
static double cores_of_group(const char *directory) {
    double time[2], quota, period;
    if (read_numbers(directory, "cpu.max", 2, time) == 2 && time[0] > 0 && time[1] > 0)
        return time[0] / time[1];
    if (read_numbers(directory, "cpu.cfs_quota_us", 1, &quota) == 1 && quota > 0 &&
        read_numbers(directory, "cpu.cfs_period_us", 1, &period) == 1 && period > 0)
        return quota / period; /* -1: no limit */
    return INFINITY;
}

int machine_cores_within(const char *root, int allowed) {
    const double limit = ceil(least_limit(root, "cpu", cores_of_group));
    return (int)fmax(1, fmin(limit, allowed));
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
    cores = machine_cores_within("", count_allowed());
}

int machine_cores(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_cores);
    return cores;
}

/* ------------------------------------------------------------------ memory */

static double memory_of_group(const char *directory) {
    static const char *const files[] = {"memory.max", "memory.high", "memory.limit_in_bytes"};
    double limit = INFINITY, value;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (read_numbers(directory, files[i], 1, &value) == 1 && value > 0)
            limit = fmin(limit, value);
    return limit;
}

int64_t machine_memory_within(const char *root, int64_t physical) {
    const double limit = least_limit(root, "memory", memory_of_group);
    return limit < (double)physical ? (int64_t)limit : physical;
}

/* sysinfo() and not /proc/meminfo, which a service of systemd may not see. */
int64_t machine_memory(void) {
    struct sysinfo info;
    const bool known = sysinfo(&info) == 0;
    return machine_memory_within("", known ? (int64_t)info.totalram * info.mem_unit : INT64_MAX);
}

/* Other C libraries have their own ways. */
void machine_set_up_memory(void) {
#ifdef __GLIBC__
    enum { MAPPED_BYTES = 4 << 20, KEPT_BYTES = 8 << 20 };
    mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    /* No fast bins: small chunks stay apart there until somebody frees a large one, who then joins
     * them all. After a JSON body of 200,000 numbers that was the event loop, for 22 ms. */
    mallopt(M_MXFAST, 0);
#endif
}

/* One thread at a time: the first call to the C library's heap sets it up, without a lock. In a
 * build with sanitizers, which have heaps of their own, that first call is this one. */
void machine_give_back_memory(void) {
#ifdef __GLIBC__
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    malloc_trim(0);
    pthread_mutex_unlock(&lock);
#endif
}
