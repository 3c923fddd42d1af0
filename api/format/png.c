#include "api/format/png.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* ------------------------------------------------------------------ the file */

static void put_32(uint8_t *at, size_t value) {
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* Length, type, data, and the checksum of type and data (PNG 5.3). */
static void put_chunk(struct buffer *out, const char *type, const void *data, size_t length) {
    uint8_t head[8], check[4];
    put_32(head, length);
    memcpy(head + 4, type, 4);
    uLong crc = crc32(0, head + 4, 4);
    if (length > 0) /* zlib takes NULL for "restart" */
        crc = crc32(crc, data, (uInt)length);
    put_32(check, crc);
    buffer_append(out, head, sizeof head);
    buffer_append(out, data, length);
    buffer_append(out, check, sizeof check);
}

static void put_text(struct buffer *out, const char *key, const char *text) {
    char chunk[256];
    const int length = snprintf(chunk, sizeof chunk, "%s%c%s", key, 0, text);
    put_chunk(out, "tEXt", chunk,
              (size_t)length < sizeof chunk ? (size_t)length : sizeof chunk - 1);
}

/* Rows of palette numbers, each after a 0 for "no filter", which suits palettes. */
static bool put_pixels(struct buffer *out, const struct raster *raster) {
    const size_t width = (size_t)raster->width, height = (size_t)raster->height;
    uint8_t *rows = malloc((width + 1) * height);
    uLongf packed_size = compressBound((width + 1) * height);
    uint8_t *packed = malloc(packed_size);
    bool done = false;
    if (rows && packed) {
        raster_pixels(raster, rows);
        for (size_t y = height; y-- > 0;) { /* from the end: rows move up to make room */
            memmove(rows + y * (width + 1) + 1, rows + y * width, width);
            rows[y * (width + 1)] = 0;
        }
        done = compress2(packed, &packed_size, rows, (width + 1) * height, 6) == Z_OK;
    }
    if (done)
        put_chunk(out, "IDAT", packed, packed_size);
    free(rows);
    free(packed);
    return done;
}

/* The raster as a PNG file with a palette; title [Latin-1] goes into its text, NULL for none. */
static void write_png(struct buffer *out, const struct raster *raster, const struct theme *theme,
                      bool classes, const char *title) {
    uint8_t header[13] = {[8] = 8 /* bits */, [9] = 3 /* palette */}, rgb[3 * RASTER_PALETTE];
    put_32(header, (size_t)raster->width);
    put_32(header + 4, (size_t)raster->height);
    buffer_append(out, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(out, "IHDR", header, sizeof header);
    put_chunk(out, "PLTE", rgb, 3 * (size_t)raster_palette(theme, classes, rgb));
    if (title)
        put_text(out, "Title", title);
    put_text(out, "Software", "denoised");
    if (!put_pixels(out, raster))
        buffer_fail(out);
    put_chunk(out, "IEND", NULL, 0);
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
