/* Jobs as workers see them: claim, progress, finish, recover. */
#include <stdlib.h>
#include <string.h>

#include "server/store/driver.h"
#include "server/store/nodes.h"
#include "server/store/sql.h"

enum {
    STALLS_ALLOWED = 3,
    CHECKPOINTS_KEPT = 2,
};

void claim_clear(struct claim *claim) {
    free(claim->spec);
    free(claim->arithmetic);
    *claim = (struct claim){0};
}

/* ------------------------------------------------------------------ claim */

/* Reads the newest checkpoint, without its bytes; zero if there is none. */
static enum store_status read_checkpoint(struct store_session *session, int64_t seq,
                                         struct checkpoint *checkpoint) {
    *checkpoint = (struct checkpoint){0};
    struct sql_statement *row = sql_prepare(session,
                                            "SELECT step, epoch, seconds, sha256, blob_id, size"
                                            " FROM checkpoint JOIN blob ON blob.id = blob_id"
                                            " WHERE job_seq = ?1 ORDER BY step DESC LIMIT 1",
                                            "i", seq);
    if (sql_row(session, row)) {
        checkpoint->step = sql_int64(row, 0);
        checkpoint->epoch = sql_int(row, 1);
        checkpoint->seconds = sql_double(row, 2);
        memcpy(checkpoint->sha256, sql_chars(row, 3), sizeof checkpoint->sha256);
        checkpoint->blob = sql_int64(row, 4);
        checkpoint->size = (size_t)sql_int64(row, 5);
    }
    return sql_done(session, row);
}

/* Steps after the checkpoint will be trained again: deletes the rows of their epochs, and sets the
 * job's progress back. */
static enum store_status rewind_to(struct store_session *session, int64_t seq,
                                   const struct checkpoint *checkpoint) {
    const int64_t epoch = checkpoint->epoch;
    enum store_status status = sql_run_later(
        session, "DELETE FROM history WHERE job_seq = ?1 AND epoch > ?2", "ii", seq, epoch);
    if (status != STORE_OK)
        return status;
    return sql_run_later(
        session,
        "UPDATE job SET epoch = ?2, step = ?3, seconds = ?4,"
        " train_loss = h.train_loss, val_loss = h.val_loss"
        " FROM (SELECT 1 AS one) AS always LEFT JOIN history AS h ON h.job_seq = ?1 AND "
        "h.epoch = ?2"
        " WHERE job.seq = ?1",
        "iiid", seq, epoch, checkpoint->step, checkpoint->seconds);
}

static enum store_status take_checkpoint(struct store_session *session, int64_t seq,
                                         struct claim *claim) {
    enum store_status status = read_checkpoint(session, seq, &claim->checkpoint);
    return status == STORE_OK ? rewind_to(session, seq, &claim->checkpoint) : status;
}

/* Another node may be about to take a job: that one is passed over. */
#define FIRST_OF_QUEUE "ORDER BY seq LIMIT 1 /*! FOR UPDATE SKIP LOCKED */"

/* The job to run next: the first in the queue, if it fits. Otherwise, one that fits may overtake it
 * as long as the first could not start anyway, because jobs that were before it are still running.
 * When only jobs that have overtaken it are in its way, no other may. 0: none. */
static enum store_status choose(struct store_session *session, const struct memory_room *room,
                                int64_t *seq) {
    /* A job that is larger than ?3 waits for a node with more memory, and keeps nobody waiting. */
    struct sql_statement *row = sql_prepare(
        session,
        "WITH first AS (SELECT seq, memory FROM job WHERE " SQL_CAN_RUN
        " AND memory <= ?3 " FIRST_OF_QUEUE ")"
        " SELECT CASE WHEN memory <= ?2 THEN seq"
        "  WHEN memory + (SELECT coalesce(sum(memory), 0) FROM job AS before"
        "                 WHERE before.status = 'running' AND before.seq < first.seq"
        "                 AND " SQL_NODE("before") " = ?1) > ?3"
                                                   "  THEN (SELECT seq FROM job WHERE " SQL_CAN_RUN
                                                   " AND memory <= ?2 " FIRST_OF_QUEUE ")"
                                                   " END FROM first",
        "tii", session->node, room->unreserved, room->all);
    return sql_value(session, row, seq, STORE_OK);
}

/* The first small job that fits into the room for small jobs. */
static enum store_status choose_small(struct store_session *session, const struct memory_room *room,
                                      int64_t *seq) {
    const int64_t most = room->small < room->beside ? room->small : room->beside;
    struct sql_statement *row =
        sql_prepare(session,
                    "SELECT seq FROM job WHERE " SQL_CAN_RUN " AND memory <= ?2"
                    " " FIRST_OF_QUEUE,
                    "ti", session->node, most);
    return sql_value(session, row, seq, STORE_NOT_FOUND);
}

/* As if a job had not been claimed. */
#define PUT_BACK                                                                                   \
    "status = 'queued', owner = NULL, attempt = attempt - 1,"                                      \
    " stalls = CASE WHEN stalls > 0 THEN stalls - 1 ELSE 0 END"

/* STORE_NOT_FOUND if the lease of the node has ended: its jobs are about to be taken away. */
static enum store_status take(struct store_session *session, int64_t seq, const char *owner,
                              int64_t now, struct claim *claim) {
    struct sql_statement *row = sql_prepare(
        session,
        "UPDATE job SET status = 'running', owner = ?4 || '/' || ?2, fence = fence + 1, report = 0,"
        " attempt = attempt + 1, stalls = stalls + 1, started_at = coalesce(started_at, ?3)"
        " WHERE seq = ?1 AND EXISTS (SELECT 1 FROM node WHERE node.id = ?4 AND " SQL_IS_LIVE ")"
        " RETURNING id, spec, fence, attempt, cancel_requested, created_at, memory, arithmetic",
        "itit", seq, owner, now, session->node);
    const bool found = sql_row(session, row);
    if (found) {
        memcpy(claim->id, sql_chars(row, 0), ID_LENGTH);
        claim->spec = sql_text(session, row, 1);
        claim->fence = sql_int64(row, 2);
        claim->attempt = sql_int(row, 3);
        claim->cancel_requested = sql_int(row, 4);
        claim->created_at = sql_int64(row, 5);
        claim->memory = sql_int64(row, 6);
        claim->arithmetic = sql_text(session, row, 7);
    }
    return sql_found(session, row, found, STORE_NOT_FOUND);
}

enum store_status store_claim(struct store_session *session, const char *owner,
                              const struct memory_room *room, int64_t now, struct claim *claim) {
    int64_t seq = 0;
    *claim = (struct claim){0};
    enum store_status status = choose(session, room, &seq);
    const bool is_beside = status == STORE_OK && seq == 0;
    if (is_beside)
        status = choose_small(session, room, &seq);
    if (status != STORE_OK)
        return status;
    status = take(session, seq, owner, now, claim);
    if (status == STORE_OK && claim->fence > 1) /* it was claimed before */
        status = take_checkpoint(session, seq, claim);
    claim->is_beside = is_beside;
    if (status != STORE_OK)
        claim_clear(claim);
    return status;
}

enum store_status store_put_back(struct store_session *session, const char *owner, int *count) {
    const enum store_status status = sql_run(
        session, "UPDATE job SET " PUT_BACK " WHERE status = 'running' AND owner = ?1 || '/' || ?2",
        "tt", session->node, owner);
    *count = status == STORE_OK ? sql_changes(session) : 0;
    return status;
}

/* The row number of a claimed job; STORE_LOST if another worker has it now. */
static enum store_status claimed_seq(struct store_session *session, const struct claim *claim,
                                     int64_t *seq) {
    struct sql_statement *row = sql_prepare(session,
                                            "SELECT seq FROM job WHERE id = ?1 AND fence = ?2"
                                            " AND " SQL_IS_RUNNING,
                                            "ti", claim->id, claim->fence);
    return sql_value(session, row, seq, STORE_LOST);
}

enum store_status store_drop_checkpoint(struct store_session *session, struct claim *claim) {
    int64_t seq;
    enum store_status status = claimed_seq(session, claim, &seq);
    if (status == STORE_OK)
        status = sql_run(session, "DELETE FROM checkpoint WHERE job_seq = ?1 AND step >= ?2", "ii",
                         seq, claim->checkpoint.step);
    claim->checkpoint = (struct checkpoint){0};
    if (status == STORE_OK)
        status = take_checkpoint(session, seq, claim);
    if (status == STORE_OK && claim->checkpoint.blob == 0)
        status = sql_run(session, "DELETE FROM model WHERE job_seq = ?1", "i", seq);
    return status;
}

/* ------------------------------------------------------------------ progress */

/* For the statements below; a row begins with the job's number. */
#define TYPE_INTEGER   "i"
#define TYPE_INTEGER64 "i"
#define TYPE_NUMBER    "d"
#define TYPE_NULLABLE  "d"
#define PASS_INTEGER   (int64_t)
#define PASS_INTEGER64
#define PASS_NUMBER
#define PASS_NULLABLE
#define BIND_PLACE(kind, name, about) ", ?"
#define BIND_TYPE(kind, name, about)  TYPE_##kind
#define BIND_VALUE(kind, name, about) , PASS_##kind row->name
#define PLACES                        "(?" EPOCH_COLUMNS(BIND_PLACE) ")"
#define TYPES                         "i" EPOCH_COLUMNS(BIND_TYPE)
#define TWICE(text, between)          text between text
#define PLACES_2                      TWICE(PLACES, ", ")
#define PLACES_4                      TWICE(PLACES_2, ", ")
#define PLACES_8                      TWICE(PLACES_4, ", ")
#define PLACES_16                     TWICE(PLACES_8, ", ")
#define PLACES_32                     TWICE(PLACES_16, ", ")
#define PLACES_64                     TWICE(PLACES_32, ", ")
#define PLACES_128                    TWICE(PLACES_64, ", ")
#define PLACES_256                    TWICE(PLACES_128, ", ")
#define TYPES_2                       TWICE(TYPES, )
#define TYPES_4                       TWICE(TYPES_2, )
#define TYPES_8                       TWICE(TYPES_4, )
#define TYPES_16                      TWICE(TYPES_8, )
#define TYPES_32                      TWICE(TYPES_16, )
#define TYPES_64                      TWICE(TYPES_32, )
#define TYPES_128                     TWICE(TYPES_64, )
#define TYPES_256                     TWICE(TYPES_128, )
#define INSERT_EPOCHS                 "INSERT INTO history (job_seq" SQL_EPOCH_NAMES ") VALUES "

/* A database on another machine takes a moment for each statement, so one inserts many rows. Any
 * number of rows needs at most one statement of each size, except the largest. */
static const struct {
    const char *sql, *types;
    size_t rows;
} epoch_inserts[] = {
    {INSERT_EPOCHS PLACES_256, TYPES_256, 256}, {INSERT_EPOCHS PLACES_128, TYPES_128, 128},
    {INSERT_EPOCHS PLACES_64, TYPES_64, 64},    {INSERT_EPOCHS PLACES_32, TYPES_32, 32},
    {INSERT_EPOCHS PLACES_16, TYPES_16, 16},    {INSERT_EPOCHS PLACES_8, TYPES_8, 8},
    {INSERT_EPOCHS PLACES_4, TYPES_4, 4},       {INSERT_EPOCHS PLACES_2, TYPES_2, 2},
    {INSERT_EPOCHS PLACES, TYPES, 1},
};

/* Inserts as many of these epochs as one statement can; *done says how many. */
static enum store_status insert_epochs(struct store_session *session, int64_t seq,
                                       const struct epoch_row *epochs, size_t count, size_t *done) {
    int size = 0;
    while (epoch_inserts[size].rows > count)
        size++;
    const int columns = (int)sizeof TYPES - 1;
    struct sql_statement *statement =
        sql_open(session, epoch_inserts[size].sql, epoch_inserts[size].types);
    for (int i = 0; i < (int)epoch_inserts[size].rows; i++) {
        const struct epoch_row *row = &epochs[i];
        sql_bind(statement, 1 + i * columns, TYPES, seq EPOCH_COLUMNS(BIND_VALUE));
    }
    *done = epoch_inserts[size].rows;
    return sql_later(session, statement);
}

static enum store_status add_epochs(struct store_session *session, int64_t seq,
                                    const struct progress *progress) {
    /* A row of the history, and its event. */
    enum store_status status = sql_need_room(session, (int64_t)progress->epoch_count * 2 *
                                                          (int64_t)sizeof(struct epoch_row));
    for (size_t i = 0, done = 0; i < progress->epoch_count && status == STORE_OK; i += done)
        status =
            insert_epochs(session, seq, &progress->epochs[i], progress->epoch_count - i, &done);
    if (status != STORE_OK || progress->epoch_count == 0)
        return status;
    const struct epoch_row *last = &progress->epochs[progress->epoch_count - 1];
    return sql_run_later(session,
                         "UPDATE job SET epoch = ?2, train_loss = ?3, val_loss = ?4"
                         " WHERE seq = ?1",
                         "iidd", seq, (int64_t)last->epoch, last->train_loss, last->val_loss);
}

/* Deletes all checkpoints of a job except the newest. */
static enum store_status forget_checkpoints(struct store_session *session, int64_t seq, int kept) {
    return sql_run_later(session,
                         "DELETE FROM checkpoint WHERE job_seq = ?1 AND step NOT IN (SELECT step"
                         " FROM checkpoint WHERE job_seq = ?1 ORDER BY step DESC LIMIT ?2)",
                         "ii", seq, (int64_t)kept);
}

/* From now on, the job continues only with this arithmetic. */
static enum store_status bind_to(struct store_session *session, int64_t seq,
                                 const char *arithmetic) {
    return sql_run_later(session,
                         "UPDATE job SET arithmetic = ?2"
                         " WHERE seq = ?1 AND (arithmetic IS NULL OR arithmetic <> ?2)",
                         "it", seq, arithmetic);
}

/* Replaces one of the same step, which was saved before the end of its epoch was handled. */
static enum store_status add_checkpoint(struct store_session *session, int64_t seq,
                                        const struct checkpoint *checkpoint) {
    int64_t blob = checkpoint->blob;
    enum store_status status =
        sql_run_later(session, "DELETE FROM checkpoint WHERE job_seq = ?1 AND step = ?2", "ii", seq,
                      checkpoint->step);
    if (status == STORE_OK)
        status = sql_blob_insert(session, checkpoint->bytes, checkpoint->size, &blob);
    if (status == STORE_OK)
        status =
            sql_run_later(session,
                          "INSERT INTO checkpoint (job_seq, step, epoch, seconds, sha256, blob_id)"
                          " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                          "iiidti", seq, checkpoint->step, (int64_t)checkpoint->epoch,
                          checkpoint->seconds, checkpoint->sha256, blob);
    if (status == STORE_OK)
        status = bind_to(session, seq, checkpoint->arithmetic);
    return status == STORE_OK ? forget_checkpoints(session, seq, CHECKPOINTS_KEPT) : status;
}

/* Keeps the stored model if that is ahead: after the checkpoint from which the job has resumed. */
static enum store_status add_model(struct store_session *session, int64_t seq,
                                   const struct progress *progress,
                                   const struct trained_model *model, int64_t now) {
    int64_t blob = model->blob;
    enum store_status status = sql_blob_insert(session, model->bytes, model->size, &blob);
    if (status == STORE_OK)
        status = sql_run_later(
            session,
            "INSERT INTO model (id, job_seq, name, spec, variant, epoch, blob_id, size, dim,"
            " parameters, transform, created_at, updated_at, words, form)"
            " SELECT id, seq, name, spec, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, words, form FROM job"
            " WHERE seq = ?1"
            " ON CONFLICT (id) DO UPDATE SET variant = excluded.variant, epoch = excluded.epoch,"
            " blob_id = excluded.blob_id, size = excluded.size, dim = excluded.dim,"
            " parameters = excluded.parameters, transform = excluded.transform,"
            " updated_at = excluded.updated_at WHERE excluded.epoch >= model.epoch",
            "itiiiiibi", seq, model->variant, (int64_t)model->epoch, blob, (int64_t)model->size,
            (int64_t)model->dim, model->parameters, model->transform,
            2 * (size_t)model->dim * sizeof *model->transform, now);
    if (status == STORE_OK) /* deletes the blob if the newer model was kept */
        status = store_blob_abandon(session, blob);
    return status == STORE_OK ? sql_keep_snapshot(session, progress->id, model->size) : status;
}

/* A report that cannot be the next one: was it stored already? */
static enum store_status find_report(struct store_session *session, const struct progress *progress,
                                     struct receipt *receipt) {
    struct sql_statement *row = sql_prepare(session,
                                            "SELECT cancel_requested FROM job WHERE id = ?1"
                                            " AND fence = ?2 AND report = ?3",
                                            "tii", progress->id, progress->fence, progress->report);
    receipt->is_repeated = sql_row(session, row);
    if (receipt->is_repeated)
        receipt->cancel_requested = sql_int(row, 0);
    return sql_found(session, row, receipt->is_repeated, STORE_LOST);
}

/* Updates the progress of the job; its row number, if the fence still matches. */
static enum store_status advance(struct store_session *session, const struct progress *progress,
                                 int64_t *seq, struct receipt *receipt) {
    struct sql_statement *row =
        sql_prepare(session,
                    "UPDATE job SET step = ?3, seconds = ?4, report = ?6,"
                    " stalls = CASE WHEN ?5 <> 0 THEN 0 ELSE stalls END"
                    " WHERE id = ?1 AND fence = ?2 AND " SQL_IS_RUNNING " AND report = ?6 - 1"
                    " RETURNING seq, cancel_requested",
                    "tiidii", progress->id, progress->fence, progress->step, progress->seconds,
                    (int64_t)(progress->checkpoint != NULL), progress->report);
    bool held = sql_row(session, row);
    if (held) {
        *seq = sql_int64(row, 0);
        receipt->cancel_requested = sql_int(row, 1);
    }
    const enum store_status status = sql_done(session, row);
    return status == STORE_OK && !held ? find_report(session, progress, receipt) : status;
}

enum store_status store_progress(struct store_session *session, const struct progress *progress,
                                 int64_t now, struct receipt *receipt) {
    int64_t seq = 0;
    *receipt = (struct receipt){0};
    enum store_status status = advance(session, progress, &seq, receipt);
    if (status != STORE_OK || receipt->is_repeated)
        return status;
    status = add_epochs(session, seq, progress);
    if (status == STORE_OK && progress->checkpoint)
        status = add_checkpoint(session, seq, progress->checkpoint);
    for (size_t i = 0; i < progress->model_count && status == STORE_OK; i++)
        status = add_model(session, seq, progress, &progress->models[i], now);
    /* Deletes what these have replaced as fast as they arrive. */
    int swept;
    const int most = 4 * ((int)progress->model_count + (progress->checkpoint != NULL));
    return status == STORE_OK ? store_blob_sweep(session, most, &swept) : status;
}

/* ------------------------------------------------------------------ the end of an attempt */

/* A job that is not running: has this very end been stored before, by a commit without an answer? */
static enum store_status find_end(struct store_session *session, const char *id, int64_t fence,
                                  const struct job_end *end, int64_t now) {
    int64_t seq;
    const enum store_status status =
        sql_value(session,
                  sql_prepare(session,
                              "SELECT seq FROM job WHERE id = ?1 AND fence = ?2 AND status = ?3"
                              " AND finished_at = ?4",
                              "titi", id, fence, job_status_names[end->status], now),
                  &seq, STORE_LOST);
    if (status == STORE_OK)
        sql_ended(session, end->status, 1);
    return status;
}

enum store_status store_finish(struct store_session *session, const char *id, int64_t fence,
                               const struct job_end *end, int64_t now) {
    int64_t seq;
    struct sql_statement *row =
        sql_prepare(session,
                    "UPDATE job SET status = ?3, error_code = ?4, error_detail = ?5,"
                    " finished_at = ?6, owner = NULL, warnings = CASE WHEN ?7 IS NULL THEN warnings"
                    "  WHEN warnings = '[]' THEN ?7"
                    "  ELSE substr(warnings, 1, length(warnings) - 1) || ',' || substr(?7, 2) END"
                    " WHERE id = ?1 AND fence = ?2 AND " SQL_IS_RUNNING " RETURNING seq",
                    "titttit", id, fence, job_status_names[end->status],
                    job_error_rows[end->error].code, end->detail, now, end->warnings);
    const enum store_status status = sql_value(session, row, &seq, STORE_LOST);
    if (status == STORE_LOST)
        return find_end(session, id, fence, end, now);
    if (status != STORE_OK)
        return status;
    sql_ended(session, end->status, 1);
    /* The newest checkpoint stays, so that the job can be resumed. */
    return forget_checkpoints(session, seq, 1);
}

enum store_status store_unclaim(struct store_session *session, const char *id, int64_t fence) {
    const enum store_status status = sql_run(
        session, "UPDATE job SET " PUT_BACK " WHERE id = ?1 AND fence = ?2 AND " SQL_IS_RUNNING,
        "ti", id, fence);
    return status == STORE_OK && sql_changes(session) == 0 ? STORE_LOST : status;
}

/* Ends a statement that ends jobs with this status; *count: so many. */
static enum store_status end_jobs(struct store_session *session, enum job_status ending,
                                  struct sql_statement *statement, int *count) {
    const enum store_status status = sql_finish(session, statement);
    *count = status == STORE_OK ? sql_changes(session) : 0;
    sql_ended(session, ending, *count);
    return status;
}

/* Running jobs that nobody trains: all of them (?1), or those of nodes that are gone. One that is
 * locked, by another node's sweep or by a node that no longer moves, is left to the next sweep. */
#define ABANDONED                                                                                  \
    "seq IN (SELECT job.seq FROM job WHERE job.status = 'running' AND (?1 <> 0 OR " SQL_NODE(      \
        "job") " NOT IN (SELECT node.id FROM node)) /*! FOR NO KEY UPDATE SKIP LOCKED */)"

static enum store_status cancel_asked(struct store_session *session, bool all, int64_t now,
                                      int *count) {
    return end_jobs(session, JOB_CANCELLED,
                    sql_prepare(session,
                                "UPDATE job SET status = 'cancelled', owner = NULL,"
                                " finished_at = ?2 WHERE " ABANDONED " AND cancel_requested <> 0",
                                "ii", (int64_t)all, now),
                    count);
}

static enum store_status fail_stalled(struct store_session *session, bool all, int64_t now,
                                      int *count) {
    return end_jobs(session, JOB_FAILED,
                    sql_prepare(session,
                                "UPDATE job SET status = 'failed', owner = NULL, finished_at = ?2,"
                                " error_code = ?4, error_detail = 'the server died ' || stalls ||"
                                " ' times while it trained this job, with no checkpoint in between'"
                                " WHERE " ABANDONED " AND stalls >= ?3",
                                "iiit", (int64_t)all, now, (int64_t)STALLS_ALLOWED,
                                job_error_rows[JOB_ERROR_CRASH_LOOP].code),
                    count);
}

/* Ends or requeues jobs that nobody trains. */
static enum store_status free_jobs(struct store_session *session, bool all,
                                   struct takeover *takeover) {
    enum store_status status = cancel_asked(session, all, takeover->now, &takeover->cancelled);
    if (status == STORE_OK)
        status = fail_stalled(session, all, takeover->now, &takeover->failed);
    if (status == STORE_OK)
        status = sql_run(session,
                         "UPDATE job SET status = 'queued', owner = NULL WHERE " ABANDONED
                         " AND cancel_requested = 0 AND stalls < ?2",
                         "ii", (int64_t)all, (int64_t)STALLS_ALLOWED);
    takeover->requeued = status == STORE_OK ? sql_changes(session) : 0;
    return status;
}

enum store_status store_unclaim_bound(struct store_session *session, const char *id, int64_t fence,
                                      const char *arithmetic) {
    int64_t seq;
    enum store_status status = sql_job_seq(session, id, &seq);
    if (status == STORE_NOT_FOUND)
        return STORE_LOST;
    if (status == STORE_OK)
        status = store_unclaim(session, id, fence);
    return status == STORE_OK ? bind_to(session, seq, arithmetic) : status;
}

enum store_status store_count_waiting(struct store_session *session, int64_t *count) {
    return sql_value(session,
                     sql_prepare(session,
                                 "SELECT count(*) FROM job"
                                 " WHERE status = 'queued' AND " SQL_IS_BOUND("job"),
                                 ""),
                     count, STORE_OK);
}

/* Fails jobs that no worker could ever claim. */
static enum store_status refuse_too_large(struct store_session *session, int64_t memory,
                                          int64_t now) {
    int count;
    return end_jobs(
        session, JOB_FAILED,
        sql_prepare(session,
                    "UPDATE job SET status = 'failed', finished_at = ?1, error_code = ?3,"
                    " error_detail = 'this training may need ' || ((memory >> 20) + 1) || ' MiB of "
                    "memory; the server may use ' || (?2 >> 20) || ' MiB (--max-training-memory)'"
                    " WHERE status = 'queued' AND memory > ?2",
                    "iit", now, memory, job_error_rows[JOB_ERROR_TOO_LARGE].code),
        &count);
}

enum store_status store_recover(struct store_session *session, int64_t memory, int64_t now,
                                int *requeued) {
    struct takeover takeover = {.now = now};
    enum store_status status =
        sql_run(session, "UPDATE blob SET writer = NULL WHERE writer IS NOT NULL", "");
    if (status == STORE_OK)
        status = sql_run(session, "DELETE FROM node WHERE id <> ?1", "t", session->node);
    if (status == STORE_OK)
        status = free_jobs(session, true, &takeover);
    *requeued = takeover.requeued;
    return status == STORE_OK ? refuse_too_large(session, memory, now) : status;
}

enum store_status store_take_over(struct store_session *session, int64_t lease,
                                  struct takeover *takeover) {
    enum store_status status =
        sql_run(session,
                "DELETE FROM node WHERE id IN"
                " (SELECT id FROM node WHERE lease_until < (SELECT ms FROM clock)"
                "  AND (SELECT started_at FROM server) + ?1 < (SELECT ms FROM clock)"
                "  ORDER BY id /*! FOR UPDATE SKIP LOCKED */)", /* another node may sweep, too */
                "i", lease);
    if (status != STORE_OK)
        return status;
    takeover->buried = sql_changes(session);
    status = free_jobs(session, false, takeover);
    if (status != STORE_OK)
        return status;
    return sql_run(session,
                   "UPDATE blob SET writer = NULL"
                   " WHERE writer IS NOT NULL AND writer NOT IN (SELECT node.id FROM node)",
                   "");
}

/* At most so many jobs that have ended at this time, each for this reason (NULL: none). */
static enum store_status note_ended(struct store_session *session, enum job_status ending,
                                    const char *error, int64_t now, int most) {
    int64_t count;
    if (most == 0)
        return STORE_OK;
    const enum store_status status =
        sql_value(session,
                  sql_prepare(session,
                              "SELECT count(*) FROM job WHERE status = ?1 AND finished_at = ?2"
                              " AND error_code IS NOT DISTINCT FROM ?3 AND attempt > 0",
                              "tit", job_status_names[ending], now, error),
                  &count, STORE_ERROR);
    if (status == STORE_OK)
        sql_ended(session, ending, count < most ? count : most);
    return status;
}

enum store_status store_take_over_again(struct store_session *session,
                                        const struct takeover *takeover) {
    const char *crash_loop = job_error_rows[JOB_ERROR_CRASH_LOOP].code;
    const enum store_status status =
        note_ended(session, JOB_CANCELLED, NULL, takeover->now, takeover->cancelled);
    return status == STORE_OK
               ? note_ended(session, JOB_FAILED, crash_loop, takeover->now, takeover->failed)
               : status;
}
