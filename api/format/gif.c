#include "api/format/gif.h"

#include <cgif.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/format/raster.h"

enum {
    PANEL_SIZE = 320,
    USUAL_FPS = 20,
    TICKS_A_SECOND = 100, /* GIF counts time in hundredths of a second */
    FIRST_HELD = 80,
    LAST_HELD = 200,
};

/* The picture with two panels, and what is shown in them. */
struct animation {
    const struct trajectory *trajectory;
    struct raster raster;
    struct frame left, right;
    int scale; /* of text */
    uint8_t rgb[3 * RASTER_PALETTE];
    uint8_t *pixels;
};

static int append(void *out, const uint8_t *bytes, const size_t size) {
    buffer_append(out, bytes, size);
    return ((struct buffer *)out)->failed;
}

static void centre_text(struct raster *raster, const struct frame *frame, int top, int scale,
                        const char *text) {
    const int width = raster_text_width(scale, text);
    raster_text(raster, (int)frame->left + ((int)frame->width - width) / 2, top, scale, text);
}

static bool animation_init(struct animation *animation, const struct trajectory *t) {
    const int side = t->look.size ? t->look.size : PANEL_SIZE;
    const int gap = side / 24;
    animation->trajectory = t;
    animation->scale = side >= 280 ? (side + 40) / 180 : 1;
    const int head = 24 * animation->scale, foot = 22 * animation->scale;
    struct frame frame = {.left = gap, .top = head, .width = side, .height = side};
    if (!trajectory_fit(t, &frame))
        return false;
    animation->left = animation->right = frame;
    animation->right.left += side + gap;
    struct raster *raster = &animation->raster;
    if (!raster_init(raster, 2 * side + 3 * gap, head + side + foot))
        return false;
    raster_axes(raster, &animation->left, 0);
    raster_axes(raster, &animation->right, 0);
    centre_text(raster, &animation->left, head + side + 8 * animation->scale, animation->scale,
                "x");
    centre_text(raster, &animation->right, head + side + 8 * animation->scale, animation->scale,
                "estimate of x0");
    animation->pixels = malloc((size_t)raster->width * (size_t)raster->height);
    return animation->pixels;
}

static void animation_clear(struct animation *animation) {
    raster_free(&animation->raster);
    free(animation->pixels);
}

static bool draw_points(struct animation *animation, const struct frame *frame, const float *x,
                        int hue) {
    const struct trajectory *t = animation->trajectory;
    float *flat = plane(x, t->n, t->dim);
    if (flat)
        raster_points(&animation->raster, frame, flat, t->n, t->labels, hue);
    free(flat);
    return flat;
}

/* Frame k of x beside the estimate made from it; beside the last x, which no estimate was made
 * from, the last estimate stays. */
static bool draw_frame(struct animation *animation, int k) {
    const struct trajectory *t = animation->trajectory;
    struct raster *raster = &animation->raster;
    const size_t values = t->n * (size_t)t->dim;
    const size_t estimate = (size_t)(k < t->frames - 1 ? k : t->frames - 2);
    const struct frame whole = {.width = raster->width};
    char caption[32];
    snprintf(caption, sizeof caption, "t = %d", t->timesteps[k]);
    raster_rectangle(raster, 0, 0, raster->width, (int)animation->left.top, RASTER_PAPER);
    centre_text(raster, &whole, 9 * animation->scale, animation->scale, caption);
    raster_erase_points(raster);
    if (!draw_points(animation, &animation->left, t->x + (size_t)k * values, 0) ||
        !draw_points(animation, &animation->right, t->x0 + estimate * values, 1))
        return false;
    raster_pixels(raster, animation->pixels);
    return true;
}

static bool write_frames(struct animation *animation, CGIF *gif) {
    const struct trajectory *t = animation->trajectory;
    const int fps = t->look.fps ? t->look.fps : USUAL_FPS;
    CGIF_FrameConfig frame = {
        .pImageData = animation->pixels,
        /* Making pixels that stay transparent as well saves a tenth and costs half the time. */
        .genFlags = CGIF_FRAME_GEN_USE_DIFF_WINDOW,
    };
    for (int k = 0; k < t->frames; k++) {
        frame.delay = (uint16_t)(k == 0               ? FIRST_HELD
                                 : k == t->frames - 1 ? LAST_HELD
                                                      : TICKS_A_SECOND / fps);
        if (!draw_frame(animation, k) || cgif_addframe(gif, &frame) != CGIF_OK)
            return false;
    }
    return true;
}

void gif_trajectory(struct buffer *out, const struct trajectory *t) {
    struct animation animation = {0};
    bool done = animation_init(&animation, t);
    CGIF *gif = NULL;
    if (done) {
        CGIF_Config config = {
            .pGlobalPalette = animation.rgb,
            .numGlobalPaletteEntries =
                (uint16_t)raster_palette(&themes[t->look.theme], t->labels, animation.rgb),
            .attrFlags = CGIF_ATTR_IS_ANIMATED,
            .numLoops = CGIF_INFINITE_LOOP,
            .width = (uint16_t)animation.raster.width,
            .height = (uint16_t)animation.raster.height,
            .pWriteFn = append,
            .pContext = out,
        };
        gif = cgif_newgif(&config);
    }
    done = gif && write_frames(&animation, gif);
    if (gif) /* also after a failure: it frees the rest */
        done &= cgif_close(gif) == CGIF_OK;
    if (!done)
        buffer_fail(out);
    animation_clear(&animation);
}
