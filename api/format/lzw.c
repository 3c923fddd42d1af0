#include "api/format/lzw.h"

#include <string.h>

/* ------------------------------------------------------------------ codes to bytes */

static void put_block(struct lzw *lzw) {
    buffer_append(lzw->out, lzw->block, 1 + (size_t)lzw->block[0]);
    lzw->block[0] = 0;
}

static void put_byte(struct lzw *lzw) {
    lzw->block[++lzw->block[0]] = (uint8_t)lzw->rest;
    if (lzw->block[0] == LZW_BLOCK)
        put_block(lzw);
    lzw->rest >>= 8;
    lzw->rest_bits -= 8;
}

static void put_code(struct lzw *lzw, unsigned code) {
    lzw->rest |= code << lzw->rest_bits;
    lzw->rest_bits += lzw->width;
    while (lzw->rest_bits >= 8)
        put_byte(lzw);
}

/* ------------------------------------------------------------------ strings to codes */

/* Codes are as wide as the reader expects, whose table is one entry behind. */
static void put_string(struct lzw *lzw) {
    put_code(lzw, lzw->string);
    if (lzw->next == 1U << lzw->width && lzw->width < LZW_WIDTH)
        lzw->width++;
}

static void forget_strings(struct lzw *lzw) {
    memset(lzw->slots, 0, sizeof lzw->slots);
    lzw->width = lzw->bits + 1;
    lzw->next = (1U << lzw->bits) + 2;
    lzw->full_for = 0;
}

/* The slot with the code of the string extended by this pixel, or the empty slot for it. */
static uint32_t *find(struct lzw *lzw, unsigned pixel) {
    const uint32_t key = lzw->string << 8 | pixel;
    uint32_t at = key * 2654435761U >> 19; /* Fibonacci hashing: the upper 13 bits */
    while (lzw->slots[at] && lzw->slots[at] / LZW_CODES != key)
        at = (at + 1) % LZW_SLOTS;
    return &lzw->slots[at];
}

/* When no code is free, the table is used for LZW_CODES more codes before it is cleared, because
 * the pixels that follow are mostly similar. */
static void put_pixel(struct lzw *lzw, unsigned pixel) {
    uint32_t *slot = find(lzw, pixel);
    if (*slot) {
        lzw->string = *slot % LZW_CODES;
        return;
    }
    put_string(lzw);
    if (lzw->next < LZW_CODES) {
        *slot = (lzw->string << 8 | pixel) * LZW_CODES + lzw->next++;
    } else if (++lzw->full_for == LZW_CODES) {
        put_code(lzw, 1U << lzw->bits);
        forget_strings(lzw);
    }
    lzw->string = pixel;
}

void lzw_write(struct buffer *out, struct lzw *lzw, int bits, const uint8_t *pixels, size_t width,
               size_t height, size_t stride) {
    lzw->out = out;
    lzw->bits = bits;
    lzw->rest = 0;
    lzw->rest_bits = 0;
    lzw->block[0] = 0;
    buffer_append(out, &(uint8_t){(uint8_t)bits}, 1);
    forget_strings(lzw);
    put_code(lzw, 1U << bits); /* some readers need a clear code first */
    lzw->string = pixels[0];
    for (size_t y = 0; y < height; y++)
        for (size_t x = y == 0; x < width; x++) /* without the very first pixel */
            put_pixel(lzw, pixels[y * stride + x]);
    put_string(lzw);
    put_code(lzw, (1U << bits) + 1);
    if (lzw->rest_bits > 0)
        put_byte(lzw);
    if (lzw->block[0] > 0)
        put_block(lzw);
    put_block(lzw); /* an empty one ends the data */
}
