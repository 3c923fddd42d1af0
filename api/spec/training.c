/* Loads what a stored job trains on: its spec and the points of its uploads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/spec/spec.h"
#include "server/jobs/estimate.h"

/* The uploads of a job, in the form that the engine takes. */
struct uploads {
    struct dataset rows[DN_MAX_CLASSES];
    struct dn_upload points[DN_MAX_CLASSES]; /* beside the sources of the spec */
};

static bool fail(struct training_failure *failure, enum job_error error) {
    failure->error = error;
    return false;
}

static bool load_uploads(const struct job_request *request, struct store_session *session,
                         struct uploads *uploads, struct training_failure *failure) {
    for (int k = 0; k < request->spec.dataset.source_count; k++) {
        const struct upload_request *upload = &request->uploads[k];
        struct dataset *row = &uploads->rows[k];
        if (!upload->id[0])
            continue;
        enum store_status status = store_dataset_get(session, upload->id, true, row);
        if (status == STORE_NOT_FOUND)
            return fail(failure, JOB_ERROR_DATASET_MISSING);
        if (status != STORE_OK)
            return fail(failure, JOB_ERROR_NONE);
        uploads->points[k] = (struct dn_upload){(size_t)row->n, row->dim, row->points, row->labels};
    }
    return true;
}

static bool draw(const struct job_request *request, struct store_session *session,
                 struct training *training, struct training_failure *failure) {
    struct uploads *uploads = calloc(1, sizeof *uploads);
    if (!uploads)
        return fail(failure, JOB_ERROR_NO_MEMORY);
    bool drawn = load_uploads(request, session, uploads, failure);
    if (drawn) {
        enum dn_status status =
            dn_data_draw(&request->spec, uploads->points, &training->data, &failure->why);
        drawn =
            status == DN_OK ||
            fail(failure, status == DN_NO_MEMORY ? JOB_ERROR_NO_MEMORY : JOB_ERROR_DATASET_DIFFERS);
    }
    for (int k = 0; k < DN_MAX_CLASSES; k++)
        dataset_clear(&uploads->rows[k]);
    free(uploads);
    return drawn;
}

bool api_load_training(const char *text, struct store_session *session, struct training *training,
                       struct training_failure *failure) {
    struct arena arena = {0};
    struct job_request request;
    bool loaded = spec_read_stored(text, &request, &arena, &failure->why);
    if (!loaded)
        failure->error = arena.failed ? JOB_ERROR_NO_MEMORY : JOB_ERROR_SPEC_UNREADABLE;
    training->spec = request.spec;
    if (loaded && spec_has_uploads(&request.spec))
        loaded = draw(&request, session, training, failure);
    arena_clear(&arena);
    return loaded;
}
