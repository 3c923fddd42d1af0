#include "server/store/sql.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/counters.h"
#include "server/base/fold.h"
#include "server/base/log.h"
#include "server/store/driver.h"

/* The statement with this text; NULL if it cannot be prepared. */
static struct sql_statement *find(struct store_session *session, const char *sql,
                                  const char *types) {
    for (int i = 0; i < session->cached; i++)
        if (session->cache[i].sql == sql)
            return &session->cache[i];
    if (session->cached == DRIVER_MAX_STATEMENTS) {
        log_line(LOG_ERROR, "too many statements", "sql=\"%s\"", sql);
        session->status = STORE_ERROR;
        return NULL;
    }
    void *native = session->driver->prepare(session, sql, types);
    if (!native)
        return NULL;
    struct sql_statement *statement = &session->cache[session->cached++];
    *statement = (struct sql_statement){sql, session, native};
    return statement;
}

struct sql_statement *sql_prepare(struct store_session *session, const char *sql, const char *types,
                                  ...) {
    struct sql_statement *statement = sql_open(session, sql, types);
    if (!statement)
        return NULL;
    va_list values;
    va_start(values, types);
    session->driver->bind(statement, 1, types, values);
    va_end(values);
    return statement;
}

struct sql_statement *sql_open(struct store_session *session, const char *sql, const char *types) {
    session->status = STORE_OK;
    return find(session, sql, types);
}

void sql_bind(struct sql_statement *statement, int first, const char *types, ...) {
    if (!statement)
        return;
    va_list values;
    va_start(values, types);
    statement->session->driver->bind(statement, first, types, values);
    va_end(values);
}

bool sql_row(struct store_session *session, struct sql_statement *statement) {
    return statement && session->status == STORE_OK && session->driver->row(statement);
}

enum store_status sql_done(struct store_session *session, struct sql_statement *statement) {
    if (statement)
        session->driver->done(statement);
    return session->status;
}

enum store_status sql_found(struct store_session *session, struct sql_statement *statement,
                            bool found, enum store_status none) {
    const enum store_status status = sql_done(session, statement);
    return status == STORE_OK && !found ? none : status;
}

enum store_status sql_value(struct store_session *session, struct sql_statement *statement,
                            int64_t *value, enum store_status none) {
    const bool found = sql_row(session, statement);
    *value = found ? sql_int64(statement, 0) : 0;
    return sql_found(session, statement, found, none);
}

enum store_status sql_finish(struct store_session *session, struct sql_statement *statement) {
    while (sql_row(session, statement))
        ;
    return sql_done(session, statement);
}

enum store_status sql_later(struct store_session *session, struct sql_statement *statement) {
    if (statement && session->status == STORE_OK)
        session->driver->later(statement);
    return sql_done(session, statement);
}

int sql_changes(struct store_session *session) {
    return (int)session->driver->changes(session);
}

/* ------------------------------------------------------------------ columns */

bool sql_is_null(const struct sql_statement *row, int column) {
    return row->session->driver->is_null(row, column);
}

int sql_int(const struct sql_statement *row, int column) {
    return (int)row->session->driver->integer(row, column);
}

int64_t sql_int64(const struct sql_statement *row, int column) {
    return row->session->driver->integer(row, column);
}

double sql_double(const struct sql_statement *row, int column) {
    return row->session->driver->number(row, column);
}

double sql_real(const struct sql_statement *row, int column) {
    return sql_is_null(row, column) ? NAN : sql_double(row, column);
}

const char *sql_chars(const struct sql_statement *row, int column) {
    return row->session->driver->text(row, column);
}

const void *sql_bytes(const struct sql_statement *row, int column, size_t *size) {
    return row->session->driver->blob(row, column, size);
}

void *sql_blob(struct store_session *session, const struct sql_statement *row, int column,
               size_t *size) {
    *size = 0;
    if (sql_is_null(row, column))
        return NULL;
    size_t length;
    const void *bytes = sql_bytes(row, column, &length);
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

char *sql_text(struct store_session *session, const struct sql_statement *row, int column) {
    size_t length;
    return sql_blob(session, row, column, &length);
}

int sql_name(const struct sql_statement *row, int column, const char *const *names) {
    const char *text = sql_chars(row, column);
    int i = 0;
    while (names[i + 1] && strcmp(names[i], text) != 0)
        i++;
    return i;
}

enum store_status sql_folded(const char *text, char **folded) {
    *folded = NULL;
    if (!text)
        return STORE_OK;
    const size_t length = strlen(text);
    *folded = malloc(FOLD_BYTES(length) + 1);
    if (!*folded)
        return STORE_ERROR;
    (*folded)[fold_text(text, length, *folded)] = '\0';
    return STORE_OK;
}

/* ------------------------------------------------------------------ transactions */

/* Jobs that end are counted where that is committed: once, however many processes read the events. */
void sql_ended(struct store_session *session, enum job_status status, int64_t jobs) {
    session->endings.noted[status] += jobs;
}

static void endings_mark(struct store_session *session) {
    memcpy(session->endings.marked, session->endings.noted, sizeof session->endings.marked);
}

static void endings_return(struct store_session *session) {
    memcpy(session->endings.noted, session->endings.marked, sizeof session->endings.noted);
}

static void endings_over(struct store_session *session, bool is_committed) {
    for (int i = 0; i < JOB_STATUS_COUNT && is_committed; i++)
        counters_add_endings(job_status_names[i], session->endings.noted[i]);
    memset(&session->endings, 0, sizeof session->endings);
}

enum store_status sql_begin_reading(struct store_session *session) {
    return session->driver->begin_reading(session);
}

enum store_status sql_end_reading(struct store_session *session, enum store_status status) {
    const enum store_status ended = session->driver->end_reading(session);
    return status != STORE_OK ? status : ended;
}

enum store_status store_begin(struct store_session *session) {
    session->is_quiet = false;
    session->queue.is_known = false;
    return session->driver->begin(session);
}

enum store_status store_begin_quiet(struct store_session *session) {
    session->is_quiet = true;
    session->queue.is_known = false;
    return session->driver->begin(session);
}

enum store_status store_commit(struct store_session *session) {
    const enum store_status status = session->driver->commit(session);
    endings_over(session, status == STORE_OK);
    return status;
}

void store_abort(struct store_session *session) {
    endings_over(session, false);
    session->driver->abort(session);
}

enum store_status store_savepoint(struct store_session *session) {
    endings_mark(session);
    return session->driver->savepoint(session);
}

enum store_status store_keep(struct store_session *session, bool keep) {
    if (!keep)
        endings_return(session);
    return session->driver->keep(session, keep);
}
