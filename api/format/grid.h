/*
 * grid.h - many small images side by side, as one picture.
 *
 * Each class begins a row. The picture is made row by row, so it never exists as a whole.
 */
#ifndef API_FORMAT_GRID_H
#define API_FORMAT_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/buffer.h"

enum {
    GRID_MAX_COLUMNS = 200,
    GRID_MAX_SCALE = 16,
    GRID_MAX_PIXELS = 16 << 20, /* of a picture */
    GRID_GAP = 0x60,            /* the gray between the images */
};

/* What a request says of the picture; 0: open. */
struct grid_look {
    int columns, scale;
};

/* The rows of a field table for the look at this offset in the target. */
#define GRID_ROWS(at)                                                                              \
    {"",                                                                                           \
     "columns",                                                                                    \
     FIELD_INTEGER,                                                                                \
     (at) + offsetof(struct grid_look, columns),                                                   \
     1,                                                                                            \
     GRID_MAX_COLUMNS,                                                                             \
     0,                                                                                            \
     NULL,                                                                                         \
     "Of a picture of images: images in a row. With labels, each class begins a row."},            \
    {                                                                                              \
        "", "scale", FIELD_INTEGER, (at) + offsetof(struct grid_look, scale), 1, GRID_MAX_SCALE,   \
            0, NULL, "Of a picture of images: the side in pixels of each of an image's pixels."    \
    }

/* Of each image; 1 channel (gray) or 3 (red, green, blue). */
struct grid_shape {
    int height, width, channels;
};

struct grid {
    struct grid_shape shape;
    size_t n; /* images, 1 or more */
    int columns, scale;
    int rows;   /* of images */
    int *cells; /* [rows][columns] the image in each place, -1: none */
};

/* Lays out n images, at most 10^6, in their order. labels [n] in 0..DN_MAX_CLASSES - 1, or NULL: one
 * class. What the look leaves open is chosen for a picture that is about as wide as a screen. False:
 * no memory; there is nothing to free then. */
bool grid_init(struct grid *grid, const struct grid_shape *shape, size_t n, const int32_t *labels,
               struct grid_look look);
void grid_clear(struct grid *grid);

/* The size of the picture in pixels. */
int grid_width(const struct grid *grid);
int grid_height(const struct grid *grid);
/* Has it at most GRID_MAX_PIXELS? The caller refuses to draw it if not. */
bool grid_fits(const struct grid *grid);

/* Row y of the picture, [grid_width][channels], of the images pixels [n][height][width][channels]. */
void grid_row(const struct grid *grid, const uint8_t *pixels, int y, uint8_t *row);

/* The picture as a PNG file. title: Latin-1, goes into the file's texts; NULL: none. */
void grid_png(struct buffer *out, const struct grid *grid, const uint8_t *pixels,
              const char *title);

/* A value of an image as a byte: rounded, and cut off at 0 and 255. What is not a number is 0. */
static inline uint8_t grid_pixel(float value) {
    return value > 0 ? value < 255 ? (uint8_t)(value + 0.5f) : 255 : 0;
}

/* The maximum memory that grid_png needs, with the file. */
size_t grid_png_bytes(const struct grid *grid);

#endif
