/* The schema of a database on PostgreSQL: whether this program can use it, and its migrations. Other
 * servers may use the database meanwhile. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/base/log.h"
#include "server/store/migrations.h"
#include "server/store/postgresql/postgresql.h"
#include "server/store/sql.h"

enum {
    ATTEMPTS = 100,    /* at a migration for which others hold locks */
    RETRY_SECONDS = 1, /* between them */
};

/* The newest migration that was applied, or the newest that was and is breaking; 0: none, -1: not
 * known. */
static int newest_of(struct postgresql_session *session, const char *sql) {
    char *there = NULL, *number = NULL;
    int newest = -1;
    if (postgresql_ask(session, "SELECT to_regclass('schema_migration')", &there) == STORE_OK &&
        (!there || postgresql_ask(session, sql, &number) == STORE_OK))
        newest = number ? atoi(number) : 0;
    free(there);
    free(number);
    return newest;
}

static int schema_of(struct postgresql_session *session) {
    return newest_of(session, "SELECT coalesce(max(number), 0) FROM schema_migration");
}

#define NEEDED "SELECT coalesce(max(number), 0) FROM schema_migration WHERE breaking <> 0"

static int needed_by(struct postgresql_session *session) {
    return newest_of(session, NEEDED);
}

/* What a server uses, of which the own role has no right to some, and what would give it that; no row:
 * it has all. Other tables of the schema may be somebody else's. */
#define LACKING                                                                                    \
    "SELECT format('the role %I may not use %I: let the owner of that run \"GRANT"                 \
    " SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %s TO %1$I; GRANT SELECT ON ALL"      \
    " SEQUENCES IN SCHEMA %3$s TO %1$I\"', current_user, relname, relnamespace::regnamespace)"     \
    " FROM pg_class WHERE relnamespace ="                                                          \
    " (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('schema_migration')) AND CASE"    \
    " WHEN relname IN ('schema_migration', 'clock', 'job_count', 'server', 'event_id_seq')"        \
    " THEN NOT has_table_privilege(oid, 'SELECT')"                                                 \
    " WHEN relname IN ('job', 'history', 'blob', 'piece', 'dataset', 'job_dataset', 'checkpoint'," \
    " 'model', 'snapshot', 'evaluation', 'judge', 'event', 'replay', 'node', 'offer', 'probe')"    \
    " THEN NOT (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')"         \
    " AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE')) END"          \
    " ORDER BY relname LIMIT 1"

static bool has_rights(struct postgresql_session *session, char *error, size_t error_size) {
    char *lacking = NULL;
    const bool is_known = postgresql_ask(session, LACKING, &lacking) == STORE_OK;
    const bool has_all = is_known && !lacking;
    if (!has_all)
        snprintf(error, error_size, "the database at %s: %s",
                 postgresql_path(&session->store->base),
                 lacking ? lacking : "it does not say what this role may do");
    free(lacking);
    return has_all;
}

static int known(void) {
    return postgresql_migrations[postgresql_migration_count - 1].number;
}

bool postgresql_schema_fits(struct store *store, char *error, size_t error_size) {
    struct postgresql_session *session = (struct postgresql_session *)store->writer;
    const char *name = postgresql_path(store);
    if (!has_rights(session, error, error_size))
        return false;
    const int schema = schema_of(session), needed = schema < 0 ? -1 : needed_by(session);
    if (needed < 0)
        snprintf(error, error_size, "the database at %s does not say which schema it has", name);
    else if (schema == 0)
        snprintf(error, error_size,
                 "the database at %s has no tables yet: run \"denoised migrate\"", name);
    else if (schema < known())
        snprintf(error, error_size,
                 "the database at %s has schema %d, and this program needs %d: run \"denoised "
                 "migrate\"",
                 name, schema, known());
    else if (needed > known())
        snprintf(error, error_size,
                 "the database at %s has schema %d, but this program knows only up to %d: use a "
                 "newer denoised",
                 name, schema, known());
    else
        return true;
    return false;
}

bool postgresql_is_outdated(struct store_session *session) {
    int64_t needed;
    return sql_value(session, sql_prepare(session, NEEDED, ""), &needed, STORE_OK) == STORE_OK &&
           needed > known();
}

/* ------------------------------------------------------------------ migrations */

static enum store_status note(struct postgresql_session *session,
                              const struct migration *migration) {
    return sql_run(&session->base,
                   "INSERT INTO schema_migration (number, name, breaking, at)"
                   " VALUES (?1, ?2, ?3, (SELECT ms FROM clock))",
                   "iti", (int64_t)migration->number, migration->name,
                   (int64_t)migration->is_breaking);
}

/* Applies a migration in a transaction of its own, unless that was done. Whoever waits for a lock of
 * a table keeps others from the table, so this gives up soon. */
static enum store_status apply(struct postgresql_session *session,
                               const struct migration *migration) {
    enum store_status status =
        postgresql_command(session, "BEGIN; SET LOCAL lock_timeout = '2s';"
                                    "SELECT pg_advisory_xact_lock(1684369005)"); /* "denm" */
    if (status == STORE_OK)
        status = postgresql_take_time(&session->base);
    const int schema = status == STORE_OK ? schema_of(session) : -1;
    if (status == STORE_OK && schema < 0)
        status = STORE_ERROR;
    if (status == STORE_OK && schema < migration->number) {
        status = postgresql_command(session, migration->sql);
        if (status == STORE_OK)
            status = note(session, migration);
        if (status == STORE_OK)
            log_line(LOG_INFO, "migrating", "migration=%s", migration->name);
    }
    if (status == STORE_OK)
        return postgresql_command(session, "COMMIT");
    postgresql_roll_back(session);
    return status;
}

bool postgresql_migrate(struct store *store, char *error, size_t error_size) {
    struct postgresql_session *session = (struct postgresql_session *)store->writer;
    enum store_status status = STORE_OK;
    for (int i = 0; i < postgresql_migration_count && status == STORE_OK; i++) {
        const struct migration *migration = &postgresql_migrations[i];
        for (int attempt = 1; (status = apply(session, migration)) != STORE_OK; attempt++) {
            if (status != STORE_BUSY || attempt == ATTEMPTS)
                break;
            log_line(LOG_INFO, "a migration waits for others who use the database",
                     "migration=%s attempt=%d", migration->name, attempt);
            sleep(RETRY_SECONDS);
        }
        if (status != STORE_OK)
            snprintf(error, error_size, "the database at %s: migration %s failed, see above",
                     postgresql_path(store), migration->name);
    }
    session->patience = 0;
    return status == STORE_OK;
}
