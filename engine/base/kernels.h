/*
 * kernels.h - the inner loops that must be fast.
 *
 * kernels_impl.c is compiled once for each instruction set. What computes has a pointer to the table
 * of its variant, so that one program can use several at once; kernels_get() gives the default. A
 * kernel takes pointers, sizes and strides; it allocates nothing, knows nothing about networks, and
 * has no state. All matrices are float, row-major, with a leading dimension (floats
 * from row to row). Column counts are padded (kernels_pad) and the padding holds zeros, so that
 * kernels never meet half a vector.
 */
#ifndef ENGINE_BASE_KERNELS_H
#define ENGINE_BASE_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/denoise.h"

/* Philox4x32-10 constants. */
#define PHILOX_M0 0xD2511F53u
#define PHILOX_M1 0xCD9E8D57u
#define PHILOX_W0 0x9E3779B9u
#define PHILOX_W1 0xBB67AE85u

/* Normals come in groups, made from NORMALS_GROUP / 4 consecutive Philox blocks. Word w of block b
 * (b counted in the group) becomes element w * NORMALS_GROUP / 4 + b, so that a group is made
 * without moving words between vector lanes. */
enum { NORMALS_GROUP = 64 };

/* Of the kernel `levels`; a logit beyond its limit, on either side, counts as the limit. */
enum { KERNELS_MAX_LEVELS = 1024, KERNELS_MAX_LOGIT = 10 };

/* Added to the mean of squares by the kernel `norm`. */
#define NORM_EPSILON 1e-5f

/* Adam (Kingma & Ba 2015) at one step; corrections are 1 / (1 - beta^step). */
struct adam_step {
    float learning_rate, epsilon;
    float rate1, rate2; /* 1 - beta: how fast the moments follow the gradient */
    float correction1, correction2;
    float scale;  /* multiplies the gradient first: clipping */
    float keep;   /* multiplies the parameters first: weight decay */
    float follow; /* how fast the average follows the parameters: 1 - its decay */
};

struct kernels {
    const char *name;

    /* Columns of B, 16 or a power of 2 times that, that gemm takes at once. It copies the rows of a wider B
     * next to each other, if m is large. */
    size_t panel;

    /* C [m][n] = init + A B, with A(i,k) = a[i * a_row + k * a_col], where one of a_row and a_col is
     * 1, and B [k][n]. init is the row `bias` [n] for every row if bias is not NULL; else C itself if
     * accumulate; else 0. n is padded. */
    void (*gemm)(size_t m, size_t n, size_t k, const float *a, size_t a_row, size_t a_col,
                 const float *b, size_t ldb, float *c, size_t ldc, const float *bias,
                 bool accumulate);

    /* C [m][n] = bias [n] + A B^T, with A [m][k] and B [n][k]: for few columns n. k is padded. */
    void (*dots)(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                 size_t ldb, const float *bias, float *c, size_t ldc);

    /* Products of some rows: each row i < 64 of C [..][n], of which bit i of `which` is set, += start
     * [n], unless it is NULL, and then the sum over f < m of A(i, f) times row f of B, in the order of
     * f. A(i, f) = a[i * a_row + f * a_col]; the rows of B and C are b_row and c_row floats apart. m is
     * 1, 3, 5, 7 or 9; n is padded. */
    void (*add_products)(uint64_t which, size_t m, size_t n, const float *a, size_t a_row,
                         size_t a_col, const float *b, size_t b_row, const float *start, float *c,
                         size_t c_row);

    /* The gradients of that: row f of C, for f < m, += the sum over those rows i of A(i, f) times row i
     * of B; and sums [n], unless it is NULL, += the sum of those rows of B; in the order of i. */
    void (*add_outer)(uint64_t which, size_t m, size_t n, const float *a, size_t a_row,
                      size_t a_col, const float *b, size_t b_row, float *sums, float *c,
                      size_t c_row);

    /* to [cols][rows] = the transpose of from [rows][cols]; the rest of a row of `to` does not
     * change. */
    void (*transpose)(size_t rows, size_t cols, const float *from, size_t from_ld, float *to,
                      size_t to_ld);

    /* u = z + e[slot] (or z * e[slot]; or z if e is NULL, and then d must be NULL); h = swish(u) =
     * u sigmoid(u); d = swish'(u) unless d is NULL. z, h, d [rows][cols], e [..][cols]; all leading
     * dimensions are cols. h may be z. */
    void (*activate)(size_t rows, size_t cols, const float *z, const float *e, const int32_t *slot,
                     bool multiply, float *h, float *d);

    /* The backward pass, with g = dloss/dh: d becomes dloss/dz. If multiply, z becomes the points'
     * parts of dloss/de; else those are dloss/dz, and z does not change. Shapes as above. */
    void (*activate_backward)(size_t rows, size_t cols, const float *g, float *d, float *z,
                              const float *e, const int32_t *slot, bool multiply);

    /* Fourier features: copies x [rows][cols], which is contiguous, to the first columns of `out`,
     * and writes sin(w x) and cos(w x), cols columns each, for w = 3, 6, 12, .. of each octave. An x
     * beyond 1000 has the features of 1000. With octaves, ld is at least (1 + 2 octaves) cols + 15,
     * and columns after the features become anything. */
    void (*fourier)(size_t rows, size_t cols, int octaves, const float *x, float *out, size_t ld);

    /* For each of dim coordinates, whose intervals are first[j]..first[j+1]-1 of all (up to
     * KERNELS_MAX_LEVELS): the mean of (z - centers[j]) tightness, where z is N(centers[j],
     * 1/tightness^2), and its density is weighted in interval k by exp(logits[k]), with logits
     * clamped to KERNELS_MAX_LOGIT. ends[k] is the upper end of an interval, inner[k] 0 for the first of a
     * coordinate (column[k]) and 1 for the others. rates: the means' derivatives by the clamped
     * logits, times `scale`; may be NULL. Arrays over intervals are padded. */
    void (*levels)(size_t dim, const int32_t *first, const int32_t *column, const float *ends,
                   const float *inner, const float *centers, float tightness, const float *logits,
                   float *means, float scale, float *rates);

    /* Row slot[i] of `to` += row i of `from` [rows][cols], in the order of i; both have ld. */
    void (*add_rows)(size_t rows, size_t cols, size_t ld, const float *from, const int32_t *slot,
                     float *to);

    /* Of each pair of rows a, b of `from` [2 pairs][cols], with two factors s, c: s a + c b and
     * c a - s b, into the same rows of `to`, which may be `from`. */
    void (*turn)(size_t pairs, size_t cols, size_t ld, const float *factors, const float *from,
                 float *to);

    /* a and b [rows][cols] become a + b and a - b. */
    void (*butterfly)(size_t rows, size_t cols, size_t ld, float *a, float *b);

    /* sums [cols] += the sum over rows of a [rows][cols]. */
    void (*column_sums)(size_t rows, size_t cols, size_t ld, const float *a, float *sums);

    /* Sum of squares of a [n], in a fixed order. n is padded. */
    double (*sum_squares)(size_t n, const float *a);

    /* One optimizer step on n (padded) parameters, and then, unless average is NULL, average +=
     * step->follow (parameters - average). */
    void (*adam)(size_t n, float *parameters, const float *gradients, float *m, float *v,
                 float *average, const struct adam_step *step);

    /* The group of NORMALS_GROUP normals with this index, by Box-Muller: words 0 and 1 of a block
     * make one pair (cosine first), words 2 and 3 the other. */
    void (*normals)(uint64_t seed, uint32_t stream, uint32_t step, uint64_t group, float *out);

    /* NORMALS_GROUP normal scores: out = scale Phi^-1(u), with u uniform in the middle 99.8% of
     * below / n .. (below + count) / n. Word w of block b of the group draws the element
     * w * NORMALS_GROUP / 4 + b. Phi^-1 has an absolute error below 1e-5 up to 5, and
     * below 5e-4 up to 6. */
    void (*scores)(uint64_t seed, uint32_t stream, uint32_t step, uint64_t group,
                   const int32_t *below, const int32_t *count, float n, float scale, float *out);

    /* The transforms of the convolution in engine/network/conv.h, which has the equations. Each handles
     * the row `row` of the ceil(height / 2) rows of tiles of one image [height][width][channels], with
     * ceil(width / 2) tiles. The 16 numbers that a tile has in a channel are `plane` floats apart:
     * [16][tiles][channels], of which the pointers give the first tile of the row. Channels are padded. */
    void (*tiles_in)(size_t height, size_t width, size_t channels, size_t row, const float *image,
                     float *tiles, size_t plane);
    /* The pixels of those tiles become products + plus, an image that may be the same one; NULL: nothing. */
    void (*tiles_out)(size_t height, size_t width, size_t channels, size_t row,
                      const float *products, size_t plane, const float *plus, float *image);
    /* The gradients of the two. Going backward from tiles_in, a pixel is a sum over up to four tiles:
     * image is complete after the last row, and the rows are to be called in order. */
    void (*tiles_out_backward)(size_t height, size_t width, size_t channels, size_t row,
                               const float *image, float *tiles, size_t plane);
    void (*tiles_in_backward)(size_t height, size_t width, size_t channels, size_t row,
                              const float *tiles, size_t plane, float *image);

    /* RMS norm over the columns (Zhang & Sennrich 2019), scaled, shifted, and activated: rates =
     * 1 / sqrt(mean of x^2 + NORM_EPSILON); u = x rate gain (1 + a) + b; h = swish(u); d = swish'(u)
     * unless d is NULL. x, h, d [rows][cols]; rates [rows]; gain, a, b [cols]; a and b, or neither, may
     * be NULL, which is 0. h may be x. cols is padded, and all columns count. */
    void (*norm)(size_t rows, size_t cols, const float *x, const float *gain, const float *a,
                 const float *b, float *rates, float *h, float *d);
    /* The backward pass, with g = dloss/dh and what `norm` read and wrote: dx = dloss/dx, or += if add;
     * sums [3][cols] = dloss/dgain, dloss/da, dloss/db, each the sum over the rows in order. dx may be
     * g, unless add. */
    void (*norm_backward)(size_t rows, size_t cols, const float *g, const float *d, const float *x,
                          const float *rates, const float *gain, const float *a, bool add,
                          float *dx, float *sums);
};

/* The default variant: the best one that the CPU has, or that of dn_kernels_use. */
const struct kernels *kernels_get(void);

/* The variant of this name. DN_INVALID, and *out does not change: it is unknown, or the CPU lacks
 * it. */
enum dn_status kernels_find(const char *name, const struct kernels **out, struct dn_error *error);

/* The variants that were built, best first, NULL-terminated, and whether this CPU has one. For
 * tests and benchmarks. */
extern const struct kernels *const kernels_built[];
bool kernels_supported(const struct kernels *kernels);

/* Columns with padding: a multiple of 16, the widest vector. */
static inline size_t kernels_pad(size_t columns) {
    return (columns + 15) / 16 * 16;
}

/* Zeroed, 64-byte aligned floats; NULL when out of memory. Freed with free(). */
float *floats_new(size_t count);
size_t floats_bytes(size_t count); /* bytes allocated; SIZE_MAX: too many */

#endif
