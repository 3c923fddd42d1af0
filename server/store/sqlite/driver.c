/* How statements and transactions of the store run on SQLite. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/base/log.h"
#include "server/store/sql.h"
#include "server/store/sqlite/sqlite.h"

static sqlite3 *db_of(const struct store_session *session) {
    return ((const struct sqlite_session *)session)->db;
}

/* Is the disk full? SQLite also has other codes for that: it does not know quotas, and the log's
 * shared-memory file has its own code when it cannot grow. why: errno after the failure, because
 * sqlite3_system_errno() does not cover a commit. */
static bool is_full(int code, int why) {
    return (code & 0xff) == SQLITE_FULL ||
           ((code & 0xff) == SQLITE_IOERR && (why == ENOSPC || why == EDQUOT));
}

enum store_status sqlite_failure(sqlite3 *db, int code, const char *what) {
    const int why = errno;
    log_line(LOG_ERROR, "database error", "code=%d what=%s detail=%s", code, what,
             db ? sqlite3_errmsg(db) : sqlite3_errstr(code));
    /* After a failed fsync nobody knows what is on the disk, and a damaged file only gets worse by
     * writing: stop at once, and let recovery at the next start find out. */
    if (code == SQLITE_IOERR_FSYNC || (code & 0xff) == SQLITE_CORRUPT ||
        (code & 0xff) == SQLITE_NOTADB || code == SQLITE_IOERR_DIR_FSYNC ||
        code == SQLITE_IOERR_CORRUPTFS) {
        log_line(LOG_ERROR,
                 "the data may be in danger: exiting at once, so that a restart can check it",
                 "status=%d", STORE_EXIT_STATUS);
        _exit(STORE_EXIT_STATUS);
    }
    if (is_full(code, why))
        return STORE_FULL;
    return (code & 0xff) == SQLITE_IOERR && code != SQLITE_IOERR_NOMEM ? STORE_DISK : STORE_ERROR;
}

/* ------------------------------------------------------------------ statements */

static void *prepare(struct store_session *session, const char *sql, const char *types) {
    (void)types;
    sqlite3_stmt *statement = NULL;
    const int code =
        sqlite3_prepare_v3(db_of(session), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);
    if (code != SQLITE_OK)
        session->status = sqlite_failure(db_of(session), code, sql);
    return statement;
}

static void bind(struct sql_statement *statement, int first, const char *types, va_list values) {
    for (int i = first, code; *types; types++, i++) {
        if (*types == 't') {
            const char *text = va_arg(values, const char *);
            code = sqlite3_bind_text(statement->native, i, text, -1, SQLITE_STATIC);
        } else if (*types == 'i') {
            code = sqlite3_bind_int64(statement->native, i, va_arg(values, int64_t));
        } else if (*types == 'd') {
            code = sqlite3_bind_double(statement->native, i, va_arg(values, double));
        } else { /* 'b' */
            const void *bytes = va_arg(values, const void *);
            const size_t size = va_arg(values, size_t);
            code = sqlite3_bind_blob64(statement->native, i, bytes, size, SQLITE_STATIC);
        }
        if (code != SQLITE_OK)
            statement->session->status =
                sqlite_failure(db_of(statement->session), code, statement->sql);
    }
}

static bool row(struct sql_statement *statement) {
    const int code = sqlite3_step(statement->native);
    sqlite3 *db = db_of(statement->session);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        statement->session->status =
            sqlite_failure(db, sqlite3_extended_errcode(db), statement->sql);
    return code == SQLITE_ROW;
}

static void done(struct sql_statement *statement) {
    /* An open read would pin the write-ahead log, so this is on every path. */
    sqlite3_reset(statement->native);
    sqlite3_clear_bindings(statement->native);
}

static int64_t changes(struct store_session *session) {
    return sqlite3_changes64(db_of(session));
}

static bool is_null(const struct sql_statement *at, int column) {
    return sqlite3_column_type(at->native, column) == SQLITE_NULL;
}

static int64_t integer(const struct sql_statement *at, int column) {
    return sqlite3_column_int64(at->native, column);
}

static double number(const struct sql_statement *at, int column) {
    return sqlite3_column_double(at->native, column);
}

static const char *text(const struct sql_statement *at, int column) {
    return (const char *)sqlite3_column_text(at->native, column);
}

static const void *blob(const struct sql_statement *at, int column, size_t *size) {
    const void *bytes = sqlite3_column_blob(at->native, column);
    *size = (size_t)sqlite3_column_bytes(at->native, column);
    return bytes;
}

/* Tables are STRICT, so the declared type is that of the values. */
static char column_of(const struct sql_statement *at, int column, const char **name) {
    if (column >= sqlite3_column_count(at->native))
        return 0;
    *name = sqlite3_column_name(at->native, column);
    switch (sqlite3_column_decltype(at->native, column)[0]) {
    case 'I': return 'i';
    case 'R': return 'd';
    case 'T': return 't';
    default: return 'b';
    }
}

/* ------------------------------------------------------------------ what is not common SQL */

static enum store_status ping(struct store_session *session) {
    int64_t tables; /* SELECT 1 would not read the file */
    struct sql_statement *count = sql_prepare(session, "SELECT count(*) FROM sqlite_schema", "");
    return sql_value(session, count, &tables, STORE_ERROR);
}

static enum store_status used(struct store_session *session, int64_t *bytes) {
    int64_t pages, unused;
    enum store_status status =
        sql_value(session, sql_prepare(session, "PRAGMA page_count", ""), &pages, STORE_OK);
    if (status == STORE_OK)
        status = sql_value(session, sql_prepare(session, "PRAGMA freelist_count", ""), &unused,
                           STORE_OK);
    if (status == STORE_OK)
        *bytes = (pages - unused) * SQLITE_PAGE_BYTES;
    return status;
}

static enum store_status last_event(struct store_session *session, int64_t *id) {
    return sql_value(
        session, sql_prepare(session, "SELECT seq FROM sqlite_sequence WHERE name = 'event'", ""),
        id, STORE_OK);
}

/* ------------------------------------------------------------------ transactions */

static enum store_status begin_reading(struct store_session *session) {
    return sql_run(session, "SAVEPOINT reading", "");
}

static enum store_status end_reading(struct store_session *session) {
    return sql_run(session, "RELEASE reading", "");
}

static enum store_status begin(struct store_session *session) {
    return sql_run(session, "BEGIN IMMEDIATE", "");
}

/* The file gets room for its new pages before they are committed to the log. Otherwise, the two
 * could fill the disk together: the log is emptied by moving it into the database, which would then
 * have no room to grow, whatever is deleted. */
static enum store_status grow_file(struct sqlite_session *session) {
    int64_t pages;
    const enum store_status status = sql_value(
        &session->base, sql_prepare(&session->base, "PRAGMA page_count", ""), &pages, STORE_OK);
    const int64_t bytes = pages * session->page_bytes;
    if (status != STORE_OK || bytes <= session->file_bytes)
        return status;
    errno = ENOSPC; /* unless a call sets it: posix_fallocate does not */
    const int code =
        sqlite3_file_control(session->db, "main", SQLITE_FCNTL_SIZE_HINT, &(sqlite3_int64){bytes});
    if (code != SQLITE_OK)
        return session->base.status = sqlite_failure(NULL, code, "room for the log's pages");
    session->file_bytes = bytes;
    return STORE_OK;
}

static void abort_all(struct store_session *session) {
    const enum store_status why = session->status;
    if (!sqlite3_get_autocommit(db_of(session)))
        sql_run(session, "ROLLBACK", "");
    session->status = why;
}

static enum store_status commit(struct store_session *session) {
    struct sqlite_session *writer = (struct sqlite_session *)session;
    enum store_status status = grow_file(writer);
    if (status != STORE_OK) {
        abort_all(session);
        return status;
    }
    atomic_store(&writer->committing, true);
    status = sql_run(session, "COMMIT", "");
    atomic_store(&writer->committing, false);
    if (status != STORE_OK)
        abort_all(session);
    return status;
}

static enum store_status savepoint(struct store_session *session) {
    return sql_run(session, "SAVEPOINT task", "");
}

static enum store_status keep(struct store_session *session, bool kept) {
    /* A full disk, for example, makes SQLite roll back the whole transaction on its own. */
    if (sqlite3_get_autocommit(db_of(session)))
        return session->status != STORE_OK ? session->status : STORE_ERROR;
    if (!kept) {
        enum store_status status = sql_run(session, "ROLLBACK TO task", "");
        if (status != STORE_OK)
            return status;
    }
    return sql_run(session, "RELEASE task", "");
}

static struct store_reach reach(const struct store *store) {
    return (struct store_reach){.file = sqlite_path(store)};
}

static bool is_usable(struct store_session *session) {
    (void)session;
    return true;
}

/* Opening the file has applied the migrations. */
static bool has_schema(struct store *store, char *error, size_t error_size) {
    (void)store, (void)error, (void)error_size;
    return true;
}

static void run_now(struct sql_statement *statement) {
    while (row(statement))
        ;
}

const struct driver sqlite_driver = {
    /* The file is here, and only this process writes to it: a report is as new as a glance can
     * tell, a checkpoint is as cheap as its copy in memory, and one commit is quicker than two. */
    .pace = {.report_least = 0, .report_most = 0.05, .bytes_at_once = STORE_PIECE_BYTES},
    .row_copies = 1,
    .open = sqlite_open,
    .close = sqlite_close,
    .schema_fits = has_schema,
    .migrate = has_schema,
    .backup = sqlite_backup,
    .path = sqlite_path,
    .reach = reach,
    .loss = sqlite_loss,
    .is_there = sqlite_is_there,
    .is_whole = sqlite_is_whole,
    .version = sqlite_version,
    .sizes = sqlite_sizes,
    .checkpoint = sqlite_checkpoint,
    .open_reader = sqlite_open_reader,
    .is_usable = is_usable,
    .close_session = sqlite_close_session,
    .ping = ping,
    .limit = sqlite_limit,
    .used = used,
    .last_event = last_event,
    .begin = begin,
    .commit = commit,
    .abort = abort_all,
    .savepoint = savepoint,
    .keep = keep,
    .begin_reading = begin_reading,
    .end_reading = end_reading,
    .prepare = prepare,
    .bind = bind,
    .row = row,
    .done = done,
    .later = run_now,
    .load_begin = sqlite_load_begin,
    .load = sqlite_load,
    .load_end = sqlite_load_end,
    .last = sqlite_last,
    .set_last = sqlite_set_last,
    .changes = changes,
    .is_null = is_null,
    .integer = integer,
    .number = number,
    .text = text,
    .blob = blob,
    .column = column_of,
};
