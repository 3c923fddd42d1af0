/* Models: those that jobs have trained, and those that were imported. */
#include <stdlib.h>
#include <string.h>

#include "server/store/sql.h"

struct figures sql_figures(const struct sql_statement *row, int column) {
    return (struct figures){
        .n = sql_int(row, column),
        .curve = {sql_real(row, column + 1), sql_real(row, column + 2)},
        .energy = {sql_real(row, column + 3), sql_real(row, column + 4)},
        .coverage = {sql_real(row, column + 5), sql_real(row, column + 6)},
    };
}

void model_clear(struct model *model) {
    free(model->name);
    free(model->spec);
    free(model->form);
    free(model->variant);
    free(model->transform);
    free(model->bytes);
    free(model->warnings);
    *model = (struct model){0};
}

#define MODEL_COLUMNS                                                                              \
    "id, name, spec, variant, epoch, created_at, updated_at, blob_id, size, job_seq IS NOT NULL,"  \
    " dim, parameters, transform, (SELECT warnings FROM job WHERE job.seq = "                      \
    "model.job_seq), form, " FIGURES_COLUMNS("model")
#define MODEL(where) "SELECT " MODEL_COLUMNS " FROM model " where

static void read_model(struct store_session *session, struct sql_statement *row,
                       struct model *model) {
    *model = (struct model){
        .name = sql_text(session, row, 1),
        .spec = sql_text(session, row, 2),
        .variant = sql_text(session, row, 3),
        .epoch = sql_int(row, 4),
        .created_at = sql_int64(row, 5),
        .updated_at = sql_int64(row, 6),
        .blob = sql_int64(row, 7),
        .byte_count = (size_t)sql_int64(row, 8),
        .has_job = sql_int(row, 9),
        .dim = sql_int(row, 10),
        .parameters = sql_int64(row, 11),
        .warnings = sql_text(session, row, 13),
        .form = sql_text(session, row, 14),
        .figures = sql_figures(row, 15),
    };
    size_t copied;
    memcpy(model->id, sql_chars(row, 0), ID_LENGTH);
    model->transform = sql_blob(session, row, 12, &copied);
}

/* Reads the model from the only row of a statement; STORE_NOT_FOUND without one. */
static enum store_status read_one(struct store_session *session, struct sql_statement *row,
                                  struct model *model) {
    const bool found = sql_row(session, row);
    if (found)
        read_model(session, row, model);
    enum store_status status = sql_found(session, row, found, STORE_NOT_FOUND);
    if (found && status != STORE_OK)
        model_clear(model);
    return status;
}

enum store_status store_model_get(struct store_session *session, const char *id,
                                  struct model *model) {
    if (strcmp(id, "latest") != 0)
        return sql_model(session, id, model);
    return read_one(session,
                    sql_prepare(session, MODEL("ORDER BY updated_at DESC, id DESC LIMIT 1"), ""),
                    model);
}

enum store_status sql_model(struct store_session *session, const char *id, struct model *model) {
    return read_one(session, sql_prepare(session, MODEL("WHERE id = ?1"), "t", id), model);
}

enum store_status store_model_insert(struct store_session *session, const struct model *model) {
    char *words;
    int64_t blob = model->blob;
    enum store_status status = sql_blob_insert(session, model->bytes, model->byte_count, &blob);
    if (status == STORE_OK)
        status = sql_folded(model->words, &words);
    if (status != STORE_OK)
        return status;
    status = sql_run(
        session,
        "INSERT INTO model (id, name, spec, variant, epoch, blob_id, size, dim,"
        " parameters, transform, created_at, updated_at, words, form)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11,"
        " coalesce(?12, ''), ?13)",
        "ttttiiiiibitt", model->id, model->name, model->spec, model->variant, (int64_t)model->epoch,
        blob, (int64_t)model->byte_count, (int64_t)model->dim, model->parameters, model->transform,
        2 * (size_t)model->dim * sizeof *model->transform, model->created_at, words, model->form);
    free(words);
    return status;
}

enum store_status sql_lock_job_of(struct store_session *session, const char *id, bool *is_active) {
    int64_t active;
    const enum store_status status =
        sql_value(session,
                  sql_prepare(session,
                              "SELECT CASE WHEN status IN ('queued', 'running') THEN 1 ELSE 0 END"
                              " FROM job WHERE seq = (SELECT job_seq FROM model WHERE id = ?1)"
                              " /*! FOR UPDATE */",
                              "t", id),
                  &active, STORE_OK);
    *is_active = active;
    return status;
}

enum store_status store_model_delete(struct store_session *session, const char *id) {
    bool is_active; /* may the job that trains the model still write it? */
    enum store_status status = sql_lock_job_of(session, id, &is_active);
    if (status != STORE_OK || is_active)
        return status != STORE_OK ? status : STORE_CONFLICT;
    /* The checkpoints from which the job would resume contain the weights, so they go as well. */
    status = sql_run(session,
                     "DELETE FROM checkpoint"
                     " WHERE job_seq = (SELECT job_seq FROM model WHERE id = ?1)",
                     "t", id);
    if (status == STORE_OK)
        status = sql_run(session, "DELETE FROM model WHERE id = ?1", "t", id);
    if (status == STORE_OK && sql_changes(session) == 0)
        return STORE_NOT_FOUND;
    return status;
}
