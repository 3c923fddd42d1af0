/*
 * glyphs.h - the characters of text in pictures of pixels.
 */
#ifndef API_FORMAT_GLYPHS_H
#define API_FORMAT_GLYPHS_H

enum { GLYPH_WIDTH = 6, GLYPH_HEIGHT = 7 }; /* with the space between; times the scale */

/* The rows [GLYPH_HEIGHT] of a printable ASCII character, or of a box for any other, in five bits each,
 * of which the highest is on the left. NULL: it is a space. */
const char *glyph_rows(char character);

#endif
