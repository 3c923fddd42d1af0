#include "api/measure/table.h"

#include <math.h>
#include <stdlib.h>

#include "api/contract/openapi.h"

enum {
    MOST_ROWS = 20000,
    RANGE = 250,
    MOST_PAIRS = 64 * 63 / 2, /* all of 64 columns */
    TABLE_MOST_COLUMNS = CELLS_MAX_COLUMNS + 1,
};

/* ------------------------------------------------------------------ the plan */

static size_t pair_count(int columns) {
    return (size_t)columns * (size_t)(columns - 1) / 2;
}

static void count_points(const struct dn_spec *spec, size_t *n, size_t *n_val) {
    *n = *n_val = 0;
    for (int k = 0; k < spec->dataset.source_count; k++) {
        size_t training, validation;
        dn_source_split(spec, k, &training, &validation);
        *n += training;
        *n_val += validation;
    }
}

/* The columns of a model without a form, named as in samples.csv. */
static void plan_points(struct table_measure *table, int classes, struct arena *arena) {
    static const char *const axes[] = {"x", "y", "z"};
    for (int j = 0; j < table->dim; j++)
        table->columns[table->count++] = (struct table_column){
            table->dim <= 3 ? axes[j] : arena_format(arena, "x%d", j), TYPE_NUMERIC, 0, j};
    if (classes > 0)
        table->columns[table->count++] =
            (struct table_column){"label", TYPE_CATEGORICAL, classes, -1};
}

/* classes: 0 if samples have no labels, which then decide nothing. */
static void plan_rows(struct table_measure *table, int classes) {
    const struct table_form *form = table->form;
    for (int j = 0; j < form->count; j++) {
        const struct column *column = &form->columns[j];
        const int source = form->sources[j];
        if (j == form->label && classes > 0)
            table->columns[table->count++] =
                (struct table_column){column->name, column->type, classes, -1};
        else if (source >= 0 ? source != form->label || classes > 0 : column->coordinate >= 0)
            table->columns[table->count++] =
                (struct table_column){column->name, column->type, column->level_count, j};
    }
}

static size_t most_columns(const struct table_measure *table) {
    return (size_t)(table->form ? table->form->count : table->dim) + 1;
}

bool table_plan(struct table_measure *table, const struct dn_model *model,
                const struct table_form *form, const struct dn_sample_request *request,
                double affordable, struct arena *arena) {
    enum { LEAST_TRAINING = 4, LEAST_SYNTHETIC = 2 }; /* of dn_table_report */
    const struct dn_spec *spec = dn_model_spec(model);
    const int classes = request->guidance > 0 ? spec->dataset.classes : 0;
    size_t n, n_val;
    count_points(spec, &n, &n_val);
    const double most = fmin(fmin((double)n, MOST_ROWS), affordable);
    const bool is_measured = spec->training.normalization == DN_QUANTILE && n >= LEAST_TRAINING &&
                             most >= LEAST_SYNTHETIC;
    table->request = *request;
    table->request.n = is_measured ? (int)most : 0;
    table->form = form;
    table->dim = dn_model_dim(model);
    table->count = 0;
    table->columns = arena_alloc(arena, most_columns(table) * sizeof *table->columns);
    if (!table->columns)
        return false;
    if (form)
        plan_rows(table, classes);
    else
        plan_points(table, classes, arena);
    return !arena->failed;
}

static void find_levels(const struct table_measure *table, int levels[TABLE_MOST_COLUMNS]) {
    for (int k = 0; k < table->count; k++)
        levels[k] = table->columns[k].levels;
}

size_t table_bytes(const struct table_measure *table, const struct dn_model *model) {
    int levels[TABLE_MOST_COLUMNS];
    size_t n, n_val;
    count_points(dn_model_spec(model), &n, &n_val);
    if (table->request.n == 0)
        return 0;
    find_levels(table, levels);
    const size_t synthetic = (size_t)table->request.n, columns = (size_t)table->count;
    const struct dn_table_rows rows = {
        table->count, levels, {NULL, n}, {NULL, n_val}, {NULL, synthetic}};
    return (n + n_val + 2 * synthetic) * columns * sizeof(double) + dn_table_report_bytes(&rows);
}

/* ------------------------------------------------------------------ synthetic rows */

/* Adds ranges for the rows first..last-1. */
static void add_ranges(struct table_measure *table, int first, int last, int label) {
    for (int n; first < last; first += n) {
        n = last - first < RANGE ? last - first : RANGE;
        table->ranges[table->range_count++] = (struct table_range){first, n, label};
    }
}

bool table_begin(struct table_measure *table, const struct dn_data *data, struct arena *arena) {
    const bool has_labels = table->request.guidance > 0 && data->n > 0;
    const int n = table->request.n, labels = has_labels ? data->classes : 0;
    table->values = calloc((size_t)n * (size_t)table->dim + 1, sizeof *table->values);
    table->ranges = arena_alloc(arena, (size_t)(n / RANGE + 1 + labels) * sizeof *table->ranges);
    int64_t counts[DN_MAX_CLASSES] = {0}, below = 0;
    const size_t columns = (size_t)table->count, pairs = pair_count(table->count);
    table->report.columns = arena_alloc(arena, columns * sizeof *table->report.columns);
    table->report.pairs = arena_alloc(arena, (pairs + 1) * sizeof *table->report.pairs);
    if (!table->values || !table->ranges || !table->report.columns || !table->report.pairs)
        return false;
    for (size_t i = 0; labels && i < data->n; i++)
        counts[data->labels[i]]++;
    for (int label = 0; label < labels; label++) {
        const int64_t first = below * n / (int64_t)data->n;
        below += counts[label];
        add_ranges(table, (int)first, (int)(below * n / (int64_t)data->n), label);
    }
    if (labels == 0)
        add_ranges(table, 0, n, DN_LABELS_IN_TURN);
    return true;
}

void table_clear(struct table_measure *table) {
    free(table->values);
    table->values = NULL;
}

/* ------------------------------------------------------------------ the report */

/* What is written for a value is what counts, such as its decimals. */
static double as_written(const struct table_measure *table, const struct table_column *column,
                         double value) {
    char text[COLUMN_TEXT_BYTES];
    const struct column *of = table->form ? &table->form->columns[column->from] : NULL;
    if (!of || isnan(value))
        return value;
    if (column->levels > 0)
        return fmin(fmax(rint(value), 0), column->levels - 1);
    return column_forward(of, text, column_backward(of, value, text));
}

/* The cells of a row from its coordinates, into out [count]. is_new: they are not of the table. */
static void fill_row(const struct table_measure *table, const double *values, int label,
                     bool is_new, double *out) {
    for (int k = 0; k < table->count; k++) {
        const struct table_column *column = &table->columns[k];
        if (column->from < 0)
            out[k] = label;
        else if (table->form)
            out[k] = form_value(table->form, column->from, values, label);
        else
            out[k] = values[column->from];
        if (is_new && column->from >= 0)
            out[k] = as_written(table, column, out[k]);
    }
}

/* Rows of the data into out [n][count]. */
static void copy_data(const struct table_measure *table, const struct dn_data *data, size_t first,
                      size_t n, double *out) {
    const size_t dim = (size_t)table->dim, columns = (size_t)table->count;
    double row[DN_MAX_DIM];
    for (size_t i = first; i < first + n; i++, out += columns) {
        for (size_t j = 0; j < dim; j++)
            row[j] = data->values ? data->values[i * dim + j] : (double)data->points[i * dim + j];
        fill_row(table, row, data->labels ? data->labels[i] : -1, false, out);
    }
}

static void copy_samples(const struct table_measure *table, double *out) {
    const size_t dim = (size_t)table->dim, columns = (size_t)table->count;
    for (int k = 0; k < table->range_count; k++) {
        const struct table_range *range = &table->ranges[k];
        const size_t first = (size_t)range->first, last = first + (size_t)range->n;
        for (size_t i = first; i < last; i++)
            fill_row(table, table->values + i * dim, range->label, true, out + i * columns);
    }
}

enum dn_status table_report(struct table_measure *table, const struct dn_data *data,
                            const struct dn_breaks *breaks, struct dn_error *error) {
    int levels[TABLE_MOST_COLUMNS];
    const size_t columns = (size_t)table->count, n = (size_t)table->request.n;
    double *values = calloc((data->n + data->n_val + n) * columns, sizeof *values);
    if (!values)
        return DN_NO_MEMORY;
    double *held_out = values + data->n * columns, *synthetic = held_out + data->n_val * columns;
    copy_data(table, data, 0, data->n, values);
    copy_data(table, data, data->n, data->n_val, held_out);
    copy_samples(table, synthetic);
    find_levels(table, levels);
    const struct dn_table_rows rows = {
        table->count, levels, {values, data->n}, {held_out, data->n_val}, {synthetic, n}};
    const enum dn_status status =
        dn_table_report(&rows, table->request.seed, &table->report, breaks, error);
    free(values);
    if (status != DN_OK)
        table->request.n = 0; /* there is nothing to show */
    return status;
}

/* ------------------------------------------------------------------ the answer */

struct column_row {
    const char *name;
    int type; /* enum column_type */
    struct dn_measured distance, missing;
};
struct pair_row {
    const char *first, *second;
    struct dn_measured distance;
    size_t place; /* among all pairs */
};

#define FIGURE(type, key, member, about)                                                           \
    {                                                                                              \
        "", key, FIELD_OBJECT, offsetof(struct type, member),                                      \
            .schema = "Floored", .set = &floored_answer, .doc = (about)                            \
    }
#define NUMBER(type, key, member, about)                                                           \
    { "", key, FIELD_NUMBER, offsetof(struct type, member), .flags = FIELD_OR_NULL, .doc = (about) }
static const struct field column_rows[] = {
    {"", "name", FIELD_STRING, offsetof(struct column_row, name),
     .doc = "As in the model's samples."},
    {"", "type", FIELD_CHOICE, offsetof(struct column_row, type), .choices = column_type_names},
    NUMBER(column_row, "distance", distance.value,
           "Numbers: the Kolmogorov-Smirnov distance. Categories: the total variation. 0 is "
           "perfect, 1 the worst."),
    NUMBER(column_row, "floor", distance.floor,
           "The same between two random halves of the training rows."),
    NUMBER(column_row, "missing", missing.value, "The difference of the shares of missing values."),
};
static const struct field_set column_set = ANSWER(column_rows);
static const struct field pair_rows[] = {
    {"", "first", FIELD_STRING, offsetof(struct pair_row, first)},
    {"", "second", FIELD_STRING, offsetof(struct pair_row, second)},
    NUMBER(pair_row, "distance", distance.value,
           "Two numbers: half the difference of their correlations. Other pairs: the total "
           "variation of their joint table, with numbers in 10 bins."),
    NUMBER(pair_row, "floor", distance.floor,
           "The same between two random halves of the training rows."),
};
static const struct field_set pair_set = ANSWER(pair_rows);
static const struct field table_rows[] = {
    {"", "n", FIELD_INTEGER, offsetof(struct table_answer, n), 1, INFINITY,
     .doc = "Number of synthetic rows: as many as training rows, at most 20000."},
    {"", "columns", FIELD_LIST, offsetof(struct table_answer, columns), .set = &column_set,
     .doc = "How much each column differs from the training rows."},
    {"", "pairs", FIELD_LIST, offsetof(struct table_answer, pairs), .set = &pair_set,
     .doc =
         "How much each pair of columns differs from the training rows, the worst first. Of more "
         "than 64 columns, the 2016 worst pairs."},
    FIGURE(table_answer, "shape", shape, "The mean distance of the columns."),
    FIGURE(table_answer, "trend", trend, "The mean distance of all pairs of columns."),
    FIGURE(
        table_answer, "detection", detection,
        "How well gradient-boosted trees tell synthetic rows from training rows: the area under "
        "the ROC curve on rows that they have not seen. 0.5 is perfect; 1 means that they always "
        "can."),
    {"", "privacy", FIELD_GROUP},
    {"privacy", "nearer_to_training", FIELD_OBJECT,
     offsetof(struct table_answer, nearer_to_training), .schema = "Floored", .set = &floored_answer,
     .doc = "The share of synthetic rows that are nearer to a training row than to one of as many "
            "validation rows; 0.5 means that the model knows no more about its training rows than "
            "about others. The floor is the share for other training rows. null without validation "
            "rows. It is no proof of privacy."},
    {"privacy", "copies", FIELD_OBJECT, offsetof(struct table_answer, copies), .schema = "Floored",
     .set = &floored_answer,
     .doc = "The share of synthetic rows that are equal to a training row; the floor is that of "
            "the validation rows."},
};
const struct field_set table_answer_set =
    ANSWER(table_rows, .may_be_null = true,
           .doc = "How good the model's samples are as a synthetic table; null unless "
                  "training.normalization is \"quantile\".");

static struct figure figure_of(struct dn_measured measured) {
    return (struct figure){measured.value, measured.floor};
}

/* The larger distance first; of equal ones, and of those that are not defined, the first pair. */
static int compare_pairs(const void *a, const void *b) {
    const struct pair_row *x = a, *y = b;
    const int order =
        (x->distance.value < y->distance.value) - (x->distance.value > y->distance.value);
    return order ? order : (x->place > y->place) - (x->place < y->place);
}

static struct field_list worst_pairs(const struct table_measure *table, struct arena *arena) {
    const size_t count = pair_count(table->count);
    const struct table_column *columns = table->columns;
    struct pair_row *rows = arena_alloc(arena, (count + 1) * sizeof *rows);
    size_t k = 0;
    if (!rows)
        return (struct field_list){0};
    for (int a = 0; a < table->count; a++)
        for (int b = a + 1; b < table->count; b++, k++)
            rows[k] =
                (struct pair_row){columns[a].name, columns[b].name, table->report.pairs[k], k};
    qsort(rows, count, sizeof *rows, compare_pairs);
    return (struct field_list){rows, sizeof *rows, count < MOST_PAIRS ? count : MOST_PAIRS};
}

static struct field_list column_list(const struct table_measure *table, struct arena *arena) {
    const size_t count = (size_t)table->count;
    struct column_row *rows = arena_alloc(arena, count * sizeof *rows);
    for (size_t j = 0; rows && j < count; j++)
        rows[j] = (struct column_row){table->columns[j].name, (int)table->columns[j].type,
                                      table->report.columns[j].distance,
                                      table->report.columns[j].missing};
    return (struct field_list){rows, sizeof *rows, rows ? count : 0};
}

struct table_answer table_answer(const struct table_measure *table, struct arena *arena) {
    const struct dn_table_report *report = &table->report;
    if (table->request.n == 0)
        return (struct table_answer){0};
    return (struct table_answer){
        .n = table->request.n,
        .columns = column_list(table, arena),
        .pairs = worst_pairs(table, arena),
        .shape = figure_of(report->shape),
        .trend = figure_of(report->trend),
        .detection = figure_of(report->detection),
        .nearer_to_training = figure_of(report->nearer_to_training),
        .copies = figure_of(report->copies),
    };
}
