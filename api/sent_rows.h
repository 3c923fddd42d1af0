/*
 * sent_rows.h - rows of a model's table that a client sends as CSV, of any dialect that uploads have:
 * to draw their missing cells, or to score them. The first row has the names of the columns.
 */
#ifndef API_SENT_ROWS_H
#define API_SENT_ROWS_H

#include "api/contract/problem.h"
#include "api/table/cell.h"

/* Everything is in the exchange's arena. */
struct sent_rows {
    int n, count;                  /* rows, columns */
    const char *const *names;      /* [count] */
    const struct cell_sent *cells; /* [n][count], all of them texts, as they are written */
    const size_t *lines;           /* [n] where each row is in the file */
};

/* Is the body of the request CSV, by its Content-Type? */
bool sent_rows_are_here(const struct http_exchange *exchange);
/* Reads the body; on the pool. False: the error is already the response. */
bool sent_rows_read(struct http_exchange *exchange, struct sent_rows *rows);

/* Adds what is wrong with a cell, with its line in the file: lines [rows], or NULL if the rows are
 * not from a file. */
void sent_rows_refuse(struct problem_fields *wrong, const char *pointer, const size_t *lines,
                      int row, const char *what);

#endif
