/* What several nodes on one database need: sessions of their own for leases, and events in order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/base/log.h"
#include "server/store/postgresql/postgresql.h"
#include "server/store/sql.h"

/* Advisory locks: of transactions that may make events, and of the node that looks for their
 * horizon. The numbers are "deno" and the next; one more is of the janitor. */
#define LOCK_TO_WRITE "SELECT pg_advisory_xact_lock_shared" POSTGRESQL_LOCK(1684369007)
/* New writers wait for somebody who waits for the old ones: not longer than this many ms. */
#define BEGIN_LOOKING                                                                              \
    "BEGIN; SET LOCAL lock_timeout = %d; SELECT pg_try_advisory_xact_lock" POSTGRESQL_LOCK(        \
        1684369008)
/* The second is a statement of its own, so it sees what was committed before the lock was obtained. */
#define AWAIT_WRITERS                                                                              \
    "SELECT pg_advisory_xact_lock" POSTGRESQL_LOCK(1684369007) ";" POSTGRESQL_NEWEST_EVENT
/* Others hear of it, outside the transaction that holds the lock. It may be lost, so it need not be
 * on the disk. */
#define END_LOOKING                                                                                \
    "ROLLBACK; BEGIN; SET LOCAL synchronous_commit = off;"                                         \
    "SELECT pg_notify(" POSTGRESQL_CHANNEL ", 'h%lld'); COMMIT"
/* Anybody who can connect can notify. This is the newest event, if the session of that number is of
 * somebody who could have made it, and is still there. */
#define CAN_KNOW                                                                                   \
    POSTGRESQL_NEWEST_EVENT                                                                        \
    " WHERE (SELECT has_table_privilege(usesysid, 'event', 'INSERT') FROM "                        \
    "pg_stat_get_activity(%d))"

enum {
    /* How often, and how far apart, a server that starts looks for the horizon: longer than the
     * server lets a transaction idle. */
    FIRST_LOOKS = 200,
    FIRST_PAUSE_NS = 30000000,
    FAILURES_TO_TELL = 3,
    TELL_SECONDS = 60, /* between two lines in the log */
    LONGEST_SHIFT = 4, /* the pause after failures is at most 16 times the least */
    /* How long a look waits. A report of many epochs can take a second of a busy database, and with
     * enough nodes there is always one: each look waits twice as long as the one that failed before
     * it, so that one succeeds in the end. */
    LEAST_WAIT_MS = 30,
    WAIT_SHIFT = 5, /* at most 32 times that */
};
#define LOOK_SECONDS  0.025 /* between two looks, at least, */
#define FLOOR_SECONDS 1.0   /* and at most, unless others tell their horizon */

/* The locks come first, when the transaction holds no rows: whoever waits for one is in nobody's
 * way. The session's own lock is held until its commit is visible. If no answer to that came, this
 * session may have a new connection, and the server is still committing what came over the old one:
 * whoever looks whether it took place must wait for the end of that. */
enum store_status postgresql_begin(struct postgresql_session *session) {
    char text[400];
    snprintf(text, sizeof text,
             "BEGIN ISOLATION LEVEL READ COMMITTED;%s SELECT pg_advisory_xact_lock(%lld);%s",
             session->is_pooled ? POSTGRESQL_LIMITS : "", session->own_lock,
             session->base.is_quiet ? "" : LOCK_TO_WRITE);
    return postgresql_command(session, text);
}

/* A number that no other session has, nor anybody else who uses such locks: the 48 random bits of an
 * id. */
void postgresql_make_own_lock(struct postgresql_session *session) {
    char id[ID_LENGTH + 1];
    id_new(id);
    session->own_lock = strtoll(id + ID_LENGTH - 12, NULL, 16);
}

struct store_session *postgresql_open_writer(struct store *store, double patience) {
    struct postgresql_session *session = calloc(1, sizeof *session);
    if (!session)
        return NULL;
    session->base.driver = &postgresql_driver;
    session->store = (struct postgresql_store *)store;
    session->is_pooled = session->store->direct != NULL;
    session->patience = patience;
    postgresql_make_own_lock(session);
    session->is_vital = true;
    return &session->base; /* begin connects it */
}

enum store_status postgresql_try_alone(struct store_session *session, bool *is_alone) {
    int64_t is_ours;
    const enum store_status status = sql_value(
        session,
        sql_prepare(session, "SELECT pg_try_advisory_xact_lock" POSTGRESQL_LOCK(1684369009), ""),
        &is_ours, STORE_ERROR);
    *is_alone = is_ours != 0;
    return status;
}

static void raise_to(atomic_llong *horizon, int64_t id) {
    long long known = atomic_load(horizon);
    while (known < id && !atomic_compare_exchange_weak(horizon, &known, id)) {
    }
}

/* Waits until every id that was given to an event is visible or will never be: ids are given under
 * the shared lock, which ends after the commit is visible. *newest stays NULL if a writer takes long
 * (*is_late), or if another node is at it. */
static enum store_status pass_barrier(struct postgresql_session *reader, char **newest,
                                      bool *is_late) {
    const int failures = atomic_load(&reader->store->horizon.failures);
    char *is_ours = NULL;
    char begin[sizeof BEGIN_LOOKING + 20], end[sizeof END_LOOKING + 20];
    snprintf(begin, sizeof begin, BEGIN_LOOKING,
             LEAST_WAIT_MS << (failures < WAIT_SHIFT ? failures : WAIT_SHIFT));
    enum store_status status = postgresql_ask(reader, begin, &is_ours);
    if (status == STORE_OK && is_ours && strcmp(is_ours, "t") == 0)
        *is_late = postgresql_ask(reader, AWAIT_WRITERS, newest) != STORE_OK;
    free(is_ours);
    if (*is_late) {
        free(*newest);
        *newest = NULL;
    }
    if (*newest)
        snprintf(end, sizeof end, END_LOOKING, strtoll(*newest, NULL, 10));
    return postgresql_command(reader, *newest ? end : "ROLLBACK");
}

/* Notes how a look has ended, which began after so many commits. */
static void note_look(struct horizon *horizon, unsigned long long commits, bool is_known,
                      bool is_late) {
    horizon->looked = clock_monotonic();
    atomic_store(&horizon->is_overdue, !is_known);
    if (is_late)
        atomic_fetch_add(&horizon->failures, 1);
    else if (is_known) /* neither, if another node is at it */
        atomic_store(&horizon->failures, 0);
    if (is_late && atomic_load(&horizon->failures) == FAILURES_TO_TELL &&
        horizon->looked - horizon->told >= TELL_SECONDS) {
        horizon->told = horizon->looked;
        log_line(LOG_WARN, "events wait for a transaction that takes long", NULL);
    }
    if (is_known) {
        atomic_store(&horizon->commits, commits);
        atomic_store(&horizon->heard, horizon->looked);
    }
}

/* Raises the horizon to the newest event, if it can. The mutex is held. */
static enum store_status look_once(struct postgresql_session *reader) {
    struct horizon *horizon = &reader->store->horizon;
    const unsigned long long commits = atomic_load(&reader->store->commits);
    char *newest = NULL;
    enum store_status status = postgresql_ask(reader, POSTGRESQL_NEWEST_EVENT, &newest);
    bool is_late = false;
    if (status == STORE_OK && newest && strtoll(newest, NULL, 10) > atomic_load(&horizon->id)) {
        free(newest);
        newest = NULL;
        status = pass_barrier(reader, &newest, &is_late);
        if (newest)
            raise_to(&horizon->id, strtoll(newest, NULL, 10));
    }
    note_look(horizon, commits, newest != NULL, is_late);
    free(newest);
    return status;
}

/* Can there be events beyond the horizon: of this process, or of others that were not heard? */
static bool is_due(struct postgresql_store *store) {
    const struct horizon *horizon = &store->horizon;
    return atomic_load(&horizon->commits) != atomic_load(&store->commits) ||
           clock_monotonic() - atomic_load(&horizon->heard) >= FLOOR_SECONDS ||
           atomic_load(&horizon->id) == 0;
}

double postgresql_event_pause(struct store *store) {
    const struct horizon *horizon = &((struct postgresql_store *)store)->horizon;
    const int failures = atomic_load(&horizon->failures);
    if (!atomic_load(&horizon->is_overdue))
        return FLOOR_SECONDS;
    return LOOK_SECONDS * (1 << (failures < LONGEST_SHIFT ? failures : LONGEST_SHIFT));
}

bool postgresql_heard(struct postgresql_session *session, int64_t id, int teller) {
    struct horizon *horizon = &session->store->horizon;
    char ask[sizeof CAN_KNOW + 20], *newest = NULL;
    const double now = clock_monotonic();
    if (id <= atomic_load(&horizon->id))
        return false;
    snprintf(ask, sizeof ask, CAN_KNOW, teller);
    const bool is_true = postgresql_ask(session, ask, &newest) == STORE_OK && newest &&
                         id <= strtoll(newest, NULL, 10);
    free(newest);
    if (!is_true)
        return false;
    raise_to(&horizon->id, id);
    atomic_store(&horizon->heard, now);
    /* If there is one of this process beyond it, the next look finds it. */
    atomic_store(&horizon->failures, 0);
    atomic_store(&horizon->is_overdue, false);
    return true;
}

void postgresql_suspect(struct postgresql_store *store) {
    atomic_store(&store->horizon.heard, -FLOOR_SECONDS);
}

static void sleep_for(double seconds) {
    if (seconds > 0)
        nanosleep(&(struct timespec){.tv_nsec = (long)(1e9 * seconds)}, NULL);
}

/* One at a time: who has waited finds the answer. */
static enum store_status look(struct postgresql_session *reader) {
    struct horizon *horizon = &reader->store->horizon;
    enum store_status status = STORE_OK;
    pthread_mutex_lock(&horizon->mutex);
    if (is_due(reader->store)) {
        sleep_for(horizon->looked + LOOK_SECONDS - clock_monotonic());
        status = look_once(reader);
    }
    pthread_mutex_unlock(&horizon->mutex);
    return status;
}

enum store_status postgresql_horizon(struct store_session *session, int64_t wanted, int64_t *id) {
    struct postgresql_session *reader = (struct postgresql_session *)session;
    if (!reader->connection)
        return session->status = STORE_AWAY;
    /* A transaction that writes goes by what it sees. */
    if (!reader->reads_alone && pq.transactionStatus(reader->connection) != PQTRANS_IDLE) {
        const enum store_status seen = postgresql_driver.last_event(session, id);
        *id = wanted < *id ? wanted : *id;
        return seen;
    }
    struct postgresql_store *store = reader->store;
    enum store_status status = STORE_OK;
    *id = wanted;
    if (wanted <= atomic_load(&store->horizon.id))
        return STORE_OK;
    if (!reader->reads_alone && is_due(store))
        status = look(reader);
    /* A server that starts knows none yet: as if there were no events, it would tell all again. */
    for (int i = 0; i < FIRST_LOOKS && status == STORE_OK && atomic_load(&store->horizon.id) == 0;
         i++) {
        nanosleep(&(struct timespec){.tv_nsec = FIRST_PAUSE_NS}, NULL);
        status = reader->reads_alone ? STORE_ERROR : look(reader);
    }
    const int64_t known = atomic_load(&store->horizon.id);
    *id = wanted < known ? wanted : known;
    if (status == STORE_OK && known == 0) {
        log_line(LOG_ERROR, "other nodes write without a pause, so the last event is not known",
                 NULL);
        status = STORE_ERROR;
    }
    return session->status = status;
}
