/*
 * reading.h - a table from an uploaded file: what the readers of all formats share.
 *
 * A reader makes cells of everything in a file that can be a table, and leaves what the cells mean
 * to others. It reads the file to its end: errors of one kind are counted, and one message tells
 * how many there are and where the first one is.
 */
#ifndef API_UPLOAD_READING_H
#define API_UPLOAD_READING_H

#include <stdint.h>

#include "api/contract/problem.h"
#include "api/table/cells.h"
#include "api/table/notation.h"
#include "api/upload/label.h"
#include "api/upload/schema.h"
#include "engine/denoise.h"

enum {
    READING_MAX_VALUES = CELLS_MAX_VALUES,
    READING_TITLE_BYTES = 100, /* of a data set */
    READING_NO_LABEL = -1,
};

enum header_mode { HEADER_AUTO, HEADER_TRUE, HEADER_FALSE };

/* What may be wrong with rows or fields. */
enum reading_fault {
    FAULT_WIDTH,  /* a row has more or fewer fields than the others */
    FAULT_ROW,    /* JSON: a row is not one */
    FAULT_VALUE,  /* JSON: a cell is an object or an array */
    FAULT_TWICE,  /* JSON: a key is given twice in a record */
    FAULT_LENGTH, /* JSON: there are not as many labels as points */
    READING_FAULTS,
};

struct reading {
    /* the request */
    const char *text; /* [length], and NUL or a line break after it */
    size_t length;
    const char *label; /* column that holds the labels: its name, or its number from 0, or from the
                          end: -1; "" if none is named */
    const char *names; /* npy: names of the columns, with commas between them; "" or NULL: none */
    enum header_mode header;      /* is the first row of a CSV file one? */
    char delimiter;               /* of a CSV file, if its type tells; else 0 */
    bool is_lines;                /* JSON: one value after another */
    const struct schema *schema;  /* what the client says about the columns, or NULL */
    enum decimal_mode decimal;    /* how numbers are written, if the client knows */
    struct problem_fields *wrong; /* what cannot be used, for 422 */
    /* the outcome, to be freed with reading_clear */
    char unreadable[200]; /* why this is not a file of its format, for 400; "" if it is one */
    bool no_memory;
    struct cells cells;
    bool last_is_label;                  /* JSON: the last column has the member "labels" */
    int label_column;                    /* or READING_NO_LABEL */
    char title[READING_TITLE_BYTES + 1]; /* name inside the file; "" if none */
    /* where rows are in the file: each of these begins a run of rows, one per line */
    const char *unit; /* "line", "row", "record" .. */
    struct reading_run {
        uint32_t row, line;
    } * runs;
    size_t run_count, run_capacity, next_line;
    struct {
        size_t count;
        char pointer[40], text[200]; /* of the first one */
    } faults[READING_FAULTS];
};

/* One for each format; the rest of *reading is zero at first. */
void read_csv(struct reading *reading);
void read_json(struct reading *reading);
void read_npy(struct reading *reading);

void reading_clear(struct reading *reading);

/* The number by which people find a row in the file: with reading->unit, "line 7". */
size_t reading_line(const struct reading *reading, size_t row);

/* ------------------------------------------------------------------ for readers */

/* Is it still worth continuing? False after an error that ends the reading. */
bool reading_goes_on(const struct reading *reading);

/* Ends the reading: the file is not of its format. */
void reading_unreadable(struct reading *reading, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds a column with this name; its index, or -1 after an error that ends the reading. */
int reading_add_column(struct reading *reading, const char *name, size_t length);

/* Is there room for another row? False, with an error. */
bool reading_has_room(struct reading *reading);
/* Completes a row, which is at this line of the file. False: no memory. */
bool reading_end_row(struct reading *reading, size_t line);

/* Counts a fault; the first one of its kind is described. */
void reading_fault(struct reading *reading, enum reading_fault fault, const char *pointer,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* At the end: finds the label column, names columns that have no names, and adds the faults to the
 * errors. */
void reading_finish(struct reading *reading);

/* Is it the number of a column, of `count` ones? */
bool reading_label_number(const struct reading *reading, int count, int *column);

#endif
