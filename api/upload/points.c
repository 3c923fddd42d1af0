#include "api/upload/points.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/contract/names.h"
#include "api/format/number.h"
#include "api/table/association.h"
#include "api/upload/column_fault.h"
#include "server/threads/pool.h"

void points_clear(struct points *points) {
    free(points->points);
    free(points->labels);
    *points = (struct points){0};
}

/* ------------------------------------------------------------------ classes */

/* The classes of the distinct labels, while they are found. */
struct classes {
    int32_t *class_of;             /* [distinct] */
    int count;                     /* may be more than the kept ones */
    uint32_t code[DN_MAX_CLASSES]; /* the only text of the class, if that is a code; see label.h */
    bool has_code[DN_MAX_CLASSES];
    const char *missing; /* what the class of missing labels is called */
};

/* Finds or adds the class with this name, of which `code` is a text. */
static int32_t class_with(struct points *points, struct classes *classes, const char *name,
                          const struct cells_column *column, uint32_t code) {
    for (int i = 0; i < classes->count && i < DN_MAX_CLASSES; i++)
        if (strcmp(points->classes[i], name) == 0) {
            classes->has_code[i] = false; /* the same number is also written in another way */
            return i;
        }
    if (classes->count < DN_MAX_CLASSES) {
        strcpy(points->classes[classes->count], name);
        classes->code[classes->count] = code;
        classes->has_code[classes->count] =
            label_is_code(cells_text(column, code), cells_length(column, code));
    }
    return classes->count++;
}

/* NULL, or what is wrong with a label. All labels that are missing are one class. */
static const char *find_class(struct points *points, struct classes *classes,
                              const struct cells_column *column, uint32_t code) {
    char name[LABEL_NAME_BYTES + 1];
    const bool is_missing = column_is_missing(cells_text(column, code), cells_length(column, code));
    const char *text = is_missing ? classes->missing : cells_text(column, code);
    classes->class_of[code] = 0;
    if (!label_name(text, strlen(text), name))
        return "is longer than 64 bytes";
    if (!is_missing && strcmp(name, classes->missing) == 0)
        return "has the name of the class of missing labels; write that one, or those, otherwise";
    const char *wrong = name_wrong(name, strlen(name));
    if (!wrong)
        classes->class_of[code] = class_with(points, classes, name, column, code);
    return wrong;
}

/* Adds the one error of the column of labels: there are `bad` wrong ones, of which this is the first. */
static void add_label_fault(struct reading *reading, uint32_t first, size_t bad,
                            const char *wrong) {
    const int column = reading->label_column;
    char shown[COLUMN_SHOWN];
    const struct cells_column *of = &reading->cells.columns[column];
    column_add_problem(
        reading, column,
        "%zu of %zu labels cannot be used (the first, %s, is in %s %zu): a label %s", bad,
        reading->cells.n, column_show(cells_text(of, first), cells_length(of, first), shown),
        reading->unit, reading_line(reading, cells_first_row(&reading->cells, column, first)),
        wrong);
}

static int by_value(const void *a, const void *b) {
    const char *left = *(const char *const *)a, *right = *(const char *const *)b;
    const long double x = strtold(left, NULL), y = strtold(right, NULL);
    return x < y ? -1 : x > y ? 1 : strcmp(left, right);
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Which class has which number must not depend on the order of the points; that of missing labels is
 * the last. place: the new one of each. */
static void sort_classes(struct points *points, const char *missing,
                         int32_t place[DN_MAX_CLASSES]) {
    const char *order[DN_MAX_CLASSES], *last = NULL;
    char sorted[DN_MAX_CLASSES][LABEL_NAME_BYTES + 1];
    bool numbers = true;
    double value;
    int count = 0;
    for (int i = 0; i < points->class_count; i++) {
        const char *name = points->classes[i];
        if (strcmp(name, missing) == 0) {
            last = name;
            continue;
        }
        order[count++] = name;
        numbers &= number_read(name, strlen(name), &value);
    }
    qsort(order, (size_t)count, sizeof *order, numbers ? by_value : by_bytes);
    if (last)
        order[count] = last;
    for (int i = 0; i < points->class_count; i++) {
        place[(order[i] - points->classes[0]) / (LABEL_NAME_BYTES + 1)] = i;
        memcpy(sorted[i], order[i], sizeof sorted[i]);
    }
    memcpy(points->classes, sorted, (size_t)points->class_count * sizeof sorted[0]);
}

static void name_codes(struct points *points, const struct classes *classes,
                       const struct cells_column *column) {
    for (int i = 0; i < points->class_count; i++)
        if (classes->has_code[i])
            snprintf(points->classes[i], sizeof points->classes[i], "%s",
                     cells_text(column, classes->code[i]));
}

/* Finds the classes of all texts, of which there are counts [distinct]; adds the one error. */
static void find_classes(struct reading *reading, struct points *points, struct classes *classes,
                         const uint32_t *counts) {
    const int label = reading->label_column;
    const struct cells_column *column = &reading->cells.columns[label];
    const char *wrong = NULL;
    uint32_t first = 0;
    size_t bad = 0;
    for (uint32_t code = 0; code < column->distinct; code++) {
        const char *what = find_class(points, classes, column, code);
        if (what && !wrong) {
            wrong = what;
            first = code;
        }
        bad += what ? counts[code] : 0;
    }
    if (wrong)
        add_label_fault(reading, first, bad, wrong);
    else if (classes->count > DN_MAX_CLASSES)
        column_add_problem(reading, label,
                           "it has more than %d different labels, and each is a class: choose "
                           "another column with the labels, or none, {\"label\": null}",
                           DN_MAX_CLASSES);
    else if ((size_t)points->columns[label].missing == reading->cells.n)
        column_add_problem(reading, label, "all its labels are missing");
}

/* False: no memory. */
static bool make_labels(struct reading *reading, struct points *points) {
    const struct cells_column *column = &reading->cells.columns[reading->label_column];
    struct classes classes = {
        .class_of = malloc(column->distinct * sizeof(int32_t)),
        .missing = label_missing_name(points->columns[reading->label_column].missing_text)};
    uint32_t *counts = malloc(column->distinct * sizeof *counts);
    points->labels = malloc(points->n * sizeof *points->labels);
    const bool made = classes.class_of && counts && points->labels;
    if (made) {
        cells_count(&reading->cells, reading->label_column, counts);
        find_classes(reading, points, &classes, counts);
    }
    if (made && reading->wrong->count == 0) {
        int32_t place[DN_MAX_CLASSES];
        points->class_count = classes.count;
        name_codes(points, &classes, column);
        sort_classes(points, classes.missing, place);
        for (size_t i = 0; i < points->n; i++)
            points->labels[i] = place[classes.class_of[column->codes[i]]];
    }
    free(counts);
    free(classes.class_of);
    return made;
}

/* ------------------------------------------------------------------ columns */

/* What the cells of a column are as numbers: rows of each kind, and texts of each. */
struct census {
    size_t rows[COLUMN_TEXTS];
    uint32_t texts[COLUMN_TEXTS];
};

/* False: no memory. */
static bool take_census(const struct cells *cells, int j, struct notation notation,
                        struct census *census) {
    const struct cells_column *column = &cells->columns[j];
    uint32_t *counts = malloc(column->distinct * sizeof *counts);
    *census = (struct census){.rows = {0}};
    if (!counts)
        return false;
    cells_count(cells, j, counts);
    for (uint32_t code = 0; code < column->distinct; code++) {
        double value;
        const enum column_text kind =
            column_text(notation, cells_text(column, code), cells_length(column, code), &value);
        census->rows[kind] += counts[code];
        census->texts[kind]++;
    }
    free(counts);
    return true;
}

/* Is it a column of numbers of which some cannot be used? Some text among numbers is a level like
 * the others if each is repeated, as in 1, 2, 3, 4+. */
static bool has_bad_numbers(const struct census *census, size_t n) {
    enum { FEW = 32 };
    size_t numbers = census->rows[COLUMN_NUMBER], texts = 0, odd = 0;
    for (int kind = COLUMN_AMBIGUOUS; kind <= COLUMN_MINUS; kind++)
        numbers += census->rows[kind];
    for (int kind = COLUMN_NUMBER; kind < COLUMN_TEXTS; kind++)
        texts += kind == COLUMN_MISSING ? 0 : census->texts[kind];
    odd = census->rows[COLUMN_UNIT];
    const bool is_mixed = numbers + odd < n - census->rows[COLUMN_MISSING] ||
                          numbers + odd > census->rows[COLUMN_NUMBER];
    const bool all_unusable = numbers > census->rows[COLUMN_NUMBER];
    if (!is_mixed || 2 * (numbers + odd) < n - census->rows[COLUMN_MISSING] || numbers + odd == 0)
        return false;
    return all_unusable || texts > FEW || texts > n / 2;
}

/* Are they whole numbers that all differ, some with more digits than a number can have? Such numbers
 * are ids. */
static bool are_long_ids(const struct cells *cells, int j, const struct census *census) {
    const struct cells_column *column = &cells->columns[j];
    if (census->rows[COLUMN_LARGE] == 0 || column->distinct < cells->n ||
        census->rows[COLUMN_LARGE] + census->rows[COLUMN_NUMBER] < cells->n)
        return false;
    for (uint32_t code = 0; code < column->distinct; code++)
        if (strspn(cells_text(column, code), "0123456789") < cells_length(column, code))
            return false;
    return true;
}

/* Finds what a column is; adds its one error. */
static void find_column(struct reading *reading, int j, struct notation notation, bool is_doubtful,
                        struct column *column) {
    struct column_request request = {&reading->cells, j, notation,
                                     reading->schema ? reading->schema->types[j] : SCHEMA_DETECT,
                                     is_doubtful};
    struct census census;
    if (!take_census(&reading->cells, j, notation, &census)) {
        reading->no_memory = true;
        return;
    }
    const bool is_number = request.type == TYPE_NUMERIC || request.type == TYPE_INTEGER;
    if ((is_number &&
         census.rows[COLUMN_NUMBER] + census.rows[COLUMN_MISSING] < reading->cells.n) ||
        (request.type == SCHEMA_DETECT && j != reading->label_column &&
         has_bad_numbers(&census, reading->cells.n) &&
         !are_long_ids(&reading->cells, j, &census))) {
        column_add_fault(reading, j, notation, census.rows);
        return;
    }
    const char *wrong = column_find(&request, reading->wrong->arena, column);
    if (!wrong && request.type == SCHEMA_DETECT && j == reading->label_column &&
        column->type == TYPE_ID) {
        struct column classes; /* need not be repeated; whether they are too many is seen later */
        request.type = TYPE_CATEGORICAL;
        if (!column_find(&request, reading->wrong->arena, &classes))
            *column = classes;
    }
    reading->no_memory |= reading->wrong->arena->failed;
    if (wrong && !reading->no_memory)
        column_add_problem(reading, j, "%s", wrong);
}

/* Does the first row of data have text in columns that have only numbers otherwise? It then has the
 * units of the columns. */
static bool is_unit_row(const struct reading *reading, const struct notation *notations) {
    const struct cells *cells = &reading->cells;
    int units = 0;
    for (int j = 0; j < cells->count && cells->n > 2; j++) {
        const struct cells_column *column = &cells->columns[j];
        size_t numbers = 0;
        double value;
        if (j == reading->label_column || cells_length(column, 0) == 0)
            continue;
        if (column_text(notations[j], cells_text(column, 0), cells_length(column, 0), &value) <=
            COLUMN_MISSING)
            return false;
        for (uint32_t code = 1; code < column->distinct; code++) {
            const enum column_text kind = column_text(notations[j], cells_text(column, code),
                                                      cells_length(column, code), &value);
            if (kind > COLUMN_MISSING)
                return false;
            numbers += kind == COLUMN_NUMBER;
        }
        for (size_t i = 1; i < cells->n; i++)
            if (column->codes[i] == 0)
                return false;
        units += numbers > 0;
    }
    return units > 0;
}

/* What the columns are. */
static void find_columns(struct reading *reading, struct points *points) {
    const struct cells *cells = &reading->cells;
    struct notation notations[CELLS_MAX_COLUMNS];
    notation_find(cells, reading->decimal, notations);
    if (!reading->schema && is_unit_row(reading, notations)) {
        const struct cells_column *first = &cells->columns[0];
        char shown[COLUMN_SHOWN];
        problem_add(reading->wrong, "/points/0",
                    "%s %zu has text (%s ..) in columns that have only numbers below: if these are "
                    "the units of the columns, remove the row",
                    reading->unit, reading_line(reading, 0),
                    column_show(cells_text(first, 0), cells_length(first, 0), shown));
        return;
    }
    const bool is_doubtful = reading->decimal == DECIMAL_AUTO && !notation_is_certain(cells);
    for (int j = 0; j < cells->count && !reading->no_memory; j++) {
        find_column(reading, j, notations[j], is_doubtful, &points->columns[j]);
        points->columns[j].independent =
            reading->schema && reading->schema->follows[j] == SCHEMA_INDEPENDENT;
        pool_pause();
    }
    points->column_count = cells->count;
}

/* A column that the client says follows from another one has to. */
static void check_sources(struct reading *reading, const struct points *points) {
    for (int j = 0; j < points->column_count && reading->schema; j++) {
        const int wanted = reading->schema->follows[j];
        const struct column *column = &points->columns[j];
        const char *found = column->follows;
        if (wanted < 0 || (found && strcmp(found, points->columns[wanted].name) == 0))
            continue;
        if (found)
            column_add_problem(reading, j, "it follows from \"%s\", not from \"%s\"", found,
                               points->columns[wanted].name);
        else
            column_add_problem(reading, j, "it does not follow from \"%s\"",
                               points->columns[wanted].name);
    }
}

/* The share of the rows that have the most common text of a column. counts: room for the rows of each
 * of its texts. */
static double largest_share(const struct cells *cells, int j, uint32_t *counts) {
    uint32_t most = 0;
    cells_count(cells, j, counts);
    for (uint32_t code = 0; code < cells->columns[j].distinct; code++)
        most = counts[code] > most ? counts[code] : most;
    return (double)most / (double)cells->n;
}

/* Does another column follow from it? */
static bool is_source(const struct points *points, int j) {
    for (int i = 0; i < points->column_count; i++)
        if (points->columns[i].follows &&
            strcmp(points->columns[i].follows, points->columns[j].name) == 0)
            return true;
    return false;
}

/* Which share each coordinate has; -1 for other columns, and 0 for one without which another one would
 * have to be learned. False: no memory. */
static bool find_shares(const struct cells *cells, const struct points *points, double *shares) {
    uint32_t most = 1;
    for (int j = 0; j < cells->count; j++)
        most = cells->columns[j].distinct > most ? cells->columns[j].distinct : most;
    uint32_t *counts = malloc(most * sizeof *counts);
    for (int j = 0; counts && j < cells->count; j++)
        shares[j] = points->columns[j].coordinate < 0 ? -1
                    : is_source(points, j)            ? 0
                                                      : largest_share(cells, j, counts);
    free(counts);
    return counts != NULL;
}

/* There are too many coordinates: names as many columns as have to go, those that say least. */
static void refuse_surplus(struct reading *reading, const struct points *points) {
    double shares[CELLS_MAX_COLUMNS];
    bool is_surplus[CELLS_MAX_COLUMNS] = {false};
    if (!find_shares(&reading->cells, points, shares)) {
        reading->no_memory = true;
        return;
    }
    for (int left = points->dim - DN_MAX_DIM; left > 0; left--) {
        int found = 0;
        for (int j = 1; j < points->column_count; j++)
            found = !is_surplus[j] && (is_surplus[found] || shares[j] >= shares[found]) ? j : found;
        is_surplus[found] = true;
    }
    for (int j = 0; j < points->column_count; j++)
        if (is_surplus[j])
            column_add_problem(
                reading, j,
                "only %d columns can be learned, not %d, and in %.3g%% of the rows this "
                "one is the same: choose the type \"id\", with which it is not "
                "trained on, for this or another column, or remove one",
                DN_MAX_DIM, points->dim, 100 * shares[j]);
}

/* Gives coordinates their places. */
static void place_columns(struct reading *reading, struct points *points) {
    for (int j = 0; j < points->column_count; j++) {
        struct column *column = &points->columns[j];
        if (j != reading->label_column && column_is_trained(column) && !column->follows)
            column->coordinate = points->dim++;
    }
    if (reading->wrong->count == 0 && points->dim < 1)
        problem_add(
            reading->wrong, "/columns",
            "there is no column to train on: labels, ids and constants are not coordinates");
    else if (reading->wrong->count == 0 && points->dim > DN_MAX_DIM)
        refuse_surplus(reading, points);
}

/* CSV of the points has a last column called label. */
static void check_label_name(struct reading *reading) {
    const struct cells *cells = &reading->cells;
    for (int j = 0; j < cells->count && reading->label_column != READING_NO_LABEL; j++)
        if (j != reading->label_column && strcasecmp(cells->columns[j].name, "label") == 0)
            column_add_problem(reading, j,
                               "it has this name, but column %d has the labels; give it another "
                               "name",
                               reading->label_column + 1);
}

/* ------------------------------------------------------------------ coordinates */

/* values: room for the distinct texts of any column. */
static void put_coordinates(const struct cells *cells, struct points *points, double *values) {
    const size_t dim = (size_t)points->dim;
    for (int j = 0; j < cells->count; j++) {
        const struct cells_column *from = &cells->columns[j];
        const struct column *column = &points->columns[j];
        if (column->coordinate < 0)
            continue;
        column_numbers(column, from, values);
        for (size_t i = 0; i < points->n; i++)
            points->points[i * dim + (size_t)column->coordinate] = (float)values[from->codes[i]];
        pool_pause();
    }
}

/* Allocates and fills in the points. */
static void fill(struct reading *reading, struct points *points) {
    const struct cells *cells = &reading->cells;
    uint32_t most = 1;
    for (int j = 0; j < cells->count; j++)
        most = cells->columns[j].distinct > most ? cells->columns[j].distinct : most;
    double *values = calloc(most, sizeof *values);
    points->points = malloc(points->n * (size_t)points->dim * sizeof *points->points);
    reading->no_memory |= !values || !points->points;
    if (!reading->no_memory)
        put_coordinates(cells, points, values);
    free(values);
}

/* What the columns say about each other, for which the labels have to be known. */
static void associate(struct reading *reading, struct points *points) {
    const int label = reading->label_column;
    if (label != READING_NO_LABEL)
        reading->no_memory |= !make_labels(reading, points);
    const struct association_labels labels = {label == READING_NO_LABEL ? -1 : label,
                                              points->labels, points->class_count};
    if (reading->wrong->count == 0 && !reading->no_memory)
        reading->no_memory |=
            !association_find(&reading->cells, labels, points->columns, reading->wrong->arena);
}

bool points_make(struct reading *reading, struct points *points) {
    const struct cells *cells = &reading->cells;
    *points = (struct points){.n = cells->n};
    points->columns =
        arena_alloc(reading->wrong->arena, (size_t)cells->count * sizeof *points->columns);
    reading->no_memory |= !points->columns;
    if (reading->no_memory)
        return false;
    check_label_name(reading);
    find_columns(reading, points);
    if (reading->wrong->count == 0 && !reading->no_memory)
        associate(reading, points);
    if (reading->wrong->count == 0 && !reading->no_memory)
        check_sources(reading, points);
    if (reading->wrong->count == 0 && !reading->no_memory)
        place_columns(reading, points);
    if (reading->wrong->count == 0 && !reading->no_memory)
        fill(reading, points);
    if (cells->n < 2 && reading->wrong->count == 0)
        problem_add(reading->wrong, "/points",
                    "there is only one row: a model of it could only repeat it");
    return !reading->no_memory && reading->wrong->count == 0;
}
