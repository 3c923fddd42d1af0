/*
 * sandbox.h - what the kernel lets the process do once it serves: as little as it needs.
 *
 * A bug in a parser is then no way to a shell, to other files, or out to other machines. All of it
 * is best effort: a kernel that has none of it serves as well, and the log says what is in force.
 */
#ifndef SERVER_SANDBOX_H
#define SERVER_SANDBOX_H

#include <stdbool.h>

enum { SANDBOX_PATHS = 8 };

struct sandbox_files {
    const char *database;            /* its directory may be read and written */
    const char *read[SANDBOX_PATHS]; /* files that are read again; NULL: none. Each may be replaced
                                        by a new one in its directory */
};

/* What is in force. */
struct sandbox {
    bool no_core; /* a crash leaves no memory, and no keys with it, on the disk */
    bool filter;  /* seccomp: programs, other processes and the kernel's inside are out of reach */
    int landlock; /* version of its interface, 1..; 0: the file system is as open as ever */
};

/* For this thread and those that it starts: before any other. */
struct sandbox sandbox_enter(const struct sandbox_files *files);

#endif
