/*
 * migrations.h - the schema's history: migrations/NNNN_*.sql, embedded at build time by embed.sh.
 */
#ifndef SERVER_STORE_MIGRATIONS_H
#define SERVER_STORE_MIGRATIONS_H

struct migration {
    int number;       /* the schema version after it */
    const char *name; /* file name, for messages */
    const char *sql;
};
extern const struct migration migrations[]; /* ascending */
extern const int migration_count;

#endif
