/*
 * cells.h - a table as it was written: each column is a list of its distinct texts, and one code
 * per row that says which of them the cell is.
 *
 * Types, values and statistics are found from the distinct texts and their counts alone, and the
 * table can be written back cell for cell. The codes are in the order of first appearance, so that
 * the same rows always make the same cells. An empty text is a missing cell.
 *
 *     struct cells cells = {0};
 *     int x = cells_add_column(&cells, "x", 1);
 *     cells_put(&cells, x, "1.50", 4);
 *     cells_end_row(&cells);
 *     ..
 *     cells_finish(&cells);
 *     cells_text(&cells.columns[x], (uint32_t)cells.columns[x].codes[0]) is "1.50"
 */
#ifndef API_TABLE_CELLS_H
#define API_TABLE_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/buffer.h"

enum {
    CELLS_MAX_COLUMNS = 256,
    CELLS_NAME_BYTES = 64, /* of a column */
    CELLS_MAX_VALUES = 16 << 20,
};

struct cells_column {
    char name[CELLS_NAME_BYTES + 1];
    bool is_unnamed; /* the file gives it no name; `name` is made up */
    int32_t *codes;  /* [n], each in 0..distinct-1 */
    uint32_t distinct;
    uint32_t *starts; /* [distinct], where each text begins in texts */
    char *texts;      /* the texts one after another, each with a NUL after it */
    uint32_t bytes;   /* of texts */
    /* while it is built */
    size_t count, code_capacity, start_capacity, byte_capacity;
    uint32_t *slots; /* [slot_count], a power of two: 0, or 1 + a code; found by hash */
    size_t slot_count;
    bool
        is_loose; /* texts hardly repeat: they are appended, and cells_finish finds those that do */
};

struct cells {
    size_t n;  /* rows */
    int count; /* columns */
    struct cells_column *columns;
    bool has_names; /* the file has a row of names, or keys */
    uint64_t key;   /* of the hash: secret, so that nobody can make texts that collide */
    bool no_memory; /* an allocation failed: no function below does anything after that */
};

/* A zeroed struct cells has no rows and no columns. Frees everything. */
void cells_clear(struct cells *cells);
void cells_clear_column(struct cells_column *column);

/* ------------------------------------------------------------------ building */

/* Adds a column, whose cells are empty in the rows so far. Its index; -1: no memory, or there are
 * CELLS_MAX_COLUMNS already. The name has at most CELLS_NAME_BYTES and no NUL. */
int cells_add_column(struct cells *cells, const char *name, size_t length);
/* Removes a column with all its cells; those after it move up. */
void cells_drop_column(struct cells *cells, int column);
/* The column with this name; -1: there is none. */
int cells_find_column(const struct cells *cells, const char *name);

/* Sets a cell of the current row, number cells->n, which must not be set yet. The text has no NUL.
 * False: no memory. */
bool cells_put(struct cells *cells, int column, const char *text, size_t length);
/* The row is complete; cells that were not set are empty. False: no memory. */
bool cells_end_row(struct cells *cells);
/* Nothing more will be put: the texts are distinct from now on, and what only building needs is
 * freed. False: no memory. */
bool cells_finish(struct cells *cells);

/* ------------------------------------------------------------------ reading */

/* A distinct text, NUL-terminated, and its length. */
const char *cells_text(const struct cells_column *column, uint32_t code);
size_t cells_length(const struct cells_column *column, uint32_t code);
/* How many rows have each text: counts [distinct]. */
void cells_count(const struct cells *cells, int column, uint32_t *counts);
/* The first row, from 0, that has the text. */
size_t cells_first_row(const struct cells *cells, int column, uint32_t code);

/* ------------------------------------------------------------------ as bytes */

/* Appends the table as one block: little-endian, with a checksum. It has each text once and one, two
 * or four bytes per code; a column without repetitions needs no codes. Clears the table: each column
 * as soon as it is written, so that the whole table is never in memory twice. */
void cells_write(struct cells *cells, struct buffer *out);
/* The table of a block. False: it is damaged, or cells->no_memory; *cells is then to be cleared. */
bool cells_read(struct cells *cells, const void *block, size_t length);

#endif
