/* Jobs as clients see them, to insert, read, cancel and delete; and their loss history. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/driver.h"
#include "server/store/sql.h"

const char *const job_status_names[] = {"queued", "running",   "succeeded",
                                        "failed", "cancelled", NULL};

const struct job_error_row job_error_rows[JOB_ERRORS] = {
#define JOB_ERROR(name, code, doc) [JOB_ERROR_##name] = {code, doc},
#include "server/store/job_error_rows.h"
#undef JOB_ERROR
};

void job_clear(struct job *job) {
    free(job->name);
    free(job->dataset);
    free(job->spec);
    free(job->warnings);
    free(job->node);
    free(job->arithmetic);
    free(job->error.code);
    free(job->error.detail);
    *job = (struct job){0};
}

enum store_status sql_job_seq(struct store_session *session, const char *id, int64_t *seq) {
    struct sql_statement *statement =
        strcmp(id, "latest") == 0
            ? sql_prepare(session, "SELECT seq FROM job ORDER BY seq DESC LIMIT 1", "")
            : sql_prepare(session, "SELECT seq FROM job WHERE id = ?1", "t", id);
    return sql_value(session, statement, seq, STORE_NOT_FOUND);
}

enum store_status store_job_insert(struct store_session *session, const struct job *job,
                                   const char *idempotency_key) {
    char *words;
    enum store_status status = sql_need_room(session, (int64_t)strlen(job->spec));
    if (status == STORE_OK)
        status = sql_folded(job->words, &words);
    if (status != STORE_OK)
        return status;
    struct sql_statement *row = sql_prepare(
        session,
        "INSERT INTO job (id, name, dataset, spec, epochs, steps, created_at,"
        " idempotency_key, warnings, memory, words, form)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, coalesce(?9, '[]'), ?10,"
        " coalesce(?11, ''), ?12)"
        " ON CONFLICT (idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING",
        "ttttiiittitt", job->id, job->name, job->dataset, job->spec, (int64_t)job->epochs,
        job->steps, job->created_at, idempotency_key, job->warnings, job->memory, words, job->form);
    status = idempotency_key ? sql_finish(session, row) : sql_later(session, row);
    free(words);
    const bool is_taken = status == STORE_OK && idempotency_key && sql_changes(session) == 0;
    session->queue.queued += !is_taken;
    return is_taken ? STORE_CONFLICT : status;
}

enum store_status store_job_by_key(struct store_session *session, const char *idempotency_key,
                                   const struct job *job, char id[ID_LENGTH + 1], bool *same) {
    struct sql_statement *row = sql_prepare(
        session,
        "SELECT id, coalesce(submitted_spec, spec) = ?2 AND name IS NOT DISTINCT FROM ?3"
        " FROM job WHERE idempotency_key = ?1",
        "ttt", idempotency_key, job->spec, job->name);
    return sql_served(session, row, id, same);
}

enum store_status store_job_resume(struct store_session *session, const char *id, const char *spec,
                                   int epochs, int64_t steps, int64_t memory) {
    enum store_status status =
        sql_run(session,
                "UPDATE job SET status = 'queued', submitted_spec = coalesce(submitted_spec, spec),"
                " spec = ?2, epochs = ?3, steps = ?4, memory = ?5, stalls = 0,"
                " cancel_requested = 0,"
                " error_code = NULL, error_detail = NULL, finished_at = NULL"
                " WHERE id = ?1 AND status NOT IN ('queued', 'running')",
                "ttiii", id, spec, (int64_t)epochs, steps, memory);
    if (status != STORE_OK || sql_changes(session) == 0)
        return status != STORE_OK ? status : STORE_CONFLICT;
    return sql_run(session, "UPDATE model SET spec = ?2 WHERE id = ?1", "tt", id, spec);
}

enum store_status store_job_restart(struct store_session *session, const char *id, const char *spec,
                                    int epochs, int64_t steps, int64_t memory) {
    struct sql_statement *row = sql_prepare(
        session,
        "UPDATE job SET status = 'queued', submitted_spec = coalesce(submitted_spec, spec),"
        " spec = ?2, epochs = ?3, steps = ?4, memory = ?5, stalls = 0,"
        " cancel_requested = 0, error_code = NULL, error_detail = NULL,"
        " finished_at = NULL, epoch = 0, step = 0, seconds = 0, train_loss = NULL,"
        " val_loss = NULL WHERE id = ?1 AND status <> 'running' RETURNING seq",
        "ttiii", id, spec, (int64_t)epochs, steps, memory);
    int64_t seq;
    enum store_status status = sql_value(session, row, &seq, STORE_CONFLICT);
    static const char *const all[] = {"DELETE FROM history WHERE job_seq = ?1",
                                      "DELETE FROM checkpoint WHERE job_seq = ?1",
                                      "DELETE FROM model WHERE job_seq = ?1"};
    for (size_t i = 0; i < sizeof all / sizeof *all && status == STORE_OK; i++)
        status = sql_run(session, all[i], "i", seq);
    return status;
}

enum store_status store_rewarn(struct store_session *session, const char *id,
                               const char *warnings) {
    return sql_run(session, "UPDATE job SET warnings = ?2 WHERE id = ?1", "tt", id, warnings);
}

/* ------------------------------------------------------------------ reading */

/* How many queued jobs with from <= seq < to run before the next one: not those that wait for an
 * arithmetic. */
#define QUEUED_BETWEEN(from, to)                                                                   \
    "((SELECT count(*) FROM job AS before INDEXED BY job_by_place"                                 \
    "  WHERE before.status = 'queued' AND before.seq >= " from " AND before.seq < " to ")"         \
    " - (SELECT count(*) FROM job AS bound WHERE bound.status = 'queued'"                          \
    "    AND bound.seq >= " from " AND bound.seq < " to " AND " SQL_IS_BOUND("bound") "))"
#define WAITS_FOR_OFFER "job.status = 'queued' AND " SQL_IS_BOUND("job")
#define PLACE                                                                                      \
    "CASE WHEN job.status <> 'queued' OR (" WAITS_FOR_OFFER ") THEN -1"                            \
    " ELSE " QUEUED_BETWEEN("0", "job.seq") " END"
#define JOBS(place)                                                                                \
    "SELECT job.id, job.name, job.dataset, job.spec, job.status, " place ","                       \
    " job.epoch, job.epochs, job.step, job.steps, job.seconds, job.train_loss, job.val_loss,"      \
    " job.error_code, job.error_detail, job.attempt, job.cancel_requested, job.created_at,"        \
    " job.started_at, job.finished_at, model.id IS NOT NULL, job.warnings, job.memory, "           \
    "job.seq, " FIGURES_COLUMNS(                                                                   \
        "model") ", job.arithmetic,"                                                               \
                 " CASE WHEN " WAITS_FOR_OFFER " THEN 1 ELSE 0 END, " SQL_NODE(                    \
                     "job") " FROM job LEFT JOIN model ON model.job_seq = job.seq"

static void read_job(struct store_session *session, struct sql_statement *row, struct job *job) {
    *job = (struct job){
        .name = sql_text(session, row, 1),
        .dataset = sql_text(session, row, 2),
        .spec = sql_text(session, row, 3),
        .status = (enum job_status)sql_name(row, 4, job_status_names),
        .queue_position = sql_int64(row, 5),
        .epoch = sql_int(row, 6),
        .epochs = sql_int(row, 7),
        .step = sql_int64(row, 8),
        .steps = sql_int64(row, 9),
        .seconds = sql_double(row, 10),
        .train_loss = sql_real(row, 11),
        .val_loss = sql_real(row, 12),
        .error = {sql_text(session, row, 13), sql_text(session, row, 14)},
        .attempt = sql_int(row, 15),
        .cancel_requested = sql_int(row, 16),
        .created_at = sql_int64(row, 17),
        .started_at = sql_int64(row, 18),
        .finished_at = sql_int64(row, 19),
        .has_model = sql_int(row, 20),
        .warnings = sql_text(session, row, 21),
        .memory = sql_int64(row, 22),
        .seq = sql_int64(row, 23),
        .figures = sql_figures(row, 24),
        .arithmetic = sql_text(session, row, 31),
        .waits_for_offer = sql_int(row, 32),
        .node = sql_text(session, row, 33),
    };
    memcpy(job->id, sql_chars(row, 0), ID_LENGTH);
}

/* Reads the job from the only row of a statement; STORE_NOT_FOUND without one. */
static enum store_status read_one(struct store_session *session, struct sql_statement *row,
                                  struct job *job) {
    const bool found = sql_row(session, row);
    if (found)
        read_job(session, row, job);
    enum store_status status = sql_found(session, row, found, STORE_NOT_FOUND);
    if (found && status != STORE_OK)
        job_clear(job);
    return status;
}

/* One statement, because clients poll this, and a database on another machine takes a moment for
 * each. */
enum store_status store_job_get(struct store_session *session, const char *id, struct job *job) {
    struct sql_statement *row =
        strcmp(id, "latest") == 0
            ? sql_prepare(session, JOBS(PLACE) " WHERE job.seq = (SELECT max(seq) FROM job)", "")
            : sql_prepare(session, JOBS(PLACE) " WHERE job.id = ?1", "t", id);
    return read_one(session, row, job);
}

enum store_status sql_count_queued(struct store_session *session, int64_t from, int64_t to,
                                   int64_t *count) {
    return sql_value(session,
                     sql_prepare(session, "SELECT " QUEUED_BETWEEN("?1", "?2"), "ii", from, to),
                     count, STORE_OK);
}

enum store_status sql_job_unplaced(struct store_session *session, const char *id, struct job *job) {
    return read_one(session, sql_prepare(session, JOBS("-1") " WHERE job.id = ?1", "t", id), job);
}

enum store_status store_job_count(struct store_session *session, enum job_status which,
                                  int64_t *count) {
    return sql_value(session,
                     sql_prepare(session, "SELECT n FROM job_count WHERE status = ?1", "t",
                                 job_status_names[which]),
                     count, STORE_OK);
}

enum store_status store_queue_length(struct store_session *session, int64_t *queued,
                                     int64_t *waiting) {
    struct sql_statement *row =
        sql_prepare(session,
                    "SELECT n, (SELECT count(*) FROM job WHERE status = 'queued' AND " SQL_IS_BOUND(
                        "job") ")"
                               " FROM job_count WHERE status = 'queued'",
                    "");
    const bool found = sql_row(session, row);
    *queued = found ? sql_int64(row, 0) : 0;
    *waiting = found ? sql_int64(row, 1) : 0;
    return sql_found(session, row, found, STORE_ERROR);
}

enum store_status store_queue_length_once(struct store_session *session, int64_t *queued,
                                          int64_t *waiting) {
    enum store_status status = STORE_OK;
    if (!session->queue.is_known)
        status = store_queue_length(session, &session->queue.queued, &session->queue.waiting);
    /* A file keeps the count, and its transactions do more than that. */
    session->queue.is_known = status == STORE_OK && session->driver->is_shared;
    *queued = session->queue.queued;
    *waiting = session->queue.waiting;
    return status;
}

#define READ_INTEGER                     sql_int
#define READ_INTEGER64                   sql_int64
#define READ_NUMBER                      sql_double
#define READ_NULLABLE                    sql_real
#define READ_COLUMN(kind, member, about) epoch.member = READ_##kind(row, column++);

struct epoch_row sql_epoch(const struct sql_statement *row, int column) {
    struct epoch_row epoch;
    EPOCH_COLUMNS(READ_COLUMN)
    return epoch;
}

enum store_status store_history(struct store_session *session, const char *job_id, int after,
                                int limit, struct epoch_row *rows, int *count, bool *has_more) {
    int64_t seq;
    enum store_status status = sql_job_seq(session, job_id, &seq);
    if (status != STORE_OK)
        return status;
    *count = 0;
    *has_more = false;
    struct sql_statement *row =
        sql_prepare(session,
                    "SELECT job_seq" SQL_EPOCH_NAMES " FROM history"
                    " WHERE job_seq = ?1 AND epoch > ?2 ORDER BY epoch LIMIT ?3",
                    "iii", seq, (int64_t)after, (int64_t)limit + 1);
    while (!*has_more && sql_row(session, row)) {
        if (*count == limit)
            *has_more = true;
        else
            rows[(*count)++] = sql_epoch(row, 1);
    }
    return sql_done(session, row);
}

enum store_status store_lowest_loss(struct store_session *session, const char *id,
                                    struct lowest_loss *lowest) {
    *lowest = (struct lowest_loss){.loss = NAN};
    struct sql_statement *row =
        sql_prepare(session,
                    "SELECT coalesce(val_loss, train_loss) AS loss, epoch FROM history"
                    " WHERE job_seq = (SELECT seq FROM job WHERE id = ?1)"
                    " AND coalesce(val_loss, train_loss) IS NOT NULL"
                    " ORDER BY loss, epoch LIMIT 1",
                    "t", id);
    if (sql_row(session, row)) {
        lowest->loss = sql_real(row, 0);
        lowest->epoch = sql_int(row, 1);
    }
    return sql_done(session, row);
}

/* Thins rows while it reads them: a history may be long, and SQL would keep all in memory. */
struct thinning {
    struct epoch_row *rows;
    int most, count;
    struct epoch_row low, high; /* the lowest and highest loss of the current range */
    int64_t range;              /* -1: none yet */
};

static void keep_epoch(struct thinning *thinning, const struct epoch_row *row) {
    const int count = thinning->count;
    const bool is_kept = count > 0 && thinning->rows[count - 1].epoch >= row->epoch;
    if (!is_kept && count < thinning->most)
        thinning->rows[thinning->count++] = *row;
}

static void end_range(struct thinning *thinning) {
    if (thinning->range < 0)
        return;
    const bool falls = thinning->high.epoch < thinning->low.epoch;
    keep_epoch(thinning, falls ? &thinning->high : &thinning->low);
    keep_epoch(thinning, falls ? &thinning->low : &thinning->high);
}

static void thin_epoch(struct thinning *thinning, int64_t range, const struct epoch_row *row) {
    if (range != thinning->range) {
        end_range(thinning);
        thinning->low = thinning->high = *row;
        thinning->range = range;
    }
    if (isnan(thinning->low.train_loss) || row->train_loss < thinning->low.train_loss)
        thinning->low = *row;
    if (isnan(thinning->high.train_loss) || row->train_loss > thinning->high.train_loss)
        thinning->high = *row;
}

enum store_status store_history_peaks(struct store_session *session, const char *job_id, int after,
                                      int most, struct epoch_row *rows, int *count) {
    int64_t seq;
    enum store_status status = sql_job_seq(session, job_id, &seq);
    if (status != STORE_OK)
        return status;
    int64_t first = 0, last = 0, n = 0;
    struct sql_statement *row = sql_prepare(session,
                                            "SELECT min(epoch), max(epoch), count(*) FROM history"
                                            " WHERE job_seq = ?1 AND epoch > ?2",
                                            "ii", seq, (int64_t)after);
    if (sql_row(session, row)) {
        first = sql_int64(row, 0);
        last = sql_int64(row, 1);
        n = sql_int64(row, 2);
    }
    status = sql_done(session, row);
    if (status != STORE_OK)
        return status;
    struct thinning thinning = {.rows = rows, .most = most, .range = -1};
    row = sql_prepare(session,
                      "SELECT job_seq" SQL_EPOCH_NAMES " FROM history"
                      " WHERE job_seq = ?1 AND epoch > ?2 AND epoch <= ?3 ORDER BY epoch",
                      "iii", seq, (int64_t)after, last);
    while (sql_row(session, row)) {
        const struct epoch_row epoch = sql_epoch(row, 1);
        if (n <= most || epoch.epoch == first)
            keep_epoch(&thinning, &epoch);
        if (n > most) /* two rows from each of equal ranges of epochs */
            thin_epoch(&thinning, (epoch.epoch - first) * ((most - 2) / 2) / (last - first + 1),
                       &epoch);
        if (epoch.epoch == last) {
            end_range(&thinning);
            keep_epoch(&thinning, &epoch);
        }
    }
    *count = thinning.count;
    return sql_done(session, row);
}

/* ------------------------------------------------------------------ changes */

/* Has this very cancel ended the job before, by a commit without an answer? Nobody has counted it. */
static enum store_status find_cancel(struct store_session *session, int64_t seq, int64_t now) {
    int64_t is_there;
    const enum store_status status =
        sql_value(session,
                  sql_prepare(session,
                              "SELECT count(*) FROM job WHERE seq = ?1 AND status = 'cancelled'"
                              " AND finished_at = ?2",
                              "ii", seq, now),
                  &is_there, STORE_ERROR);
    if (status == STORE_OK)
        sql_ended(session, JOB_CANCELLED, is_there);
    return status;
}

enum store_status store_job_cancel_again(struct store_session *session, const char *id, int64_t now,
                                         bool is_in_doubt) {
    int64_t seq;
    enum store_status status = sql_job_seq(session, id, &seq);
    if (status != STORE_OK)
        return status;
    int64_t has_ended = 0;
    struct sql_statement *row =
        sql_prepare(session,
                    "UPDATE job SET cancel_requested = 1,"
                    " status = CASE WHEN status = 'queued' THEN 'cancelled' ELSE status END,"
                    " finished_at = CASE WHEN status = 'queued' THEN ?2 ELSE finished_at END"
                    " WHERE seq = ?1 AND status IN ('queued', 'running')"
                    " RETURNING CASE WHEN status = 'cancelled' THEN 1 ELSE 0 END",
                    "ii", seq, now);
    status = sql_value(session, row, &has_ended, STORE_NOT_FOUND);
    if (status == STORE_NOT_FOUND) /* it was not active */
        return is_in_doubt ? find_cancel(session, seq, now) : STORE_OK;
    if (status == STORE_OK)
        sql_ended(session, JOB_CANCELLED, has_ended);
    return status;
}

enum store_status store_job_cancel(struct store_session *session, const char *id, int64_t now) {
    return store_job_cancel_again(session, id, now, false);
}

enum store_status store_job_delete(struct store_session *session, const char *id, bool force) {
    int64_t seq;
    enum store_status status = sql_job_seq(session, id, &seq);
    if (status != STORE_OK)
        return status;
    struct sql_statement *deleted = sql_prepare(
        session,
        "DELETE FROM job WHERE seq = ?1 AND (?2 <> 0 OR status <> 'running') RETURNING seq", "ii",
        seq, (int64_t)force);
    return sql_value(session, deleted, &seq, STORE_CONFLICT);
}
