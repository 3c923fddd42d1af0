/* Copies the database, in a separate process while the server keeps running. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/store/sqlite/owner.h"
#include "server/store/sqlite/sqlite.h"

enum { PATH_BYTES = 4096 };

/* Opens a database and runs these statements in it; NULL and a message on failure. */
static sqlite3 *open_and_run(const char *path, int flags, const char *sql, char *error,
                             size_t error_size) {
    sqlite3 *db = NULL;
    int code = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK) {
        sqlite3_busy_timeout(db, 5000);
        code = sqlite3_exec(db, sql, NULL, NULL, NULL);
    }
    if (code == SQLITE_OK)
        return db;
    owner_fail(error, error_size, path, db ? sqlite3_errmsg(db) : sqlite3_errstr(code));
    sqlite3_close(db);
    return NULL;
}

static sqlite3 *open_readonly(const char *path, char *error, size_t error_size) {
    return open_and_run(path, SQLITE_OPEN_READONLY,
                        "PRAGMA trusted_schema=OFF; PRAGMA wal_autocheckpoint=0", error,
                        error_size);
}

/* Copies all that was committed when it began, without the room that deleted rows have left. It
 * reads one state of the database, so the server can write meanwhile. */
static bool copy(const char *from, const char *to, char *error, size_t error_size) {
    sqlite3 *db = open_readonly(from, error, error_size);
    if (!db)
        return false;
    sqlite3_stmt *vacuum = NULL;
    bool copied = false;
    if (sqlite_integer(db, "PRAGMA application_id") != SQLITE_APPLICATION) {
        owner_fail(error, error_size, from, "not a denoised database");
    } else {
        copied = sqlite3_prepare_v2(db, "VACUUM INTO ?1", -1, &vacuum, NULL) == SQLITE_OK &&
                 sqlite3_bind_text(vacuum, 1, to, -1, SQLITE_STATIC) == SQLITE_OK &&
                 sqlite3_step(vacuum) == SQLITE_DONE;
        if (!copied)
            owner_fail(error, error_size, to, sqlite3_errmsg(db));
    }
    sqlite3_finalize(vacuum);
    sqlite3_close(db);
    return copied;
}

/* Gives the events new ids, so that clients do not take them for the original's (migrations/). */
static bool mark_events(const char *path, char *error, size_t error_size) {
    static const char renumber[] =
        "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN;"
        "CREATE TEMP TABLE shift AS SELECT (1 + abs(random() % 1024)) << 32 AS ids;"
        "UPDATE event SET id = id + (SELECT ids FROM shift);"
        "UPDATE sqlite_sequence SET seq = seq + (SELECT ids FROM shift) WHERE name = 'event';"
        "COMMIT";
    sqlite3 *db = open_and_run(path, SQLITE_OPEN_READWRITE, renumber, error, error_size);
    sqlite3_close(db);
    return db;
}

static bool verify(const char *path, char *error, size_t error_size) {
    sqlite3 *db = open_readonly(path, error, error_size);
    if (!db)
        return false;
    const bool good =
        sqlite_integer(db, "SELECT integrity_check = 'ok' FROM pragma_integrity_check(1)") == 1 &&
        sqlite_integer(db, "SELECT count(*) FROM pragma_foreign_key_check") == 0;
    sqlite3_close(db);
    return good || owner_fail(error, error_size, path, "the copy is not in order");
}

/* SQLite does not sync a copy. */
static bool sync_path(const char *path, int flags, char *error, size_t error_size) {
    int file = open(path, flags | O_CLOEXEC);
    bool synced = file >= 0 && fsync(file) == 0;
    if (!synced)
        owner_fail(error, error_size, path, strerror(errno));
    if (file >= 0)
        close(file);
    return synced;
}

static bool sync_directory_of(const char *path, char *error, size_t error_size) {
    char directory[PATH_BYTES];
    snprintf(directory, sizeof directory, "%s", path);
    return sync_path(dirname(directory), O_RDONLY | O_DIRECTORY, error, error_size);
}

bool sqlite_backup(const char *from, const char *to, char *error, size_t error_size) {
    char part[PATH_BYTES];
    struct stat there;
    if (snprintf(part, sizeof part, "%s.%ld.part", to, (long)getpid()) >= (int)sizeof part)
        return owner_fail(error, error_size, to, "the path is too long");
    if (lstat(to, &there) == 0)
        return owner_fail(error, error_size, to, "already exists and is not overwritten");
    umask(077); /* only the user may read weights and specs */
    bool made = owner_has_one_name(from, error, error_size) &&
                copy(from, part, error, error_size) && mark_events(part, error, error_size) &&
                verify(part, error, error_size) && sync_path(part, O_RDONLY, error, error_size);
    if (made && renameat2(AT_FDCWD, part, AT_FDCWD, to, RENAME_NOREPLACE) != 0)
        made = owner_fail(error, error_size, to, strerror(errno));
    if (!made)
        unlink(part);
    return made && sync_directory_of(to, error, error_size);
}
