/*
 * svg.h - pictures as SVG text: a scatter plot of points, and loss curves.
 */
#ifndef API_FORMAT_SVG_H
#define API_FORMAT_SVG_H

#include "api/format/formats.h"
#include "api/format/table.h"

/* With axes of equal scale. */
void svg_points(struct buffer *out, const struct picture *picture);

/* Two curves over the same x, from the rows of a table. */
struct curves {
    const char *title, *x_name;
    const struct table *table;
    size_t x; /* offset of an int in a row */
    const char *names[2];
    size_t y[2]; /* offsets of doubles; values that are not finite are left out */
};
void svg_curves(struct buffer *out, const struct curves *curves);

#endif
