/*
 * kernels_impl.c - the kernels, written once with vector types and compiled for each instruction
 * set.
 *
 * The build defines KERNELS_VARIANT (avx512, avx2, neon, baseline) and the compiler flags that go
 * with it; the vector width (vectors.h) and the shape of the micro-kernel follow from those.
 *
 * Multiply-adds are fused where the instruction set can (-ffp-contract=fast), so results differ in
 * the last bits between variants, and are the same for one variant.
 */
#include <math.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/vectors.h"

/* The micro-kernel keeps ROWS x COLS vectors of C in registers, with room left for a row of B.
 * Besides the number of multiply-adds in flight, the number of loads matters: 12 multiply-adds need
 * 7 loads as 3 x 4 but 8 as 6 x 2, and on Zen 3 this is the difference between 95% and 82% of the
 * peak. */
#if defined(__AVX512F__)
enum { ROWS = 12, COLS = 2 };
#elif defined(__AVX2__)
enum { ROWS = 3, COLS = 4 };
#elif defined(__aarch64__)
enum { ROWS = 6, COLS = 4 };
#else
enum { ROWS = 3, COLS = 4 };
#endif
enum { MAX_ROWS = 12 };

/* ------------------------------------------------------------------ gemm */

/* C [rows][columns * W] += A B, with all of C in registers: each step multiplies a row of B with
 * one element of each row of A. rows and columns are constants at each call, so loops unroll. */
static INLINE void micro(const size_t rows, const size_t columns, size_t k, const float *a,
                         size_t a_row, size_t a_col, const float *b, size_t ldb, float *c,
                         size_t ldc, const float *bias, bool accumulate) {
    vector sum[MAX_ROWS][4];
#pragma GCC unroll 16
    for (size_t i = 0; i < rows; i++) {
#pragma GCC unroll 4
        for (size_t j = 0; j < columns; j++)
            sum[i][j] = bias         ? load(bias + j * W)
                        : accumulate ? load(c + i * ldc + j * W)
                                     : (vector){0};
    }
    for (; k > 0; k--, a += a_col, b += ldb) {
        vector row[4];
#pragma GCC unroll 4
        for (size_t j = 0; j < columns; j++)
            row[j] = load(b + j * W);
#pragma GCC unroll 16
        for (size_t i = 0; i < rows; i++) {
            float x = a[i * a_row];
#pragma GCC unroll 4
            for (size_t j = 0; j < columns; j++)
                sum[i][j] += x * row[j];
        }
    }
#pragma GCC unroll 16
    for (size_t i = 0; i < rows; i++) {
#pragma GCC unroll 4
        for (size_t j = 0; j < columns; j++)
            store(c + i * ldc + j * W, sum[i][j]);
    }
}

/* All rows of one panel of columns, at most MAX at a time, in tiles of about the same size: tiles
 * of 5 and 6 rows keep the multipliers busier than tiles of 6 and a last one of 2. */
#define TILE(MAX, COLUMNS, N)                                                                      \
    case N:                                                                                        \
        if (N <= MAX)                                                                              \
            micro(N <= MAX ? N : MAX, COLUMNS, k, a, a_row, a_col, b, ldb, c, ldc, bias,           \
                  accumulate);                                                                     \
        break;
#define DEFINE_PANEL(NAME, MAX, COLUMNS)                                                           \
    static void NAME(size_t m, size_t k, const float *a, size_t a_row, size_t a_col,               \
                     const float *b, size_t ldb, float *c, size_t ldc, const float *bias,          \
                     bool accumulate) {                                                            \
        for (size_t tiles = (m + MAX - 1) / MAX; tiles > 0; tiles--) {                             \
            size_t rows = (m + tiles - 1) / tiles;                                                 \
            switch (rows) {                                                                        \
                TILE(MAX, COLUMNS, 1)                                                              \
                TILE(MAX, COLUMNS, 2)                                                              \
                TILE(MAX, COLUMNS, 3)                                                              \
                TILE(MAX, COLUMNS, 4)                                                              \
                TILE(MAX, COLUMNS, 5)                                                              \
                TILE(MAX, COLUMNS, 6)                                                              \
                TILE(MAX, COLUMNS, 7)                                                              \
                TILE(MAX, COLUMNS, 8)                                                              \
                TILE(MAX, COLUMNS, 9)                                                              \
                TILE(MAX, COLUMNS, 10)                                                             \
                TILE(MAX, COLUMNS, 11)                                                             \
                TILE(MAX, COLUMNS, 12)                                                             \
            }                                                                                      \
            m -= rows;                                                                             \
            a += rows * a_row;                                                                     \
            c += rows * ldc;                                                                       \
        }                                                                                          \
    }

DEFINE_PANEL(panel_wide, ROWS, COLS)
#if defined(__AVX512F__)
DEFINE_PANEL(panel_sixteen, 12, 1)
#elif defined(__AVX2__)
DEFINE_PANEL(panel_sixteen, 6, 2)
#endif

/* Copies the rows of a wide panel of B next to each other: with the stride of a large matrix they
 * would share few sets of the first-level cache and evict each other. */
enum { PACK_DEPTH = 256, PACK_WORTH_ROWS = 24 };

static void panel_packed(size_t m, size_t k, const float *a, size_t a_row, size_t a_col,
                         const float *b, size_t ldb, float *c, size_t ldc, const float *bias,
                         bool accumulate) {
    float packed[PACK_DEPTH * COLS * W] __attribute__((aligned(64)));
    do {
        size_t depth = k < PACK_DEPTH ? k : PACK_DEPTH;
        for (size_t i = 0; i < depth; i++)
            for (size_t j = 0; j < COLS; j++)
                store(packed + (i * COLS + j) * W, load(b + i * ldb + j * W));
        panel_wide(m, depth, a, a_row, a_col, packed, COLS * W, c, ldc, bias, accumulate);
        bias = NULL;
        accumulate = true;
        a += depth * a_col;
        b += depth * ldb;
        k -= depth;
    } while (k > 0);
}

/* n is a multiple of 16. */
static void gemm(size_t m, size_t n, size_t k, const float *a, size_t a_row, size_t a_col,
                 const float *b, size_t ldb, float *c, size_t ldc, const float *bias,
                 bool accumulate) {
    const bool pack = m >= PACK_WORTH_ROWS && ldb > COLS * W;
    for (; n >= COLS * W; n -= COLS * W) {
        (pack ? panel_packed : panel_wide)(m, k, a, a_row, a_col, b, ldb, c, ldc, bias, accumulate);
        b += COLS * W;
        c += COLS * W;
        if (bias)
            bias += COLS * W;
    }
#if defined(__AVX2__)
    if (n > 0)
        panel_sixteen(m, k, a, a_row, a_col, b, ldb, c, ldc, bias, accumulate);
#endif
}

/* ------------------------------------------------------------------ dot products */

typedef float vector4 __attribute__((vector_size(16), aligned(4), may_alias));

/* Adds halves until four lanes are left. */
static INLINE vector4 fold(vector v) {
#if defined(__AVX512F__)
    typedef float vector8 __attribute__((vector_size(32)));
    vector8 w = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
#else
    vector w = v;
#endif
#if defined(__AVX2__)
    return __builtin_shufflevector(w, w, 0, 1, 2, 3) + __builtin_shufflevector(w, w, 4, 5, 6, 7);
#else
    return w;
#endif
}

/* The sums of the lanes of four vectors, each in the same fixed order. */
static INLINE vector4 four_sums(vector a, vector b, vector c, vector d) {
    vector4 e = fold(a), f = fold(b), g = fold(c), h = fold(d);
    vector4 ef =
        __builtin_shufflevector(e, f, 0, 1, 4, 5) + __builtin_shufflevector(e, f, 2, 3, 6, 7);
    vector4 gh =
        __builtin_shufflevector(g, h, 0, 1, 4, 5) + __builtin_shufflevector(g, h, 2, 3, 6, 7);
    return __builtin_shufflevector(ef, gh, 0, 2, 4, 6) +
           __builtin_shufflevector(ef, gh, 1, 3, 5, 7);
}

/* rows x columns of C; both are constants at each call. */
static INLINE void dots_block(const size_t rows, const size_t columns, size_t k, const float *a,
                              size_t lda, const float *b, size_t ldb, const float *bias, float *c,
                              size_t ldc) {
    vector sum[4][2] = {{{0}}};
    for (size_t q = 0; q < k; q += W) {
#pragma GCC unroll 4
        for (size_t i = 0; i < rows; i++) {
            vector x = load(a + i * lda + q);
#pragma GCC unroll 2
            for (size_t j = 0; j < columns; j++)
                sum[i][j] += x * load(b + j * ldb + q);
        }
    }
#pragma GCC unroll 2
    for (size_t j = 0; j < columns; j++) {
        vector4 sums = four_sums(sum[0][j], sum[1][j], sum[2][j], sum[3][j]) + bias[j];
#pragma GCC unroll 4
        for (size_t i = 0; i < rows; i++)
            c[i * ldc + j] = sums[i];
    }
}

static void dots(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                 size_t ldb, const float *bias, float *c, size_t ldc) {
    for (; m > 0; m -= m < 4 ? 1 : 4) {
        const size_t rows = m < 4 ? 1 : 4;
        for (size_t j = 0; j < n; j += 2) {
            const bool pair = j + 1 < n;
            if (rows == 4 && pair)
                dots_block(4, 2, k, a, lda, b + j * ldb, ldb, bias + j, c + j, ldc);
            else if (rows == 4)
                dots_block(4, 1, k, a, lda, b + j * ldb, ldb, bias + j, c + j, ldc);
            else if (pair)
                dots_block(1, 2, k, a, lda, b + j * ldb, ldb, bias + j, c + j, ldc);
            else
                dots_block(1, 1, k, a, lda, b + j * ldb, ldb, bias + j, c + j, ldc);
        }
        a += rows * lda;
        c += rows * ldc;
    }
}

/* ------------------------------------------------------------------ transpose */

/* Four rows of `from` become four columns of `to`. */
static INLINE void transpose_block(const float *from, size_t from_ld, float *to, size_t to_ld) {
    vector4 a = *(const vector4 *)from, b = *(const vector4 *)(from + from_ld);
    vector4 c = *(const vector4 *)(from + 2 * from_ld), d = *(const vector4 *)(from + 3 * from_ld);
    vector4 ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    vector4 ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    vector4 cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    vector4 cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    *(vector4 *)to = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
    *(vector4 *)(to + to_ld) = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
    *(vector4 *)(to + 2 * to_ld) = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
    *(vector4 *)(to + 3 * to_ld) = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
}

static void transpose(size_t rows, size_t cols, const float *from, size_t from_ld, float *to,
                      size_t to_ld) {
    size_t whole_rows = rows / 4 * 4, whole_cols = cols / 4 * 4;
    for (size_t j = 0; j < whole_cols; j += 4)
        for (size_t i = 0; i < whole_rows; i += 4)
            transpose_block(from + i * from_ld + j, from_ld, to + j * to_ld + i, to_ld);
    for (size_t j = 0; j < cols; j++)
        for (size_t i = j < whole_cols ? whole_rows : 0; i < rows; i++)
            to[j * to_ld + i] = from[i * from_ld + j];
}

/* ------------------------------------------------------------------ activation */

/* n elements; e may be NULL, and so may d. At each call the compiler knows whether they are, so the
 * loop has no branches. */
static INLINE void activate_row(size_t n, const float *z, const float *e, bool multiply, float *h,
                                float *d) {
    for (size_t j = 0; j < n; j += W) {
        vector u = load(z + j);
        if (e)
            u = multiply ? u * load(e + j) : u + load(e + j);
        vector q = vector_one_plus_exp(u);
        if (!d) {
            store(h + j, u / q);
            continue;
        }
        vector s = 1.0f / q;
        vector y = u * s;
        store(h + j, y);
        store(d + j, s + y * (1.0f - s));
    }
}

static void activate(size_t rows, size_t cols, const float *z, const float *e, const int32_t *slot,
                     bool multiply, float *h, float *d) {
    if (!e) {
        activate_row(rows * cols, z, NULL, false, h, NULL);
        return;
    }
    for (size_t i = 0; i < rows; i++, z += cols, h += cols) {
        const float *row = e + (size_t)slot[i] * cols;
        if (!d)
            activate_row(cols, z, row, multiply, h, NULL);
        else if (multiply)
            activate_row(cols, z, row, true, h, d + i * cols);
        else
            activate_row(cols, z, row, false, h, d + i * cols);
    }
}

static void activate_backward(size_t rows, size_t cols, const float *g, float *d, float *z,
                              const float *e, const int32_t *slot, bool multiply) {
    for (size_t i = 0; i < rows; i++, g += cols, d += cols, z += cols) {
        const float *row = e + (size_t)slot[i] * cols;
        for (size_t j = 0; j < cols; j += W) {
            vector du = load(g + j) * load(d + j);
            if (multiply) {
                store(z + j, du * load(z + j));
                du = du * load(row + j);
            }
            store(d + j, du);
        }
    }
}

/* The last vector of a row's columns goes beyond them, into the next columns. Those are written
 * later: vectors go from the last to the first, and each goes through the columns from left to
 * right. */
static void fourier(size_t rows, size_t cols, int octaves, const float *x, float *out, size_t ld) {
    for (size_t i = 0; i < rows; i++, x += cols, out += ld) {
        memcpy(out, x, cols * sizeof *x);
        for (size_t j = octaves > 0 ? (cols + W - 1) / W * W : 0; j > 0;) {
            vector sine, cosine;
            float *to = out + (j -= W);
            vector_sin_cos_3(load(to), &sine, &cosine);
            for (int octave = 0; octave < octaves; octave++) {
                store(to += cols, sine);
                store(to += cols, cosine);
                const vector twice = sine + sine, before = cosine;
                cosine = 1.0f - twice * sine;
                sine = twice * before;
            }
        }
    }
}

/* The share of an interval low..high of N(0, 1), from the shares beyond its ends: the difference of two
 * small numbers where both ends are on one side, so that it has its digits however far out. */
static INLINE vector share_between(vector low, vector high, vector beyond_low, vector beyond_high) {
    const vector around = 1.0f - beyond_low - beyond_high;
    const vector left = choose(high <= 0.0f, beyond_high - beyond_low, around);
    return vector_max(splat(0), choose(low >= 0.0f, beyond_low - beyond_high, left));
}

/* Of each interval: its probability, and the integral of the standardized z over it, both times
 * exp(logit). What there is to know of the end of each comes first, in arrays of which the element
 * before an interval's is that of its start. The mean over an interval lies within it, whatever the
 * rounding. */
static INLINE void weigh_levels(size_t count, const int32_t *column, const float *ends,
                                const float *inner, const float *centers, float tightness,
                                const float *logits, float *shares, float *moments) {
    static const float FAR = 1e30f;
    float at[KERNELS_MAX_LEVELS + W + 1];
    float beyond_at[KERNELS_MAX_LEVELS + W + 1], density_at[KERNELS_MAX_LEVELS + W + 1];
    at[0] = beyond_at[0] = density_at[0] = 0;
    for (size_t k = 0; k < count; k += W) {
        float center[W];
        for (size_t lane = 0; lane < W; lane++)
            center[lane] = centers[column[k + lane]];
        const vector end = vector_min(splat(FAR), (load(ends + k) - load(center)) * tightness);
        vector beyond, density = vector_normal(end, &beyond);
        store(at + 1 + k, end);
        store(beyond_at + 1 + k, beyond);
        store(density_at + 1 + k, density);
    }
    for (size_t k = 0; k < count; k += W) {
        const vector logit = vector_max(splat(-KERNELS_MAX_LOGIT),
                                        vector_min(splat(KERNELS_MAX_LOGIT), load(logits + k)));
        const vector weight = vector_exp_minus(-logit), keep = load(inner + k);
        const vector low = keep * load(at + k) - (1 - keep) * FAR, high = load(at + 1 + k);
        const vector share =
            share_between(low, high, keep * load(beyond_at + k), load(beyond_at + 1 + k));
        const vector moment = keep * load(density_at + k) - load(density_at + 1 + k);
        store(shares + k, weight * share);
        store(moments + k, weight * vector_max(low * share, vector_min(high * share, moment)));
    }
}

static void levels(size_t dim, const int32_t *first, const int32_t *column, const float *ends,
                   const float *inner, const float *centers, float tightness, const float *logits,
                   float *means, float scale, float *rates) {
    float shares[KERNELS_MAX_LEVELS + W], moments[KERNELS_MAX_LEVELS + W];
    weigh_levels((size_t)first[dim], column, ends, inner, centers, tightness, logits, shares,
                 moments);
    for (size_t j = 0; j < dim; j++) {
        const int32_t start = first[j], end = first[j + 1];
        float sum = 0, moment = 0;
        if (end - start == 1) { /* the whole line */
            means[j] = 0;
            if (rates)
                rates[start] = 0;
            continue;
        }
        for (int32_t k = start; k < end; k++) {
            sum += shares[k];
            moment += moments[k];
        }
        const float inverse = 1 / sum, mean = moment * inverse, factor = scale * inverse;
        means[j] = mean;
        for (int32_t k = start; rates && k < end; k++)
            rates[k] = factor * (moments[k] - shares[k] * mean);
    }
}

/* The sums of `vectors` columns of vectors side by side, which hides the latency of an addition. */
static INLINE void sum_columns(const size_t vectors, size_t rows, size_t ld, const float *a,
                               float *sums) {
    vector sum[2];
#pragma GCC unroll 2
    for (size_t j = 0; j < vectors; j++)
        sum[j] = load(sums + j * W);
    for (; rows > 0; rows--, a += ld)
#pragma GCC unroll 2
        for (size_t j = 0; j < vectors; j++)
            sum[j] += load(a + j * W);
#pragma GCC unroll 2
    for (size_t j = 0; j < vectors; j++)
        store(sums + j * W, sum[j]);
}

static void column_sums(size_t rows, size_t cols, size_t ld, const float *a, float *sums) {
    size_t j = 0;
    for (; j + 2 * W <= cols; j += 2 * W)
        sum_columns(2, rows, ld, a + j, sums + j);
    if (j < cols)
        sum_columns(1, rows, ld, a + j, sums + j);
}

static void add_rows(size_t rows, size_t cols, size_t ld, const float *from, const int32_t *slot,
                     float *to) {
    for (size_t i = 0; i < rows; i++, from += ld) {
        float *row = to + (size_t)slot[i] * ld;
        for (size_t j = 0; j < cols; j += W)
            store(row + j, load(row + j) + load(from + j));
    }
}

/* ------------------------------------------------------------------ optimizer */

/* Independent sums hide the latency of an addition. They are often added to a double, so that no
 * digits are lost. */
static double sum_squares(size_t n, const float *a) {
    enum { CHAINS = 4, RUN = 64 * CHAINS * W };
    double total = 0;
    while (n > 0) {
        vector sum[CHAINS] = {{0}};
        size_t run = n < RUN ? n : RUN, i = 0;
        for (; i + CHAINS * W <= run; i += CHAINS * W)
            for (size_t chain = 0; chain < CHAINS; chain++) {
                vector x = load(a + i + chain * W);
                sum[chain] += x * x;
            }
        for (; i < run; i += W)
            sum[0] += load(a + i) * load(a + i);
        vector all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
        for (int j = 0; j < W; j++)
            total += (double)all[j];
        a += run;
        n -= run;
    }
    return total;
}

static void adam(size_t n, float *parameters, const float *gradients, float *m, float *v,
                 const struct adam_step *pointer) {
    const struct adam_step step = *pointer; /* the stores below cannot change a copy */
    const float rate = step.learning_rate * step.correction1;
    for (size_t i = 0; i < n; i += W) {
        vector g = load(gradients + i) * step.scale;
        vector first = load(m + i) + step.rate1 * (g - load(m + i));
        vector second = load(v + i) + step.rate2 * (g * g - load(v + i));
        vector denominator = vector_sqrt(second * step.correction2) + step.epsilon;
        store(m + i, first);
        store(v + i, second);
        store(parameters + i, load(parameters + i) * step.keep - rate * first / denominator);
    }
}

static void average(size_t n, float *mean, const float *parameters, float decay) {
    for (size_t i = 0; i < n; i += W)
        store(mean + i, load(mean + i) + (1.0f - decay) * (load(parameters + i) - load(mean + i)));
}

/* ------------------------------------------------------------------ random normals */

enum { LANES = NORMALS_GROUP / 4 };

static void philox(uint64_t seed, uint32_t stream, uint32_t step, uint64_t group,
                   uint32_t words[4][LANES]) {
    uint32_t *c0 = words[0], *c1 = words[1], *c2 = words[2], *c3 = words[3];
    for (uint32_t lane = 0; lane < LANES; lane++) {
        uint64_t index = group * LANES + lane;
        c0[lane] = (uint32_t)index;
        c1[lane] = (uint32_t)(index >> 32);
        c2[lane] = step;
        c3[lane] = stream;
    }
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++, k0 += PHILOX_W0, k1 += PHILOX_W1) {
        for (int lane = 0; lane < LANES; lane++) {
            uint64_t p0 = (uint64_t)PHILOX_M0 * c0[lane], p1 = (uint64_t)PHILOX_M1 * c2[lane];
            c0[lane] = (uint32_t)(p1 >> 32) ^ c1[lane] ^ k0;
            c1[lane] = (uint32_t)p1;
            c2[lane] = (uint32_t)(p0 >> 32) ^ c3[lane] ^ k1;
            c3[lane] = (uint32_t)p0;
        }
    }
}

/* Box-Muller on vectors of words: radius from the first, angle from the second. */
static INLINE void box_muller(ivector first, ivector second, float *cosine, float *sine) {
    /* (0, 1]: 31 bits, half a step up, so that the logarithm is finite */
    vector u = __builtin_convertvector(first & 0x7fffffff, vector) * 0x1p-31f + 0x1p-32f;
    vector radius = vector_sqrt(-2.0f * vector_log(u));
    /* the angle in quarter turns, in [-2, 2): a whole number of them and a rest in [-1/2, 1/2] */
    vector turns = __builtin_convertvector(second, vector) * 0x1p-30f;
    const vector shifter = splat(0x1.8p23f);
    vector shifted = turns + shifter;
    vector rest = turns - (shifted - shifter);
    vector s, c;
    vector_turn((ivector)shifted, rest, &s, &c);
    store(cosine, radius * c);
    store(sine, radius * s);
}

static void normals(uint64_t seed, uint32_t stream, uint32_t step, uint64_t group, float *out) {
    uint32_t words[4][LANES];
    philox(seed, stream, step, group, words);
    for (int pair = 0; pair < 4; pair += 2)
        for (int lane = 0; lane < LANES; lane += W)
            box_muller(*(const ivector *)(words[pair] + lane),
                       *(const ivector *)(words[pair + 1] + lane), out + pair * LANES + lane,
                       out + (pair + 1) * LANES + lane);
}

/* ------------------------------------------------------------------ normal scores */

static INLINE vector polynomial(const float *factors, vector x) {
    vector sum = splat(factors[0]);
#pragma GCC unroll 8
    for (int i = 1; i < 9; i++)
        sum = sum * x + factors[i];
    return sum;
}

/* Phi^-1 of the share `low`, given also `high` = 1 - low, because one of them is exact near each
 * end: sqrt(2) erf^-1(low - high) (Giles 2012, "Approximating the erfinv function"). */
static INLINE vector score(vector low, vector high) {
    static const float center[9] = {2.81022636e-08f,  3.43273939e-07f, -3.5233877e-06f,
                                    -4.39150654e-06f, 0.00021858087f,  -0.00125372503f,
                                    -0.00417768164f,  0.246640727f,    1.50140941f};
    static const float tail[9] = {-0.000200214257f, 0.000100950558f, 0.00134934322f,
                                  -0.00367342844f,  0.00573950773f,  -0.0076224613f,
                                  0.00943887047f,   1.00167406f,     2.83297682f};
    const vector w = -vector_log(4.0f * low * high), root = vector_sqrt(w);
    const ivector is_tail = w >= 5.0f;
    const vector factor =
        choose(is_tail, polynomial(tail, root - 3.0f), polynomial(center, w - 2.5f));
    return (float)M_SQRT2 * factor * (low - high);
}

static void scores(uint64_t seed, uint32_t stream, uint32_t step, uint64_t group,
                   const int32_t *below, const int32_t *count, float n, float scale, float *out) {
    uint32_t words[4][LANES];
    philox(seed, stream, step, group, words);
    for (int at = 0; at < NORMALS_GROUP; at += W) {
        const ivector word = *(const ivector *)(words[at / LANES] + at % LANES) & 0x7fffffff;
        const vector place = __builtin_convertvector(word, vector) * 0x1p-31f * 0.998f + 0.001f;
        const vector rest = /* 1 - place, without its rounding error */
            __builtin_convertvector(0x7fffffff - word, vector) * 0x1p-31f * 0.998f + 0.001f;
        const vector lower = __builtin_convertvector(*(const ivector *)(below + at), vector);
        const vector own = __builtin_convertvector(*(const ivector *)(count + at), vector);
        const vector low = (lower + own * place) / n;
        const vector high = ((n - lower - own) + own * rest) / n;
        store(out + at, scale * score(low, high));
    }
}

/* ------------------------------------------------------------------ the table */

#define JOIN2(a, b) a##b
#define JOIN(a, b)  JOIN2(a, b)
#define TEXT2(a)    #a
#define TEXT(a)     TEXT2(a)

extern const struct kernels JOIN(kernels_, KERNELS_VARIANT);
const struct kernels JOIN(kernels_, KERNELS_VARIANT) = {
    .name = TEXT(KERNELS_VARIANT),
    .gemm = gemm,
    .dots = dots,
    .transpose = transpose,
    .activate = activate,
    .activate_backward = activate_backward,
    .fourier = fourier,
    .levels = levels,
    .add_rows = add_rows,
    .column_sums = column_sums,
    .sum_squares = sum_squares,
    .adam = adam,
    .average = average,
    .normals = normals,
    .scores = scores,
};
