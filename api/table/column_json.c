#include "api/table/column_json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/table/histogram.h"

#define AT(member) offsetof(struct column, member)

/* What is shown of a bound: a number, or a date in the form of the table. */
static void write_bound(const struct column *column, double bound, struct json_writer *json) {
    char text[COLUMN_TEXT_BYTES];
    if (column_is_number(column)) {
        json_double(json, bound);
    } else if (column->type == TYPE_DATETIME && !isnan(bound)) {
        column_backward(column, bound, text);
        json_string(json, text);
    } else {
        json_null(json);
    }
}

static void write_min(const void *value, struct json_writer *json) {
    const struct column *column = value;
    write_bound(column, column->min, json);
}

static void write_max(const void *value, struct json_writer *json) {
    const struct column *column = value;
    write_bound(column, column->max, json);
}

static void write_mean(const void *value, struct json_writer *json) {
    const struct column *column = value;
    json_double(json, column_is_number(column) ? column->mean : NAN);
}

static void write_std(const void *value, struct json_writer *json) {
    const struct column *column = value;
    json_double(json, column_is_number(column) ? column->std : NAN);
}

static void write_levels(const void *value, struct json_writer *json) {
    const struct column *column = value;
    if (column->levels)
        json_strings(json, column->levels);
    else
        json_null(json);
}

static void write_histogram(const void *value, struct json_writer *json) {
    histogram_write(&((const struct column *)value)->histogram, json);
}

static void write_map(const void *value, struct json_writer *json) {
    column_map_write(&((const struct column *)value)->map, json);
}

static void write_examples(const void *value, struct json_writer *json) {
    json_strings(json, ((const struct column *)value)->examples);
}

static void write_notes(const void *value, struct json_writer *json) {
    json_strings(json, ((const struct column *)value)->notes);
}

static const struct field rows[] = {
    {"", "name", FIELD_TEXT, AT(name), 0, CELLS_NAME_BYTES},
    {"", "type", FIELD_CHOICE, AT(type), .choices = column_type_names,
     .doc = "numeric and integer columns have numbers; boolean and categorical ones have `levels`; "
            "an id names or numbers its row; a constant has one value or none."},
    {"", "coordinate", FIELD_INTEGER, AT(coordinate), 0, DN_MAX_DIM - 1, FIELD_OR_NULL,
     .doc = "Its place among the coordinates of a point; null for the labels, for what is not "
            "trained on, and for what follows from another column."},
    {"", "missing", FIELD_INT64, AT(missing), 0, INFINITY, .doc = "Cells without a value."},
    {"", "distinct", FIELD_INT64, AT(distinct), 0, INFINITY,
     .doc = "Different texts in the other cells."},
    {"", "min", FIELD_WRITTEN, .schema = "ColumnBound", .write = write_min},
    {"", "max", FIELD_WRITTEN, .schema = "ColumnBound", .write = write_max},
    {"", "mean", FIELD_WRITTEN, .schema = "NumberOrNull", .write = write_mean},
    {"", "std", FIELD_WRITTEN, .schema = "NumberOrNull", .write = write_std},
    {"", "format", FIELD_STRING, AT(format), .flags = FIELD_OR_NULL,
     .doc = "How numbers are written: 0.0# has one or two decimals, #,##0 marks thousands, #.# has "
            "no zero before the point, 0.##e0 writes three digits of tiny numbers as 1.23e-20. Or "
            "dates and times, as strftime has them: %Y-%m-%d, %-d without a leading zero, %3f for "
            "milliseconds, %I:%M %p with AM or PM, %P with am or pm. Of an id, 0 if all are "
            "integers; else null."},
    {"", "step", FIELD_NUMBER, AT(step), .flags = FIELD_OR_NULL,
     .doc = "Dates are multiples of this number of seconds; otherwise 0."},
    {"", "missing_text", FIELD_STRING, AT(missing_text),
     .doc = "What most missing cells say, such as NA; empty if they are empty."},
    {"", "levels", FIELD_WRITTEN, .schema = "NamesOrNull", .write = write_levels,
     .doc = "The values of a boolean or categorical column; a number stands for its place here."},
    {"", "follows", FIELD_STRING, AT(follows), .flags = FIELD_OR_NULL,
     .doc =
         "The column of which each value always comes with the same value of this one. This one is "
         "then not trained on, and filled in after sampling."},
    {"", "map", FIELD_WRITTEN, .schema = "ColumnMap", .write = write_map},
    {"", "independent", FIELD_BOOLEAN, AT(independent),
     .doc = "Whether a client has set `follows` to null, so that this column is trained on even if "
            "it could be filled in."},
    {"", "histogram", FIELD_WRITTEN, .schema = "Histogram", .write = write_histogram,
     .doc = "Of an upload: how many cells have which values."},
    {"", "examples", FIELD_WRITTEN, .schema = "Names", .write = write_examples,
     .doc = "Up to three values."},
    {"", "notes", FIELD_WRITTEN, .schema = "Names", .write = write_notes,
     .doc = "What you should know about the column, in sentences."},
};
const struct field_set column_answer = ANSWER(rows);

void column_write(const struct column *column, struct json_writer *json) {
    fields_write(&column_answer, column, json);
}

void column_write_list(const struct column *columns, int count, struct json_writer *json) {
    json_open(json, '[');
    for (int j = 0; j < count; j++)
        column_write(&columns[j], json);
    json_close(json, ']');
}

void column_write_cell(const struct column *column, const char *text, size_t length,
                       struct json_writer *json) {
    double value = column_is_number(column) ? column_forward(column, text, length) : NAN;
    if (column->type == TYPE_ID && column->format && !column_integer(text, length, &value))
        value = NAN; /* another name, given by a client */
    if (!isnan(value))
        json_double(json, value);
    else if (column_is_number(column) || column_is_missing(text, length))
        json_null(json);
    else
        json_string(json, text);
}

/* ------------------------------------------------------------------ back */

static const cJSON *member(const cJSON *object, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const char *text_of(const cJSON *object, const char *name, struct arena *arena) {
    const char *text = cJSON_GetStringValue(member(object, name));
    return text ? arena_copy(arena, text, strlen(text)) : NULL;
}

static double number_of(const cJSON *object, const char *name) {
    const cJSON *value = member(object, name);
    return cJSON_IsNumber(value) ? value->valuedouble : NAN;
}

static double bound_of(const struct column *column, const cJSON *object, const char *name) {
    const char *text = cJSON_GetStringValue(member(object, name));
    return text ? column_forward(column, text, strlen(text)) : number_of(object, name);
}

static void read_texts(const cJSON *list, const char **texts, int most, struct arena *arena) {
    int count = 0;
    for (const cJSON *item = list ? list->child : NULL; item && count < most; item = item->next)
        if (cJSON_IsString(item))
            texts[count++] = arena_copy(arena, item->valuestring, strlen(item->valuestring));
}

static bool read_column(const cJSON *json, struct arena *arena, struct column *column) {
    const char *name = cJSON_GetStringValue(member(json, "name"));
    const char *type = cJSON_GetStringValue(member(json, "type"));
    const cJSON *coordinate = member(json, "coordinate"), *levels = member(json, "levels");
    const int found = type ? fields_index(column_type_names, type) : -1;
    if (!name || found < 0)
        return false;
    *column = (struct column){.type = (enum column_type)found, .coordinate = -1};
    snprintf(column->name, sizeof column->name, "%s", name);
    column->coordinate = cJSON_IsNumber(coordinate) ? coordinate->valueint : -1;
    column->missing = (int64_t)fmax(number_of(json, "missing"), 0);
    column->distinct = (int64_t)fmax(number_of(json, "distinct"), 0);
    column->format = text_of(json, "format", arena);
    column->follows = text_of(json, "follows", arena);
    column->independent = cJSON_IsTrue(member(json, "independent"));
    if (!column_map_read(member(json, "map"), arena, &column->map))
        return false;
    column->step = fmax(number_of(json, "step"), 0);
    column->missing_text = text_of(json, "missing_text", arena);
    if (!column->missing_text)
        column->missing_text = "";
    if (cJSON_IsArray(levels)) {
        const int count = cJSON_GetArraySize(levels);
        const char **texts = arena_alloc(arena, ((size_t)count + 1) * sizeof *texts);
        if (!texts)
            return false;
        read_texts(levels, texts, count, arena);
        column->levels = texts;
        column->level_count = count;
        column->min = 0;
        column->max = count - 1;
    }
    read_texts(member(json, "examples"), column->examples, COLUMN_EXAMPLES, arena);
    read_texts(member(json, "notes"), column->notes, COLUMN_MAX_NOTES, arena);
    if (!column->levels) {
        column->min = bound_of(column, json, "min");
        column->max = bound_of(column, json, "max");
    }
    column->mean = number_of(json, "mean");
    column->std = number_of(json, "std");
    return !arena->failed;
}

bool column_read_array(const cJSON *list, struct arena *arena, struct column **columns,
                       int *count) {
    const int size = cJSON_GetArraySize(list);
    bool read = list && cJSON_IsArray(list) && size > 0;
    *count = size;
    *columns = read ? arena_alloc(arena, (size_t)size * sizeof **columns) : NULL;
    int j = 0;
    for (const cJSON *item = read && *columns ? list->child : NULL; item && read; item = item->next)
        read = read_column(item, arena, &(*columns)[j++]);
    return read && *columns;
}

bool column_read_list(const char *text, struct arena *arena, struct column **columns, int *count) {
    cJSON *list = text ? cJSON_Parse(text) : NULL;
    const bool read = column_read_array(list, arena, columns, count);
    cJSON_Delete(list);
    return read;
}

const char **column_names(const struct column *columns, int count, struct arena *arena) {
    const char **names = arena_alloc(arena, ((size_t)count + 1) * sizeof *names);
    for (int j = 0; names && j < count; j++)
        if (columns[j].coordinate >= 0 && columns[j].coordinate < count)
            names[columns[j].coordinate] = columns[j].name;
    return names;
}
