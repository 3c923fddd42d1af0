/*
 * migrations.h - the schema's history for each database: the files migrations/DATABASE/NNNN_*.sql,
 * embedded. The schemas with the same number have the same tables and columns.
 */
#ifndef SERVER_STORE_MIGRATIONS_H
#define SERVER_STORE_MIGRATIONS_H

#include "server/store/store.h"

struct migration {
    int number;       /* the version of the schema after it */
    const char *name; /* file name, for messages */
    const char *sql;
    bool is_breaking; /* programs that know only earlier ones cannot use the schema after it */
};
extern const struct migration sqlite_migrations[]; /* ascending */
extern const int sqlite_migration_count;
extern const struct migration postgresql_migrations[];
extern const int postgresql_migration_count;

enum { STORE_EXIT_SCHEMA = 78 }; /* exit status of a process whose database has another schema */

/* Can this program use the schema? A file's always fits. Before anything else is done with a newly
 * opened database. False and a message that says what to do. */
bool store_schema_fits(struct store *store, char *error, size_t error_size);
/* Applies missing migrations, each in a transaction, while other processes may use the database. */
bool store_migrate(struct store *store, char *error, size_t error_size);

#endif
