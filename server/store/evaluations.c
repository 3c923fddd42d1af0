/* Results of evaluations, and the judges of images behind them: computed once, then stored. */
#include <string.h>

#include "server/store/sql.h"

enum { KEPT_OF_A_MODEL = 32, KEPT_JUDGES = 32 };

enum store_status store_evaluation_get(struct store_session *session, const char *model_id,
                                       int epoch, const char *key, char **answer) {
    struct sql_statement *row = sql_prepare(
        session, "SELECT answer FROM evaluation WHERE model_id = ?1 AND epoch = ?2 AND key = ?3",
        "tit", model_id, (int64_t)epoch, key);
    *answer = sql_row(session, row) ? sql_text(session, row, 0) : NULL;
    enum store_status status = sql_done(session, row);
    return status != STORE_OK ? status : *answer ? STORE_OK : STORE_NOT_FOUND;
}

/* Only if the model has not changed: it may have been trained further meanwhile. */
static enum store_status keep_figures(struct store_session *session, const struct model *model,
                                      const struct figures *figures) {
    return sql_run(session,
                   "UPDATE model SET evaluated_n = ?4, curve_distance = ?5, curve_floor = ?6,"
                   " energy_distance = ?7, energy_floor = ?8, coverage = ?9, coverage_floor = ?10"
                   " WHERE id = ?1 AND epoch = ?2 AND updated_at = ?3",
                   "tiiidddddd", model->id, (int64_t)model->epoch, model->updated_at,
                   (int64_t)figures->n, figures->curve.value, figures->curve.floor,
                   figures->energy.value, figures->energy.floor, figures->coverage.value,
                   figures->coverage.floor);
}

enum store_status store_evaluation_keep(struct store_session *session, const struct model *model,
                                        const char *key, const char *answer,
                                        const struct figures *figures) {
    bool is_active;
    enum store_status status = sql_need_room_for_evaluation(session, (int64_t)strlen(answer));
    if (status == STORE_OK) /* of which the figures are a part */
        status = sql_lock_job_of(session, model->id, &is_active);
    if (status == STORE_OK)
        status = sql_run(session,
                         "INSERT INTO evaluation (model_id, epoch, key, answer)"
                         " SELECT id, ?2, ?3, ?4 FROM model WHERE id = ?1" /* it may be gone */
                         " ON CONFLICT DO NOTHING",
                         "titt", model->id, (int64_t)model->epoch, key, answer);
    if (status == STORE_OK)
        status = sql_run(session,
                         "DELETE FROM evaluation WHERE model_id = ?1 AND id <="
                         " (SELECT id FROM evaluation WHERE model_id = ?1"
                         "  ORDER BY id DESC LIMIT 1 OFFSET ?2)",
                         "ti", model->id, (int64_t)KEPT_OF_A_MODEL);
    return status == STORE_OK && figures ? keep_figures(session, model, figures) : status;
}

/* ------------------------------------------------------------------ judges */

enum store_status store_judge_get(struct store_session *session, const char *key, void **bytes,
                                  size_t *size) {
    struct sql_statement *row =
        sql_prepare(session, "SELECT bytes FROM judge WHERE key = ?1", "t", key);
    *bytes = sql_row(session, row) ? sql_blob(session, row, 0, size) : NULL;
    const enum store_status status = sql_done(session, row);
    return status != STORE_OK ? status : *bytes ? STORE_OK : STORE_NOT_FOUND;
}

enum store_status store_judge_keep(struct store_session *session, const char *key,
                                   const void *bytes, size_t size) {
    enum store_status status = sql_need_room_for_evaluation(session, (int64_t)size);
    if (status == STORE_OK)
        status = sql_run(session,
                         "INSERT INTO judge (key, bytes) VALUES (?1, ?2)"
                         " ON CONFLICT (key) DO UPDATE SET bytes = excluded.bytes",
                         "tb", key, bytes, size);
    if (status == STORE_OK)
        status = sql_run(session,
                         "DELETE FROM judge WHERE id <="
                         " (SELECT id FROM judge ORDER BY id DESC LIMIT 1 OFFSET ?1)",
                         "i", (int64_t)KEPT_JUDGES);
    return status;
}
