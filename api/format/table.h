/*
 * table.h - structs as a table: an array of numbers for each column in JSON, a line for each struct
 * in CSV.
 */
#ifndef API_FORMAT_TABLE_H
#define API_FORMAT_TABLE_H

#include "api/contract/fields.h"

struct table {
    const struct field_set *columns;
    const void *rows; /* [count], structs of `size` bytes */
    size_t size, count;
};

/* For fields whose value is a struct table: the names of the columns, and an object with an array
 * for each. */
void table_write_names(const void *value, struct json_writer *json);
void table_write_columns(const void *value, struct json_writer *json);
/* What is null in JSON is an empty cell. */
void table_write_csv(const struct table *table, struct buffer *out);

#endif
