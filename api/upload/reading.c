#include "api/upload/reading.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/contract/names.h"

void reading_clear(struct reading *reading) {
    cells_clear(&reading->cells);
    free(reading->runs);
    reading->runs = NULL;
    reading->run_count = reading->run_capacity = 0;
}

bool reading_goes_on(const struct reading *reading) {
    return !reading->unreadable[0] && !reading->no_memory;
}

void reading_unreadable(struct reading *reading, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (!reading->unreadable[0])
        vsnprintf(reading->unreadable, sizeof reading->unreadable, format, arguments);
    va_end(arguments);
}

/* ------------------------------------------------------------------ rows */

static bool fits(struct reading *reading, int columns) {
    const struct cells *cells = &reading->cells;
    if (cells->n < DN_MAX_POINTS && (cells->n + 1) * (size_t)columns <= (size_t)READING_MAX_VALUES)
        return true;
    problem_add(reading->wrong, "/points",
                "has more than %zu points; a data set has at most %d points, and at most %d "
                "coordinates in all",
                cells->n, DN_MAX_POINTS, READING_MAX_VALUES);
    return false;
}

int reading_add_column(struct reading *reading, const char *name, size_t length) {
    struct cells *cells = &reading->cells;
    if (cells->count == CELLS_MAX_COLUMNS) {
        problem_add(reading->wrong, "/columns", "a table has at most %d columns",
                    CELLS_MAX_COLUMNS);
        return -1;
    }
    if (!fits(reading, cells->count + 1))
        return -1;
    const int column = cells_add_column(cells, name, length);
    reading->no_memory |= column < 0;
    return column;
}

bool reading_has_room(struct reading *reading) {
    return fits(reading, reading->cells.count);
}

/* Begins another run of rows. False: no memory. */
static bool add_run(struct reading *reading, size_t row, size_t line) {
    if (reading->run_count == reading->run_capacity) {
        const size_t capacity = reading->run_capacity ? 2 * reading->run_capacity : 16;
        struct reading_run *runs = realloc(reading->runs, capacity * sizeof *runs);
        if (!runs) {
            reading->no_memory = true;
            return false;
        }
        reading->runs = runs;
        reading->run_capacity = capacity;
    }
    reading->runs[reading->run_count++] = (struct reading_run){(uint32_t)row, (uint32_t)line};
    reading->next_line = line;
    return true;
}

bool reading_end_row(struct reading *reading, size_t line) {
    const size_t row = reading->cells.n;
    if ((row == 0 || line != reading->next_line) && !add_run(reading, row, line))
        return false;
    reading->next_line++;
    reading->no_memory |= !cells_end_row(&reading->cells);
    return !reading->no_memory;
}

size_t reading_line(const struct reading *reading, size_t row) {
    size_t from = 0, to = reading->run_count; /* the run is in [from, to) */
    while (to - from > 1) {
        const size_t middle = from + (to - from) / 2;
        if (reading->runs[middle].row <= row)
            from = middle;
        else
            to = middle;
    }
    return reading->runs ? reading->runs[from].line + row - reading->runs[from].row : row;
}

/* ------------------------------------------------------------------ faults */

void reading_fault(struct reading *reading, enum reading_fault fault, const char *pointer,
                   const char *format, ...) {
    va_list arguments;
    if (reading->faults[fault].count++ > 0)
        return;
    snprintf(reading->faults[fault].pointer, sizeof reading->faults[fault].pointer, "%s", pointer);
    va_start(arguments, format);
    vsnprintf(reading->faults[fault].text, sizeof reading->faults[fault].text, format, arguments);
    va_end(arguments);
}

static void add_faults(struct reading *reading) {
    for (int i = 0; i < READING_FAULTS; i++) {
        const size_t count = reading->faults[i].count;
        if (count == 1)
            problem_add(reading->wrong, reading->faults[i].pointer, "%s", reading->faults[i].text);
        else if (count > 1)
            problem_add(reading->wrong, reading->faults[i].pointer,
                        "%s; that is the first of %zu such places", reading->faults[i].text, count);
    }
}

/* ------------------------------------------------------------------ the column of the labels */

bool reading_label_number(const struct reading *reading, int count, int *column) {
    char *end;
    const char *label = reading->label;
    if (strspn(label, "-0123456789") != strlen(label))
        return false;
    long number = strtol(label, &end, 10);
    if (end == label || *end)
        return false;
    number += number < 0 ? count : 0;
    *column = number < 0 || number >= count ? READING_NO_LABEL : (int)number;
    return true;
}

static void find_label(struct reading *reading) {
    const struct cells *cells = &reading->cells;
    int *column = &reading->label_column;
    if (reading->last_is_label) {
        *column = cells->count - 1;
        return;
    }
    if (!reading->label[0])
        return;
    *column = cells->has_names ? cells_find_column(cells, reading->label) : READING_NO_LABEL;
    if (*column != READING_NO_LABEL)
        return;
    if (!reading_label_number(reading, cells->count, column))
        problem_add(reading->wrong, "/label",
                    cells->has_names
                        ? "there is no column \"%.64s\"; a number counts columns from 0"
                        : "\"%.64s\" is not a column: the columns have no names, so give the "
                          "column's number, counted from 0, or from the end: -1",
                    reading->label);
    else if (*column == READING_NO_LABEL)
        problem_add(reading->wrong, "/label",
                    "there is no column %.64s: there are %d columns, counted from 0",
                    reading->label, cells->count);
}

/* A column called label, or else class, has the labels unless the client names another. */
static void guess_label(struct reading *reading) {
    static const char *const words[] = {"label", "class"};
    const struct cells *cells = &reading->cells;
    for (int i = 0; i < 2 && cells->has_names; i++)
        for (int j = 0; j < cells->count; j++)
            if (strcasecmp(cells->columns[j].name, words[i]) == 0) {
                reading->label_column = j;
                return;
            }
}

/* ------------------------------------------------------------------ names */

/* Default names: x, y, z, or x0, x1, .., and label. */
static void name_columns(struct reading *reading) {
    struct cells *cells = &reading->cells;
    const int dim = cells->count - (reading->label_column != READING_NO_LABEL);
    for (int j = 0, k = 0; j < cells->count; j++) {
        struct cells_column *column = &cells->columns[j];
        column->is_unnamed = true;
        if (j == reading->label_column)
            strcpy(column->name, "label");
        else if (dim <= 3)
            snprintf(column->name, sizeof column->name, "%c", "xyz"[k++]);
        else
            snprintf(column->name, sizeof column->name, "x%d", k++);
    }
}

/* Columns without names of a table that has names: "row" if it is the first one, which then mostly
 * counts the rows, or "column_3"; "row_2" if another column has that name. */
static void name_unnamed(struct cells *cells) {
    for (int j = 0; j < cells->count; j++) {
        struct cells_column *column = &cells->columns[j];
        /* what pandas calls a column that had no name in its file */
        column->is_unnamed = !column->name[0] || strncmp(column->name, "Unnamed: ", 9) == 0;
        if (column->name[0])
            continue;
        char base[16], name[32];
        snprintf(base, sizeof base, j == 0 ? "row" : "column_%d", j + 1);
        snprintf(name, sizeof name, "%s", base);
        for (int k = 2; cells_find_column(cells, name) >= 0; k++)
            snprintf(name, sizeof name, "%s_%d", base, k);
        strcpy(column->name, name);
    }
}

/* Each column needs its own name, one that can be shown. */
static void check_names(struct reading *reading) {
    const struct cells *cells = &reading->cells;
    for (int j = 0; j < cells->count; j++) {
        const char *name = cells->columns[j].name, *wrong = name_wrong(name, strlen(name));
        const int same = cells_find_column(cells, name);
        if (wrong)
            problem_add(reading->wrong, "/columns", "the name of column %d %s", j + 1, wrong);
        else if (same < j)
            problem_add(reading->wrong, "/columns",
                        "columns %d and %d are both called \"%s\": rename one of them", same + 1,
                        j + 1, name);
    }
}

void reading_finish(struct reading *reading) {
    struct cells *cells = &reading->cells;
    reading->no_memory |= cells->no_memory;
    reading->label_column = READING_NO_LABEL;
    if (!reading_goes_on(reading))
        return;
    if (!cells_finish(cells)) {
        reading->no_memory = true;
        return;
    }
    add_faults(reading);
    if (reading->wrong->count > 0)
        return;
    if (cells->n == 0 || cells->count == 0) {
        problem_add(reading->wrong, "/points",
                    cells->n > 0                         ? "the points have no coordinates"
                    : strcmp(reading->unit, "line") == 0 ? "there are no rows"
                                                         : "there are no points");
        return;
    }
    find_label(reading);
    if (!reading->label[0] && !reading->last_is_label)
        guess_label(reading);
    if (reading->wrong->count > 0)
        return;
    if (cells->has_names) {
        name_unnamed(cells);
        check_names(reading);
    } else {
        name_columns(reading);
    }
}
