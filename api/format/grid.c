#include "api/format/grid.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/format/png_file.h"
#include "server/threads/pool.h"

enum { SCREEN = 1200, USUAL_COLUMNS = 20, USUAL_SCALE = 4 };

/* ------------------------------------------------------------------ the layout */

static size_t count_class(const int32_t *labels, size_t n, int32_t class) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += labels[i] == class;
    return count;
}

static int32_t last_class(const int32_t *labels, size_t n) {
    int32_t last = 0;
    for (size_t i = 0; i < n; i++)
        last = labels[i] > last ? labels[i] : last;
    return last;
}

/* As many as the largest class has, or about as many as rows. */
static int usual_columns(const int32_t *labels, size_t n, int32_t last) {
    size_t most = labels ? 1 : (size_t)ceil(sqrt((double)n));
    for (int32_t class = 0; labels && class <= last; class ++) {
        const size_t count = count_class(labels, n, class);
        most = count > most ? count : most;
    }
    return most < USUAL_COLUMNS ? (int)most : USUAL_COLUMNS;
}

static int usual_scale(int columns, int width) {
    int scale = USUAL_SCALE;
    while (scale > 1 && columns * width * scale > SCREEN)
        scale--;
    return scale;
}

static int rows_of(size_t images, int columns) {
    return (int)((images + (size_t)columns - 1) / (size_t)columns);
}

/* Puts the images of a class into places from `row` on; without labels, all images. Returns the
 * first row after them. */
static int place(struct grid *grid, const int32_t *labels, int32_t class, int row) {
    const int first = row * grid->columns;
    int at = first;
    for (size_t i = 0; i < grid->n; i++)
        if (!labels || labels[i] == class)
            grid->cells[at++] = (int)i;
    const int rows = rows_of((size_t)(at - first), grid->columns);
    while (at < first + rows * grid->columns)
        grid->cells[at++] = -1;
    return row + rows;
}

bool grid_init(struct grid *grid, const struct grid_shape *shape, size_t n, const int32_t *labels,
               struct grid_look look) {
    const int32_t last = labels ? last_class(labels, n) : 0;
    *grid = (struct grid){.shape = *shape, .n = n};
    grid->columns = look.columns ? look.columns : usual_columns(labels, n, last);
    grid->scale = look.scale ? look.scale : usual_scale(grid->columns, shape->width);
    for (int32_t class = 0; class <= last; class ++)
        grid->rows += rows_of(labels ? count_class(labels, n, class) : n, grid->columns);
    grid->cells = malloc((size_t)grid->rows * (size_t)grid->columns * sizeof *grid->cells);
    for (int32_t class = 0, row = 0; grid->cells && class <= last; class ++)
        row = place(grid, labels, class, row);
    return grid->cells != NULL;
}

void grid_clear(struct grid *grid) {
    free(grid->cells);
    grid->cells = NULL;
}

/* ------------------------------------------------------------------ the picture */

static int gap_of(const struct grid *grid) {
    return (grid->scale + 1) / 2;
}

int grid_width(const struct grid *grid) {
    return grid->columns * (grid->shape.width * grid->scale + gap_of(grid)) + gap_of(grid);
}

int grid_height(const struct grid *grid) {
    return grid->rows * (grid->shape.height * grid->scale + gap_of(grid)) + gap_of(grid);
}

bool grid_fits(const struct grid *grid) {
    return (int64_t)grid_width(grid) * grid_height(grid) <= GRID_MAX_PIXELS;
}

/* A row of an image, each pixel `scale` times. */
static void draw_line(const struct grid *grid, const uint8_t *line, uint8_t *out) {
    const size_t channels = (size_t)grid->shape.channels;
    for (int x = 0; x < grid->shape.width; x++, line += channels)
        for (int k = 0; k < grid->scale; k++, out += channels)
            memcpy(out, line, channels);
}

void grid_row(const struct grid *grid, const uint8_t *pixels, int y, uint8_t *row) {
    const struct grid_shape *shape = &grid->shape;
    const size_t channels = (size_t)shape->channels, line = (size_t)shape->width * channels;
    const int gap = gap_of(grid), pitch = shape->height * grid->scale + gap;
    const int below = (y - gap) % pitch / grid->scale; /* the row of the images */
    memset(row, GRID_GAP, (size_t)grid_width(grid) * channels);
    if (y < gap || below >= shape->height)
        return;
    const int *cells = grid->cells + (ptrdiff_t)((y - gap) / pitch) * grid->columns;
    uint8_t *out = row + (size_t)gap * channels;
    for (int k = 0; k < grid->columns; k++) {
        const size_t at = (size_t)cells[k] * (size_t)shape->height + (size_t)below;
        if (cells[k] >= 0)
            draw_line(grid, pixels + at * line, out);
        out += line * (size_t)grid->scale + (size_t)gap * channels;
    }
}

/* ------------------------------------------------------------------ the file */

void grid_png(struct buffer *out, const struct grid *grid, const uint8_t *pixels,
              const char *title) {
    const int width = grid_width(grid), height = grid_height(grid);
    uint8_t *row = malloc((size_t)width * (size_t)grid->shape.channels);
    struct png_file *file = malloc(sizeof *file);
    if (row && file) {
        png_file_begin(file, out,
                       &(struct png_header){.color = grid->shape.channels == 3 ? PNG_RGB : PNG_GRAY,
                                            .width = width,
                                            .height = height,
                                            .title = title});
        for (int y = 0; y < height; y++) {
            pool_pause();
            grid_row(grid, pixels, y, row);
            png_file_row(file, row);
        }
        png_file_end(file);
    } else {
        buffer_fail(out);
    }
    free(row);
    free(file);
}

size_t grid_png_bytes(const struct grid *grid) {
    enum { DEFLATE_BYTES = 300 << 10 }; /* of zlib (its deflateInit2), and of a chunk */
    const size_t row = (size_t)grid_width(grid) * (size_t)grid->shape.channels;
    const size_t cells = (size_t)grid->rows * (size_t)grid->columns * sizeof *grid->cells;
    return DEFLATE_BYTES + row + cells + 2 * (row + 8) * (size_t)grid_height(grid);
}
