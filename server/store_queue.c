/* The queue's side of the store: claim, progress, finish, recover. */
#include <stdlib.h>
#include <string.h>

#include "server/store_sql.h"

enum { STALLS_ALLOWED = 3 };

void claim_clear(struct claim *claim) {
    free(claim->spec);
    free(claim->checkpoint.bytes);
    *claim = (struct claim){0};
}

/* ------------------------------------------------------------------ claim */

/* The newest checkpoint; zero if there is none. */
static enum store_status read_checkpoint(struct store_session *session, int64_t seq,
                                         struct checkpoint *checkpoint) {
    *checkpoint = (struct checkpoint){0};
    sqlite3_stmt *row = sql_prepare(session,
                                    "SELECT step, epoch, seconds, sha256, bytes FROM checkpoint"
                                    " WHERE job_seq = ?1 ORDER BY step DESC LIMIT 1",
                                    "i", seq);
    if (sql_row(session, row)) {
        checkpoint->step = sqlite3_column_int64(row, 0);
        checkpoint->epoch = sqlite3_column_int(row, 1);
        checkpoint->seconds = sqlite3_column_double(row, 2);
        memcpy(checkpoint->sha256, sqlite3_column_text(row, 3), sizeof checkpoint->sha256);
        checkpoint->bytes = sql_blob(session, row, 4, &checkpoint->size);
    }
    return sql_done(session, row);
}

/* Steps after the checkpoint will be trained again: the rows of their epochs go, and the job says
 * where it really is. */
static enum store_status rewind_to(struct store_session *session, int64_t seq,
                                   const struct checkpoint *checkpoint) {
    const int64_t epoch = checkpoint->epoch;
    enum store_status status =
        sql_run(session, "DELETE FROM history WHERE job_seq = ?1 AND epoch > ?2", "ii", seq, epoch);
    if (status != STORE_OK)
        return status;
    return sql_run(session,
                   "UPDATE job SET epoch = ?2, step = ?3, seconds = ?4,"
                   " train_loss = h.train_loss, val_loss = h.val_loss"
                   " FROM (SELECT 1) LEFT JOIN history AS h ON h.job_seq = ?1 AND h.epoch = ?2"
                   " WHERE job.seq = ?1",
                   "iiid", seq, epoch, checkpoint->step, checkpoint->seconds);
}

static enum store_status take_checkpoint(struct store_session *session, int64_t seq,
                                         struct claim *claim) {
    enum store_status status = read_checkpoint(session, seq, &claim->checkpoint);
    return status == STORE_OK ? rewind_to(session, seq, &claim->checkpoint) : status;
}

enum store_status store_claim(struct store_session *session, const char *owner, int64_t now,
                              struct claim *claim) {
    int64_t seq = 0;
    *claim = (struct claim){0};
    sqlite3_stmt *row = sql_prepare(
        session,
        "UPDATE job SET status = 'running', owner = ?1, fence = fence + 1, attempt = attempt + 1,"
        " stalls = stalls + 1, started_at = coalesce(started_at, ?2)"
        " WHERE seq = (SELECT seq FROM job WHERE status = 'queued' ORDER BY seq LIMIT 1)"
        " RETURNING seq, id, spec, fence, attempt, cancel_requested, created_at",
        "ti", owner, now);
    bool found = sql_row(session, row);
    if (found) {
        seq = sqlite3_column_int64(row, 0);
        memcpy(claim->id, sqlite3_column_text(row, 1), STORE_ID_LENGTH);
        claim->spec = sql_text(session, row, 2);
        claim->fence = sqlite3_column_int64(row, 3);
        claim->attempt = sqlite3_column_int(row, 4);
        claim->cancel_requested = sqlite3_column_int(row, 5);
        claim->created_at = sqlite3_column_int64(row, 6);
    }
    enum store_status status = sql_done(session, row);
    if (status == STORE_OK && !found)
        return STORE_NOT_FOUND;
    if (status == STORE_OK)
        status = take_checkpoint(session, seq, claim);
    if (status != STORE_OK)
        claim_clear(claim);
    return status;
}

/* The row number of a claimed job; STORE_LOST if it is another's by now. */
static enum store_status claimed_seq(struct store_session *session, const struct claim *claim,
                                     int64_t *seq) {
    sqlite3_stmt *row = sql_prepare(session,
                                    "SELECT seq FROM job WHERE id = ?1 AND fence = ?2"
                                    " AND status = 'running'",
                                    "ti", claim->id, claim->fence);
    const bool held = sql_row(session, row);
    *seq = held ? sqlite3_column_int64(row, 0) : 0;
    enum store_status status = sql_done(session, row);
    return status == STORE_OK && !held ? STORE_LOST : status;
}

enum store_status store_drop_checkpoint(struct store_session *session, struct claim *claim) {
    int64_t seq;
    enum store_status status = claimed_seq(session, claim, &seq);
    if (status == STORE_OK)
        status = sql_run(session, "DELETE FROM checkpoint WHERE job_seq = ?1 AND step >= ?2", "ii",
                         seq, claim->checkpoint.step);
    free(claim->checkpoint.bytes);
    claim->checkpoint = (struct checkpoint){0};
    if (status == STORE_OK)
        status = take_checkpoint(session, seq, claim);
    if (status == STORE_OK && !claim->checkpoint.bytes)
        status = sql_run(session, "DELETE FROM model WHERE job_seq = ?1", "i", seq);
    return status;
}

/* ------------------------------------------------------------------ progress */

static enum store_status add_epochs(struct store_session *session, int64_t seq,
                                    const struct progress *progress) {
    enum store_status status = STORE_OK;
    for (size_t i = 0; i < progress->epoch_count && status == STORE_OK; i++) {
        const struct epoch_row *row = &progress->epochs[i];
        status = sql_run(session,
                         "INSERT INTO history (job_seq, epoch, step, train_loss, val_loss,"
                         " learning_rate, gradient_norm, seconds, curve_distance, energy_distance)"
                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                         "iiiddddddd", seq, (int64_t)row->epoch, row->step, row->train_loss,
                         row->val_loss, row->learning_rate, row->gradient_norm, row->seconds,
                         row->curve_distance, row->energy_distance);
    }
    if (status != STORE_OK || progress->epoch_count == 0)
        return status;
    const struct epoch_row *last = &progress->epochs[progress->epoch_count - 1];
    return sql_run(session,
                   "UPDATE job SET epoch = ?2, train_loss = ?3, val_loss = ?4"
                   " WHERE seq = ?1",
                   "iidd", seq, (int64_t)last->epoch, last->train_loss, last->val_loss);
}

/* There may be one of this step, made before what happens at the end of its epoch. */
static enum store_status add_checkpoint(struct store_session *session, int64_t seq,
                                        const struct checkpoint *checkpoint) {
    enum store_status status =
        sql_run(session,
                "INSERT OR REPLACE INTO checkpoint (job_seq, step, epoch, seconds, sha256, bytes)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                "iiidtb", seq, checkpoint->step, (int64_t)checkpoint->epoch, checkpoint->seconds,
                checkpoint->sha256, checkpoint->bytes, checkpoint->size);
    if (status != STORE_OK)
        return status;
    return sql_run(session,
                   "DELETE FROM checkpoint WHERE job_seq = ?1 AND step NOT IN (SELECT step"
                   " FROM checkpoint WHERE job_seq = ?1 ORDER BY step DESC LIMIT 2)",
                   "i", seq);
}

/* The stored model may be ahead, of an epoch after the checkpoint that the job has resumed from. */
static enum store_status add_model(struct store_session *session, int64_t seq,
                                   const struct progress *progress,
                                   const struct trained_model *model, int64_t now) {
    enum store_status status = sql_run(
        session,
        "INSERT INTO model (id, job_seq, name, spec, variant, epoch, bytes,"
        "                   created_at, updated_at)"
        " SELECT id, seq, name, spec, ?2, ?3, ?4, ?5, ?5 FROM job WHERE seq = ?1"
        " ON CONFLICT (id) DO UPDATE SET variant = excluded.variant,"
        " epoch = excluded.epoch, bytes = excluded.bytes,"
        " updated_at = excluded.updated_at WHERE excluded.epoch >= model.epoch",
        "itibi", seq, progress->variant, (int64_t)model->epoch, model->bytes, model->size, now);
    return status == STORE_OK ? sql_keep_snapshot(session, progress->id, model->size) : status;
}

/* Where the job is; its row number, if it is still held. */
static enum store_status advance(struct store_session *session, const struct progress *progress,
                                 int64_t *seq, bool *cancel_requested) {
    sqlite3_stmt *row = sql_prepare(
        session,
        "UPDATE job SET step = ?3, seconds = ?4, stalls = iif(?5, 0, stalls)"
        " WHERE id = ?1 AND fence = ?2 AND status = 'running' RETURNING seq, cancel_requested",
        "tiidi", progress->id, progress->fence, progress->step, progress->seconds,
        (int64_t)(progress->checkpoint != NULL));
    bool held = sql_row(session, row);
    if (held) {
        *seq = sqlite3_column_int64(row, 0);
        *cancel_requested = sqlite3_column_int(row, 1);
    }
    enum store_status status = sql_done(session, row);
    return status == STORE_OK && !held ? STORE_LOST : status;
}

enum store_status store_progress(struct store_session *session, const struct progress *progress,
                                 int64_t now, bool *cancel_requested) {
    int64_t seq = 0;
    enum store_status status = advance(session, progress, &seq, cancel_requested);
    if (status == STORE_OK)
        status = add_epochs(session, seq, progress);
    if (status == STORE_OK && progress->checkpoint)
        status = add_checkpoint(session, seq, progress->checkpoint);
    for (size_t i = 0; i < progress->model_count && status == STORE_OK; i++)
        status = add_model(session, seq, progress, &progress->models[i], now);
    return status;
}

/* ------------------------------------------------------------------ the end of an attempt */

/* STORE_LOST if the statement, which names a fence, changed no row. */
static enum store_status held(struct store_session *session, enum store_status status) {
    return status == STORE_OK && sqlite3_changes(session->db) == 0 ? STORE_LOST : status;
}

enum store_status store_finish(struct store_session *session, const char *id, int64_t fence,
                               enum job_status status, const char *error_code,
                               const char *error_detail, int64_t now) {
    return held(session, sql_run(session,
                                 "UPDATE job SET status = ?3, error_code = ?4, error_detail = ?5,"
                                 " finished_at = ?6, owner = NULL"
                                 " WHERE id = ?1 AND fence = ?2 AND status = 'running'",
                                 "tittti", id, fence, job_status_names[status], error_code,
                                 error_detail, now));
}

enum store_status store_unclaim(struct store_session *session, const char *id, int64_t fence) {
    return held(session, sql_run(session,
                                 "UPDATE job SET status = 'queued', owner = NULL,"
                                 " attempt = attempt - 1, stalls = max(stalls - 1, 0)"
                                 " WHERE id = ?1 AND fence = ?2 AND status = 'running'",
                                 "ti", id, fence));
}

enum store_status store_recover(struct store_session *session, int64_t now, int *requeued) {
    enum store_status status =
        sql_run(session,
                "UPDATE job SET status = 'cancelled', owner = NULL, finished_at = ?1"
                " WHERE status = 'running' AND cancel_requested",
                "i", now);
    if (status == STORE_OK)
        status =
            sql_run(session,
                    "UPDATE job SET status = 'failed', owner = NULL, finished_at = ?1,"
                    " error_code = 'crash_loop', error_detail = 'the server died ' || stalls ||"
                    " ' times while it trained this job, with no checkpoint in between'"
                    " WHERE status = 'running' AND stalls >= ?2",
                    "ii", now, (int64_t)STALLS_ALLOWED);
    if (status == STORE_OK)
        status = sql_run(
            session, "UPDATE job SET status = 'queued', owner = NULL WHERE status = 'running'", "");
    *requeued = status == STORE_OK ? sqlite3_changes(session->db) : 0;
    return status;
}
