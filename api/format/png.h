/*
 * png.h - pictures as PNG: a scatter plot of points, and a few frames of their way side by side.
 */
#ifndef API_FORMAT_PNG_H
#define API_FORMAT_PNG_H

#include "api/format/formats.h"
#include "api/format/raster.h"

void png_points(struct buffer *out, const struct point_set *set);

/* A panel for each frame, of x or of x0, with its timestep. */
void png_trajectory(struct buffer *out, const struct trajectory *trajectory);

/* The raster as a PNG file with a palette; title [Latin-1] goes into its text, NULL for none. */
void png_write(struct buffer *out, const struct raster *raster, const struct theme *theme,
               bool classes, const char *title);

#endif
