#include "api/upload/rows.h"

#include <stdlib.h>
#include <string.h>

#include "api/contract/handlers.h"
#include "api/format/csv.h"
#include "api/format/text_table.h"
#include "api/table/cells.h"
#include "api/table/column_json.h"

enum { PIECE_BYTES = 32 << 10 /* a piece ends once it is this long */ };

/* A response on its way, in the exchange's arena. */
struct rows {
    struct rows_request request;
    struct cells cells;
    struct json_writer json;
    size_t row, label; /* the next of each; labels follow the rows */
    bool has_begun;
};

static const char *text_at(const struct rows *rows, int column, size_t i, size_t *length) {
    const struct cells_column *of = &rows->cells.columns[column];
    const int32_t *order = rows->request.order;
    const uint32_t code = (uint32_t)of->codes[order ? (size_t)order[i] : i];
    *length = cells_length(of, code);
    return cells_text(of, code);
}

/* ------------------------------------------------------------------ CSV */

static void csv_names(const struct cells *cells, struct buffer *out) {
    for (int j = 0; j < cells->count; j++) {
        buffer_text(out, j ? "," : "");
        csv_write(out, cells->columns[j].name);
    }
    buffer_text(out, "\r\n");
}

static void csv_row(const struct rows *rows, size_t i, struct buffer *out) {
    const int count = rows->cells.count;
    size_t length;
    for (int j = 0; j < count; j++) {
        const char *text = text_at(rows, j, i, &length);
        if (j > 0)
            buffer_append(out, ",", 1);
        if (length > 0 || count == 1) /* a row of one empty cell would be a blank line */
            csv_write(out, text);
    }
    buffer_append(out, "\r\n", 2);
}

static bool csv_piece(struct rows *rows, struct buffer *out) {
    const size_t enough = out->length + PIECE_BYTES;
    if (!rows->has_begun)
        csv_names(&rows->cells, out);
    rows->has_begun = true;
    while (rows->row < rows->request.n && out->length < enough && !out->failed)
        csv_row(rows, rows->row++, out);
    return rows->row < rows->request.n;
}

/* The first rows, for the terminal. */
static void write_text(const struct rows *rows, struct buffer *out) {
    const size_t n = rows->request.n;
    struct buffer csv = {0};
    csv_names(&rows->cells, &csv);
    for (size_t i = 0; i < n && i < TEXT_TABLE_ROWS; i++)
        csv_row(rows, i, &csv);
    if (csv.failed)
        buffer_fail(out);
    else
        text_table(out, csv.data, csv.length, n);
    buffer_clear(&csv);
}

/* ------------------------------------------------------------------ JSON */

/* Is it a column of the points, not that of the labels? */
static bool is_shown(const struct rows *rows, int column) {
    const char *label = rows->request.set->row.label;
    return !label || strcmp(rows->request.set->all[column].name, label) != 0;
}

static void json_begin(struct rows *rows) {
    struct json_writer *json = &rows->json;
    json_open(json, '{');
    rows->request.head(rows->request.owner, json);
    json_member_open(json, "columns", '[');
    for (int j = 0; j < rows->cells.count; j++)
        if (is_shown(rows, j))
            json_string(json, rows->request.set->all[j].name);
    json_close(json, ']');
    json_member_open(json, "points", '[');
}

static void json_row(struct rows *rows, size_t i) {
    json_open(&rows->json, '[');
    for (int j = 0; j < rows->cells.count; j++) {
        size_t length;
        const char *text = text_at(rows, j, i, &length);
        if (is_shown(rows, j))
            column_write_cell(&rows->request.set->all[j], text, length, &rows->json);
    }
    json_close(&rows->json, ']');
}

static void json_end(struct rows *rows) {
    struct json_writer *json = &rows->json;
    if (rows->request.labels)
        json_close(json, ']');
    json_key(json, "classes");
    if (rows->request.labels)
        json_strings(json, rows->request.set->classes);
    else
        json_null(json);
    json_close(json, '}');
}

static bool json_piece(struct rows *rows, struct buffer *out) {
    const size_t enough = out->length + PIECE_BYTES, n = rows->request.n;
    const int32_t *labels = rows->request.labels;
    struct json_writer *json = &rows->json;
    json->out = out;
    if (!rows->has_begun)
        json_begin(rows);
    rows->has_begun = true;
    while (rows->row < n && out->length < enough && !out->failed) {
        json_row(rows, rows->row++);
        if (rows->row < n)
            continue;
        json_close(json, ']');
        if (labels)
            json_member_open(json, "labels", '[');
        else
            json_member(json, "labels", NULL);
    }
    while (labels && rows->row == n && rows->label < n && out->length < enough && !out->failed)
        json_string(json, rows->request.set->classes[labels[rows->label++]]);
    if (rows->row < n || (labels && rows->label < n))
        return true;
    json_end(rows);
    return false;
}

/* ------------------------------------------------------------------ the response */

bool rows_load(struct http_exchange *exchange, const struct dataset_points *set,
               struct cells *cells) {
    const size_t values = (size_t)set->row.n * (size_t)set->column_count;
    void *block = NULL;
    size_t bytes = 0;
    const size_t bytes_read = (size_t)set->row.bytes, codes = values * sizeof(int32_t);
    if (!http_reserve(exchange, 2 * bytes_read + codes)) /* as a block, and as cells */
        return false;
    struct store_session *session = begin_reading(exchange);
    if (!session)
        return false;
    enum store_status status = store_dataset_cells(session, set->row.id, &block, &bytes);
    end_reading(exchange, session);
    const bool read = block && cells_read(cells, block, bytes) && cells->n == (size_t)set->row.n &&
                      cells->count == set->column_count;
    free(block);
    if (!read)
        answer_store(exchange, status == STORE_OK ? STORE_ERROR : status, PROBLEM_NO_SUCH_DATASET);
    return read;
}

static void clear(struct rows *rows) {
    cells_clear(&rows->cells);
    rows->request.done(rows->request.owner);
}

/* False: it was the last one. */
static bool write_piece(struct rows *rows, struct buffer *out) {
    if (rows->request.is_text) {
        write_text(rows, out);
        return false;
    }
    return rows->request.is_json ? json_piece(rows, out) : csv_piece(rows, out);
}

static enum http_piece next_piece(struct http_exchange *exchange, struct buffer *piece) {
    return write_piece(exchange->state, piece) ? HTTP_PIECE_MORE : HTTP_PIECE_LAST;
}

static void close_stream(struct http_exchange *exchange) {
    clear(exchange->state);
}

size_t rows_bytes(const struct cells *cells) {
    size_t bytes = 0;
    for (int j = 0; j < cells->count; j++) {
        const struct cells_column *column = &cells->columns[j];
        bytes += cells->n * sizeof *column->codes + column->distinct * sizeof *column->starts +
                 column->bytes;
    }
    return bytes;
}

void rows_reply(struct http_exchange *exchange, const struct rows_request *request) {
    struct http_response *response = &exchange->response;
    struct rows *rows = http_alloc(exchange, sizeof *rows);
    if (!rows) {
        request->done(request->owner);
        return;
    }
    rows->request = *request;
    if (!rows_load(exchange, request->set, &rows->cells)) {
        clear(rows);
        return;
    }
    response->status = 200;
    if (request->is_json)
        rows->json = json_reply(exchange, 200);
    if (!write_piece(rows, &response->body)) {
        clear(rows);
        return;
    }
    exchange->state = rows;
    response->stream =
        (struct http_stream){.next = next_piece,
                             .on_pool = true,
                             .held = rows_bytes(&rows->cells) + request->held + 2ul * PIECE_BYTES,
                             .closed = close_stream};
}
