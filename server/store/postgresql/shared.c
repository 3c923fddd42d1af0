/* What several nodes on one database need: sessions of their own for leases, and events in order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/base/log.h"
#include "server/store/postgresql/postgresql.h"

/* Advisory locks: of transactions that may make events, and of the node that looks for their
 * horizon. The numbers are "deno" and the next. */
#define BEGIN_WRITING "BEGIN; SELECT pg_advisory_xact_lock_shared(1684369007)"
#define TRY_LOOKING   "SELECT pg_try_advisory_xact_lock(1684369008)"
#define AWAIT_WRITERS "SELECT pg_advisory_xact_lock(1684369007)"
/* New writers wait for somebody who waits for the old ones: not longer than this. */
#define BEGIN_LOOKING "BEGIN; SET LOCAL lock_timeout = '30ms'"
/* A statement of its own, so that it sees what was committed before the lock was obtained. Before
 * the first event, there is only the mark of the database. */
#define NEWEST                                                                                     \
    "SELECT greatest((SELECT max(id) FROM event), (SELECT last_value >> 32 << 32 FROM "            \
    "event_id_seq))"

/* How often, and how far apart, a server that starts looks for the horizon: longer than the server
 * lets a transaction idle. */
enum { FIRST_LOOKS = 200, FIRST_PAUSE_NS = 30000000 };

/* The lock comes first, when the transaction holds no rows: whoever waits for it is in nobody's
 * way. */
enum store_status postgresql_begin(struct postgresql_session *session) {
    return postgresql_command(session, BEGIN_WRITING);
}

struct store_session *postgresql_open_writer(struct store *store, double patience) {
    struct postgresql_session *session = calloc(1, sizeof *session);
    if (!session)
        return NULL;
    session->base.driver = &postgresql_driver;
    session->store = (struct postgresql_store *)store;
    session->patience = patience;
    return &session->base; /* begin connects it */
}

static void raise_to(atomic_llong *horizon, int64_t id) {
    long long known = atomic_load(horizon);
    while (known < id && !atomic_compare_exchange_weak(horizon, &known, id)) {
    }
}

/* Waits until every id that was given to an event is visible or will never be: ids are given under
 * the shared lock, which ends after the commit is visible. */
static enum store_status look(struct postgresql_session *session, atomic_llong *horizon) {
    char *is_ours = NULL, *newest = NULL;
    enum store_status status = postgresql_ask(session, TRY_LOOKING, &is_ours);
    if (status == STORE_OK && is_ours && strcmp(is_ours, "t") == 0) {
        status = postgresql_command(session, AWAIT_WRITERS);
        if (status == STORE_OK)
            status = postgresql_ask(session, NEWEST, &newest);
    }
    if (newest)
        raise_to(horizon, strtoll(newest, NULL, 10));
    free(is_ours);
    free(newest);
    return status;
}

static enum store_status look_once(struct postgresql_session *reader, atomic_llong *horizon) {
    const enum store_status status = postgresql_command(reader, BEGIN_LOOKING);
    if (status != STORE_OK)
        return status;
    /* If a writer takes long, or somebody else looks, the horizon stays where it is. */
    look(reader, horizon);
    return postgresql_command(reader, "ROLLBACK");
}

enum store_status postgresql_horizon(struct store_session *session, int64_t wanted, int64_t *id) {
    struct postgresql_session *reader = (struct postgresql_session *)session;
    if (!reader->connection)
        return session->status = STORE_ERROR;
    /* A transaction that writes goes by what it sees. */
    if (!reader->reads_alone && pq.transactionStatus(reader->connection) != PQTRANS_IDLE) {
        const enum store_status seen = postgresql_driver.last_event(session, id);
        *id = wanted < *id ? wanted : *id;
        return seen;
    }
    atomic_llong *horizon = &reader->store->horizon;
    enum store_status status = STORE_OK;
    *id = wanted;
    if (wanted <= atomic_load(horizon))
        return STORE_OK;
    if (!reader->reads_alone)
        status = look_once(reader, horizon);
    /* A server that starts knows none yet: as if there were no events, it would tell all again. */
    for (int i = 0; i < FIRST_LOOKS && status == STORE_OK && atomic_load(horizon) == 0; i++) {
        nanosleep(&(struct timespec){.tv_nsec = FIRST_PAUSE_NS}, NULL);
        status = reader->reads_alone ? STORE_ERROR : look_once(reader, horizon);
    }
    const int64_t known = atomic_load(horizon);
    *id = wanted < known ? wanted : known;
    if (status == STORE_OK && known == 0) {
        log_line(LOG_ERROR, "other nodes write without a pause, so the last event is not known",
                 NULL);
        status = STORE_ERROR;
    }
    return session->status = status;
}
