/*
 * column.h - what a column of a table means: its type, and what is needed to turn each of its texts
 * into a number and every number back into a text of the table.
 *
 * The types are rows of one table (types.c). A column is found from its distinct texts and their
 * counts alone.
 */
#ifndef API_TABLE_COLUMN_H
#define API_TABLE_COLUMN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/table/cells.h"
#include "api/table/column_map.h"
#include "api/table/notation.h"
#include "server/base/arena.h"

enum column_type {
    TYPE_NUMERIC,
    TYPE_INTEGER,
    TYPE_BOOLEAN,
    TYPE_CATEGORICAL,
    TYPE_DATETIME,
    TYPE_ID,       /* names or numbers its row: not trained on */
    TYPE_CONSTANT, /* one value, or none: not trained on unless it is a number */
    TYPE_COUNT,
};
extern const char *const column_type_names[]; /* up to a NULL */

enum { COLUMN_MAX_LEVELS = 256, COLUMN_EXAMPLES = 3, COLUMN_MAX_NOTES = 4, COLUMN_TEXT_BYTES = 80 };

/* Farther from 0 than this, the squares that statistics and training need would leave float32. */
#define COLUMN_LARGEST_VALUE 1e18
/* Of dates: the years 0000 to 9999, in seconds since 1970. */
#define COLUMN_FIRST_SECOND (-62167219200.0)
#define COLUMN_LAST_SECOND  253402300799.0

/* Rows with a value in each of equal parts, the last of which has the largest value too; or with
 * each level. */
struct column_histogram {
    double start, width; /* of the first part, in the numbers of column_forward; NAN with levels */
    int parts;
    int64_t *counts; /* [parts]; NULL: the column has none */
};

/* Its texts are of the arena with which it was made. */
struct column {
    char name[CELLS_NAME_BYTES + 1];
    enum column_type type;
    int coordinate;             /* its place in a point; -1: it is in none, or follows */
    int64_t missing, distinct;  /* rows without a value; different texts of the others */
    double min, max, mean, std; /* NAN if it has none; of a date in seconds since 1970 */
    const char *format;         /* of numbers (number_format.h), also those of an id, and dates
                                   (dates.h); or NULL */
    double step;                /* of dates: seconds of which all are multiples; 0: none */
    const char *missing_text;   /* how the table writes a missing value */
    const char *const *levels;  /* [level_count], then NULL: of what is not a number or date */
    int level_count;            /* a boolean's levels are false, true */
    struct column_histogram histogram;
    bool independent;      /* it is not to follow from any, whatever their values are */
    const char *follows;   /* the column whose values decide those of this one; or NULL */
    struct column_map map; /* of a column that follows: how they do */
    const char *examples[COLUMN_EXAMPLES + 1], *notes[COLUMN_MAX_NOTES + 1]; /* up to a NULL */
};

/* How a column of cells is to be understood. */
struct column_request {
    const struct cells *cells;
    int index; /* the column */
    struct notation notation;
    int type;         /* enum column_type, or -1: the one that fits */
    bool is_doubtful; /* points may mark thousands, as far as the table and the client say */
};

/* Finds what the column is. NULL, or a sentence that says why its type does not fit and what would;
 * arena->failed: no memory. */
const char *column_find(const struct column_request *request, struct arena *arena,
                        struct column *column);

/* Is it a coordinate, as its type says? */
bool column_is_trained(const struct column *column);

/* The number of a text: the number itself, seconds since 1970, or the place of the level; NAN if
 * the text is missing, or none of this column. */
double column_forward(const struct column *column, const char *text, size_t length);
/* The same for all texts of a table's column: numbers [cells->distinct]. */
void column_numbers(const struct column *column, const struct cells_column *cells, double *numbers);
/* The text of a number, and NUL, within the column's range; NAN is the missing text. Its length. Of a
 * column that is not trained on, the missing text or the only value. */
size_t column_backward(const struct column *column, double value, char out[COLUMN_TEXT_BYTES]);
/* Is its text a number in JSON too? */
bool column_is_number(const struct column *column);

/* Is a text an integer as JSON writes it, which a double has exactly? 7 is, but not 007, 7.0 or +7. */
bool column_integer(const char *text, size_t length, double *value);

/* Is a text, blanks around it ignored, one of those that stand for a missing value? */
bool column_is_missing(const char *text, size_t length);

#endif
