/* Opens and closes databases, and lends their sessions. */
#include <stdio.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/fault.h"
#include "server/base/fold.h"
#include "server/base/id.h"
#include "server/base/log.h"
#include "server/store/driver.h"
#include "server/store/migrations.h"
#include "server/store/nodes.h"

/* That a thread waits for a session: one that also serves others, or a patient one. */
#define SERVING_SECONDS 0.05
#define PATIENT_SECONDS 2.0

static _Thread_local bool is_patient;

bool store_names_server(const char *path) {
    return strncmp(path, STORE_POSTGRESQL, sizeof STORE_POSTGRESQL - 1) == 0;
}

/* The driver of the database with this name. */
static const struct driver *choose(const char *path) {
#ifdef WITH_POSTGRESQL
    if (store_names_server(path))
        return &postgresql_driver;
#endif
    (void)path;
    return &sqlite_driver;
}

struct store *store_open(const char *path, char *error, size_t error_size) {
    return store_open_pooled(path, NULL, error, error_size);
}

struct store *store_open_pooled(const char *path, const char *direct, char *error,
                                size_t error_size) {
#ifndef WITH_POSTGRESQL
    if (store_names_server(path)) {
        snprintf(error, error_size, "this program was built without PostgreSQL");
        return NULL;
    }
#endif
    fold_begin();
    struct store *store = choose(path)->open(path, direct, error, error_size);
    if (!store)
        return NULL;
    id_new(store->boot);
    pthread_mutex_init(&store->mutex, NULL);
    pthread_cond_init(&store->freed, NULL);
    return store;
}

void store_close(struct store *store) {
    while (store->idle) {
        struct store_session *session = store->idle;
        store->idle = session->next;
        store->driver->close_session(session);
    }
    FAULT_POINT("store.before_close");
    pthread_cond_destroy(&store->freed);
    pthread_mutex_destroy(&store->mutex);
    store->driver->close(store);
}

bool store_schema_fits(struct store *store, char *error, size_t error_size) {
    return store->driver->schema_fits(store, error, error_size);
}

bool store_migrate(struct store *store, char *error, size_t error_size) {
    return store->driver->migrate(store, error, error_size);
}

bool store_backup(const char *from, const char *to, char *error, size_t error_size) {
    return choose(from)->backup(from, to, error, error_size);
}

const char *store_boot(const struct store *store) {
    return store->boot;
}

const char *store_path(const struct store *store) {
    return store->driver->path(store);
}

struct store_pace store_pace(const struct store *store) {
    return store->driver->pace;
}

struct store_reach store_reach(const struct store *store) {
    return store->driver->reach(store);
}

const char *store_loss(const struct store *store) {
    return store->driver->loss(store);
}

bool store_is_there(struct store *store) {
    return store->driver->is_there(store);
}

bool store_is_whole(struct store *store) {
    return store->driver->is_whole(store);
}

int store_row_copies(const struct store *store) {
    return store->driver->row_copies;
}

bool store_is_shared(const struct store *store) {
    return store->driver->is_shared;
}

bool store_keep_contact(struct store *store) {
    return !store->driver->keep_contact || store->driver->keep_contact(store);
}

double store_away(const struct store *store) {
    return store->driver->away ? store->driver->away(store) : 0;
}

bool store_is_silent(const struct store *store) {
    return store->driver->is_silent && store->driver->is_silent(store);
}

double store_crowded(const struct store *store) {
    bool may_connect;
    return store->driver->crowded ? store->driver->crowded(store, &may_connect) : 0;
}

uint64_t store_commits(struct store *store) {
    return store->driver->version(store);
}

uint64_t store_version(struct store *store) {
    return store->driver->is_shared ? STORE_VERSION_UNKNOWN : store->driver->version(store);
}

void store_sizes(const struct store *store, int64_t *database, int64_t *log) {
    store->driver->sizes(store, database, log);
}

void store_checkpoint(struct store *store, bool is_full) {
    store->driver->checkpoint(store, is_full);
}

/* ------------------------------------------------------------------ sessions */

struct store_session *store_writer(struct store *store) {
    return store->writer;
}

struct store_session *store_open_writer(struct store *store, double patience) {
    return store->driver->open_writer(store, patience);
}

void store_close_writer(struct store_session *session) {
    session->driver->close_session(session);
}

enum store_status store_connect(struct store_session *session) {
    return session->driver->connect ? session->driver->connect(session) : STORE_OK;
}

bool store_is_outdated(struct store_session *session) {
    return session->driver->is_outdated && session->driver->is_outdated(session);
}

enum store_status store_try_alone(struct store_session *session, bool *is_alone) {
    *is_alone = true;
    return session->driver->try_alone ? session->driver->try_alone(session, is_alone) : STORE_OK;
}

struct store_session *store_open_listener(struct store *store) {
    return store->driver->open_listener(store);
}

enum store_status store_listen(struct store_session *listener, int wake, struct news *news) {
    return listener->driver->listen(listener, wake, news);
}

enum store_status store_tell_cancel(struct store_session *listener, const char *job) {
    return listener->driver->tell_cancel(listener, job);
}

void store_limit_connections(struct store *store, int most) {
    if (store->driver->connections > 0)
        store->most_readers = most - store->driver->connections;
}

/* Whoever has the first reader learns whether the database has a connection for it. Others wait for
 * one that is open rather than for a refusal. */
static bool is_room(const struct store *store) {
    bool may_connect = true;
    if (store->driver->crowded && store->readers > 0)
        store->driver->crowded(store, &may_connect);
    return may_connect && (store->most_readers == 0 || store->readers < store->most_readers);
}

/* Patient threads take all sessions but one. */
static bool may_have_one(const struct store *store) {
    return !is_patient || store->most_readers == 0 || store->lent < store->most_readers - 1;
}

/* A session that was idle, or NULL. Then, *may_open: there is room for another one, which is counted
 * already; otherwise, none became free in time. */
static struct store_session *take_idle(struct store *store, bool *may_open) {
    const struct timespec until = clock_after(is_patient ? PATIENT_SECONDS : SERVING_SECONDS);
    int waited = 0;
    pthread_mutex_lock(&store->mutex);
    while (!(may_have_one(store) && (store->idle || is_room(store))) && waited == 0)
        waited = pthread_cond_clockwait(&store->freed, &store->mutex, CLOCK_MONOTONIC, &until);
    struct store_session *session = may_have_one(store) ? store->idle : NULL;
    if (session)
        store->idle = session->next;
    *may_open = !session && may_have_one(store) && is_room(store);
    store->readers += *may_open;
    store->lent += is_patient && (session || *may_open);
    pthread_mutex_unlock(&store->mutex);
    return session;
}

/* Of one that take_idle has lent to this thread, or let it open. */
static void count_out(struct store *store) {
    pthread_mutex_lock(&store->mutex);
    store->readers--;
    store->lent -= is_patient;
    pthread_cond_broadcast(&store->freed);
    pthread_mutex_unlock(&store->mutex);
}

void store_be_patient(void) {
    is_patient = true;
}

struct store_session *store_acquire(struct store *store) {
    if (store_loss(store) || store_away(store) > 0 || (!is_patient && store_is_silent(store)))
        return NULL;
    struct store_session *session;
    bool may_open;
    while ((session = take_idle(store, &may_open)) && !store->driver->is_usable(session)) {
        store->driver->close_session(session);
        count_out(store);
    }
    if (!session && !may_open) {
        log_line(LOG_DEBUG, "all connections to the database are in use", "readers=%d",
                 store->most_readers);
        return NULL;
    }
    if (!session)
        session = store->driver->open_reader(store, is_patient);
    if (session)
        session->is_lent = is_patient;
    else
        count_out(store);
    return session;
}

enum store_status store_why_none(const struct store *store) {
    return store_loss(store) ? STORE_GONE : store->driver->away ? STORE_AWAY : STORE_ERROR;
}

void store_release(struct store *store, struct store_session *session) {
    pthread_mutex_lock(&store->mutex);
    session->next = store->idle;
    store->idle = session;
    store->lent -= session->is_lent;
    session->is_lent = false;
    pthread_cond_broadcast(&store->freed); /* not everyone who waits may have it */
    pthread_mutex_unlock(&store->mutex);
}

enum store_status store_ping(struct store_session *session) {
    return session->driver->ping(session);
}

enum store_status store_limit(struct store_session *session, int64_t bytes) {
    session->limit = bytes;
    return session->driver->limit(session, bytes);
}

enum store_status store_used(struct store_session *session, int64_t *bytes) {
    return session->driver->used(session, bytes);
}
