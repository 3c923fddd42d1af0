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

/* Four numbers, from the top: of pixels, or of a column of a tile. */
struct column4 {
    vector at[4];
};

/* The 16 numbers of a tile, which are `plane` floats apart, row by row. */
static INLINE void store_tile(float *to, size_t plane, const struct column4 columns[4]) {
    UNROLL
    for (size_t r = 0; r < 4; r++, to += 4 * plane) {
        UNROLL
        for (size_t column = 0; column < 4; column++)
            store(to + column * plane, columns[column].at[r]);
    }
}

static INLINE void load_tile(const float *from, size_t plane, struct column4 columns[4]) {
    UNROLL
    for (size_t r = 0; r < 4; r++, from += 4 * plane) {
        UNROLL
        for (size_t column = 0; column < 4; column++)
            columns[column].at[r] = load(from + column * plane);
    }
}

/* ------------------------------------------------------------------ in */

/* The next column of the four rows of pixels of a row of tiles. A row beyond the picture is always the same
 * zeros. */
struct pixels {
    const float *next[4];
    size_t step[4];
};

static INLINE struct pixels pixels_of(size_t height, size_t width, size_t channels, size_t row,
                                      const float *image, size_t channel) {
    static const float zeros[W] = {0};
    struct pixels pixels;
    for (size_t r = 0; r < 4; r++) {
        const size_t y = 2 * row + r - 1; /* wraps around above the picture */
        pixels.next[r] = y < height ? image + y * width * channels + channel : zeros;
        pixels.step[r] = y < height ? channels : 0;
    }
    return pixels;
}

/* B^T times the next column of pixels. */
static INLINE struct column4 column_in(struct pixels *pixels) {
    vector d[4];
    UNROLL
    for (int r = 0; r < 4; r++) {
        d[r] = load(pixels->next[r]);
        pixels->next[r] += pixels->step[r];
    }
    return (struct column4){{d[0] - d[2], d[1] + d[2], d[2] - d[1], d[3] - d[1]}};
}

/* V = B^T d B of each tile. */
static void tiles_in(size_t height, size_t width, size_t channels, size_t row, const float *image,
                     float *tiles, size_t plane) {
    const struct column4 none = {{{0}}};
    for (size_t j = 0; j < channels; j += W) {
        struct pixels pixels = pixels_of(height, width, channels, row, image, j);
        struct column4 a = none, b = column_in(&pixels);
        float *to = tiles + j;
        for (size_t x = 0; x < width; x += 2, to += channels) {
            const struct column4 c = x + 1 < width ? column_in(&pixels) : none;
            const struct column4 d = x + 2 < width ? column_in(&pixels) : none;
            struct column4 v[4];
            UNROLL
            for (int r = 0; r < 4; r++) {
                v[0].at[r] = a.at[r] - c.at[r];
                v[1].at[r] = b.at[r] + c.at[r];
                v[2].at[r] = c.at[r] - b.at[r];
                v[3].at[r] = d.at[r] - b.at[r];
            }
            store_tile(to, plane, v);
            a = c;
            b = d;
        }
    }
}

/* B times a column, which becomes the pixels of column x: the row of tiles before has begun the two upper
 * ones. */
static INLINE void put_column(size_t height, size_t width, size_t channels, size_t row, size_t x,
                              const struct column4 *column, float *image) {
    const vector *v = column->at;
    const vector d[4] = {v[0], v[1] - v[2] - v[3], v[1] + v[2] - v[0], v[3]};
    UNROLL
    for (size_t r = 0; r < 4; r++) {
        const size_t y = 2 * row + r - 1; /* wraps around above the picture */
        if (y >= height)
            continue;
        float *to = image + (y * width + x) * channels;
        if (r < 2 && row > 0)
            store(to, load(to) + d[r]);
        else
            store(to, d[r]);
    }
}

/* The sum of dd = B dV B^T over the tiles that have a pixel. */
static void tiles_in_backward(size_t height, size_t width, size_t channels, size_t row,
                              const float *tiles, size_t plane, float *image) {
    for (size_t j = 0; j < channels; j += W) {
        struct column4 a = {{{0}}}, b = {{{0}}}; /* columns x - 1 and x, by the tile before */
        const float *from = tiles + j;
        for (size_t x = 0; x < width; x += 2, from += channels) {
            struct column4 v[4];
            load_tile(from, plane, v);
            UNROLL
            for (int r = 0; r < 4; r++) {
                a.at[r] += v[0].at[r];
                b.at[r] += v[1].at[r] - v[2].at[r] - v[3].at[r];
            }
            if (x > 0)
                put_column(height, width, channels, row, x - 1, &a, image + j);
            put_column(height, width, channels, row, x, &b, image + j);
            UNROLL
            for (int r = 0; r < 4; r++)
                a.at[r] = v[1].at[r] + v[2].at[r] - v[0].at[r];
            b = v[3];
        }
        if (width % 2 == 0)
            put_column(height, width, channels, row, width - 1, &a, image + j);
    }
}

/* ------------------------------------------------------------------ out */

static INLINE void put_pixel(vector value, const float *plus, float *image, size_t at) {
    if (plus)
        value += load(plus + at);
    store(image + at, value);
}

/* Y = A^T M A of each tile, with what is added to it. */
static void tiles_out(size_t height, size_t width, size_t channels, size_t row,
                      const float *products, size_t plane, const float *plus, float *image) {
    const bool second = 2 * row + 1 < height; /* is there a second row of pixels? */
    for (size_t j = 0; j < channels; j += W) {
        const float *from = products + j;
        size_t upper = 2 * row * width * channels + j;
        for (size_t x = 0; x < width; x += 2, from += channels, upper += 2 * channels) {
            const size_t lower = upper + width * channels;
            struct column4 m[4];
            vector y[2][4];
            load_tile(from, plane, m);
            UNROLL
            for (int c = 0; c < 4; c++) {
                y[0][c] = m[c].at[0] + m[c].at[1] + m[c].at[2];
                y[1][c] = m[c].at[1] - m[c].at[2] + m[c].at[3];
            }
            put_pixel(y[0][0] + y[0][1] + y[0][2], plus, image, upper);
            if (second)
                put_pixel(y[1][0] + y[1][1] + y[1][2], plus, image, lower);
            if (x + 1 == width)
                continue;
            put_pixel(y[0][1] - y[0][2] + y[0][3], plus, image, upper + channels);
            if (second)
                put_pixel(y[1][1] - y[1][2] + y[1][3], plus, image, lower + channels);
        }
    }
}

/* A times the next column of the two rows of pixels that are the tiles' own. */
static INLINE struct column4 column_out_backward(struct pixels *pixels) {
    const vector y0 = load(pixels->next[1]), y1 = load(pixels->next[2]);
    pixels->next[1] += pixels->step[1];
    pixels->next[2] += pixels->step[2];
    return (struct column4){{y0, y0 + y1, y0 - y1, y1}};
}

/* dM = A dY A^T of each tile. */
static void tiles_out_backward(size_t height, size_t width, size_t channels, size_t row,
                               const float *image, float *tiles, size_t plane) {
    const struct column4 none = {{{0}}};
    for (size_t j = 0; j < channels; j += W) {
        struct pixels pixels = pixels_of(height, width, channels, row, image, j);
        float *to = tiles + j;
        for (size_t x = 0; x < width; x += 2, to += channels) {
            struct column4 m[4];
            m[0] = column_out_backward(&pixels);
            m[3] = x + 1 < width ? column_out_backward(&pixels) : none;
            UNROLL
            for (int r = 0; r < 4; r++) {
                m[1].at[r] = m[0].at[r] + m[3].at[r];
                m[2].at[r] = m[0].at[r] - m[3].at[r];
            }
            store_tile(to, plane, m);
        }
    }
}

#endif
