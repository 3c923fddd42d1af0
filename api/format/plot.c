#include "api/format/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/table/column.h"

const char *const theme_names[] = {"light", "dark", NULL};
const struct theme themes[] = {
    {.paper = 0xffffff,
     .grid = 0xe9ebee,
     .border = 0xb8bec6,
     .text = 0x4a5260,
     .series = {0x1f5fbf, 0xc2570c},
     .classes = {0x0072b2, 0xd55e00, 0x009e73, 0xe69f00, 0xcc79a7, 0x56b4e9, 0x8c6d31, 0x999999}},
    /* the same hues, lighter */
    {.paper = 0x14171c,
     .grid = 0x252a32,
     .border = 0x4a525e,
     .text = 0xa9b2bf,
     .series = {0x7cc4ff, 0xffb066},
     .classes = {0x66beff, 0xff9a58, 0x3fe0b0, 0xffc04a, 0xf5b3d8, 0xa8e0ff, 0xdcbc7a, 0xd4d4d4}},
};

int class_hue(int label) {
    return label < 0 ? CLASS_COLORS - 1 : label % CLASS_COLORS;
}

double frame_x(const struct frame *frame, double x) {
    return frame->left + frame->width * (x - frame->x_min) / (frame->x_max - frame->x_min);
}

double frame_y(const struct frame *frame, double y) {
    return frame->top + frame->height * (frame->y_max - y) / (frame->y_max - frame->y_min);
}

/* The distance between ticks: 1, 2 or 5 times a power of ten, about `count` of them in `range`. */
static double tick_step(double range, double count) {
    double power = pow(10, floor(log10(range / count)));
    double ratio = range / count / power;
    return power * (ratio < 1.5 ? 1 : ratio < 3.5 ? 2 : ratio < 7.5 ? 5 : 10);
}

void frame_pad(double *min, double *max) {
    if (!(*min <= *max))
        *min = 0, *max = 1;
    double margin = *max > *min ? 0.05 * (*max - *min) : fmax(1e-3, fabs(*max) * 0.05);
    *min -= margin;
    *max += margin;
}

static void make_square(struct frame *frame) {
    frame_pad(&frame->x_min, &frame->x_max);
    frame_pad(&frame->y_min, &frame->y_max);
    if (frame->is_free)
        return;
    double range = fmax(frame->x_max - frame->x_min, frame->y_max - frame->y_min);
    double x = (frame->x_min + frame->x_max) / 2, y = (frame->y_min + frame->y_max) / 2;
    frame->x_min = x - range / 2, frame->x_max = x + range / 2;
    frame->y_min = y - range / 2, frame->y_max = y + range / 2;
}

void range_include(double *min, double *max, double value) {
    if (isfinite(value)) {
        *min = fmin(*min, value);
        *max = fmax(*max, value);
    }
}

void frame_bound(struct frame *frame, const struct dn_points *points) {
    frame->x_min = frame->y_min = INFINITY;
    frame->x_max = frame->y_max = -INFINITY;
    for (size_t i = 0; i < points->n; i++) {
        const struct spot spot = spot_of(points, i);
        range_include(&frame->x_min, &frame->x_max, spot.x);
        range_include(&frame->y_min, &frame->y_max, spot.y);
    }
}

void frame_fit(struct frame *frame, const struct dn_points *points) {
    frame_bound(frame, points);
    make_square(frame);
}

/* ------------------------------------------------------------------ ticks */

bool frame_has_texts(const struct frame *frame, int axis) {
    return frame->columns[axis] && !column_is_number(frame->columns[axis]);
}

double frame_step(const struct frame *frame, int axis, double count) {
    const struct column *column = frame->columns[axis];
    const double step = axis == 0 ? tick_step(frame->x_max - frame->x_min, count)
                                  : tick_step(frame->y_max - frame->y_min, count);
    const double least = column && column->level_count > 0 ? 1 : column ? column->step : 0;
    return step > least ? step : least;
}

/* Ends the text after some characters. */
static void cut(char *text, int characters) {
    for (; *text; text++)
        if (((unsigned char)*text & 0xc0) != 0x80 && characters-- == 0)
            *text = '\0';
}

void frame_tick(const struct frame *frame, int axis, double value, char text[TICK_BYTES]) {
    enum { MOST_CHARACTERS = 10 };
    const struct column *column = frame->columns[axis];
    char whole[COLUMN_TEXT_BYTES];
    const char *shown = whole;
    if (!frame_has_texts(frame, axis)) {
        snprintf(text, TICK_BYTES, "%g", value);
        return;
    }
    const bool is_here = value >= column->min && value <= column->max;
    if (is_here && column->level_count > 0)
        shown = column->levels[(int)rint(value)];
    else if (is_here)
        column_backward(column, value, whole);
    snprintf(text, TICK_BYTES, "%.47s", is_here ? shown : "");
    cut(text, MOST_CHARACTERS);
}

/* ------------------------------------------------------------------ animations */

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

bool frame_fit_way(struct frame *frame, const struct dn_points *first,
                   const struct dn_points *last) {
    double *sorted = malloc((first->n + 1) * sizeof *sorted);
    if (!sorted)
        return false;
    frame_bound(frame, last);
    for (int axis = 0; axis < 2; axis++) {
        double *min = axis == 0 ? &frame->x_min : &frame->y_min;
        double *max = axis == 0 ? &frame->x_max : &frame->y_max;
        size_t count = 0;
        for (size_t i = 0; i < first->n; i++) {
            const struct spot spot = spot_of(first, i);
            sorted[count] = axis == 0 ? spot.x : spot.y;
            count += isfinite(sorted[count]) != 0;
        }
        qsort(sorted, count, sizeof *sorted, compare);
        if (count > 0) {
            range_include(min, max, sorted[count / 20]);
            range_include(min, max, sorted[count - 1 - count / 20]);
        }
    }
    free(sorted);
    make_square(frame);
    return true;
}
