/* What several nodes on one database need: sessions of their own for leases, and events in order. */
#include <math.h>
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
/* A look for the horizon, in one round trip: if it has tried and obtained a lock, and then perhaps
 * waited for another, it reads the newest event, and tells others if that is beyond what was known.
 * The answer is the event, or "false" if somebody else has the first lock. The last statement sees
 * what was committed before the locks were obtained, because each has a snapshot of its own. What is
 * told may be lost, so it need not be on the disk. New writers wait for somebody who waits for the
 * old ones: not longer than %d ms. */
#define LOOK(lock, wait)                                                                           \
    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = %d;"                           \
    "SET LOCAL synchronous_commit = off;"                                                          \
    "SELECT set_config('denoised.looks', pg_try_advisory_xact_lock" lock "::text, true);" wait     \
    "SELECT newest.id, CASE WHEN newest.id > %lld THEN pg_notify(" POSTGRESQL_CHANNEL              \
    ", 'h' || newest.id) END FROM (" POSTGRESQL_NEWEST_EVENT ") AS newest (id) WHERE " IS_LOOKING  \
    "; COMMIT"
#define IS_LOOKING "current_setting('denoised.looks')::boolean"
/* One node at a time waits until every id that was given to an event is visible or will never be: ids
 * are given under the shared lock, which ends after the commit is visible. */
#define WAITING_LOOK                                                                               \
    LOOK(POSTGRESQL_LOCK(1684369008),                                                              \
         "SELECT pg_advisory_xact_lock" POSTGRESQL_LOCK(1684369007) " WHERE " IS_LOOKING ";")
/* Makes nobody wait. */
#define GLANCE LOOK(POSTGRESQL_LOCK(1684369007), "")
/* Anybody who can connect can notify. This is the newest event, if the session of that number is of
 * somebody who could have made it, and is still there. */
#define CAN_KNOW                                                                                   \
    POSTGRESQL_NEWEST_EVENT                                                                        \
    " WHERE (SELECT has_table_privilege(usesysid, 'event', 'INSERT') FROM "                        \
    "pg_stat_get_activity(%d))"

enum {
    FIRST_SECONDS = 60, /* for the first horizon: longer than the server lets a transaction idle */
    FAILURES_TO_TELL = 3,
    TELL_SECONDS = 60, /* between two lines in the log */
    /* How long a look waits. A report of many epochs can take a second of a busy database, and with
     * enough nodes there is always one: each look waits twice as long as the one that failed before
     * it, so that one succeeds in the end. */
    LEAST_WAIT_MS = 30,
    WAIT_SHIFT = 5, /* at most 32 times that */
    REST = 2,       /* times that wait until the next look, so that writers get on meanwhile */
};
#define LOOK_SECONDS    0.025 /* between two looks, at least, */
#define FLOOR_SECONDS   1.0   /* and at most, unless others tell their horizon */
#define REQUEST_SECONDS 0.05  /* that a request waits for the thread that looks */

/* The locks come first, when the transaction holds no rows: whoever waits for one is in nobody's
 * way. The session's own lock is held until its commit is visible. If no answer to that came, this
 * session may have a new connection, and the server is still committing what came over the old one:
 * whoever looks whether it took place must wait for the end of that. */
enum store_status postgresql_begin(struct postgresql_session *session) {
    char text[400];
    snprintf(text, sizeof text,
             "BEGIN ISOLATION LEVEL READ COMMITTED;%s SELECT pg_advisory_xact_lock(%lld);%s",
             session->is_pooled ? POSTGRESQL_LIMITS("SET LOCAL") : "", session->own_lock,
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

static int wait_ms(const struct horizon *horizon) {
    const int failures = atomic_load(&horizon->failures);
    return LEAST_WAIT_MS << (failures < WAIT_SHIFT ? failures : WAIT_SHIFT);
}

/* *newest stays NULL if a writer takes long (*is_late), or if another node is at it. */
static enum store_status look_by(struct postgresql_session *reader, const char *look, char **newest,
                                 bool *is_late) {
    const struct horizon *horizon = &reader->store->horizon;
    char text[sizeof WAITING_LOOK + 40];
    snprintf(text, sizeof text, look, wait_ms(horizon), atomic_load(&horizon->id));
    const enum store_status status = postgresql_ask(reader, text, newest);
    *is_late = status == STORE_BUSY;
    if (status == STORE_OK && *newest && strcmp(*newest, "false") != 0)
        return STORE_OK;
    free(*newest);
    *newest = NULL;
    return status == STORE_OK ? STORE_OK : postgresql_command(reader, "ROLLBACK");
}

/* Notes a look that began after so many commits and has found this event to be the last. */
static void note_success(struct horizon *horizon, unsigned long long commits, int64_t newest) {
    const double now = clock_monotonic();
    raise_to(&horizon->id, newest);
    atomic_store(&horizon->commits, commits);
    atomic_store(&horizon->heard, now);
    atomic_store(&horizon->next, now + LOOK_SECONDS);
    atomic_store(&horizon->failures, 0);
    atomic_store(&horizon->is_overdue, false);
}

/* Notes a look that has found nothing, because a writer takes long (is_late), or another node is at
 * it. */
static void note_failure(struct horizon *horizon, bool is_late) {
    const double now = clock_monotonic();
    atomic_store(&horizon->next, now + REST * wait_ms(horizon) / 1000.0);
    atomic_store(&horizon->is_overdue, true);
    if (is_late && atomic_fetch_add(&horizon->failures, 1) + 1 == FAILURES_TO_TELL &&
        now - horizon->told >= TELL_SECONDS) {
        horizon->told = now;
        log_line(LOG_WARN, "events wait for a transaction that takes long", NULL);
    }
}

/* Has this process committed what may be beyond the horizon? */
static bool has_own(struct postgresql_store *store) {
    return atomic_load(&store->horizon.commits) != atomic_load(&store->loud_commits);
}

/* Is there an event beyond the horizon, of others? */
static enum store_status is_behind(struct postgresql_session *reader, char **newest, bool *is) {
    const enum store_status status = postgresql_ask(reader, POSTGRESQL_NEWEST_EVENT, newest);
    *is = status == STORE_OK && *newest &&
          strtoll(*newest, NULL, 10) > atomic_load(&reader->store->horizon.id);
    return status;
}

/* Raises the horizon to the newest event, if it can. The mutex is held. */
static enum store_status look(struct postgresql_session *reader) {
    struct horizon *horizon = &reader->store->horizon;
    const unsigned long long commits = atomic_load(&reader->store->loud_commits);
    char *newest = NULL;
    enum store_status status = STORE_OK;
    bool is_late = false, is_due = has_own(reader->store);
    if (!is_due)
        status = is_behind(reader, &newest, &is_due);
    if (is_due) {
        free(newest);
        newest = NULL;
        status = look_by(reader, WAITING_LOOK, &newest, &is_late);
    }
    if (newest)
        note_success(horizon, commits, strtoll(newest, NULL, 10));
    else
        note_failure(horizon, is_late);
    free(newest);
    return status;
}

/* The same if there is no writer just now; it makes nobody wait. The mutex is held. */
static enum store_status glance(struct postgresql_session *reader) {
    const unsigned long long commits = atomic_load(&reader->store->loud_commits);
    char *newest = NULL;
    bool is_late;
    const enum store_status status = look_by(reader, GLANCE, &newest, &is_late);
    if (newest)
        note_success(&reader->store->horizon, commits, strtoll(newest, NULL, 10));
    free(newest);
    return status;
}

/* The same, or have others that were not heard? */
static bool is_due(struct postgresql_store *store) {
    const struct horizon *horizon = &store->horizon;
    return has_own(store) || atomic_load(&horizon->id) == 0 ||
           clock_monotonic() - atomic_load(&horizon->heard) >= FLOOR_SECONDS;
}

double postgresql_event_pause(struct store *base) {
    struct postgresql_store *store = (struct postgresql_store *)base;
    if (!atomic_load(&store->horizon.is_overdue) && !has_own(store))
        return FLOOR_SECONDS;
    return fmax(atomic_load(&store->horizon.next) - clock_monotonic(), LOOK_SECONDS);
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
    /* If there is one of this process beyond it, the next look finds it, and need not be late. */
    atomic_store(&horizon->next, now);
    atomic_store(&horizon->failures, 0);
    atomic_store(&horizon->is_overdue, false);
    return true;
}

void postgresql_suspect(struct postgresql_store *store) {
    atomic_store(&store->horizon.heard, -FLOOR_SECONDS);
}

enum store_status postgresql_settle(struct store_session *session) {
    struct postgresql_session *reader = (struct postgresql_session *)session;
    struct horizon *horizon = &reader->store->horizon;
    enum store_status status = reader->connection ? STORE_OK : STORE_AWAY;
    pthread_mutex_lock(&horizon->mutex);
    if (status == STORE_OK && is_due(reader->store) &&
        clock_monotonic() >= atomic_load(&horizon->next))
        status = look(reader);
    pthread_mutex_unlock(&horizon->mutex);
    return session->status = status;
}

static void sleep_until(double time) {
    const double seconds = fmax(time - clock_monotonic(), 0);
    nanosleep(&(struct timespec){.tv_sec = (time_t)seconds,
                                 .tv_nsec = (long)(1e9 * (seconds - floor(seconds)))},
              NULL);
}

/* A server that starts knows no horizon yet: as if there were no events, it would tell all again. */
static enum store_status look_first(struct postgresql_session *reader) {
    struct horizon *horizon = &reader->store->horizon;
    const double until = clock_monotonic() + FIRST_SECONDS;
    enum store_status status = postgresql_settle(&reader->base);
    while (status == STORE_OK && atomic_load(&horizon->id) == 0 && clock_monotonic() < until) {
        sleep_until(atomic_load(&horizon->next));
        status = postgresql_settle(&reader->base);
    }
    if (status == STORE_OK && atomic_load(&horizon->id) == 0) {
        log_line(LOG_ERROR, "other nodes write without a pause, so the last event is not known",
                 NULL);
        status = STORE_ERROR;
    }
    return status;
}

/* For a client that asks for what it has just done. It does not wait for writers, and while some take
 * long, nor for the thread that does. */
static enum store_status look_for_own(struct postgresql_session *reader) {
    struct horizon *horizon = &reader->store->horizon;
    const struct timespec until =
        clock_after(atomic_load(&horizon->failures) > 0 ? 0 : REQUEST_SECONDS);
    enum store_status status = STORE_OK;
    if (pthread_mutex_clocklock(&horizon->mutex, CLOCK_MONOTONIC, &until) != 0)
        return STORE_OK;
    if (has_own(reader->store))
        status = glance(reader);
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
    const atomic_llong *horizon = &reader->store->horizon.id;
    enum store_status status = STORE_OK;
    if (atomic_load(horizon) == 0)
        status = reader->reads_alone ? STORE_ERROR : look_first(reader);
    else if (wanted > atomic_load(horizon) && !reader->reads_alone && has_own(reader->store))
        status = look_for_own(reader);
    const int64_t known = atomic_load(horizon);
    *id = wanted < known ? wanted : known;
    return session->status = status;
}
