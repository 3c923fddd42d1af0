/*
 * reading.h - points from an uploaded file: what the readers of all formats share.
 *
 * A reader reads a file to its end, however many errors it has, and names the place of each error
 * as a JSON Pointer into the same data as JSON: /points/12/1 is the second coordinate of the
 * thirteenth point, /labels/12 its label, whatever the format.
 */
#ifndef API_UPLOAD_READING_H
#define API_UPLOAD_READING_H

#include <stdint.h>

#include "api/contract/problem.h"
#include "api/upload/label.h"
#include "engine/denoise.h"

enum {
    READING_MAX_VALUES = 16 << 20,        /* coordinates in all: 64 MiB */
    READING_MAX_COLUMNS = DN_MAX_DIM + 1, /* with the labels */
    READING_TITLE_BYTES = 100,            /* of a data set */
    READING_NO_LABEL = -1,
};

/* Beyond this, the squares that statistics and training need would not fit in float32. */
#define READING_LARGEST_VALUE 1e18

enum header_mode { HEADER_AUTO, HEADER_TRUE, HEADER_FALSE };

struct reading {
    /* the request */
    const char *text; /* [length], and NUL after it */
    size_t length;
    const char *label; /* column that holds the labels: its name, or its number from 0, or from the
                          end: -1; "" if none is named */
    enum header_mode header;      /* is the first row of a CSV file a header? */
    struct problem_fields *wrong; /* values that cannot be used, for 422 */
    /* the outcome, to be freed with reading_clear */
    char unreadable[200]; /* why this is not a file of its format, for 400; "" if it is one */
    bool no_memory;
    size_t n;
    int dim;         /* 0 until it is known */
    float *points;   /* [n][dim] */
    int32_t *labels; /* [n], indices of classes; NULL if there are none */
    int class_count;
    char classes[DN_MAX_CLASSES][LABEL_NAME_BYTES + 1]; /* as label_name has them */
    char columns[DN_MAX_DIM][LABEL_NAME_BYTES + 1];
    char title[READING_TITLE_BYTES + 1]; /* name inside the file; "" if none */
    /* for the readers themselves */
    size_t capacity, label_capacity;
    char codes[DN_MAX_CLASSES]
              [LABEL_NAME_BYTES + 1]; /* how the class has been written each time, if that
                                                   is a code (label_is_code); else "" */
    int last_class;                   /* rows of a class are often next to each other */
    char reason[160];                 /* what a function below found wrong */
};

/* One for each format; the rest of *reading is zero at first. */
void read_csv(struct reading *reading);
void read_points_json(struct reading *reading);
void read_npy(struct reading *reading);

void reading_clear(struct reading *reading);

/* ------------------------------------------------------------------ for readers */

/* Is it still worth continuing? False after an error that ends the reading. */
bool reading_goes_on(const struct reading *reading);

/* Makes room for this total number of points of reading->dim coordinates, or of labels. False, with
 * an error, when there are too many or there is no memory. */
bool reading_reserve(struct reading *reading, size_t points);
bool reading_reserve_labels(struct reading *reading, size_t labels);

/* Stores a coordinate of the current point, number reading->n; or the label of a point, as it is
 * written. NULL, or what is wrong with the value. */
const char *reading_put(struct reading *reading, int column, double value);
const char *reading_put_label(struct reading *reading, size_t point, const char *label,
                              size_t length);

/* Adds a wrong coordinate of the current point (column < 0: the whole point), or a wrong label.
 * `where` names the place in the file: "line 7, column \"x\": ", or "". */
void reading_wrong_value(struct reading *reading, int column, const char *where, const char *what);
void reading_wrong_label(struct reading *reading, size_t point, const char *where,
                         const char *what);

/* Default names: x, y, z, or x0, x1, .. */
void reading_name_columns(struct reading *reading);

/* At the end: sorts the classes (numbers by value, others by their bytes). Adds an error when there
 * are no points. */
void reading_finish(struct reading *reading);

/* The column that reading->label names, of `count` ones called names (NULL: they have no names);
 * READING_NO_LABEL if none is named, or if there is no such column, which is then an error. */
int reading_label_column(struct reading *reading, const char (*names)[LABEL_NAME_BYTES + 1],
                         int count);
/* Is reading->label the number of a column? */
bool reading_label_number(const struct reading *reading, int count, int *column);

#endif
