#include "api/format/raster.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/threads/pool.h"

enum { CLEAR = 65535 };

bool raster_init(struct raster *raster, int width, int height) {
    const size_t count = (size_t)width * (size_t)height;
    *raster = (struct raster){.width = width, .height = height};
    raster->paper = calloc(count, 1);
    raster->clear = malloc(count * sizeof *raster->clear);
    raster->hue = malloc(count);
    raster->lead = malloc(count);
    if (!raster->paper || !raster->clear || !raster->hue || !raster->lead) {
        raster_free(raster);
        return false;
    }
    raster_erase_points(raster);
    return true;
}

void raster_free(struct raster *raster) {
    free(raster->paper);
    free(raster->clear);
    free(raster->hue);
    free(raster->lead);
    *raster = (struct raster){0};
}

/* ------------------------------------------------------------------ the paper */

void raster_rectangle(struct raster *raster, int left, int top, int width, int height,
                      uint8_t color) {
    for (int y = top < 0 ? 0 : top; y < top + height && y < raster->height; y++)
        for (int x = left < 0 ? 0 : left; x < left + width && x < raster->width; x++)
            raster->paper[(size_t)y * (size_t)raster->width + (size_t)x] = color;
}

/* A stroke with round ends and smooth edges. */
static void draw_stroke(struct raster *raster, const double from[2], const double to[2],
                        double half_width) {
    const double dx = to[0] - from[0], dy = to[1] - from[1], reach = half_width + 0.5;
    const double length = fmax(dx * dx + dy * dy, 1e-9);
    const int x_last = (int)fmin(raster->width - 1, fmax(from[0], to[0]) + reach);
    const int y_last = (int)fmin(raster->height - 1, fmax(from[1], to[1]) + reach);
    for (int y = (int)fmax(0, fmin(from[1], to[1]) - reach); y <= y_last; y++)
        for (int x = (int)fmax(0, fmin(from[0], to[0]) - reach); x <= x_last; x++) {
            const double px = x + 0.5 - from[0], py = y + 0.5 - from[1];
            const double along = fmin(fmax((px * dx + py * dy) / length, 0), 1);
            const double distance = hypot(px - along * dx, py - along * dy);
            const int level = (int)lrint(RASTER_TEXT_LEVELS * fmin(reach - distance, 1));
            uint8_t *at = &raster->paper[(size_t)y * (size_t)raster->width + (size_t)x];
            if (level > 0 && (*at < RASTER_TEXT || *at < RASTER_TEXT + level - 1))
                *at = (uint8_t)(RASTER_TEXT + level - 1);
        }
}

static bool is_set(const char *rows, int row, int column) {
    return row >= 0 && row < GLYPH_HEIGHT && column >= 0 && column < GLYPH_WIDTH - 1 &&
           (rows[row] >> (GLYPH_WIDTH - 2 - column) & 1);
}

/* Strokes through neighboring dots make smooth letters of any size. Dots that touch at a corner
 * are joined where no other dot joins them. */
static void draw_glyph(struct raster *raster, int left, int top, int scale, const char *rows) {
    static const int ways[][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}, {1, -1}}; /* row, column */
    const double half_width = 0.08 + 0.42 * scale;
    for (int row = 0; row < GLYPH_HEIGHT; row++)
        for (int column = 0; column < GLYPH_WIDTH - 1; column++)
            for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
                const int down = ways[i][0], right = ways[i][1];
                if (!is_set(rows, row, column) || !is_set(rows, row + down, column + right) ||
                    (down && right &&
                     (is_set(rows, row + down, column) || is_set(rows, row, column + right))))
                    continue;
                const double from[] = {left + (column + 0.5) * scale, top + (row + 0.5) * scale};
                const double to[] = {from[0] + right * scale, from[1] + down * scale};
                draw_stroke(raster, from, to, half_width);
            }
}

void raster_text(struct raster *raster, int left, int top, int scale, const char *text) {
    for (; *text; text++) {
        if (((unsigned char)*text & 0xc0) == 0x80)
            continue; /* within a character */
        const char *rows = glyph_rows(*text);
        if (rows)
            draw_glyph(raster, left, top, scale, rows);
        left += GLYPH_WIDTH * scale;
    }
}

static int text_width(int scale, const char *text) {
    int count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return scale * (GLYPH_WIDTH * count - 1);
}

void raster_text_centered(struct raster *raster, const struct frame *frame, int top, int scale,
                          const char *text) {
    const int width = text_width(scale, text);
    raster_text(raster, (int)frame->left + ((int)frame->width - width) / 2, top, scale, text);
}

enum { TICK_PIXELS = 75 }; /* between ticks, about, at scale 1 */

static void draw_ticks(struct raster *raster, const struct frame *frame, int labels,
                       bool horizontal) {
    const double min = horizontal ? frame->x_min : frame->y_min;
    const double max = horizontal ? frame->x_max : frame->y_max;
    const int line = labels > 1 ? labels : 1;
    const int left = (int)frame->left, top = (int)frame->top;
    const int width = (int)frame->width, height = (int)frame->height;
    const double wanted = fmax(2, frame->width / (TICK_PIXELS * line));
    const double step = frame_step(frame, horizontal ? 0 : 1, wanted);
    for (double i = ceil(min / step); i * step <= max; i++) {
        char text[TICK_BYTES];
        frame_tick(frame, horizontal ? 0 : 1, i == 0 ? 0 : i * step, text);
        const int size = text_width(labels, text);
        if (horizontal) {
            const int x = (int)lrint(frame_x(frame, i * step) - line / 2.0);
            raster_rectangle(raster, x, top, line, height, RASTER_GRID);
            if (labels)
                raster_text(raster, x + (line - size) / 2, top + height + 6 * labels, labels, text);
        } else {
            const int y = (int)lrint(frame_y(frame, i * step) - line / 2.0);
            raster_rectangle(raster, left, y, width, line, RASTER_GRID);
            if (labels)
                raster_text(raster, left - size - 5 * labels,
                            y + (line - GLYPH_HEIGHT * labels) / 2, labels, text);
        }
    }
}

void raster_axes(struct raster *raster, const struct frame *frame, int labels) {
    const int left = (int)frame->left, top = (int)frame->top;
    const int width = (int)frame->width, height = (int)frame->height;
    const int line = labels > 1 ? labels : 1;
    draw_ticks(raster, frame, labels, true);
    draw_ticks(raster, frame, labels, false);
    raster_rectangle(raster, left, top, width, line, RASTER_BORDER);
    raster_rectangle(raster, left, top + height - line, width, line, RASTER_BORDER);
    raster_rectangle(raster, left, top, line, height, RASTER_BORDER);
    raster_rectangle(raster, left + width - line, top, line, height, RASTER_BORDER);
}

/* ------------------------------------------------------------------ points */

void raster_erase_points(struct raster *raster) {
    const size_t count = (size_t)raster->width * (size_t)raster->height;
    memset(raster->clear, 0xff, count * sizeof *raster->clear);
    memset(raster->lead, 0, count);
    memset(raster->hue, 0, count); /* read even where there is no lead, though without effect */
}

/* Ink of a hue on one pixel: coverage is 0..1. Inks together hide the paper; the hue that is seen
 * is the one with the most, kept as a vote (Boyer and Moore's). */
static void ink(struct raster *raster, size_t at, double coverage, uint8_t hue) {
    const int votes = (int)(coverage * 63);
    raster->clear[at] = (uint16_t)(raster->clear[at] * (1 - coverage));
    int lead = raster->lead[at] + (raster->hue[at] == hue ? votes : -votes);
    if (raster->lead[at] == 0 || lead < 0) {
        lead = raster->lead[at] == 0 ? votes : -lead;
        raster->hue[at] = hue;
    }
    raster->lead[at] = (uint8_t)(lead > 255 ? 255 : lead);
}

struct dot {
    double radius, opacity;
};

static void draw_dot(struct raster *raster, const struct frame *frame, const struct dot *dot,
                     double x, double y, uint8_t hue) {
    const double reach = dot->radius + 0.5;
    const int x_first = (int)fmax(frame->left, floor(x - reach));
    const int x_last = (int)fmin(frame->left + frame->width - 1, ceil(x + reach));
    const int y_first = (int)fmax(frame->top, floor(y - reach));
    const int y_last = (int)fmin(frame->top + frame->height - 1, ceil(y + reach));
    for (int row = y_first; row <= y_last; row++)
        for (int column = x_first; column <= x_last; column++) {
            const double dx = column + 0.5 - x, dy = row + 0.5 - y;
            const double inside = reach - sqrt(dx * dx + dy * dy);
            if (inside > 0)
                ink(raster, (size_t)row * (size_t)raster->width + (size_t)column,
                    dot->opacity * fmin(inside, 1), hue);
        }
}

/* Many points are drawn smaller and thinner, so that their density can be seen. */
static struct dot dot_for(const struct frame *frame, size_t n) {
    const double crowd = pow(1000 / fmax((double)n, 1), 0.2);
    return (struct dot){.radius = fmax(1.25, frame->width / 210) * fmin(fmax(crowd, 0.5), 1.4),
                        .opacity = fmin(fmax(0.62 * crowd, 0.3), 0.85)};
}

void raster_points(struct raster *raster, const struct frame *frame, const struct dn_points *points,
                   const int *labels, int hue) {
    const struct dot dot = dot_for(frame, points->n);
    for (size_t i = 0; i < points->n; i++) {
        const struct spot at = spot_of(points, i);
        pool_pause();
        if (at.x >= frame->x_min && at.x <= frame->x_max && at.y >= frame->y_min &&
            at.y <= frame->y_max)
            draw_dot(raster, frame, &dot, frame_x(frame, at.x), frame_y(frame, at.y),
                     (uint8_t)(labels ? class_hue(labels[i]) : hue));
    }
}

/* ------------------------------------------------------------------ the result */

void raster_pixels(const struct raster *raster, uint8_t *pixels) {
    const size_t count = (size_t)raster->width * (size_t)raster->height;
    for (size_t i = 0; i < count; i++) {
        const unsigned hidden = CLEAR - (unsigned)raster->clear[i];
        const unsigned level = (hidden * RASTER_LEVELS + CLEAR / 2) / CLEAR;
        pixels[i] =
            level == 0
                ? raster->paper[i]
                : (uint8_t)(RASTER_FIRST_HUE + raster->hue[i] * RASTER_LEVELS + (int)level - 1);
    }
}

static void put_mixed(uint8_t *rgb, unsigned from, unsigned to, int step, int steps) {
    for (int channel = 0; channel < 3; channel++) {
        const int a = (int)(from >> (16 - 8 * channel) & 0xff);
        const int b = (int)(to >> (16 - 8 * channel) & 0xff);
        rgb[channel] = (uint8_t)(a + (b - a) * step / steps);
    }
}

int raster_palette(const struct theme *theme, bool classes, uint8_t rgb[3 * RASTER_PALETTE]) {
    const unsigned plain[RASTER_TEXT] = {theme->paper, theme->grid, theme->border};
    const int hues = classes ? CLASS_COLORS : 2;
    for (int i = 0; i < RASTER_TEXT; i++)
        put_mixed(rgb + 3 * (ptrdiff_t)i, plain[i], plain[i], 1, 1);
    for (int level = 1; level <= RASTER_TEXT_LEVELS; level++)
        put_mixed(rgb + 3 * (ptrdiff_t)(RASTER_TEXT + level - 1), theme->paper, theme->text, level,
                  RASTER_TEXT_LEVELS);
    for (int hue = 0; hue < hues; hue++)
        for (int level = 1; level <= RASTER_LEVELS; level++) {
            const int at = RASTER_FIRST_HUE + hue * RASTER_LEVELS + level - 1;
            put_mixed(rgb + 3 * (ptrdiff_t)at, theme->paper,
                      classes ? theme->classes[hue] : theme->series[hue], level, RASTER_LEVELS);
        }
    return RASTER_FIRST_HUE + hues * RASTER_LEVELS;
}
