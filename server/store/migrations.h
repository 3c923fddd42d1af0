/*
 * migrations.h - the schema's history: the files migrations/NNNN_*.sql, embedded.
 */
#ifndef SERVER_STORE_MIGRATIONS_H
#define SERVER_STORE_MIGRATIONS_H

struct migration {
    int number;       /* the version of the schema after it, PRAGMA user_version */
    const char *name; /* file name, for messages */
    const char *sql;
};
extern const struct migration migrations[]; /* ascending */
extern const int migration_count;

#endif
