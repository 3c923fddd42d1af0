/*
 * braille.h - a scatter plot for the terminal: each braille character is 2 x 4 dots.
 */
#ifndef API_FORMAT_BRAILLE_H
#define API_FORMAT_BRAILLE_H

#include "server/base/buffer.h"

/* points [n][2] in at most columns x rows characters, with equal scale on both axes (a character
 * cell is about twice as high as wide). Points that are not finite are left out. */
void braille_points(struct buffer *out, const float *points, size_t n, int columns, int rows);

#endif
