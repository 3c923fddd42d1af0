/*
 * svg.h - pictures as SVG text: a scatter plot of points, and loss curves.
 */
#ifndef API_FORMAT_SVG_H
#define API_FORMAT_SVG_H

#include "server/buffer.h"

/* points [n][2], with axes of equal scale; title may be NULL. */
void svg_points(struct buffer *out, const float *points, size_t n, const char *title);

/* Train and validation loss [count] over epochs [count]; values that are not finite are left out.
 */
void svg_loss(struct buffer *out, const double *epochs, const double *train, const double *val,
              size_t count, const char *title);

#endif
