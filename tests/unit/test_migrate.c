/* How a database gets from one schema to the next, all the way or not at all: store_open, with
 * migrations of this file in place of the program's. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/migrations.h"
#include "server/store/sqlite/sqlite.h"

const struct migration sqlite_migrations[] = {
    {20, "0020_first.sql", "CREATE TABLE point (x INTEGER NOT NULL)"},
    {21, "0021_second.sql",
     "ALTER TABLE point ADD COLUMN y INTEGER NOT NULL DEFAULT 0; UPDATE point SET y = x + 1"},
    {22, "0022_third.sql", "CREATE UNIQUE INDEX point_by_x ON point (x)"},
};
const int sqlite_migration_count = sizeof sqlite_migrations / sizeof sqlite_migrations[0];

static char directory[32], path[64];
static sqlite3 *db;

/* A database of the first schema, or one that is not there yet, with these rows. */
static void begin(int version, const char *rows) {
    char sql[200];
    snprintf(directory, sizeof directory, "/tmp/denoised-migrate-XXXXXX");
    cr_assert(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/a.db", directory);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    snprintf(sql, sizeof sql,
             "PRAGMA application_id = %d; PRAGMA user_version = %d; %s; INSERT INTO point %s",
             SQLITE_APPLICATION, version, sqlite_migrations[0].sql, rows);
    if (version > 0)
        cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
}

static void open_and_close(void) {
    char error[300];
    struct store *store = store_open(path, error, sizeof error);
    cr_assert(store, "%s", error);
    store_close(store);
}

static void end(void) {
    char command[100];
    sqlite3_close(db);
    snprintf(command, sizeof command, "rm -r %s", directory);
    cr_assert_eq(system(command), 0);
}

TestSuite(migrate, .fini = end);

Test(migrate, a_database_of_the_first_schema_gets_the_others) {
    begin(20, "VALUES (5), (7)");
    open_and_close();
    cr_assert_eq(sqlite_integer(db, "PRAGMA user_version"), 22);
    cr_assert_eq(sqlite_integer(db, "SELECT sum(10 * x + y) FROM point"), 56 + 78);
    cr_assert_eq(sqlite_integer(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'point_by_x'"),
                 1);
    open_and_close(); /* and no migration twice */
    cr_assert_eq(sqlite_integer(db, "SELECT count(*) FROM point"), 2);
}

Test(migrate, a_new_database_gets_all) {
    begin(0, NULL);
    open_and_close();
    cr_assert_eq(sqlite_integer(db, "PRAGMA user_version"), 22);
    cr_assert_eq(sqlite_integer(db, "PRAGMA application_id"), SQLITE_APPLICATION);
    cr_assert_eq(sqlite_integer(db, "SELECT count(y) FROM point"), 0);
}

/* The third migration refuses these rows, so the second has not taken place either. */
Test(migrate, a_migration_that_fails_leaves_the_schema_of_before) {
    char error[300];
    begin(20, "VALUES (5), (5)");
    cr_assert_null(store_open(path, error, sizeof error));
    cr_assert(strstr(error, "0022_third.sql"), "%s", error);
    cr_assert_eq(sqlite_integer(db, "PRAGMA user_version"), 20);
    cr_assert_eq(sqlite_integer(db, "SELECT count(*) FROM pragma_table_info('point')"), 1);
    cr_assert_eq(sqlite_integer(db, "SELECT sum(x) FROM point"), 10);
}

Test(migrate, older_and_newer_databases_are_refused) {
    char error[300];
    for (int version = 19; version <= 23; version += 4) {
        begin(version, "VALUES (5)");
        cr_assert_null(store_open(path, error, sizeof error));
        cr_assert(strstr(error, version == 19 ? "made by denoised 0.1.0" : "use a newer denoised"),
                  "%s", error);
        cr_assert_eq(sqlite_integer(db, "PRAGMA user_version"), version);
        if (version == 19)
            end();
    }
}
