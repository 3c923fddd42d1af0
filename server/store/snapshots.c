/* Earlier states of models, so that one can look back on their training. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/sql.h"

enum { SNAPSHOTS_BYTES = 32 << 20 }; /* all snapshots of one model together */

/* The maximum number of snapshots of a model of this size. */
static int64_t most_snapshots(size_t bytes) {
    const size_t room = SNAPSHOTS_BYTES / (bytes + 1);
    return (int64_t)(room < STORE_MAX_SNAPSHOTS ? room : STORE_MAX_SNAPSHOTS);
}

/* The training is cut into parts that grow as the square of their number, because models change
 * most at first. A model is kept if it is the first in its part. */
static double part_of(int epoch, int epochs, int64_t parts) {
    return epoch > 0 ? floor((double)parts * sqrt((double)epoch / epochs)) : -1;
}

bool store_is_snapshot(size_t bytes, int epochs, int before, int epoch) {
    const int64_t most = most_snapshots(bytes);
    return most >= 2 && part_of(epoch, epochs, most - 1) > part_of(before, epochs, most - 1);
}

/* The same, by the snapshots that there are. */
static enum store_status add(struct store_session *session, const char *id, int64_t parts) {
    return sql_run_later(
        session,
        "INSERT INTO snapshot (model_id, epoch, blob_id, size, created_at)"
        " SELECT model.id, model.epoch, model.blob_id, model.size, model.updated_at"
        " FROM model JOIN job ON job.seq = model.job_seq WHERE model.id = ?1"
        " AND floor(?2 * sqrt(CAST(model.epoch AS double precision) / job.epochs)) > coalesce("
        "  (SELECT floor(?2 * sqrt(CAST(max(epoch) AS double precision) / job.epochs))"
        "   FROM snapshot WHERE model_id = ?1), -1)",
        "ti", id, parts);
}

/* A job that was extended adds more of them: deletes the one that leaves the smallest gap. */
static enum store_status thin(struct store_session *session, const char *id, int64_t most) {
    return sql_run_later(session,
                         "DELETE FROM snapshot WHERE model_id = ?1"
                         " AND (SELECT count(*) FROM snapshot WHERE model_id = ?1) > ?2"
                         " AND epoch = (SELECT epoch FROM (SELECT epoch,"
                         "  sqrt(CAST(lead(epoch) OVER neighbors AS double precision)) -"
                         "  sqrt(CAST(lag(epoch) OVER neighbors AS double precision)) AS gap"
                         "  FROM snapshot WHERE model_id = ?1 WINDOW neighbors AS (ORDER BY epoch))"
                         " AS kept WHERE gap IS NOT NULL ORDER BY gap, epoch LIMIT 1)",
                         "ti", id, most);
}

enum store_status sql_keep_snapshot(struct store_session *session, const char *id, size_t bytes) {
    const int64_t most = most_snapshots(bytes);
    if (most < 2)
        return STORE_OK;
    enum store_status status = add(session, id, most - 1);
    return status == STORE_OK ? thin(session, id, most) : status;
}

/* Turns the description of a model into that of an earlier epoch. */
static enum store_status look_back(struct store_session *session, int epoch, struct model *model) {
    struct sql_statement *row = sql_prepare(session,
                                            "SELECT blob_id, size, created_at FROM snapshot"
                                            " WHERE model_id = ?1 AND epoch = ?2",
                                            "ti", model->id, (int64_t)epoch);
    const bool found = sql_row(session, row);
    if (found) {
        model->blob = sql_int64(row, 0);
        model->byte_count = (size_t)sql_int64(row, 1);
        model->updated_at = sql_int64(row, 2);
        model->epoch = epoch;
    }
    return sql_found(session, row, found, STORE_NO_SNAPSHOT);
}

enum store_status store_model_at(struct store_session *session, const char *id, int epoch,
                                 bool with_bytes, struct model *model) {
    if (epoch == 0 && !with_bytes) /* what most requests ask: one statement, no transaction */
        return store_model_get(session, id, model);
    enum store_status status = sql_begin_reading(session);
    if (status != STORE_OK)
        return status;
    status = store_model_get(session, id, model);
    const bool found = status == STORE_OK;
    if (found && epoch != 0 && epoch != model->epoch)
        status = look_back(session, epoch, model);
    if (status == STORE_OK && with_bytes) {
        status = store_blob_read(session, model->blob, model->byte_count, &model->bytes);
        if (status == STORE_NOT_FOUND)
            status = STORE_ERROR; /* the row exists, its bytes do not */
    }
    status = sql_end_reading(session, status);
    if (found && status != STORE_OK)
        model_clear(model);
    return status;
}

enum store_status store_snapshots(struct store_session *session, const char *id,
                                  struct snapshot snapshots[static STORE_MAX_SNAPSHOTS + 1],
                                  int *count) {
    *count = 0;
    struct sql_statement *row =
        sql_prepare(session,
                    "SELECT epoch, created_at, size FROM snapshot WHERE model_id = ?1"
                    " UNION SELECT epoch, updated_at, size FROM model WHERE id = ?1"
                    " AND epoch NOT IN (SELECT epoch FROM snapshot WHERE model_id = ?1)"
                    " ORDER BY epoch LIMIT ?2",
                    "ti", id, (int64_t)STORE_MAX_SNAPSHOTS + 1);
    while (sql_row(session, row))
        snapshots[(*count)++] = (struct snapshot){
            .epoch = sql_int(row, 0),
            .at = sql_int64(row, 1),
            .bytes = sql_int64(row, 2),
        };
    return sql_done(session, row);
}
