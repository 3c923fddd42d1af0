#include "api/format/png.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/format/png_file.h"

/* ------------------------------------------------------------------ the file */

/* title: of the points; NULL for none. */
static void write_png(struct buffer *out, const struct raster *raster, const struct theme *theme,
                      bool classes, const char *title) {
    const size_t width = (size_t)raster->width, height = (size_t)raster->height;
    uint8_t rgb[3 * RASTER_PALETTE], *pixels = malloc(width * height);
    struct png_file *file = malloc(sizeof *file);
    if (pixels && file) {
        raster_pixels(raster, pixels);
        png_file_begin(file, out,
                       &(struct png_header){PNG_PALETTE, raster->width, raster->height, rgb,
                                            raster_palette(theme, classes, rgb), title});
        for (size_t y = 0; y < height; y++)
            png_file_row(file, pixels + y * width);
        png_file_end(file);
    } else {
        buffer_fail(out);
    }
    free(pixels);
    free(file);
}

/* ------------------------------------------------------------------ the pictures */

enum { POINTS_SIZE = 480, PANEL_SIZE = 240, LABELS_FROM = 160 };
enum { TITLE = 14 }; /* pixels of a line of text, at scale 1 */

/* The names of the axes: one below the numbers, the other above its axis. */
static void draw_titles(struct raster *raster, const struct frame *frame, const struct axes *axes,
                        int scale) {
    const struct frame whole = {.left = frame->left, .width = frame->width};
    const int bottom = (int)(frame->top + frame->height);
    raster_text_centered(raster, &whole, bottom + (TITLE + 4) * scale, scale, axes->names[0]);
    if (axes->names[1])
        raster_text(raster, (int)frame->left, (int)frame->top - 10 * scale, scale, axes->names[1]);
}

void png_points(struct buffer *out, const struct picture *picture) {
    const struct theme *theme = &themes[picture->look.theme];
    const struct dn_points points = picture_points(picture, false, 0);
    const int size = picture->look.size ? picture->look.size : POINTS_SIZE;
    const int labels = size < LABELS_FROM ? 0 : (size + 240) / 480 > 1 ? (size + 240) / 480 : 1;
    struct frame frame = {0};
    picture_fit(picture, &frame);
    const bool is_titled = labels > 0 && picture->axes.names[0];
    const int left = size / 32 + (frame_has_texts(&frame, 1) ? 64 : 34) * labels;
    const int top = size / 32 + (is_titled ? TITLE * labels : 0), side = size - left - size / 32;
    frame.left = left;
    frame.top = top;
    frame.width = side;
    frame.height = is_titled ? size - 2 * top - GLYPH_HEIGHT * labels : side;
    struct raster raster;
    if (!raster_init(&raster, size, size)) {
        buffer_fail(out);
        return;
    }
    if (!is_titled)
        frame.top += 7 * labels; /* the numbers below need less room than those on the left */
    raster_axes(&raster, &frame, labels);
    if (is_titled)
        draw_titles(&raster, &frame, &picture->axes, labels);
    raster_points(&raster, &frame, &points, picture->layout.labels, 0);
    write_png(out, &raster, theme, picture->layout.labels, picture->title);
    raster_free(&raster);
}

static void draw_panel(struct raster *raster, const struct picture *picture, struct frame *frame,
                       int k) {
    const struct dn_points points = picture_points(picture, picture->layout.which_x0, k);
    const int scale = frame->width >= PANEL_SIZE * 2 ? (int)frame->width / PANEL_SIZE : 1;
    char caption[32];
    snprintf(caption, sizeof caption, "t = %d", picture->layout.timesteps[k]);
    raster_axes(raster, frame, 0);
    raster_text_centered(raster, frame, (int)(frame->top + frame->height) + 8 * scale, scale,
                         caption);
    raster_points(raster, frame, &points, picture->layout.labels, picture->layout.which_x0);
}

void png_trajectory(struct buffer *out, const struct picture *picture) {
    const int panels = picture->layout.frames - (picture->layout.which_x0 ? 1 : 0);
    const int side = picture->look.size ? picture->look.size : PANEL_SIZE;
    const int gap = side / 24, scale = side >= PANEL_SIZE * 2 ? side / PANEL_SIZE : 1;
    struct frame frame = {.left = gap, .top = gap, .width = side, .height = side};
    struct raster raster;
    char names[AXES_CAPTION];
    axes_caption(&picture->axes, names);
    const int width = panels * (side + gap) + gap, below = gap + side + 24 * scale;
    if (!picture_fit(picture, &frame) ||
        !raster_init(&raster, width, below + (names[0] ? TITLE * scale : 0))) {
        buffer_fail(out);
        return;
    }
    for (int k = 0; k < panels; k++, frame.left += side + gap)
        draw_panel(&raster, picture, &frame, k);
    raster_text_centered(&raster, &(struct frame){.width = width}, below - scale, scale, names);
    write_png(out, &raster, &themes[picture->look.theme], picture->layout.labels, NULL);
    raster_free(&raster);
}
