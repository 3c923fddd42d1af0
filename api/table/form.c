#include "api/table/form.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/contract/names.h"
#include "api/format/csv.h"
#include "api/table/column_json.h"
#include "api/table/dates.h"
#include "api/table/number_format.h"
#include "api/upload/label.h"
#include "engine/denoise.h"

/* ------------------------------------------------------------------ as JSON */

void form_write(const struct table_form *form, struct json_writer *json) {
    json_open(json, '{');
    json_key(json, "label");
    json_string(json, form->label < 0 ? NULL : form->columns[form->label].name);
    json_member_open(json, "columns", '[');
    for (int j = 0; j < form->count; j++) {
        struct column column = form->columns[j];
        column.examples[0] = column.notes[0] = NULL;
        column.histogram.counts = NULL;
        column_write(&column, json);
    }
    json_close(json, ']');
    json_close(json, '}');
}

static int find_column(const struct column *columns, int count, const char *name) {
    for (int j = 0; j < count; j++)
        if (strcmp(columns[j].name, name) == 0)
            return j;
    return -1;
}

/* The most bytes of a row: each byte of a text may become six in JSON. */
static size_t most_bytes(const struct column *columns, int count) {
    size_t most = 2;
    for (int j = 0; j < count; j++) {
        size_t longest = COLUMN_TEXT_BYTES;
        for (int i = 0; i < columns[j].level_count; i++) {
            const size_t length = columns[j].levels[i] ? 6 * strlen(columns[j].levels[i]) : 0;
            longest = length > longest ? length : longest;
        }
        most += longest + 3; /* quotes and a comma */
    }
    return most;
}

/* The columns that each follows from. NULL: one is missing or follows itself, or no memory. */
static const int *find_sources(const struct column *columns, int count, struct arena *arena) {
    int *sources = arena_alloc(arena, (size_t)count * sizeof *sources);
    for (int j = 0; sources && j < count; j++) {
        sources[j] = -1;
        if (columns[j].map.count == 0)
            continue;
        sources[j] = columns[j].follows ? find_column(columns, count, columns[j].follows) : -1;
        if (sources[j] < 0 || columns[sources[j]].map.count > 0)
            return NULL;
    }
    return sources;
}

const struct table_form *form_read(const char *text, struct arena *arena) {
    cJSON *json = text ? cJSON_Parse(text) : NULL;
    struct table_form *form = json ? arena_alloc(arena, sizeof *form) : NULL;
    const cJSON *label = cJSON_GetObjectItemCaseSensitive(json, "label");
    struct column *columns = NULL;
    bool read = form && column_read_array(cJSON_GetObjectItemCaseSensitive(json, "columns"), arena,
                                          &columns, &form->count);
    if (read) {
        const char *name = cJSON_GetStringValue(label);
        form->columns = columns;
        form->most = most_bytes(columns, form->count);
        form->label = name ? find_column(columns, form->count, name) : -1;
        form->sources = find_sources(columns, form->count, arena);
        read = form->sources && (name ? form->label >= 0 : cJSON_IsNull(label));
    }
    cJSON_Delete(json);
    return read ? form : NULL;
}

/* ------------------------------------------------------------------ checking */

static bool is_in_range(const struct column *column, double least, double most) {
    return column->min >= least && column->max <= most && column->min <= column->max;
}

static bool has_levels(const struct column *column) {
    bool right = column->level_count >= 1 && column->level_count <= COLUMN_MAX_LEVELS;
    for (int i = 0; i < column->level_count && right; i++)
        right = column->levels[i] && !name_wrong(column->levels[i], strlen(column->levels[i]));
    return right;
}

/* Does the column have what its type needs to write a value? */
static bool can_write(const struct column *column) {
    struct number_format format;
    if (strlen(column->missing_text) >= COLUMN_TEXT_BYTES ||
        name_wrong(column->missing_text, strlen(column->missing_text)))
        return false;
    if (column_is_number(column))
        return column->format && strlen(column->format) < NUMBER_FORMAT_BYTES &&
               number_format_read(&format, column->format) &&
               is_in_range(column, -COLUMN_LARGEST_VALUE, COLUMN_LARGEST_VALUE);
    if (column->type == TYPE_DATETIME)
        return column->format && strlen(column->format) < DATE_FORMAT_BYTES &&
               !name_wrong(column->format, strlen(column->format)) &&
               is_in_range(column, COLUMN_FIRST_SECOND, COLUMN_LAST_SECOND);
    if (column->type == TYPE_BOOLEAN || column->type == TYPE_CATEGORICAL)
        return has_levels(column);
    return column->level_count == 0 || has_levels(column);
}

/* Can the column be filled in? What decides it must be a coordinate, or the labels. */
static bool can_follow(const struct table_form *form, int j) {
    const int source = form->sources[j];
    return source < 0 || source == form->label || form->columns[source].coordinate >= 0;
}

const char *form_wrong(const struct table_form *form, int dim, bool has_labels,
                       struct arena *arena) {
    bool is_taken[DN_MAX_DIM] = {false};
    int found = 0;
    if (form->count > CELLS_MAX_COLUMNS)
        return arena_format(arena, "must have at most %d columns", CELLS_MAX_COLUMNS);
    if ((form->label >= 0) != has_labels)
        return has_labels ? "must name the column with the labels"
                          : "must not have a column with labels: the model has none";
    for (int j = 0; j < form->count; j++) {
        const struct column *column = &form->columns[j];
        const char *wrong = name_wrong(column->name, strlen(column->name));
        const int at = column->coordinate;
        if (wrong)
            return arena_format(arena, "the name of column %d %s", j + 1, wrong);
        if (j != form->label && !can_write(column))
            return arena_format(arena, "column %d does not have what its type needs", j + 1);
        if (!can_follow(form, j))
            return arena_format(arena, "column %d cannot follow from that column", j + 1);
        const bool follows = form->sources[j] >= 0;
        if (at < 0 && (follows || !column_is_trained(column) || j == form->label))
            continue;
        if (at < 0 || follows || at >= dim || is_taken[at] || j == form->label ||
            !column_is_trained(column))
            return arena_format(arena, "column %d cannot have this coordinate", j + 1);
        is_taken[at] = true;
        found++;
    }
    return found == dim ? NULL
                        : arena_format(arena, "must have columns for all %d coordinates", dim);
}

/* ------------------------------------------------------------------ rows */

double form_value(const struct table_form *form, int column, const double *values, int label) {
    const int source = form->sources[column];
    const struct column *decides = &form->columns[source < 0 ? column : source];
    double value = NAN;
    if (source >= 0 && source == form->label && label >= 0)
        value = label;
    else if (decides->coordinate >= 0)
        value = values[decides->coordinate];
    return source < 0 ? value : column_map_value(&form->columns[column].map, value);
}

/* The text of a cell: in the column, or in `room`. */
static const char *cell_text(const struct table_form *form, int j, const struct form_row *row,
                             char room[COLUMN_TEXT_BYTES]) {
    const struct column *column = &form->columns[j];
    const bool has_value = column->coordinate >= 0 || form->sources[j] >= 0;
    if (row->known && row->known[j])
        return row->known[j];
    const double value = has_value ? form_value(form, j, row->values, row->label) : 0;
    if (column->type == TYPE_ID) {
        snprintf(room, COLUMN_TEXT_BYTES, "%zu", row->index + 1);
    } else if (column->level_count > 0 && !isnan(value)) { /* may be longer than the room */
        const int last = column->level_count - 1;
        return column->levels[value < 0 ? 0 : value > last ? last : (int)rint(value)];
    } else {
        column_backward(column, value, room);
    }
    return room;
}

void form_csv_names(const struct table_form *form, struct buffer *out) {
    for (int j = 0; j < form->count; j++) {
        buffer_text(out, j ? "," : "");
        csv_write(out, form->columns[j].name);
    }
    buffer_append(out, "\r\n", 2);
}

/* Is it the class of missing labels, which may have a name of its own? */
static bool is_missing_class(const struct table_form *form, const char *name) {
    const struct column *column = &form->columns[form->label];
    return column->missing > 0 && strcmp(name, label_missing_name(column->missing_text)) == 0;
}

int form_missing_class(const struct table_form *form, const char *const *classes) {
    for (int i = 0; form && form->label >= 0 && classes[i]; i++)
        if (is_missing_class(form, classes[i]))
            return i;
    return -1;
}

/* What the table writes for a class. */
static const char *label_text(const struct table_form *form, const char *name) {
    return is_missing_class(form, name) ? form->columns[form->label].missing_text : name;
}

void form_csv_row(const struct table_form *form, const struct form_row *row, struct buffer *out) {
    char room[COLUMN_TEXT_BYTES];
    for (int j = 0; j < form->count; j++) {
        const char *text = j != form->label  ? cell_text(form, j, row, room)
                           : row->label_text ? label_text(form, row->label_text)
                                             : "";
        buffer_text(out, j ? "," : "");
        if (text[0] || form->count == 1) /* a row of one empty cell would be a blank line */
            csv_write(out, text);
    }
    buffer_append(out, "\r\n", 2);
}

void form_numbers(const struct table_form *form, const struct form_row *row, double *out) {
    char room[COLUMN_TEXT_BYTES];
    for (int j = 0; j < form->count; j++) {
        const struct column *column = &form->columns[j];
        if (column->coordinate < 0)
            continue;
        const char *text = cell_text(form, j, row, room);
        out[column->coordinate] = column_forward(column, text, strlen(text));
    }
}

void form_json_names(const struct table_form *form, struct json_writer *json) {
    json_open(json, '[');
    for (int j = 0; j < form->count; j++)
        if (j != form->label)
            json_string(json, form->columns[j].name);
    json_close(json, ']');
}

void form_json_row(const struct table_form *form, const struct form_row *row,
                   struct json_writer *json) {
    char room[COLUMN_TEXT_BYTES];
    json_open(json, '[');
    for (int j = 0; j < form->count; j++)
        if (j != form->label) {
            const char *text = cell_text(form, j, row, room);
            column_write_cell(&form->columns[j], text, strlen(text), json);
        }
    json_close(json, ']');
}
