/*
 * svg.h - pictures as SVG text: a scatter plot of points, and loss curves.
 */
#ifndef API_FORMAT_SVG_H
#define API_FORMAT_SVG_H

#include "api/format/formats.h"

/* With axes of equal scale. */
void svg_points(struct buffer *out, const struct picture *picture);

/* Two curves over the same x. */
struct curves {
    const char *title, *x_name;
    const double *x; /* [count] */
    size_t count;
    const char *names[2];
    const double *y[2]; /* [count] each; values that are not finite are left out */
};
void svg_curves(struct buffer *out, const struct curves *curves);

#endif
