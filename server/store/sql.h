/*
 * sql.h - the SQLite side of the store, for the files of this folder only.
 *
 * SQL text stands next to the function that uses it. A statement is prepared once per session, on
 * first use, and found again by the address of its text:
 *
 *     sqlite3_stmt *statement = sql_prepare(session, "SELECT ... WHERE id = ?1", "t", id);
 *     if (sql_row(session, statement)) ... sqlite3_column_...
 *     return sql_done(session, statement);
 */
#ifndef SERVER_STORE_SQL_H
#define SERVER_STORE_SQL_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "server/store/store.h"

enum {
    SQL_MAX_STATEMENTS = 256,
    SQL_APPLICATION_ID = 0x64656e6f, /* "deno", in the file's header */
};

struct store_session {
    sqlite3 *db;
    struct store_session *next; /* in the store's list of idle readers */
    struct {
        const char *sql;
        sqlite3_stmt *statement;
    } cache[SQL_MAX_STATEMENTS];
    int cached;
    enum store_status status; /* of the current statement: STORE_OK until something fails */
    /* only of the writer: */
    int64_t limit;         /* maximum bytes of the database; 0: no limit */
    int page_bytes;        /* 0: not read yet, and the file does not grow in advance */
    int wal_pages;         /* pages in the log after the last commit */
    int64_t file_bytes;    /* minimum size of the file, so that there is room for the log's pages */
    atomic_ullong commits; /* so far */
    atomic_bool committing; /* readers may see a commit just before it is counted */
    struct {                /* jobs that have ended in this transaction, by status: */
        int64_t noted[JOB_STATUS_COUNT], marked[JOB_STATUS_COUNT]; /* so far; at the savepoint */
    } endings;
};

/* Binds ?1, ?2, .. by `types`: t text, i int64_t, d double (NAN becomes NULL), b blob and its
 * size_t. Text and blobs must live until sql_done. NULL on failure, which the other functions
 * accept. */
sqlite3_stmt *sql_prepare(struct store_session *session, const char *sql, const char *types, ...);
/* Moves to the next row. False at the end or on an error. */
bool sql_row(struct store_session *session, sqlite3_stmt *statement);
/* Ends a statement, whatever happened: STORE_OK or why it failed (already logged). */
enum store_status sql_done(struct store_session *session, sqlite3_stmt *statement);
/* Ends a statement that has found a row; if it has not, but did not fail, gives `none`. */
enum store_status sql_found(struct store_session *session, sqlite3_stmt *statement, bool found,
                            enum store_status none);
/* Reads the integer of the first row, and ends the statement. Without a row: 0, and `none`. */
enum store_status sql_value(struct store_session *session, sqlite3_stmt *statement, int64_t *value,
                            enum store_status none);
/* Prepares, runs and ends a statement without rows. */
#define sql_run(session, ...) sql_finish(session, sql_prepare(session, __VA_ARGS__))
enum store_status sql_finish(struct store_session *session, sqlite3_stmt *statement);
/* Statements between these two see one state of the database, also inside a transaction. Each begin
 * that returned STORE_OK needs an end, which returns `status`, or its own if that is STORE_OK. */
enum store_status sql_begin_reading(struct store_session *session);
enum store_status sql_end_reading(struct store_session *session, enum store_status status);
/* Logs an SQLite error, and returns its meaning for the caller. Exits if running on could harm the
 * data. */
enum store_status sql_failure(sqlite3 *db, int code, const char *what);

/* Adds the SQL functions that the statements use. SQLITE_OK, or why it failed. */
int sql_add_functions(sqlite3 *db);

/* Notes that jobs have ended; they are counted when the transaction is committed (endings.c). The
 * transaction's own functions tell a savepoint, its rollback, and the end. */
void sql_ended(struct store_session *session, enum job_status status, int64_t jobs);
void sql_endings_mark(struct store_session *session);
void sql_endings_return(struct store_session *session);
void sql_endings_over(struct store_session *session, bool is_committed);

/* The integer result of a statement without parameters; -1 if it fails. */
int sql_integer(sqlite3 *db, const char *sql);

/* Copies of a column from malloc; NULL for NULL. A failed allocation sets session->status. */
char *sql_text(struct store_session *session, sqlite3_stmt *statement, int column);
void *sql_blob(struct store_session *session, sqlite3_stmt *statement, int column, size_t *size);
double sql_real(sqlite3_stmt *statement, int column); /* NAN for NULL */
/* The index of a column's text among these names, which end with NULL. A CHECK in the schema
 * ensures that it is one of them. */
int sql_name(sqlite3_stmt *statement, int column, const char *const *names);

/* Stores bytes that are small enough for the current transaction, unless *id names their blob. */
enum store_status sql_blob_insert(struct store_session *session, const void *bytes, size_t size,
                                  int64_t *id);
/* For the writer, before something grows by this number of bytes: STORE_OVER_LIMIT if that would
 * leave too little room below the limit, even after removing dispensable data (room.c). */
enum store_status sql_need_room(struct store_session *session, int64_t bytes);
/* The same for an evaluation, which is itself dispensable: removes only older evaluations. */
enum store_status sql_need_room_for_evaluation(struct store_session *session, int64_t bytes);

/* For the writer, after the model of the job with this id was stored: also keeps it as an earlier
 * state, if it is one of those to keep (snapshots.c). */
enum store_status sql_keep_snapshot(struct store_session *session, const char *id, size_t bytes);

/* Reads an epoch from a row: the columns of EPOCH_COLUMNS, starting with this one. */
#define SQL_EPOCH_NAME(kind, name, about) ", " #name
#define SQL_EPOCH_NAMES                   EPOCH_COLUMNS(SQL_EPOCH_NAME) /* with a comma before each */
struct epoch_row sql_epoch(sqlite3_stmt *row, int column);

/* Reads a model's figures from a row: seven columns, starting with this one. */
#define FIGURES_COLUMNS(table)                                                                     \
    table ".evaluated_n, " table ".curve_distance, " table ".curve_floor, " table                  \
          ".energy_distance, " table ".energy_floor, " table ".coverage, " table ".coverage_floor"
struct figures sql_figures(sqlite3_stmt *row, int column);

/* What an earlier request with the same Idempotency-Key has made, from a row: its id, and whether
 * it was the same request. Ends the statement; STORE_NOT_FOUND without a row. */
enum store_status sql_served(struct store_session *session, sqlite3_stmt *row,
                             char id[ID_LENGTH + 1], bool *same);

/* STORE_OK and the job's row number, or STORE_NOT_FOUND. id may be "latest". */
enum store_status sql_job_seq(struct store_session *session, const char *id, int64_t *seq);
/* The job with this id, without its place in the queue. */
enum store_status sql_job_unplaced(struct store_session *session, const char *id, struct job *job);
/* The model with this id, without bytes. */
enum store_status sql_model(struct store_session *session, const char *id, struct model *model);

#endif
