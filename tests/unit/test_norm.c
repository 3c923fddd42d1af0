/* The kernels `norm` and `norm_backward` against a reference in double, and its differences. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"

#define FOR_EACH_VARIANT(k)                                                                        \
    for (const struct kernels *const *variant = kernels_built, *k; (k = *variant); variant++)      \
        if (kernels_supported(k))

static float *random_floats(size_t count, uint32_t step) {
    float *floats = floats_new(count);
    random_normals(kernels_get(), 11, RANDOM_NOISE, step, 0, count, floats);
    return floats;
}

/* Some rows of one image. has_a: with a scale and shift. */
struct subject {
    size_t rows, cols;
    bool has_a;
    float *x, *g, *gain, *a, *b;
};

static struct subject subject_new(size_t rows, size_t cols, bool has_a) {
    struct subject s = {rows, cols, has_a};
    s.x = random_floats(rows * cols, 1);
    s.g = random_floats(rows * cols, 2);
    s.gain = random_floats(cols, 3);
    s.a = random_floats(cols, 4);
    s.b = random_floats(cols, 5);
    for (size_t i = 0; i < rows; i++) /* rows of all sizes, one of zeros */
        for (size_t j = 0; j < cols; j++)
            s.x[i * cols + j] *= i % 5 == 4 ? 0 : powf(8, (float)(i % 4) - 2);
    return s;
}

static void subject_clear(struct subject *s) {
    free(s->x), free(s->g), free(s->gain), free(s->a), free(s->b);
}

/* ------------------------------------------------------------------ the reference */

/* A row, and what it is multiplied with, in double. */
struct row {
    size_t cols;
    double x[128], gain[128], a[128], b[128], g[128];
};

static struct row row_of(const struct subject *s, size_t i) {
    struct row row = {s->cols};
    for (size_t j = 0; j < s->cols; j++) {
        row.x[j] = (double)s->x[i * s->cols + j];
        row.g[j] = (double)s->g[i * s->cols + j];
        row.gain[j] = (double)s->gain[j];
        row.a[j] = s->has_a ? (double)s->a[j] : 0;
        row.b[j] = s->has_a ? (double)s->b[j] : 0;
    }
    return row;
}

static double rate_of(const struct row *row) {
    double squares = 0;
    for (size_t j = 0; j < row->cols; j++)
        squares += row->x[j] * row->x[j];
    return 1 / sqrt(squares / (double)row->cols + 1e-5);
}

static double before_swish(const struct row *row, size_t j) {
    return row->x[j] * rate_of(row) * row->gain[j] * (1 + row->a[j]) + row->b[j];
}

static double swish(double u) {
    return u / (1 + exp(-u));
}

/* The sum of g h over the row, whose derivatives are the gradients. */
static double loss(const struct row *row) {
    double sum = 0;
    for (size_t j = 0; j < row->cols; j++)
        sum += row->g[j] * swish(before_swish(row, j));
    return sum;
}

/* The derivative of a row's loss by one of its numbers. */
static double slope(const struct row *row, double *number, double step) {
    const double before = *number;
    *number = before + step;
    const double above = loss(row);
    *number = before - step;
    const double below = loss(row);
    *number = before;
    return (above - below) / (2 * step);
}

/* ------------------------------------------------------------------ tests */

static const size_t row_counts[] = {1, 3, 4, 9};
static const size_t col_counts[] = {16, 32, 48, 80, 128};
#define FOR_EACH_SUBJECT(s)                                                                        \
    for (size_t r = 0; r < 4; r++)                                                                 \
        for (size_t c = 0; c < 5; c++)                                                             \
            for (int has = 0; has < 2; has++)                                                      \
                for (struct subject s = subject_new(row_counts[r], col_counts[c], has); s.x;       \
                     subject_clear(&s), s.x = NULL)

static void forward(const struct kernels *k, const struct subject *s, float *rates, float *h,
                    float *d) {
    k->norm(s->rows, s->cols, s->x, s->gain, s->has_a ? s->a : NULL, s->has_a ? s->b : NULL, rates,
            h, d);
}

Test(norm, agrees_with_double) {
    FOR_EACH_SUBJECT(s) {
        const size_t size = s.rows * s.cols;
        float *rates = floats_new(s.rows), *h = floats_new(size), *d = floats_new(size);
        float *other = floats_new(size);
        FOR_EACH_VARIANT(k) {
            forward(k, &s, rates, h, d);
            for (size_t i = 0; i < s.rows; i++) {
                const struct row row = row_of(&s, i);
                cr_assert_float_eq(rates[i], rate_of(&row), 1e-6 * rate_of(&row));
                for (size_t j = 0; j < s.cols; j++) {
                    const double u = before_swish(&row, j), sigmoid = 1 / (1 + exp(-u));
                    const double limit = 3e-6 * (1 + fabs(u));
                    cr_assert_float_eq(h[i * s.cols + j], swish(u), limit, "%s: %g, not %g",
                                       k->name, (double)h[i * s.cols + j], swish(u));
                    cr_assert_float_eq(d[i * s.cols + j], sigmoid * (1 + u * (1 - sigmoid)), limit);
                }
            }
            /* the same without d, and in place */
            memcpy(other, s.x, size * sizeof *other);
            k->norm(s.rows, s.cols, other, s.gain, s.has_a ? s.a : NULL, s.has_a ? s.b : NULL,
                    rates, other, NULL);
            cr_assert_arr_eq(h, other, size * sizeof *h);
        }
        free(rates), free(h), free(d), free(other);
    }
}

/* Zeros are what no scale and shift are, and a row does not depend on those beside it. */
Test(norm, is_the_same_alone_and_with_zeros) {
    FOR_EACH_VARIANT(k) {
        struct subject s = subject_new(7, 48, false);
        float rates[7], alone[7], *h = floats_new(7 * 48), *other = floats_new(7 * 48);
        forward(k, &s, rates, h, NULL);
        for (size_t i = 0; i < 7; i++)
            k->norm(1, 48, s.x + i * 48, s.gain, NULL, NULL, alone + i, other + i * 48, NULL);
        cr_assert_arr_eq(h, other, 7 * 48 * sizeof *h);
        cr_assert_arr_eq(rates, alone, sizeof rates);
        memset(s.a, 0, 48 * sizeof *s.a);
        memset(s.b, 0, 48 * sizeof *s.b);
        k->norm(7, 48, s.x, s.gain, s.a, s.b, rates, other, NULL);
        cr_assert_arr_eq(h, other, 7 * 48 * sizeof *h);
        free(h), free(other);
        subject_clear(&s);
    }
}

/* What a backward pass gives, by differences, and how exact that is. */
struct gradients {
    double *dx, *dx_limits;     /* [rows][cols] */
    double *sums, *sums_limits; /* [3][cols] of the gain, of a, and of b */
};

static struct gradients differences(const struct subject *s) {
    const size_t size = s->rows * s->cols;
    struct gradients g = {calloc(size, sizeof(double)), calloc(size, sizeof(double)),
                          calloc(3 * s->cols, sizeof(double)), calloc(3 * s->cols, sizeof(double))};
    for (size_t i = 0; i < s->rows; i++) {
        struct row row = row_of(s, i);
        double *numbers[3] = {row.gain, row.a, row.b};
        const double rate = rate_of(&row);
        for (size_t j = 0; j < s->cols; j++) {
            const size_t at = i * s->cols + j;
            g.dx[at] = slope(&row, &row.x[j], 1e-4 / rate);
            g.dx_limits[at] = 1e-3 * (fabs(g.dx[at]) + rate);
        }
        for (size_t n = 0; n < 3 * s->cols; n++) {
            const double part = slope(&row, &numbers[n / s->cols][n % s->cols], 1e-4);
            g.sums[n] += part;
            g.sums_limits[n] += 1e-3 * fabs(part) + 1e-5;
        }
    }
    return g;
}

static void check_near(const char *what, const char *name, const struct subject *s, size_t count,
                       const float *got, const double *expected, const double *limits) {
    for (size_t i = 0; i < count; i++)
        cr_assert_float_eq(got[i], expected[i], limits[i], "%s of %s, %zux%zu: %zu is %g, not %g",
                           what, name, s->rows, s->cols, i, (double)got[i], expected[i]);
}

/* dx in the place of g, and added to what is there. */
static void check_dx_elsewhere(const struct kernels *k, const struct subject *s, const float *d,
                               const float *rates, const float *dx) {
    const size_t size = s->rows * s->cols;
    const float *a = s->has_a ? s->a : NULL;
    float *in_place = floats_new(size), *added = floats_new(size);
    float *start = random_floats(size, 7), *sums = floats_new(3 * s->cols);
    memcpy(in_place, s->g, size * sizeof *in_place);
    k->norm_backward(s->rows, s->cols, in_place, d, s->x, rates, s->gain, a, false, in_place, sums);
    cr_assert_arr_eq(dx, in_place, size * sizeof *dx);
    memcpy(added, start, size * sizeof *added);
    k->norm_backward(s->rows, s->cols, s->g, d, s->x, rates, s->gain, a, true, added, sums);
    for (size_t e = 0; e < size; e++)
        cr_assert_float_eq(added[e], start[e] + dx[e],
                           1e-6f * (fabsf(start[e]) + fabsf(dx[e]) + 1e-3f));
    free(in_place), free(added), free(start), free(sums);
}

Test(norm, gradients_agree_with_differences_in_double) {
    FOR_EACH_SUBJECT(s) {
        const size_t size = s.rows * s.cols;
        float *rates = floats_new(s.rows), *h = floats_new(size), *d = floats_new(size);
        float *dx = floats_new(size), *sums = random_floats(3 * s.cols, 6);
        struct gradients expected = differences(&s);
        FOR_EACH_VARIANT(k) {
            forward(k, &s, rates, h, d);
            k->norm_backward(s.rows, s.cols, s.g, d, s.x, rates, s.gain, s.has_a ? s.a : NULL,
                             false, dx, sums);
            check_near("dx", k->name, &s, size, dx, expected.dx, expected.dx_limits);
            check_near("sums", k->name, &s, 3 * s.cols, sums, expected.sums, expected.sums_limits);
            check_dx_elsewhere(k, &s, d, rates, dx);
        }
        free(rates), free(h), free(d), free(dx), free(sums);
        free(expected.dx), free(expected.dx_limits), free(expected.sums),
            free(expected.sums_limits);
    }
}
