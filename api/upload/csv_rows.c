#include "api/upload/csv_rows.h"

#include <string.h>

#include "api/format/csv.h"

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

static bool is_end_of_line(const struct csv_rows *rows) {
    return rows->at == rows->end || *rows->at == '\n' || *rows->at == '\r';
}

/* LF, CR LF or CR. */
static void pass_end_of_line(struct csv_rows *rows) {
    if (rows->at == rows->end)
        return;
    rows->at += *rows->at == '\r' && rows->at + 1 < rows->end && rows->at[1] == '\n' ? 2 : 1;
    rows->line++;
}

static void pass_blanks(struct csv_rows *rows) {
    while (rows->at < rows->end && is_blank(*rows->at) && *rows->at != rows->delimiter)
        rows->at++;
}

static bool is_delimiter(const struct csv_rows *rows, char c) {
    return c == rows->delimiter || (rows->delimiter == ' ' && c == '\t');
}

static struct csv_cell quoted_cell(struct csv_rows *rows) {
    const char *from = ++rows->at;
    bool has_doubled = false;
    for (;; rows->at++) {
        if (rows->at == rows->end) {
            rows->wrong = "a quoted field has no closing quote";
            return (struct csv_cell){from, 0, true, false};
        }
        if (*rows->at == '"') {
            if (rows->at + 1 == rows->end || rows->at[1] != '"')
                break;
            has_doubled = true;
            rows->at++;
        } else if (*rows->at == '\n' ||
                   (*rows->at == '\r' && (rows->at + 1 == rows->end || rows->at[1] != '\n'))) {
            rows->line++;
        }
    }
    struct csv_cell cell = {from, (size_t)(rows->at - from), true, has_doubled};
    rows->at++;
    pass_blanks(rows);
    if (!is_end_of_line(rows) && !is_delimiter(rows, *rows->at))
        rows->wrong = "something other than a delimiter follows a closing quote";
    return cell;
}

/* Blanks around an unquoted field are not part of it. */
static struct csv_cell next_cell(struct csv_rows *rows) {
    pass_blanks(rows);
    if (rows->at < rows->end && *rows->at == '"')
        return quoted_cell(rows);
    const char *from = rows->at;
    while (!is_end_of_line(rows) && !is_delimiter(rows, *rows->at))
        rows->at++;
    const char *to = rows->at;
    while (to > from && is_blank(to[-1]))
        to--;
    return (struct csv_cell){from, (size_t)(to - from), false, false};
}

/* Passes the delimiter, if another field follows. Blanks at the end of a row delimit nothing. */
static bool another_cell(struct csv_rows *rows) {
    if (is_end_of_line(rows))
        return false;
    rows->at++;
    while (rows->delimiter == ' ' && rows->at < rows->end && is_blank(*rows->at))
        rows->at++;
    return rows->delimiter != ' ' || !is_end_of_line(rows);
}

bool csv_next_row(struct csv_rows *rows) {
    do {
        if (rows->at == rows->end || rows->wrong)
            return false;
        rows->row_line = rows->line;
        rows->count = 0;
        while (rows->delimiter == ' ' && rows->at < rows->end && is_blank(*rows->at))
            rows->at++;
        do {
            struct csv_cell cell = next_cell(rows);
            if (rows->count < CSV_MAX_CELLS)
                rows->cells[rows->count] = cell;
            rows->count++;
        } while (!rows->wrong && another_cell(rows));
        if (rows->wrong)
            return false;
        pass_end_of_line(rows);
    } while (rows->count == 1 && rows->cells[0].length == 0 && !rows->cells[0].quoted);
    return true;
}

const char *csv_cell_text(const struct csv_cell *cell, struct buffer *scratch, size_t *length) {
    const size_t from = csv_is_guarded(cell->text, cell->length);
    const char *text = cell->text + from;
    *length = cell->length - from;
    if (!cell->has_doubled)
        return text;
    scratch->length = 0;
    char *out = buffer_reserve(scratch, *length + 1);
    size_t used = 0;
    for (size_t i = 0; out && i < *length; i++) {
        out[used++] = text[i];
        i += text[i] == '"'; /* its double */
    }
    *length = used;
    return out;
}
