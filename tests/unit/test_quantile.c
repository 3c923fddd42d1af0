/* Rank to normal: the normal distribution, the ranks, the maps and their way back. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"
#include "engine/table/normal.h"
#include "engine/table/quantile.h"

/* ------------------------------------------------------------------ the normal distribution */

Test(quantile, published_percentage_points) {
    static const struct {
        double share, score;
    } points[] = {
        /* the tests of AS 241, and tables of percentage points */
        {0.25, -0.6744897501960817}, {0.001, -3.090232306167814}, {1e-20, -9.262340089798408},
        {0.975, 1.959963984540054},  {0.9995, 3.290526731491926}, {0.5, 0},
        {0.075, -1.439531470938456}, {1e-9, -5.997807015007687},  {1e-100, -21.27345356096532},
    };
    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        cr_assert_float_eq(normal_score(points[i].share), points[i].score,
                           1e-12 * (1 + fabs(points[i].score)), "%g: %.17g", points[i].share,
                           normal_score(points[i].share));
    cr_assert_eq(normal_score(0), -INFINITY);
    cr_assert_eq(normal_score(1), INFINITY);
    for (double share = 1e-300; share < 0.5; share *= 1.37)
        cr_assert_float_eq(normal_share(normal_score(share)) / share, 1, 2e-12, "%g", share);
    for (double z = -8; z <= 5; z += 1.0 / 128)
        cr_assert_float_eq(normal_score(normal_share(z)), z, z < 0 ? 1e-12 : 2e-9, "%g", z);
}

/* What the kernel should draw for a cell, in double. */
static double slow_score(uint64_t seed, uint32_t epoch, uint64_t cell, int below, int count,
                         int n) {
    const uint64_t group = cell / NORMALS_GROUP, element = cell % NORMALS_GROUP;
    const uint64_t lanes = NORMALS_GROUP / 4;
    uint32_t block[4];
    random_block(seed, RANDOM_RANK, epoch, group * lanes + element % lanes, block);
    const double place = 0.001 + 0.998 * ((block[element / lanes] & 0x7fffffff) / 0x1p31);
    const double low = (below + count * place) / n;
    const double high = (n - below - count + count * (1 - place)) / n;
    return low < high ? normal_score(low) : -normal_score(high);
}

Test(quantile, every_kernel_draws_scores_in_the_intervals) {
    enum { N = 1000000, DIM = 3, CELLS = 7 * NORMALS_GROUP };
    int32_t below[CELLS], count[CELLS];
    float out[CELLS];
    for (int i = 0; i < CELLS; i++) {
        static const int counts[] = {1, 3, 500, 200000, N};
        count[i] = counts[i % 5];
        below[i] = i % 2 ? (N - count[i]) * (i % 7) / 6 : (N - count[i]) * (i / 64 == 0);
    }
    for (size_t k = 0; kernels_built[k]; k++) {
        const struct kernels *kernels = kernels_built[k];
        if (!kernels_supported(kernels))
            continue;
        for (uint32_t epoch = 0; epoch < 50; epoch++) {
            for (uint64_t group = 0; group < CELLS / NORMALS_GROUP; group++)
                kernels->scores(7, RANDOM_RANK, epoch, group, below + group * NORMALS_GROUP,
                                count + group * NORMALS_GROUP, N, 1, out + group * NORMALS_GROUP);
            for (int i = 0; i < CELLS; i++) {
                const double right = slow_score(7, epoch, (uint64_t)i, below[i], count[i], N);
                cr_assert_float_eq((double)out[i], right, fabs(right) < 5 ? 1e-5 : 5e-4,
                                   "%s %d: %g, not %g", kernels->name, i, (double)out[i], right);
            }
        }
    }
}

/* ------------------------------------------------------------------ maps */

/* One column. */
static struct quantiles fit(const double *values, size_t n, struct ranks *ranks) {
    struct quantiles map;
    struct dn_error error;
    cr_assert_eq(ranks_init(ranks, n, 1, kernels_get(), &error), DN_OK);
    const struct quantile_table table = {.n = n, .dim = 1, .values = values};
    cr_assert_eq(quantiles_fit(&table, &map, ranks, &error), DN_OK);
    cr_assert_eq(quantiles_check(&map, &error), DN_OK, "%s", error.text);
    cr_assert_leq((size_t)map.columns[0].count * 16, quantiles_bytes(n, 1));
    return map;
}

static void clear(struct quantiles *map, struct ranks *ranks) {
    quantiles_clear(map);
    ranks_clear(ranks);
}

static bool same(double a, double b) {
    return a == b || (isnan(a) && isnan(b));
}

/* The ranks, by counting. */
static void check_ranks(const double *values, size_t n, const struct ranks *ranks) {
    for (size_t i = 0; i < n; i++) {
        int below = 0, count = 0;
        for (size_t k = 0; k < n; k++) {
            below += isnan(values[i]) ? 0 : isnan(values[k]) || values[k] < values[i];
            count += same(values[i], values[k]);
        }
        cr_assert_eq(ranks->below[i], below, "row %zu", i);
        cr_assert_eq(ranks->count[i], count, "row %zu", i);
    }
}

/* Every value comes back from the middle of its interval, and from a score that an epoch draws, if
 * the column has no lines. */
static void check_back(const double *values, size_t n, const struct quantiles *map,
                       const struct ranks *ranks) {
    const struct dn_quantile *column = &map->columns[0];
    float *scores = floats_new(ranks_values(n, 1));
    double low, high;
    quantile_range(column, &low, &high);
    cr_assert(isfinite(low) && isfinite(high) && low < high);
    for (uint32_t epoch = 0; epoch < 20; epoch++) {
        ranks_draw(ranks, 3, epoch, 1, 0, 1, scores);
        for (size_t i = 0; i < n; i++) {
            const double score = (double)scores[i], back = quantile_backward(column, score);
            cr_assert(score > low - 1e-5 && score < high + 1e-5, "%g in %g..%g", score, low, high);
            cr_assert(isnan(values[i]) == isnan(back));
            if (!column->interpolates)
                cr_assert(same(back, values[i]), "%.17g, not %.17g", back, values[i]);
        }
    }
    double size = 0; /* of the values: rounding errors of shares are multiplied by the slopes */
    for (size_t i = 0; i < n; i++)
        size = fmax(size, fabs(values[i]));
    for (size_t i = 0; i < n; i++) {
        const double back = quantile_backward(column, quantile_forward(column, values[i], 0.5));
        cr_assert(same(back, values[i]) ||
                      (column->interpolates && fabs(back - values[i]) <= 1e-12 * size),
                  "%.17g, not %.17g", back, values[i]);
    }
    free(scores);
}

Test(quantile, small_columns) {
    static const double columns[][12] = {
        {5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5},
        {0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 0},
        {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN},
        {NAN, 2, 2, 3, 3, NAN, 3, 2, 2, 2, 3, 2},
        {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
        {-1e30, 1e30, -0.0, 0.0, 1e-300, -1e-300, 3, 3, 3, 3, 0.1, 1e15},
        {0, 0, 0, 0, 1.5, 2.5, 7, 9, NAN, 11, 13, 17},
        {20200131, 20200132, 20200131, 20200133, NAN, 20200132, 20200131, 1, 1, 1, 1, 1},
    };
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++)
        for (size_t n = 1; n <= 12; n++) {
            struct ranks ranks;
            struct quantiles map = fit(columns[c], n, &ranks);
            check_ranks(columns[c], n, &ranks);
            check_back(columns[c], n, &map, &ranks);
            clear(&map, &ranks);
        }
}

/* A column in which zero has a third of the rows, and 300 others are seen once each. */
static double *zero_inflated(size_t n) {
    double *values = malloc(n * sizeof *values);
    for (size_t i = 0; i < n; i++)
        values[i] = i % 3 == 0 ? 0 : 1000 + 7 * (double)((i * 7919) % n);
    return values;
}

Test(quantile, lines_stay_between_neighbors_and_intervals_are_exact) {
    enum { N = 450, DRAWS = 1000000 };
    double *values = zero_inflated(N);
    struct ranks ranks;
    struct quantiles map = fit(values, N, &ranks);
    const struct dn_quantile *column = &map.columns[0];
    cr_assert(column->interpolates);
    check_ranks(values, N, &ranks);
    check_back(values, N, &map, &ranks);
    int zeros = 0, gap = 0;
    double low = INFINITY, high = -INFINITY;
    for (uint64_t i = 0; i < DRAWS; i++) {
        const double back =
            quantile_backward(column, normal_score(random_uniform(1, RANDOM_DATA, 0, i)));
        zeros += back == 0;
        gap += back > 0 && back < column->values[2];
        low = fmin(low, back);
        high = fmax(high, back);
    }
    cr_assert_float_eq((double)zeros / DRAWS, 1.0 / 3, 5 * sqrt(2.0 / 9 / DRAWS));
    cr_assert_lt((double)gap / DRAWS, 1.0 / N); /* half of the interval of the next value */
    cr_assert_eq(low, 0);
    cr_assert_leq(high, column->values[column->count - 1]);
    double before = -INFINITY;
    for (double z = -6; z < 6; z += 1e-4) {
        const double back = quantile_backward(column, z);
        cr_assert_geq(back, before);
        before = back;
    }
    clear(&map, &ranks);
    free(values);
}

Test(quantile, frequencies_of_steps) {
    enum { N = 1000, DRAWS = 1000000 };
    double values[N];
    static const double seen[] = {-3, 0.5, NAN, 8, 9};
    int counts[5] = {0}, drawn[5] = {0};
    for (int i = 0; i < N; i++) {
        const int which = i % 7 < 3 ? 0 : i % 5;
        values[i] = seen[which];
        counts[which]++;
    }
    struct ranks ranks;
    struct quantiles map = fit(values, N, &ranks);
    cr_assert_not(map.columns[0].interpolates);
    for (uint64_t i = 0; i < DRAWS; i++) {
        const double score = normal_score(random_uniform(2, RANDOM_DATA, 0, i));
        const double back = quantile_backward(&map.columns[0], score);
        for (int k = 0; k < 5; k++)
            drawn[k] += same(back, seen[k]);
    }
    int all = 0;
    for (int k = 0; k < 5; k++) {
        const double share = (double)counts[k] / N;
        all += drawn[k];
        cr_assert_float_eq((double)drawn[k] / DRAWS, share, 5 * sqrt(share / DRAWS));
    }
    cr_assert_eq(all, DRAWS, "every draw is a value that was seen");
    /* values that were not seen are between their neighbors, or at the ends */
    const struct dn_quantile *column = &map.columns[0];
    const double between = quantile_forward(column, 5, 0.5);
    cr_assert_float_eq(normal_share(between), (counts[2] + counts[0] + counts[1]) / (double)N,
                       1e-12);
    cr_assert_eq(quantile_backward(column, quantile_forward(column, -100, 0.5)), -3);
    cr_assert_eq(quantile_backward(column, quantile_forward(column, 100, 0.5)), 9);
    clear(&map, &ranks);
}

Test(quantile, many_values_become_few_knots) {
    enum { N = 200000 };
    double *values = malloc(N * sizeof *values);
    for (int i = 0; i < N; i++) { /* an exponential distribution, and an interval at its start */
        const double u = random_uniform(5, RANDOM_DATA, 0, (uint64_t)i);
        values[i] = i % 4 == 0 ? 0 : -1000 * log1p(-u);
    }
    struct ranks ranks;
    struct quantiles map = fit(values, N, &ranks);
    const struct dn_quantile *column = &map.columns[0];
    cr_assert_leq(column->count, 1100);
    for (double share = 0.26; share < 0.999; share += 0.001) {
        const double right = -1000 * log1p(-(share - 0.25) / 0.75);
        cr_assert_float_eq(quantile_backward(column, normal_score(share)), right, 0.02 * right + 10,
                           "%g", share);
    }
    cr_assert_eq(quantile_backward(column, normal_score(0.249)), 0);
    clear(&map, &ranks);
    free(values);
}

Test(quantile, scores_of_an_epoch_do_not_depend_on_parts) {
    enum { N = 777 };
    double *values = zero_inflated(N);
    struct ranks ranks;
    struct quantiles map = fit(values, N, &ranks);
    const size_t size = ranks_values(N, 1);
    float *one = floats_new(size), *other = floats_new(size);
    ranks_draw(&ranks, 9, 4, 0.5f, 0, 1, one);
    for (int part = 0; part < 5; part++)
        ranks_draw(&ranks, 9, 4, 0.5f, part, 5, other);
    cr_assert_arr_eq(one, other, N * sizeof *one);
    ranks_draw(&ranks, 9, 5, 0.5f, 0, 1, other);
    int moved = 0;
    double sum = 0, squares = 0;
    for (int i = 0; i < N; i++) {
        moved += one[i] != other[i];
        sum += (double)one[i];
        squares += (double)one[i] * (double)one[i];
    }
    cr_assert_gt(moved, N * 9 / 10);
    cr_assert_float_eq(sum / N, 0, 0.05);
    cr_assert_float_eq(sqrt(squares / N), 0.5, 0.03);
    free(one);
    free(other);
    clear(&map, &ranks);
    free(values);
}

Test(quantile, bytes_and_damage) {
    enum { N = 450 };
    double *values = zero_inflated(N);
    struct ranks ranks;
    struct quantiles map = fit(values, N, &ranks), copy, read;
    struct dn_error error;
    struct serial count = {.mode = SERIAL_COUNT};
    quantiles_serial(&count, &map, 1);
    unsigned char *bytes = malloc(count.used);
    struct serial write = {.mode = SERIAL_WRITE, .bytes = bytes, .size = count.used};
    cr_assert_eq(quantiles_copy(&map, &copy, &error), DN_OK);
    quantiles_serial(&write, &copy, 1);
    cr_assert_eq(write.used, count.used);
    for (size_t size = 0; size <= count.used; size += size < 40 ? 1 : 97) {
        struct serial serial = {.mode = SERIAL_READ, .bytes = bytes, .size = size};
        quantiles_serial(&serial, &read, 1);
        cr_assert(serial.failed);
        quantiles_clear(&read);
    }
    struct serial serial = {.mode = SERIAL_READ, .bytes = bytes, .size = count.used};
    quantiles_serial(&serial, &read, 1);
    cr_assert_not(serial.failed);
    cr_assert_eq(read.columns[0].count, map.columns[0].count);
    cr_assert_arr_eq(read.columns[0].values, map.columns[0].values,
                     (size_t)map.columns[0].count * sizeof(double));
    cr_assert_eq(quantiles_check(&read, &error), DN_OK);
    double *shares = (double *)read.columns[0].shares;
    shares[5] = NAN;
    cr_assert_eq(quantiles_check(&read, &error), DN_INVALID);
    shares[5] = 2;
    cr_assert_eq(quantiles_check(&read, &error), DN_INVALID);
    quantiles_clear(&read);
    quantiles_clear(&copy);
    clear(&map, &ranks);
    free(bytes);
    free(values);
}

/* A value beyond the others is as far from the nearest score as it is in widths of the column. */
Test(quantile, values_beyond_all_others_are_far_away) {
    const double values[] = {0, 10}, shares[] = {0.25, 0.75};
    const struct dn_quantile column = {0, true, 2, values, shares}, none = {1, true, 0, NULL, NULL};
    double low, high;
    quantile_range(&column, &low, &high);
    cr_assert_eq(quantile_beyond(&column, 5), 0);
    cr_assert_eq(quantile_beyond(&column, 10), 0);
    cr_assert_eq(quantile_beyond(&column, NAN), 0);
    cr_assert_eq(quantile_beyond(&none, 5), 0);
    cr_assert_float_eq(quantile_beyond(&column, 12), 0.2 * (high - low), 1e-12);
    cr_assert_float_eq(quantile_beyond(&column, -1), -0.1 * (high - low), 1e-12);
    cr_assert_eq(quantile_beyond(&column, 1e9), QUANTILE_MOST_BEYOND);
    cr_assert_eq(quantile_beyond(&column, -1e9), -QUANTILE_MOST_BEYOND);
}
