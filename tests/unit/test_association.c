/* Columns that follow from others, and the order of levels, against slow references. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/random.h"
#include "engine/denoise.h"

enum { N = 3000, MAX_K = 12 };

static double uniform(uint32_t step, size_t i) {
    return random_uniform(11, RANDOM_DATA, step, i);
}

/* ------------------------------------------------------------------ columns that follow */

static void check_follow_but(int kept, const struct dn_codes *columns, int count,
                             const int *expected) {
    int from[8];
    cr_assert_eq(dn_columns_follow(columns, count, N, kept, from, NULL), DN_OK);
    for (int c = 0; c < count; c++)
        cr_assert_eq(from[c], expected[c], "column %d follows %d, not %d", c, from[c], expected[c]);
}

static void check_follow(const struct dn_codes *columns, int count, const int *expected) {
    check_follow_but(-1, columns, count, expected);
}

Test(association, columns_that_follow) {
    static int32_t year[N], decade[N], century[N], other[N], id[N], one[N], nearly[N], name[N];
    for (int i = 0; i < N; i++) {
        year[i] = (int32_t)(uniform(0, (size_t)i) * 100);
        decade[i] = 9 - year[i] / 10;
        century[i] = year[i] < 50;
        other[i] = (int32_t)(uniform(1, (size_t)i) * 5);
        id[i] = i;
        nearly[i] = i == 17 ? 1 - century[i] : century[i]; /* one exception in 3000 rows */
        name[i] = 99 - year[i]; /* as many levels as the year: the last one of the two follows */
    }
    const struct dn_codes y = {year, 100}, d = {decade, 10}, c = {century, 2}, o = {other, 5};
    const struct dn_codes rows = {id, N}, constant = {one, 1}, e = {nearly, 2}, same = {name, 100};
    check_follow((struct dn_codes[]){y, d, o}, 3, (int[]){-1, 0, -1});
    check_follow((struct dn_codes[]){d, o, y}, 3, (int[]){2, -1, -1});
    /* the century follows from the decade, which follows from the year */
    check_follow((struct dn_codes[]){c, d, y}, 3, (int[]){2, 2, -1});
    check_follow((struct dn_codes[]){y, d, c}, 3, (int[]){-1, 0, 0});
    check_follow((struct dn_codes[]){d, c, y}, 3, (int[]){2, 2, -1});
    check_follow((struct dn_codes[]){y, same, o}, 3, (int[]){-1, 0, -1});
    check_follow((struct dn_codes[]){rows, o, constant}, 3, (int[]){-1, -1, -1});
    check_follow((struct dn_codes[]){y, e}, 2, (int[]){-1, -1});
    /* a column that is kept may still be the one that another follows from */
    check_follow_but(1, (struct dn_codes[]){y, same, o}, 3, (int[]){1, -1, -1});
    check_follow_but(1, (struct dn_codes[]){y, d, c}, 3, (int[]){-1, -1, 1});
    int32_t map[100];
    dn_columns_map(&y, &d, N, map);
    for (int k = 0; k < 100; k++)
        cr_assert_eq(map[k], 9 - k / 10);
}

/* ------------------------------------------------------------------ intervals */

Test(association, intervals_have_equal_shares) {
    static double values[N];
    static int32_t codes[N];
    int levels, count[12] = {0};
    double low[12], high[12];
    for (int i = 0; i < N; i++)
        values[i] = i % 10 == 3 ? NAN : exp(5 * uniform(2, (size_t)i));
    cr_assert_eq(dn_columns_bin(values, N, codes, &levels, NULL), DN_OK);
    cr_assert_eq(levels, 11);
    for (int k = 0; k < 12; k++)
        low[k] = INFINITY, high[k] = -INFINITY;
    for (int i = 0; i < N; i++) {
        count[codes[i]]++;
        cr_assert_eq(isnan(values[i]), codes[i] == 10);
        low[codes[i]] = fmin(low[codes[i]], values[i]);
        high[codes[i]] = fmax(high[codes[i]], values[i]);
    }
    for (int k = 0; k < 10; k++)
        cr_assert(count[k] == 270 && (k == 0 || low[k] > high[k - 1]));
    for (int i = 0; i < N; i++) /* equal ends are one */
        values[i] = i % 4 == 0 ? i : 0;
    cr_assert_eq(dn_columns_bin(values, N, codes, &levels, NULL), DN_OK);
    cr_assert_eq(levels, 3);
    for (int i = 0; i < N; i++)
        values[i] = NAN;
    cr_assert_eq(dn_columns_bin(values, N, codes, &levels, NULL), DN_OK);
    cr_assert(levels == 1 && codes[0] == 0);
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The interval of each value as the sorted values have it. */
static void bin_slowly(const double *values, int n, int32_t *codes) {
    double sorted[N], edges[10];
    int count = 0;
    memcpy(sorted, values, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, ascending);
    for (int k = 1; k < 10; k++)
        if (sorted[n * k / 10] > (count > 0 ? edges[count - 1] : sorted[0]))
            edges[count++] = sorted[n * k / 10];
    for (int i = 0; i < n; i++) {
        codes[i] = 0;
        while (codes[i] < count && values[i] >= edges[codes[i]])
            codes[i]++;
    }
}

/* Values in orders that are hard for a quickselect: sorted, a mountain, few distinct ones, two
 * interleaved runs. */
static double hard(int order, int i, int n) {
    switch (order) {
    case 0: return i;
    case 1: return n - i;
    case 2: return i < n / 2 ? i : n - i;
    case 3: return (int)(uniform(9, (size_t)i) * 4);
    case 4: return i % 2 ? n / 2 + i : i;
    default: return uniform(10, (size_t)i) - 0.5;
    }
}

Test(association, intervals_are_those_of_sorted_values) {
    static double values[N];
    static int32_t codes[N], slow[N];
    static const int sizes[] = {1, 2, 9, 10, 33, 100, 1000, N};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        for (int order = 0; order < 6; order++) {
            const int n = sizes[k];
            int levels;
            for (int i = 0; i < n; i++)
                values[i] = hard(order, i, n);
            bin_slowly(values, n, slow);
            cr_assert_eq(dn_columns_bin(values, (size_t)n, codes, &levels, NULL), DN_OK);
            for (int i = 0; i < n; i++)
                cr_assert_eq(codes[i], slow[i], "order %d, value %d of %d", order, i, n);
        }
}

/* ------------------------------------------------------------------ the order of levels */

/* Eigenvalues and eigenvectors (rows of v) of a symmetric matrix: Jacobi's rotations. */
static void jacobi(int n, double m[MAX_K][MAX_K], double v[MAX_K][MAX_K]) {
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            v[i][j] = i == j;
    for (int sweep = 0; sweep < 60; sweep++)
        for (int p = 0; p < n; p++)
            for (int q = p + 1; q < n; q++) {
                const double angle = 0.5 * atan2(2 * m[p][q], m[q][q] - m[p][p]);
                const double c = cos(angle), s = sin(angle);
                for (int k = 0; k < n; k++) {
                    const double x = m[k][p], y = m[k][q];
                    m[k][p] = c * x - s * y;
                    m[k][q] = s * x + c * y;
                }
                for (int k = 0; k < n; k++) {
                    const double x = m[p][k], y = m[q][k], a = v[p][k], b = v[q][k];
                    m[p][k] = c * x - s * y;
                    m[q][k] = s * x + c * y;
                    v[p][k] = c * a - s * b;
                    v[q][k] = s * a + c * b;
                }
            }
}

/* The scores of the levels by the definition: the first axis of the standardized residuals
 * (n_kb - p_k q_b) / sqrt(p_k q_b) of all tables side by side. */
static void slow_scores(const struct dn_codes *columns, int count, int which, double *scores) {
    static double m[MAX_K][MAX_K], v[MAX_K][MAX_K];
    const int K = columns[which].levels;
    double p[MAX_K] = {0};
    memset(m, 0, sizeof m);
    for (int i = 0; i < N; i++)
        p[columns[which].codes[i]] += 1.0 / N;
    for (int c = 0; c < count; c++)
        for (int b = 0; c != which && b < columns[c].levels; b++) {
            double residual[MAX_K], joint[MAX_K] = {0}, q = 0;
            for (int i = 0; i < N; i++) {
                joint[columns[which].codes[i]] += columns[c].codes[i] == b ? 1.0 / N : 0;
                q += columns[c].codes[i] == b ? 1.0 / N : 0;
            }
            for (int k = 0; k < K; k++)
                residual[k] = (joint[k] - p[k] * q) / sqrt(p[k] * q);
            for (int k = 0; k < K; k++)
                for (int l = 0; l < K; l++)
                    m[k][l] += residual[k] * residual[l];
        }
    jacobi(K, m, v);
    int best = 0, heaviest = 0;
    for (int k = 1; k < K; k++)
        best = m[k][k] > m[best][best] ? k : best;
    for (int k = 1; k < K; k++)
        heaviest = fabs(v[best][k]) > fabs(v[best][heaviest]) ? k : heaviest;
    for (int k = 0; k < K; k++)
        scores[k] = v[best][k] * (v[best][heaviest] < 0 ? -1 : 1) / sqrt(p[k]);
}

static void check_order(const struct dn_codes *columns, int count, int which, int32_t *order) {
    double scores[MAX_K];
    bool seen[MAX_K] = {false};
    cr_assert_eq(dn_levels_order(columns, count, N, which, order, NULL), DN_OK);
    slow_scores(columns, count, which, scores);
    for (int k = 0; k < columns[which].levels; k++) {
        cr_assert_not(seen[order[k]]);
        seen[order[k]] = true;
        cr_assert(k == 0 || scores[order[k - 1]] <= scores[order[k]] + 1e-6, "%g before %g",
                  scores[order[k - 1]], scores[order[k]]);
    }
}

/* Levels with a hidden order, in which two other columns follow with noise. */
Test(association, the_order_is_that_of_the_first_axis) {
    enum { K = 9 };
    static const int hidden[K] = {4, 1, 8, 0, 6, 2, 7, 3, 5}; /* the place of each level */
    static int32_t level[N], coarse[N], noisy[N];
    for (int i = 0; i < N; i++) {
        level[i] = (int32_t)(K * uniform(3, (size_t)i) * uniform(4, (size_t)i));
        const double place = hidden[level[i]] + 2 * (uniform(5, (size_t)i) - 0.5);
        coarse[i] = place < 2 ? 0 : place < 4 ? 1 : place < 6 ? 2 : 3;
        noisy[i] = (int32_t)fmin(6, fmax(0, place + 3 * (uniform(6, (size_t)i) - 0.5)));
    }
    const struct dn_codes a = {level, K}, b = {coarse, 4}, c = {noisy, 7};
    int32_t order[MAX_K], other[MAX_K];
    check_order((struct dn_codes[]){a, b, c}, 3, 0, order);
    const int step = hidden[order[0]] < hidden[order[K - 1]] ? 1 : -1;
    for (int k = 0; k < K; k++)
        cr_assert_eq(hidden[order[k]], step > 0 ? k : K - 1 - k);
    /* in whatever order the columns are */
    check_order((struct dn_codes[]){c, a, b}, 3, 1, other);
    cr_assert_arr_eq(order, other, K * sizeof *order);
    check_order((struct dn_codes[]){a, b, c}, 3, 1, order);
    check_order((struct dn_codes[]){a, b, c}, 3, 2, order);
    /* and in whatever order the levels are */
    static int32_t renamed[N];
    for (int i = 0; i < N; i++)
        renamed[i] = K - 1 - level[i];
    check_order((struct dn_codes[]){a, b, c}, 3, 0, order);
    check_order((struct dn_codes[]){{renamed, K}, b, c}, 3, 0, other);
    for (int k = 0; k < K; k++)
        cr_assert_eq(other[k], K - 1 - order[k]);
}

/* Without another column, or one that says nothing, frequencies decide. */
Test(association, independent_levels_are_in_the_order_of_their_frequencies) {
    static int32_t level[N], halves[N];
    static const int32_t pattern[12] = {2, 1, 2, 3, 2, 1, 2, 0, 3, 1, 2, 3}; /* 1, 3, 5, 3 times */
    static const int32_t expected[4] = {2, 1, 3, 0};
    int32_t order[4];
    for (int i = 0; i < N; i++) {
        level[i] = pattern[i / 2 % 12];
        halves[i] = i % 2;
    }
    const struct dn_codes columns[] = {{level, 4}, {halves, 2}};
    for (int count = 1; count <= 2; count++) {
        cr_assert_eq(dn_levels_order(columns, count, N, 0, order, NULL), DN_OK);
        cr_assert_arr_eq(order, expected, sizeof order);
    }
}
