/*
 * braille.h - a scatter plot for the terminal: each Braille character is 2 x 4 dots.
 */
#ifndef API_FORMAT_BRAILLE_H
#define API_FORMAT_BRAILLE_H

#include "api/format/plot.h"
#include "server/base/buffer.h"

enum { BRAILLE_MAX_CELLS = 80 * 24 };

/* Draws points in at most columns x rows characters, up to BRAILLE_MAX_CELLS, with equal scale on
 * both axes (a character cell is about twice as high as wide), or, if is_free, with one that fits for
 * each. Points that are not finite are left out. */
void braille_points(struct buffer *out, const struct dn_points *points, int columns, int rows,
                    bool is_free);

#endif
