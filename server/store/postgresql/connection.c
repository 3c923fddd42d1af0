/* Connections to PostgreSQL: nothing waits for the server longer than a deadline. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/store/postgresql/postgresql.h"

/* Without a sign of the server: usually, and where an index or a large table takes its time. */
enum { DEADLINE_SECONDS = 30, PATIENCE_SECONDS = 86400 };

/* What the server does for a session. It ends the transaction of a client that is frozen, or cut off
 * without a word, because the locks that it holds would stop all others. */
#define SET_UP                                                                                     \
    "SET extra_float_digits = 3; SET TimeZone = 'UTC'; SET standard_conforming_strings = on;"      \
    "SET idle_in_transaction_session_timeout = '5s'; SET statement_timeout = '60s';"               \
    "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;"  \
    "SET tcp_user_timeout = 10000"
/* Of one transaction. */
#define TAKE_TIME                                                                                  \
    "SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0"

static void ignore(void *argument, const char *message) {
    (void)argument, (void)message;
}

bool postgresql_is_connected(const struct postgresql_session *session) {
    return session->connection && pq.status(session->connection) == CONNECTION_OK;
}

void postgresql_disconnect(struct postgresql_session *session) {
    if (session->connection)
        pq.finish(session->connection);
    session->connection = NULL;
    session->running = NULL;
    session->reads_alone = false;
}

/* libpq ends its messages with a line break, and may write several lines. */
static void one_line(const char *message, char *out, size_t size) {
    snprintf(out, size, "%s", message ? message : "");
    size_t length = strlen(out);
    while (length > 0 && out[length - 1] == '\n')
        out[--length] = '\0';
    for (size_t i = 0; i < length; i++)
        if (out[i] == '\n' || out[i] == '"')
            out[i] = ' ';
}

/* libpq quotes an address, or the end of one, that it cannot read. */
static bool is_about_address(const char *message, const char *uri) {
    return strstr(message, uri) || strstr(message, "URI") || strstr(message, "invalid ");
}

bool postgresql_connect(struct postgresql_session *session, const char *uri, char *error,
                        size_t error_size) {
    /* The first ones may be changed by the URI, which stands after them. */
    static const char *const keys[] = {"connect_timeout",      "keepalives_idle",
                                       "keepalives_interval",  "keepalives_count",
                                       "tcp_user_timeout",     "application_name",
                                       "target_session_attrs", "dbname",
                                       "client_encoding",      NULL};
    const char *const values[] = {"5",        "5",          "2", "3",    "10000",
                                  "denoised", "read-write", uri, "UTF8", NULL};
    if (postgresql_is_connected(session))
        return true;
    postgresql_disconnect(session);
    session->connection = pq.connectdbParams(keys, values, 1);
    session->generation++;
    if (postgresql_is_connected(session) && pq.setnonblocking(session->connection, 1) == 0) {
        pq.setNoticeProcessor(session->connection, ignore, NULL);
        if (postgresql_command(session, SET_UP) == STORE_OK)
            return true;
    }
    const char *message =
        session->connection ? pq.errorMessage(session->connection) : "out of memory";
    if (is_about_address(message, uri)) /* and may have its password in it */
        message = "that is no valid address of a database";
    one_line(message, error, error_size);
    postgresql_disconnect(session);
    return false;
}

/* Waits until the server has sent something, and sends what is not sent yet. What goes over the
 * network, in whatever direction, is a sign of the server, and the deadline moves. */
static bool wait_for_server(struct postgresql_session *session, double patience, double *deadline) {
    PGconn *connection = session->connection;
    const int unsent = pq.flush(connection);
    const double left = *deadline - clock_monotonic();
    struct pollfd socket = {.fd = pq.socket(connection),
                            .events = (short)(unsent > 0 ? POLLIN | POLLOUT : POLLIN)};
    if (unsent < 0 || left <= 0)
        return false;
    const int ready = poll(&socket, 1, (int)(left * 1000) + 1);
    if (ready < 0)
        return errno == EINTR;
    if (ready > 0)
        *deadline = clock_monotonic() + patience;
    return ready == 0 || !(socket.revents & ~POLLOUT) || pq.consumeInput(connection);
}

PGresult *postgresql_result(struct postgresql_session *session) {
    const double patience = session->patience > 0 ? session->patience : DEADLINE_SECONDS;
    double deadline = clock_monotonic() + patience;
    if (!session->connection)
        return NULL;
    while (pq.isBusy(session->connection))
        if (!wait_for_server(session, patience, &deadline)) {
            postgresql_failure(session, NULL, "waiting for an answer");
            return NULL;
        }
    return pq.getResult(session->connection);
}

enum store_status postgresql_failure(struct postgresql_session *session, const PGresult *result,
                                     const char *sql) {
    char detail[400];
    const char *state = result ? pq.resultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    one_line(result                ? pq.resultErrorMessage(result)
             : session->connection ? pq.errorMessage(session->connection)
                                   : "no connection",
             detail, sizeof detail);
    session->is_locked = state && strcmp(state, "55P03") == 0;
    if (session->is_locked) /* it was not obtained in time: an answer, of which nobody need hear */
        return STORE_ERROR;
    log_line(LOG_ERROR, "database error", "code=%s what=\"%s\" detail=\"%s\"",
             state ? state : "none", sql, detail);
    /* A connection that is lost, or that no longer writes, is opened again. */
    const bool is_lost = !state || strncmp(state, "08", 2) == 0 || strncmp(state, "57P", 3) == 0 ||
                         strcmp(state, "25006") == 0 || strcmp(state, "25P03") == 0 ||
                         !postgresql_is_connected(session);
    const bool is_full = state && strcmp(state, "53100") == 0;
    if (is_lost)
        postgresql_disconnect(session);
    return is_full ? STORE_FULL : STORE_ERROR;
}

enum store_status postgresql_drain(struct postgresql_session *session, const char *sql) {
    enum store_status status = STORE_OK;
    PGresult *result;
    while ((result = postgresql_result(session))) {
        const ExecStatusType kind = pq.resultStatus(result);
        if (kind != PGRES_COMMAND_OK && kind != PGRES_TUPLES_OK && kind != PGRES_SINGLE_TUPLE)
            status = postgresql_failure(session, result, sql);
        else
            session->changes = strtoll(pq.cmdTuples(result), NULL, 10);
        pq.clear(result);
    }
    return status == STORE_OK && !session->connection ? STORE_ERROR : status;
}

enum store_status postgresql_command(struct postgresql_session *session, const char *sql) {
    if (!session->connection || !pq.sendQuery(session->connection, sql))
        return session->base.status = postgresql_failure(session, NULL, sql);
    return session->base.status = postgresql_drain(session, sql);
}

/* Puts the first value of a row in the place of an earlier one; false: no memory. */
static bool keep_text(PGresult *result, char **text) {
    free(*text);
    *text = pq.getisnull(result, 0, 0) ? NULL : strdup(pq.getvalue(result, 0, 0));
    return *text || pq.getisnull(result, 0, 0);
}

enum store_status postgresql_ask(struct postgresql_session *session, const char *sql, char **text) {
    *text = NULL;
    if (!session->connection || !pq.sendQuery(session->connection, sql))
        return postgresql_failure(session, NULL, sql);
    enum store_status status = STORE_OK;
    PGresult *result;
    while (status == STORE_OK && (result = postgresql_result(session))) {
        const ExecStatusType kind = pq.resultStatus(result);
        if (kind != PGRES_COMMAND_OK && kind != PGRES_TUPLES_OK)
            status = postgresql_failure(session, result, sql);
        else if (pq.ntuples(result) > 0 && !keep_text(result, text))
            status = STORE_ERROR;
        pq.clear(result);
    }
    const enum store_status end = postgresql_drain(session, sql);
    return status != STORE_OK ? status : end;
}

enum store_status postgresql_take_time(struct store_session *session) {
    struct postgresql_session *patient = (struct postgresql_session *)session;
    patient->patience = PATIENCE_SECONDS;
    return postgresql_command(patient, TAKE_TIME);
}
