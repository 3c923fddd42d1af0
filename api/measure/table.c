#include "api/measure/table.h"

#include <math.h>
#include <stdlib.h>

#include "api/contract/openapi.h"

enum { MOST_ROWS = 20000, RANGE = 250, WORST_PAIRS = 20 };

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

/* The label is a category; all coordinates are numbers. */
static void find_levels(const struct table_measure *table, int classes,
                        int levels[DN_MAX_DIM + 1]) {
    for (int j = 0; j < table->dim; j++)
        levels[j] = 0;
    levels[table->dim] = classes;
}

void table_plan(struct table_measure *table, const struct dn_model *model,
                const struct dn_sample_request *request, double affordable) {
    enum { LEAST_TRAINING = 4, LEAST_SYNTHETIC = 2 }; /* of dn_table_report */
    const struct dn_spec *spec = dn_model_spec(model);
    size_t n, n_val;
    count_points(spec, &n, &n_val);
    const double most = fmin(fmin((double)n, MOST_ROWS), affordable);
    const bool has_label = spec->dataset.classes > 0 && request->guidance > 0;
    table->request = *request;
    table->dim = dn_model_dim(model);
    table->columns = table->dim + has_label;
    table->request.n = spec->training.normalization == DN_QUANTILE && n >= LEAST_TRAINING &&
                               most >= LEAST_SYNTHETIC
                           ? (int)most
                           : 0;
}

size_t table_bytes(const struct table_measure *table, const struct dn_model *model) {
    int levels[DN_MAX_DIM + 1];
    size_t n, n_val;
    count_points(dn_model_spec(model), &n, &n_val);
    if (table->request.n == 0)
        return 0;
    find_levels(table, dn_model_spec(model)->dataset.classes, levels);
    const size_t synthetic = (size_t)table->request.n, columns = (size_t)table->columns;
    const struct dn_table_rows rows = {
        table->columns, levels, {NULL, n}, {NULL, n_val}, {NULL, synthetic}};
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
    const int n = table->request.n, labels = table->columns > table->dim ? data->classes : 0;
    table->values = calloc((size_t)n * (size_t)table->dim + 1, sizeof *table->values);
    table->ranges = arena_alloc(arena, (size_t)(n / RANGE + 1 + labels) * sizeof *table->ranges);
    int64_t counts[DN_MAX_CLASSES] = {0}, below = 0;
    const size_t columns = (size_t)table->columns, pairs = pair_count(table->columns);
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

/* Rows of the data, with their labels, into out [n][columns]. */
static void copy_data(const struct table_measure *table, const struct dn_data *data, size_t first,
                      size_t n, double *out) {
    const size_t dim = (size_t)table->dim;
    for (size_t i = first; i < first + n; i++) {
        for (size_t j = 0; j < dim; j++)
            *out++ = data->values ? data->values[i * dim + j] : (double)data->points[i * dim + j];
        if (table->columns > table->dim)
            *out++ = data->labels[i];
    }
}

static void copy_samples(const struct table_measure *table, double *out) {
    const size_t dim = (size_t)table->dim, columns = (size_t)table->columns;
    for (int k = 0; k < table->range_count; k++) {
        const struct table_range *range = &table->ranges[k];
        for (size_t i = (size_t)range->first; i < (size_t)(range->first + range->n); i++) {
            for (size_t j = 0; j < dim; j++)
                out[i * columns + j] = table->values[i * dim + j];
            if (columns > dim)
                out[i * columns + dim] = range->label;
        }
    }
}

enum dn_status table_report(struct table_measure *table, const struct dn_data *data,
                            const struct dn_breaks *breaks, struct dn_error *error) {
    int levels[DN_MAX_DIM + 1];
    const size_t columns = (size_t)table->columns, n = (size_t)table->request.n;
    double *values = calloc((data->n + data->n_val + n) * columns, sizeof *values);
    if (!values)
        return DN_NO_MEMORY;
    double *held_out = values + data->n * columns, *synthetic = held_out + data->n_val * columns;
    copy_data(table, data, 0, data->n, values);
    copy_data(table, data, data->n, data->n_val, held_out);
    copy_samples(table, synthetic);
    find_levels(table, data->classes, levels);
    const struct dn_table_rows rows = {
        table->columns, levels, {values, data->n}, {held_out, data->n_val}, {synthetic, n}};
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
     .doc = "The 20 pairs of columns that differ most from the training rows, the worst first."},
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

static struct field_list worst_pairs(const struct table_measure *table, const char *const *names,
                                     struct arena *arena) {
    const size_t count = pair_count(table->columns);
    struct pair_row *rows = arena_alloc(arena, (count + 1) * sizeof *rows);
    size_t k = 0;
    if (!rows)
        return (struct field_list){0};
    for (int a = 0; a < table->columns; a++)
        for (int b = a + 1; b < table->columns; b++, k++)
            rows[k] = (struct pair_row){names[a], names[b], table->report.pairs[k], k};
    qsort(rows, count, sizeof *rows, compare_pairs);
    return (struct field_list){rows, sizeof *rows, count < WORST_PAIRS ? count : WORST_PAIRS};
}

static struct field_list column_list(const struct table_measure *table, const char *const *names,
                                     struct arena *arena) {
    const size_t count = (size_t)table->columns;
    struct column_row *rows = arena_alloc(arena, count * sizeof *rows);
    for (size_t j = 0; rows && j < count; j++)
        rows[j] = (struct column_row){names[j], table->report.columns[j].distance,
                                      table->report.columns[j].missing};
    return (struct field_list){rows, sizeof *rows, rows ? count : 0};
}

/* As in samples.csv. */
static void name_columns(const struct table_measure *table, const char *names[DN_MAX_DIM + 1],
                         struct arena *arena) {
    static const char *const axes[] = {"x", "y", "z"};
    for (int j = 0; j < table->dim; j++)
        names[j] = table->dim <= 3 ? axes[j] : arena_format(arena, "x%d", j);
    names[table->dim] = "label";
}

struct table_answer table_answer(const struct table_measure *table, struct arena *arena) {
    const struct dn_table_report *report = &table->report;
    const char *names[DN_MAX_DIM + 1];
    if (table->request.n == 0)
        return (struct table_answer){0};
    name_columns(table, names, arena);
    return (struct table_answer){
        .n = table->request.n,
        .columns = column_list(table, names, arena),
        .pairs = worst_pairs(table, names, arena),
        .shape = figure_of(report->shape),
        .trend = figure_of(report->trend),
        .detection = figure_of(report->detection),
        .nearer_to_training = figure_of(report->nearer_to_training),
        .copies = figure_of(report->copies),
    };
}
