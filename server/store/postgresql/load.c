/* Many rows at once, from another database: COPY in binary form. */
#include <endian.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/buffer.h"
#include "server/base/log.h"
#include "server/store/postgresql/postgresql.h"
#include "server/store/sql.h"

enum { MAX_FIELD = 1 << 30 }; /* bytes */

static struct postgresql_session *session_of(struct store_session *session) {
    return (struct postgresql_session *)session;
}

/* The names of tables and columns are those of the schema, and none needs quotes. */
enum store_status postgresql_load_begin(struct store_session *session, const char *table) {
    char sql[200];
    snprintf(sql, sizeof sql, "ALTER TABLE %s DISABLE TRIGGER USER", table);
    return postgresql_command(session_of(session), sql);
}

enum store_status postgresql_load_end(struct store_session *session, const char *table) {
    char sql[200];
    snprintf(sql, sizeof sql, "ALTER TABLE %s ENABLE TRIGGER USER", table);
    return postgresql_command(session_of(session), sql);
}

enum store_status postgresql_last(struct store_session *session, const char *table, const char *key,
                                  int64_t *last) {
    return sql_value(session,
                     sql_prepare(session,
                                 "SELECT coalesce(pg_sequence_last_value("
                                 "CAST(pg_get_serial_sequence(?1, ?2) AS regclass)), 0)",
                                 "tt", table, key),
                     last, STORE_ERROR);
}

enum store_status postgresql_set_last(struct store_session *session, const char *table,
                                      const char *key, int64_t last) {
    int64_t set;
    if (last == 0)
        return STORE_OK;
    return sql_value(session,
                     sql_prepare(session,
                                 "SELECT setval(CAST(pg_get_serial_sequence(?1, ?2) AS regclass), "
                                 "?3)",
                                 "tti", table, key, last),
                     &set, STORE_ERROR);
}

/* ------------------------------------------------------------------ rows */

/* COPY table (column, ..): the columns of the other database's row, in its order. */
static enum store_status begin_copy(struct postgresql_session *session, const char *table,
                                    const struct sql_statement *row) {
    struct buffer sql = {0};
    const char *name;
    buffer_format(&sql, "COPY %s (", table);
    for (int i = 0; row->session->driver->column(row, i, &name); i++)
        buffer_format(&sql, "%s%s", i ? ", " : "", name);
    buffer_text(&sql, ") FROM STDIN (FORMAT binary)");
    buffer_append(&sql, "", 1);
    enum store_status status = STORE_ERROR;
    if (!sql.failed && session->connection && pq.setnonblocking(session->connection, 0) == 0 &&
        pq.sendQuery(session->connection, sql.data)) {
        PGresult *result = postgresql_result(session);
        if (result && pq.resultStatus(result) == PGRES_COPY_IN)
            status = STORE_OK;
        else
            status = postgresql_failure(session, result, sql.data);
        pq.clear(result);
    }
    buffer_clear(&sql);
    return status;
}

static bool put(struct postgresql_session *session, const void *bytes, size_t size) {
    return size == 0 || pq.putCopyData(session->connection, bytes, (int)size) == 1;
}

/* A field: its length, and its bytes. */
static bool put_field(struct postgresql_session *session, const void *bytes, size_t size) {
    if (size > MAX_FIELD) {
        log_line(LOG_ERROR, "a value is too large for the other database", "bytes=%zu", size);
        return false;
    }
    const uint32_t length = htobe32((uint32_t)size);
    return put(session, &length, sizeof length) && put(session, bytes, size);
}

static bool put_bits(struct postgresql_session *session, uint64_t bits) {
    bits = htobe64(bits);
    return put_field(session, &bits, sizeof bits);
}

static bool put_value(struct postgresql_session *session, const struct sql_statement *row,
                      int column, char type) {
    static const uint32_t null = UINT32_MAX; /* as a length: -1 */
    if (sql_is_null(row, column))
        return put(session, &null, sizeof null);
    if (type == 'i')
        return put_bits(session, (uint64_t)sql_int64(row, column));
    if (type == 'd') {
        const double number = sql_double(row, column);
        uint64_t bits;
        memcpy(&bits, &number, sizeof bits);
        return put_bits(session, bits);
    }
    size_t size;
    const void *bytes = sql_bytes(row, column, &size);
    return put_field(session, bytes, size);
}

static bool put_row(struct postgresql_session *session, const struct sql_statement *row) {
    char types[DRIVER_MAX_COLUMNS];
    int count = 0;
    const char *name;
    while (count < DRIVER_MAX_COLUMNS &&
           (types[count] = row->session->driver->column(row, count, &name)))
        count++;
    const uint16_t fields = htobe16((uint16_t)count);
    bool good = put(session, &fields, sizeof fields);
    for (int i = 0; i < count && good; i++)
        good = put_value(session, row, i, types[i]);
    return good;
}

enum store_status postgresql_load(struct store_session *to, const char *table,
                                  struct sql_statement *rows, int64_t *count) {
    static const char head[19] = "PGCOPY\n\377\r\n"; /* then zeros: no flags, nothing more */
    static const uint16_t tail = UINT16_MAX;
    struct postgresql_session *session = session_of(to);
    struct store_session *from = rows->session;
    enum store_status status = STORE_OK;
    *count = 0;
    if (!sql_row(from, rows))
        return from->status;
    status = begin_copy(session, table, rows);
    if (status != STORE_OK)
        return status;
    bool good = put(session, head, sizeof head);
    do {
        good = good && put_row(session, rows);
        ++*count;
    } while (good && sql_row(from, rows));
    good = good && from->status == STORE_OK && put(session, &tail, sizeof tail);
    if (pq.putCopyEnd(session->connection, good ? NULL : "the other database failed") != 1)
        good = false;
    status = postgresql_drain(session, table);
    if (session->connection)
        pq.setnonblocking(session->connection, 1);
    return status == STORE_OK && !good ? STORE_ERROR : status;
}
