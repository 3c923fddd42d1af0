#include "api/images/film.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/contract/problem.h"
#include "api/format/gif.h"
#include "api/format/gif_file.h"
#include "api/format/grid.h"
#include "api/format/raster.h"
#include "server/threads/pool.h"

enum {
    PANEL = 500,                 /* usual width of each half of an animation, at most */
    BETWEEN = 8,                 /* pixels between them */
    ANIMATION_PIXELS = 64000000, /* of all frames */
};

/* ------------------------------------------------------------------ layouts */

static bool is_animated(const struct format *format) {
    return format->panels > 1;
}

/* Of one picture of all images. */
static bool samples_grid(struct grid *grid, const struct layout *layout, const struct look *look) {
    return grid_init(grid, &layout->shape, layout->n, layout->labels, look->grid);
}

static int strip_length(const struct layout *layout) {
    return layout->frames - layout->which_x0;
}

/* Of n rows with the frames of an image. */
static bool strips_grid(struct grid *grid, const struct layout *layout, const struct look *look) {
    const int frames = strip_length(layout);
    return grid_init(grid, &layout->shape, layout->n * (size_t)frames, NULL,
                     (struct grid_look){frames, look->grid.scale});
}

static bool animation_grid(struct grid *grid, const struct layout *layout,
                           const struct look *look) {
    if (!samples_grid(grid, layout, look))
        return false;
    while (look->grid.scale == 0 && grid->scale > 1 && grid_width(grid) > PANEL)
        grid->scale--;
    return true;
}

/* Of a picture in this format. */
static bool grid_of(struct grid *grid, const struct format *format, const struct layout *layout,
                    const struct look *look) {
    return is_animated(format)  ? animation_grid(grid, layout, look)
           : layout->frames > 0 ? strips_grid(grid, layout, look)
                                : samples_grid(grid, layout, look);
}

static int text_scale(const struct grid *grid) {
    return grid_width(grid) >= 280 ? 2 : 1;
}

/* Of a line of text above or below the images. */
static int line_height(const struct grid *grid) {
    return 14 * text_scale(grid);
}

static int animation_width(const struct grid *grid) {
    return 2 * grid_width(grid) + BETWEEN;
}

static int animation_height(const struct grid *grid) {
    return grid_height(grid) + 2 * line_height(grid);
}

static bool fits(const struct grid *grid, const struct format *format,
                 const struct layout *layout) {
    return is_animated(format)
               ? (int64_t)animation_width(grid) * animation_height(grid) * layout->frames <=
                     ANIMATION_PIXELS
               : grid_fits(grid);
}

bool film_fits(struct http_exchange *exchange, const struct format *format,
               const struct layout *layout, const struct look *look) {
    struct grid grid;
    if (!grid_of(&grid, format, layout, look)) {
        problem(exchange, PROBLEM_NO_MEMORY, "not enough memory for this picture");
        return false;
    }
    const bool fit = fits(&grid, format, layout);
    if (!fit)
        problem_field(
            exchange, look->grid.scale > 1 ? "/scale" : "/n",
            http_format(exchange,
                        "images of %d x %d pixels altogether are too large: request fewer "
                        "images, fewer frames or a smaller scale",
                        grid_width(&grid), grid_height(&grid)));
    grid_clear(&grid);
    return fit;
}

size_t film_bytes(const struct format *format, const struct layout *layout,
                  const struct look *look) {
    struct grid grid;
    if (!grid_of(&grid, format, layout, look))
        return SIZE_MAX / 2; /* is refused */
    const size_t frames = layout->frames > 0 && !is_animated(format) ? (size_t)layout->frames : 1;
    const size_t pixels = 2 * layout->n * frames * (size_t)layout->dim;
    const size_t screen = (size_t)animation_width(&grid) * (size_t)animation_height(&grid);
    const size_t file =
        is_animated(format) ? (4 + 2 * (size_t)layout->frames) * screen : grid_png_bytes(&grid);
    grid_clear(&grid);
    return pixels + file;
}

/* ------------------------------------------------------------------ PNG */

static void to_bytes(const float *values, size_t count, uint8_t *bytes) {
    for (size_t i = 0; i < count; i++)
        bytes[i] = grid_pixel(values[i]);
}

void film_samples(struct buffer *out, const struct picture *picture) {
    const size_t values = picture->layout.n * (size_t)picture->layout.dim;
    uint8_t *pixels = malloc(values);
    struct grid grid = {0};
    if (pixels && samples_grid(&grid, &picture->layout, &picture->look)) {
        to_bytes(picture->x, values, pixels);
        grid_png(out, &grid, pixels, picture->title);
    } else {
        buffer_fail(out);
    }
    grid_clear(&grid);
    free(pixels);
}

void film_strips(struct buffer *out, const struct picture *picture) {
    const struct layout *layout = &picture->layout;
    const size_t dim = (size_t)layout->dim, frames = (size_t)strip_length(layout);
    uint8_t *pixels = malloc(layout->n * frames * dim);
    struct grid grid = {0};
    if (pixels && strips_grid(&grid, layout, &picture->look)) {
        const float *values = layout->which_x0 ? picture->x0 : picture->x;
        for (size_t k = 0; k < frames; k++)
            for (size_t i = 0; i < layout->n; i++)
                to_bytes(values + (k * layout->n + i) * dim, dim, pixels + (i * frames + k) * dim);
        grid_png(out, &grid, pixels, NULL);
    } else {
        buffer_fail(out);
    }
    grid_clear(&grid);
    free(pixels);
}

/* ------------------------------------------------------------------ colors of an animation */

enum { REDS = 6, GREENS = 7, BLUES = 6, GRAYS = GIF_MAX_COLORS };

/* The nearest of `count` levels. With thresholds that change from pixel to pixel (Bayer's ordered
 * dithering), areas have the right color on average. */
static int level_of(uint8_t value, int count, int x, int y) {
    static const uint8_t order[4][4] = {
        {0, 8, 2, 10}, {12, 4, 14, 6}, {3, 11, 1, 9}, {15, 7, 13, 5}};
    const int threshold = 2 * order[y & 3][x & 3] + 1; /* of 32 */
    return (value * (count - 1) * 32 + 255 * threshold) / (255 * 32);
}

/* The palette number of a color: of 255 grays, or of a cube of colors. */
static uint8_t color_of(const uint8_t *pixel, int channels, int x, int y) {
    if (channels == 1)
        return (uint8_t)((pixel[0] * (GRAYS - 1) + 127) / 255);
    return (uint8_t)((level_of(pixel[0], REDS, x, y) * GREENS + level_of(pixel[1], GREENS, x, y)) *
                         BLUES +
                     level_of(pixel[2], BLUES, x, y));
}

static int make_palette(int channels, uint8_t rgb[3 * 256]) {
    memset(rgb, 0, 3 * 256);
    const int count = channels == 1 ? GRAYS : REDS * GREENS * BLUES;
    for (int i = 0; i < count; i++, rgb += 3)
        if (channels == 1) {
            memset(rgb, i * 255 / (GRAYS - 1), 3);
        } else {
            rgb[0] = (uint8_t)(i / BLUES / GREENS * 255 / (REDS - 1));
            rgb[1] = (uint8_t)(i / BLUES % GREENS * 255 / (GREENS - 1));
            rgb[2] = (uint8_t)(i % BLUES * 255 / (BLUES - 1));
        }
    return count;
}

/* ------------------------------------------------------------------ animation */

struct film {
    const struct picture *picture;
    struct grid grid;
    struct gif_file file;
    struct raster line; /* of text */
    uint8_t *bytes;     /* [n][dim] of a frame */
    uint8_t *row;       /* of the grid */
};

static bool film_init(struct film *film, struct buffer *out) {
    const struct layout *layout = &film->picture->layout;
    uint8_t rgb[3 * 256];
    if (!animation_grid(&film->grid, layout, &film->picture->look))
        return false;
    const int width = animation_width(&film->grid);
    film->bytes = malloc(layout->n * (size_t)layout->dim);
    film->row = malloc((size_t)grid_width(&film->grid) * (size_t)layout->shape.channels);
    return film->bytes && film->row && raster_init(&film->line, width, line_height(&film->grid)) &&
           gif_file_begin(&film->file, out, width, animation_height(&film->grid), rgb,
                          make_palette(layout->shape.channels, rgb));
}

static void film_clear(struct film *film) {
    grid_clear(&film->grid);
    gif_file_clear(&film->file);
    raster_free(&film->line);
    free(film->bytes);
    free(film->row);
}

/* A row of bytes of `channels` colors, at this place of the screen. */
static void put_row(struct film *film, const uint8_t *row, int channels, int count, int left,
                    int y) {
    uint8_t *to = film->file.pixels + (ptrdiff_t)y * film->file.width + left;
    for (int x = 0; x < count; x++)
        to[x] = color_of(row + (ptrdiff_t)x * channels, channels, left + x, y);
}

/* The grid of a frame. */
static void put_grid(struct film *film, const struct dn_points *frame, int left) {
    const struct layout *layout = &film->picture->layout;
    to_bytes(frame->points, layout->n * (size_t)layout->dim, film->bytes);
    for (int y = 0; y < grid_height(&film->grid); y++) {
        grid_row(&film->grid, film->bytes, y, film->row);
        put_row(film, film->row, layout->shape.channels, grid_width(&film->grid), left,
                y + line_height(&film->grid));
    }
}

/* White text on the gray between the images; with a second text, each above or below its half. */
static void put_text(struct film *film, int top, const char *left, const char *right) {
    struct raster *line = &film->line;
    const int channels = film->picture->layout.shape.channels, scale = text_scale(&film->grid);
    const int half = grid_width(&film->grid);
    const int above = (line->height - GLYPH_HEIGHT * scale) / 2;
    raster_rectangle(line, 0, 0, line->width, line->height, RASTER_PAPER);
    raster_text_centered(line, &(struct frame){.width = right ? half : line->width}, above, scale,
                         left);
    if (right)
        raster_text_centered(line, &(struct frame){.left = half + BETWEEN, .width = half}, above,
                             scale, right);
    for (int y = 0; y < line->height; y++)
        for (int x = 0; x < line->width; x++) {
            const int ink = line->paper[(ptrdiff_t)y * line->width + x] - RASTER_TEXT + 1;
            const int gray = GRID_GAP + (ink > 0 ? (255 - GRID_GAP) * ink / RASTER_TEXT_LEVELS : 0);
            const uint8_t color[3] = {(uint8_t)gray, (uint8_t)gray, (uint8_t)gray};
            put_row(film, color, channels, 1, x, top + y);
        }
}

/* Frame k of x beside the estimate made from it; beside the last x stays the last estimate. */
static void draw_frame(struct film *film, int k) {
    const struct picture *picture = film->picture;
    const int last = picture->layout.frames - 1, width = grid_width(&film->grid);
    const struct dn_points x = picture_points(picture, false, k);
    const struct dn_points x0 = picture_points(picture, true, k < last ? k : last - 1);
    const uint8_t between[3] = {GRID_GAP, GRID_GAP, GRID_GAP};
    char caption[32];
    snprintf(caption, sizeof caption, "t = %d", picture->layout.timesteps[k]);
    for (int y = 0; y < film->file.height; y++)
        for (int i = 0; i < BETWEEN; i++)
            put_row(film, between, picture->layout.shape.channels, 1, width + i, y);
    put_grid(film, &x, 0);
    put_grid(film, &x0, width + BETWEEN);
    put_text(film, 0, caption, NULL);
    put_text(film, film->file.height - film->line.height, "x", "estimate of x0");
}

void film_animation(struct buffer *out, const struct picture *picture) {
    struct film film = {.picture = picture};
    if (film_init(&film, out)) {
        for (int k = 0; k < picture->layout.frames && !out->failed; k++) {
            pool_pause();
            draw_frame(&film, k);
            gif_file_frame(&film.file, out, gif_ticks(picture, k));
        }
        gif_file_end(out);
    } else {
        buffer_fail(out);
    }
    film_clear(&film);
}
