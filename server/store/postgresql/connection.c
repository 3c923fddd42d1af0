/* Connections to PostgreSQL: nothing waits for the server longer than a deadline. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/store/postgresql/contact.h"

/* Without a sign of the server: usually, which is a bit longer than it takes for a statement, and
 * where an index or a large table takes its time. systemd's watchdog wants a sign every 30 s. */
enum { DEADLINE_SECONDS = 14, PATIENCE_SECONDS = 86400 };
#define DOUBT_SECONDS   1.0 /* without a sign, after which somebody looks whether it is there, */
#define REQUEST_SECONDS 0.5 /* sooner if a request waits on a thread that others need, */
#define DOUBT_GROWTH    1.5 /* and so much later once more; */
#define LOOK_MS         200 /* between two looks for what was found */
#define AT_ONCE_SECONDS 1.0 /* in which an answer to a connect costs little */
#define NO_ROOM         "53300" /* the SQLSTATE of too_many_connections */

#define SET_UP                                                                                     \
    "SET extra_float_digits = 3; SET TimeZone = 'UTC'; SET standard_conforming_strings = on;"      \
    "SET default_transaction_isolation = 'read committed'; SET idle_session_timeout = "            \
    "0;" POSTGRESQL_LIMITS(                                                                        \
        "SET") "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET "                \
               "tcp_keepalives_count = 3;"                                                         \
               "SET tcp_user_timeout = 10000"
/* Of one transaction. */
#define TAKE_TIME                                                                                  \
    "SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0;"          \
    "SET LOCAL lock_timeout = 0"

static void ignore(void *argument, const char *message) {
    (void)argument, (void)message;
}

bool postgresql_is_connected(const struct postgresql_session *session) {
    return session->connection && pq.status(session->connection) == CONNECTION_OK;
}

bool postgresql_is_idle(const struct postgresql_session *session) {
    if (!postgresql_is_connected(session) || session->has_grown || contact_is_distrusted(session) ||
        pq.transactionStatus(session->connection) != PQTRANS_IDLE)
        return false;
    struct pollfd socket = {.fd = pq.socket(session->connection), .events = POLLIN};
    return poll(&socket, 1, 0) == 0;
}

void postgresql_disconnect(struct postgresql_session *session) {
    if (session->connection)
        pq.finish(session->connection);
    session->connection = NULL;
    session->running = NULL;
    session->unanswered = 0;
    session->is_in_pipeline = false;
    session->reads_alone = false;
    session->has_grown = false;
}

/* libpq ends its messages with a line break, and may write several lines; where in the server's source
 * text an error was found (is_for_lack_of_room asks for all) is of no use to anybody here. */
static void one_line(const char *message, char *out, size_t size) {
    snprintf(out, size, "%s", message ? message : "");
    char *place = strstr(out, "\nLOCATION:");
    size_t length = place ? (size_t)(place - out) : strlen(out);
    out[length] = '\0';
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

/* Did whoever has answered at once have no connection left? A pooler says so in English, a server in
 * its own language, and with its code only to those who want to know all: they ask again, and may be
 * connected by that. Only what a server has said has two blanks behind its severity. */
static bool is_for_lack_of_room(PGconn *connection, double seconds) {
    if (!connection || pq.status(connection) == CONNECTION_OK || seconds > AT_ONCE_SECONDS)
        return false;
    if (strstr(pq.errorMessage(connection), "no more connections"))
        return true;
    if (!strstr(pq.errorMessage(connection), ":  "))
        return false;
    pq.setErrorVerbosity(connection, PQERRORS_VERBOSE);
    pq.reset(connection);
    pq.setErrorVerbosity(connection, PQERRORS_DEFAULT);
    return pq.status(connection) != CONNECTION_OK &&
           strstr(pq.errorMessage(connection), " " NO_ROOM ": ");
}

/* What a client of a pooler sets, others would find set. */
static const char *set_up(const struct postgresql_session *session) {
    return session->is_pooled       ? "SELECT 1"
           : session->need_not_last ? SET_UP "; SET synchronous_commit = off"
                                    : SET_UP;
}

bool postgresql_connect(struct postgresql_session *session, const char *uri, char *error,
                        size_t error_size) {
    /* The first ones may be changed by the URI, which stands after them. */
    static const char *const keys[] = {"connect_timeout",      "keepalives_idle",
                                       "keepalives_interval",  "keepalives_count",
                                       "tcp_user_timeout",     "application_name",
                                       "target_session_attrs", "dbname",
                                       "client_encoding",      NULL};
    const char *const values[] = {"3",        "5",          "2", "3",    "10000",
                                  "denoised", "read-write", uri, "UTF8", NULL};
    if (postgresql_is_connected(session))
        return true;
    postgresql_disconnect(session);
    const double began = clock_monotonic();
    session->connection = pq.connectdbParams(keys, values, 1);
    session->is_refused = is_for_lack_of_room(session->connection, clock_monotonic() - began);
    session->generation++;
    session->connected = began;
    if (postgresql_is_connected(session) && pq.setnonblocking(session->connection, 1) == 0) {
        pq.setNoticeProcessor(session->connection, ignore, NULL);
        if (postgresql_command(session, set_up(session)) == STORE_OK)
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

/* Does a request wait for it on a thread that others need, too? */
static bool serves(const struct postgresql_session *session) {
    return session->is_reader && !session->base.is_lent;
}

static void note_connect(const struct postgresql_session *session, bool is_connected, double began,
                         const char *error) {
    if (is_connected)
        contact_accepted(session->store);
    else if (session->is_refused)
        contact_refused(session->store, error);
    else
        contact_lose(session->store, began, error);
}

enum store_status postgresql_take(struct postgresql_session *session) {
    char error[400];
    const double began = clock_monotonic();
    if (contact_is_lost(session->store))
        return STORE_AWAY;
    const struct postgresql_store *store = session->store;
    const bool is_past_pooler = session->is_direct && store->direct;
    if (postgresql_is_connected(session) && !contact_is_distrusted(session))
        return STORE_OK;
    postgresql_disconnect(session);
    if (!is_past_pooler && !contact_may_connect(session->store) && !session->is_vital)
        return STORE_AWAY;
    if (serves(session) && !contact_is_near(session->store))
        return STORE_AWAY;
    const bool is_connected = postgresql_connect(
        session, is_past_pooler ? store->direct : store->uri, error, sizeof error);
    if (!is_connected && (is_past_pooler || !session->is_refused))
        log_line(LOG_WARN, "cannot connect to the database", "detail=\"%s\"", error);
    if (!is_past_pooler) /* others may have a way to the database */
        note_connect(session, is_connected, began, error);
    return is_connected ? STORE_OK : STORE_AWAY;
}

/* How long a session waits for the server. */
struct waiting {
    double patience;
    double since; /* the last sign of the server, */
    double doubt; /* and for how long after it that is nothing unusual */
    double idle;  /* as of contact_is_deaf */
};

static double doubt_after(const struct postgresql_session *session) {
    return serves(session) ? REQUEST_SECONDS : DOUBT_SECONDS;
}

/* Waits a moment until the server has sent something, and sends what is not sent yet. What goes over
 * the network, in whatever direction, is a sign of the server. */
static bool wait_for_server(struct postgresql_session *session, struct waiting *waiting) {
    PGconn *connection = session->connection;
    const int unsent = pq.flush(connection);
    const double waited = clock_monotonic() - waiting->since;
    const double left_ms = 1000 * (waiting->patience - waited);
    struct pollfd socket = {.fd = pq.socket(connection),
                            .events = (short)(unsent > 0 ? POLLIN | POLLOUT : POLLIN)};
    if (unsent < 0 || left_ms <= 0 || contact_is_lost(session->store) ||
        (serves(session) && contact_is_silent(session->store)))
        return false;
    if (waited >= waiting->doubt) {
        contact_doubt(session->store);
        waiting->doubt *= DOUBT_GROWTH; /* it may compute, or wait for a lock */
    }
    const int ready = poll(&socket, 1, left_ms < LOOK_MS ? (int)left_ms + 1 : LOOK_MS);
    if (ready < 0)
        return errno == EINTR;
    if (ready > 0)
        *waiting = (struct waiting){.patience = waiting->patience,
                                    .since = clock_monotonic(),
                                    .doubt = doubt_after(session)};
    if (ready == 0 && contact_is_deaf(session, waiting->since, &waiting->idle)) {
        contact_distrust(session->store, waiting->since);
        return false;
    }
    if (ready == 0 || !(socket.revents & ~POLLOUT))
        return true;
    const bool has_sent = pq.consumeInput(connection);
    if (has_sent)
        contact_heard(session->store);
    return has_sent;
}

PGresult *postgresql_result(struct postgresql_session *session) {
    struct waiting waiting = {.patience =
                                  session->patience > 0 ? session->patience : DEADLINE_SECONDS,
                              .since = clock_monotonic(),
                              .doubt = doubt_after(session)};
    if (!session->connection)
        return NULL;
    while (pq.isBusy(session->connection))
        if (!wait_for_server(session, &waiting)) {
            postgresql_failure(session, NULL, "waiting for an answer");
            return NULL;
        }
    return pq.getResult(session->connection);
}

/* What a failure means, by the first letters of its SQLSTATE. */
static const struct meaning {
    const char *state;
    enum store_status status;
    bool ends_connection; /* which is lost, or of no use any more */
} meanings[] = {
    {"53100", STORE_FULL, false},
    {"40001", STORE_BUSY, false},  /* what others have committed has changed its ground */
    {"40P01", STORE_BUSY, false},  /* each waited for the other */
    {"55P03", STORE_BUSY, false},  /* a lock was not obtained in time */
    {"23505", STORE_TAKEN, false}, /* another transaction has inserted the same meanwhile */
    {"57014", STORE_AWAY, false},  /* statement_timeout */
    {"08", STORE_AWAY, true},
    {"57P", STORE_AWAY, true},   /* the server stops, or an administrator has ended the session */
    {NO_ROOM, STORE_AWAY, true}, /* no connections are left */
    {"25006", STORE_AWAY, true}, /* it is a standby by now */
    {"25P03", STORE_AWAY, true}, /* idle_in_transaction_session_timeout */
    {"", STORE_ERROR, false},
};

static struct meaning meaning_of(const char *state, bool is_connected) {
    size_t i = 0;
    if (!state || !is_connected)
        return (struct meaning){"none", STORE_AWAY, true};
    while (strncmp(state, meanings[i].state, strlen(meanings[i].state)) != 0)
        i++;
    return meanings[i];
}

enum store_status postgresql_failure(struct postgresql_session *session, const PGresult *result,
                                     const char *sql) {
    char detail[400];
    const char *state = result ? pq.resultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    one_line(result                ? pq.resultErrorMessage(result)
             : session->connection ? pq.errorMessage(session->connection)
                                   : "no connection",
             detail, sizeof detail);
    const struct meaning meaning = meaning_of(state, postgresql_is_connected(session));
    const bool is_in_the_way = meaning.status == STORE_BUSY || meaning.status == STORE_TAKEN;
    const bool is_usual = is_in_the_way || contact_is_lost(session->store);
    /* A migration as a whole would leave no room for what was wrong with it. */
    log_line(is_usual ? LOG_DEBUG : LOG_ERROR, "database error",
             "code=%s what=\"%.300s\" detail=\"%s\"", state ? state : "none", sql, detail);
    if (meaning.ends_connection) {
        contact_broke(session->store);
        postgresql_disconnect(session);
    }
    if (is_in_the_way || meaning.status == STORE_AWAY)
        session->trouble = meaning.status;
    return meaning.status;
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
    return status == STORE_OK && !session->connection ? STORE_AWAY : status;
}

enum store_status postgresql_command(struct postgresql_session *session, const char *sql) {
    const enum store_status before = postgresql_catch_up(session);
    if (!session->connection || !pq.sendQuery(session->connection, sql))
        return session->base.status = postgresql_failure(session, NULL, sql);
    const enum store_status status = postgresql_drain(session, sql);
    return session->base.status = before != STORE_OK ? before : status;
}

void postgresql_roll_back(struct postgresql_session *session) {
    postgresql_catch_up(session); /* which may be how the loss of the connection is noticed */
    if (!postgresql_is_connected(session))
        postgresql_disconnect(session);
    else if (pq.transactionStatus(session->connection) != PQTRANS_IDLE)
        postgresql_command(session, "ROLLBACK");
}

/* Puts the first value of a row in the place of an earlier one; false: no memory. */
static bool keep_text(PGresult *result, char **text) {
    free(*text);
    *text = pq.getisnull(result, 0, 0) ? NULL : strdup(pq.getvalue(result, 0, 0));
    return *text || pq.getisnull(result, 0, 0);
}

enum store_status postgresql_ask(struct postgresql_session *session, const char *sql, char **text) {
    enum store_status status = postgresql_catch_up(session);
    *text = NULL;
    if (!session->connection || !pq.sendQuery(session->connection, sql))
        return postgresql_failure(session, NULL, sql);
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
