/* How statements and transactions of the store run on PostgreSQL. Values travel in binary form, and
 * rows one by one, so that a long history is never in memory as a whole. */
#include <endian.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/log.h"
#include "server/store/postgresql/contact.h"
#include "server/store/postgresql/postgresql.h"
#include "server/store/sql.h"

/* Types of PostgreSQL, by the numbers that never change. */
enum { BOOL = 16, BYTEA = 17, INT8 = 20, INT2 = 21, INT4 = 23, TEXT = 25, FLOAT8 = 701 };

/* libpq's buffers are as large as the largest row that has come through them: usually a piece, here
 * a very long text, after which the connection is closed. */
enum { LARGE_BYTES = 4 * STORE_PIECE_BYTES };

/* For the answer to a commit: then somebody must find out whether it took place, for whom a client
 * waits. */
enum { COMMIT_SECONDS = 2 };

/* What is kept of a statement. The values are those that were bound last. */
struct prepared {
    char name[16];
    char *sql;      /* with $1 for ?1 */
    int generation; /* of the connection that has it; 0: none */
    int count;      /* parameters */
    bool is_bound;  /* and not sent yet */
    PGresult *row;  /* the current one; NULL: none */
    struct parameter {
        Oid type;
        uint64_t bits; /* of a number, as it is sent */
    } * parameters;    /* [count] */
    Oid *types;        /* [count], and so on, for libpq */
    const char **values;
    int *lengths, *formats;
};

static struct postgresql_session *session_of(const struct store_session *session) {
    return (struct postgresql_session *)session;
}

/* ------------------------------------------------------------------ the text */

static bool starts(const char *at, const char *word) {
    return strncmp(at, word, strlen(word)) == 0;
}

/* The text for PostgreSQL, from malloc: $1 for ?1, a number for each ? without one, with what is in
 * comments that begin with an exclamation mark, and without the names of indices, which are for SQLite. No
 * statement has a question mark in a text. */
static char *translate(const char *sql) {
    static const char hint[] = " INDEXED BY ", begin[] = "/*!", end[] = "*/";
    char *out = malloc(4 * strlen(sql) + 1), *to = out;
    int number = 0;
    for (const char *at = sql; out && *at;) {
        if (starts(at, hint)) {
            at += sizeof hint - 1;
            at += strcspn(at, " ");
        } else if (starts(at, begin)) {
            at += sizeof begin - 1;
        } else if (starts(at, end)) {
            at += sizeof end - 1;
        } else if (*at == '?') {
            at++;
            *to++ = '$';
            if (*at < '0' || *at > '9')
                to += sprintf(to, "%d", ++number % 10000);
        } else {
            *to++ = *at++;
        }
    }
    if (out)
        *to = '\0';
    return out;
}

static Oid type_of(char letter) {
    return letter == 't' ? TEXT : letter == 'i' ? INT8 : letter == 'd' ? FLOAT8 : BYTEA;
}

static void forget(void *native) {
    struct prepared *prepared = native;
    if (!prepared)
        return;
    pq.clear(prepared->row);
    free(prepared->sql);
    free(prepared->parameters);
    free(prepared->types);
    free(prepared->values);
    free(prepared->lengths);
    free(prepared->formats);
    free(prepared);
}

static void *prepare(struct store_session *session, const char *sql, const char *types) {
    const size_t count = strlen(types), room = count + 1; /* calloc(0) may be NULL */
    struct prepared *prepared = calloc(1, sizeof *prepared);
    if (prepared) {
        prepared->sql = translate(sql);
        prepared->count = (int)count;
        prepared->parameters = calloc(room, sizeof *prepared->parameters);
        prepared->types = calloc(room, sizeof *prepared->types);
        prepared->values = calloc(room, sizeof *prepared->values);
        prepared->lengths = calloc(room, sizeof *prepared->lengths);
        prepared->formats = calloc(room, sizeof *prepared->formats);
        snprintf(prepared->name, sizeof prepared->name, "s%d", session->cached);
    }
    if (!prepared || !prepared->sql || !prepared->parameters || !prepared->types ||
        !prepared->values || !prepared->lengths || !prepared->formats) {
        forget(prepared);
        session->status = STORE_ERROR;
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        prepared->types[i] = type_of(types[i]);
        prepared->formats[i] = 1;
    }
    return prepared;
}

void postgresql_close_session(struct store_session *session) {
    struct postgresql_session *closing = session_of(session);
    for (int i = 0; i < session->cached; i++)
        forget(session->cache[i].native);
    postgresql_disconnect(closing);
    free(closing);
}

/* ------------------------------------------------------------------ statements */

/* A number as it is sent: eight bytes, the highest first. */
static void bind_bits(struct prepared *prepared, int i, uint64_t bits) {
    prepared->parameters[i].bits = htobe64(bits);
    prepared->values[i] = (const char *)&prepared->parameters[i].bits;
    prepared->lengths[i] = sizeof bits;
}

static void bind_real(struct prepared *prepared, int i, double number) {
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    bind_bits(prepared, i, bits);
    if (isnan(number))
        prepared->values[i] = NULL;
}

static void bind(struct sql_statement *statement, int first, const char *types, va_list values) {
    struct prepared *prepared = statement->native;
    bool fits = first - 1 + (int)strlen(types) <= prepared->count;
    for (int i = first - 1; *types && fits; i++, types++) {
        if (*types == 't') {
            prepared->values[i] = va_arg(values, const char *);
            const size_t length = prepared->values[i] ? strlen(prepared->values[i]) : 0;
            prepared->lengths[i] = (int)length;
            fits = length <= INT_MAX;
        } else if (*types == 'i') {
            bind_bits(prepared, i, (uint64_t)va_arg(values, int64_t));
        } else if (*types == 'd') {
            bind_real(prepared, i, va_arg(values, double));
        } else { /* 'b' */
            prepared->values[i] = va_arg(values, const void *);
            const size_t size = va_arg(values, size_t);
            prepared->lengths[i] = (int)size;
            fits = size <= INT_MAX;
            session_of(statement->session)->has_grown |= size > LARGE_BYTES;
        }
    }
    prepared->is_bound = fits;
    if (!fits) {
        log_line(LOG_ERROR, "a value does not fit into a statement", "sql=\"%s\"", statement->sql);
        statement->session->status = STORE_ERROR;
    }
}

/* Prepares the statement on the current connection, unless that was done. */
static bool prepare_there(struct postgresql_session *session, struct prepared *prepared) {
    if (prepared->generation == session->generation)
        return true;
    if (!pq.sendPrepare(session->connection, prepared->name, prepared->sql, prepared->count,
                        prepared->types)) {
        session->base.status = postgresql_failure(session, NULL, prepared->sql);
        return false;
    }
    session->base.status = postgresql_drain(session, prepared->sql);
    if (session->base.status == STORE_OK)
        prepared->generation = session->generation;
    return session->base.status == STORE_OK;
}

/* The server takes a transaction for idle while a large value is on its way. */
static bool take_time_to_send(struct postgresql_session *session) {
    return !session->has_grown || pq.transactionStatus(session->connection) != PQTRANS_INTRANS ||
           postgresql_command(session, "SET LOCAL idle_in_transaction_session_timeout = '60s'") ==
               STORE_OK;
}

/* Its next statement may meet another session of the server, which has not prepared it. */
static bool send(struct postgresql_session *session, const struct prepared *prepared) {
    if (session->is_pooled)
        return pq.sendQueryParams(session->connection, prepared->sql, prepared->count,
                                  prepared->types, prepared->values, prepared->lengths,
                                  prepared->formats, 1);
    return pq.sendQueryPrepared(session->connection, prepared->name, prepared->count,
                                prepared->values, prepared->lengths, prepared->formats, 1);
}

static bool can_run_later(const struct postgresql_session *session,
                          const struct prepared *prepared) {
    return postgresql_may_run_later(session) && prepared->generation == session->generation;
}

/* Sends a bound statement. */
static bool start(struct sql_statement *statement) {
    struct postgresql_session *session = session_of(statement->session);
    struct prepared *prepared = statement->native;
    prepared->is_bound = false;
    if (!session->connection || session->running) {
        const bool is_usual = !session->running && contact_is_lost(session->store);
        log_line(is_usual ? LOG_DEBUG : LOG_ERROR, "database error", "what=\"%s\" detail=\"%s\"",
                 statement->sql,
                 session->running ? "another statement is running" : "no connection");
        session->base.status = session->running ? STORE_ERROR : STORE_AWAY;
        return false;
    }
    const bool joins = session->unanswered > 0 && can_run_later(session, prepared);
    if (!joins && (session->base.status = postgresql_catch_up(session)) != STORE_OK)
        return false;
    if (!session->is_pooled && !prepare_there(session, prepared))
        return false;
    if (!take_time_to_send(session))
        return false;
    const bool is_sent = send(session, prepared);
    if (is_sent && joins) {
        session->base.status = postgresql_join_pipeline(session, statement->sql);
        if (session->base.status != STORE_OK)
            return false;
    }
    if (!is_sent || !pq.setSingleRowMode(session->connection)) {
        session->base.status = postgresql_failure(session, NULL, statement->sql);
        return false;
    }
    session->running = statement;
    return true;
}

bool postgresql_has_changed(PGresult *result) {
    return strtoll(pq.cmdTuples(result), NULL, 10) > 0 &&
           strncmp(pq.cmdStatus(result), "SELECT", sizeof "SELECT" - 1) != 0;
}

/* The end of a statement: how many rows it has changed, and whether it has failed. */
static void finish(struct sql_statement *statement, PGresult *result) {
    struct postgresql_session *session = session_of(statement->session);
    enum store_status status = STORE_OK;
    session->changes = 0;
    if (!result || pq.resultStatus(result) == PGRES_FATAL_ERROR)
        status = result ? postgresql_failure(session, result, statement->sql) : STORE_AWAY;
    else
        session->changes = strtoll(pq.cmdTuples(result), NULL, 10);
    const int64_t changes = session->changes;
    session->has_changed |= changes > 0 && postgresql_has_changed(result);
    pq.clear(result);
    session->running = NULL;
    enum store_status rest = postgresql_drain(session, statement->sql);
    if (session->is_in_pipeline && !postgresql_leave_pipeline(session))
        rest = STORE_AWAY;
    session->changes = changes;
    if (status == STORE_OK)
        status = rest;
    if (session->base.status == STORE_OK)
        session->base.status = status;
}

static bool row(struct sql_statement *statement) {
    struct postgresql_session *session = session_of(statement->session);
    struct prepared *prepared = statement->native;
    pq.clear(prepared->row);
    prepared->row = NULL;
    if (prepared->is_bound ? !start(statement) : session->running != statement)
        return false;
    PGresult *result = postgresql_result(session);
    if (result && pq.resultStatus(result) == PGRES_SINGLE_TUPLE) {
        prepared->row = result;
        return true;
    }
    finish(statement, result);
    return false;
}

/* A statement may fail after its first row: it is read to its end. */
static void done(struct sql_statement *statement) {
    struct prepared *prepared = statement->native;
    while (session_of(statement->session)->running == statement)
        row(statement);
    pq.clear(prepared->row);
    prepared->row = NULL;
    prepared->is_bound = false;
}

static void run_later(struct sql_statement *statement) {
    struct postgresql_session *session = session_of(statement->session);
    struct prepared *prepared = statement->native;
    if (!can_run_later(session, prepared)) {
        row(statement);
        return;
    }
    prepared->is_bound = false;
    if (!postgresql_enter_pipeline(session, statement->sql) || !send(session, prepared))
        session->base.status = postgresql_failure(session, NULL, statement->sql);
}

static int64_t changes_of(struct store_session *session) {
    return session_of(session)->changes;
}

/* ------------------------------------------------------------------ columns */

static PGresult *row_of(const struct sql_statement *statement) {
    return ((const struct prepared *)statement->native)->row;
}

static bool is_null(const struct sql_statement *statement, int column) {
    return pq.getisnull(row_of(statement), 0, column);
}

/* The bytes of a number as an integer: the highest first, with its sign. */
static int64_t bits_of(const PGresult *result, int column) {
    const unsigned char *bytes = (const unsigned char *)pq.getvalue(result, 0, column);
    const int size = pq.getlength(result, 0, column);
    uint64_t bits =
        size > 0 && bytes[0] & 0x80 && pq.ftype(result, column) != BOOL ? UINT64_MAX : 0;
    for (int i = 0; i < size; i++)
        bits = bits << 8 | bytes[i];
    return (int64_t)bits;
}

static double real_of(const PGresult *result, int column) {
    const int64_t bits = bits_of(result, column);
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static int64_t integer(const struct sql_statement *statement, int column) {
    const PGresult *result = row_of(statement);
    if (is_null(statement, column))
        return 0;
    switch (pq.ftype(result, column)) {
    case BOOL:
    case INT2:
    case INT4:
    case INT8: return bits_of(result, column);
    case FLOAT8: return (int64_t)real_of(result, column);
    default:
        log_line(LOG_ERROR, "a column is no number", "sql=\"%s\" column=%d", statement->sql,
                 column);
        statement->session->status = STORE_ERROR;
        return 0;
    }
}

static double number(const struct sql_statement *statement, int column) {
    const PGresult *result = row_of(statement);
    if (!is_null(statement, column) && pq.ftype(result, column) == FLOAT8)
        return real_of(result, column);
    return (double)integer(statement, column);
}

static const char *text(const struct sql_statement *statement, int column) {
    return is_null(statement, column) ? NULL : pq.getvalue(row_of(statement), 0, column);
}

static const void *blob(const struct sql_statement *statement, int column, size_t *size) {
    *size = (size_t)pq.getlength(row_of(statement), 0, column);
    session_of(statement->session)->has_grown |= *size > LARGE_BYTES;
    return text(statement, column);
}

static char column_of(const struct sql_statement *statement, int column, const char **name) {
    const PGresult *result = row_of(statement);
    if (column >= pq.nfields(result))
        return 0;
    *name = pq.fname(result, column);
    switch (pq.ftype(result, column)) {
    case TEXT: return 't';
    case BYTEA: return 'b';
    case FLOAT8: return 'd';
    default: return 'i';
    }
}

/* ------------------------------------------------------------------ what is not common SQL */

static enum store_status ping(struct store_session *session) {
    int64_t one;
    return sql_value(session, sql_prepare(session, "SELECT 1", ""), &one, STORE_ERROR);
}

static enum store_status limit(struct store_session *session, int64_t bytes) {
    (void)session;
    if (bytes > 0)
        log_line(LOG_ERROR, "--max-database is for SQLite: PostgreSQL has its own limits", NULL);
    return bytes > 0 ? STORE_ERROR : STORE_OK;
}

static enum store_status used(struct store_session *session, int64_t *bytes) {
    return sql_value(session,
                     sql_prepare(session, "SELECT pg_database_size(current_database())", ""), bytes,
                     STORE_ERROR);
}

static enum store_status last_event(struct store_session *session, int64_t *id) {
    return sql_value(session, sql_prepare(session, POSTGRESQL_NEWEST_EVENT, ""), id, STORE_ERROR);
}

/* ------------------------------------------------------------------ transactions */

#define BEGIN_READING "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

static enum store_status begin_reading(struct store_session *session) {
    struct postgresql_session *reader = session_of(session);
    /* In a transaction of the writer, each statement sees what others have committed by then. */
    if (!reader->connection || pq.transactionStatus(reader->connection) != PQTRANS_IDLE)
        return reader->connection ? STORE_OK : STORE_AWAY;
    const enum store_status status = postgresql_command(
        reader,
        reader->is_pooled ? BEGIN_READING ";" POSTGRESQL_LIMITS("SET LOCAL") : BEGIN_READING);
    reader->reads_alone = status == STORE_OK;
    return status;
}

static enum store_status end_reading(struct store_session *session) {
    struct postgresql_session *reader = session_of(session);
    if (!reader->reads_alone)
        return reader->connection ? STORE_OK : STORE_AWAY;
    reader->reads_alone = false;
    return postgresql_command(reader, "COMMIT");
}

static void abort_all(struct store_session *session) {
    struct postgresql_session *writer = session_of(session);
    const enum store_status why = session->status;
    postgresql_roll_back(writer);
    session->status = why;
}

static enum store_status connect_writer(struct store_session *session) {
    return session->status = postgresql_take(session_of(session));
}

static enum store_status begin(struct store_session *session) {
    struct postgresql_session *writer = session_of(session);
    writer->has_changed = false;
    /* The server may have cut the connection since the last transaction: nothing is lost by that. */
    if (!postgresql_is_idle(writer))
        postgresql_disconnect(writer);
    for (int i = 0; i < 2; i++) {
        if (postgresql_take(writer) != STORE_OK)
            return session->status = STORE_AWAY;
        writer->trouble = STORE_OK;
        if (postgresql_begin(writer) == STORE_OK)
            return STORE_OK;
        abort_all(session); /* it may have begun, and then failed to get its lock */
    }
    return session->status;
}

static enum store_status commit(struct store_session *session) {
    struct postgresql_session *writer = session_of(session);
    const enum store_status late = postgresql_catch_up(writer);
    /* PostgreSQL would answer such a COMMIT with a rollback, and call that a success. */
    if (!writer->connection || pq.transactionStatus(writer->connection) != PQTRANS_INTRANS) {
        abort_all(session);
        return session->status = writer->trouble != STORE_OK ? writer->trouble
                                 : late != STORE_OK          ? late
                                                             : STORE_ERROR;
    }
    const double patience = writer->patience;
    if (patience == 0)
        writer->patience = COMMIT_SECONDS;
    enum store_status status = postgresql_command(writer, "COMMIT");
    writer->patience = patience;
    if (status != STORE_OK)
        abort_all(session);
    /* Without an answer nobody knows whether it took place. */
    if (status != STORE_OK && !writer->connection)
        status = STORE_IN_DOUBT;
    if ((status == STORE_OK || status == STORE_IN_DOUBT) && writer->has_changed) {
        atomic_fetch_add(&writer->store->loud_commits, !session->is_quiet);
        atomic_fetch_add(&writer->store->commits, 1);
    }
    return status;
}

/* Most transactions have one task, and nearly all tasks are kept: a savepoint would be two round trips
 * for nothing. */
static enum store_status savepoint(struct store_session *session) {
    struct postgresql_session *writer = session_of(session);
    writer->had_changed = writer->has_changed;
    writer->has_changed = false;
    return STORE_OK;
}

static enum store_status keep(struct store_session *session, bool kept) {
    struct postgresql_session *writer = session_of(session);
    if (!kept)
        postgresql_catch_up(writer);
    const bool is_whole =
        writer->connection && pq.transactionStatus(writer->connection) == PQTRANS_INTRANS;
    const bool must_undo = !kept && (writer->has_changed || !is_whole);
    writer->has_changed |= writer->had_changed;
    if (writer->trouble != STORE_OK)
        return writer->trouble;
    return must_undo ? STORE_CONFLICT : STORE_OK;
}

/* ------------------------------------------------------------------ the driver */

static bool is_there(struct store *store) {
    (void)store;
    return true;
}

static const char *loss(const struct store *store) {
    (void)store;
    return NULL;
}

/* PostgreSQL moves its log by itself. */
static void checkpoint(struct store *store, bool is_full) {
    (void)store, (void)is_full;
}

static bool is_usable(struct store_session *session) {
    const struct postgresql_session *reader = session_of(session);
    return !reader->running && postgresql_is_idle(reader);
}

const struct driver postgresql_driver = {
    /* Each report is a commit on a server that others use, too, and then their nodes look for its
     * events: at most two in a second. A long transaction holds the row of its job, so large bytes
     * come before it. */
    .pace = {.report_least = 0.5,
             .report_most = 1,
             .counts_storing = true,
             .bytes_at_once = STORE_PIECE_BYTES / 4},
    .is_shared = true,
    .row_copies = 3,  /* libpq doubles its buffer until a row fits, and takes the row out of it */
    .connections = 4, /* of the writer, of the lease, to listen, and to look whether it is there */
    .open = postgresql_open,
    .close = postgresql_close,
    .schema_fits = postgresql_schema_fits,
    .migrate = postgresql_migrate,
    .backup = postgresql_backup,
    .path = postgresql_path,
    .reach = postgresql_reach,
    .loss = loss,
    .is_there = is_there,
    .is_whole = is_there,
    .version = postgresql_version,
    .sizes = postgresql_sizes,
    .checkpoint = checkpoint,
    .keep_contact = postgresql_keep_contact,
    .away = postgresql_away,
    .is_silent = postgresql_is_silent,
    .crowded = postgresql_crowded,
    .open_reader = postgresql_open_reader,
    .open_writer = postgresql_open_writer,
    .is_usable = is_usable,
    .close_session = postgresql_close_session,
    .ping = ping,
    .limit = limit,
    .used = used,
    .last_event = last_event,
    .horizon = postgresql_horizon,
    .settle = postgresql_settle,
    .event_pause = postgresql_event_pause,
    .is_outdated = postgresql_is_outdated,
    .try_alone = postgresql_try_alone,
    .open_listener = postgresql_open_listener,
    .listen = postgresql_listen,
    .tell_cancel = postgresql_tell_cancel,
    .connect = connect_writer,
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
    .later = run_later,
    .take_time = postgresql_take_time,
    .load_begin = postgresql_load_begin,
    .load = postgresql_load,
    .load_end = postgresql_load_end,
    .last = postgresql_last,
    .set_last = postgresql_set_last,
    .changes = changes_of,
    .is_null = is_null,
    .integer = integer,
    .number = number,
    .text = text,
    .blob = blob,
    .column = column_of,
};
