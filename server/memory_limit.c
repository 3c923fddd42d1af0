#include "server/memory_limit.h"

#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

enum { PATH_BYTES = 4096 };

/* The kinds of control groups: what their lines in /proc/self/cgroup begin with after the number,
 * where they are mounted, and the files of a limit. A controller belongs to one version at a time,
 * so the files of the other are not there. */
static const struct {
    const char *controllers; /* "": version 2, which names none */
    const char *mount;
    const char *files[2];
} hierarchies[] = {
    {"", "/sys/fs/cgroup", {"memory.max", "memory.high"}},
    {"", "/sys/fs/cgroup/unified", {"memory.max", "memory.high"}}, /* beside version 1 */
    {"memory", "/sys/fs/cgroup/memory", {"memory.limit_in_bytes", NULL}},
};
enum { HIERARCHIES = sizeof hierarchies / sizeof hierarchies[0] };

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* The number in a file; INT64_MAX if there is no such file, or no number in it ("max"). */
static int64_t read_limit(const char *path) {
    char text[64];
    FILE *file = fopen(path, "re");
    if (!file)
        return INT64_MAX;
    const bool has = fgets(text, sizeof text, file);
    fclose(file);
    char *end = text;
    errno = 0;
    const long long value = has ? strtoll(text, &end, 10) : 0;
    return has && end != text && errno == 0 && value > 0 ? value : INT64_MAX;
}

/* The smallest limit of a group and of those around it, up to the mount. In a container the path
 * may be the host's, which is not there: then the mount itself is the container's group. */
static int64_t group_limit(const char *root, int hierarchy, const char *group) {
    char directory[PATH_BYTES], file[PATH_BYTES + 32];
    int64_t limit = INT64_MAX;
    const char *mount = hierarchies[hierarchy].mount;
    if (strstr(group, "/..")) /* outside of what this process can see */
        group = "";
    const int length = snprintf(directory, sizeof directory, "%s%s%s", root, mount, group);
    const size_t least = strlen(root) + strlen(mount);
    if (length < 0 || (size_t)length >= sizeof directory)
        return INT64_MAX;
    for (;;) {
        for (int i = 0; i < 2 && hierarchies[hierarchy].files[i]; i++) {
            snprintf(file, sizeof file, "%s/%s", directory, hierarchies[hierarchy].files[i]);
            limit = smaller(limit, read_limit(file));
        }
        char *slash = strrchr(directory, '/');
        if (strlen(directory) <= least || !slash)
            return limit;
        *slash = '\0';
    }
}

/* Is one of the controllers in "a,b,c" the one asked for? Version 2 has none: both are empty. */
static bool names(const char *controllers, size_t length, const char *wanted) {
    const size_t size = strlen(wanted);
    if (size == 0)
        return length == 0;
    for (size_t at = 0; at < length;) {
        const size_t one = strcspn(controllers + at, ",:");
        if (one == size && strncmp(controllers + at, wanted, size) == 0)
            return true;
        at += one + 1;
    }
    return false;
}

/* A line "4:cpu,memory:/path", or "0::/path" of version 2. */
static int64_t line_limit(const char *root, char *line) {
    line[strcspn(line, "\n")] = '\0';
    const char *controllers = strchr(line, ':');
    const char *path = controllers ? strchr(controllers + 1, ':') : NULL;
    int64_t limit = INT64_MAX;
    if (!path)
        return limit;
    controllers++;
    for (int i = 0; i < HIERARCHIES; i++)
        if (names(controllers, (size_t)(path - controllers), hierarchies[i].controllers))
            limit = smaller(limit, group_limit(root, i, path + 1));
    return limit;
}

int64_t memory_limit(const char *root, int64_t physical) {
    char name[PATH_BYTES], line[PATH_BYTES];
    int64_t limit = physical;
    snprintf(name, sizeof name, "%s/proc/self/cgroup", root);
    FILE *groups = fopen(name, "re");
    while (groups && fgets(line, sizeof line, groups))
        limit = smaller(limit, line_limit(root, line));
    if (groups)
        fclose(groups);
    return limit;
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
