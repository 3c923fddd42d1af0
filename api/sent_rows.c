#include "api/sent_rows.h"

#include <string.h>
#include <strings.h>

#include "api/samples.h"
#include "api/upload/readers.h"

/* Memory per byte of the file while it is read, as for uploads. */
enum { READ_BYTES = 6 };

bool sent_rows_are_here(const struct http_exchange *exchange) {
    static const char *const types[] = {"text/csv", "text/tab-separated-values"};
    const char *type = http_header(exchange, "Content-Type");
    const size_t length = type ? strcspn(type, "; \t") : 0;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (length == strlen(types[i]) && strncasecmp(type, types[i], length) == 0)
            return true;
    return false;
}

/* Copies the names and cells out of the file. Without memory, the arena has failed, or the response is
 * already the error. */
static void copy(struct http_exchange *exchange, const struct reading *reading,
                 struct sent_rows *rows) {
    struct arena *arena = http_arena(exchange);
    const struct cells *cells = &reading->cells;
    const size_t n = cells->n, count = (size_t)cells->count;
    if (!http_reserve(exchange, n * (count * sizeof *rows->cells + sizeof *rows->lines)))
        return;
    const char **names = arena_alloc(arena, count * sizeof *names);
    struct cell_sent *sent = arena_alloc(arena, n * count * sizeof *sent);
    size_t *lines = arena_alloc(arena, n * sizeof *lines);
    for (size_t j = 0; names && sent && lines && j < count; j++) {
        const struct cells_column *column = &cells->columns[j];
        const char *texts = arena_copy(arena, column->texts, column->bytes);
        names[j] = arena_copy(arena, column->name, strlen(column->name));
        for (size_t i = 0; texts && i < n; i++)
            sent[i * count + j] = (struct cell_sent){
                .kind = CELL_SENT_TEXT, .text = texts + column->starts[column->codes[i]]};
    }
    for (size_t i = 0; lines && i < n; i++)
        lines[i] = reading_line(reading, i);
    *rows = (struct sent_rows){(int)n, (int)count, names, sent, lines};
}

/* Reads the text of the payload. False: the error is already the response. */
static bool read_text(struct http_exchange *exchange, const struct payload *payload,
                      struct reading *reading, struct sent_rows *rows) {
    struct arena *arena = http_arena(exchange);
    if (!http_reserve(exchange, READ_BYTES * payload->text_length))
        return false;
    const enum problem_code unreadable = readers_read(payload, reading);
    const struct cells *cells = &reading->cells;
    if (reading_goes_on(reading) && reading->wrong->count == 0 &&
        (cells->n > DN_MAX_SAMPLES || cells->n * (size_t)cells->count > POINTS_MAX_VALUES))
        problem_add(reading->wrong, "",
                    "%zu rows of %d columns are too many: there can be %d rows, and %d cells; send "
                    "the file in parts",
                    cells->n, cells->count, DN_MAX_SAMPLES, POINTS_MAX_VALUES);
    if (reading->no_memory)
        problem(exchange, PROBLEM_NO_MEMORY, "not enough memory for these rows");
    else if (reading->unreadable[0])
        problem(exchange, unreadable, reading->unreadable);
    else if (problem_none(exchange, reading->wrong))
        copy(exchange, reading, rows);
    return exchange->response.status == 0 && !arena->failed;
}

bool sent_rows_read(struct http_exchange *exchange, struct sent_rows *rows) {
    struct problem_fields *wrong = http_alloc(exchange, sizeof *wrong);
    struct payload payload = {.body = exchange->request.body,
                              .length = exchange->request.body_length,
                              .content_type = http_header(exchange, "Content-Type"),
                              .most = http_body_limit(exchange)};
    struct reading reading = {
        .label = "", .names = "", .unit = "line", .header = HEADER_TRUE, .wrong = wrong};
    if (!wrong || !http_reserve(exchange, payload_memory(&payload)))
        return false;
    wrong->arena = http_arena(exchange);
    bool read = payload_open(&payload);
    if (!read)
        problem(exchange, payload.code == PROBLEM_INVALID_DATA ? PROBLEM_INVALID_CSV : payload.code,
                payload.wrong);
    read = read && read_text(exchange, &payload, &reading, rows);
    reading_clear(&reading);
    payload_clear(&payload);
    return read;
}

void sent_rows_refuse(struct problem_fields *wrong, const char *pointer, const size_t *lines,
                      int row, const char *what) {
    if (lines)
        problem_add(wrong, pointer, "line %zu: %s", lines[row], what);
    else
        problem_add(wrong, pointer, "%s", what);
}
