/*
 * tiles.h - the transforms of Winograd's convolution F(2x2,3x3) (Lavin & Gray 2016), and their
 * gradients: the kernels `tiles_in`, `tiles_out`, `tiles_out_backward` and `tiles_in_backward`.
 *
 * Only kernels_impl.c includes it, once for each instruction set. A tile is 2x2 pixels of the output,
 * and the 4x4 pixels of the input that they depend on, which begin one pixel further up and left. Each
 * function handles one row of tiles and takes the channels a vector at a time, from left to right, so
 * that the columns of pixels that two tiles share stay in registers.
 */
#ifndef ENGINE_BASE_TILES_H
#define ENGINE_BASE_TILES_H

#include "engine/base/vectors.h"

/* A column of four pixels or numbers, from the top. */
struct column4 {
    vector at[4];
};

/* The four rows of pixels of a row of tiles, and how far apart two pixels are: 0 beyond the picture, where
 * every pixel is the same zeros. */
struct pixel_rows {
    const float *row[4];
    size_t step[4];
};

static INLINE struct pixel_rows pixel_rows_of(size_t height, size_t width, size_t channels,
                                              size_t row, const float *image) {
    static const float zeros[W] = {0};
    struct pixel_rows rows;
    for (size_t r = 0; r < 4; r++) {
        const size_t y = 2 * row + r - 1; /* wraps around above the picture */
        rows.row[r] = y < height ? image + y * width * channels : zeros;
        rows.step[r] = y < height ? channels : 0;
    }
    return rows;
}

/* B^T times the column of pixels x. */
static INLINE struct column4 column_in(const struct pixel_rows *rows, size_t x, size_t channel) {
    vector d[4];
    for (int r = 0; r < 4; r++)
        d[r] = load(rows->row[r] + x * rows->step[r] + (rows->step[r] ? channel : 0));
    return (struct column4){{d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]}};
}

/* One row of tiles, V = B^T d B of each. */
static void tiles_in(size_t height, size_t width, size_t channels, size_t row, const float *image,
                     float *tiles, size_t plane) {
    const struct pixel_rows rows = pixel_rows_of(height, width, channels, row, image);
    for (size_t j = 0; j < channels; j += W) {
        struct column4 a = {{{0}}}, b = column_in(&rows, 0, j);
        float *to = tiles + j;
        for (size_t x = 0; x < width; x += 2, to += channels) {
            struct column4 c = {{{0}}}, d = {{{0}}};
            if (x + 1 < width)
                c = column_in(&rows, x + 1, j);
            if (x + 2 < width)
                d = column_in(&rows, x + 2, j);
#pragma GCC unroll 4
            for (size_t r = 0; r < 4; r++) {
                store(to + (4 * r + 0) * plane, a.at[r] - c.at[r]);
                store(to + (4 * r + 1) * plane, b.at[r] + c.at[r]);
                store(to + (4 * r + 2) * plane, c.at[r] - b.at[r]);
                store(to + (4 * r + 3) * plane, b.at[r] - d.at[r]);
            }
            a = c;
            b = d;
        }
    }
}

/* A^T times column `column` of the products of a tile. */
static INLINE void column_out(const float *products, size_t plane, size_t column, vector out[2]) {
    vector m[4];
    for (size_t r = 0; r < 4; r++)
        m[r] = load(products + (4 * r + column) * plane);
    out[0] = m[0] + m[1] + m[2];
    out[1] = m[1] - m[2] - m[3];
}

static INLINE void put_pixel(vector value, const float *plus, float *image, size_t at) {
    if (plus)
        value += load(plus + at);
    store(image + at, value);
}

/* One row of tiles, Y = A^T M A of each, with what is added to it. */
static void tiles_out(size_t height, size_t width, size_t channels, size_t row,
                      const float *products, size_t plane, const float *bias, const float *plus,
                      float *image) {
    const size_t pixels = 2 * row + 1 < height ? 2 : 1; /* rows of them */
    for (size_t j = 0; j < channels; j += W) {
        const vector start = load(bias + j);
        const float *from = products + j;
        size_t at = 2 * row * width * channels + j;
        for (size_t x = 0; x < width; x += 2, from += channels, at += 2 * channels) {
            vector s[4][2];
#pragma GCC unroll 4
            for (size_t column = 0; column < 4; column++)
                column_out(from, plane, column, s[column]);
#pragma GCC unroll 2
            for (size_t r = 0; r < 2; r++) {
                if (r == pixels)
                    continue;
                const size_t left = at + r * width * channels;
                put_pixel(start + (s[0][r] + s[1][r] + s[2][r]), plus, image, left);
                if (x + 1 < width)
                    put_pixel(start + (s[1][r] - s[2][r] - s[3][r]), plus, image, left + channels);
            }
        }
    }
}

/* A times a column of two numbers. */
static INLINE struct column4 column_out_backward(vector first, vector second) {
    return (struct column4){{first, first + second, first - second, -second}};
}

/* One row of tiles, dM = A dY A^T of each. */
static void tiles_out_backward(size_t height, size_t width, size_t channels, size_t row,
                               const float *image, float *tiles, size_t plane) {
    const bool second = 2 * row + 1 < height;
    const float *upper = image + 2 * row * width * channels, *lower = upper + width * channels;
    for (size_t j = 0; j < channels; j += W) {
        float *to = tiles + j;
        for (size_t x = 0; x < width; x += 2, to += channels) {
            const size_t at = x * channels + j, next = at + channels;
            const bool has_next = x + 1 < width;
            const vector none = {0};
            const struct column4 left =
                column_out_backward(load(upper + at), second ? load(lower + at) : none);
            const struct column4 right =
                column_out_backward(has_next ? load(upper + next) : none,
                                    has_next && second ? load(lower + next) : none);
#pragma GCC unroll 4
            for (size_t r = 0; r < 4; r++) {
                store(to + (4 * r + 0) * plane, left.at[r]);
                store(to + (4 * r + 1) * plane, left.at[r] + right.at[r]);
                store(to + (4 * r + 2) * plane, left.at[r] - right.at[r]);
                store(to + (4 * r + 3) * plane, -right.at[r]);
            }
        }
    }
}

/* B times the column `column` of the gradient of a tile. */
static INLINE struct column4 column_in_backward(const float *tiles, size_t plane, size_t column) {
    vector v[4];
    for (size_t r = 0; r < 4; r++)
        v[r] = load(tiles + (4 * r + column) * plane);
    return (struct column4){{v[0], v[1] - v[2] + v[3], v[1] + v[2] - v[0], -v[3]}};
}

/* Writes the column of pixels x: the row of tiles before has begun the two upper ones. */
static INLINE void put_column(size_t height, size_t width, size_t channels, size_t row, size_t x,
                              const struct column4 *column, float *image) {
    for (size_t r = 0; r < 4; r++) {
        const size_t y = 2 * row + r - 1; /* wraps around above the picture */
        float *to = image + (y * width + x) * channels;
        if (y >= height)
            continue;
        vector value = column->at[r];
        if (r < 2 && row > 0)
            value += load(to);
        store(to, value);
    }
}

/* One row of tiles, the sum of dd = B dV B^T over the tiles that have a pixel. */
static void tiles_in_backward(size_t height, size_t width, size_t channels, size_t row,
                              const float *tiles, size_t plane, float *image) {
    for (size_t j = 0; j < channels; j += W) {
        struct column4 a = {{{0}}}, b = {{{0}}}; /* of the pixels x - 1 and x, by the tile before */
        const float *from = tiles + j;
        for (size_t x = 0; x < width; x += 2, from += channels) {
            const struct column4 s = column_in_backward(from, plane, 0),
                                 t = column_in_backward(from, plane, 1),
                                 u = column_in_backward(from, plane, 2),
                                 v = column_in_backward(from, plane, 3);
            struct column4 c, d;
#pragma GCC unroll 4
            for (size_t r = 0; r < 4; r++) {
                a.at[r] += s.at[r];
                b.at[r] += t.at[r] - u.at[r] + v.at[r];
                c.at[r] = t.at[r] + u.at[r] - s.at[r];
                d.at[r] = -v.at[r];
            }
            if (x > 0)
                put_column(height, width, channels, row, x - 1, &a, image + j);
            put_column(height, width, channels, row, x, &b, image + j);
            a = c;
            b = d;
        }
        if (width % 2 == 0)
            put_column(height, width, channels, row, width - 1, &a, image + j);
    }
}

#endif
