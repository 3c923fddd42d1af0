#include "api/format/gif_file.h"

#include <stdlib.h>
#include <string.h>

enum {
    /* A run of at least this number of unchanged pixels is sent as transparent. Shorter runs are
     * sent again: with more kinds of strings, LZW would find fewer repeats. */
    LONG_STAY = 32,
};

struct window {
    int left, top, right, bottom; /* right and bottom are exclusive */
};

/* The smallest window around the changed pixels. */
static struct window find_new(const struct gif_file *file) {
    const int width = file->width, height = file->height;
    struct window new = {.left = width};
    for (int y = 0; y < height; y++) {
        const uint8_t *row = file->pixels + (ptrdiff_t)y * width;
        const uint8_t *last = file->last + (ptrdiff_t)y * width;
        if (memcmp(row, last, (size_t)width) == 0)
            continue;
        int left = 0, right = width;
        while (row[left] == last[left])
            left++;
        while (row[right - 1] == last[right - 1])
            right--;
        new.left = left < new.left ? left : new.left;
        new.right = right > new.right ? right : new.right;
        new.top = new.bottom ? new.top : y;
        new.bottom = y + 1;
    }
    if (!new.bottom)
        new = (struct window){.right = 1, .bottom = 1}; /* a frame has a pixel */
    return new;
}

/* Replaces the previous pixels by what is sent: the new ones, with long runs of unchanged ones
 * transparent. */
static void hide_stays(uint8_t *last, const uint8_t *pixels, int count, int transparent) {
    for (int i = 0, run = 0; i < count; i++) {
        run = last[i] == pixels[i] ? run + 1 : 0;
        last[i] = pixels[i];
        if (run == LONG_STAY)
            memset(last + i + 1 - run, transparent, LONG_STAY);
        else if (run > LONG_STAY)
            last[i] = (uint8_t)transparent;
    }
}

#define WORD(value) (uint8_t)(value), (uint8_t)((value) >> 8) /* little-endian */

/* The screen, its palette, and the endless loop (GIF89a 18, 19, 26). */
static void put_head(struct buffer *out, const struct gif_file *file, const uint8_t *rgb) {
    const uint8_t screen[] = {
        WORD(file->width),
        WORD(file->height),
        (uint8_t)(0xf0 | (file->bits - 1)), /* it has a palette, of 2^bits colors */
        0,                                  /* background */
        0,                                  /* pixels are square */
    };
    static const char loop[] = "\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0"; /* and a 0 at the end */
    buffer_text(out, "GIF89a");
    buffer_append(out, screen, sizeof screen);
    buffer_append(out, rgb, (size_t)3 << file->bits);
    buffer_append(out, loop, sizeof loop);
}

bool gif_file_begin(struct gif_file *file, struct buffer *out, int width, int height,
                    const uint8_t *rgb, int colors) {
    const size_t count = (size_t)width * (size_t)height;
    *file = (struct gif_file){.width = width, .height = height, .transparent = colors, .bits = 2};
    while (1 << file->bits <= colors)
        file->bits++;
    file->pixels = malloc(count);
    file->last = malloc(count);
    file->lzw = malloc(sizeof *file->lzw);
    if (!file->pixels || !file->last || !file->lzw)
        return false;
    memset(file->last, colors, count); /* so all of the first picture is new */
    put_head(out, file, rgb);
    return true;
}

/* The changed part of a frame that is shown for this number of ticks (GIF89a 20, 22, 23). */
void gif_file_frame(struct gif_file *file, struct buffer *out, int ticks) {
    const struct window new = find_new(file);
    const int screen = file->width, width = new.right - new.left;
    const uint8_t head[] = {
        0x21,
        0xf9,
        4,
        1 << 2 | 1, /* it is not disposed of; it has a transparent color */
        WORD(ticks),
        (uint8_t)file->transparent,
        0,
        0x2c,
        WORD(new.left),
        WORD(new.top),
        WORD(width),
        WORD(new.bottom - new.top),
        0,
    };
    for (int y = new.top; y < new.bottom; y++) {
        const ptrdiff_t at = (ptrdiff_t)y * screen + new.left;
        hide_stays(file->last + at, file->pixels + at, width, file->transparent);
    }
    buffer_append(out, head, sizeof head);
    lzw_write(out, file->lzw, file->bits, file->last + (ptrdiff_t) new.top *screen + new.left,
              (size_t)width, (size_t)(new.bottom - new.top), (size_t)screen);
    uint8_t *pixels = file->pixels;
    file->pixels = file->last;
    file->last = pixels;
}

void gif_file_end(struct buffer *out) {
    buffer_text(out, "\x3b");
}

void gif_file_clear(struct gif_file *file) {
    free(file->pixels);
    free(file->last);
    free(file->lzw);
}
