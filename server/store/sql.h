/*
 * sql.h - statements, for the files of this folder that say what is stored. They know no database:
 * a driver does (driver.h).
 *
 * SQL text stands next to the function that uses it. A statement is prepared once per session, on
 * first use, and found again by the address of its text:
 *
 *     struct sql_statement *row = sql_prepare(session, "SELECT ... WHERE id = ?1", "t", id);
 *     if (sql_row(session, row)) ... sql_int64(row, 0) ...
 *     return sql_done(session, row);
 */
#ifndef SERVER_STORE_SQL_H
#define SERVER_STORE_SQL_H

#include "server/store/store.h"

struct sql_statement;

/* Binds ?1, ?2, .. by `types`: t text, i int64_t, d double (NAN becomes NULL), b blob and its
 * size_t. Text and blobs must live until sql_done. NULL on failure, which the other functions
 * accept. */
struct sql_statement *sql_prepare(struct store_session *session, const char *sql, const char *types,
                                  ...);
/* The same for many values: prepares with the types of all, then binds some at a time, from the
 * parameter `first` on, counted from 1. Each statement is ended as usual. */
struct sql_statement *sql_open(struct store_session *session, const char *sql, const char *types);
void sql_bind(struct sql_statement *statement, int first, const char *types, ...);
/* Moves to the next row. False at the end or on an error. */
bool sql_row(struct store_session *session, struct sql_statement *statement);
/* Ends a statement, whatever happened: STORE_OK or why it failed (already logged). */
enum store_status sql_done(struct store_session *session, struct sql_statement *statement);
/* Ends a statement that has found a row; if it has not, but did not fail, gives `none`. */
enum store_status sql_found(struct store_session *session, struct sql_statement *statement,
                            bool found, enum store_status none);
/* Reads the integer of the first row, and ends the statement. Without a row: 0, and `none`. */
enum store_status sql_value(struct store_session *session, struct sql_statement *statement,
                            int64_t *value, enum store_status none);
/* Prepares, runs and ends a statement without rows. */
#define sql_run(session, ...) sql_finish(session, sql_prepare(session, __VA_ARGS__))
enum store_status sql_finish(struct store_session *session, struct sql_statement *statement);
/* The same for a statement of a transaction whose rows, and number of changed rows, nobody needs: a
 * database on another machine is not waited for. If it fails, then a later statement of the session
 * fails, or at last the commit. */
#define sql_run_later(session, ...) sql_later(session, sql_prepare(session, __VA_ARGS__))
enum store_status sql_later(struct store_session *session, struct sql_statement *statement);
/* The number of rows that the last statement has inserted, changed or deleted, without those of
 * triggers and cascades. */
int sql_changes(struct store_session *session);
/* Statements between these two see one state of the database, also inside a transaction. Each begin
 * that returned STORE_OK needs an end, which returns `status`, or its own if that is STORE_OK. */
enum store_status sql_begin_reading(struct store_session *session);
enum store_status sql_end_reading(struct store_session *session, enum store_status status);

/* The columns of the current row; NULL is 0. */
bool sql_is_null(const struct sql_statement *row, int column);
int sql_int(const struct sql_statement *row, int column);
int64_t sql_int64(const struct sql_statement *row, int column);
double sql_double(const struct sql_statement *row, int column);
double sql_real(const struct sql_statement *row, int column); /* NAN for NULL */
/* Valid until the next row; NULL for NULL. */
const char *sql_chars(const struct sql_statement *row, int column);
const void *sql_bytes(const struct sql_statement *row, int column, size_t *size);
/* Copies from malloc; NULL for NULL. A failed allocation sets the status of the session. */
char *sql_text(struct store_session *session, const struct sql_statement *row, int column);
void *sql_blob(struct store_session *session, const struct sql_statement *row, int column,
               size_t *size);
/* The index of a column's text among these names, which end with NULL. A CHECK in the schema
 * ensures that it is one of them. */
int sql_name(const struct sql_statement *row, int column, const char *const *names);

/* Notes that jobs have ended; they are counted when the transaction is committed. */
void sql_ended(struct store_session *session, enum job_status status, int64_t jobs);

/* A text in small letters (fold.h), from malloc; NULL for NULL, and for a failed allocation:
 * STORE_ERROR. */
enum store_status sql_folded(const char *text, char **folded);

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
struct epoch_row sql_epoch(const struct sql_statement *row, int column);

/* Reads a model's figures from a row: seven columns, starting with this one. */
#define FIGURES_COLUMNS(table)                                                                     \
    table ".evaluated_n, " table ".curve_distance, " table ".curve_floor, " table                  \
          ".energy_distance, " table ".energy_floor, " table ".coverage, " table ".coverage_floor"
struct figures sql_figures(const struct sql_statement *row, int column);

/* What an earlier request with the same Idempotency-Key has made, from a row: its id, and whether
 * it was the same request. Ends the statement; STORE_NOT_FOUND without a row. */
enum store_status sql_served(struct store_session *session, struct sql_statement *row,
                             char id[ID_LENGTH + 1], bool *same);

/* The id of the node that trains a job; NULL: none. */
#define SQL_NODE(job) "substr(" job ".owner, 1, 36)"
/* In a condition: does the lease of a node still hold? */
#define SQL_IS_LIVE "(lease_until IS NULL OR lease_until > (SELECT ms FROM clock))"

/* In a condition: is the job running that other columns have found? No index of running jobs is to
 * find it: on PostgreSQL, that has an entry for each change of a running job since the oldest
 * transaction that is open has begun. */
#define SQL_IS_RUNNING "status || '' = 'running'"

/* In a condition: is a job queued that the node ?1 can run? */
#define SQL_CAN_RUN                                                                                \
    "status = 'queued' AND (arithmetic IS NULL"                                                    \
    " OR arithmetic IN (SELECT offer.arithmetic FROM offer WHERE node = ?1))"

/* In a condition or a column: is the arithmetic of a job one that no running server offers? */
#define SQL_IS_BOUND(job)                                                                          \
    "(" job ".arithmetic IS NOT NULL AND " job                                                     \
    ".arithmetic NOT IN (SELECT offer.arithmetic FROM offer))"

/* STORE_OK and the job's row number, or STORE_NOT_FOUND. id may be "latest". */
enum store_status sql_job_seq(struct store_session *session, const char *id, int64_t *seq);
/* The job with this id, without its place in the queue. */
enum store_status sql_job_unplaced(struct store_session *session, const char *id, struct job *job);
/* The number of jobs with from <= seq < to that run before the next one in the queue. */
enum store_status sql_count_queued(struct store_session *session, int64_t from, int64_t to,
                                   int64_t *count);
/* For the writer, before it changes the model with this id: is the job that trains it queued or
 * running? Locks the row of the job, if there is one, as everything does that changes both, so that
 * no two nodes wait for each other. */
enum store_status sql_lock_job_of(struct store_session *session, const char *id, bool *is_active);
/* The model with this id, without bytes. */
enum store_status sql_model(struct store_session *session, const char *id, struct model *model);

#endif
