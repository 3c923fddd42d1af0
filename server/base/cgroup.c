#include "server/base/cgroup.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 4096 };

int cgroup_read(const char *directory, const char *file, int most, double *values) {
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
        char *end;
        values[count] = strcmp(word, "max") == 0 ? INFINITY : strtod(word, &end);
        if (values[count] != INFINITY && (end == word || *end))
            break;
        count++;
    }
    return count;
}

/* The smallest limit of a group and of those around it, up to the mount. In a container the path
 * may be the host's, which is not there: then the mount itself is the container's group. */
static double least_on_the_way_up(const char *mount, const char *group, cgroup_limit *limit) {
    char directory[PATH_BYTES];
    double least = INFINITY;
    if (strstr(group, "/..")) /* outside of what this process can see */
        group = "";
    const int length = snprintf(directory, sizeof directory, "%s%s", mount, group);
    if (length < 0 || (size_t)length >= sizeof directory)
        return least;
    for (;;) {
        least = fmin(least, limit(directory));
        char *slash = strrchr(directory, '/');
        if (strlen(directory) <= strlen(mount) || !slash)
            return least;
        *slash = '\0';
    }
}

/* Is one of the controllers in "a,b,c" the one asked for? */
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
                            cgroup_limit *limit) {
    /* Version 2 is mounted here, or there beside version 1. */
    static const char *const version_2[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    char mount[PATH_BYTES];
    double least = INFINITY;
    line[strcspn(line, "\n")] = '\0';
    const char *controllers = strchr(line, ':');
    const char *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path)
        return least;
    controllers++;
    for (int i = 0; i < 2 && path == controllers; i++) {
        snprintf(mount, sizeof mount, "%s%s", root, version_2[i]);
        least = fmin(least, least_on_the_way_up(mount, path + 1, limit));
    }
    if (names(controllers, (size_t)(path - controllers), controller)) {
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/%s", root, controller);
        least = fmin(least, least_on_the_way_up(mount, path + 1, limit));
    }
    return least;
}

double cgroup_least(const char *root, const char *controller, cgroup_limit *limit) {
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
