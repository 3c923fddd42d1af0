/*
 * sqlite.h - the parts of the driver for SQLite: statements (driver.c), the file (open.c), and
 * copies of it (backup.c).
 */
#ifndef SERVER_STORE_SQLITE_SQLITE_H
#define SERVER_STORE_SQLITE_SQLITE_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "server/store/driver.h"

enum {
    SQLITE_PAGE_BYTES = 4096,
    SQLITE_APPLICATION = 0x64656e6f, /* "deno", in the file's header */
};

struct sqlite_session {
    struct store_session base;
    sqlite3 *db;
    /* only of the writer: */
    int page_bytes;        /* 0: not read yet, and the file does not grow in advance */
    int wal_pages;         /* pages in the log after the last commit */
    int64_t file_bytes;    /* minimum size of the file, so that there is room for the log's pages */
    atomic_ullong commits; /* so far */
    atomic_bool committing; /* readers may see a commit just before it is counted */
};

/* Logs an SQLite error, and returns its meaning for the caller. Exits if running on could harm the
 * data. */
enum store_status sqlite_failure(sqlite3 *db, int code, const char *what);
/* The integer result of a statement without parameters; -1 if it fails. */
int sqlite_integer(sqlite3 *db, const char *sql);

/* What the driver does with the file (open.c), and backup.c. */
struct store *sqlite_open(const char *path, const char *unused, char *error, size_t error_size);
void sqlite_close(struct store *store);
const char *sqlite_path(const struct store *store);
const char *sqlite_loss(const struct store *store);
bool sqlite_is_there(struct store *store);
bool sqlite_is_whole(struct store *store);
uint64_t sqlite_version(struct store *store);
void sqlite_sizes(const struct store *store, int64_t *database, int64_t *log);
void sqlite_checkpoint(struct store *store, bool is_full);
struct store_session *sqlite_open_reader(struct store *store, bool is_patient);
void sqlite_close_session(struct store_session *session);
enum store_status sqlite_limit(struct store_session *session, int64_t bytes);
bool sqlite_backup(const char *from, const char *to, char *error, size_t error_size);

/* Copies of tables (load.c): as the driver's functions of these names. */
enum store_status sqlite_load_begin(struct store_session *session, const char *table);
enum store_status sqlite_load(struct store_session *to, const char *table,
                              struct sql_statement *rows, int64_t *count);
enum store_status sqlite_load_end(struct store_session *session, const char *table);
enum store_status sqlite_last(struct store_session *session, const char *table, const char *key,
                              int64_t *last);
enum store_status sqlite_set_last(struct store_session *session, const char *table, const char *key,
                                  int64_t last);

#endif
