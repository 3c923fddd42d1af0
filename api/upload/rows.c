#include "api/upload/rows.h"

#include <stdlib.h>
#include <string.h>

#include "api/contract/handlers.h"
#include "api/format/csv.h"
#include "api/table/cells.h"
#include "api/table/column_json.h"
#include "server/threads/pool.h"

enum { PAUSE_ROWS = 1024 };

static const char *text_at(const struct cells *cells, int column, size_t row, size_t *length) {
    const struct cells_column *of = &cells->columns[column];
    const uint32_t code = (uint32_t)of->codes[row];
    *length = cells_length(of, code);
    return cells_text(of, code);
}

static size_t row_of(const struct rows_request *request, size_t i) {
    return request->order ? (size_t)request->order[i] : i;
}

/* ------------------------------------------------------------------ CSV */

static void write_csv(const struct rows_request *request, const struct cells *cells,
                      struct buffer *out) {
    size_t length;
    for (int j = 0; j < cells->count; j++) {
        buffer_text(out, j ? "," : "");
        csv_write(out, cells->columns[j].name);
    }
    buffer_text(out, "\r\n");
    for (size_t i = 0; i < request->n; i++) {
        for (int j = 0; j < cells->count; j++) {
            const char *text = text_at(cells, j, row_of(request, i), &length);
            if (j > 0)
                buffer_append(out, ",", 1);
            if (length > 0 || cells->count == 1) /* a row of one empty cell would be a blank line */
                csv_write(out, text);
        }
        buffer_append(out, "\r\n", 2);
        if (i % PAUSE_ROWS == 0)
            pool_pause();
    }
}

/* ------------------------------------------------------------------ JSON */

static void write_labels(const struct rows_request *request, struct json_writer *json) {
    json_key(json, "labels");
    if (request->labels) {
        json_open(json, '[');
        for (size_t i = 0; i < request->n; i++)
            json_string(json, request->set->classes[request->labels[i]]);
        json_close(json, ']');
    } else {
        json_null(json);
    }
    json_key(json, "classes");
    if (request->labels)
        json_strings(json, request->set->classes);
    else
        json_null(json);
}

static void write_json(const struct rows_request *request, const struct cells *cells,
                       struct json_writer *json) {
    const struct column *columns = request->set->all;
    const char *label = request->set->row.label;
    json_open(json, '{');
    request->head(request->owner, json);
    json_member_open(json, "columns", '[');
    for (int j = 0; j < cells->count; j++)
        if (!label || strcmp(columns[j].name, label) != 0)
            json_string(json, columns[j].name);
    json_close(json, ']');
    json_member_open(json, "points", '[');
    for (size_t i = 0; i < request->n; i++) {
        json_open(json, '[');
        for (int j = 0; j < cells->count; j++) {
            size_t length;
            const char *text = text_at(cells, j, row_of(request, i), &length);
            if (!label || strcmp(columns[j].name, label) != 0)
                column_write_cell(&columns[j], text, length, json);
        }
        json_close(json, ']');
        if (i % PAUSE_ROWS == 0)
            pool_pause();
    }
    json_close(json, ']');
    write_labels(request, json);
    json_close(json, '}');
}

/* ------------------------------------------------------------------ */

/* Reads the cells, which have as many rows and columns as the data set says. False: there are none,
 * with *failed if there should be. */
static bool load(struct http_exchange *exchange, const struct dataset_points *set,
                 struct cells *cells, bool *failed) {
    void *block = NULL;
    size_t bytes = 0;
    struct store_session *session = begin_reading(exchange);
    *failed = true;
    if (!session)
        return false;
    const enum store_status status = store_dataset_cells(session, set->row.id, &block, &bytes);
    end_reading(exchange, session);
    if (status != STORE_OK) {
        answer_store(exchange, status, PROBLEM_NO_SUCH_DATASET);
        return false;
    }
    *failed = block != NULL;
    const bool read = block && cells_read(cells, block, bytes) && cells->n == (size_t)set->row.n &&
                      cells->count == set->column_count;
    if (block && !read)
        answer_store(exchange, STORE_ERROR, PROBLEM_NO_SUCH_DATASET);
    free(block);
    return read;
}

bool rows_reply(struct http_exchange *exchange, const struct rows_request *request) {
    struct cells cells = {0};
    bool failed;
    if (!load(exchange, request->set, &cells, &failed)) {
        cells_clear(&cells);
        return failed;
    }
    if (request->is_json) {
        struct json_writer json = json_reply(exchange, 200);
        write_json(request, &cells, &json);
    } else {
        exchange->response.status = 200;
        write_csv(request, &cells, &exchange->response.body);
    }
    cells_clear(&cells);
    return true;
}
