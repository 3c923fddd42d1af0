#include "api/format/text_table.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

enum { MOST_COLUMNS = 256, MOST_WIDTH = 24, GAP = 2 };

/* A cell of CSV, without the quotes around it. */
struct cell {
    const char *text;
    size_t length;
    bool ends_row;
};

struct columns {
    int count;
    int widths[MOST_COLUMNS];  /* in characters */
    int numbers[MOST_COLUMNS]; /* cells that begin as a number does */
    int texts[MOST_COLUMNS];   /* other cells */
};

/* Reads the next cell. False: there are no more. */
static bool next_cell(const char **at, const char *end, struct cell *cell) {
    if (*at == end)
        return false;
    const bool is_quoted = **at == '"';
    const char *stop = *at + is_quoted;
    cell->text = stop;
    while (stop < end && (is_quoted ? *stop != '"' || (stop + 1 < end && stop[1] == '"')
                                    : *stop != ',' && *stop != '\r'))
        stop += is_quoted && *stop == '"' ? 2 : 1;
    cell->length = (size_t)(stop - cell->text);
    stop += is_quoted && stop < end;
    cell->ends_row = stop >= end || *stop == '\r';
    stop += cell->ends_row ? 2 : 1;
    *at = stop < end ? stop : end;
    return true;
}

/* Writes the characters of a cell, or only counts them if there is no buffer. */
static int put_text(struct buffer *out, const struct cell *cell) {
    int width = 0;
    for (size_t i = 0; i < cell->length; i++) {
        const unsigned char c = (unsigned char)cell->text[i];
        const bool is_control = c < ' ' || c == 0x7f;
        const bool is_wide_control = c == 0xc2 && i + 1 < cell->length &&
                                     (unsigned char)cell->text[i + 1] < 0xa0; /* U+0080..U+009F */
        const bool starts = (c & 0xc0) != 0x80;
        if (starts && width == MOST_WIDTH - 1 && cell->length - i > 1) {
            if (out)
                buffer_text(out, "\xe2\x80\xa6"); /* an ellipsis */
            return width + 1;
        }
        if (out && (is_control || is_wide_control))
            buffer_text(out, "?");
        else if (out)
            buffer_append(out, cell->text + i, 1);
        i += is_wide_control || (c == '"'); /* which is written twice */
        width += starts;
    }
    return width;
}

static void measure(struct columns *columns, const char *csv, const char *end) {
    struct cell cell;
    for (int row = 0, j = 0; next_cell(&csv, end, &cell); j = cell.ends_row ? 0 : j + 1) {
        if (j >= MOST_COLUMNS)
            return;
        const int width = put_text(NULL, &cell);
        if (width > columns->widths[j])
            columns->widths[j] = width;
        if (row > 0 && cell.length > 0) {
            const bool is_number =
                isdigit((unsigned char)cell.text[0]) || strchr("+-.", cell.text[0]);
            (is_number ? columns->numbers : columns->texts)[j]++;
        }
        if (j >= columns->count)
            columns->count = j + 1;
        row += cell.ends_row;
    }
}

static void put_spaces(struct buffer *out, int count) {
    for (; count > 0; count--)
        buffer_append(out, " ", 1);
}

static void put_cell(struct buffer *out, const struct columns *columns, int j,
                     const struct cell *cell) {
    const int room = columns->widths[j] - put_text(NULL, cell);
    const bool is_right = columns->numbers[j] > columns->texts[j];
    if (is_right)
        put_spaces(out, room);
    put_text(out, cell);
    if (cell->ends_row)
        buffer_text(out, "\n");
    else
        put_spaces(out, GAP + (is_right ? 0 : room));
}

void text_table(struct buffer *out, const char *csv, size_t length, size_t rows) {
    const char *end = csv + length;
    struct columns columns = {0};
    struct cell cell;
    measure(&columns, csv, end);
    for (int j = 0; next_cell(&csv, end, &cell) && j < columns.count; j = cell.ends_row ? 0 : j + 1)
        put_cell(out, &columns, j, &cell);
    if (rows > TEXT_TABLE_ROWS)
        buffer_format(out, "%d of %zu rows\n", TEXT_TABLE_ROWS, rows);
}
