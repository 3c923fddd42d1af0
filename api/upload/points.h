/*
 * points.h - points from a table: its columns of numbers are coordinates, and one column may have
 * the labels.
 */
#ifndef API_UPLOAD_POINTS_H
#define API_UPLOAD_POINTS_H

#include "api/upload/reading.h"

/* Farther from 0 than this, the squares that statistics and training need would leave float32. */
#define POINTS_LARGEST_VALUE 1e18

struct points {
    size_t n;
    int dim;
    float *points;   /* [n][dim] */
    int32_t *labels; /* [n], indices of classes; NULL if there are none */
    int class_count;
    char classes[DN_MAX_CLASSES][LABEL_NAME_BYTES + 1]; /* as label_name has them */
    char columns[DN_MAX_DIM][LABEL_NAME_BYTES + 1];
};

/* Makes the points of what was read, to be freed with points_clear. False: reading->no_memory, or
 * something is wrong with the table, which is then in reading->wrong, with one error per column. */
bool points_make(struct reading *reading, struct points *points);
void points_clear(struct points *points);

#endif
