#include "api/format/table.h"

#include <string.h>

static void write_cell(const struct table *table, size_t row, size_t column,
                       struct json_writer *json) {
    fields_write_value(&table->columns->rows[column], (const char *)table->rows + row * table->size,
                       json);
}

void table_write_names(const void *value, struct json_writer *json) {
    const struct table *table = value;
    json_open(json, '[');
    for (size_t c = 0; c < table->columns->count; c++)
        json_string(json, table->columns->rows[c].name);
    json_close(json, ']');
}

void table_write_columns(const void *value, struct json_writer *json) {
    const struct table *table = value;
    json_open(json, '{');
    for (size_t c = 0; c < table->columns->count; c++) {
        json_member_open(json, table->columns->rows[c].name, '[');
        for (size_t i = 0; i < table->count; i++)
            write_cell(table, i, c, json);
        json_close(json, ']');
    }
    json_close(json, '}');
}

static void write_csv_cell(const struct table *table, size_t row, size_t column,
                           struct buffer *out) {
    const size_t start = out->length;
    write_cell(table, row, column, &(struct json_writer){.out = out});
    if (!out->failed && strncmp(out->data + start, "null", out->length - start) == 0)
        out->length = start;
}

void table_write_csv(const struct table *table, struct buffer *out) {
    const struct field_set *columns = table->columns;
    for (size_t c = 0; c < columns->count; c++)
        buffer_format(out, "%s%s", c ? "," : "", columns->rows[c].name);
    for (size_t i = 0; i < table->count; i++)
        for (size_t c = 0; c < columns->count; c++) {
            buffer_text(out, c ? "," : "\r\n");
            write_csv_cell(table, i, c, out);
        }
    buffer_text(out, "\r\n");
}
