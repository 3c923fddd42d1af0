/*
 * column_view.h - what the types look at when they decide whether a column is theirs.
 */
#ifndef API_TABLE_COLUMN_VIEW_H
#define API_TABLE_COLUMN_VIEW_H

#include "api/table/column.h"

enum cell_kind { CELL_MISSING, CELL_NUMBER, CELL_OTHER };

struct column_view {
    const struct column_request *request;
    const struct cells_column *column;
    size_t n;         /* rows */
    uint32_t *counts; /* [column->distinct], rows of each text */
    uint8_t *kinds;   /* [column->distinct], enum cell_kind */
    double *values; /* [column->distinct], of the numbers; once the type is known: column_forward */
    size_t missing; /* rows */
    uint32_t present;          /* distinct texts that are not missing */
    size_t numbers;            /* rows with a number.. */
    uint32_t distinct_numbers; /* ..and their texts */
    bool is_coded;             /* a text such as 007: digits after a leading zero */
    bool is_whole;             /* no number has a fraction */
    struct arena *arena;
};

/* False: no memory, which arena->failed says too. */
bool column_view_make(struct column_view *view, const struct column_request *request,
                      struct arena *arena);
void column_view_clear(struct column_view *view);

/* Adds a note; the format's text goes to the arena. */
void column_note(struct column_view *view, struct column *column, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Up to three texts of a kind, in quotes with commas between them, in the arena. */
const char *column_view_examples(const struct column_view *view, enum cell_kind kind);

#endif
