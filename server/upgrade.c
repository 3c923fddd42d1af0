#include "server/upgrade.h"

#include <stdlib.h>

#include "engine/denoise.h"
#include "server/base/log.h"

/* Fills in the description from the bytes. What cannot be read gets that of nothing: it is found
 * out again, and said, when somebody asks for its samples. */
static bool describe(struct model *model) {
    struct dn_model *loaded = NULL;
    model->transform = calloc(2 * DN_MAX_DIM, sizeof *model->transform);
    if (!model->transform)
        return false;
    const enum dn_status status = dn_model_load(model->bytes, model->byte_count, &loaded, NULL);
    if (status == DN_NO_MEMORY)
        return false;
    if (status == DN_OK) {
        model->dim = dn_model_dim(loaded);
        model->parameters = dn_spec_parameters(dn_model_spec(loaded));
        dn_model_transform(loaded, model->transform, model->transform + model->dim);
    }
    dn_model_free(loaded);
    return true;
}

/* One model, in a transaction of its own. */
static enum store_status upgrade_one(struct store_session *session) {
    struct model model;
    enum store_status status = store_begin(session);
    if (status != STORE_OK)
        return status;
    status = store_model_undescribed(session, &model);
    if (status == STORE_OK) {
        status = describe(&model) ? store_model_describe(session, &model) : STORE_ERROR;
        model_clear(&model);
    }
    if (status != STORE_OK) {
        store_abort(session);
        return status;
    }
    return store_commit(session);
}

bool upgrade_models(struct store *store) {
    struct store_session *session = store_writer(store);
    enum store_status status;
    int count = 0;
    while ((status = upgrade_one(session)) == STORE_OK)
        count++;
    if (count > 0)
        log_line(LOG_INFO, "models of an older version updated", "models=%d", count);
    if (status != STORE_NOT_FOUND)
        log_line(LOG_ERROR, "models of an older version could not be updated", NULL);
    return status == STORE_NOT_FOUND;
}

static enum store_status estimate_jobs(struct store_session *session,
                                       int64_t (*memory)(const char *spec)) {
    int64_t seq = 0;
    char *spec = NULL;
    enum store_status status;
    while ((status = store_job_unestimated(session, seq, &seq, &spec)) == STORE_OK) {
        status = store_job_estimate(session, seq, memory(spec));
        free(spec);
        if (status != STORE_OK)
            return status;
    }
    return status == STORE_NOT_FOUND ? STORE_OK : status;
}

bool upgrade_jobs(struct store *store, int64_t (*memory)(const char *spec)) {
    struct store_session *session = store_writer(store);
    if (store_begin(session) != STORE_OK)
        return false;
    if (estimate_jobs(session, memory) != STORE_OK) {
        store_abort(session);
        return false;
    }
    return store_commit(session) == STORE_OK;
}
