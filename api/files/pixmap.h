/*
 * pixmap.h - a small picture from a file in PNG (ISO/IEC 15948), by libpng.
 */
#ifndef API_FILES_PIXMAP_H
#define API_FILES_PIXMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PIXMAP_MAX_SIDE = 64, PIXMAP_WRONG = 100 };

struct pixmap {
    int width, height;
    bool is_gray; /* red, green and blue are the same everywhere */
    uint8_t rgb[PIXMAP_MAX_SIDE * PIXMAP_MAX_SIDE * 3]; /* [height][width][3] */
    bool no_memory;
    char wrong[PIXMAP_WRONG]; /* why there is no picture */
};

/* Reads a file of any color type and bit depth: 16 bits become 8, what is transparent lies on
 * black, color profiles and gamma are left aside. False: it is not PNG, is damaged, or larger
 * than PIXMAP_MAX_SIDE; then width and height are those of its header, or 0 if it has none. */
bool pixmap_read_png(struct pixmap *pixmap, const unsigned char *bytes, size_t length);

#endif
