/*
 * rows.h - the rows of an uploaded table as it was written.
 */
#ifndef API_UPLOAD_ROWS_H
#define API_UPLOAD_ROWS_H

#include "api/datasets.h"
#include "api/table/cells.h"

struct rows_request {
    struct dataset_points *set;
    const int32_t *order;  /* rows in this order; NULL: as they are in the file */
    size_t n;              /* rows */
    bool is_json, is_text; /* neither: CSV */
    /* JSON: writes the members before the columns */
    void (*head)(const void *owner, struct json_writer *json);
    const int32_t *labels; /* JSON: [n], or NULL */
    size_t held;           /* bytes of memory that it uses */
    void *owner;
    /* Nothing of the request is needed any more. Called once. */
    void (*done)(void *owner);
};

/* Reads the cells of a data set, of which it has as many rows and columns as it says. False: the error is
 * already the response. */
bool rows_load(struct http_exchange *exchange, const struct dataset_points *set,
               struct cells *cells);
size_t rows_bytes(const struct cells *cells); /* of the cells in memory */

/* Responds with a header and the rows of a data set that has cells: in CSV, every cell as in the file;
 * in JSON, the columns but for the labels, with numbers as numbers and missing cells as null; as
 * text, the first rows. Many rows are written while they are sent. */
void rows_reply(struct http_exchange *exchange, const struct rows_request *request);

#endif
