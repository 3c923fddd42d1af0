/*
 * svg.h - pictures as SVG text: a scatter plot of points, and loss curves.
 */
#ifndef API_FORMAT_SVG_H
#define API_FORMAT_SVG_H

#include "api/format/formats.h"

/* With axes of equal scale. */
void svg_points(struct buffer *out, const struct picture *picture);

/* Two curves over the same x, from structs that hold the values. */
struct curves {
    const char *title, *x_name;
    const void *rows; /* [count], structs of `size` bytes */
    size_t size, count;
    size_t x; /* offset of an int */
    const char *names[2];
    size_t y[2]; /* offsets of doubles; values that are not finite are left out */
};
void svg_curves(struct buffer *out, const struct curves *curves);

#endif
