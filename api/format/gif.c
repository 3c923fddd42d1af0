#include "api/format/gif.h"

#include <stdio.h>

#include "api/format/gif_file.h"
#include "api/format/raster.h"
#include "server/threads/pool.h"

enum {
    PANEL_SIZE = 320,
    USUAL_FPS = 20,
    FIRST_HELD = 80, /* ticks */
    LAST_HELD = 200,
};

/* The picture with two panels, and what is shown in them. */
struct animation {
    const struct picture *picture;
    struct raster raster;
    struct frame left, right;
    int scale; /* of text */
    struct gif_file file;
};

static bool animation_init(struct animation *animation, struct buffer *out,
                           const struct picture *picture) {
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
    uint8_t rgb[3 * 256] = {0};
    const int colors = raster_palette(&themes[picture->look.theme], picture->layout.labels, rgb);
    return gif_file_begin(&animation->file, out, raster->width, raster->height, rgb, colors);
}

static void animation_clear(struct animation *animation) {
    raster_free(&animation->raster);
    gif_file_clear(&animation->file);
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
    raster_pixels(raster, animation->file.pixels);
}

int gif_ticks(const struct picture *picture, int k) {
    const int fps = picture->look.fps ? picture->look.fps : USUAL_FPS;
    if (k == 0)
        return FIRST_HELD;
    return k == picture->layout.frames - 1 ? LAST_HELD : GIF_TICKS_A_SECOND / fps;
}

static void put_animation(struct buffer *out, struct animation *animation) {
    const struct picture *picture = animation->picture;
    for (int k = 0; k < picture->layout.frames && !out->failed; k++) {
        pool_pause();
        draw_frame(animation, k);
        gif_file_frame(&animation->file, out, gif_ticks(picture, k));
    }
    gif_file_end(out);
}

void gif_trajectory(struct buffer *out, const struct picture *picture) {
    struct animation animation = {0};
    if (animation_init(&animation, out, picture))
        put_animation(out, &animation);
    else
        buffer_fail(out);
    animation_clear(&animation);
}
