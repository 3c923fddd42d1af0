/* Many rows at once, from another database. */
#include <string.h>

#include "server/store/sql.h"
#include "server/store/sqlite/sqlite.h"

static sqlite3 *db_of(const struct store_session *session) {
    return ((const struct sqlite_session *)session)->db;
}

static enum store_status triggers(struct store_session *session, int on) {
    const int code = sqlite3_db_config(db_of(session), SQLITE_DBCONFIG_ENABLE_TRIGGER, on, NULL);
    return code == SQLITE_OK ? STORE_OK : sqlite_failure(db_of(session), code, "triggers");
}

enum store_status sqlite_load_begin(struct store_session *session, const char *table) {
    (void)table; /* for all of them */
    return triggers(session, 0);
}

enum store_status sqlite_load_end(struct store_session *session, const char *table) {
    const enum store_status status = triggers(session, 1);
    if (status != STORE_OK || strcmp(table, "job") != 0)
        return status;
    return sql_run(session,
                   "UPDATE job_count SET n ="
                   " (SELECT count(*) FROM job WHERE job.status = job_count.status)",
                   "");
}

enum store_status sqlite_last(struct store_session *session, const char *table, const char *key,
                              int64_t *last) {
    (void)key; /* the only one of the table */
    return sql_value(
        session,
        sql_prepare(session, "SELECT seq FROM sqlite_sequence WHERE name = ?1", "t", table), last,
        STORE_OK);
}

enum store_status sqlite_set_last(struct store_session *session, const char *table, const char *key,
                                  int64_t last) {
    (void)key;
    enum store_status status =
        sql_run(session, "DELETE FROM sqlite_sequence WHERE name = ?1", "t", table);
    if (status == STORE_OK && last > 0)
        status = sql_run(session, "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)", "ti",
                         table, last);
    return status;
}

/* ------------------------------------------------------------------ rows */

/* INSERT INTO table (column, ..) VALUES (?, ..): the columns of the other database's row. */
static char *insertion(const char *table, const struct sql_statement *row) {
    sqlite3_str *sql = sqlite3_str_new(NULL);
    const char *name;
    int count = 0;
    sqlite3_str_appendf(sql, "INSERT INTO \"%w\" (", table);
    for (; row->session->driver->column(row, count, &name); count++)
        sqlite3_str_appendf(sql, "%s\"%w\"", count ? ", " : "", name);
    sqlite3_str_appendall(sql, ") VALUES (?");
    for (int i = 1; i < count; i++)
        sqlite3_str_appendall(sql, ", ?");
    sqlite3_str_appendall(sql, ")");
    return sqlite3_str_finish(sql); /* NULL: out of memory */
}

static int bind_value(sqlite3_stmt *insert, const struct sql_statement *row, int column,
                      char type) {
    if (sql_is_null(row, column))
        return sqlite3_bind_null(insert, column + 1);
    if (type == 'i')
        return sqlite3_bind_int64(insert, column + 1, sql_int64(row, column));
    if (type == 'd')
        return sqlite3_bind_double(insert, column + 1, sql_double(row, column));
    size_t size;
    const void *bytes = sql_bytes(row, column, &size);
    if (type == 't')
        return sqlite3_bind_text64(insert, column + 1, size ? bytes : "", size, SQLITE_STATIC,
                                   SQLITE_UTF8);
    return sqlite3_bind_blob64(insert, column + 1, size ? bytes : "", size, SQLITE_STATIC);
}

static int insert_row(sqlite3_stmt *insert, const struct sql_statement *row) {
    const char *name;
    char type;
    int code = SQLITE_OK;
    for (int i = 0; code == SQLITE_OK && (type = row->session->driver->column(row, i, &name)); i++)
        code = bind_value(insert, row, i, type);
    if (code == SQLITE_OK)
        sqlite3_step(insert);
    else
        return code;
    return sqlite3_reset(insert);
}

enum store_status sqlite_load(struct store_session *to, const char *table,
                              struct sql_statement *rows, int64_t *count) {
    struct store_session *from = rows->session;
    sqlite3 *db = db_of(to);
    *count = 0;
    if (!sql_row(from, rows))
        return from->status;
    sqlite3_stmt *insert = NULL;
    char *sql = insertion(table, rows);
    int code = sql ? sqlite3_prepare_v2(db, sql, -1, &insert, NULL) : SQLITE_NOMEM;
    do {
        if (code == SQLITE_OK)
            code = insert_row(insert, rows);
        if (code == SQLITE_OK)
            ++*count;
    } while (code == SQLITE_OK && sql_row(from, rows));
    const enum store_status status =
        code == SQLITE_OK ? from->status : sqlite_failure(db, code, sql ? sql : table);
    sqlite3_finalize(insert);
    sqlite3_free(sql);
    return status;
}
