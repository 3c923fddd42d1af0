/*
 * norm.h - the normalization of rows, fused with what follows it: the kernels `norm` and
 * `norm_backward`.
 *
 * Only kernels_impl.c includes it, once for each instruction set. Four rows are taken together: their
 * sums over columns are reduced at once, and a factor of a column is loaded once for all of them.
 */
#ifndef ENGINE_BASE_NORM_H
#define ENGINE_BASE_NORM_H

#include "engine/base/products.h"
#include "engine/base/vectors.h"

enum { NORM_ROWS = 4 };

/* gain (1 + a) of the columns from j. */
static INLINE vector norm_scale(const float *gain, const float *a, size_t j) {
    const vector scale = load(gain + j);
    if (!a)
        return scale;
    return scale * (1.0f + load(a + j));
}

/* `count` rows; a constant at each call, as is whether there are a, b and d. */
static INLINE void norm_rows(const size_t count, size_t cols, const float *x, const float *gain,
                             const float *a, const float *b, float *rates, float *h, float *d) {
    vector squares[NORM_ROWS] = {{0}};
    for (size_t j = 0; j < cols; j += W) {
        UNROLL
        for (size_t i = 0; i < count; i++)
            squares[i] += load(x + i * cols + j) * load(x + i * cols + j);
    }
    const vector4 sums = four_sums(squares[0], squares[1], squares[2], squares[3]);
    for (size_t i = 0; i < count; i++)
        rates[i] = 1 / sqrtf(sums[i] / (float)cols + NORM_EPSILON);
    for (size_t j = 0; j < cols; j += W) {
        const vector scale = norm_scale(gain, a, j), shift = b ? load(b + j) : (vector){0};
        UNROLL
        for (size_t i = 0; i < count; i++) {
            const vector u = load(x + i * cols + j) * rates[i] * scale + shift;
            const vector s = 1.0f / vector_one_plus_exp(u), y = u * s;
            store(h + i * cols + j, y);
            if (d)
                store(d + i * cols + j, s + y * (1.0f - s));
        }
    }
}

static INLINE void norm_with(size_t rows, size_t cols, const float *x, const float *gain,
                             const float *a, const float *b, float *rates, float *h, float *d) {
    size_t i = 0;
    for (; i + NORM_ROWS <= rows; i += NORM_ROWS)
        norm_rows(NORM_ROWS, cols, x + i * cols, gain, a, b, rates + i, h + i * cols,
                  d ? d + i * cols : NULL);
    for (; i < rows; i++)
        norm_rows(1, cols, x + i * cols, gain, a, b, rates + i, h + i * cols,
                  d ? d + i * cols : NULL);
}

static void norm(size_t rows, size_t cols, const float *x, const float *gain, const float *a,
                 const float *b, float *rates, float *h, float *d) {
    if (a && d)
        norm_with(rows, cols, x, gain, a, b, rates, h, d);
    else if (a)
        norm_with(rows, cols, x, gain, a, b, rates, h, NULL);
    else if (d)
        norm_with(rows, cols, x, gain, NULL, NULL, rates, h, d);
    else
        norm_with(rows, cols, x, gain, NULL, NULL, rates, h, NULL);
}

/* `count` rows; a constant at each call, as is whether there is an a and whether dx is added to. With
 * n = x rate: sums[0] += du n and sums[2] += du, over the rows in order; dx = rate (dn - n mean(dn n)). */
static INLINE void norm_backward_rows(const size_t count, size_t cols, const float *g,
                                      const float *d, const float *x, const float *rates,
                                      const float *gain, const float *a, bool add, float *dx,
                                      float *sums) {
    vector dots[NORM_ROWS] = {{0}};
    for (size_t j = 0; j < cols; j += W) {
        const vector scale = norm_scale(gain, a, j);
        UNROLL
        for (size_t i = 0; i < count; i++) {
            const size_t at = i * cols + j;
            dots[i] += load(g + at) * load(d + at) * scale * load(x + at);
        }
    }
    const vector4 along = four_sums(dots[0], dots[1], dots[2], dots[3]);
    float back[NORM_ROWS]; /* mean(dn n) rate: what is subtracted for each x */
    for (size_t i = 0; i < count; i++)
        back[i] = along[i] / (float)cols * rates[i] * rates[i];
    for (size_t j = 0; j < cols; j += W) {
        const vector scale = norm_scale(gain, a, j);
        vector with_n = load(sums + j), alone = load(sums + 2 * cols + j);
        UNROLL
        for (size_t i = 0; i < count; i++) {
            const size_t at = i * cols + j;
            const vector du = load(g + at) * load(d + at), value = load(x + at);
            with_n += du * (value * rates[i]);
            alone += du;
            vector step = rates[i] * (du * scale - value * back[i]);
            if (add)
                step += load(dx + at);
            store(dx + at, step);
        }
        store(sums + j, with_n);
        store(sums + 2 * cols + j, alone);
    }
}

static INLINE void norm_backward_with(size_t rows, size_t cols, const float *g, const float *d,
                                      const float *x, const float *rates, const float *gain,
                                      const float *a, bool add, float *dx, float *sums) {
    size_t i = 0;
    for (; i + NORM_ROWS <= rows; i += NORM_ROWS)
        norm_backward_rows(NORM_ROWS, cols, g + i * cols, d + i * cols, x + i * cols, rates + i,
                           gain, a, add, dx + i * cols, sums);
    for (; i < rows; i++)
        norm_backward_rows(1, cols, g + i * cols, d + i * cols, x + i * cols, rates + i, gain, a,
                           add, dx + i * cols, sums);
}

static void norm_backward(size_t rows, size_t cols, const float *g, const float *d, const float *x,
                          const float *rates, const float *gain, const float *a, bool add,
                          float *dx, float *sums) {
    memset(sums, 0, 3 * cols * sizeof *sums);
    if (a && add)
        norm_backward_with(rows, cols, g, d, x, rates, gain, a, true, dx, sums);
    else if (a)
        norm_backward_with(rows, cols, g, d, x, rates, gain, a, false, dx, sums);
    else if (add)
        norm_backward_with(rows, cols, g, d, x, rates, gain, NULL, true, dx, sums);
    else
        norm_backward_with(rows, cols, g, d, x, rates, gain, NULL, false, dx, sums);
    for (size_t j = 0; j < cols;
         j += W) { /* du n is of the product gain (1 + a): of both factors */
        const vector with_n = load(sums + j);
        store(sums + cols + j, with_n * load(gain + j));
        if (a)
            store(sums + j, with_n * (1.0f + load(a + j)));
    }
}

#endif
