/*
 * cell.h - a cell that a client sends in JSON: what it stands for in its column, and how a row of
 * the table writes it.
 */
#ifndef API_TABLE_CELL_H
#define API_TABLE_CELL_H

#include <cjson/cJSON.h>

#include "api/table/column.h"

enum cell_sent_kind {
    CELL_SENT_NULL,
    CELL_SENT_NUMBER,
    CELL_SENT_TEXT,
    CELL_SENT_TRUTH,
    CELL_SENT_NONE
};

struct cell_sent {
    enum cell_sent_kind kind; /* NONE: an array or an object, which no cell is */
    double number;            /* of a truth 0 or 1 */
    const char *text;         /* of the arena */
};
struct cell_sent cell_sent(const cJSON *item, struct arena *arena);

/* Does a text stand for a missing cell? That is an empty one, the table's own text for them, and
 * others such as NA, unless they are a level; the names of rows are never missing. */
bool cell_stands_for_missing(const struct column *column, const struct cell_sent *sent);

struct cell_value {
    double value;     /* as column_forward has it; NAN: missing, or the column is no coordinate */
    const char *text; /* how a row of the table writes it, of the arena: a number with all its
                         decimals, a level as the table spells it, other texts as they are */
};
/* Reads what was sent, which is not null. NULL, or why it is no cell of the
 * column, as a sentence without its subject. */
const char *cell_read(const struct column *column, const struct cell_sent *sent,
                      struct cell_value *out, struct arena *arena);

/* A model knows nothing about values far from its data. NULL, or why the value is farther outside of
 * the column's range than the range is wide, as a sentence without its subject. */
const char *cell_too_far(const struct column *column, double value, struct arena *arena);

#endif
