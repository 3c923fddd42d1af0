/*
 * limits.h - the file descriptors that the process has: the standard ones, and how many in total.
 */
#ifndef SERVER_LIMITS_H
#define SERVER_LIMITS_H

/* Opens those of the descriptors 0 to 2 that are closed on /dev/null. Otherwise the first file or
 * socket would get their numbers, and the log would be written into it. The first call in main. */
void limits_open_standard(void);

/* Raises the limit of open files, as far as allowed, to what `wanted` connections need in addition
 * to the database and the server's own files. `threads`: threads that read the database, besides
 * the serving ones; `database`: connections to a server of databases. Returns the number of
 * connections that fit: `wanted`, or fewer (then the log says so), or 0. */
int limits_connections(int wanted, int threads, int database);

#endif
