/*
 * migrations.h - the schema's history for each database: the files migrations/DATABASE/NNNN_*.sql,
 * embedded. The schemas with the same number have the same tables and columns.
 */
#ifndef SERVER_STORE_MIGRATIONS_H
#define SERVER_STORE_MIGRATIONS_H

struct migration {
    int number;       /* the version of the schema after it */
    const char *name; /* file name, for messages */
    const char *sql;
};
extern const struct migration sqlite_migrations[]; /* ascending */
extern const int sqlite_migration_count;
extern const struct migration postgresql_migrations[];
extern const int postgresql_migration_count;

#endif
