/*
 * limits.h - what the process is given to start with: descriptors, and how many of them.
 */
#ifndef SERVER_LIMITS_H
#define SERVER_LIMITS_H

/* Opens those of the descriptors 0 to 2 that are closed on /dev/null. Otherwise the first file or
 * socket would get their numbers, and the log would be written into it. First of all in main. */
void limits_open_standard(void);

/* Raises the limit of open files, as far as allowed, to what `wanted` connections need in addition
 * to the database and the server's own files. Returns the number of connections that fit: `wanted`,
 * or fewer (the log says so), or 0. `threads`: threads that read the database, besides the ones
 * that serve. */
int limits_connections(int wanted, int threads);

#endif
