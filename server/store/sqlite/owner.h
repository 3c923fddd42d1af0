/*
 * owner.h - makes this process the only owner of a database file, by whatever path, and checks that
 * the file is still where it was.
 *
 * The lock is on the file itself, not on a name: a link, another directory or a removed lock file
 * cannot bypass it. SQLite keeps its log next to the file under the file's name, so no name of a
 * file with two names is safe, and such a file is refused.
 *
 * A file can be moved, replaced or removed while the server runs. No next start would find what is
 * written then, so the owner checks before anything is acknowledged.
 */
#ifndef SERVER_STORE_SQLITE_OWNER_H
#define SERVER_STORE_SQLITE_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct owner;

/* Finds the file behind all links, creates it if there is none, and locks it. NULL and a message on
 * failure: it is in use, is no regular file, has two names, or cannot be opened. */
struct owner *owner_take(const char *path, char *error, size_t error_size);
/* Only when no connection to the database is open any more: closing any descriptor of a file drops
 * all locks of the process on it, including SQLite's. */
void owner_release(struct owner *owner);
/* The same after a failed start: also removes the files that it created, if they are empty. */
void owner_refuse(struct owner *owner);

/* Absolute and without links: the path that everything else opens. */
const char *owner_path(const struct owner *owner);

/* From now on also watches the files that SQLite has created next to it. False: they do not
 * exist. */
bool owner_watch_log(struct owner *owner);

/* Are all files where they were? Any thread. Once false, always false; the first time is logged. */
bool owner_check(struct owner *owner);
/* The same, and no file is shorter than this number of bytes. */
bool owner_check_sizes(struct owner *owner, int64_t database, int64_t log);
/* Bytes of the file, by its descriptor, and of its log, by its name; 0 if that fails. */
int64_t owner_size(const struct owner *owner);
int64_t owner_log_size(const struct owner *owner);
/* What has happened to the files, as the start of a sentence; NULL: nothing that was noticed. Any
 * thread; does not check them. */
const char *owner_loss(const struct owner *owner);

/* Writes "path: why" as the message of a failure. Returns false. */
bool owner_fail(char *error, size_t error_size, const char *path, const char *why);
/* Does the file have only one name? Otherwise, a message. For programs that only read it. */
bool owner_has_one_name(const char *path, char *error, size_t error_size);

#endif
