/*
 * column_json.h - columns as JSON: in responses, and as they are stored.
 */
#ifndef API_TABLE_COLUMN_JSON_H
#define API_TABLE_COLUMN_JSON_H

#include "api/contract/fields.h"
#include "api/table/column.h"
#include "engine/denoise.h"

extern const struct field_set column_answer;

/* Writes a column; and an array of all columns. */
void column_write(const struct column *column, struct json_writer *json);
void column_write_list(const struct column *columns, int count, struct json_writer *json);
/* Reads such an array: columns [*count], of the arena. False: it is none, or arena->failed. */
bool column_read_list(const char *text, struct arena *arena, struct column **columns, int *count);
bool column_read_array(const cJSON *list, struct arena *arena, struct column **columns, int *count);

/* Writes a cell: numbers as numbers, a missing one as null, and other texts as they are. */
void column_write_cell(const struct column *column, const char *text, size_t length,
                       struct json_writer *json);

/* The names of the coordinates, in order, of the arena: up to a NULL. NULL: no memory. */
const char **column_names(const struct column *columns, int count, struct arena *arena);

#endif
