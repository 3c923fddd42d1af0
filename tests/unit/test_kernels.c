/* Every variant of every kernel against a double-precision twin, at odd sizes. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"

#define FOR_EACH_VARIANT(k)                                                                        \
    for (const struct kernels *const *variant = kernels_built, *k; (k = *variant); variant++)      \
        if (kernels_supported(k))

static float *random_matrix(size_t rows, size_t cols, size_t ld, uint32_t step) {
    float *matrix = floats_new(rows * ld + 16);
    for (size_t i = 0; i < rows; i++)
        random_normals(kernels_get(), 99, RANDOM_NOISE, step, i * cols, cols, matrix + i * ld);
    return matrix;
}

static void check_gemm(const struct kernels *k, size_t m, size_t n, size_t depth, bool transposed,
                       bool with_bias, bool accumulate) {
    size_t ld = kernels_pad(n);
    size_t a_row = transposed ? 1 : depth + 3, a_col = transposed ? m + 5 : 1;
    float *a = random_matrix(transposed ? depth : m, transposed ? m : depth,
                             transposed ? a_col : a_row, 1);
    float *b = random_matrix(depth, n, ld, 2), *c = random_matrix(m, n, ld, 3);
    float *before = random_matrix(m, n, ld, 3), *bias = random_matrix(1, n, ld, 4);
    k->gemm(m, ld, depth, a, a_row, a_col, b, ld, c, ld, with_bias ? bias : NULL, accumulate);
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < ld; j++) {
            double sum = with_bias ? (double)bias[j] : accumulate ? (double)before[i * ld + j] : 0;
            double size = fabs(sum);
            for (size_t q = 0; q < depth; q++) {
                double term = (double)a[i * a_row + q * a_col] * (double)b[q * ld + j];
                sum += term;
                size += fabs(term);
            }
            cr_assert_float_eq(c[i * ld + j], sum, 1e-6 * size + 1e-30,
                               "%s %zux%zux%zu at %zu,%zu: %g, not %g", k->name, m, n, depth, i, j,
                               (double)c[i * ld + j], sum);
        }
    }
    free(a), free(b), free(c), free(before), free(bias);
}

Test(kernels, gemm_agrees_with_double_at_odd_sizes) {
    static const size_t sizes[] = {1, 2, 3, 5, 8, 13, 16, 17, 32, 33, 48, 61};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    FOR_EACH_VARIANT(k)
    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = 0; j < COUNT; j++)
            for (size_t q = 0; q < COUNT; q += 2)
                check_gemm(k, sizes[i], sizes[j], sizes[q], (i + j) % 2, j % 3 == 0, q % 4 == 0);
}

/* Wider and deeper than what is copied at a time. */
Test(kernels, gemm_of_large_matrices_agrees_with_double) {
    FOR_EACH_VARIANT(k)
    for (int transposed = 0; transposed < 2; transposed++) {
        check_gemm(k, 25, 176, 300, transposed, false, true);
        check_gemm(k, 61, 112, 129, transposed, true, false);
    }
}

Test(kernels, gemm_of_no_depth_is_its_start) {
    FOR_EACH_VARIANT(k) {
        check_gemm(k, 7, 20, 0, false, true, false);
        check_gemm(k, 7, 20, 0, false, false, true);
        check_gemm(k, 7, 20, 0, false, false, false);
    }
}

Test(kernels, dots_agree_with_double_at_odd_sizes) {
    FOR_EACH_VARIANT(k)
    for (size_t m = 1; m < 12; m += 2)
        for (size_t n = 1; n < 12; n++)
            for (size_t depth = 16; depth < 70; depth += 16) {
                float *a = random_matrix(m, depth, depth, 1),
                      *b = random_matrix(n, depth, depth, 2);
                float *bias = random_matrix(1, n, 16, 3), *c = floats_new(m * 16);
                k->dots(m, n, depth, a, depth, b, depth, bias, c, 16);
                for (size_t i = 0; i < m; i++)
                    for (size_t j = 0; j < 16; j++) {
                        double sum = j < n ? (double)bias[j] : 0;
                        for (size_t q = 0; q < depth && j < n; q++)
                            sum += (double)a[i * depth + q] * (double)b[j * depth + q];
                        cr_assert_float_eq(c[i * 16 + j], sum, 2e-5);
                    }
                /* a row does not depend on the rows beside it */
                float alone[16];
                k->dots(1, n, depth, a + (m - 1) * depth, depth, b, depth, bias, alone, 16);
                cr_assert(memcmp(alone, c + (m - 1) * 16, n * sizeof *alone) == 0);
                free(a), free(b), free(bias), free(c);
            }
}

/* Of 64 rows, and of fewer, with and without a start: the other rows do not change. */
Test(kernels, products_of_some_rows_agree_with_double) {
    enum { ROWS = 64, N = 48, LD = 64 };
    static const uint64_t sets[] = {0, 1, 0x8000000000000000u, 0x9e3779b97f4a7c15u, UINT64_MAX};
    FOR_EACH_VARIANT(k)
    for (size_t m = 1; m <= 9; m += 2)
        for (int s = 0; s < 10; s++) {
            const uint64_t which = sets[s / 2];
            const size_t a_row = 9 * 3 + 1, a_col = 3, b_row = 2 * LD;
            float *a = random_matrix(ROWS, a_row, a_row, 1), *b = random_matrix(9, N, b_row, 2);
            float *c = random_matrix(ROWS, N, LD, 3), *before = random_matrix(ROWS, N, LD, 3);
            float *start = s % 2 ? random_matrix(1, N, LD, 4) : NULL;
            k->add_products(which, m, N, a, a_row, a_col, b, b_row, start, c, LD);
            for (size_t i = 0; i < ROWS; i++)
                for (size_t j = 0; j < LD; j++) {
                    double sum = (double)before[i * LD + j];
                    if (which >> i & 1 && j < N) {
                        sum += start ? (double)start[j] : 0;
                        for (size_t f = 0; f < m; f++)
                            sum += (double)a[i * a_row + f * a_col] * (double)b[f * b_row + j];
                    }
                    cr_assert_float_eq(c[i * LD + j], sum, 1e-5);
                }
            free(a), free(b), free(c), free(before), free(start);
        }
}

Test(kernels, sums_of_outer_products_agree_with_double) {
    enum { ROWS = 64, N = 48, LD = 64 };
    static const uint64_t sets[] = {0, 1, 0x8000000000000000u, 0x9e3779b97f4a7c15u, UINT64_MAX};
    FOR_EACH_VARIANT(k)
    for (size_t m = 1; m <= 9; m += 2)
        for (int s = 0; s < 10; s++) {
            const uint64_t which = sets[s / 2];
            const size_t a_row = 9 * 3 + 1, a_col = 3, c_row = 2 * LD;
            float *a = random_matrix(ROWS, a_row, a_row, 1), *b = random_matrix(ROWS, N, LD, 2);
            float *c = random_matrix(9, N, c_row, 3), *before = random_matrix(9, N, c_row, 3);
            float *sums = s % 2 ? random_matrix(1, N, LD, 4) : NULL;
            float *old = s % 2 ? random_matrix(1, N, LD, 4) : NULL;
            k->add_outer(which, m, N, a, a_row, a_col, b, LD, sums, c, c_row);
            for (size_t f = 0; f < 10; f++) /* one more than there are: the sums */
                for (size_t j = 0; j < N && (f < 9 || sums); j++) {
                    double sum = (double)(f < 9 ? before[f * c_row + j] : old[j]);
                    for (size_t i = 0; i < ROWS && (f < m || f == 9); i++)
                        if (which >> i & 1)
                            sum += (f < 9 ? (double)a[i * a_row + f * a_col] : 1) *
                                   (double)b[i * LD + j];
                    cr_assert_float_eq(f < 9 ? c[f * c_row + j] : sums[j], sum, 5e-5);
                }
            free(a), free(b), free(c), free(before), free(sums), free(old);
        }
}

Test(kernels, transpose_moves_every_element_and_no_other) {
    FOR_EACH_VARIANT(k)
    for (size_t rows = 1; rows < 19; rows += 3)
        for (size_t cols = 1; cols < 22; cols += 2) {
            float *from = random_matrix(rows, cols, 32, 1), *to = floats_new(cols * 32);
            k->transpose(rows, cols, from, 32, to, 32);
            for (size_t i = 0; i < 32; i++)
                for (size_t j = 0; j < cols; j++)
                    cr_assert_eq(to[j * 32 + i], i < rows ? from[i * 32 + j] : 0);
            free(from), free(to);
        }
}

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

Test(kernels, swish_and_its_derivative_agree_with_double) {
    enum { N = 16 * 40 };
    int32_t slots[1] = {0};
    float z[N], e[N] = {0}, h[N], d[N];
    for (int i = 0; i < N; i++)
        z[i] = (float)((i - N / 2) * 0.3); /* -96 .. 96 */
    FOR_EACH_VARIANT(k) {
        k->activate(1, N, z, e, slots, false, h, d);
        for (int i = 0; i < N; i++) {
            double x = (double)z[i], s = sigmoid(x);
            cr_assert_float_eq(h[i], x * s, (5e-7 + 1e-7 * fabs(x)) * fabs(x * s) + 1e-34,
                               "%s swish(%g) = %.9g, not %.9g", k->name, x, (double)h[i], x * s);
            cr_assert_float_eq(d[i], s + x * s * (1 - s), 1e-6, "%s swish'(%g)", k->name, x);
        }
    }
}

Test(kernels, activation_adds_or_multiplies_the_row_of_its_slot) {
    enum { ROWS = 5, COLS = 16 };
    float *z = random_matrix(ROWS, COLS, COLS, 5), *e = random_matrix(3, COLS, COLS, 6);
    float *g = random_matrix(ROWS, COLS, COLS, 7);
    float *h = floats_new(ROWS * COLS), *d = floats_new(ROWS * COLS), *zz = floats_new(ROWS * COLS);
    int32_t slots[ROWS] = {2, 0, 2, 1, 2};
    FOR_EACH_VARIANT(k)
    for (int multiply = 0; multiply < 2; multiply++) {
        float de[3 * COLS] = {0};
        memcpy(zz, z, ROWS * COLS * sizeof *z);
        k->activate(ROWS, COLS, zz, e, slots, multiply, h, d);
        k->activate_backward(ROWS, COLS, g, d, zz, e, slots, multiply);
        k->add_rows(ROWS, COLS, COLS, multiply ? zz : d, slots, de);
        for (int j = 0; j < COLS; j++) {
            double expected_de[3] = {0};
            for (int i = 0; i < ROWS; i++) {
                double zi = (double)z[i * COLS + j], ei = (double)e[slots[i] * COLS + j];
                double u = multiply ? zi * ei : zi + ei, s = sigmoid(u);
                double du = (double)g[i * COLS + j] * (s + u * s * (1 - s));
                cr_assert_float_eq(h[i * COLS + j], u * s, 2e-6);
                cr_assert_float_eq(d[i * COLS + j], multiply ? du * ei : du, 4e-6);
                expected_de[slots[i]] += multiply ? du * zi : du;
            }
            for (int slot = 0; slot < 3; slot++)
                cr_assert_float_eq(de[slot * COLS + j], expected_de[slot], 8e-6);
        }
        if (!multiply) { /* without a row it is the plain function */
            float plain[ROWS * COLS];
            k->activate(ROWS, COLS, z, NULL, NULL, false, plain, NULL);
            for (int i = 0; i < ROWS * COLS; i++)
                cr_assert_float_eq(plain[i], (double)z[i] * sigmoid((double)z[i]), 1e-6);
        }
    }
    free(z), free(e), free(g), free(h), free(d), free(zz);
}

/* sin and cos of 3x, 6x, 12x and 24x on a dense grid, at every size of a row, also where a row ends
 * within a vector. Each octave may double the error of the one before. */
Test(kernels, fourier_features_agree_with_libm) {
    enum { ROWS = 37, OCTAVES = 4 };
    static const size_t sizes[] = {1, 2, 7, 14, 16, 17, 31, 64};
    FOR_EACH_VARIANT(k)
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (int octaves = 0; octaves <= OCTAVES; octaves++) {
            const size_t cols = sizes[s], ld = kernels_pad(cols * (size_t)(1 + 2 * octaves) + 15);
            float *x = floats_new(ROWS * cols), *out = floats_new(ROWS * ld);
            for (size_t i = 0; i < ROWS * cols; i++) {
                const float spread[] = {0.01f, 1, 30, 1000};
                x[i] = spread[i % 4] * ((float)i * 2 / (float)(ROWS * cols) - 1);
            }
            k->fourier(ROWS, cols, octaves, x, out, ld);
            for (size_t i = 0; i < ROWS * cols; i++) {
                const float *row = out + i / cols * ld + i % cols;
                cr_assert_eq(row[0], x[i]);
                for (int octave = 0; octave < octaves; octave++) {
                    const double angle = (3 << octave) * (double)x[i];
                    const double limit = 1.5e-7 * (2 << octave);
                    const float *sine = row + (size_t)(1 + 2 * octave) * cols;
                    cr_assert_float_eq(sine[0], sin(angle), limit, "%s: sin %g is %.9g", k->name,
                                       angle, (double)sine[0]);
                    cr_assert_float_eq(sine[cols], cos(angle), limit, "%s: cos %g is %.9g", k->name,
                                       angle, (double)sine[cols]);
                }
            }
            free(x), free(out);
        }
}

Test(kernels, fourier_features_end_at_1000_and_keep_nan) {
    const float x[] = {1e4f, -1e30f, INFINITY, -INFINITY, NAN};
    float out[5 * 32];
    FOR_EACH_VARIANT(k) {
        k->fourier(5, 1, 1, x, out, 32);
        for (int i = 0; i < 4; i++) {
            cr_assert_eq(out[i * 32], x[i]);
            cr_assert_float_eq(out[i * 32 + 1], x[i] > 0 ? sin(3000.0) : -sin(3000.0), 1e-6);
            cr_assert_float_eq(out[i * 32 + 2], cos(3000.0), 1e-6);
        }
        cr_assert(isnan(out[4 * 32]) && isnan(out[4 * 32 + 1]) && isnan(out[4 * 32 + 2]));
    }
}

/* Of an interval of N(0, 1): its probability, and the integral of z over it. */
static void interval(double low, double high, double *share, double *moment) {
    const double from = low > 0 ? -high : low, to = low > 0 ? -low : high; /* the tail has digits */
    *share = 0.5 * (erfc(-to * M_SQRT1_2) - erfc(-from * M_SQRT1_2));
    *moment = (exp(-0.5 * low * low) - exp(-0.5 * high * high)) / sqrt(2 * M_PI);
}

static double weighted_mean(int count, const float *ends, double center, double tightness,
                            const double *logits) {
    double sum = 0, moments = 0, low = -1e30;
    for (int k = 0; k < count; k++) {
        const double high = k + 1 < count ? ((double)ends[k] - center) * tightness : 1e30;
        double share, moment;
        interval(low, high, &share, &moment);
        sum += share * exp(logits[k]);
        moments += moment * exp(logits[k]);
        low = high;
    }
    return moments / sum;
}

static double within_limit(float logit) {
    return fmax(-KERNELS_MAX_LOGIT, fmin(KERNELS_MAX_LOGIT, (double)logit));
}

/* Four coordinates with 1, 2, 7 and 21 intervals, at all noise levels, with logits up to and beyond
 * the limit, which often contradict the coordinate; the rates against differences of the reference. */
Test(kernels, means_over_levels_agree_with_double) {
    enum { DIM = 4, ALL = 31, PADDED = 32 };
    static const int32_t first[DIM + 1] = {0, 1, 3, 10, 31};
    int32_t column[PADDED] = {0};
    float ends[PADDED] = {0}, inner[PADDED] = {0}, centers[DIM], means[DIM], rates[PADDED];
    for (int j = 0; j < DIM; j++)
        for (int k = first[j], count = first[j + 1] - first[j]; k < first[j + 1]; k++) {
            column[k] = j;
            inner[k] = k > first[j];
            ends[k] = k + 1 == first[j + 1] ? 1e30f : (float)(4.0 * (k - first[j] + 1) / count - 2);
        }
    FOR_EACH_VARIANT(kernels)
    for (int at = 0; at < 400; at++) {
        const double tightness = pow(10, 2.5 * (at % 8) / 7);
        float *logits = random_matrix(1, PADDED, PADDED, (uint32_t)at);
        for (int k = 0; k < PADDED; k++)
            logits[k] *= (float[]){1, 4, 12, 100}[at % 4];
        for (int j = 0; j < DIM; j++)
            centers[j] = (float)(3 * sin(at + j));
        kernels->levels(DIM, first, column, ends, inner, centers, (float)tightness, logits, means,
                        2, rates);
        for (int j = 0; j < DIM; j++) {
            const int count = first[j + 1] - first[j];
            double r[ALL];
            for (int k = 0; k < count; k++)
                r[k] = within_limit(logits[first[j] + k]);
            const float *own = ends + first[j];
            const double mean = weighted_mean(count, own, (double)centers[j], tightness, r);
            const double limit = 2e-4 * (1 + fabs(mean));
            cr_assert_float_eq(means[j], mean, limit, "%s: %g, not %g", kernels->name,
                               (double)means[j], mean);
            for (int k = 0; k < count; k++) {
                const double old = r[k], step = 1e-4;
                r[k] = old + step;
                double rate = weighted_mean(count, own, (double)centers[j], tightness, r);
                r[k] = old - step;
                rate -= weighted_mean(count, own, (double)centers[j], tightness, r);
                r[k] = old;
                cr_assert_float_eq(rates[first[j] + k], rate / step, 10 * limit, "%s: %g, not %g",
                                   kernels->name, (double)rates[first[j] + k], rate / step);
            }
        }
        free(logits);
    }
}

/* A level that is far from the coordinate has no share at all, and no logit gives it one: the mean is
 * that of the levels nearby. Without this, a confident network diverges where there is little noise. */
Test(kernels, no_logit_leads_to_a_level_far_away) {
    enum { ALL = 8, PADDED = 32 };
    static const int32_t first[2] = {0, ALL};
    int32_t column[PADDED] = {0};
    float ends[PADDED] = {0}, inner[PADDED] = {0}, logits[PADDED] = {0}, rates[PADDED], mean;
    for (int k = 0; k < ALL; k++) {
        inner[k] = k > 0;
        ends[k] = k + 1 == ALL ? 1e30f : (float)(k - 3);
    }
    FOR_EACH_VARIANT(kernels)
    for (int at = 0; at < 8 * ALL * 41; at++) {
        const int sure = at % ALL;
        const float tightness = powf(2, (float)(at / ALL % 8)),
                    center = 0.2f * (float)(at / 64 - 20);
        for (int k = 0; k < ALL; k++)
            logits[k] = k == sure ? 1e4f : -1e4f;
        kernels->levels(1, first, column, ends, inner, &center, tightness, logits, &mean, 1, rates);
        /* e^20 P(|z| > 8) < 1e-6 */
        cr_assert(isfinite(mean) && fabsf(mean) < 8, "%s: %g at %g, sure of %d", kernels->name,
                  (double)mean, (double)center, sure);
        float sum = 0, size = 0;
        for (int k = 0; k < ALL; k++) {
            sum += rates[k];
            size += fabsf(rates[k]);
        }
        cr_assert(isfinite(size) && size < 20 && fabsf(sum) <= 1e-4f * (1 + size), "%s: %g of %g",
                  kernels->name, (double)sum, (double)size);
    }
}

Test(kernels, sums_agree_with_double) {
    size_t sizes[] = {16, 48, 4096, 4112, 10016};
    FOR_EACH_VARIANT(k)
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t n = sizes[i];
        float *a = random_matrix(1, n, n, 8), *sums = random_matrix(1, 16, 16, 9);
        float *start = random_matrix(1, 16, 16, 9);
        double squares = 0;
        for (size_t e = 0; e < n; e++)
            squares += (double)a[e] * (double)a[e];
        cr_assert_float_eq(k->sum_squares(n, a), squares, 1e-5 * squares, "%s %zu", k->name, n);
        k->column_sums(n / 16, 16, 16, a, sums);
        for (size_t j = 0; j < 16; j++) {
            double sum = (double)start[j];
            for (size_t row = 0; row < n / 16; row++)
                sum += (double)a[row * 16 + j];
            cr_assert_float_eq(sums[j], sum, 1e-3);
        }
        free(a), free(sums), free(start);
    }
}

Test(kernels, turns_and_butterflies_agree_with_double) {
    enum { PAIRS = 3, COLS = 48, LD = 64 };
    FOR_EACH_VARIANT(k) {
        float *from = random_matrix(2 * PAIRS, COLS, LD, 1), *to = floats_new(2 * PAIRS * LD);
        float *factors = random_matrix(1, 2 * PAIRS, 2 * PAIRS, 2);
        k->turn(PAIRS, COLS, LD, factors, from, to);
        for (int p = 0; p < PAIRS; p++)
            for (int j = 0; j < COLS; j++) {
                const float *pair = from + 2 * p * LD + j, *turned = to + 2 * p * LD + j;
                const double a = (double)pair[0], b = (double)pair[LD];
                const double s = (double)factors[2 * p], c = (double)factors[2 * p + 1];
                cr_assert_float_eq(turned[0], s * a + c * b, 1e-5);
                cr_assert_float_eq(turned[LD], c * a - s * b, 1e-5);
            }
        k->turn(PAIRS, COLS, LD, factors, from, from);
        cr_assert_arr_eq(from, to, 2 * PAIRS * LD * sizeof *to);
        k->butterfly(PAIRS, COLS, LD, from, from + PAIRS * LD);
        for (int e = 0; e < PAIRS * LD; e++) {
            const float a = to[e], b = to[PAIRS * LD + e];
            cr_assert_eq(from[e], a + b);
            cr_assert_eq(from[PAIRS * LD + e], a - b);
        }
        free(from), free(to), free(factors);
    }
}

/* Adam of Kingma & Ba, algorithm 1, with decoupled decay, in double, over a few steps. */
Test(kernels, adam_and_average_agree_with_double) {
    enum { N = 48, STEPS = 20 };
    FOR_EACH_VARIANT(k) {
        float *p = random_matrix(1, N, N, 10), *m = floats_new(N), *v = floats_new(N);
        float *mean = floats_new(N), other[N], other_m[N], other_v[N];
        double rp[N], rm[N] = {0}, rv[N] = {0}, rmean[N] = {0};
        for (int i = 0; i < N; i++)
            rp[i] = (double)p[i];
        for (int step = 1; step <= STEPS; step++) {
            float *g = random_matrix(1, N, N, 10 + (uint32_t)step);
            struct adam_step adam = {
                .learning_rate = 1e-2f,
                .epsilon = 1e-8f,
                .rate1 = 0.1f,
                .rate2 = 0.001f,
                .correction1 = (float)(1 / (1 - pow(0.9, step))),
                .correction2 = (float)(1 / (1 - pow(0.999, step))),
                .scale = 0.5f,
                .keep = 0.999f,
                .follow = 0.1f,
            };
            memcpy(other, p, N * sizeof *p);
            memcpy(other_m, m, N * sizeof *m);
            memcpy(other_v, v, N * sizeof *v);
            k->adam(N, other, g, other_m, other_v, NULL, &adam);
            k->adam(N, p, g, m, v, mean, &adam);
            cr_assert_arr_eq(other, p, N * sizeof *p);
            for (int i = 0; i < N; i++) {
                double gradient = 0.5 * (double)g[i];
                rm[i] = 0.9 * rm[i] + 0.1 * gradient;
                rv[i] = 0.999 * rv[i] + 0.001 * gradient * gradient;
                rp[i] = 0.999 * rp[i] - 1e-2 * (rm[i] / (1 - pow(0.9, step))) /
                                            (sqrt(rv[i] / (1 - pow(0.999, step))) + 1e-8);
                rmean[i] = 0.9 * rmean[i] + 0.1 * rp[i];
            }
            free(g);
        }
        for (int i = 0; i < N; i++) {
            cr_assert_float_eq(p[i], rp[i], 2e-5, "%s parameter %d: %g, not %g", k->name, i,
                               (double)p[i], rp[i]);
            cr_assert_float_eq(mean[i], rmean[i], 2e-5);
        }
        free(p), free(m), free(v), free(mean);
    }
}
