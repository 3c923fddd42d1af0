#include "api/upload/reading.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/contract/names.h"
#include "api/format/number.h"

void reading_clear(struct reading *reading) {
    free(reading->points);
    free(reading->labels);
    reading->points = NULL;
    reading->labels = NULL;
}

bool reading_goes_on(const struct reading *reading) {
    return !reading->unreadable[0] && !reading->no_memory;
}

/* ------------------------------------------------------------------ room */

/* The array with room for `needed` elements, and often for more. If there is no memory for it, the
 * array as it was, and reading->no_memory is set. */
static void *grow(struct reading *reading, void *array, size_t size, size_t needed,
                  size_t *capacity) {
    const size_t room = 2 * *capacity > needed ? 2 * *capacity : needed;
    void *grown = needed > *capacity ? realloc(array, room * size) : array;
    reading->no_memory |= needed > *capacity && !grown;
    if (needed > *capacity && grown)
        *capacity = room;
    return grown ? grown : array;
}

bool reading_reserve(struct reading *reading, size_t points) {
    const size_t dim = (size_t)reading->dim;
    const size_t most =
        READING_MAX_VALUES / dim < DN_MAX_POINTS ? READING_MAX_VALUES / dim : DN_MAX_POINTS;
    if (points > most) {
        problem_add(reading->wrong, "/points",
                    "has more than %zu points; a data set has at most %d points, and at most %d "
                    "coordinates in all",
                    most, DN_MAX_POINTS, READING_MAX_VALUES);
        return false;
    }
    reading->points =
        grow(reading, reading->points, dim * sizeof *reading->points, points, &reading->capacity);
    return !reading->no_memory;
}

bool reading_reserve_labels(struct reading *reading, size_t labels) {
    if (labels > DN_MAX_POINTS) {
        problem_add(reading->wrong, "/labels", "has more than %d labels", DN_MAX_POINTS);
        return false;
    }
    reading->labels =
        grow(reading, reading->labels, sizeof *reading->labels, labels, &reading->label_capacity);
    return !reading->no_memory;
}

/* ------------------------------------------------------------------ values */

static const char *reason(struct reading *reading, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static const char *reason(struct reading *reading, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reading->reason, sizeof reading->reason, format, arguments);
    va_end(arguments);
    return reading->reason;
}

void reading_wrong_value(struct reading *reading, int column, const char *where, const char *what) {
    char pointer[64];
    int used = snprintf(pointer, sizeof pointer, "/points/%zu", reading->n);
    if (column >= 0)
        snprintf(pointer + used, sizeof pointer - (size_t)used, "/%d", column);
    problem_add(reading->wrong, pointer, "%s%s", where, what);
}

void reading_wrong_label(struct reading *reading, size_t point, const char *where,
                         const char *what) {
    char pointer[64];
    snprintf(pointer, sizeof pointer, "/labels/%zu", point);
    problem_add(reading->wrong, pointer, "%s%s", where, what);
}

const char *reading_put(struct reading *reading, int column, double value) {
    reading->points[reading->n * (size_t)reading->dim + (size_t)column] = (float)value;
    if (fabs(value) <= READING_LARGEST_VALUE)
        return NULL;
    if (isnan(value))
        return "NaN cannot be used for training; remove the point";
    return isfinite(value) ? reason(reading, "%g is too large; at most %g can be used", value,
                                    READING_LARGEST_VALUE)
                           : "the number is infinite, or too large";
}

static int find_class(const struct reading *reading, const char *name) {
    for (int i = 0; i < reading->class_count; i++)
        if (strcmp(reading->classes[i], name) == 0)
            return i;
    return -1;
}

/* Adds a class with this name, for the first label of it. NULL, or what is wrong. */
static const char *add_class(struct reading *reading, const char *name, const char *label,
                             size_t length) {
    const char *wrong = name_wrong(name, strlen(name));
    if (wrong)
        return reason(reading, "a label %s", wrong);
    if (reading->class_count == DN_MAX_CLASSES)
        return reason(reading, "\"%s\" is one class too many; a data set has at most %d", name,
                      DN_MAX_CLASSES);
    const int added = reading->class_count++;
    strcpy(reading->classes[added], name);
    if (label_is_code(label, length) && length <= LABEL_NAME_BYTES)
        memcpy(reading->codes[added], label, length);
    return NULL;
}

const char *reading_put_label(struct reading *reading, size_t point, const char *label,
                              size_t length) {
    char name[LABEL_NAME_BYTES + 1];
    reading->labels[point] = -1;
    if (length == 0)
        return "the label is empty";
    if (!label_name(label, length, name))
        return reason(reading, "the label is longer than %d bytes", LABEL_NAME_BYTES);
    int found = strcmp(reading->classes[reading->last_class], name) == 0
                    ? reading->last_class
                    : find_class(reading, name);
    const char *wrong = found < 0 ? add_class(reading, name, label, length) : NULL;
    if (wrong)
        return wrong;
    found = found < 0 ? reading->class_count - 1 : found;
    char *code = reading->codes[found];
    if (code[0] && (strlen(code) != length || memcmp(code, label, length) != 0))
        code[0] = '\0'; /* the same number is also written in another way */
    reading->labels[point] = reading->last_class = found;
    return NULL;
}

void reading_name_columns(struct reading *reading) {
    for (int j = 0; j < reading->dim; j++)
        if (reading->dim <= 3)
            snprintf(reading->columns[j], LABEL_NAME_BYTES + 1, "%c", "xyz"[j]);
        else
            snprintf(reading->columns[j], LABEL_NAME_BYTES + 1, "x%d", j);
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

int reading_label_column(struct reading *reading, const char (*names)[LABEL_NAME_BYTES + 1],
                         int count) {
    int column = READING_NO_LABEL;
    if (!reading->label[0])
        return READING_NO_LABEL;
    for (int j = 0; names && j < count; j++)
        if (strcmp(names[j], reading->label) == 0)
            return j;
    if (!reading_label_number(reading, count, &column))
        problem_add(reading->wrong, "/label",
                    names ? "there is no column \"%.64s\"; a number counts columns from 0"
                          : "\"%.64s\" is not a column: the columns have no names, so give the "
                            "column's number, counted from 0, or from the end: -1",
                    reading->label);
    else if (column == READING_NO_LABEL)
        problem_add(reading->wrong, "/label",
                    "there is no column %.64s: there are %d columns, counted from 0",
                    reading->label, count);
    return column;
}

/* ------------------------------------------------------------------ the end */

static int by_value(const void *a, const void *b) {
    const char *left = *(const char *const *)a, *right = *(const char *const *)b;
    const long double x = strtold(left, NULL), y = strtold(right, NULL);
    return x < y ? -1 : x > y ? 1 : strcmp(left, right);
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The numbers of the classes must not depend on the order of the points. */
static void sort_classes(struct reading *reading) {
    const char *order[DN_MAX_CLASSES];
    char sorted[DN_MAX_CLASSES][LABEL_NAME_BYTES + 1];
    int32_t place[DN_MAX_CLASSES];
    bool numbers = true;
    double value;
    for (int i = 0; i < reading->class_count; i++) {
        if (reading->codes[i][0])
            memcpy(reading->classes[i], reading->codes[i], sizeof reading->codes[i]);
        order[i] = reading->classes[i];
        numbers &= number_read(order[i], strlen(order[i]), &value);
    }
    qsort(order, (size_t)reading->class_count, sizeof *order, numbers ? by_value : by_bytes);
    for (int i = 0; i < reading->class_count; i++) {
        place[(order[i] - reading->classes[0]) / (LABEL_NAME_BYTES + 1)] = i;
        memcpy(sorted[i], order[i], sizeof sorted[i]);
    }
    memcpy(reading->classes, sorted, (size_t)reading->class_count * sizeof sorted[0]);
    for (size_t i = 0; i < reading->n; i++)
        if (reading->labels[i] >= 0)
            reading->labels[i] = place[reading->labels[i]];
}

void reading_finish(struct reading *reading) {
    if (!reading_goes_on(reading) || reading->wrong->count > 0)
        return;
    if (reading->n == 0)
        problem_add(reading->wrong, "/points", "there are no points");
    if (reading->labels)
        sort_classes(reading);
}
