/*
 * column_fault.h - why a column is not one of numbers.
 */
#ifndef API_UPLOAD_COLUMN_FAULT_H
#define API_UPLOAD_COLUMN_FAULT_H

#include "api/upload/reading.h"

enum column_text {
    COLUMN_NUMBER,
    COLUMN_MISSING,   /* empty, NA, ? .. */
    COLUMN_AMBIGUOUS, /* a number, but who knows which: 1,234 */
    COLUMN_LARGE,     /* beyond COLUMN_LARGEST_VALUE */
    COLUMN_INFINITE,  /* inf */
    COLUMN_PERCENT,   /* 12% */
    COLUMN_CURRENCY,  /* $7 */
    COLUMN_MINUS,     /* a minus sign that is not the one of ASCII */
    COLUMN_BOOLEAN,   /* true */
    COLUMN_DATE,      /* 2020-01-31 */
    COLUMN_UNIT,      /* 12 kg */
    COLUMN_TEXT,
    COLUMN_TEXTS,
};

/* What a cell is in a column of numbers in this notation; its value, if it is a number. */
enum column_text column_text(struct notation notation, const char *text, size_t length,
                             double *value);

/* Adds the one error of a column that has cells other than numbers: how many of which kind, three
 * examples, where the first one is, and what would make the column acceptable. counts
 * [COLUMN_TEXTS]: its cells of each kind. */
void column_add_fault(struct reading *reading, int column, struct notation notation,
                      const size_t *counts);

/* The same for a whole column: "column "age": " and the rest. */
void column_add_problem(struct reading *reading, int column, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A text in quotes, cut after 40 bytes: out [64]. */
enum { COLUMN_SHOWN = 64 };
const char *column_show(const char *text, size_t length, char out[COLUMN_SHOWN]);

#endif
