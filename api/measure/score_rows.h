/*
 * score_rows.h - the points of a request for scores that are rows of a table: objects of cells by the
 * names of the columns, arrays of cells in the order of the columns without the labels, or a file.
 */
#ifndef API_MEASURE_SCORE_ROWS_H
#define API_MEASURE_SCORE_ROWS_H

#include "api/samples.h"
#include "api/sent_rows.h"

/* The cells as they were sent, in the arena. */
struct score_rows {
    struct score_cell *cells;
    size_t count;
    int n;               /* rows; 0: the points are numbers */
    const size_t *lines; /* [n] of the rows, if a file has them; else NULL */
};

/* Is any point an object, or any coordinate of one a text or a truth? */
bool score_rows_are_here(const cJSON *points);
/* Reads them, before the model is known. */
void score_rows_read(const cJSON *points, struct score_rows *rows, struct problem_fields *wrong);
/* Takes them from a file; on the pool. False: no memory, or the response is already the error. */
bool score_rows_take(struct http_exchange *exchange, const struct sent_rows *sent,
                     struct score_rows *rows);
/* The form of the rows of a model that is not of a table: its coordinates are numbers with these
 * names [dim]. NULL: no memory. */
const struct table_form *score_rows_form(const char *const *names, int dim, struct arena *arena);

/* Writes what they mean for a model with this form into out, [n][dim], NAN where a cell is missing or
 * absent; cells of columns that are no coordinate do not count. *label is the class in all rows that
 * have one, or NULL. On the pool; false: as above. */
bool score_rows_fit(struct http_exchange *exchange, const struct score_rows *rows,
                    const struct table_form *form, int dim, struct sampling_points *out,
                    const char **label, struct problem_fields *wrong);

#endif
