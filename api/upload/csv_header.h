/*
 * csv_header.h - whether the first row of a CSV file names the columns.
 */
#ifndef API_UPLOAD_CSV_HEADER_H
#define API_UPLOAD_CSV_HEADER_H

#include "api/upload/csv_rows.h"
#include "api/upload/reading.h"

enum csv_header {
    CSV_NAMES,   /* the first row names the columns */
    CSV_DATA,    /* it is a row like the others */
    CSV_UNCLEAR, /* it is either a row or the numbers of the columns, and the client has to say */
};

/* rows: at the first row, which stays the current one. */
enum csv_header csv_find_header(const struct reading *reading, const struct csv_rows *rows);

#endif
