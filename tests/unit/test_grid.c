/* Images side by side: where each pixel goes, and the file, read by an inflate of zlib's. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "api/format/grid.h"
#include "api/format/png_file.h"
#include "api/images/film.h"

/* ------------------------------------------------------------------ reading a PNG */

static size_t take_32(const uint8_t *at) {
    return (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
}

struct decoded {
    int width, height, color, chunks;
    uint8_t *rows; /* [height][row bytes], without filters */
};

/* Reads a whole file; every checksum must be right, and nothing may be left. */
static struct decoded decode(const struct buffer *file) {
    const uint8_t *at = (const uint8_t *)file->data, *end = at + file->length;
    struct decoded picture = {0};
    uint8_t *packed = malloc(file->length);
    size_t packed_bytes = 0;
    cr_assert_arr_eq(at, "\x89PNG\r\n\x1a\n", 8);
    for (at += 8; at < end;) {
        const size_t length = take_32(at);
        cr_assert_leq(length + 12, (size_t)(end - at));
        cr_assert_eq(take_32(at + 8 + length), crc32(0, at + 4, (uInt)length + 4));
        if (memcmp(at + 4, "IHDR", 4) == 0) {
            picture.width = (int)take_32(at + 8);
            picture.height = (int)take_32(at + 12);
            picture.color = at[17];
            cr_assert_arr_eq(at + 18, "\0\0\0", 3);
            cr_assert_eq(at[16], 8);
        } else if (memcmp(at + 4, "IDAT", 4) == 0) {
            picture.chunks++;
            memcpy(packed + packed_bytes, at + 8, length);
            packed_bytes += length;
        }
        at += length + 12;
    }
    cr_assert_arr_eq(end - 8, "IEND", 4);
    const size_t row = (size_t)picture.width * (picture.color == PNG_RGB ? 3 : 1);
    uLongf bytes = (row + 1) * (size_t)picture.height;
    uint8_t *raw = malloc(bytes + 1);
    cr_assert_eq(uncompress(raw, &bytes, packed, packed_bytes), Z_OK);
    cr_assert_eq(bytes, (row + 1) * (size_t)picture.height);
    picture.rows = malloc(row * (size_t)picture.height);
    for (int y = 0; y < picture.height; y++) {
        cr_assert_eq(raw[(size_t)y * (row + 1)], 0);
        memcpy(picture.rows + (size_t)y * row, raw + (size_t)y * (row + 1) + 1, row);
    }
    free(raw);
    free(packed);
    return picture;
}

/* Noise, which does not get smaller. */
static uint8_t *noise(size_t count) {
    uint8_t *pixels = malloc(count);
    uint32_t state = 7;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        pixels[i] = (uint8_t)(state >> 24);
    }
    return pixels;
}

/* ------------------------------------------------------------------ the layout */

static const struct grid_shape small = {2, 3, 1};

static struct grid lay_out(size_t n, const int32_t *labels, int columns, int scale) {
    struct grid grid;
    cr_assert(grid_init(&grid, &small, n, labels, (struct grid_look){columns, scale}));
    return grid;
}

Test(grid, each_class_begins_a_row_in_the_order_of_the_images) {
    static const int32_t labels[] = {2, 0, 2, 0, 2, 2, 0};
    struct grid grid = lay_out(7, labels, 2, 1);
    cr_assert_eq(grid.rows, 4); /* two of class 0, none of class 1, two of class 2 */
    cr_assert_arr_eq(grid.cells, ((int[]){1, 3, 6, -1, 0, 2, 4, 5}), 8 * sizeof(int));
    grid_clear(&grid);
    grid = lay_out(7, labels, 0, 1); /* as many columns as class 2 has images */
    cr_assert_eq(grid.columns, 4);
    cr_assert_arr_eq(grid.cells, ((int[]){1, 3, 6, -1, 0, 2, 4, 5}), 8 * sizeof(int));
    grid_clear(&grid);
    grid = lay_out(7, labels, 3, 1);
    cr_assert_arr_eq(grid.cells, ((int[]){1, 3, 6, 0, 2, 4, 5, -1, -1}), 9 * sizeof(int));
    grid_clear(&grid);
}

Test(grid, without_labels_it_is_about_square) {
    static const struct {
        size_t n;
        int columns, rows;
    } cases[] = {{1, 1, 1}, {2, 2, 1}, {4, 2, 2}, {5, 3, 2}, {100, 10, 10}, {401, 20, 21}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct grid grid = lay_out(cases[k].n, NULL, 0, 0);
        cr_assert_eq(grid.columns, cases[k].columns);
        cr_assert_eq(grid.rows, cases[k].rows);
        for (int i = 0; i < grid.rows * grid.columns; i++)
            cr_assert_eq(grid.cells[i], i < (int)cases[k].n ? i : -1);
        grid_clear(&grid);
    }
}

Test(grid, pictures_that_are_left_open_fit_a_screen) {
    for (int width = 4; width <= 64; width += 4)
        for (size_t n = 1; n < 1000; n = n * 3 + 1) {
            struct grid grid;
            cr_assert(grid_init(&grid, &(struct grid_shape){width, width, 3}, n, NULL,
                                (struct grid_look){0}));
            cr_assert(grid.scale >= 1 && grid.scale <= 4);
            cr_assert_leq(grid_width(&grid), 1200 + 20 * 64 / 10 + 50);
            grid_clear(&grid);
        }
}

Test(grid, a_picture_too_large_is_told) {
    struct grid grid = lay_out(100000, NULL, 200, 1); /* 801 x 1501 */
    cr_assert(grid_fits(&grid));
    grid_clear(&grid);
    grid = lay_out(1000000, NULL, 1, 16);
    cr_assert_eq(grid_height(&grid), 1000000 * 40 + 8);
    cr_assert_not(grid_fits(&grid));
    grid_clear(&grid);
}

/* ------------------------------------------------------------------ the pixels */

/* The pixel of a picture, found from its place alone. */
static const uint8_t *expected_at(const struct grid *grid, const uint8_t *pixels, int x, int y) {
    static const uint8_t between[3] = {GRID_GAP, GRID_GAP, GRID_GAP};
    const struct grid_shape *shape = &grid->shape;
    const int gap = (grid->scale + 1) / 2;
    for (int k = 0; k < grid->rows * grid->columns; k++) {
        const int left = gap + k % grid->columns * (shape->width * grid->scale + gap);
        const int top = gap + k / grid->columns * (shape->height * grid->scale + gap);
        const int i = (y - top) / grid->scale, j = (x - left) / grid->scale;
        if (x >= left && y >= top && i < shape->height && j < shape->width && grid->cells[k] >= 0)
            return pixels + (((ptrdiff_t)grid->cells[k] * shape->height + i) * shape->width + j) *
                                shape->channels;
    }
    return between;
}

Test(grid, every_pixel_of_the_file_is_the_images) {
    static const int32_t labels[] = {1, 0, 1, 1, 3};
    for (int channels = 1; channels <= 3; channels += 2)
        for (int scale = 1; scale <= 5; scale++) {
            const struct grid_shape shape = {5, 7, channels};
            uint8_t *pixels = noise((size_t)(5 * 5 * 7 * channels));
            struct buffer file = {0};
            struct grid grid;
            cr_assert(grid_init(&grid, &shape, 5, labels, (struct grid_look){2, scale}));
            grid_png(&file, &grid, pixels, "Title");
            cr_assert(!file.failed && file.length < grid_png_bytes(&grid));
            struct decoded picture = decode(&file);
            cr_assert_eq(picture.width, grid_width(&grid));
            cr_assert_eq(picture.height, grid_height(&grid));
            cr_assert_eq(picture.color, channels == 3 ? PNG_RGB : PNG_GRAY);
            for (int y = 0; y < picture.height; y++)
                for (int x = 0; x < picture.width; x++)
                    cr_assert_arr_eq(picture.rows + ((ptrdiff_t)y * picture.width + x) * channels,
                                     expected_at(&grid, pixels, x, y), (size_t)channels);
            grid_clear(&grid);
            buffer_clear(&file);
            free(picture.rows);
            free(pixels);
        }
}

Test(grid, a_long_file_has_several_chunks) {
    enum { N = 500, VALUES = 28 * 28 };
    const struct grid_shape shape = {28, 28, 1};
    uint8_t *pixels = noise((size_t)N * VALUES);
    struct buffer file = {0};
    struct grid grid;
    cr_assert(grid_init(&grid, &shape, N, NULL, (struct grid_look){.scale = 1}));
    grid_png(&file, &grid, pixels, NULL);
    struct decoded picture = decode(&file);
    cr_assert_geq(picture.chunks, N * VALUES / PNG_CHUNK_BYTES);
    cr_assert_lt(file.length, grid_png_bytes(&grid));
    cr_assert_eq(picture.rows[picture.width + 1], pixels[0]);
    grid_clear(&grid);
    buffer_clear(&file);
    free(picture.rows);
    free(pixels);
}

Test(grid, no_memory_is_told_by_the_buffer) {
    const uint8_t pixels[2 * 3] = {0};
    struct buffer file = {0};
    struct grid grid = lay_out(1, NULL, 0, 0);
    buffer_fail(&file);
    grid_png(&file, &grid, pixels, NULL);
    cr_assert(file.failed && !file.data);
    grid_clear(&grid);
}

/* ------------------------------------------------------------------ samples */

Test(grid, values_become_bytes_by_rounding) {
    static const float values[] = {-1e30f, -1, 0, 0.49f, 0.51f, 127.5f, 254.4f, 254.6f, 255, 1e30f};
    static const uint8_t bytes[] = {0, 0, 0, 0, 1, 128, 254, 255, 255, 255};
    for (size_t i = 0; i < sizeof bytes; i++)
        cr_assert_eq(grid_pixel(values[i]), bytes[i], "%g", (double)values[i]);
    cr_assert_eq(grid_pixel(NAN), 0);
    cr_assert_eq(grid_pixel(INFINITY), 255);
}

enum { N = 3, FRAMES = 4, SIDE = 4, DIM = SIDE * SIDE };

/* The first pixel of the image in a place of a picture of scale 1. */
static int first_pixel(const struct decoded *picture, int row, int column) {
    return picture->rows[(1 + row * (SIDE + 1)) * picture->width + 1 + column * (SIDE + 1)];
}

static struct decoded draw(void (*writer)(struct buffer *, const struct picture *),
                           const struct picture *picture) {
    struct buffer file = {0};
    writer(&file, picture);
    cr_assert_not(file.failed);
    struct decoded decoded = decode(&file);
    cr_assert_lt(file.length, film_bytes(format_named("png", 3), &picture->layout, &picture->look));
    buffer_clear(&file);
    return decoded;
}

Test(grid, samples_are_a_row_for_each_class_and_trajectories_a_row_for_each_image) {
    static float x[FRAMES][N][DIM], x0[FRAMES - 1][N][DIM];
    static const int32_t labels[N] = {1, 0, 1};
    for (int k = 0; k < FRAMES; k++)
        for (int i = 0; i < N; i++) {
            x[k][i][0] = (float)(10 * k + i + 1);
            if (k < FRAMES - 1)
                x0[k][i][0] = (float)(100 + 10 * k + i);
        }
    struct picture picture = {
        .layout = {.n = N, .dim = DIM, .labels = labels, .shape = {SIDE, SIDE, 1}},
        .x = x[0][0],
        .look = {.grid = {.scale = 1}},
    };
    struct decoded samples = draw(film_samples, &picture);
    cr_assert_eq(first_pixel(&samples, 0, 0), 2);
    cr_assert_eq(first_pixel(&samples, 0, 1), GRID_GAP);
    cr_assert_eq(first_pixel(&samples, 1, 0), 1);
    cr_assert_eq(first_pixel(&samples, 1, 1), 3);
    free(samples.rows);
    picture.layout.frames = FRAMES;
    picture.x0 = x0[0][0];
    for (int which = 0; which < 2; which++) {
        picture.layout.which_x0 = which == 1;
        struct decoded strips = draw(film_strips, &picture);
        cr_assert_eq(strips.width, (FRAMES - which) * (SIDE + 1) + 1);
        cr_assert_eq(strips.height, N * (SIDE + 1) + 1);
        for (int i = 0; i < N; i++)
            for (int k = 0; k < FRAMES - which; k++)
                cr_assert_eq(first_pixel(&strips, i, k), which ? 100 + 10 * k + i : 10 * k + i + 1);
        free(strips.rows);
    }
}
