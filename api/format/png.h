/*
 * png.h - pictures as PNG: a scatter plot of points, and a few frames of a trajectory side by side.
 */
#ifndef API_FORMAT_PNG_H
#define API_FORMAT_PNG_H

#include "api/format/formats.h"
#include "api/format/raster.h"

void png_points(struct buffer *out, const struct picture *picture);

/* A panel for each frame, of x or of x0, with its timestep. */
void png_trajectory(struct buffer *out, const struct picture *picture);

#endif
