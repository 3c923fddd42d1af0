/* What a deletion costs must not depend on how much else there is: SQLite's plans of it, of the
 * triggers and the cascades too, visit no whole table. */
#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "server/store/migrations.h"

static sqlite3 *db;

static void open_plans(void) {
    cr_assert_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
    for (int i = 0; i < sqlite_migration_count; i++)
        cr_assert_eq(sqlite3_exec(db, sqlite_migrations[i].sql, NULL, NULL, NULL), SQLITE_OK, "%s",
                     sqlite_migrations[i].name);
    cr_assert_eq(sqlite3_exec(db, "PRAGMA foreign_keys = ON", NULL, NULL, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_db_config(db, SQLITE_DBCONFIG_TRIGGER_EQP, 1, NULL), SQLITE_OK);
}

static void close_plans(void) {
    sqlite3_close(db);
}

TestSuite(plans, .init = open_plans, .fini = close_plans);

/* A view of one row, of the clock, is no table. */
static bool visits_a_whole_table(const char *step) {
    return strncmp(step, "SCAN ", 5) == 0 && strcmp(step, "SCAN CONSTANT ROW") != 0 &&
           strcmp(step, "SCAN clock") != 0;
}

/* Fails for a plan that visits one; how many of its steps say `word`? */
static int steps_with(const char *sql, const char *word) {
    char explain[300];
    sqlite3_stmt *plan;
    int found = 0;
    snprintf(explain, sizeof explain, "EXPLAIN QUERY PLAN %s", sql);
    cr_assert_eq(sqlite3_prepare_v2(db, explain, -1, &plan, NULL), SQLITE_OK, "%s",
                 sqlite3_errmsg(db));
    while (sqlite3_step(plan) == SQLITE_ROW) {
        const char *step = (const char *)sqlite3_column_text(plan, 3);
        if (!step)
            continue; /* what follows is a cascade */
        cr_assert_not(visits_a_whole_table(step), "%s: %s", sql, step);
        found += strstr(step, word) != NULL;
    }
    sqlite3_finalize(plan);
    return found;
}

Test(plans, deleting_a_job_looks_up_all_that_goes_with_it) {
    static const char *const deletions[] = {
        "DELETE FROM job WHERE seq = ?1 RETURNING seq",
        "DELETE FROM job WHERE seq IN"
        " (SELECT seq FROM job WHERE finished_at < ?1 ORDER BY finished_at LIMIT ?2)",
    };
    for (size_t i = 0; i < sizeof deletions / sizeof *deletions; i++) {
        cr_assert_eq(steps_with(deletions[i], "SEARCH event USING INDEX event_of_deleted_by_time"),
                     1);
        cr_assert_eq(steps_with(deletions[i], "SEARCH event USING INDEX event_by_job"), 1);
    }
}
