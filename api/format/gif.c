#include "api/format/gif.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/format/lzw.h"
#include "api/format/raster.h"
#include "server/threads/pool.h"

enum {
    PANEL_SIZE = 320,
    USUAL_FPS = 20,
    TICKS_A_SECOND = 100, /* GIF counts time in hundredths of a second */
    FIRST_HELD = 80,
    LAST_HELD = 200,
    /* A run of at least this number of unchanged pixels is sent as transparent. Shorter runs are
     * sent again: with more kinds of strings, LZW would find fewer repeats. */
    LONG_STAY = 32,
};

/* The picture with two panels, and what is shown in them. */
struct animation {
    const struct picture *picture;
    struct raster raster;
    struct frame left, right;
    int scale; /* of text */
    uint8_t rgb[3 * 256];
    int transparent; /* palette number: the one after the colors */
    int bits;        /* of a palette number */
    uint8_t *pixels; /* [height][width] of this frame */
    uint8_t *last;   /* of the previous frame, then what is sent of this one */
    struct lzw *lzw;
};

struct window {
    int left, top, right, bottom; /* right and bottom are exclusive */
};

static bool animation_init(struct animation *animation, const struct picture *picture) {
    const int side = picture->look.size ? picture->look.size : PANEL_SIZE;
    const int gap = side / 24;
    animation->picture = picture;
    animation->scale = side >= 280 ? (side + 40) / 180 : 1;
    char caption[AXES_CAPTION];
    axes_caption(&picture->axes, caption);
    const int head = 24 * animation->scale, foot = (caption[0] ? 36 : 22) * animation->scale;
    struct frame frame = {.left = gap, .top = head, .width = side, .height = side};
    if (!picture_fit(picture, &frame))
        return false;
    animation->left = animation->right = frame;
    animation->right.left += side + gap;
    struct raster *raster = &animation->raster;
    if (!raster_init(raster, 2 * side + 3 * gap, head + side + foot))
        return false;
    raster_axes(raster, &animation->left, 0);
    raster_axes(raster, &animation->right, 0);
    const int below = head + side + 8 * animation->scale;
    raster_text_centered(raster, &animation->left, below, animation->scale, "x");
    raster_text_centered(raster, &animation->right, below, animation->scale, "estimate of x0");
    raster_text_centered(raster, &(struct frame){.width = raster->width},
                         below + 14 * animation->scale, animation->scale, caption);
    animation->transparent =
        raster_palette(&themes[picture->look.theme], picture->layout.labels, animation->rgb);
    animation->bits = 2;
    while (1 << animation->bits <= animation->transparent)
        animation->bits++;
    const size_t count = (size_t)raster->width * (size_t)raster->height;
    animation->pixels = malloc(count);
    animation->last = malloc(count);
    animation->lzw = malloc(sizeof *animation->lzw);
    if (!animation->pixels || !animation->last || !animation->lzw)
        return false;
    memset(animation->last, animation->transparent, count); /* so all of the first frame is new */
    return true;
}

static void animation_clear(struct animation *animation) {
    raster_free(&animation->raster);
    free(animation->pixels);
    free(animation->last);
    free(animation->lzw);
}

/* ------------------------------------------------------------------ what is drawn */

/* Frame k of x beside the estimate made from it; beside the last x, from which no estimate was
 * made, the last estimate stays. */
static void draw_frame(struct animation *animation, int k) {
    const struct picture *picture = animation->picture;
    struct raster *raster = &animation->raster;
    const struct dn_points x = picture_points(picture, false, k);
    const struct dn_points x0 = picture_points(
        picture, true, k < picture->layout.frames - 1 ? k : picture->layout.frames - 2);
    const struct frame whole = {.width = raster->width};
    char caption[32];
    snprintf(caption, sizeof caption, "t = %d", picture->layout.timesteps[k]);
    raster_rectangle(raster, 0, 0, raster->width, (int)animation->left.top, RASTER_PAPER);
    raster_text_centered(raster, &whole, 9 * animation->scale, animation->scale, caption);
    raster_erase_points(raster);
    raster_points(raster, &animation->left, &x, picture->layout.labels, 0);
    raster_points(raster, &animation->right, &x0, picture->layout.labels, 1);
    raster_pixels(raster, animation->pixels);
}

/* ------------------------------------------------------------------ what is sent */

/* The smallest window around the changed pixels. */
static struct window find_new(const struct animation *animation) {
    const int width = animation->raster.width, height = animation->raster.height;
    struct window new = {.left = width};
    for (int y = 0; y < height; y++) {
        const uint8_t *row = animation->pixels + (ptrdiff_t)y * width;
        const uint8_t *last = animation->last + (ptrdiff_t)y * width;
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
static void put_head(struct buffer *out, const struct animation *animation) {
    const uint8_t screen[] = {
        WORD(animation->raster.width),
        WORD(animation->raster.height),
        (uint8_t)(0xf0 | (animation->bits - 1)), /* it has a palette, of 2^bits colors */
        0,                                       /* background */
        0,                                       /* pixels are square */
    };
    static const char loop[] = "\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0"; /* and a 0 at the end */
    buffer_text(out, "GIF89a");
    buffer_append(out, screen, sizeof screen);
    buffer_append(out, animation->rgb, (size_t)3 << animation->bits);
    buffer_append(out, loop, sizeof loop);
}

/* The changed part of a frame that is shown for this number of ticks (GIF89a 20, 22, 23). */
static void put_frame(struct buffer *out, struct animation *animation, int ticks) {
    const struct window new = find_new(animation);
    const int screen = animation->raster.width, width = new.right - new.left;
    const uint8_t head[] = {
        0x21,
        0xf9,
        4,
        1 << 2 | 1, /* it is not disposed of; it has a transparent color */
        WORD(ticks),
        (uint8_t)animation->transparent,
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
        hide_stays(animation->last + at, animation->pixels + at, width, animation->transparent);
    }
    buffer_append(out, head, sizeof head);
    lzw_write(out, animation->lzw, animation->bits,
              animation->last + (ptrdiff_t) new.top *screen + new.left, (size_t)width,
              (size_t)(new.bottom - new.top), (size_t)screen);
    uint8_t *pixels = animation->pixels;
    animation->pixels = animation->last;
    animation->last = pixels;
}

static void put_animation(struct buffer *out, struct animation *animation) {
    const struct picture *picture = animation->picture;
    const int fps = picture->look.fps ? picture->look.fps : USUAL_FPS;
    put_head(out, animation);
    for (int k = 0; k < picture->layout.frames && !out->failed; k++) {
        pool_pause();
        draw_frame(animation, k);
        put_frame(out, animation,
                  k == 0                            ? FIRST_HELD
                  : k == picture->layout.frames - 1 ? LAST_HELD
                                                    : TICKS_A_SECOND / fps);
    }
    buffer_text(out, "\x3b"); /* the end */
}

void gif_trajectory(struct buffer *out, const struct picture *picture) {
    struct animation animation = {0};
    if (animation_init(&animation, picture))
        put_animation(out, &animation);
    else
        buffer_fail(out);
    animation_clear(&animation);
}
