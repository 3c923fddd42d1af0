/*
 * table.c - the report on a synthetic table.
 */
#include "engine/metrics/table.h"

#include <stdlib.h>

#include "engine/base/random.h"
#include "engine/internal.h"

/* Rows that a set is reduced to for distances of columns and pairs, and for each side of the search
 * for nearest rows, and the most rows whose nearest ones are searched. */
enum { MOST_ROWS = 100000, MOST_NEAR = 20000, MOST_QUERIES = 20000 };

/* The permutations of the seed that choose the rows of each set. */
enum { CHOOSE_TRAINING, CHOOSE_HOLDOUT, CHOOSE_SYNTHETIC };

static int compare_numbers(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void rows_sort(double *values, size_t n) {
    qsort(values, n, sizeof *values, compare_numbers);
}

size_t rows_present(const struct rows *rows, int j, double *values) {
    const double *column = rows_column(rows, j);
    size_t n = 0;
    for (size_t i = 0; i < rows->n; i++)
        if (!isnan(column[i]))
            values[n++] = column[i];
    rows_sort(values, n);
    return n;
}

/* ------------------------------------------------------------------ choice of rows */

struct sets {
    struct rows training, holdout, synthetic;
    double *held[3]; /* their values */
};

static void sets_clear(struct sets *sets) {
    for (int k = 0; k < 3; k++)
        free(sets->held[k]);
}

/* Up to MOST_ROWS rows in an order given by the seed, column by column, into *held. */
static enum dn_status choose(const struct dn_table_rows *table, const struct dn_rows *from,
                             uint64_t seed, uint32_t choice, struct rows *rows, double **held,
                             struct dn_error *error) {
    const size_t n = rows_least(from->n, MOST_ROWS), dim = (size_t)table->dim;
    *rows = (struct rows){.n = n, .stride = n, .dim = table->dim, .levels = table->levels};
    if (n == 0)
        return DN_OK;
    int32_t *order = calloc(from->n, sizeof *order);
    double *values = calloc(n * dim, sizeof *values);
    if (!order || !values) {
        free(order);
        free(values);
        return error_set(error, DN_NO_MEMORY, "out of memory");
    }
    random_permutation(seed, choice, (int32_t)from->n, order);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < dim; j++)
            values[j * n + i] = from->values[(size_t)order[i] * dim + j];
    free(order);
    rows->at = *held = values;
    return DN_OK;
}

static enum dn_status sets_choose(const struct dn_table_rows *table, uint64_t seed,
                                  struct sets *sets, struct dn_error *error) {
    enum dn_status status = choose(table, &table->training, seed, CHOOSE_TRAINING, &sets->training,
                                   &sets->held[CHOOSE_TRAINING], error);
    if (status == DN_OK)
        status = choose(table, &table->holdout, seed, CHOOSE_HOLDOUT, &sets->holdout,
                        &sets->held[CHOOSE_HOLDOUT], error);
    if (status == DN_OK)
        status = choose(table, &table->synthetic, seed, CHOOSE_SYNTHETIC, &sets->synthetic,
                        &sets->held[CHOOSE_SYNTHETIC], error);
    return status;
}

/* ------------------------------------------------------------------ checks */

static enum dn_status check_values(const struct dn_table_rows *table, const struct dn_rows *rows,
                                   const char *name, struct dn_error *error) {
    for (size_t i = 0; i < rows->n; i++)
        for (int j = 0; j < table->dim; j++) {
            const double value = rows->values[i * (size_t)table->dim + (size_t)j];
            if (isinf(value))
                return error_set(error, DN_INVALID, "%s: row %zu, column %d is infinite", name, i,
                                 j);
            const int levels = table->levels[j];
            if (levels && !isnan(value) && !(value >= 0 && value < levels && value == floor(value)))
                return error_set(error, DN_INVALID,
                                 "%s: row %zu, column %d is not one of the codes 0 to %d", name, i,
                                 j, levels - 1);
        }
    return DN_OK;
}

static enum dn_status check(const struct dn_table_rows *table, struct dn_error *error) {
    if (table->dim < 1 || table->dim > DN_MAX_REPORT_COLUMNS)
        return error_set(error, DN_INVALID, "a report needs 1 to %d columns",
                         DN_MAX_REPORT_COLUMNS);
    for (int j = 0; j < table->dim; j++)
        if (table->levels[j] < 0 || table->levels[j] > DN_MAX_REPORT_LEVELS)
            return error_set(error, DN_INVALID, "column %d has %d levels, not 0 to %d", j,
                             table->levels[j], DN_MAX_REPORT_LEVELS);
    if (table->training.n < 4 || table->synthetic.n < 2)
        return error_set(error, DN_INVALID,
                         "a report needs at least 4 training rows and 2 synthetic ones");
    if (table->training.n > INT32_MAX || table->holdout.n > INT32_MAX ||
        table->synthetic.n > INT32_MAX)
        return error_set(error, DN_INVALID, "a set has more than %d rows", INT32_MAX);
    enum dn_status status = check_values(table, &table->training, "training", error);
    if (status == DN_OK)
        status = check_values(table, &table->holdout, "holdout", error);
    if (status == DN_OK)
        status = check_values(table, &table->synthetic, "synthetic", error);
    return status;
}

/* ------------------------------------------------------------------ memory */

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

static size_t pair_count(int dim) {
    return (size_t)dim * (size_t)(dim - 1) / 2;
}

/* Distances and shares of the columns, and the pairs. */
static size_t distance_count(int dim) {
    return 2 * (size_t)dim + pair_count(dim);
}

size_t dn_table_report_bytes(const struct dn_table_rows *table) {
    enum { HEADERS = 4096 }; /* of all blocks */
    const int dim = table->dim;
    const size_t training = table->training.n, most_chosen = larger(training, table->holdout.n);
    const size_t n = rows_least(training, MOST_ROWS);
    const size_t holdout = rows_least(table->holdout.n, MOST_ROWS);
    const size_t synthetic = rows_least(table->synthetic.n, MOST_ROWS);
    const size_t near = rows_least(rows_least(n, holdout), MOST_NEAR);
    const size_t queries = rows_least(larger(n - near, synthetic), MOST_QUERIES);
    const size_t held = (n + holdout + synthetic) * (size_t)dim * sizeof(double) +
                        2 * distance_count(dim) * sizeof(double);
    const size_t sorting = larger(n, synthetic) * sizeof(double); /* qsort copies what it sorts */
    size_t step = larger(most_chosen, table->synthetic.n) * sizeof(int32_t); /* while choosing */
    step = larger(step, sorting + fidelity_bytes(n, synthetic, dim, table->levels));
    step = larger(step, sorting + detection_bytes(n, larger(synthetic, n - n / 2), dim));
    step = larger(step, sorting + privacy_nearer_bytes(queries, near, near, n, dim));
    step = larger(step, privacy_copies_bytes(training));
    return held + step + HEADERS;
}

/* ------------------------------------------------------------------ the parts */

static double mean_of(const double *values, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += values[i];
    return n ? sum / (double)n : NAN;
}

/* Measures y against x into values [distance_count]. */
static enum dn_status measure_distances(const struct rows *x, const struct rows *y, double *values,
                                        const struct dn_breaks *breaks, struct dn_error *error) {
    const size_t dim = (size_t)x->dim;
    const struct fidelity parts = {values, values + dim, values + 2 * dim};
    return fidelity_measure(x, y, &parts, breaks, error);
}

static void report_distances(int dim, const double *values, const double *floors,
                             struct dn_table_report *report) {
    const size_t columns = (size_t)dim, pairs = pair_count(dim);
    for (size_t j = 0; j < columns; j++)
        report->columns[j] = (struct dn_column_report){
            .distance = {values[j], floors[j]},
            .missing = {values[columns + j], floors[columns + j]},
        };
    for (size_t k = 0; k < pairs; k++)
        report->pairs[k] = (struct dn_measured){values[2 * columns + k], floors[2 * columns + k]};
    report->shape = (struct dn_measured){mean_of(values, columns), mean_of(floors, columns)};
    report->trend = (struct dn_measured){mean_of(values + 2 * columns, pairs),
                                         mean_of(floors + 2 * columns, pairs)};
}

/* Values of the synthetic rows [count] and of the halves [count]. */
static enum dn_status distances(const struct sets *sets, double *values, size_t count,
                                struct dn_table_report *report, const struct dn_breaks *breaks,
                                struct dn_error *error) {
    const struct rows *training = &sets->training;
    const size_t half = training->n / 2;
    const struct rows first = rows_range(training, 0, half);
    const struct rows second = rows_range(training, half, training->n - half);
    enum dn_status status = measure_distances(training, &sets->synthetic, values, breaks, error);
    if (status == DN_OK)
        status = measure_distances(&first, &second, values + count, breaks, error);
    if (status == DN_OK)
        status =
            detection_measure(training, &sets->synthetic, &report->detection.value, breaks, error);
    if (status == DN_OK)
        status = detection_measure(&first, &second, &report->detection.floor, breaks, error);
    return status;
}

static enum dn_status privacy(const struct dn_table_rows *table, const struct sets *sets,
                              struct dn_table_report *report, const struct dn_breaks *breaks,
                              struct dn_error *error) {
    const struct rows *training = &sets->training, *synthetic = &sets->synthetic;
    const size_t each = rows_least(rows_least(training->n, sets->holdout.n), MOST_NEAR);
    const struct rows near = rows_range(training, 0, each);
    const struct rows far = rows_range(&sets->holdout, 0, each);
    const struct rows rest =
        rows_range(training, each, rows_least(training->n - each, MOST_QUERIES));
    const struct rows queries = rows_range(synthetic, 0, rows_least(synthetic->n, MOST_QUERIES));
    enum dn_status status = privacy_nearer(&queries, &near, &far, training,
                                           &report->nearer_to_training.value, breaks, error);
    if (status == DN_OK)
        status = privacy_nearer(&rest, &near, &far, training, &report->nearer_to_training.floor,
                                breaks, error);
    double shares[2] = {NAN, NAN};
    if (status == DN_OK)
        status = privacy_copies(&table->training, table->dim, &table->synthetic, &table->holdout,
                                shares, breaks, error);
    report->copies = (struct dn_measured){shares[0], shares[1]};
    return status;
}

enum dn_status dn_table_report(const struct dn_table_rows *table, uint64_t seed,
                               struct dn_table_report *report, const struct dn_breaks *breaks,
                               struct dn_error *error) {
    enum dn_status status = check(table, error);
    if (status != DN_OK)
        return status;
    const size_t count = distance_count(table->dim);
    double *values = calloc(2 * count, sizeof *values);
    struct sets sets = {0};
    struct dn_table_report found = *report;
    status = values ? sets_choose(table, seed, &sets, error)
                    : error_set(error, DN_NO_MEMORY, "out of memory");
    if (status == DN_OK)
        status = distances(&sets, values, count, &found, breaks, error);
    if (status == DN_OK)
        status = privacy(table, &sets, &found, breaks, error);
    if (status == DN_OK) {
        report_distances(table->dim, values, values + count, &found);
        *report = found;
    }
    sets_clear(&sets);
    free(values);
    return status;
}
