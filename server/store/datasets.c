/* Uploaded data sets, and which jobs train on them. */
#include <stdlib.h>
#include <string.h>

#include "server/store/datasets.h"
#include "server/store/sql.h"

void dataset_clear(struct dataset *dataset) {
    free(dataset->name);
    free(dataset->columns);
    free(dataset->label);
    free(dataset->classes);
    free(dataset->statistics);
    free(dataset->points);
    free(dataset->pixels);
    free(dataset->labels);
    free(dataset->cells);
    *dataset = (struct dataset){0};
}

enum { SWEPT_AT_ONCE = 4 }; /* pieces and blobs, as of points and cells of one piece each */

size_t dataset_values_bytes(const struct dataset *dataset) {
    const size_t one = dataset->height ? sizeof *dataset->pixels : sizeof *dataset->points;
    return (size_t)dataset->n * (size_t)dataset->dim * one;
}

const void *dataset_values(const struct dataset *dataset) {
    return dataset->height ? (const void *)dataset->pixels : dataset->points;
}

static size_t labels_bytes(const struct dataset *dataset) {
    return dataset->labels ? (size_t)dataset->n * sizeof *dataset->labels : 0;
}

enum store_status store_dataset_insert(struct store_session *session,
                                       const struct dataset *dataset) {
    int64_t blob = dataset->blob, cells_blob = dataset->cells_blob;
    enum store_status status = sql_need_room(session, (int64_t)labels_bytes(dataset));
    if (status == STORE_OK)
        status =
            sql_blob_insert(session, dataset_values(dataset), dataset_values_bytes(dataset), &blob);
    if (status == STORE_OK && dataset->cells)
        status = sql_blob_insert(session, dataset->cells, dataset->cells_bytes, &cells_blob);
    if (status != STORE_OK)
        return status;
    return sql_run(session,
                   "INSERT INTO dataset (id, name, n, dim, columns, classes, statistics, sha256,"
                   " bytes, created_at, labels, label, height, width, channels, blob_id,"
                   " cells_blob_id)"
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,"
                   " NULLIF(?17, 0))",
                   "ttiittttiibtiiiii", dataset->id, dataset->name, dataset->n,
                   (int64_t)dataset->dim, dataset->columns, dataset->classes, dataset->statistics,
                   dataset->sha256, dataset->bytes, dataset->created_at, dataset->labels,
                   labels_bytes(dataset), dataset->label, (int64_t)dataset->height,
                   (int64_t)dataset->width, (int64_t)dataset->channels, blob, cells_blob);
}

#define DATASET_COLUMNS                                                                            \
    "id, name, n, dim, columns, classes, statistics, sha256, bytes, created_at, label,"            \
    " coalesce(cells_blob_id, 0), height, width, channels, blob_id"

static void read_dataset(struct store_session *session, struct sql_statement *row,
                         struct dataset *dataset) {
    *dataset = (struct dataset){
        .name = sql_text(session, row, 1),
        .n = sql_int64(row, 2),
        .dim = sql_int(row, 3),
        .columns = sql_text(session, row, 4),
        .classes = sql_text(session, row, 5),
        .statistics = sql_text(session, row, 6),
        .bytes = sql_int64(row, 8),
        .created_at = sql_int64(row, 9),
        .label = sql_text(session, row, 10),
        .cells_blob = sql_int64(row, 11),
        .height = sql_int(row, 12),
        .width = sql_int(row, 13),
        .channels = sql_int(row, 14),
        .blob = sql_int64(row, 15),
    };
    memcpy(dataset->id, sql_chars(row, 0), ID_LENGTH);
    memcpy(dataset->sha256, sql_chars(row, 7), sizeof dataset->sha256 - 1);
}

/* The values of a data set whose row was read. */
static enum store_status read_values(struct store_session *session, struct dataset *dataset) {
    void *bytes = NULL;
    const enum store_status status =
        store_blob_read(session, dataset->blob, dataset_values_bytes(dataset), &bytes);
    if (dataset->height)
        dataset->pixels = bytes;
    else
        dataset->points = bytes;
    return status;
}

static enum store_status read_one(struct store_session *session, const char *id, bool with_points,
                                  struct dataset *dataset) {
    struct sql_statement *row =
        sql_prepare(session,
                    "SELECT " DATASET_COLUMNS ", CASE WHEN ?2 <> 0 THEN labels END"
                    " FROM dataset WHERE id = ?1",
                    "ti", id, (int64_t)with_points);
    const bool found = sql_row(session, row);
    if (found) {
        size_t size;
        read_dataset(session, row, dataset);
        dataset->labels = sql_blob(session, row, 16, &size);
    }
    enum store_status status = sql_found(session, row, found, STORE_NOT_FOUND);
    if (status == STORE_OK && with_points)
        status = read_values(session, dataset);
    if (found && status != STORE_OK)
        dataset_clear(dataset);
    return status;
}

enum store_status store_dataset_get(struct store_session *session, const char *id, bool with_points,
                                    struct dataset *dataset) {
    if (!with_points)
        return read_one(session, id, false, dataset);
    /* A change may give it other points meanwhile. */
    enum store_status status = sql_begin_reading(session);
    if (status != STORE_OK)
        return status;
    status = read_one(session, id, true, dataset);
    const bool found = status == STORE_OK;
    status = sql_end_reading(session, status);
    if (found && status != STORE_OK)
        dataset_clear(dataset);
    return status;
}

enum store_status store_dataset_images(struct store_session *session, const struct dataset *dataset,
                                       size_t first, size_t count, uint8_t *pixels) {
    const size_t dim = (size_t)dataset->dim;
    return store_blob_part(session, dataset->blob, first * dim, count * dim, pixels);
}

enum store_status store_dataset_labels(struct store_session *session, const char *id,
                                       int32_t **labels) {
    size_t size;
    struct sql_statement *row =
        sql_prepare(session, "SELECT labels FROM dataset WHERE id = ?1", "t", id);
    const bool found = sql_row(session, row);
    *labels = found ? sql_blob(session, row, 0, &size) : NULL;
    return sql_found(session, row, *labels, STORE_NOT_FOUND);
}

enum store_status store_dataset_cells(struct store_session *session, const char *id, void **cells,
                                      size_t *bytes) {
    int64_t blob = 0;
    struct sql_statement *row =
        sql_prepare(session,
                    "SELECT coalesce(cells_blob_id, 0), coalesce(size, 0) FROM dataset"
                    " LEFT JOIN blob ON blob.id = cells_blob_id WHERE dataset.id = ?1",
                    "t", id);
    const bool found = sql_row(session, row);
    *cells = NULL;
    *bytes = 0;
    if (found) {
        blob = sql_int64(row, 0);
        *bytes = (size_t)sql_int64(row, 1);
    }
    const enum store_status status = sql_found(session, row, found, STORE_NOT_FOUND);
    return status == STORE_OK && blob ? store_blob_read(session, blob, *bytes, cells) : status;
}

/* Locks the data set, so that a check by the next statement holds until the commit: of a change, a
 * deletion and a new job on other nodes, one waits for the other. */
static enum store_status lock_dataset(struct store_session *session, const char *id, int64_t *seq) {
    return sql_value(
        session,
        sql_prepare(session, "SELECT seq FROM dataset WHERE id = ?1 /*! FOR UPDATE */", "t", id),
        seq, STORE_NOT_FOUND);
}

static size_t text_bytes(const struct dataset *dataset) {
    const char *texts[] = {dataset->columns, dataset->classes, dataset->statistics};
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        bytes += texts[i] ? strlen(texts[i]) : 0;
    return bytes;
}

enum store_status store_dataset_list(struct store_session *session, const char *after,
                                     bool only_images, int limit, size_t most_bytes,
                                     struct dataset *datasets, int *count, bool *has_more) {
    size_t bytes = 0;
    *count = 0;
    *has_more = false;
    /* Ids begin with the time of creation. 'g' is above all of them. */
    struct sql_statement *row =
        sql_prepare(session,
                    "SELECT " DATASET_COLUMNS " FROM dataset WHERE id < ?1 AND height >= ?3"
                    " ORDER BY id DESC LIMIT ?2",
                    "tii", after ? after : "g", (int64_t)limit + 1, (int64_t)only_images);
    while (!*has_more && sql_row(session, row)) {
        if (*count == limit || bytes > most_bytes) {
            *has_more = true;
        } else {
            read_dataset(session, row, &datasets[*count]);
            bytes += text_bytes(&datasets[(*count)++]);
        }
    }
    enum store_status status = sql_done(session, row);
    if (status != STORE_OK)
        while (*count > 0)
            dataset_clear(&datasets[--*count]);
    return status;
}

enum store_status store_dataset_update(struct store_session *session,
                                       const struct dataset *dataset) {
    int64_t seq, blob = dataset->blob;
    enum store_status status = lock_dataset(session, dataset->id, &seq);
    if (status == STORE_OK)
        status = sql_need_room(session, (int64_t)labels_bytes(dataset));
    if (status == STORE_OK)
        status =
            sql_blob_insert(session, dataset_values(dataset), dataset_values_bytes(dataset), &blob);
    if (status != STORE_OK)
        return status;
    struct sql_statement *updated = sql_prepare(
        session,
        "UPDATE dataset SET dim = ?2, columns = ?3, classes = ?4, statistics = ?5,"
        " blob_id = ?6, labels = ?7, label = ?8 WHERE seq = ?1 AND NOT EXISTS"
        " (SELECT 1 FROM job_dataset WHERE dataset_seq = ?1) RETURNING seq",
        "iitttibt", seq, (int64_t)dataset->dim, dataset->columns, dataset->classes,
        dataset->statistics, blob, dataset->labels, labels_bytes(dataset), dataset->label);
    return sql_value(session, updated, &seq, STORE_CONFLICT);
}

enum store_status store_dataset_delete(struct store_session *session, const char *id) {
    int64_t seq;
    enum store_status status = lock_dataset(session, id, &seq);
    if (status != STORE_OK)
        return status;
    struct sql_statement *deleted =
        sql_prepare(session,
                    "DELETE FROM dataset WHERE seq = ?1 AND NOT EXISTS (SELECT 1 FROM job_dataset"
                    " JOIN job ON job.seq = job_seq WHERE dataset_seq = ?1"
                    " AND status IN ('queued', 'running')) RETURNING seq",
                    "i", seq);
    status = sql_value(session, deleted, &seq, STORE_CONFLICT);
    int swept; /* what is small makes room at once, and the janitor goes on with the rest */
    return status == STORE_OK ? store_blob_sweep(session, SWEPT_AT_ONCE, &swept) : status;
}

enum store_status store_job_uses(struct store_session *session, const char *job_id,
                                 const char *dataset_id) {
    int64_t seq, job_seq;
    enum store_status status = lock_dataset(session, dataset_id, &seq);
    if (status == STORE_OK)
        status = sql_job_seq(session, job_id, &job_seq);
    if (status != STORE_OK)
        return status;
    return sql_run(session,
                   "INSERT INTO job_dataset (dataset_seq, job_seq) VALUES (?1, ?2)"
                   " ON CONFLICT DO NOTHING",
                   "ii", seq, job_seq);
}
