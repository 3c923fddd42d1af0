/* Transactions of several nodes on one database: the locks that they begin with. */
#include <stdio.h>
#include <stdlib.h>

#include "server/base/id.h"
#include "server/store/postgresql/postgresql.h"
#include "server/store/sql.h"

#define LOCK_TO_WRITE "SELECT pg_advisory_xact_lock_shared" POSTGRESQL_WRITERS_LOCK

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
    /* A server that comes back after a crash takes no lease for ended that did not end before, and
     * whoever has claimed a job since has flushed what was committed before that. */
    session->need_not_last = true;
    return &session->base; /* begin connects it */
}

enum store_status postgresql_try_alone(struct store_session *session, bool *is_alone) {
    int64_t is_ours;
    const enum store_status status = sql_value(
        session,
        sql_prepare(session, "SELECT pg_try_advisory_xact_lock" POSTGRESQL_JANITORS_LOCK, ""),
        &is_ours, STORE_ERROR);
    *is_alone = is_ours != 0;
    return status;
}
