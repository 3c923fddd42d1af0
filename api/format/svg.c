#include "api/format/svg.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "server/threads/pool.h"

/* The replacement for a character that has a meaning in XML, or that XML cannot hold (in names from
 * an older version); NULL: the character itself. */
static const char *entity(char c) {
    switch (c) {
    case '<': return "&lt;";
    case '>': return "&gt;"; /* for ]]> */
    case '&': return "&amp;";
    case '\r': return "&#13;";
    case '\t':
    case '\n': return NULL;
    default: return (unsigned char)c < ' ' ? "\xef\xbf\xbd" : NULL;
    }
}

static void escape(struct buffer *out, const char *text) {
    for (; *text; text++) {
        const char *instead = entity(*text);
        if (strncmp(text, "\xef\xbf\xbe", 3) == 0 || strncmp(text, "\xef\xbf\xbf", 3) == 0) {
            buffer_text(out, "\xef\xbf\xbd");
            text += 2;
        } else if (instead) {
            buffer_text(out, instead);
        } else {
            buffer_append(out, text, 1);
        }
    }
}

/* Shown `size` pixels wide; 0: one pixel per unit. */
static void open_picture(struct buffer *out, double width, double height, int size,
                         const struct theme *theme, const char *title) {
    const double shown = size ? size : width;
    buffer_format(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" width=\"%g\" "
                  "height=\"%g\" font-family=\"system-ui, sans-serif\" font-size=\"12\" "
                  "fill=\"#%06x\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#%06x\"/>\n",
                  width, height, shown, shown * height / width, theme->text, theme->paper);
    if (title) {
        buffer_format(out, "<title>");
        escape(out, title);
        buffer_format(out, "</title>\n<text x=\"%g\" y=\"20\" text-anchor=\"middle\">", width / 2);
        escape(out, title);
        buffer_text(out, "</text>\n");
    }
}

static void axes(struct buffer *out, const struct frame *frame, const struct theme *theme) {
    double bottom = frame->top + frame->height, right = frame->left + frame->width;
    char text[TICK_BYTES];
    double step = frame_step(frame, 0, frame->width / 90);
    for (double i = ceil(frame->x_min / step); i * step <= frame->x_max; i++) {
        double x = frame_x(frame, i * step);
        buffer_format(out,
                      "<path d=\"M%.1f %.1fV%.1f\" stroke=\"#%06x\"/>"
                      "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">",
                      x, frame->top, bottom, theme->grid, x, bottom + 16);
        frame_tick(frame, 0, i == 0 ? 0 : i * step, text);
        escape(out, text);
        buffer_text(out, "</text>\n");
    }
    step = frame_step(frame, 1, frame->height / 60);
    for (double i = ceil(frame->y_min / step); i * step <= frame->y_max; i++) {
        double y = frame_y(frame, i * step);
        buffer_format(out,
                      "<path d=\"M%.1f %.1fH%.1f\" stroke=\"#%06x\"/>"
                      "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">",
                      frame->left, y, right, theme->grid, frame->left - 6, y + 4);
        frame_tick(frame, 1, i == 0 ? 0 : i * step, text);
        escape(out, text);
        buffer_text(out, "</text>\n");
    }
    buffer_format(out,
                  "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"none\" "
                  "stroke=\"#%06x\"/>\n",
                  frame->left, frame->top, frame->width, frame->height, theme->border);
}

enum { POINTS_WIDTH = 480, POINTS_HEIGHT = 470, LEGEND_HEIGHT = 20 };
enum { TITLE_HEIGHT = 20, TEXTS_WIDTH = 30 }; /* of an axis; of texts instead of numbers */

/* The names of the axes: below the numbers, and upward beside them. */
static void titles(struct buffer *out, const struct frame *frame, const struct axes *axes) {
    const double middle = frame->left + frame->width / 2, bottom = frame->top + frame->height;
    if (axes->names[0]) {
        buffer_format(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", middle,
                      bottom + 16 + TITLE_HEIGHT - 2);
        escape(out, axes->names[0]);
        buffer_text(out, "</text>\n");
    }
    if (axes->names[1]) {
        buffer_format(out,
                      "<text transform=\"translate(14 %.1f) rotate(-90)\" text-anchor=\"middle\">",
                      frame->top + frame->height / 2);
        escape(out, axes->names[1]);
        buffer_text(out, "</text>\n");
    }
}

/* The hues of the points: bit k for hue k. */
static unsigned hues_of(const struct picture *picture) {
    unsigned hues = picture->layout.labels ? 0 : 1;
    for (size_t i = 0; picture->layout.labels && i < picture->layout.n; i++)
        hues |= 1u << class_hue(picture->layout.labels[i]);
    return hues;
}

/* Do the classes have names, and each its own color? */
static bool is_named(const struct picture *picture) {
    int count = 0;
    while (picture->layout.labels && picture->layout.classes && count <= CLASS_COLORS &&
           picture->layout.classes[count])
        count++;
    return count > 0 && count <= CLASS_COLORS;
}

/* The approximate width of a text: only the viewer knows the font. */
static double width_of(const char *text) {
    double width = 0;
    for (; *text; text++)
        if (((unsigned char)*text & 0xc0) != 0x80) /* the first byte of a character */
            width += (unsigned char)*text < 0x80 ? 7 : 12;
    return width;
}

/* A dot and a name for each of these hues, below the picture; between two of them is a space. */
enum { LEGEND_DOT = 12, LEGEND_SPACE = 18, LEGEND_MARGIN = 10 };

/* 0: there are no names, or there is no room for them. */
static double legend_width(const struct picture *picture, unsigned hues) {
    double width = -LEGEND_SPACE;
    if (!is_named(picture))
        return 0;
    for (int hue = 0; hue < CLASS_COLORS; hue++)
        if (hues >> hue & 1)
            width += LEGEND_DOT + width_of(picture->layout.classes[hue]) + LEGEND_SPACE;
    return width <= POINTS_WIDTH - 2 * LEGEND_MARGIN ? width : 0;
}

/* bottom: of the picture above it. */
static void legend(struct buffer *out, const struct picture *picture, unsigned hues, double width,
                   double bottom, const struct theme *theme) {
    double x = (POINTS_WIDTH - width) / 2;
    for (int hue = 0; hue < CLASS_COLORS; hue++)
        if (hues >> hue & 1) {
            buffer_format(
                out,
                "<rect x=\"%.1f\" y=\"%g\" width=\"8\" height=\"8\" rx=\"4\" fill=\"#%06x\"/>"
                "<text x=\"%.1f\" y=\"%g\">",
                x, bottom - 4, theme->classes[hue], x + LEGEND_DOT, bottom + 4);
            escape(out, picture->layout.classes[hue]);
            buffer_text(out, "</text>\n");
            x += LEGEND_DOT + width_of(picture->layout.classes[hue]) + LEGEND_SPACE;
        }
}

static void circles(struct buffer *out, const struct frame *frame, const struct picture *picture,
                    int hue) {
    const struct dn_points points = picture_points(picture, false, 0);
    for (size_t i = 0; i < picture->layout.n; i++) {
        const struct spot at = spot_of(&points, i);
        pool_pause();
        if ((!picture->layout.labels || class_hue(picture->layout.labels[i]) == hue) &&
            isfinite(at.x) && isfinite(at.y))
            buffer_format(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"1.8\"/>\n",
                          frame_x(frame, at.x), frame_y(frame, at.y));
    }
}

void svg_points(struct buffer *out, const struct picture *picture) {
    const struct theme *theme = &themes[picture->look.theme];
    const struct axes *shown = &picture->axes;
    struct frame frame = {.left = 50, .top = 36, .width = 400, .height = 400};
    const unsigned hues = hues_of(picture);
    const double names = legend_width(picture, hues);
    picture_fit(picture, &frame);
    frame.left +=
        (shown->names[1] ? TITLE_HEIGHT : 0) + (frame_has_texts(&frame, 1) ? TEXTS_WIDTH : 0);
    const double width = frame.left + POINTS_WIDTH - 50;
    const double bottom = POINTS_HEIGHT + (shown->names[0] ? TITLE_HEIGHT : 0);
    open_picture(out, width, bottom + (names > 0 ? LEGEND_HEIGHT : 0), picture->look.size, theme,
                 picture->title);
    axes(out, &frame, theme);
    titles(out, &frame, shown);
    for (int hue = 0; hue < CLASS_COLORS; hue++)
        if (hues >> hue & 1) {
            buffer_format(out, "<g fill=\"#%06x\" fill-opacity=\"0.55\">\n",
                          picture->layout.labels ? theme->classes[hue] : theme->series[0]);
            circles(out, &frame, picture, hue);
            buffer_text(out, "</g>\n");
        }
    if (names > 0)
        legend(out, picture, hues, names, bottom, theme);
    buffer_text(out, "</svg>\n");
}

static double curve_x(const struct table *table, size_t i, size_t offset) {
    return *(const int *)((const char *)table->rows + i * table->size + offset);
}

static double curve_y(const struct table *table, size_t i, size_t offset) {
    return *(const double *)((const char *)table->rows + i * table->size + offset);
}

static void curve(struct buffer *out, const struct frame *frame, const struct curves *curves,
                  int which, unsigned color) {
    bool is_drawing = false;
    buffer_format(out,
                  "<path fill=\"none\" stroke=\"#%06x\" stroke-width=\"1.6\" "
                  "stroke-linejoin=\"round\" d=\"",
                  color);
    for (size_t i = 0; i < curves->table->count; i++) {
        const double y = curve_y(curves->table, i, curves->y[which]);
        if (isfinite(y))
            buffer_format(out, "%c%.1f %.2f", is_drawing ? 'L' : 'M',
                          frame_x(frame, curve_x(curves->table, i, curves->x)), frame_y(frame, y));
        is_drawing = isfinite(y);
    }
    buffer_text(out, "\"/>\n");
}

void svg_curves(struct buffer *out, const struct curves *curves) {
    const struct theme *theme = &themes[0];
    struct frame frame = {.left = 60,
                          .top = 36,
                          .width = 560,
                          .height = 280,
                          .x_min = INFINITY,
                          .x_max = -INFINITY,
                          .y_min = INFINITY,
                          .y_max = -INFINITY};
    for (size_t i = 0; i < curves->table->count; i++) {
        range_include(&frame.x_min, &frame.x_max, curve_x(curves->table, i, curves->x));
        for (int which = 0; which < 2; which++)
            range_include(&frame.y_min, &frame.y_max, curve_y(curves->table, i, curves->y[which]));
    }
    if (!(frame.x_min < frame.x_max))
        frame_pad(&frame.x_min, &frame.x_max);
    frame_pad(&frame.y_min, &frame.y_max);

    open_picture(out, 640, 360, 0, theme, curves->title);
    axes(out, &frame, theme);
    for (int which = 0; which < 2; which++) {
        curve(out, &frame, curves, which, theme->series[which]);
        buffer_format(out,
                      "<text x=\"610\" y=\"%d\" text-anchor=\"end\" fill=\"#%06x\">%s</text>\n",
                      56 + 18 * which, theme->series[which], curves->names[which]);
    }
    buffer_format(out, "<text x=\"340\" y=\"352\" text-anchor=\"middle\">%s</text>\n</svg>\n",
                  curves->x_name);
}
