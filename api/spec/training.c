/* Loads what a stored job trains on: its spec and the points of its uploads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/spec/spec.h"
#include "api/table/cells.h"
#include "api/table/column_json.h"
#include "server/jobs/estimate.h"
#include "server/store/datasets.h"

/* The uploads of a job, in the form that the engine takes. */
struct uploads {
    struct dataset rows[DN_MAX_CLASSES];
    struct dn_upload points[DN_MAX_CLASSES]; /* beside the sources of the spec */
    double *values;                          /* of a table, which is the only source */
};

static bool fail_to_read(struct training_failure *failure, enum store_status status) {
    failure->store = status;
    return false;
}

static bool fail(struct training_failure *failure, enum job_error error) {
    failure->error = error;
    return false;
}

/* Fills values [n][dim] from the cells. False: no memory. */
static bool fill_values(const struct cells *cells, const struct column *columns, int dim,
                        double *values) {
    for (int j = 0; j < cells->count; j++) {
        const struct cells_column *from = &cells->columns[j];
        const int at = columns[j].coordinate;
        if (at < 0)
            continue;
        double *numbers = malloc(((size_t)from->distinct + 1) * sizeof *numbers);
        if (!numbers)
            return false;
        column_numbers(&columns[j], from, numbers);
        for (size_t i = 0; i < cells->n; i++)
            values[i * (size_t)dim + (size_t)at] = numbers[from->codes[i]];
        free(numbers);
    }
    return true;
}

/* Do the columns, as they are stored, describe these cells, with dim coordinates? */
static bool describe(const struct column *columns, int count, const struct cells *cells,
                     const struct dataset *row) {
    int coordinates = 0;
    for (int j = 0; j < count; j++)
        coordinates += columns[j].coordinate >= 0 && columns[j].coordinate < row->dim;
    return cells->n == (size_t)row->n && cells->count == count && coordinates == row->dim;
}

/* Makes the values of a table from its cells. */
static bool load_values(struct store_session *session, const struct dataset *row,
                        struct uploads *uploads, struct training_failure *failure) {
    struct arena arena = {0};
    struct cells cells = {0};
    struct column *columns = NULL;
    void *block = NULL;
    size_t bytes = 0;
    int count = 0;
    const enum store_status status = store_dataset_cells(session, row->id, &block, &bytes);
    const bool has_cells = status == STORE_OK && block && cells_read(&cells, block, bytes);
    const bool has_columns =
        has_cells && column_read_list(row->columns, &arena, &columns, &count); /* or no memory */
    const bool fits = has_columns && describe(columns, count, &cells, row);
    free(block);
    uploads->values = fits ? calloc(cells.n * (size_t)row->dim, sizeof(double)) : NULL;
    const bool filled = uploads->values && fill_values(&cells, columns, row->dim, uploads->values);
    const bool no_memory = cells.no_memory || (has_cells && !has_columns) || (fits && !filled);
    cells_clear(&cells);
    arena_clear(&arena);
    if (no_memory)
        return fail(failure, JOB_ERROR_NO_MEMORY);
    return filled || (status == STORE_OK ? fail(failure, JOB_ERROR_DATASET_DIFFERS)
                                         : fail_to_read(failure, status));
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
            return fail_to_read(failure, status);
        uploads->points[k] = (struct dn_upload){.n = (size_t)row->n,
                                                .dim = row->dim,
                                                .points = row->points,
                                                .labels = row->labels,
                                                .pixels = row->pixels};
        if (!row->cells_blob || !spec_is_table(request))
            continue;
        free(row->points); /* the values take their place */
        row->points = NULL;
        uploads->points[k].points = NULL;
        if (!load_values(session, row, uploads, failure))
            return false;
        uploads->points[k].values = uploads->values;
    }
    return true;
}

static bool read_uploads(const struct job_request *request, struct store *store,
                         struct uploads *uploads, struct training_failure *failure) {
    struct store_session *session = store_acquire(store);
    if (!session)
        return fail_to_read(failure, store_why_none(store));
    const bool is_read = load_uploads(request, session, uploads, failure);
    store_release(store, session);
    return is_read;
}

static bool draw(const struct job_request *request, struct store *store, struct training *training,
                 const struct dn_breaks *breaks, struct training_failure *failure) {
    struct uploads *uploads = calloc(1, sizeof *uploads);
    if (!uploads)
        return fail(failure, JOB_ERROR_NO_MEMORY);
    bool drawn = read_uploads(request, store, uploads, failure);
    if (drawn) {
        enum dn_status status =
            dn_data_draw(&request->spec, uploads->points, &training->data, breaks, &failure->why);
        failure->is_stopped = status == DN_STOPPED;
        drawn =
            status == DN_OK || fail(failure, status == DN_STOPPED     ? JOB_ERROR_NONE
                                             : status == DN_NO_MEMORY ? JOB_ERROR_NO_MEMORY
                                                                      : JOB_ERROR_DATASET_DIFFERS);
    }
    for (int k = 0; k < DN_MAX_CLASSES; k++)
        dataset_clear(&uploads->rows[k]);
    free(uploads->values);
    free(uploads);
    return drawn;
}

bool api_load_training(const char *text, struct store *store, struct training *training,
                       const struct dn_breaks *breaks, struct training_failure *failure) {
    struct arena arena = {0};
    struct job_request request;
    bool loaded = spec_read_stored(text, &request, &arena, &failure->why);
    if (!loaded)
        failure->error = arena.failed ? JOB_ERROR_NO_MEMORY : JOB_ERROR_SPEC_UNREADABLE;
    training->spec = request.spec;
    if (loaded && spec_has_uploads(&request.spec))
        loaded = draw(&request, store, training, breaks, failure);
    arena_clear(&arena);
    return loaded;
}
