/*
 * points.h - points from a table: each column that is trained on is a coordinate, and one column may
 * have the labels.
 */
#ifndef API_UPLOAD_POINTS_H
#define API_UPLOAD_POINTS_H

#include "api/table/column.h"
#include "api/upload/reading.h"

struct points {
    size_t n;
    int dim;
    float *points;   /* [n][dim]: column_forward, NAN where a cell is missing */
    int32_t *labels; /* [n], indices of classes; NULL if there are none */
    int class_count;
    char classes[DN_MAX_CLASSES][LABEL_NAME_BYTES + 1]; /* as label_name has them */
    struct column *columns; /* [column_count], all columns of the table; of the errors' arena */
    int column_count;
};

/* Makes the points of what was read, to be freed with points_clear. False: reading->no_memory, or
 * something is wrong with the table, which is then in reading->wrong, with one error per column. */
bool points_make(struct reading *reading, struct points *points);
void points_clear(struct points *points);

#endif
