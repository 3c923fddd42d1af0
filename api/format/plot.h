/*
 * plot.h - where things are in a picture, the same for text (SVG) and pixels (PNG, GIF).
 */
#ifndef API_FORMAT_PLOT_H
#define API_FORMAT_PLOT_H

#include <stdbool.h>
#include <stddef.h>

#include "api/format/grid.h"
#include "engine/denoise.h"

/* The options for the look of a picture; all zero: the defaults. */
enum { LOOK_NAME_BYTES = 64 };
struct look {
    int size;  /* of a picture, or of each panel of one, in pixels; 0: the format's default */
    int theme; /* index into theme_names */
    int fps;   /* of an animation; 0: the default */
    char x[LOOK_NAME_BYTES + 1], y[LOOK_NAME_BYTES + 1]; /* columns along the axes; "": open */
    struct grid_look grid;                               /* of images */
};

enum { LOOK_MIN_SIZE = 64, LOOK_MAX_SIZE = 2048, LOOK_MAX_FPS = 50 };

/* The rows of a field table for the look at this offset in the target. */
#define LOOK_SIZE_ROW(at)                                                                          \
    {                                                                                              \
        "", "size", FIELD_INTEGER, (at) + offsetof(struct look, size), LOOK_MIN_SIZE,              \
            LOOK_MAX_SIZE, 0, NULL,                                                                \
            "Of a picture: its side in pixels, or that of each of its panels."                     \
    }
#define LOOK_THEME_ROW(at)                                                                         \
    {                                                                                              \
        "", "theme", FIELD_CHOICE, (at) + offsetof(struct look, theme), 0, 0, 0, theme_names,      \
            "Of a picture: its colors."                                                            \
    }
#define LOOK_AXES_ROWS(at)                                                                         \
    {"",                                                                                           \
     "x",                                                                                          \
     FIELD_TEXT,                                                                                   \
     (at) + offsetof(struct look, x),                                                              \
     1,                                                                                            \
     LOOK_NAME_BYTES,                                                                              \
     0,                                                                                            \
     NULL,                                                                                         \
     "Of a picture: the column along its horizontal axis. By default, pictures show the first "    \
     "two "                                                                                        \
     "columns, numbers before others, and say which. The rows of a table as text have no axes."},  \
    {                                                                                              \
        "", "y", FIELD_TEXT, (at) + offsetof(struct look, y), 1, LOOK_NAME_BYTES, 0, NULL,         \
            "Of a picture: the column along its vertical axis."                                    \
    }
#define LOOK_FPS_ROW(at)                                                                           \
    {                                                                                              \
        "", "fps", FIELD_INTEGER, (at) + offsetof(struct look, fps), 1, LOOK_MAX_FPS, 0, NULL,     \
            "Of an animation: frames per second."                                                  \
    }

/* Okabe and Ito's palette, which color-blind people can tell apart, with brown and gray for its
 * yellow and black, which are invisible on white and on black; the dashboard has the same. Further
 * classes repeat the colors. */
enum { CLASS_COLORS = 8 };

/* Colors are 0xRRGGBB. */
struct theme {
    unsigned paper, grid, border, text;
    unsigned series[2]; /* points, and estimates of them */
    unsigned classes[CLASS_COLORS];
};
extern const struct theme themes[];
extern const char *const theme_names[]; /* NULL-terminated */

int class_hue(int label); /* 0..CLASS_COLORS - 1 */

/* Where a point is drawn: at its first two coordinates, or along a line if it has only one. */
struct spot {
    double x, y;
};
static inline struct spot spot_of(const struct dn_points *points, size_t i) {
    const float *point = points->points + i * (size_t)points->dim;
    return (struct spot){(double)point[0], points->dim > 1 ? (double)point[1] : 0};
}

struct column;

/* The plot area within the picture, and the data range that fills it. */
struct frame {
    double left, top, width, height;
    double x_min, x_max, y_min, y_max;
    bool is_free;                    /* its axes need not have the same scale */
    const struct column *columns[2]; /* that write the numbers of the axes; NULL: as they are */
};

double frame_x(const struct frame *frame, double x);
double frame_y(const struct frame *frame, double y);

/* Widens an empty range, or adds a margin of a twentieth to one that is not. */
void frame_pad(double *min, double *max);

/* Widens the range [min, max] to include a value, if it is finite. */
void range_include(double *min, double *max, double value);

/* Sets the range to the finite coordinates on each axis; without any, min > max. */
void frame_bound(struct frame *frame, const struct dn_points *points);
/* The view box of the points: frame_bound, a margin, and unless it is free, the same scale on both
 * axes. */
void frame_fit(struct frame *frame, const struct dn_points *points);

/* The view box of an animation from first to last, of the same number of points: all of the last
 * frame, and the middle nine tenths of the first on each axis, so that a few far points of the
 * noise do not make everything small. False when out of memory. */
bool frame_fit_way(struct frame *frame, const struct dn_points *first,
                   const struct dn_points *last);

/* Of axis 0 or 1: the distance between its ticks, about `count` of them, and the text at a tick, which
 * has at most ten characters. */
enum { TICK_BYTES = 48 };
double frame_step(const struct frame *frame, int axis, double count);
void frame_tick(const struct frame *frame, int axis, double value, char text[TICK_BYTES]);
/* Do the ticks of the axis have texts instead of numbers? */
bool frame_has_texts(const struct frame *frame, int axis);

#endif
