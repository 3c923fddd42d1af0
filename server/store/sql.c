#include "server/store/sql.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/log.h"

/* Is the disk full? SQLite also has other codes for that: it does not know quotas, and the log's
 * shared-memory file has its own code when it cannot grow. why: errno after the failure, because
 * sqlite3_system_errno() does not cover a commit. */
static bool is_full(int code, int why) {
    return (code & 0xff) == SQLITE_FULL ||
           ((code & 0xff) == SQLITE_IOERR && (why == ENOSPC || why == EDQUOT));
}

enum store_status sql_failure(sqlite3 *db, int code, const char *what) {
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

static sqlite3_stmt *find(struct store_session *session, const char *sql) {
    for (int i = 0; i < session->cached; i++)
        if (session->cache[i].sql == sql)
            return session->cache[i].statement;
    sqlite3_stmt *statement = NULL;
    int code =
        session->cached == SQL_MAX_STATEMENTS
            ? SQLITE_NOMEM
            : sqlite3_prepare_v3(session->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);
    if (code != SQLITE_OK) {
        session->status = sql_failure(session->db, code, sql);
        return NULL;
    }
    session->cache[session->cached].sql = sql;
    session->cache[session->cached++].statement = statement;
    return statement;
}

sqlite3_stmt *sql_prepare(struct store_session *session, const char *sql, const char *types, ...) {
    session->status = STORE_OK;
    sqlite3_stmt *statement = find(session, sql);
    if (!statement)
        return NULL;
    va_list values;
    va_start(values, types);
    for (int i = 1, code; *types; types++, i++) {
        if (*types == 't') {
            code = sqlite3_bind_text(statement, i, va_arg(values, const char *), -1, SQLITE_STATIC);
        } else if (*types == 'i') {
            code = sqlite3_bind_int64(statement, i, va_arg(values, int64_t));
        } else if (*types == 'd') {
            code = sqlite3_bind_double(statement, i, va_arg(values, double));
        } else { /* 'b' */
            const void *bytes = va_arg(values, const void *);
            code = sqlite3_bind_blob64(statement, i, bytes, va_arg(values, size_t), SQLITE_STATIC);
        }
        if (code != SQLITE_OK)
            session->status = sql_failure(session->db, code, sql);
    }
    va_end(values);
    return statement;
}

bool sql_row(struct store_session *session, sqlite3_stmt *statement) {
    if (!statement || session->status != STORE_OK)
        return false;
    int code = sqlite3_step(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        session->status =
            sql_failure(session->db, sqlite3_extended_errcode(session->db), sqlite3_sql(statement));
    return code == SQLITE_ROW;
}

enum store_status sql_done(struct store_session *session, sqlite3_stmt *statement) {
    /* An open read would pin the write-ahead log, so this is on every path. */
    sqlite3_reset(statement);
    if (statement)
        sqlite3_clear_bindings(statement);
    return session->status;
}

enum store_status sql_found(struct store_session *session, sqlite3_stmt *statement, bool found,
                            enum store_status none) {
    const enum store_status status = sql_done(session, statement);
    return status == STORE_OK && !found ? none : status;
}

enum store_status sql_value(struct store_session *session, sqlite3_stmt *statement, int64_t *value,
                            enum store_status none) {
    const bool found = sql_row(session, statement);
    *value = found ? sqlite3_column_int64(statement, 0) : 0;
    return sql_found(session, statement, found, none);
}

enum store_status sql_finish(struct store_session *session, sqlite3_stmt *statement) {
    while (sql_row(session, statement))
        ;
    return sql_done(session, statement);
}

void *sql_blob(struct store_session *session, sqlite3_stmt *statement, int column, size_t *size) {
    *size = 0;
    if (sqlite3_column_type(statement, column) == SQLITE_NULL)
        return NULL;
    const void *bytes = sqlite3_column_blob(statement, column);
    size_t length = (size_t)sqlite3_column_bytes(statement, column);
    char *copy = malloc(length + 1);
    if (!copy) {
        session->status = STORE_ERROR;
        return NULL;
    }
    if (length)
        memcpy(copy, bytes, length);
    copy[length] = '\0';
    *size = length;
    return copy;
}

char *sql_text(struct store_session *session, sqlite3_stmt *statement, int column) {
    size_t length;
    return sql_blob(session, statement, column, &length);
}

double sql_real(sqlite3_stmt *statement, int column) {
    return sqlite3_column_type(statement, column) == SQLITE_NULL
               ? NAN
               : sqlite3_column_double(statement, column);
}

int sql_name(sqlite3_stmt *statement, int column, const char *const *names) {
    const char *text = (const char *)sqlite3_column_text(statement, column);
    int i = 0;
    while (names[i + 1] && strcmp(names[i], text) != 0)
        i++;
    return i;
}

/* ------------------------------------------------------------------ transactions */

enum store_status sql_begin_reading(struct store_session *session) {
    return sql_run(session, "SAVEPOINT reading", "");
}

enum store_status sql_end_reading(struct store_session *session, enum store_status status) {
    const enum store_status ended = sql_run(session, "RELEASE reading", "");
    return status != STORE_OK ? status : ended;
}

enum store_status store_begin(struct store_session *session) {
    return sql_run(session, "BEGIN IMMEDIATE", "");
}

/* The file gets room for its new pages before they are committed to the log. Otherwise, the two
 * could fill the disk together: the log is emptied by moving it into the database, which would then
 * have no room to grow, whatever is deleted. */
static enum store_status grow_file(struct store_session *session) {
    int64_t pages;
    const enum store_status status =
        sql_value(session, sql_prepare(session, "PRAGMA page_count", ""), &pages, STORE_OK);
    const int64_t bytes = pages * session->page_bytes;
    if (status != STORE_OK || bytes <= session->file_bytes)
        return status;
    errno = ENOSPC; /* unless a call sets it: posix_fallocate does not */
    const int code =
        sqlite3_file_control(session->db, "main", SQLITE_FCNTL_SIZE_HINT, &(sqlite3_int64){bytes});
    if (code != SQLITE_OK)
        return session->status = sql_failure(NULL, code, "room for the log's pages");
    session->file_bytes = bytes;
    return STORE_OK;
}

enum store_status store_commit(struct store_session *session) {
    enum store_status status = grow_file(session);
    if (status != STORE_OK) {
        store_abort(session);
        return status;
    }
    atomic_store(&session->committing, true);
    status = sql_run(session, "COMMIT", "");
    atomic_store(&session->committing, false);
    if (status != STORE_OK)
        store_abort(session);
    else
        sql_endings_over(session, true);
    return status;
}

void store_abort(struct store_session *session) {
    enum store_status why = session->status;
    sql_endings_over(session, false);
    if (!sqlite3_get_autocommit(session->db))
        sql_run(session, "ROLLBACK", "");
    session->status = why;
}

enum store_status store_savepoint(struct store_session *session) {
    sql_endings_mark(session);
    return sql_run(session, "SAVEPOINT task", "");
}

enum store_status store_keep(struct store_session *session, bool keep) {
    /* A full disk, for example, makes SQLite roll back the whole transaction on its own. */
    if (sqlite3_get_autocommit(session->db))
        return session->status != STORE_OK ? session->status : STORE_ERROR;
    if (!keep) {
        sql_endings_return(session);
        enum store_status status = sql_run(session, "ROLLBACK TO task", "");
        if (status != STORE_OK)
            return status;
    }
    return sql_run(session, "RELEASE task", "");
}
