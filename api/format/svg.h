/*
 * svg.h - pictures as SVG text: a scatter plot of points, and loss curves.
 */
#ifndef API_FORMAT_SVG_H
#define API_FORMAT_SVG_H

#include "api/format/formats.h"

/* With axes of equal scale. */
void svg_points(struct buffer *out, const struct point_set *set);

/* Train and validation loss [count] over epochs [count]; values that are not finite are left out.
 */
void svg_loss(struct buffer *out, const double *epochs, const double *train, const double *val,
              size_t count, const char *title);

#endif
