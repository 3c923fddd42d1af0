/*
 * png_file.h - a PNG file, written row by row (ISO/IEC 15948).
 *
 * A picture of any size needs the memory of one chunk, beside the file itself.
 */
#ifndef API_FORMAT_PNG_FILE_H
#define API_FORMAT_PNG_FILE_H

#include <stdint.h>
#include <zlib.h>

#include "server/base/buffer.h"

/* What a pixel is: a gray, a red, a green and a blue, or the number of a color in a palette; a byte
 * each (section 11.2.2). */
enum png_color { PNG_GRAY = 0, PNG_RGB = 2, PNG_PALETTE = 3 };

enum { PNG_CHUNK_BYTES = 32 << 10 };

struct png_file {
    struct buffer *out;
    z_stream deflate;
    size_t row_bytes;
    uint8_t chunk[PNG_CHUNK_BYTES]; /* of compressed rows */
};

struct png_header {
    enum png_color color;
    int width, height;  /* 1 or more */
    const uint8_t *rgb; /* of a palette: [colors][3] */
    int colors;         /* 1..256 */
    const char *title;  /* Latin-1, goes into the file's texts; NULL: none */
};

/* Begins a file at the end of a buffer, takes its rows from the top on, and ends it. Without memory
 * the buffer fails, as buffers do; png_file_end must follow in any case. */
void png_file_begin(struct png_file *file, struct buffer *out, const struct png_header *header);
void png_file_row(struct png_file *file, const uint8_t *row);
void png_file_end(struct png_file *file);

#endif
