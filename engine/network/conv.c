/*
 * conv.c - a convolution as 16 products of matrices for each block of tiles.
 *
 * A block is a few rows of tiles, across images: small enough that its transformed pixels and its
 * products stay in the cache between the steps, and large enough that the planes of weights, which pass by
 * once for each block, do not take longer than the products.
 */
#include "engine/network/conv.h"

#include <string.h>

/* The fewest tiles of a block. */
enum { BLOCK_TILES = 24 };

/* The plane whose element of M is a part of all four pixels of Y = A^T M A, and of which the element of
 * dM = A dY A^T is therefore the sum of the four: the plane of the bias, which its product begins with. */
enum { PLANE_OF_BIAS = 5 };

static size_t rows_of(const struct conv *conv) {
    return ((size_t)conv->height + 1) / 2;
}

static size_t columns_of(const struct conv *conv) {
    return ((size_t)conv->width + 1) / 2;
}

/* Tiles of one image. */
static size_t tiles_of(const struct conv *conv) {
    return rows_of(conv) * columns_of(conv);
}

/* Floats from one plane of `tiles` tiles to the next: an odd number of cache lines. */
static size_t plane_floats(size_t tiles, int channels) {
    return (tiles * (size_t)channels / 16 | 1) * 16;
}

size_t conv_tiles_floats(const struct conv *conv, size_t images, int channels) {
    return CONV_PLANES * plane_floats(images * tiles_of(conv), channels);
}

/* Rows of tiles in a block. */
static size_t block_rows(const struct conv *conv) {
    return (BLOCK_TILES + columns_of(conv) - 1) / columns_of(conv);
}

size_t conv_scratch_floats(const struct conv *conv) {
    const size_t tiles = block_rows(conv) * columns_of(conv);
    return CONV_PLANES * (plane_floats(tiles, conv->in) + plane_floats(tiles, conv->out));
}

size_t conv_planes_floats(const struct conv *conv) {
    return (CONV_PLANES * (size_t)conv->in + 1) * (size_t)conv->out;
}

/* ------------------------------------------------------------------ weights */

/* The columns of the next panel of a plane of weights, of which `left` are left. A panel is contiguous, so
 * that its way from a distant cache is foreseen; otherwise that takes longer than the product, where 128
 * channels have a megabyte of planes. */
static size_t panel_columns(const struct kernels *kernels, size_t left) {
    size_t columns = kernels->panel;
    while (columns > left)
        columns /= 2;
    return columns;
}

/* Numbers of channels are multiples of this, a cache line. All that is to be done with one is done at once:
 * planes may be a multiple of 4096 bytes apart, so that the lines of one channel do not fit the first-level
 * cache together. */
enum { LINE = 16 };

/* G times three lines, or G^T times four, that are `from_step` apart. */
static void expand(const float *restrict from, size_t from_step, float *restrict to,
                   size_t to_step) {
    for (size_t i = 0; i < LINE; i++) {
        const float a = from[i], b = from[from_step + i], c = from[2 * from_step + i];
        to[i] = a;
        to[to_step + i] = 0.5f * (a + c) + 0.5f * b;
        to[2 * to_step + i] = 0.5f * (a + c) - 0.5f * b;
        to[3 * to_step + i] = c;
    }
}

static void contract(const float *restrict from, size_t from_step, float *restrict to,
                     size_t to_step) {
    for (size_t i = 0; i < LINE; i++) {
        const float a = from[i], b = from[from_step + i], c = from[2 * from_step + i],
                    d = from[3 * from_step + i];
        to[i] = a + 0.5f * (b + c);
        to[to_step + i] = 0.5f * (b - c);
        to[2 * to_step + i] = 0.5f * (b + c) + d;
    }
}

/* G g G^T of the weights between some input and output channels: `count` neighbors in each plane. */
static void expand_row(size_t count, const float *weight, size_t weight_plane, float *planes,
                       size_t plane) {
    for (size_t i = 0; i < count; i += LINE) {
        float half[4 * 3 * LINE]; /* G g */
        for (size_t column = 0; column < 3; column++)
            expand(weight + column * weight_plane + i, 3 * weight_plane, half + column * LINE,
                   3 * LINE);
        for (size_t row = 0; row < 4; row++)
            expand(half + 3 * row * LINE, LINE, planes + 4 * row * plane + i, plane);
    }
}

/* Each plane [in][out] in panels becomes a plane [out][in] in panels: blocks of both are transposed. */
static void transpose_planes(const struct kernels *kernels, size_t in, size_t out,
                             const float *forward, float *backward) {
    for (size_t p = 0; p < CONV_PLANES; p++, forward += in * out, backward += in * out)
        for (size_t o = 0, columns; o < out; o += columns) {
            columns = panel_columns(kernels, out - o);
            for (size_t i = 0, rows; i < in; i += rows) {
                rows = panel_columns(kernels, in - i);
                kernels->transpose(rows, columns, forward + in * o + i * columns, columns,
                                   backward + out * i + o * rows, rows);
            }
        }
}

void conv_prepare(const struct conv *conv, const struct kernels *kernels, const float *weight,
                  float *forward, float *backward) {
    const size_t in = (size_t)conv->in, out = (size_t)conv->out;
    for (size_t o = 0, columns; o < out; o += columns) {
        columns = panel_columns(kernels, out - o);
        for (size_t i = 0; i < in; i++)
            expand_row(columns, weight + i * out + o, in * out, forward + in * o + i * columns,
                       in * out);
    }
    if (backward)
        transpose_planes(kernels, in, out, forward, backward);
}

void conv_finish_weight(const struct conv *conv, const float *planes, float *weight, float *bias) {
    const size_t in = (size_t)conv->in, out = (size_t)conv->out, plane = in * out;
    for (size_t i = 0; i < plane; i += LINE) {
        float half[3 * 4 * LINE]; /* G^T dU */
        for (size_t column = 0; column < 4; column++)
            contract(planes + column * plane + i, 4 * plane, half + column * LINE, 4 * LINE);
        for (size_t row = 0; row < 3; row++)
            contract(half + 4 * row * LINE, LINE, weight + 3 * row * plane + i, plane);
    }
    for (size_t j = 0; j < out; j++)
        bias[j] = planes[CONV_PLANES * plane + j];
}

/* ------------------------------------------------------------------ images */

/* 16 planes of the tiles or products of a block. */
struct planes {
    float *at;
    size_t plane;
};

/* Those of the tiles from row of tiles `row` on, counted through all images. */
static struct planes planes_of(const struct conv *conv, size_t images, int channels, float *tiles,
                               size_t row) {
    return (struct planes){tiles + row * columns_of(conv) * (size_t)channels,
                           plane_floats(images * tiles_of(conv), channels)};
}

/* The two parts of the scratch memory: for a block of tiles with in and with out channels. */
static struct planes scratch_in(const struct conv *conv, float *scratch) {
    return (struct planes){scratch, plane_floats(block_rows(conv) * columns_of(conv), conv->in)};
}

static struct planes scratch_out(const struct conv *conv, float *scratch) {
    return (struct planes){scratch + CONV_PLANES * scratch_in(conv, NULL).plane,
                           plane_floats(block_rows(conv) * columns_of(conv), conv->out)};
}

/* Each plane of `to` [tiles][n] = that of `from` [tiles][k] times that of weights, which is in panels; one
 * plane of them + bias, unless that is NULL. */
static void multiply(const struct kernels *kernels, size_t tiles, size_t n, size_t k,
                     struct planes from, const float *weights, const float *bias,
                     struct planes to) {
    for (size_t p = 0; p < CONV_PLANES; p++)
        for (size_t at = 0, columns; at < n; at += columns, weights += k * columns) {
            columns = panel_columns(kernels, n - at);
            kernels->gemm(tiles, columns, k, from.at + p * from.plane, k, 1, weights, columns,
                          to.at + p * to.plane + at, n,
                          bias && p == PLANE_OF_BIAS ? bias + at : NULL, false);
        }
}

/* The rows of tiles from `row` on that are in the block, of those before `end`. */
static size_t block_count(const struct conv *conv, size_t row, size_t end) {
    const size_t most = block_rows(conv);
    return end - row < most ? end - row : most;
}

/* The offset of the image that has this row of tiles. */
static size_t image_of(const struct conv *conv, size_t row, int channels) {
    return row / rows_of(conv) * (size_t)(conv->height * conv->width * channels);
}

void conv_forward(const struct conv *conv, const struct kernels *kernels, size_t images,
                  size_t first, size_t n, const float *x, const float *forward, const float *bias,
                  const float *plus, float *tiles, float *scratch, float *y) {
    const size_t height = (size_t)conv->height, width = (size_t)conv->width;
    const size_t in = (size_t)conv->in, out = (size_t)conv->out;
    const size_t rows = rows_of(conv), columns = columns_of(conv), end = (first + n) * rows;
    const struct planes products = scratch_out(conv, scratch);
    for (size_t row = first * rows, count; row < end; row += count) {
        const struct planes v =
            tiles ? planes_of(conv, images, conv->in, tiles, row) : scratch_in(conv, scratch);
        count = block_count(conv, row, end);
        for (size_t r = 0; r < count; r++)
            kernels->tiles_in(height, width, in, (row + r) % rows,
                              x + image_of(conv, row + r, conv->in), v.at + r * columns * in,
                              v.plane);
        multiply(kernels, count * columns, out, in, v, forward, bias, products);
        for (size_t r = 0; r < count; r++) {
            const size_t image = image_of(conv, row + r, conv->out);
            kernels->tiles_out(height, width, out, (row + r) % rows,
                               products.at + r * columns * out, products.plane,
                               plus ? plus + image : NULL, y + image);
        }
    }
}

void conv_backward_input(const struct conv *conv, const struct kernels *kernels, size_t images,
                         size_t first, size_t n, const float *dy, const float *backward,
                         float *dy_tiles, float *scratch, float *dx) {
    const size_t height = (size_t)conv->height, width = (size_t)conv->width;
    const size_t in = (size_t)conv->in, out = (size_t)conv->out;
    const size_t rows = rows_of(conv), columns = columns_of(conv), end = (first + n) * rows;
    for (size_t row = first * rows, count; row < end; row += count) {
        const struct planes dm = planes_of(conv, images, conv->out, dy_tiles, row);
        count = block_count(conv, row, end);
        for (size_t r = 0; r < count; r++)
            kernels->tiles_out_backward(height, width, out, (row + r) % rows,
                                        dy + image_of(conv, row + r, conv->out),
                                        dm.at + r * columns * out, dm.plane);
        if (!dx)
            continue;
        const struct planes dv = scratch_in(conv, scratch);
        multiply(kernels, count * columns, in, out, dm, backward, NULL, dv);
        for (size_t r = 0; r < count; r++)
            kernels->tiles_in_backward(height, width, in, (row + r) % rows,
                                       dv.at + r * columns * in, dv.plane,
                                       dx + image_of(conv, row + r, conv->in));
    }
}

void conv_backward_weight(const struct conv *conv, const struct kernels *kernels, int plane,
                          size_t images, size_t n, const float *x_tiles, const float *dy_tiles,
                          bool first, float *planes) {
    const size_t in = (size_t)conv->in, out = (size_t)conv->out, p = (size_t)plane;
    const size_t all = images * tiles_of(conv), tiles = n * tiles_of(conv);
    const float *v = x_tiles + p * plane_floats(all, conv->in);
    const float *dm = dy_tiles + p * plane_floats(all, conv->out);
    kernels->gemm(in, out, tiles, v, 1, in, dm, out, planes + p * in * out, out, NULL, !first);
    if (plane != PLANE_OF_BIAS)
        return;
    float *bias = planes + CONV_PLANES * in * out;
    if (first)
        memset(bias, 0, out * sizeof *bias);
    kernels->column_sums(tiles, out, out, dm, bias);
}
