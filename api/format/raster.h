/*
 * raster.h - a picture of pixels, for PNG and GIF: round points with smooth edges, lines, text.
 *
 * A pixel is a number of a palette: paper, grid, border, and for text and each hue the steps
 * between paper and full color. Points are a layer of their own above the paper, so that each frame
 * of an animation redraws only them.
 */
#ifndef API_FORMAT_RASTER_H
#define API_FORMAT_RASTER_H

#include <stdbool.h>
#include <stdint.h>

#include "api/format/glyphs.h"
#include "api/format/plot.h"

enum { RASTER_TEXT_LEVELS = 8 };
enum {
    RASTER_PAPER,
    RASTER_GRID,
    RASTER_BORDER,
    RASTER_TEXT, /* the palest of its levels */
    RASTER_FIRST_HUE = RASTER_TEXT + RASTER_TEXT_LEVELS
};
enum { RASTER_LEVELS = 24, RASTER_PALETTE = RASTER_FIRST_HUE + CLASS_COLORS * RASTER_LEVELS };

struct raster {
    int width, height;
    uint8_t *paper;  /* [height][width] palette numbers below the points */
    uint16_t *clear; /* [height][width] share of the paper that still shows, of 65535 */
    uint8_t *hue;    /* [height][width] the hue with most ink here */
    uint8_t *lead;   /* [height][width] by how much it leads */
};

/* False when out of memory; there is nothing to free then. */
bool raster_init(struct raster *raster, int width, int height);
void raster_free(struct raster *raster);

/* On the paper. What is outside the picture is left out. */
void raster_rectangle(struct raster *raster, int left, int top, int width, int height,
                      uint8_t color);
/* Text from this place on. Characters that are not ASCII are boxes. */
void raster_text(struct raster *raster, int left, int top, int scale, const char *text);
/* Text in the middle of the frame's width. */
void raster_text_centered(struct raster *raster, const struct frame *frame, int top, int scale,
                          const char *text);

/* Grid, border and, where `labels` is not 0, the numbers of the axes in text of that scale. */
void raster_axes(struct raster *raster, const struct frame *frame, int labels);

/* The points that are within the frame. labels [n] are their hues; NULL: all have this hue. */
void raster_points(struct raster *raster, const struct frame *frame, const struct dn_points *points,
                   const int *labels, int hue);
void raster_erase_points(struct raster *raster);

/* The palette numbers of the whole picture, [height][width]. */
void raster_pixels(const struct raster *raster, uint8_t *pixels);

/* Fills in the palette, three bytes a color: the theme's two series, or the class colors. Returns
 * the number of colors. */
int raster_palette(const struct theme *theme, bool classes, uint8_t rgb[3 * RASTER_PALETTE]);

#endif
