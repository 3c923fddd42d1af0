/* Deletes data that is not kept forever. Each function deletes a part, so that no task waits long
 * for the writer. */
#include "server/store/sql.h"

static enum store_status forget(struct store_session *session, const char *sql, int64_t before,
                                int most, int *count) {
    const enum store_status status = sql_run(session, sql, "ii", before, (int64_t)most);
    *count = status == STORE_OK ? sql_changes(session) : 0;
    return status;
}

enum store_status store_forget_events(struct store_session *session, int64_t before, int most,
                                      int *count) {
    return forget(session,
                  "DELETE FROM event WHERE id IN"
                  " (SELECT event.id FROM job JOIN event ON event.job_seq = job.seq"
                  "  WHERE job.finished_at < ?1 AND event.id <"
                  "   (SELECT max(id) FROM event AS e WHERE e.job_seq = job.seq) LIMIT ?2)",
                  before, most, count);
}

enum store_status store_forget_checkpoints(struct store_session *session, int64_t before, int most,
                                           int *count) {
    return forget(session,
                  "DELETE FROM checkpoint WHERE (job_seq, step) IN"
                  " (SELECT checkpoint.job_seq, checkpoint.step FROM checkpoint"
                  "  JOIN job ON job.seq = checkpoint.job_seq"
                  "  WHERE job.finished_at < ?1 AND checkpoint.step <"
                  "   (SELECT max(step) FROM checkpoint AS c WHERE c.job_seq = job.seq)"
                  "  LIMIT ?2)",
                  before, most, count);
}

enum store_status store_forget_jobs(struct store_session *session, int64_t before, int most,
                                    int *count) {
    return forget(session,
                  "DELETE FROM job WHERE seq IN (SELECT seq FROM job"
                  " WHERE finished_at < ?1 ORDER BY finished_at LIMIT ?2)"
                  " AND finished_at < ?1", /* another node may have resumed it meanwhile */
                  before, most, count);
}

enum store_status store_probe(struct store_session *session, int64_t now) {
    return sql_run(session,
                   "INSERT INTO probe (id, at) VALUES (1, ?1)"
                   " ON CONFLICT (id) DO UPDATE SET at = excluded.at",
                   "i", now);
}
