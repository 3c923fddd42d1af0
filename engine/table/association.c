/*
 * association.c - which columns of a table follow from others, and which levels of a column are
 * alike.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/denoise.h"
#include "engine/internal.h"

/* ------------------------------------------------------------------ columns that follow */

void dn_columns_map(const struct dn_codes *from, const struct dn_codes *to, size_t n,
                    int32_t *map) {
    for (size_t i = 0; i < n; i++)
        map[from->codes[i]] = to->codes[i];
}

/* Does each code of `from` always come with the same code of `to`? map is space for [levels]. */
static bool follows(const struct dn_codes *from, const struct dn_codes *to, size_t n,
                    int32_t *map) {
    memset(map, -1, (size_t)from->levels * sizeof *map);
    for (size_t i = 0; i < n; i++) {
        int32_t *known = &map[from->codes[i]];
        if (*known < 0)
            *known = to->codes[i];
        if (*known != to->codes[i])
            return false;
    }
    return true;
}

/* The column with the fewest levels that c follows from, among those that are kept; or -1. */
static int source_of(const struct dn_codes *columns, int count, size_t n, int c, const int *from,
                     int32_t *map) {
    int found = -1;
    for (int other = 0; other < count; other++) {
        const int levels = columns[other].levels;
        const bool is_possible = other != c && from[other] < 0 && levels >= columns[c].levels &&
                                 (size_t)levels <= n / 20;
        if (is_possible && (found < 0 || levels < columns[found].levels) &&
            follows(&columns[other], &columns[c], n, map))
            found = other;
    }
    return found;
}

enum dn_status dn_columns_follow(const struct dn_codes *columns, int count, size_t n, int kept,
                                 int *from, struct dn_error *error) {
    int32_t *map = calloc(n / 20 + 1, sizeof *map);
    if (!map)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    for (int c = 0; c < count; c++)
        from[c] = -1;
    for (int c = count - 1; c >= 0; c--)
        if (c != kept && columns[c].levels >= 2 && columns[c].levels <= DN_MAX_LEVELS)
            from[c] = source_of(columns, count, n, c, from, map);
    for (int c = 0; c < count; c++) /* a source may have been found to follow later */
        while (from[c] >= 0 && from[from[c]] >= 0)
            from[c] = from[from[c]];
    free(map);
    return DN_OK;
}

/* ------------------------------------------------------------------ intervals of numbers */

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

enum { BINS = 10 };

/* Moves the values that are less than the pivot to the front, and those that are greater to the back:
 * the places [*less, *more) between them have the pivot. */
static void split(double *values, size_t n, double pivot, size_t *less, size_t *more) {
    size_t low = 0, high = n;
    for (size_t at = 0; at < high;) {
        const double x = values[at];
        if (x < pivot) {
            values[at++] = values[low];
            values[low++] = x;
        } else if (x > pivot) {
            values[at] = values[--high];
            values[high] = x;
        } else {
            at++;
        }
    }
    *less = low;
    *more = high;
}

static double median_of_three(double a, double b, double c) {
    const double low = a < b ? a : b, high = a < b ? b : a;
    return c < low ? low : c > high ? high : c;
}

/* Puts the values of some ranks, in ascending order, where sorting would put them: quickselect (Hoare
 * 1961) of all of them at once. The values begin at rank `from`. After `depth` splits it sorts what
 * is left, so that no values take long. */
static void select_ranks(double *values, size_t n, size_t from, const size_t *ranks, int count,
                         int depth) {
    enum { FEW = 32 };
    while (count > 0 && n > FEW && depth-- > 0) {
        size_t less, more;
        split(values, n, median_of_three(values[0], values[n / 2], values[n - 1]), &less, &more);
        int before = 0, beyond = 0;
        while (before < count && ranks[before] < from + less)
            before++;
        for (beyond = before; beyond < count && ranks[beyond] < from + more;)
            beyond++;
        select_ranks(values, less, from, ranks, before, depth);
        values += more;
        from += more;
        n -= more;
        ranks += beyond;
        count -= beyond;
    }
    if (count > 0)
        qsort(values, n, sizeof *values, by_value);
}

/* The lower ends of all intervals but the first, from values in any order, which are moved. */
static int find_edges(double *values, size_t n, double edges[BINS]) {
    size_t ranks[BINS];
    int depth = 8, count = 0;
    for (size_t k = 0; k < BINS; k++)
        ranks[k] = n * k / BINS;
    for (size_t size = n; size > 0; size /= 2)
        depth += 2;
    select_ranks(values, n, 0, ranks, n > 0 ? BINS : 0, depth);
    for (size_t k = 1; k < BINS && n > 0; k++) {
        const double edge = values[ranks[k]];
        if (edge > (count > 0 ? edges[count - 1] : values[0]))
            edges[count++] = edge;
    }
    return count;
}

enum dn_status dn_columns_bin(const double *values, size_t n, int32_t *codes, int *levels,
                              struct dn_error *error) {
    double edges[BINS], *moved = calloc(n + 1, sizeof *moved);
    size_t present = 0;
    if (!moved)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < n; i++)
        if (!isnan(values[i]))
            moved[present++] = values[i];
    const int count = find_edges(moved, present, edges), bins = present > 0 ? count + 1 : 0;
    free(moved);
    for (size_t i = 0; i < n; i++) {
        codes[i] = isnan(values[i]) ? bins : 0;
        for (int k = 0; k < count; k++)
            codes[i] += values[i] >= edges[k];
    }
    *levels = bins + (present < n);
    return DN_OK;
}

/* ------------------------------------------------------------------ the order of levels */

/* The analysis of a column with K levels. */
struct analysis {
    size_t n, K;
    const int32_t *codes;
    double *shares; /* [K] p_k */
    double *roots;  /* [K] sqrt(p_k) */
    double *joint;  /* [most][K] of one other column */
    double *matrix; /* [K][K] G: sums over the columns of products of their profiles */
    double *axis;   /* [K] */
    double *next;   /* [K] */
};

static void add_rows_of(const struct analysis *a, const struct dn_codes *other, double *sums) {
    const size_t B = (size_t)other->levels;
    memset(a->joint, 0, a->K * B * sizeof *a->joint);
    memset(sums, 0, B * sizeof *sums);
    for (size_t i = 0; i < a->n; i++) {
        a->joint[(size_t)other->codes[i] * a->K + (size_t)a->codes[i]]++;
        sums[other->codes[i]]++;
    }
}

static void add_scaled(double *restrict to, const double *restrict from, double factor, size_t n) {
    for (size_t l = 0; l < n; l++)
        to[l] += factor * from[l];
}

/* Adds a column's part of G = sqrt(p_k p_l) sum_b A_kb A_lb with A_kb = (n_kb / p_k - q_b) /
 * sqrt(q_b), where n_kb, p_k and q_b are shares of the rows: sum_b C_kb C_lb - sqrt(p_k p_l) with
 * C_kb = n_kb / sqrt(p_k q_b), which is 0 for most pairs of many levels. Only the sum, below the
 * diagonal; find_matrix does the rest. */
static void add_column(struct analysis *a, const struct dn_codes *other, double *sums) {
    const size_t B = (size_t)other->levels, K = a->K;
    const double n = (double)a->n;
    add_rows_of(a, other, sums);
    for (size_t b = 0; b < B; b++) {
        double *row = a->joint + b * K;
        const double root = sqrt(sums[b] / n) * n;
        for (size_t k = 0; k < K; k++)
            row[k] = row[k] > 0 ? row[k] / (a->roots[k] * root) : 0;
        for (size_t k = 0; k < K; k++)
            if (row[k] > 0)
                add_scaled(a->matrix + k * K, row, row[k], k + 1);
    }
}

/* Completes G, of `columns` other columns. */
static void find_matrix(struct analysis *a, int columns) {
    const size_t K = a->K;
    for (size_t k = 0; k < K; k++)
        for (size_t l = 0; l <= k; l++) {
            a->matrix[k * K + l] -= columns * a->roots[k] * a->roots[l];
            a->matrix[l * K + k] = a->matrix[k * K + l];
        }
}

/* One step of the power iteration; returns the length of G w. */
static double iterate(struct analysis *a) {
    double squares = 0;
    memset(a->next, 0, a->K * sizeof *a->next);
    for (size_t l = 0; l < a->K; l++) /* G is symmetric */
        add_scaled(a->next, a->matrix + l * a->K, a->axis[l], a->K);
    for (size_t k = 0; k < a->K; k++)
        squares += a->next[k] * a->next[k];
    const double length = sqrt(squares);
    for (size_t k = 0; k < a->K && length > 0; k++)
        a->axis[k] = a->next[k] / length;
    return length;
}

/* The first eigenvector of G, divided by sqrt(p), with its direction; zeros if the column goes with
 * no other. */
static void find_axis(struct analysis *a) {
    enum { ITERATIONS = 200 };
    const double independent = 1e-12; /* rounding errors have this size */
    double value = 0;
    size_t heaviest = 0;
    for (size_t k = 0; k < a->K; k++)
        a->axis[k] = 1 + (double)k / (double)a->K;
    for (int i = 0; i < ITERATIONS; i++)
        value = iterate(a);
    for (size_t k = 1; k < a->K; k++)
        if (fabs(a->axis[k]) > fabs(a->axis[heaviest]) * (1 + 1e-9))
            heaviest = k;
    const double sign = value <= independent ? 0 : a->axis[heaviest] < 0 ? -1 : 1;
    for (size_t k = 0; k < a->K; k++)
        a->axis[k] *= a->shares[k] > 0 ? sign / sqrt(a->shares[k]) : 0;
}

struct place {
    double score, share;
    int32_t code;
};

static int by_place(const void *left, const void *right) {
    const struct place *a = left, *b = right;
    if (a->score != b->score)
        return a->score < b->score ? -1 : 1;
    if (a->share != b->share)
        return a->share > b->share ? -1 : 1;
    return (a->code > b->code) - (a->code < b->code);
}

static void write_order(const struct analysis *a, int32_t *order) {
    struct place places[DN_MAX_LEVELS];
    for (size_t k = 0; k < a->K; k++) /* without the last digits: equal places are equal */
        places[k] = (struct place){round(a->axis[k] * 1e9) / 1e9, a->shares[k], (int32_t)k};
    qsort(places, a->K, sizeof *places, by_place);
    for (size_t k = 0; k < a->K; k++)
        order[k] = places[k].code;
}

/* A column with more levels says little about a level, and its table is large. */
static bool compares(const struct dn_codes *columns, int c, int which) {
    return c != which && columns[c].levels <= DN_MAX_LEVELS;
}

enum dn_status dn_levels_order(const struct dn_codes *columns, int count, size_t n, int which,
                               int32_t *order, struct dn_error *error) {
    const size_t K = (size_t)columns[which].levels;
    size_t most = 1;
    for (int c = 0; c < count; c++)
        if (compares(columns, c, which) && (size_t)columns[c].levels > most)
            most = (size_t)columns[c].levels;
    double *space = calloc(K * most + K * K + 4 * K + most, sizeof *space);
    if (!space)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    struct analysis a = {.n = n, .K = K, .codes = columns[which].codes, .joint = space};
    a.matrix = a.joint + K * most;
    a.shares = a.matrix + K * K;
    a.roots = a.shares + K;
    a.axis = a.roots + K;
    a.next = a.axis + K;
    for (size_t i = 0; i < n; i++)
        a.shares[a.codes[i]] += 1 / (double)n;
    for (size_t k = 0; k < K; k++)
        a.roots[k] = sqrt(a.shares[k]);
    int compared = 0;
    for (int c = 0; c < count; c++)
        if (compares(columns, c, which)) {
            add_column(&a, &columns[c], a.next + K);
            compared++;
        }
    find_matrix(&a, compared);
    find_axis(&a);
    write_order(&a, order);
    free(space);
    return DN_OK;
}
