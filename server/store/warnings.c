/* What there is to say about a job when it ends, and what that rests on. */
#include <math.h>

#include "server/store/sql.h"

enum store_status store_lowest_loss(struct store_session *session, const char *id,
                                    struct lowest_loss *lowest) {
    *lowest = (struct lowest_loss){.loss = NAN};
    sqlite3_stmt *row = sql_prepare(session,
                                    "SELECT min(coalesce(val_loss, train_loss)), epoch FROM history"
                                    " WHERE job_seq = (SELECT seq FROM job WHERE id = ?1)",
                                    "t", id);
    if (sql_row(session, row)) {
        lowest->loss = sql_real(row, 0); /* the other column is of the same row */
        lowest->epoch = sqlite3_column_int(row, 1);
    }
    return sql_done(session, row);
}

enum store_status store_warn(struct store_session *session, const char *id, int64_t fence,
                             const char *warnings) {
    return sql_run(session,
                   "UPDATE job SET warnings = iif(warnings = '[]', ?3,"
                   "  substr(warnings, 1, length(warnings) - 1) || ',' || substr(?3, 2))"
                   " WHERE id = ?1 AND fence = ?2 AND status = 'running'",
                   "tit", id, fence, warnings);
}

enum store_status store_rewarn(struct store_session *session, const char *id,
                               const char *warnings) {
    return sql_run(session, "UPDATE job SET warnings = ?2 WHERE id = ?1", "tt", id, warnings);
}
