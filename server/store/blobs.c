/* Bytes that are stored in pieces (migrations/). */
#include <stdlib.h>
#include <string.h>

#include "server/store/sql.h"

/* ------------------------------------------------------------------ writing */

enum store_status store_blob_begin(struct store_session *session, const char *boot, size_t size,
                                   int64_t *id) {
    return sql_value(session,
                     sql_prepare(session,
                                 "INSERT INTO blob (size, writer) VALUES (?1, ?2) RETURNING id",
                                 "it", (int64_t)size, boot),
                     id, STORE_ERROR);
}

enum store_status store_blob_add(struct store_session *session, int64_t id, int64_t number,
                                 const void *bytes, size_t size) {
    enum store_status status = sql_need_room(session, (int64_t)size);
    if (status != STORE_OK)
        return status;
    return sql_run_later(session,
                         "INSERT INTO piece (blob_id, number, bytes) VALUES (?1, ?2, ?3)"
                         " ON CONFLICT (blob_id, number) DO NOTHING", /* a commit may be repeated */
                         "iib", id, number, bytes, size);
}

enum store_status store_blob_abandon(struct store_session *session, int64_t id) {
    return sql_run_later(session, "UPDATE blob SET writer = NULL WHERE id = ?1", "i", id);
}

enum store_status sql_blob_insert(struct store_session *session, const void *bytes, size_t size,
                                  int64_t *id) {
    if (*id)
        return STORE_OK;
    /* With a writer, so that making room for its pieces does not delete it. */
    enum store_status status = store_blob_begin(session, "this transaction", size, id);
    const unsigned char *from = bytes;
    for (int64_t number = 0; size > 0 && status == STORE_OK; number++) {
        const size_t piece = size < STORE_PIECE_BYTES ? size : STORE_PIECE_BYTES;
        status = store_blob_add(session, *id, number, from, piece);
        from += piece;
        size -= piece;
    }
    return status;
}

/* ------------------------------------------------------------------ reading */

/* However large the blob is, no statement takes long: a database on another machine limits that. */
enum { PIECES_AT_ONCE = 8 };

/* A blob on its way into memory. */
struct collection {
    char *bytes; /* [size] */
    size_t size, length;
    int64_t next; /* number of the next piece */
    bool is_over; /* there is no other piece, */
    bool is_long; /* or one that does not fit */
};

static enum store_status collect_some(struct store_session *session, int64_t id,
                                      struct collection *into) {
    const int64_t first = into->next;
    struct sql_statement *row = sql_prepare(session,
                                            "SELECT bytes FROM piece WHERE blob_id = ?1"
                                            " AND number >= ?2 AND number < ?3 ORDER BY number",
                                            "iii", id, first, first + PIECES_AT_ONCE);
    while (!into->is_long && sql_row(session, row)) {
        size_t more;
        const void *piece = sql_bytes(row, 0, &more);
        into->is_long = more > into->size - into->length;
        if (!into->is_long && more > 0)
            memcpy(into->bytes + into->length, piece, more);
        into->length += into->is_long ? 0 : more;
        into->next++;
    }
    into->is_over = into->is_long || into->next < first + PIECES_AT_ONCE;
    return sql_done(session, row);
}

enum store_status store_blob_read(struct store_session *session, int64_t id, size_t size,
                                  void **bytes) {
    struct collection all = {.bytes = malloc(size + 1), .size = size};
    enum store_status status = all.bytes ? STORE_OK : STORE_ERROR;
    while (status == STORE_OK && !all.is_over)
        status = collect_some(session, id, &all);
    if (status == STORE_OK && (all.is_long || all.length != size))
        status = STORE_NOT_FOUND;
    if (status != STORE_OK) {
        free(all.bytes);
        return status;
    }
    all.bytes[size] = '\0';
    *bytes = all.bytes;
    return STORE_OK;
}

/* Copies a part of one piece. */
static enum store_status read_within(struct store_session *session, int64_t id, size_t number,
                                     size_t first, size_t size, void *bytes) {
    struct sql_statement *row =
        sql_prepare(session,
                    "SELECT substr(bytes, CAST(?3 AS integer), CAST(?4 AS integer)) FROM piece"
                    " WHERE blob_id = ?1 AND number = ?2",
                    "iiii", id, (int64_t)number, (int64_t)first + 1, (int64_t)size);
    size_t length = 0;
    bool found = sql_row(session, row);
    const void *part = found ? sql_bytes(row, 0, &length) : NULL;
    found = found && length == size;
    if (found && part)
        memcpy(bytes, part, size);
    return sql_found(session, row, found, STORE_NOT_FOUND);
}

enum store_status store_blob_part(struct store_session *session, int64_t id, size_t first,
                                  size_t size, void *bytes) {
    enum store_status status = STORE_OK;
    unsigned char *to = bytes;
    while (size > 0 && status == STORE_OK) {
        const size_t at = first % STORE_PIECE_BYTES, rest = STORE_PIECE_BYTES - at;
        const size_t part = size < rest ? size : rest;
        status = read_within(session, id, first / STORE_PIECE_BYTES, at, part, to);
        first += part;
        to += part;
        size -= part;
    }
    return status;
}

/* ------------------------------------------------------------------ removing */

/* Deletes pieces of a blob that no row names, and the blob itself after its last piece. */
static enum store_status remove_pieces(struct store_session *session, int64_t id, int most,
                                       int *count) {
    enum store_status status =
        sql_run(session,
                "DELETE FROM piece WHERE blob_id = ?1 AND number IN"
                " (SELECT number FROM piece WHERE blob_id = ?1 ORDER BY number LIMIT ?2)",
                "ii", id, (int64_t)most);
    *count = sql_changes(session);
    if (status == STORE_OK && *count < most) {
        status = sql_run_later(session, "DELETE FROM blob WHERE id = ?1", "i", id);
        *count += 1;
    }
    return status;
}

enum store_status store_blob_sweep(struct store_session *session, int most, int *count) {
    *count = 0;
    enum store_status status = STORE_OK;
    while (status == STORE_OK && *count < most) {
        int64_t id;
        int removed = 0;
        status = sql_value(
            session,
            sql_prepare(session,
                        "SELECT id FROM blob WHERE refs = 0 AND writer IS NULL ORDER BY id LIMIT 1"
                        " /*! FOR UPDATE SKIP LOCKED */",
                        ""),
            &id, STORE_OK);
        if (status != STORE_OK || id == 0)
            break;
        status = remove_pieces(session, id, most - *count, &removed);
        *count += removed;
    }
    return status;
}
