/* Metrics against closed forms and slow references. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"
#include "engine/denoise.h"
#include "engine/metrics/assignment.h"

static double metric(enum dn_metric which, const float *x, size_t n, const float *y, size_t m,
                     int dim) {
    struct dn_points a = {x, n, dim}, b = {y, m, dim};
    struct dn_error error = {""};
    double result = -1;
    cr_assert_eq(dn_metric(which, &a, &b, &result, NULL, &error), DN_OK, "%s", error.text);
    return result;
}

static float *normals(uint64_t seed, size_t count) {
    float *values = malloc(count * sizeof *values);
    random_normals(kernels_get(), seed, RANDOM_START, 0, 0, count, values);
    return values;
}

static double distance(const float *a, const float *b, int dim) {
    double square = 0;
    for (int j = 0; j < dim; j++)
        square += ((double)a[j] - (double)b[j]) * ((double)a[j] - (double)b[j]);
    return sqrt(square);
}

/* ------------------------------------------------------------------ assignment
 */

/* The least total cost over all permutations from row `row` on. */
static double best_of_all(const float *cost, size_t n, size_t row, unsigned taken) {
    double best = row == n ? 0 : INFINITY;
    for (size_t j = 0; row < n && j < n; j++)
        if (!(taken & 1u << j))
            best = fmin(best,
                        (double)cost[row * n + j] + best_of_all(cost, n, row + 1, taken | 1u << j));
    return best;
}

static double assigned_cost(const float *cost, size_t n) {
    int32_t column_of[256];
    bool seen[256] = {false};
    double sum = 0;
    cr_assert_eq(assignment_solve(n, cost, column_of, NULL, NULL), DN_OK);
    for (size_t i = 0; i < n; i++) {
        cr_assert(column_of[i] >= 0 && (size_t)column_of[i] < n && !seen[column_of[i]]);
        seen[column_of[i]] = true;
        sum += (double)cost[i * n + (size_t)column_of[i]];
    }
    return sum;
}

Test(assignment, agrees_with_all_permutations) {
    float cost[64];
    for (uint64_t trial = 0; trial < 600; trial++) {
        const size_t n = 1 + trial % 7;
        for (size_t e = 0; e < n * n; e++) {
            double u = random_uniform(trial, RANDOM_START, 0, e);
            /* every third with many equal costs, every third with negative ones */
            cost[e] = trial % 3 == 0 ? (float)floor(4 * u) : (float)(u - (trial % 3 == 1));
        }
        cr_assert_float_eq(assigned_cost(cost, n), best_of_all(cost, n, 0, 0), 1e-6, "trial %d",
                           (int)trial);
    }
}

/* On a line the best assignment is that of the sorted numbers. */
Test(assignment, agrees_with_sorting_on_a_line) {
    enum { N = 200 };
    static float cost[N * N];
    for (uint64_t seed = 0; seed < 5; seed++) {
        float *x = normals(seed, N), *y = normals(seed + 100, N);
        for (int i = 0; i < N; i++) /* insertion sort of both */
            for (int j = i; j > 0; j--)
                for (int set = 0; set < 2; set++) {
                    float *v = set ? y : x;
                    if (v[j - 1] > v[j]) {
                        float t = v[j];
                        v[j] = v[j - 1], v[j - 1] = t;
                    }
                }
        double expected = 0;
        for (int i = 0; i < N; i++) {
            expected += pow((double)x[i] - (double)y[i], 2);
            for (int j = 0; j < N; j++)
                cost[i * N + j] = (x[i] - y[j]) * (x[i] - y[j]);
        }
        cr_assert_float_eq(assigned_cost(cost, N), expected, 1e-4 * expected);
        free(x);
        free(y);
    }
}

Test(assignment, all_equal_costs_end) {
    enum { N = 200 };
    static float cost[N * N];
    cr_assert_eq(assigned_cost(cost, N), 0);
}

Test(assignment, stops_when_asked) {
    enum { N = 200 };
    static float cost[N * N];
    int32_t column_of[N];
    volatile bool stop = true;
    for (int e = 0; e < N * N; e++)
        cost[e] = (float)((e / N) * (e % N)); /* a row prefers what all prefer */
    cr_assert_eq(assignment_solve(N, cost, column_of, &(struct dn_breaks){.stop = &stop}, NULL),
                 DN_STOPPED);
}

/* ------------------------------------------------------------------ transport
 */

Test(metrics, a_shift_is_its_own_wasserstein_distance) {
    enum { N = 300, DIM = 3 };
    const float shift[DIM] = {0.5f, -1.25f, 2};
    float *x = normals(1, N * DIM), *y = malloc(N * DIM * sizeof *y);
    for (int i = 0; i < N * DIM; i++)
        y[(N - 1) * DIM - i / DIM * DIM + i % DIM] = x[i] + shift[i % DIM]; /* in another order */
    const float zero[DIM] = {0};
    double expected = distance(shift, zero, DIM);
    cr_assert_float_eq(metric(DN_WASSERSTEIN, x, N, y, N, DIM), expected, 1e-6);
    /* E (d . shift)^2 = |shift|^2 / dim for uniform directions d */
    double sliced = metric(DN_SLICED_WASSERSTEIN, x, N, y, N, DIM);
    cr_assert_float_eq(sliced, expected / sqrt(DIM), 0.15 * expected);
    cr_assert_eq(metric(DN_WASSERSTEIN, x, N, x, N, DIM), 0);
    free(x);
    free(y);
}

/* In one dimension all directions are the same, and the sets may differ in
 * size: each x three times is as good as once. */
Test(metrics, sliced_wasserstein_is_exact_on_a_line) {
    enum { N = 128 };
    float *x = normals(2, N), *y = normals(3, N), thrice[3 * N];
    for (int i = 0; i < 3 * N; i++)
        thrice[i] = x[i / 3];
    double exact = metric(DN_WASSERSTEIN, x, N, y, N, 1);
    cr_assert_float_eq(metric(DN_SLICED_WASSERSTEIN, x, N, y, N, 1), exact, 1e-6);
    cr_assert_float_eq(metric(DN_SLICED_WASSERSTEIN, thrice, 3 * N, y, N, 1), exact, 1e-6);
    free(x);
    free(y);
}

Test(metrics, wasserstein_needs_sets_of_one_size) {
    static float points[8];
    struct dn_points a = {points, 4, 2}, b = {points, 3, 2}, none = {points, 0, 2},
                     other = {points, 4, 1};
    double result = 7;
    cr_assert_eq(dn_metric(DN_WASSERSTEIN, &a, &b, &result, NULL, NULL), DN_INVALID);
    cr_assert_eq(dn_metric(DN_COVERAGE, &a, &b, &result, NULL, NULL), DN_INVALID);
    cr_assert_eq(dn_metric(DN_CHAMFER, &a, &none, &result, NULL, NULL), DN_INVALID);
    cr_assert_eq(dn_metric(DN_CHAMFER, &a, &other, &result, NULL, NULL), DN_INVALID);
    cr_assert_eq(result, 7);
}

/* ------------------------------------------------------------------ sums over
 * pairs */

/* Two points against one, by hand: 2 (3 + 5) / 2 - 4 / 2 - 0. */
Test(metrics, energy_distance_by_hand) {
    const float x[] = {0, 0, 0, 4}, y[] = {3, 0};
    cr_assert_float_eq(metric(DN_ENERGY_DISTANCE, x, 2, y, 1, 2), 8 - 2, 1e-12);
    cr_assert_float_eq(metric(DN_ENERGY_DISTANCE, x, 2, x, 2, 2), 0, 1e-12);
}

/* By hand: nearest squares 9 and 25 from x, and 9 from y. */
Test(metrics, chamfer_by_hand) {
    const float x[] = {0, 0, 0, 4}, y[] = {3, 0};
    cr_assert_float_eq(metric(DN_CHAMFER, x, 2, y, 1, 2), 9 + 25 + 9, 1e-12);
}

/* y has two points at distance 2, so s = 2; kernel exp(-d^2 / 8). */
Test(metrics, mmd_by_hand) {
    const float x[] = {0}, y[] = {1, 3};
    double k1 = exp(-1.0 / 8), k2 = exp(-4.0 / 8), k3 = exp(-9.0 / 8);
    double expected = 1 + (2 + 2 * k2) / 4 - 2 * (k1 + k3) / 2;
    cr_assert_float_eq(metric(DN_MMD, x, 1, y, 2, 1), expected, 1e-12);
}

Test(metrics, sums_over_pairs_agree_with_double_loops) {
    enum { N = 133, M = 94, DIM = 5 };
    float *x = normals(4, N * DIM), *y = normals(5, M * DIM);
    double energy = 0, nearest = 0;
    for (int i = 0; i < N + M; i++) {
        const float *a = i < N ? x + i * DIM : y + (i - N) * DIM;
        double least = INFINITY;
        for (int j = 0; j < N + M; j++) {
            const float *b = j < N ? x + j * DIM : y + (j - N) * DIM;
            double d = distance(a, b, DIM), weight = (i < N ? 1.0 / N : -1.0 / M);
            energy -= d * weight * (j < N ? 1.0 / N : -1.0 / M);
            if ((i < N) != (j < N))
                least = fmin(least, d);
        }
        nearest += least * least;
    }
    cr_assert_float_eq(metric(DN_ENERGY_DISTANCE, x, N, y, M, DIM), energy, 1e-12);
    cr_assert_float_eq(metric(DN_CHAMFER, x, N, y, M, DIM), nearest, 1e-9);
    free(x);
    free(y);
}

/* For N(0, 1) and N(a, 1) in one dimension, E|X - Y| with X - Y ~ N(a, 2) is
 * that of a folded normal. */
Test(metrics, energy_distance_of_shifted_normals) {
    enum { N = 20000 };
    const double a = 1;
    float *x = normals(6, N), *y = normals(7, N);
    for (int i = 0; i < N; i++)
        y[i] += (float)a;
    double folded = 2 / sqrt(M_PI) * exp(-a * a / 4) + a * erf(a / 2);
    double expected = 2 * folded - 2 * 2 / sqrt(M_PI);
    cr_assert_float_eq(metric(DN_ENERGY_DISTANCE, x, N, y, N, 1), expected, 0.02);
    free(x);
    free(y);
}

/* ------------------------------------------------------------------ neighbors
 */

Test(metrics, coverage_by_hand) {
    /* on the line 0..9, the fifth neighbor is 5, 4, 3, 3, 3 away, and so on back
     */
    float y[10], x[] = {0};
    for (int i = 0; i < 10; i++)
        y[i] = (float)i;
    cr_assert_float_eq(metric(DN_COVERAGE, y, 10, y, 10, 1), 1, 1e-12);
    cr_assert_float_eq(metric(DN_COVERAGE, x, 1, y, 10, 1), 0.4, 1e-12); /* 0, 1, 2 and 3 */
}

Test(metrics, nearest_distances_by_a_slow_loop) {
    enum { N = 50, M = 77, DIM = 2 };
    float *x = normals(8, N * DIM), *y = normals(9, M * DIM);
    double distances[N];
    int32_t places[N];
    struct dn_points a = {x, N, DIM}, b = {y, M, DIM};
    cr_assert_eq(dn_nearest(&a, &b, distances, places, NULL, NULL), DN_OK);
    for (int i = 0; i < N; i++) {
        double least = INFINITY;
        int place = -1;
        for (int j = 0; j < M; j++)
            if (distance(x + i * DIM, y + j * DIM, DIM) < least) {
                least = distance(x + i * DIM, y + j * DIM, DIM);
                place = j;
            }
        cr_assert_float_eq(distances[i], least, 1e-12);
        cr_assert_eq(places[i], place);
    }
    free(x);
    free(y);
}

Test(metrics, stop_when_asked) {
    enum { N = 100 };
    float *x = normals(10, 2 * N);
    struct dn_points a = {x, N, 2};
    volatile bool stop = true;
    for (int which = 0; which < DN_METRIC_COUNT; which++) {
        double result = 7;
        if (which == DN_WASSERSTEIN)
            continue; /* equal sets leave nothing to do */
        cr_assert_eq(dn_metric((enum dn_metric)which, &a, &a, &result,
                               &(struct dn_breaks){.stop = &stop}, NULL),
                     DN_STOPPED, "%s", dn_metric_names[which]);
        cr_assert_eq(result, 7);
    }
    free(x);
}

/* KAIST CS492(D) compares 2 048 points of the Swiss roll, of variance 4 over
 * all coordinates. Two draws are 0.345 to 0.421 apart. */
Test(metrics, chamfer_floor_of_the_swiss_roll) {
    enum { N = 2048 };
    static float x[2 * N], y[2 * N];
    double sum = 0, square = 0;
    dn_pattern_draw(DN_SWISS_ROLL, 1, 0, N, x);
    dn_pattern_draw(DN_SWISS_ROLL, 2, 0, N, y);
    for (int i = 0; i < 2 * N; i++)
        sum += (double)x[i], square += (double)x[i] * (double)x[i];
    double scale = 2 / sqrt(square / (2 * N) - pow(sum / (2 * N), 2));
    double floor = scale * scale * metric(DN_CHAMFER, x, N, y, N, 2);
    cr_assert(floor > 0.33 && floor < 0.44, "%g", floor);
}
