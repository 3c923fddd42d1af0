/* Opens a database on PostgreSQL: checks the server. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/store/postgresql/contact.h"

enum { OLDEST_SERVER = 140000, USUAL_PORT = 5432 };
enum { READER_SECONDS = 10 }; /* for an answer, for which a request waits */
#define DIFFERENT_SECONDS 1.0 /* between two clocks, of which the log tells */

static struct postgresql_store *store_of(const struct store *store) {
    return (struct postgresql_store *)store;
}

/* ------------------------------------------------------------------ the server */

/* A condition that the server must satisfy, and what is said otherwise. */
static const struct {
    const char *sql, *wanted, *otherwise;
    const char *better; /* is good as well; NULL: none */
} conditions[] = {
    {"SHOW server_encoding", "UTF8", "its encoding must be UTF8 (createdb --encoding=UTF8)"},
    {"SHOW fsync", "on", "fsync is off there, so a power cut would lose data"},
    {"SHOW synchronous_commit", "on",
     "synchronous_commit must be on there, or a power cut would lose acknowledged requests",
     "remote_apply"},
    {"SHOW transaction_read_only", "off", "it is read-only"},
};

static bool is_fit(struct postgresql_session *session, char *error, size_t error_size) {
    if (pq.serverVersion(session->connection) < OLDEST_SERVER) {
        snprintf(error, error_size, "it must be PostgreSQL 14 or newer");
        return false;
    }
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++) {
        char *value;
        const bool asked =
            postgresql_ask(session, conditions[i].sql, &value) == STORE_OK && value != NULL;
        const char *better = conditions[i].better;
        const bool good = asked && (strcmp(value, conditions[i].wanted) == 0 ||
                                    (better && strcmp(value, better) == 0));
        free(value);
        if (!good) {
            snprintf(error, error_size, "%s",
                     asked ? conditions[i].otherwise : "it does not answer");
            return false;
        }
    }
    return true;
}

/* Its clock goes for all nodes. */
static bool follow_clock(struct postgresql_session *session) {
    const double asked = clock_monotonic();
    char *told = NULL;
    const bool is_told =
        postgresql_ask(session, "SELECT floor(1000 * extract(epoch FROM clock_timestamp()))",
                       &told) == STORE_OK &&
        told;
    if (is_told)
        clock_follow(asked, strtoll(told, NULL, 10));
    free(told);
    const double ahead = 1e-3 * (double)(clock_machine_ms() - clock_now_ms());
    if (fabs(ahead) >= DIFFERENT_SECONDS)
        log_line(LOG_WARN, "this machine's clock differs from the database's, which is used",
                 "seconds_ahead=%.1f", ahead);
    return is_told;
}

/* ------------------------------------------------------------------ opening */

/* "postgresql://host:port/database" as it was understood, without user and password. */
static char *name_of(PGconn *connection) {
    char *name = NULL;
    if (asprintf(&name, "postgresql://%s:%s/%s", pq.host(connection), pq.port(connection),
                 pq.db(connection)) < 0)
        return NULL;
    return name;
}

/* Keeps a copy of the path of a file, unless there is none. */
static void keep_file(struct postgresql_store *store, const char *path) {
    size_t i = 0;
    while (i < STORE_REACH_FILES && store->files[i] &&
           strcmp(store->files[i], path ? path : "") != 0)
        i++;
    if (path && path[0] && i < STORE_REACH_FILES && !store->files[i])
        store->reach.read[i] = store->files[i] = strdup(path);
}

/* Adds a port, unless it is there. */
static void keep_port(struct postgresql_store *store, int port) {
    size_t i = 0;
    while (i < STORE_REACH_PORTS && store->reach.ports[i] && store->reach.ports[i] != port)
        i++;
    if (i < STORE_REACH_PORTS)
        store->reach.ports[i] = port;
}

/* "5433,": for each host its own; none: the usual one. */
static void keep_ports(struct postgresql_store *store, const char *ports) {
    for (const char *at = ports ? ports : ""; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        keep_port(store, atoi(at) > 0 ? atoi(at) : USUAL_PORT);
}

/* "$HOME/name", or with another variable. */
static void keep_below(struct postgresql_store *store, const char *variable, const char *name) {
    char path[300];
    const char *folder = getenv(variable);
    if (folder && snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path)
        keep_file(store, path);
}

/* Where libpq looks for a service each time that it connects. It does not tell whether there is one. */
static void keep_services(struct postgresql_store *store) {
    keep_file(store, getenv("PGSERVICEFILE"));
    keep_below(store, "HOME", ".pg_service.conf");
    keep_below(store, "PGSYSCONFDIR", "pg_service.conf");
    keep_file(store, "/etc/postgresql-common/pg_service.conf"); /* as Debian builds it */
}

/* Notes what a later connection needs, before a sandbox takes it away. */
static void look_ahead(struct postgresql_store *store, PGconn *connection) {
    static const char *const files[] = {"passfile", "sslrootcert", "sslcert",
                                        "sslkey",   "sslcrl",      "sslcrldir"};
    PQconninfoOption *options = pq.conninfo(connection);
    for (const PQconninfoOption *option = options; option && option->keyword; option++) {
        for (size_t i = 0; i < sizeof files / sizeof *files; i++)
            if (strcmp(option->keyword, files[i]) == 0)
                keep_file(store, option->val);
        if (strcmp(option->keyword, "port") == 0)
            keep_ports(store, option->val);
    }
    pq.conninfoFree(options);
    keep_below(store, "HOME", ".postgresql/root.crt");
    keep_services(store);
}

struct store_reach postgresql_reach(const struct store *store) {
    return store_of(store)->reach;
}

static bool open_writer(struct postgresql_store *store, char *error, size_t error_size) {
    struct postgresql_session *writer = (struct postgresql_session *)store->base.writer;
    writer->base.driver = &postgresql_driver;
    writer->store = store;
    writer->is_pooled = store->direct != NULL;
    if (!postgresql_connect(writer, store->uri, error, error_size))
        return false;
    store->name = name_of(writer->connection);
    look_ahead(store, writer->connection);
    if (!store->name) {
        snprintf(error, error_size, "out of memory");
        return false;
    }
    if (!is_fit(writer, error, error_size))
        return false;
    if (!follow_clock(writer)) {
        snprintf(error, error_size, "it does not tell the time");
        return false;
    }
    postgresql_make_own_lock(writer); /* an id, which tells the time */
    return true;
}

/* Past the pooler: does it work, and what does it need later? */
static bool try_direct(struct postgresql_store *store, char *error, size_t error_size) {
    struct postgresql_session *trial = calloc(1, sizeof *trial);
    const bool works = trial && postgresql_connect(trial, store->direct, error, error_size);
    if (works)
        look_ahead(store, trial->connection);
    if (trial)
        postgresql_disconnect(trial);
    free(trial);
    return works;
}

struct store *postgresql_open(const char *uri, const char *direct, char *error, size_t error_size) {
    if (!libpq_load(error, error_size))
        return NULL;
    struct postgresql_store *store = calloc(1, sizeof *store);
    struct postgresql_session *writer = calloc(1, sizeof *writer);
    if (!store || !writer) {
        free(store);
        free(writer);
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    char why[400] = "out of memory";
    store->base.driver = &postgresql_driver;
    store->base.writer = &writer->base;
    pthread_mutex_init(&store->horizon.mutex, NULL);
    pthread_mutex_init(&store->horizon.hearing, NULL);
    store->uri = strdup(uri);
    store->direct = direct ? strdup(direct) : NULL;
    if (store->uri && !direct == !store->direct && open_writer(store, why, sizeof why) &&
        (!direct || try_direct(store, why, sizeof why)))
        return &store->base;
    snprintf(error, error_size, "the database at %s: %s",
             store->name ? store->name : "postgresql://", why);
    postgresql_close(&store->base);
    return NULL;
}

void postgresql_close(struct store *store) {
    struct postgresql_store *closing = store_of(store);
    contact_end(closing->contact);
    if (store->writer)
        postgresql_close_session(store->writer);
    pthread_mutex_destroy(&closing->horizon.mutex);
    pthread_mutex_destroy(&closing->horizon.hearing);
    free(closing->horizon.writing);
    free(closing->uri);
    free(closing->direct);
    free(closing->name);
    for (size_t i = 0; i < STORE_REACH_FILES; i++)
        free(closing->files[i]);
    free(closing);
}

const char *postgresql_path(const struct store *store) {
    return store_of(store)->name;
}

uint64_t postgresql_version(struct store *store) {
    return atomic_load(&store_of(store)->commits);
}

struct store_session *postgresql_open_reader(struct store *store, bool is_patient) {
    struct postgresql_session *session = calloc(1, sizeof *session);
    if (!session)
        return NULL;
    session->base.driver = &postgresql_driver;
    session->base.is_lent = is_patient;
    session->is_reader = true;
    session->store = store_of(store);
    session->patience = READER_SECONDS;
    session->is_pooled = session->store->direct != NULL;
    if (postgresql_take(session) == STORE_OK &&
        (session->is_pooled ||
         postgresql_command(session, "SET default_transaction_read_only = on") == STORE_OK))
        return &session->base;
    postgresql_close_session(&session->base);
    return NULL;
}

void postgresql_sizes(const struct store *store, int64_t *database, int64_t *log) {
    struct store *lender = (struct store *)store;
    struct store_session *session = store_acquire(lender);
    *database = *log = 0;
    if (!session)
        return;
    store_used(session, database);
    store_release(lender, session);
}

bool postgresql_backup(const char *from, const char *to, char *error, size_t error_size) {
    (void)from, (void)to;
    snprintf(error, error_size, "a database on PostgreSQL is copied by its own pg_dump");
    return false;
}
