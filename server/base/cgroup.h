/*
 * cgroup.h - what the control groups around this process allow it.
 */
#ifndef SERVER_BASE_CGROUP_H
#define SERVER_BASE_CGROUP_H

/* The limit that is set in the directory of one group; INFINITY: none. */
typedef double cgroup_limit(const char *directory);

/* The smallest limit of the process's control group and of those that it is in, of version 2 and,
 * for the controller ("memory", "cpu"), of version 1; INFINITY: none. What cannot be read sets no
 * limit. root: "" for this machine, or a directory in the place of /, with proc/self/cgroup and
 * sys/fs/cgroup in it. */
double cgroup_least(const char *root, const char *controller, cgroup_limit *limit);

/* Reads the numbers at the start of a file of a group, up to `most`, into values, and returns their
 * count. "max" is read as INFINITY. */
int cgroup_read(const char *directory, const char *file, int most, double *values);

#endif
