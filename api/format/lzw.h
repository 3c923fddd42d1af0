/*
 * lzw.h - the image data of a GIF: palette numbers, packed by Lempel, Ziv and Welch's method
 * (GIF89a, section 22 and appendix F).
 */
#ifndef API_FORMAT_LZW_H
#define API_FORMAT_LZW_H

#include <stdint.h>

#include "server/base/buffer.h"

enum { LZW_WIDTH = 12, LZW_CODES = 1 << LZW_WIDTH, LZW_SLOTS = 2 * LZW_CODES, LZW_BLOCK = 255 };

/* Strings of pixels have codes: strings of one pixel from the start, and each string that occurred,
 * extended by the pixel that followed it. */
struct lzw {
    struct buffer *out;
    int bits;                     /* of a palette number */
    int width;                    /* bits of a code now */
    unsigned next;                /* the next free code */
    unsigned full_for;            /* codes written since none is free */
    unsigned string;              /* the code of the pixels that are not written yet */
    uint32_t rest;                /* bits that do not fill a byte yet */
    int rest_bits;                /* how many */
    uint8_t block[1 + LZW_BLOCK]; /* the number of bytes, then the bytes */
    uint32_t slots[LZW_SLOTS]; /* a hash table: string, pixel, their code (12, 8, 12 bits) or 0 */
};

/* Writes height >= 1 rows of width >= 1 pixels that lie stride apart, each below 2^bits, bits 2..8.
 * *lzw is working memory. */
void lzw_write(struct buffer *out, struct lzw *lzw, int bits, const uint8_t *pixels, size_t width,
               size_t height, size_t stride);

#endif
