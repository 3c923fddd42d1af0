/* The report on synthetic tables against closed forms and slow references. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"
#include "engine/denoise.h"

enum { MOST_COLUMNS = 8, MOST_PAIRS = MOST_COLUMNS * (MOST_COLUMNS - 1) / 2, NUMBER = 0 };

/* Room for the results of up to MOST_COLUMNS columns. */
struct result {
    struct dn_table_report report;
    struct dn_column_report columns[MOST_COLUMNS];
    struct dn_measured pairs[MOST_PAIRS];
};

static enum dn_status try_report(const struct dn_table_rows *table, struct result *result,
                                 struct dn_error *error) {
    result->report.columns = result->columns;
    result->report.pairs = result->pairs;
    return dn_table_report(table, 7, &result->report, NULL, error);
}

static void make_report(const struct dn_table_rows *table, struct result *result) {
    struct dn_error error = {""};
    memset(result, 0, sizeof *result);
    cr_assert_eq(try_report(table, result, &error), DN_OK, "%s", error.text);
}

static double *doubles(size_t count) {
    return calloc(count, sizeof(double));
}

static double uniform(uint64_t seed, size_t i) {
    return random_uniform(seed, RANDOM_START, 0, i);
}

/* values [count] of N(0, 1). */
static double *normals(uint64_t seed, size_t count) {
    float *singles = malloc(count * sizeof *singles);
    double *values = doubles(count);
    random_normals(kernels_get(), seed, RANDOM_START, 1, 0, count, singles);
    for (size_t i = 0; i < count; i++)
        values[i] = (double)singles[i];
    free(singles);
    return values;
}

/* ------------------------------------------------------------------ columns and pairs
 */

Test(table_report, a_shift_of_uniform_numbers_is_their_distance) {
    enum { N = 1000, SHIFT = 130 };
    double real[N], moved[N];
    const int levels[] = {NUMBER};
    for (int i = 0; i < N; i++) {
        real[i] = i;
        moved[N - 1 - i] = i + SHIFT;
    }
    struct result result;
    make_report(&(struct dn_table_rows){1, levels, {real, N}, {NULL, 0}, {moved, N}}, &result);
    cr_assert_float_eq(result.columns[0].distance.value, SHIFT / (double)N, 1e-12);
    cr_assert_eq(result.report.shape.value, result.columns[0].distance.value);
    cr_assert(result.columns[0].distance.floor > 0 && result.columns[0].distance.floor < 0.1);
    cr_assert(isnan(result.report.trend.value), "one column has no pairs");
    cr_assert(isnan(result.report.nearer_to_training.value), "no rows were held out");
    cr_assert(isnan(result.report.copies.floor));
    cr_assert_float_eq(result.report.copies.value, 1 - SHIFT / (double)N, 1e-12);
}

/* Shares .5 .3 .2 against .2 .3 .2 and .3 missing. */
Test(table_report, categories_differ_by_the_total_variation) {
    double real[10] = {0, 0, 0, 0, 0, 1, 1, 1, 2, 2}, other[20], equal[30];
    const int levels[] = {3};
    for (int i = 0; i < 20; i++)
        other[i] = i < 4 ? 0 : i < 10 ? 1 : i < 14 ? 2 : (double)NAN;
    for (int i = 0; i < 30; i++)
        equal[i] = real[i % 10];
    struct result result;
    struct dn_table_rows table = {1, levels, {real, 10}, {NULL, 0}, {other, 20}};
    make_report(&table, &result);
    cr_assert_float_eq(result.columns[0].distance.value, 0.3, 1e-15);
    cr_assert_float_eq(result.columns[0].missing.value, 0.3, 1e-15);
    table.synthetic = (struct dn_rows){equal, 30};
    make_report(&table, &result);
    cr_assert_eq(result.columns[0].distance.value, 0, "the shares are equal");
}

Test(table_report, missing_numbers_are_a_figure_of_their_own) {
    enum { N = 400 };
    double real[N], synthetic[N], none[N];
    const int levels[] = {NUMBER};
    for (int i = 0; i < N; i++) {
        real[i] = i % 4 ? i / 4 : (double)NAN;
        synthetic[i] = i % 2 ? i / 4 : (double)NAN;
        none[i] = NAN;
    }
    struct result result;
    struct dn_table_rows table = {1, levels, {real, N}, {NULL, 0}, {synthetic, N}};
    make_report(&table, &result);
    cr_assert_float_eq(result.columns[0].missing.value, 0.25, 1e-15);
    cr_assert_float_eq(result.columns[0].distance.value, 0, 1e-12, "those that are there agree");
    table.synthetic.values = none;
    make_report(&table, &result);
    cr_assert_eq(result.columns[0].distance.value, 1);
    cr_assert_float_eq(result.columns[0].missing.value, 0.75, 1e-15);
    table.training.values = none;
    make_report(&table, &result);
    cr_assert_eq(result.columns[0].distance.value, 0);
}

/* ------------------------------------------------------------------ slow references
 */

struct slow {
    const double *values;
    size_t n;
    int dim;
};

static double slow_share_up_to(const struct slow *rows, int j, double limit) {
    size_t below = 0, all = 0;
    for (size_t i = 0; i < rows->n; i++) {
        const double value = rows->values[i * (size_t)rows->dim + (size_t)j];
        below += value <= limit;
        all += isnan(value) ? 0 : 1;
    }
    return (double)below / (double)all;
}

static double slow_ks(const struct slow *x, const struct slow *y, int j) {
    double most = 0;
    for (int set = 0; set < 2; set++)
        for (size_t i = 0; i < (set ? y : x)->n; i++) {
            const double at = (set ? y : x)->values[i * (size_t)x->dim + (size_t)j];
            if (!isnan(at))
                most = fmax(most, fabs(slow_share_up_to(x, j, at) - slow_share_up_to(y, j, at)));
        }
    return most;
}

static double slow_correlation(const struct slow *rows, int a, int b) {
    double n = 0, mean[2] = {0}, s[3] = {0};
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < rows->n; i++) {
            const double x = rows->values[i * (size_t)rows->dim + (size_t)a];
            const double y = rows->values[i * (size_t)rows->dim + (size_t)b];
            if (isnan(x + y))
                continue;
            if (pass == 0) {
                n++, mean[0] += x, mean[1] += y;
            } else {
                const double u = x - mean[0] / n, v = y - mean[1] / n;
                s[0] += u * u, s[1] += v * v, s[2] += u * v;
            }
        }
    return s[2] / sqrt(s[0] * s[1]);
}

/* The level of a value: its code, its bin of ten over the range of x, or -1 if it is missing. */
static int slow_level(const struct slow *x, const int *levels, int j, double value) {
    if (isnan(value) || levels[j])
        return isnan(value) ? -1 : (int)value;
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < x->n; i++) {
        low = fmin(low, x->values[i * (size_t)x->dim + (size_t)j]);
        high = fmax(high, x->values[i * (size_t)x->dim + (size_t)j]);
    }
    int level = (int)floor((value - low) / (high - low) * 10);
    return level < 0 ? 0 : level > 9 ? 9 : level;
}

static double slow_variation(const struct slow *x, const struct slow *y, const int *levels, int a,
                             int b) {
    double cells[12][12] = {{0}}, sum = 0;
    for (int set = 0; set < 2; set++) {
        const struct slow *rows = set ? y : x;
        for (size_t i = 0; i < rows->n; i++) {
            const double *row = rows->values + i * (size_t)rows->dim;
            const int k = slow_level(x, levels, a, row[a]), l = slow_level(x, levels, b, row[b]);
            cells[k + 1][l + 1] += (set ? -1 : 1) / (double)rows->n;
        }
    }
    for (int k = 0; k < 12; k++)
        for (int l = 0; l < 12; l++)
            sum += fabs(cells[k][l]);
    return sum / 2;
}

/* Mixed columns with ties and missing values, which depend on each other. */
static double *mixed_rows(uint64_t seed, size_t n, double bend) {
    double *values = doubles(n * 5), *z = normals(seed, n * 5);
    for (size_t i = 0; i < n; i++) {
        double *row = values + i * 5;
        const double *at = z + i * 5;
        row[0] = at[0];
        row[1] = at[0] * bend + at[1];
        row[2] = floor(4 * at[2]);
        row[3] = at[0] > 1 ? 0 : at[3] > bend ? 1 : 2;
        row[4] = at[1] + at[4] > 0 ? 1 : 0;
        for (size_t j = 1; j < 5; j++)
            if (uniform(seed, i * 5 + j) < 0.1)
                row[j] = NAN;
    }
    free(z);
    return values;
}

Test(table_report, distances_agree_with_slow_ones) {
    enum { N = 300, M = 170, DIM = 5 };
    const int levels[DIM] = {NUMBER, NUMBER, NUMBER, 3, 2};
    double *real = mixed_rows(1, N, 0.8), *synthetic = mixed_rows(2, M, 0.3);
    const struct slow x = {real, N, DIM}, y = {synthetic, M, DIM};
    struct result result;
    make_report(&(struct dn_table_rows){DIM, levels, {real, N}, {NULL, 0}, {synthetic, M}},
                &result);
    double shape = 0, trend = 0;
    size_t pair = 0;
    for (int a = 0; a < DIM; a++) {
        const double distance =
            levels[a] ? slow_variation(&x, &y, levels, a, a) : slow_ks(&x, &y, a);
        cr_assert_float_eq(result.columns[a].distance.value, distance, 1e-12, "column %d", a);
        shape += distance / DIM;
        for (int b = a + 1; b < DIM; b++, pair++) {
            const double apart =
                levels[a] || levels[b]
                    ? slow_variation(&x, &y, levels, a, b)
                    : fabs(slow_correlation(&x, a, b) - slow_correlation(&y, a, b)) / 2;
            cr_assert_float_eq(result.pairs[pair].value, apart, 1e-12, "columns %d and %d", a, b);
            trend += apart / 10;
        }
    }
    cr_assert_eq(pair, 10);
    cr_assert_float_eq(result.report.shape.value, shape, 1e-12);
    cr_assert_float_eq(result.report.trend.value, trend, 1e-12);
    cr_assert_gt(result.report.trend.value, 0.05, "the dependence differs");
    free(real);
    free(synthetic);
}

/* Correlation 0.8 against none: half of 0.8, within three standard errors of 1 / sqrt(n). */
Test(table_report, a_lost_correlation_is_half_its_size) {
    enum { N = 20000 };
    const int levels[] = {NUMBER, NUMBER};
    double *real = normals(3, 2 * N), *synthetic = normals(4, 2 * N);
    for (size_t i = 0; i < N; i++) /* large numbers with small differences */
        real[2 * i + 1] = 1e9 + 0.8 * real[2 * i] + 0.6 * real[2 * i + 1];
    struct result result;
    make_report(&(struct dn_table_rows){2, levels, {real, N}, {NULL, 0}, {synthetic, N}}, &result);
    cr_assert_float_eq(result.pairs[0].value, 0.4, 1.5 * sqrt(2.0 / N));
    cr_assert_lt(result.pairs[0].floor, 1.5 * sqrt(4.0 / N));
    free(real);
    free(synthetic);
}

Test(table_report, a_number_that_does_not_vary_has_no_correlation) {
    enum { N = 100 };
    const int levels[] = {NUMBER, NUMBER};
    double real[2 * N], synthetic[2 * N];
    for (int i = 0; i < N; i++) {
        real[2 * i] = i, real[2 * i + 1] = i % 7;
        synthetic[2 * i] = i, synthetic[2 * i + 1] = 0.1;
    }
    struct result result;
    struct dn_table_rows table = {2, levels, {real, N}, {NULL, 0}, {synthetic, N}};
    make_report(&table, &result);
    cr_assert_eq(result.pairs[0].value, 1);
    table.training.values = synthetic, table.synthetic.values = real;
    make_report(&table, &result);
    cr_assert_eq(result.pairs[0].value, 0);
}

/* ------------------------------------------------------------------ detection
 */

static double detection(const double *real, const double *synthetic, size_t n, int dim,
                        const int *levels) {
    struct result result;
    make_report(&(struct dn_table_rows){dim, levels, {real, n}, {NULL, 0}, {synthetic, n}},
                &result);
    return result.report.detection.value;
}

/* Of two normals of deviation 1, d apart, the best AUC is Phi(d / sqrt 2). The standard error of an
 * AUC with 2 500 rows of each is at most 0.0082. */
Test(table_report, trees_tell_two_normals_apart_as_well_as_can_be) {
    enum { N = 2500 };
    const int levels[] = {NUMBER};
    for (int k = 0; k <= 4; k++) {
        const double apart = 0.5 * k;
        double *real = normals(5, N), *moved = normals(6 + (uint64_t)k, N);
        for (size_t i = 0; i < N; i++)
            moved[i] += apart;
        const double best = erfc(-apart / 2) / 2;
        cr_assert_float_eq(detection(real, moved, N, 1, levels), best, 0.025, "%g apart", apart);
        free(real);
        free(moved);
    }
}

/* Equal columns, with correlation 0.95 or without: a linear classifier has an AUC of 0.5. */
Test(table_report, trees_see_that_a_dependence_is_lost) {
    enum { N = 2500 };
    const int levels[] = {NUMBER, NUMBER};
    double *real = normals(11, 2 * N), *synthetic = normals(12, 2 * N);
    for (size_t i = 0; i < N; i++)
        real[2 * i + 1] = 0.95 * real[2 * i] + sqrt(1 - 0.95 * 0.95) * real[2 * i + 1];
    /* the log-likelihood ratio of the two, by 10^6 draws: 0.876 */
    cr_assert_float_eq(detection(real, synthetic, N, 2, levels), 0.876, 0.03);
    free(real);
    free(synthetic);
}

/* Half of the synthetic numbers are missing: AUC 1/2 + 1/2 * 1/2. */
Test(table_report, trees_see_missing_values) {
    enum { N = 2000 };
    const int levels[] = {NUMBER};
    double *real = doubles(N), *synthetic = doubles(N);
    for (size_t i = 0; i < N; i++)
        synthetic[i] = uniform(13, i) < 0.5 ? 0 : (double)NAN;
    cr_assert_float_eq(detection(real, synthetic, N, 1, levels), 0.75, 0.02);
    cr_assert_eq(detection(real, real, N, 1, levels), 0.5, "all rows are equal");
    cr_assert_eq(detection(real, synthetic, 10, 1, levels), 0.5, "too few rows for a split");
    for (size_t i = 0; i < N; i++)
        synthetic[i] = NAN;
    cr_assert_eq(detection(real, synthetic, N, 1, levels), 1);
    free(real);
    free(synthetic);
}

/* ------------------------------------------------------------------ privacy
 */

/* The rank of a value among the numbers of a column, 0..1; ties share the middle of their ranks. */
static double slow_rank(const struct slow *rows, int j, double value) {
    double below = 0, all = 0;
    for (size_t i = 0; i < rows->n; i++) {
        const double other = rows->values[i * (size_t)rows->dim + (size_t)j];
        below += other < value ? 1 : other <= value ? 0.5 : 0;
        all += isnan(other) ? 0 : 1;
    }
    return below / all;
}

static double slow_gower(const struct slow *scale, const int *levels, const double *a,
                         const double *b) {
    double sum = 0;
    for (int j = 0; j < scale->dim; j++)
        if (isnan(a[j]) || isnan(b[j]))
            sum += isnan(a[j]) && isnan(b[j]) ? 0 : 1;
        else if (levels[j])
            sum += a[j] < b[j] || a[j] > b[j];
        else
            sum += fabs(slow_rank(scale, j, a[j]) - slow_rank(scale, j, b[j]));
    return sum;
}

static double slow_nearest(const struct slow *scale, const int *levels, const struct slow *rows,
                           const double *query) {
    double least = INFINITY;
    for (size_t i = 0; i < rows->n; i++)
        least = fmin(least, slow_gower(scale, levels, query, rows->values + i * (size_t)rows->dim));
    return least;
}

Test(table_report, nearest_rows_agree_with_slow_ones) {
    enum { N = 150, DIM = 5 };
    const int levels[DIM] = {NUMBER, NUMBER, NUMBER, 3, 2};
    double *real = mixed_rows(21, N, 0.8), *held = mixed_rows(22, N, 0.8);
    double *synthetic = mixed_rows(23, N, 0.8);
    const struct slow x = {real, N, DIM}, y = {held, N, DIM};
    double nearer = 0;
    for (size_t i = 0; i < N; i++) {
        const double *query = synthetic + i * DIM;
        const double near = slow_nearest(&x, levels, &x, query);
        const double far = slow_nearest(&x, levels, &y, query);
        nearer += fabs(near - far) < 1e-6 ? 0.5 : near < far;
    }
    struct result result;
    make_report(&(struct dn_table_rows){DIM, levels, {real, N}, {held, N}, {synthetic, N}},
                &result);
    cr_assert_float_eq(result.report.nearer_to_training.value, nearer / N, 1e-12);
    cr_assert(isnan(result.report.nearer_to_training.floor), "no training row is left");
    free(real);
    free(held);
    free(synthetic);
}

Test(table_report, copies_are_found_and_fresh_rows_are_not_nearer) {
    enum { N = 3000, HELD = 1000, DIM = 5 };
    const int levels[DIM] = {NUMBER, NUMBER, NUMBER, 3, 2};
    double *real = mixed_rows(31, N, 0.8), *held = mixed_rows(32, N, 0.8);
    double *fresh = mixed_rows(33, N, 0.8);
    struct result result;
    struct dn_table_rows table = {DIM, levels, {real, N}, {held, N}, {real, N}};
    make_report(&table, &result);
    cr_assert_eq(result.report.nearer_to_training.value, 1);
    cr_assert_eq(result.report.copies.value, 1);
    cr_assert_eq(result.report.copies.floor, 0, "column 0 is different in all rows");
    table.synthetic.values = held;
    make_report(&table, &result);
    cr_assert_eq(result.report.nearer_to_training.value, 0);
    cr_assert_eq(result.report.copies.value, 0);
    table.synthetic.values = fresh;
    table.holdout.n = HELD;
    make_report(&table, &result);
    /* the choice of the rows and that of the queries each have this standard error at most */
    const double error = 0.5 / sqrt(HELD) + 0.5 / sqrt(N);
    cr_assert_float_eq(result.report.nearer_to_training.value, 0.5, 3 * error);
    cr_assert_float_eq(result.report.nearer_to_training.floor, 0.5, 3 * error);
    free(real);
    free(held);
    free(fresh);
}

Test(table_report, copies_are_exact_but_for_the_sign_of_zero) {
    const int levels[] = {NUMBER, 3};
    double real[] = {0.0, 1, NAN, 2, 0.1, NAN, 7, 0}, synthetic[] = {-0.0, 1, NAN, 2, 0.1, 2, 7, 1};
    double held[] = {7, 0, 8, 0};
    held[2] = nextafter(7, 8);
    struct result result;
    make_report(&(struct dn_table_rows){2, levels, {real, 4}, {held, 2}, {synthetic, 4}}, &result);
    cr_assert_eq(result.report.copies.value, 0.5);
    cr_assert_eq(result.report.copies.floor, 0.5);
}

/* ------------------------------------------------------------------ rules
 */

Test(table_report, is_determined_by_rows_and_seed) {
    enum { N = 500, DIM = 5 };
    const int levels[DIM] = {NUMBER, NUMBER, NUMBER, 3, 2};
    double *real = mixed_rows(41, N, 0.8), *synthetic = mixed_rows(42, N, 0.4);
    const struct dn_table_rows table = {DIM, levels, {real, N}, {real, 100}, {synthetic, N}};
    struct result first, second;
    make_report(&table, &first);
    make_report(&table, &second);
    cr_assert_arr_eq(first.columns, second.columns, sizeof first.columns);
    cr_assert_arr_eq(first.pairs, second.pairs, sizeof first.pairs);
    cr_assert_arr_eq(&first.report.shape, &second.report.shape,
                     sizeof first.report - offsetof(struct dn_table_report, shape));
    free(real);
    free(synthetic);
}

/* Extreme numbers overflow in no sum. */
Test(table_report, the_largest_numbers_have_figures) {
    const int levels[] = {NUMBER, NUMBER};
    double real[] = {-1.7e308, 1, 1.7e308, 2, 0, 3, 1e308, 4};
    struct result result;
    make_report(&(struct dn_table_rows){2, levels, {real, 4}, {real, 4}, {real, 4}}, &result);
    cr_assert_eq(result.report.shape.value, 0);
    cr_assert_eq(result.report.trend.value, 0);
    cr_assert_eq(result.report.nearer_to_training.value, 0.5, "both have all rows");
}

static void refuse(struct dn_table_rows table, const char *words) {
    struct result result, before;
    struct dn_error error = {""};
    memset(&result, 0x5a, sizeof result);
    result.report.columns = result.columns;
    result.report.pairs = result.pairs;
    before = result;
    cr_assert_eq(try_report(&table, &result, &error), DN_INVALID, "%s", words);
    cr_assert(strstr(error.text, words), "%s", error.text);
    cr_assert_arr_eq(&result, &before, sizeof result);
}

Test(table_report, refuses_what_is_no_table) {
    const int levels[] = {NUMBER, 3}, many[] = {NUMBER, DN_MAX_REPORT_LEVELS + 1},
              negative[] = {-1, 3};
    double good[] = {0, 0, 1, 1, 2, 2, 3, 0}, infinite[] = {0, 0, INFINITY, 1};
    double high[] = {0, 0, 0, 3}, low[] = {0, -1, 0, 0}, half[] = {0, 0.5, 0, 0};
    const struct dn_table_rows table = {2, levels, {good, 4}, {good, 4}, {good, 4}};
    struct dn_table_rows wrong = table;
    wrong.dim = 0, refuse(wrong, "1 to 1024 columns");
    wrong.dim = DN_MAX_REPORT_COLUMNS + 1, refuse(wrong, "1 to 1024 columns");
    wrong = table, wrong.levels = many, refuse(wrong, "column 1 has 4097 levels, not 0 to 4096");
    wrong.levels = negative, refuse(wrong, "column 0 has -1 levels");
    wrong = table, wrong.training.n = 3, refuse(wrong, "at least 4 training rows");
    wrong = table, wrong.synthetic.n = 1, refuse(wrong, "2 synthetic");
    wrong = table, wrong.training.n = (size_t)INT32_MAX + 1, refuse(wrong, "more than");
    wrong = table, wrong.synthetic = (struct dn_rows){infinite, 2};
    refuse(wrong, "synthetic: row 1, column 0 is infinite");
    wrong = table, wrong.holdout = (struct dn_rows){high, 2};
    refuse(wrong, "holdout: row 1, column 1 is not one of the codes 0 to 2");
    wrong.holdout.values = low, refuse(wrong, "row 0, column 1");
    wrong.holdout.values = half, refuse(wrong, "row 0, column 1");
}

struct countdown {
    int calls, stop_at;
    volatile bool stop;
};

static void count_down(void *context) {
    struct countdown *countdown = context;
    countdown->stop = ++countdown->calls == countdown->stop_at;
}

/* At each break a stop ends the report, and nothing is written. */
Test(table_report, stops_when_asked) {
    enum { N = 60, DIM = 5 };
    const int levels[DIM] = {NUMBER, NUMBER, NUMBER, 3, 2};
    double *real = mixed_rows(51, N, 0.8), *synthetic = mixed_rows(52, N, 0.4);
    const struct dn_table_rows table = {DIM, levels, {real, N}, {real, N}, {synthetic, N}};
    struct countdown countdown = {0};
    const struct dn_breaks breaks = {&countdown.stop, count_down, &countdown};
    enum dn_status status = DN_STOPPED;
    for (int k = 1; status == DN_STOPPED; k++) {
        struct result result = {0};
        result.report.columns = result.columns;
        result.report.pairs = result.pairs;
        result.columns[0].distance.value = -1;
        countdown = (struct countdown){.stop_at = k};
        status = dn_table_report(&table, 7, &result.report, &breaks, NULL);
        cr_assert_eq(countdown.calls >= k, status == DN_STOPPED);
        cr_assert_eq(result.columns[0].distance.value < 0, status == DN_STOPPED);
    }
    cr_assert_eq(status, DN_OK);
    cr_assert_gt(countdown.calls, 300, "each tree, pair and row");
    free(real);
    free(synthetic);
}
