/*
 * detection.c - can gradient-boosted trees tell two sets of rows apart?
 *
 * A linear classifier would not do: its AUC is 0.5 whenever the means agree. Trees see gaps between
 * values, wrong combinations, and wrong margins. The codes of a category are in an order, which a
 * tree divides by several splits.
 */
#include <stdlib.h>

#include "engine/internal.h"
#include "engine/metrics/boosting.h"
#include "engine/metrics/table.h"

enum { MOST = 2500, EDGES = BOOSTING_MISSING - 1 };

/* The first rows of both sets, those of x before those of y, in two halves: the even ones of each
 * set, and the odd ones. */
struct contest {
    size_t each, n;
    uint8_t *bins, *class; /* [dim][n], [n] */
    double *values;        /* [n]: a sorted column, then the scores */
    double *judged;        /* [n]: the scores of a half, sorted with their places */
    int32_t *half;         /* [n] */
};

/* The sort of the scores may take as much as it sorts. */
size_t detection_bytes(size_t n, size_t m, int dim) {
    const size_t each = rows_least(rows_least(n, m), MOST), both = 2 * each;
    return both * ((size_t)dim + 1 + 5 * sizeof(double) + sizeof(int32_t)) + boosting_bytes(both);
}

/* ------------------------------------------------------------------ bins */

/* Edges between bins: between all values if they are few, else at quantiles. Returns their number.
 */
static int edges_of(const double *sorted, size_t n, double edges[EDGES]) {
    size_t distinct = n > 0;
    for (size_t i = 1; i < n; i++)
        distinct += sorted[i] > sorted[i - 1];
    int count = 0;
    if (distinct <= EDGES + 1) {
        for (size_t i = 1; i < n; i++)
            if (sorted[i] > sorted[i - 1])
                edges[count++] = sorted[i];
        return count;
    }
    for (size_t k = 1; k <= EDGES; k++) {
        const double edge = sorted[k * n / (EDGES + 1)];
        if (edge > (count ? edges[count - 1] : sorted[0]))
            edges[count++] = edge;
    }
    return count;
}

/* The number of edges that are at most the value. */
static uint8_t bin_of(const double *edges, int count, double value) {
    int low = 0, high = count;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (edges[middle] <= value)
            low = middle + 1;
        else
            high = middle;
    }
    return (uint8_t)low;
}

static void bin_column(const struct contest *c, const struct rows *x, const struct rows *y, int j) {
    const size_t present = rows_present(x, j, c->values);
    const size_t all = present + rows_present(y, j, c->values + present);
    double edges[EDGES];
    rows_sort(c->values, all);
    const int count = edges_of(c->values, all, edges);
    uint8_t *bins = c->bins + (size_t)j * c->n;
    for (size_t i = 0; i < c->n; i++) {
        const double value = i < c->each ? rows_column(x, j)[i] : rows_column(y, j)[i - c->each];
        bins[i] = isnan(value) ? BOOSTING_MISSING : bin_of(edges, count, value);
    }
}

/* ------------------------------------------------------------------ the area under the curve */

static int compare_scores(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The probability that a row of y has a larger score than a row of x, plus half of that of equal
 * scores, over the rows of one half. */
static double area(const struct contest *c, size_t half) {
    double *pairs = c->judged; /* [2 count]: score, class */
    size_t count = 0, ones = 0;
    for (size_t i = 0; i < c->n; i++) {
        if (i % c->each % 2 != half)
            continue;
        pairs[2 * count] = c->values[i];
        pairs[2 * count++ + 1] = c->class[i];
        ones += c->class[i];
    }
    qsort(pairs, count, 2 * sizeof *pairs, compare_scores);
    double below = 0, sum = 0; /* rows of x below; pairs won */
    for (size_t i = 0, next; i < count; i = next) {
        double equal[2] = {0};
        for (next = i; next < count && !(pairs[2 * next] > pairs[2 * i]); next++)
            equal[pairs[2 * next + 1] > 0]++;
        sum += equal[1] * (below + equal[0] / 2);
        below += equal[0];
    }
    return sum / ((double)ones * (double)(count - ones));
}

static enum dn_status judge(const struct contest *c, int dim, double *auc,
                            const struct dn_breaks *breaks, struct dn_error *error) {
    const struct boosting rows = {c->n, dim, c->bins, c->class};
    enum dn_status status = DN_OK;
    *auc = 0;
    for (size_t half = 0; half < 2 && status == DN_OK; half++) {
        size_t count = 0;
        for (size_t i = 0; i < c->n; i++)
            if (i % c->each % 2 != half)
                c->half[count++] = (int32_t)i;
        status = boosting_scores(&rows, c->half, count, c->values, breaks, error);
        if (status == DN_OK)
            *auc += area(c, half) / 2;
    }
    return status;
}

enum dn_status detection_measure(const struct rows *x, const struct rows *y, double *auc,
                                 const struct dn_breaks *breaks, struct dn_error *error) {
    const size_t each = rows_least(rows_least(x->n, y->n), MOST), n = 2 * each;
    const struct rows first = rows_range(x, 0, each), second = rows_range(y, 0, each);
    struct contest c = {.each = each, .n = n};
    c.bins = calloc((size_t)x->dim * n, 1);
    c.class = calloc(n, 1);
    c.values = calloc(n, sizeof *c.values);
    c.judged = calloc(2 * n, sizeof *c.judged);
    c.half = calloc(n, sizeof *c.half);
    enum dn_status status = c.bins && c.class && c.values && c.judged && c.half
                                ? DN_OK
                                : error_set(error, DN_NO_MEMORY, "out of memory");
    for (int j = 0; j < x->dim && status == DN_OK; j++) {
        bin_column(&c, &first, &second, j);
        status = break_check(breaks, error);
    }
    for (size_t i = each; i < n && status == DN_OK; i++)
        c.class[i] = 1;
    if (status == DN_OK)
        status = judge(&c, x->dim, auc, breaks, error);
    free(c.bins);
    free(c.class);
    free(c.values);
    free(c.judged);
    free(c.half);
    return status;
}
