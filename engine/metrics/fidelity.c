/*
 * fidelity.c - how much the columns and the pairs of columns of two sets of rows differ.
 *
 * Tables are counted in whole numbers: a row of x adds the number of rows of y to its cell, and a
 * row of y subtracts that of x. So equal shares give exactly 0, whatever the sizes.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "engine/metrics/table.h"

enum { BINS = 10 };

/* The levels of each column as codes, where a missing value is the last one, and room to work. */
struct coded {
    const struct rows *x, *y;
    uint16_t *codes; /* [dim][x->n + y->n] */
    double *sorted;  /* [x->n + y->n] */
    int64_t *cells;  /* [cells] */
    size_t cell_count;
};

static size_t code_count(int levels) {
    return (size_t)(levels ? levels : BINS) + 1;
}

/* Cells of the largest table. */
static size_t largest_table(int dim, const int *levels) {
    size_t first = 1, second = 1; /* the two largest numbers of codes */
    for (int j = 0; j < dim; j++) {
        const size_t count = code_count(levels[j]);
        if (count > first)
            second = first, first = count;
        else if (count > second)
            second = count;
    }
    return first * second;
}

size_t fidelity_bytes(size_t n, size_t m, int dim, const int *levels) {
    return (n + m) * ((size_t)dim * sizeof(uint16_t) + sizeof(double)) +
           largest_table(dim, levels) * sizeof(int64_t);
}

static void coded_clear(struct coded *coded) {
    free(coded->codes);
    free(coded->sorted);
    free(coded->cells);
}

/* ------------------------------------------------------------------ codes */

/* The least and the largest number of a column; both 0 if all are missing. */
static void range_of(const struct rows *rows, int j, double *low, double *high) {
    const double *column = rows_column(rows, j);
    *low = INFINITY, *high = -INFINITY;
    for (size_t i = 0; i < rows->n; i++) {
        *low = column[i] < *low ? column[i] : *low; /* false for NaN */
        *high = column[i] > *high ? column[i] : *high;
    }
    if (*low > *high)
        *low = *high = 0;
}

/* The edges within the range of x, as numpy.histogram has them. */
static void edges_of(const struct rows *x, int j, double edges[BINS - 1]) {
    double low, high;
    range_of(x, j, &low, &high);
    if (low == high)
        low -= 0.5, high += 0.5;
    const double step = high / BINS - low / BINS; /* the range itself may overflow */
    for (int k = 1; k < BINS; k++)
        edges[k - 1] = low + k * step;
}

static void code_numbers(const double *values, size_t n, const double edges[BINS - 1],
                         uint16_t *codes) {
    for (size_t i = 0; i < n; i++) {
        int bin = 0;
        for (int k = 0; k < BINS - 1; k++)
            bin += values[i] >= edges[k];
        codes[i] = (uint16_t)(isnan(values[i]) ? BINS : bin);
    }
}

static void code_levels(const double *values, size_t n, int levels, uint16_t *codes) {
    for (size_t i = 0; i < n; i++)
        codes[i] = (uint16_t)(isnan(values[i]) ? levels : (int)values[i]);
}

static void code_column(const struct coded *coded, int j) {
    const struct rows *x = coded->x, *y = coded->y;
    uint16_t *codes = coded->codes + (size_t)j * (x->n + y->n);
    if (x->levels[j]) {
        code_levels(rows_column(x, j), x->n, x->levels[j], codes);
        code_levels(rows_column(y, j), y->n, x->levels[j], codes + x->n);
        return;
    }
    double edges[BINS - 1];
    edges_of(x, j, edges);
    code_numbers(rows_column(x, j), x->n, edges, codes);
    code_numbers(rows_column(y, j), y->n, edges, codes + x->n);
}

static enum dn_status coded_init(struct coded *coded, const struct dn_breaks *breaks,
                                 struct dn_error *error) {
    const struct rows *x = coded->x, *y = coded->y;
    coded->cell_count = largest_table(x->dim, x->levels);
    coded->codes = calloc((size_t)x->dim * (x->n + y->n), sizeof *coded->codes);
    coded->sorted = calloc(x->n + y->n, sizeof *coded->sorted);
    coded->cells = calloc(coded->cell_count, sizeof *coded->cells);
    if (!coded->codes || !coded->sorted || !coded->cells)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    enum dn_status status = DN_OK;
    for (int j = 0; j < x->dim && status == DN_OK; j++) {
        code_column(coded, j);
        status = break_check(breaks, error);
    }
    return status;
}

/* ------------------------------------------------------------------ total variation */

/* The total variation between the joint tables of two columns; of one column if a == b. */
static double total_variation(const struct coded *coded, int a, int b) {
    const struct rows *x = coded->x, *y = coded->y;
    const size_t n = x->n, all = n + y->n;
    const size_t width = a == b ? 1 : code_count(x->levels[b]);
    const size_t count = code_count(x->levels[a]) * width;
    const uint16_t *of_a = coded->codes + (size_t)a * all, *of_b = coded->codes + (size_t)b * all;
    int64_t *cells = coded->cells, sum = 0;
    memset(cells, 0, count * sizeof *cells);
    for (size_t i = 0; i < all; i++)
        cells[of_a[i] * width + (a == b ? 0 : of_b[i])] += i < n ? (int64_t)y->n : -(int64_t)n;
    for (size_t k = 0; k < count; k++)
        sum += llabs(cells[k]);
    return (double)sum / (2 * (double)n * (double)y->n);
}

/* ------------------------------------------------------------------ numbers */

static double missing_share(const struct rows *rows, int j) {
    const double *column = rows_column(rows, j);
    size_t count = 0;
    for (size_t i = 0; i < rows->n; i++)
        count += isnan(column[i]) ? 1 : 0;
    return (double)count / (double)rows->n;
}

/* max |F - G| of two sorted sets. */
static double kolmogorov_smirnov(const double *x, size_t n, const double *y, size_t m) {
    if (n == 0 || m == 0)
        return n != m;
    double most = 0;
    for (size_t i = 0, j = 0; i < n && j < m;) {
        const double value = x[i] < y[j] ? x[i] : y[j];
        while (i < n && x[i] <= value)
            i++;
        while (j < m && y[j] <= value)
            j++;
        const double gap = fabs((double)i / (double)n - (double)j / (double)m);
        most = gap > most ? gap : most;
    }
    return most;
}

static double number_distance(const struct coded *coded, int j) {
    double *x = coded->sorted, *y = coded->sorted + coded->x->n;
    const size_t n = rows_present(coded->x, j, x), m = rows_present(coded->y, j, y);
    return kolmogorov_smirnov(x, n, y, m);
}

/* The variance of numbers in 0..1 with these sums, times n^2; 0 if it is no more than rounding. */
static double spread_of(double n, double sum, double squares) {
    const double spread = n * squares - sum * sum;
    return spread > 1e-12 * n * squares ? spread : 0;
}

/* Pearson's correlation over the rows that have both numbers; NAN if one of them does not vary. The
 * numbers are scaled to 0..1 first, so that large ones with small differences lose nothing. */
static double correlation(const struct rows *rows, int a, int b) {
    double low_a, high_a, low_b, high_b;
    range_of(rows, a, &low_a, &high_a);
    range_of(rows, b, &low_b, &high_b);
    const double half_a = high_a / 2 - low_a / 2, half_b = high_b / 2 - low_b / 2;
    if (half_a == 0 || half_b == 0)
        return NAN;
    const double *of_a = rows_column(rows, a), *of_b = rows_column(rows, b);
    double n = 0, sum_a = 0, sum_b = 0, aa = 0, bb = 0, ab = 0;
    for (size_t i = 0; i < rows->n; i++) {
        const double x = (of_a[i] / 2 - low_a / 2) / half_a, y = (of_b[i] / 2 - low_b / 2) / half_b;
        if (isnan(x) || isnan(y))
            continue;
        n++, sum_a += x, sum_b += y, aa += x * x, bb += y * y, ab += x * y;
    }
    const double spread = spread_of(n, sum_a, aa) * spread_of(n, sum_b, bb);
    return spread > 0 ? (n * ab - sum_a * sum_b) / sqrt(spread) : NAN;
}

static double correlation_distance(const struct coded *coded, int a, int b) {
    const double x = correlation(coded->x, a, b), y = correlation(coded->y, a, b);
    if (isnan(x))
        return 0;
    return isnan(y) ? 1 : fabs(x - y) / 2;
}

/* ------------------------------------------------------------------ both */

static enum dn_status measure(const struct coded *coded, const struct fidelity *result,
                              const struct dn_breaks *breaks, struct dn_error *error) {
    const struct rows *x = coded->x;
    enum dn_status status = DN_OK;
    size_t pair = 0;
    for (int a = 0; a < x->dim && status == DN_OK; a++) {
        const bool number = x->levels[a] == 0;
        result->distances[a] = number ? number_distance(coded, a) : total_variation(coded, a, a);
        result->missing[a] = fabs(missing_share(x, a) - missing_share(coded->y, a));
        status = break_check(breaks, error);
        for (int b = a + 1; b < x->dim && status == DN_OK; b++) {
            result->pairs[pair++] = number && x->levels[b] == 0 ? correlation_distance(coded, a, b)
                                                                : total_variation(coded, a, b);
            status = break_check(breaks, error);
        }
    }
    return status;
}

enum dn_status fidelity_measure(const struct rows *x, const struct rows *y,
                                const struct fidelity *result, const struct dn_breaks *breaks,
                                struct dn_error *error) {
    struct coded coded = {.x = x, .y = y};
    enum dn_status status = coded_init(&coded, breaks, error);
    if (status == DN_OK)
        status = measure(&coded, result, breaks, error);
    coded_clear(&coded);
    return status;
}
