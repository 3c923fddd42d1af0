/*
 * rows.h - the rows of an uploaded table as it was written.
 */
#ifndef API_UPLOAD_ROWS_H
#define API_UPLOAD_ROWS_H

#include "api/datasets.h"

struct rows_request {
    const struct dataset_points *set;
    const int32_t *order; /* rows in this order; NULL: as they are in the file */
    size_t n;             /* rows */
    bool is_json;
    /* JSON: writes the members before the columns */
    void (*head)(const void *owner, struct json_writer *json);
    const void *owner;
    const int32_t *labels; /* JSON: [n], or NULL */
};

/* Responds with a header and the rows: in CSV, every cell as in the file; in JSON, the columns but
 * for the labels, with numbers as numbers and missing cells as null. False: the table has no cells,
 * and there is no response. */
bool rows_reply(struct http_exchange *exchange, const struct rows_request *request);

#endif
