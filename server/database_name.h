/*
 * database_name.h - the name of a database: the path of a file for SQLite, or a URI for PostgreSQL.
 * A URI may hold a password, which nobody else on the machine may see.
 */
#ifndef SERVER_DATABASE_NAME_H
#define SERVER_DATABASE_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* Can a database have this name? `source` is the flag or the variable that it comes from. A flag
 * holds no password, because every user of the machine can read the arguments of a process. False
 * and a message, which tells nothing of a password. */
bool database_name_check(const char *name, const char *source, char *error, size_t error_size);

/* Takes what may be secret out of the variables that the system shows of this process (in
 * /proc/PID/environ); getenv still returns it. Before other threads start. False: out of memory. */
bool database_name_hide(void);

#endif
