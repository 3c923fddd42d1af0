/*
 * gif_file.h - an animated GIF file, written picture by picture: of each only what is new (GIF89a).
 */
#ifndef API_FORMAT_GIF_FILE_H
#define API_FORMAT_GIF_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "api/format/lzw.h"
#include "server/base/buffer.h"

enum { GIF_MAX_COLORS = 255, GIF_TICKS_A_SECOND = 100 };

struct gif_file {
    int width, height;
    int transparent; /* palette number: the one after the colors */
    int bits;        /* of a palette number */
    uint8_t *pixels; /* [height][width] palette numbers: the caller draws each picture here */
    uint8_t *last;   /* of the previous picture, then what is sent of this one */
    struct lzw *lzw;
};

/* Begins a file that is shown again and again, with a palette of at most GIF_MAX_COLORS colors,
 * rgb [3 * 256]. False: no memory. gif_file_clear must follow in any case. */
bool gif_file_begin(struct gif_file *file, struct buffer *out, int width, int height,
                    const uint8_t *rgb, int colors);
/* Writes the picture in file->pixels, which is shown for this number of hundredths of a second. The
 * pixels are lost. */
void gif_file_frame(struct gif_file *file, struct buffer *out, int ticks);
void gif_file_end(struct buffer *out);
void gif_file_clear(struct gif_file *file);

#endif
