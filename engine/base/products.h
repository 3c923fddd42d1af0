/*
 * products.h - products of matrices: the kernels `gemm`, `dots`, `add_products` and
 * `add_outer`.
 *
 * Only kernels_impl.c includes it, once for each instruction set. Each element of a product is summed
 * in the order of k, whatever the shapes below.
 */
#ifndef ENGINE_BASE_PRODUCTS_H
#define ENGINE_BASE_PRODUCTS_H

#include "engine/base/vectors.h"

/* ------------------------------------------------------------------ gemm */

/* Keeps a pointer in a register of its own. Otherwise the compiler would make the address of each row of
 * a tile ahead, and there are more of those than registers. */
#define IN_REGISTER(pointer) __asm__("" : "+r"(pointer))

/* C [rows][columns * W] += A B, with all of C in registers: each step multiplies a row of B with
 * one element of each row of A. rows and columns are constants at each call, so loops unroll. There is a
 * pointer for every three rows of A, because an address can have 0, 1 or 2 times a stride. */
static INLINE void micro(const size_t rows, const size_t columns, size_t k, const float *a,
                         size_t a_row, size_t a_col, const float *b, size_t ldb, float *c,
                         size_t ldc, const float *bias, bool accumulate) {
    enum { MAX_ROWS = 12 };
    vector sum[MAX_ROWS][4];
    const size_t group = a_row == 1 ? MAX_ROWS : 3;
    const float *from[MAX_ROWS / 3];
    float *to = c;
    UNROLL
    for (size_t i = 0; i < rows; i += group)
        from[i / group] = a + i * a_row;
    UNROLL
    for (size_t i = 0; i < rows; i++, to += ldc) {
        IN_REGISTER(to);
        UNROLL
        for (size_t j = 0; j < columns; j++)
            sum[i][j] = bias ? load(bias + j * W) : accumulate ? load(to + j * W) : (vector){0};
    }
    for (; k > 0; k--, b += ldb) {
        vector row[4];
        UNROLL
        for (size_t j = 0; j < columns; j++)
            row[j] = load(b + j * W);
        UNROLL
        for (size_t i = 0; i < rows; i++) {
            float x = from[i / group][i % group * a_row];
            UNROLL
            for (size_t j = 0; j < columns; j++)
                sum[i][j] += x * row[j];
        }
        UNROLL
        for (size_t i = 0; i < rows; i += group) {
            from[i / group] += a_col;
            IN_REGISTER(from[i / group]);
        }
    }
    UNROLL
    for (size_t i = 0; i < rows; i++, c += ldc) {
        IN_REGISTER(c);
        UNROLL
        for (size_t j = 0; j < columns; j++)
            store(c + j * W, sum[i][j]);
    }
}

/* The arguments of a product of which C has the columns of one panel. */
struct product {
    size_t m, k;
    const float *a;
    size_t a_row, a_col;
    const float *b;
    size_t ldb;
    float *c;
    size_t ldc;
    const float *bias;
    bool accumulate;
};

/* All rows of a panel, at most MAX at a time, in tiles of about the same size: tiles of 5 and 6 rows
 * keep the multipliers busier than tiles of 6 and a last one of 2. One of the strides of A is 1; the
 * compiler is told which, because otherwise the addresses of 12 rows do not fit the registers. */
#define TILE(MAX, COLUMNS, N)                                                                      \
    case N:                                                                                        \
        if (N <= MAX)                                                                              \
            micro(N <= MAX ? N : MAX, COLUMNS, p.k, p.a, p.a_row, p.a_col, p.b, p.ldb, p.c, p.ldc, \
                  p.bias, p.accumulate);                                                           \
        break;
#define DEFINE_PANEL(NAME, MAX, COLUMNS)                                                           \
    static INLINE void NAME##_tiles(struct product p) {                                            \
        for (size_t tiles = (p.m + MAX - 1) / MAX; tiles > 0; tiles--) {                           \
            const size_t rows = (p.m + tiles - 1) / tiles;                                         \
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
            p.m -= rows;                                                                           \
            p.a += rows * p.a_row;                                                                 \
            p.c += rows * p.ldc;                                                                   \
        }                                                                                          \
    }                                                                                              \
    static void NAME(const struct product *product) {                                              \
        struct product p = *product;                                                               \
        if (p.a_row == 1) {                                                                        \
            p.a_row = 1;                                                                           \
            NAME##_tiles(p);                                                                       \
        } else {                                                                                   \
            p.a_col = 1;                                                                           \
            NAME##_tiles(p);                                                                       \
        }                                                                                          \
    }

/* The micro-kernel keeps rows x columns vectors of C in registers, with room left for a row of B.
 * Besides the number of multiply-adds in flight, the number of loads matters: 12 multiply-adds need
 * 7 loads as 3 x 4 but 8 as 6 x 2, and on Zen 3 this is the difference between 95% and 82% of the
 * peak. A narrow panel takes what is left of the columns. */
#if defined(__AVX512F__)
DEFINE_PANEL(panel_6_by_4, 6, 4)
DEFINE_PANEL(panel_12_by_2, 12, 2)
DEFINE_PANEL(panel_12_by_1, 12, 1)
#elif defined(__AVX2__)
DEFINE_PANEL(panel_3_by_4, 3, 4)
DEFINE_PANEL(panel_6_by_2, 6, 2)
#elif defined(__aarch64__)
DEFINE_PANEL(panel_6_by_4, 6, 4)
#else
DEFINE_PANEL(panel_3_by_4, 3, 4)
#endif

enum { WIDEST = 4 * W };
static const struct panel {
    size_t columns;
    void (*multiply)(const struct product *product);
} panels[] = {
#if defined(__AVX512F__)
    {WIDEST, panel_6_by_4},
    {2 * W, panel_12_by_2},
    {W, panel_12_by_1},
#elif defined(__AVX2__)
    {WIDEST, panel_3_by_4},
    {2 * W, panel_6_by_2},
#elif defined(__aarch64__)
    {WIDEST, panel_6_by_4},
#else
    {WIDEST, panel_3_by_4},
#endif
};

/* Copies the rows of a panel of B next to each other: with the stride of a large matrix they would
 * share few sets of the first-level cache and evict each other. */
enum { PACKED = 8192, PACK_WORTH_ROWS = 24 };

static void panel_packed(const struct panel *panel, struct product p) {
    float packed[PACKED] __attribute__((aligned(64)));
    const size_t columns = panel->columns, most = PACKED / columns, k = p.k;
    const float *b = p.b;
    const size_t ldb = p.ldb;
    p.b = packed;
    p.ldb = columns;
    for (size_t done = 0; done < k; done += p.k) {
        p.k = k - done < most ? k - done : most;
        for (size_t i = 0; i < p.k; i++)
            for (size_t j = 0; j < columns; j += W)
                store(packed + i * columns + j, load(b + (done + i) * ldb + j));
        panel->multiply(&p);
        p.a += p.k * p.a_col;
        p.bias = NULL;
        p.accumulate = true;
    }
}

/* n is a multiple of 16. */
static void gemm(size_t m, size_t n, size_t k, const float *a, size_t a_row, size_t a_col,
                 const float *b, size_t ldb, float *c, size_t ldc, const float *bias,
                 bool accumulate) {
    struct product p = {m, k, a, a_row, a_col, b, ldb, c, ldc, bias, accumulate};
    for (const struct panel *panel = panels; n > 0; n -= panel->columns) {
        while (panel->columns > n)
            panel++;
        if (m >= PACK_WORTH_ROWS && ldb > panel->columns && k > 0)
            panel_packed(panel, p);
        else
            panel->multiply(&p);
        p.b += panel->columns;
        p.c += panel->columns;
        if (bias)
            p.bias += panel->columns;
    }
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

/* The columns of a block: with 32 registers, four columns need fewer loads. */
#if defined(__AVX512F__) || defined(__aarch64__)
enum { DOTS_COLUMNS = 4 };
#else
enum { DOTS_COLUMNS = 2 };
#endif

/* rows x columns of C; both are constants at each call. */
static INLINE void dots_block(const size_t rows, const size_t columns, size_t k, const float *a,
                              size_t lda, const float *b, size_t ldb, const float *bias, float *c,
                              size_t ldc) {
    vector sum[4][4] = {{{0}}};
    for (size_t q = 0; q < k; q += W) {
        UNROLL
        for (size_t i = 0; i < rows; i++) {
            vector x = load(a + i * lda + q);
            UNROLL
            for (size_t j = 0; j < columns; j++)
                sum[i][j] += x * load(b + j * ldb + q);
        }
    }
    if (columns == 4) {
        UNROLL
        for (size_t i = 0; i < rows; i++)
            *(vector4 *)(c + i * ldc) =
                four_sums(sum[i][0], sum[i][1], sum[i][2], sum[i][3]) + *(const vector4 *)bias;
        return;
    }
    UNROLL
    for (size_t j = 0; j < columns; j++) {
        vector4 sums = four_sums(sum[0][j], sum[1][j], sum[2][j], sum[3][j]) + bias[j];
        UNROLL
        for (size_t i = 0; i < rows; i++)
            c[i * ldc + j] = sums[i];
    }
}

/* `rows` rows of C; a constant at each call. */
static INLINE void dots_rows(const size_t rows, size_t n, size_t k, const float *a, size_t lda,
                             const float *b, size_t ldb, const float *bias, float *c, size_t ldc) {
    size_t j = 0;
    for (; j + DOTS_COLUMNS <= n; j += DOTS_COLUMNS)
        dots_block(rows, DOTS_COLUMNS, k, a, lda, b + j * ldb, ldb, bias + j, c + j, ldc);
    for (; j + 2 <= n; j += 2)
        dots_block(rows, 2, k, a, lda, b + j * ldb, ldb, bias + j, c + j, ldc);
    if (j < n)
        dots_block(rows, 1, k, a, lda, b + j * ldb, ldb, bias + j, c + j, ldc);
}

static void dots(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                 size_t ldb, const float *bias, float *c, size_t ldc) {
    for (; m >= 4; m -= 4, a += 4 * lda, c += 4 * ldc)
        dots_rows(4, n, k, a, lda, b, ldb, bias, c, ldc);
    for (; m > 0; m--, a += lda, c += ldc)
        dots_rows(1, n, k, a, lda, b, ldb, bias, c, ldc);
}

/* ------------------------------------------------------------------ some of the rows */

/* Vectors of columns that are taken together: as many as fit the registers with 9 rows of B. */
#if defined(__AVX512F__) || defined(__aarch64__)
enum { TOGETHER = 2 };
#else
enum { TOGETHER = 1 };
#endif

/* B stays in registers, and the rows of C pass by. */
static INLINE void products_panel(const size_t vectors, const size_t m, const bool starts,
                                  uint64_t which, const float *a, size_t a_row, size_t a_col,
                                  const float *b, size_t b_row, const float *start, float *c,
                                  size_t ldc) {
    vector factor[9][TOGETHER], first[TOGETHER];
    UNROLL
    for (size_t j = 0; j < vectors; j++) {
        first[j] = starts ? load(start + j * W) : (vector){0};
        UNROLL
        for (size_t f = 0; f < m; f++)
            factor[f][j] = load(b + f * b_row + j * W);
    }
    for (; which; which &= which - 1) {
        const size_t i = (size_t)__builtin_ctzll(which);
        const float *x = a + i * a_row;
        float *to = c + i * ldc;
        vector sum[TOGETHER];
        UNROLL
        for (size_t j = 0; j < vectors; j++)
            sum[j] = load(to + j * W);
        UNROLL
        for (size_t j = 0; starts && j < vectors; j++)
            sum[j] += first[j];
        UNROLL
        for (size_t f = 0; f < m; f++) {
            UNROLL
            for (size_t j = 0; j < vectors; j++)
                sum[j] += x[f * a_col] * factor[f][j];
        }
        UNROLL
        for (size_t j = 0; j < vectors; j++)
            store(to + j * W, sum[j]);
    }
}

/* C stays in registers, and the rows of A and B pass by. */
static INLINE void outer_panel(const size_t vectors, const size_t m, const bool starts,
                               uint64_t which, const float *a, size_t a_row, size_t a_col,
                               const float *b, size_t ldb, float *sums, float *c, size_t c_row) {
    vector sum[9][TOGETHER], all[TOGETHER];
    UNROLL
    for (size_t j = 0; j < vectors; j++) {
        all[j] = starts ? load(sums + j * W) : (vector){0};
        UNROLL
        for (size_t f = 0; f < m; f++)
            sum[f][j] = load(c + f * c_row + j * W);
    }
    for (; which; which &= which - 1) {
        const size_t i = (size_t)__builtin_ctzll(which);
        const float *x = a + i * a_row;
        UNROLL
        for (size_t j = 0; j < vectors; j++) {
            const vector row = load(b + i * ldb + j * W);
            if (starts)
                all[j] += row;
            UNROLL
            for (size_t f = 0; f < m; f++)
                sum[f][j] += x[f * a_col] * row;
        }
    }
    UNROLL
    for (size_t j = 0; j < vectors; j++) {
        if (starts)
            store(sums + j * W, all[j]);
        UNROLL
        for (size_t f = 0; f < m; f++)
            store(c + f * c_row + j * W, sum[f][j]);
    }
}

static INLINE void products_columns(const size_t m, const bool starts, uint64_t which, size_t n,
                                    const float *a, size_t a_row, size_t a_col, const float *b,
                                    size_t b_row, const float *start, float *c, size_t ldc) {
    size_t j = 0;
    for (; j + TOGETHER * W <= n; j += TOGETHER * W)
        products_panel(TOGETHER, m, starts, which, a, a_row, a_col, b + j, b_row,
                       starts ? start + j : NULL, c + j, ldc);
    for (; j < n; j += W)
        products_panel(1, m, starts, which, a, a_row, a_col, b + j, b_row,
                       starts ? start + j : NULL, c + j, ldc);
}

static INLINE void outer_columns(const size_t m, const bool starts, uint64_t which, size_t n,
                                 const float *a, size_t a_row, size_t a_col, const float *b,
                                 size_t ldb, float *sums, float *c, size_t c_row) {
    size_t j = 0;
    for (; j + TOGETHER * W <= n; j += TOGETHER * W)
        outer_panel(TOGETHER, m, starts, which, a, a_row, a_col, b + j, ldb,
                    starts ? sums + j : NULL, c + j, c_row);
    for (; j < n; j += W)
        outer_panel(1, m, starts, which, a, a_row, a_col, b + j, ldb, starts ? sums + j : NULL,
                    c + j, c_row);
}

/* The loops of each number of features, so that they unroll. */
#define CASE_OF(COLUMNS, M, EXTRA)                                                                 \
    case M:                                                                                        \
        if (EXTRA)                                                                                 \
            COLUMNS(M, true, which, n, a, a_row, a_col, b, b_row, EXTRA, c, c_row);                \
        else                                                                                       \
            COLUMNS(M, false, which, n, a, a_row, a_col, b, b_row, EXTRA, c, c_row);               \
        break;
#define CASES(COLUMNS, EXTRA)                                                                      \
    switch (m) {                                                                                   \
        CASE_OF(COLUMNS, 1, EXTRA)                                                                 \
        CASE_OF(COLUMNS, 3, EXTRA)                                                                 \
        CASE_OF(COLUMNS, 5, EXTRA)                                                                 \
        CASE_OF(COLUMNS, 7, EXTRA)                                                                 \
        CASE_OF(COLUMNS, 9, EXTRA)                                                                 \
    }

static void add_products(uint64_t which, size_t m, size_t n, const float *a, size_t a_row,
                         size_t a_col, const float *b, size_t b_row, const float *start, float *c,
                         size_t c_row) {
    CASES(products_columns, start)
}

static void add_outer(uint64_t which, size_t m, size_t n, const float *a, size_t a_row,
                      size_t a_col, const float *b, size_t b_row, float *sums, float *c,
                      size_t c_row) {
    CASES(outer_columns, sums)
}

#endif
