/*
 * csv_rows.h - CSV (RFC 4180), as spreadsheets and scripts really write it, row by row; and which of
 * its dialects a text is in.
 */
#ifndef API_UPLOAD_CSV_ROWS_H
#define API_UPLOAD_CSV_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "api/table/cells.h"

/* A field of a row, without its quotes; doubled quotes within are still doubled. */
struct csv_cell {
    const char *text;
    size_t length;
    bool quoted, has_doubled;
};

enum { CSV_MAX_CELLS = CELLS_MAX_COLUMNS + 1 };

struct csv_rows {
    const char *at, *end;
    char delimiter; /* ' ': any number of blanks and tabs */
    size_t line;    /* of what comes next, from 1 */
    /* the current row */
    size_t row_line;
    int count; /* may be more than the kept ones, which are CSV_MAX_CELLS */
    struct csv_cell cells[CSV_MAX_CELLS];
    const char *wrong; /* why the rest is not CSV */
};

/* Moves to the next row that is not blank. False at the end, or when something is wrong. */
bool csv_next_row(struct csv_rows *rows);

/* The text of a field, of which doubled quotes are written to scratch; its length in *length; NULL:
 * no memory. An apostrophe that keeps a spreadsheet from evaluating the field is not part of it. */
const char *csv_cell_text(const struct csv_cell *cell, struct buffer *scratch, size_t *length);

/* What a text in CSV begins with before its first row. */
struct csv_dialect {
    char delimiter;
    /* the comment, without its #, that has as many fields as the rows: their names, as
     * numpy.savetxt writes them; NULL: there is none */
    const char *names;
    size_t names_length, names_line;
};

/* Passes the lines "sep=;" and "# comment" at the start, and finds the delimiter, unless it is `told`
 * (not 0) or in such a line. */
struct csv_dialect csv_find_dialect(struct csv_rows *rows, char told);

#endif
