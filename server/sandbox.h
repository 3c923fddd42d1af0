/*
 * sandbox.h - restricts the process to what it needs once it serves.
 *
 * A bug in a parser then gives no access to a shell, to other files, or to other machines. All of
 * this is best effort: the server also runs on a kernel that supports none of it, and the log says
 * what is in force.
 */
#ifndef SERVER_SANDBOX_H
#define SERVER_SANDBOX_H

#include <stdbool.h>

enum { SANDBOX_PATHS = 20, SANDBOX_PORTS = 8 };

struct sandbox_files {
    const char *database; /* its directory may be read and written; NULL: it is on a server */
    /* Files that are read again; NULL: none. Each may be replaced by a new one in its directory. */
    const char *read[SANDBOX_PATHS];
    int connect[SANDBOX_PORTS]; /* ports of TCP to which it may connect; 0: none */
};

/* Which restrictions are in force. */
struct sandbox {
    bool no_core; /* a crash writes no memory, and no keys with it, to the disk */
    bool filter;  /* seccomp: starting programs and controlling processes or the kernel is denied */
    int landlock; /* version of its interface, 1..; 0: the file system is not restricted */
};

/* For this thread and those that it starts: call it before the others start. */
struct sandbox sandbox_enter(const struct sandbox_files *files);

#endif
