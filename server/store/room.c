/* Keeps the database below its maximum size (--max-database) by deleting what is dispensable. */
#include "server/base/log.h"
#include "server/store/driver.h"
#include "server/store/sql.h"

enum {
    RESERVED_SHARE = 16, /* 1/16 stays free for changes and deletes, which are never refused */
    PIECES_AT_ONCE = 4,
    OVERHEAD_BYTES = 1 << 14 /* of a row, its events and its index entries */
};

/* What may be deleted, in this order: the last checkpoint of a job only after the job has ended. */
static const struct {
    const char *what, *sql;
} dispensable[] = {
    {"a stored evaluation", "DELETE FROM evaluation WHERE id = (SELECT min(id) FROM evaluation)"},
    {"a judge of images", "DELETE FROM judge WHERE id = (SELECT min(id) FROM judge)"},
    {"an older checkpoint",
     "DELETE FROM checkpoint WHERE (job_seq, step) = (SELECT job_seq, step FROM checkpoint"
     " WHERE step < (SELECT max(step) FROM checkpoint AS c WHERE c.job_seq = checkpoint.job_seq)"
     " ORDER BY job_seq, step LIMIT 1)"},
    {"the checkpoint of an ended job",
     "DELETE FROM checkpoint WHERE (job_seq, step) ="
     " (SELECT checkpoint.job_seq, checkpoint.step FROM checkpoint"
     " JOIN job ON job.seq = checkpoint.job_seq WHERE job.finished_at IS NOT NULL"
     " ORDER BY job.finished_at, checkpoint.job_seq, checkpoint.step LIMIT 1)"},
    {"an earlier state of a model",
     "DELETE FROM snapshot WHERE (model_id, epoch) ="
     " (SELECT model_id, epoch FROM snapshot ORDER BY created_at, model_id, epoch LIMIT 1)"},
};
enum { EVALUATIONS = 1, DISPENSABLE = sizeof dispensable / sizeof dispensable[0] };

/* Deletes one thing of the first `kinds`. *gone: there was one. */
static enum store_status remove_one(struct store_session *session, int kinds, bool *gone) {
    enum store_status status = STORE_OK;
    *gone = false;
    for (int i = 0; i < kinds && status == STORE_OK && !*gone; i++) {
        status = sql_run(session, dispensable[i].sql, "");
        *gone = status == STORE_OK && sql_changes(session) > 0;
        if (*gone)
            log_line(LOG_INFO, "the database is near its limit", "removed=\"%s\"",
                     dispensable[i].what);
    }
    return status;
}

/* kinds: the number of kinds of dispensable data that may be removed. */
static enum store_status need_room(struct store_session *session, int64_t bytes, int kinds) {
    const int64_t most = session->limit - session->limit / RESERVED_SHARE;
    while (session->limit > 0) {
        int64_t used;
        int count;
        bool gone = true;
        enum store_status status = store_used(session, &used);
        if (status != STORE_OK)
            return status;
        if (used + bytes + OVERHEAD_BYTES <= most)
            return STORE_OK;
        status = store_blob_sweep(session, PIECES_AT_ONCE, &count);
        if (status == STORE_OK && count == 0)
            status = remove_one(session, kinds, &gone);
        if (status != STORE_OK)
            return status;
        if (!gone)
            return STORE_OVER_LIMIT;
    }
    return STORE_OK;
}

enum store_status sql_need_room(struct store_session *session, int64_t bytes) {
    return need_room(session, bytes, DISPENSABLE);
}

enum store_status sql_need_room_for_evaluation(struct store_session *session, int64_t bytes) {
    return need_room(session, bytes, EVALUATIONS);
}
