/*
 * digits.c - images of digits as if written by hand.
 *
 * The strokes of a style (digits.h) are varied as hands vary: each knot by itself, then the whole by
 * slant, width, rotation and a gentle bend. The drawing is scaled and centered as the digits of
 * MNIST are (LeCun et al. 1998: its longer side is 20 pixels, its center of mass is in the middle),
 * and inked by a round pen, whose edge is smooth.
 */
#include "engine/data/digits.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "engine/base/random.h"
#include "engine/denoise.h"

enum { SIDE = DN_DIGITS_SIDE, PARTS = 8 /* of a piece of the spline */ };
enum { MAX_POINTS = DIGIT_MAX_KNOTS * PARTS + 1 };
#define LABEL_STEPS 0x80000000u /* the numbers of labels are apart from those of strokes */

/* ------------------------------------------------------------------ random numbers of an image */

struct dice {
    uint64_t seed, image;
    uint32_t step, block[4];
    int used; /* numbers of the block */
};

static double uniform(struct dice *dice) {
    if (dice->used == 4) {
        random_block(dice->seed, RANDOM_DIGIT, dice->step++, dice->image, dice->block);
        dice->used = 0;
    }
    return dice->block[dice->used++] * 0x1p-32;
}

static double between(struct dice *dice, double low, double high) {
    return low + (high - low) * uniform(dice);
}

/* Mean 0, deviation 1, at most 2 sqrt(3) away: the sum of four uniform numbers (Irwin and Hall). */
static double bell(struct dice *dice) {
    double sum = -2;
    for (int i = 0; i < 4; i++)
        sum += uniform(dice);
    return sum * sqrt(3);
}

/* ------------------------------------------------------------------ the drawing */

/* The pressure of the hand changes the radius, up to PEN_PRESSED times. */
struct pen {
    double radius, edge; /* of full ink, and what fades out around it; in pixels */
};
#define PEN_PRESSED 1.42

/* Strokes as points, PARTS to each piece of their splines. */
struct trace {
    int count;
    double x[MAX_POINTS], y[MAX_POINTS];
    bool begins[MAX_POINTS]; /* a stroke */
};

static const struct digit_style *choose_style(struct dice *dice, int digit) {
    const struct digit_style *style = digit_styles;
    while (style->digit != digit)
        style++;
    for (double u = uniform(dice); u >= style->share && (style + 1)->digit == digit; style++)
        u -= style->share;
    return style;
}

static void add_point(struct trace *trace, double x, double y, bool begins) {
    trace->x[trace->count] = x;
    trace->y[trace->count] = y;
    trace->begins[trace->count++] = begins;
}

/* A stroke through these knots [count][2], which are varied already. */
static void add_stroke(struct trace *trace, double (*knots)[2], int count) {
    add_point(trace, knots[0][0], knots[0][1], true);
    for (int i = 1; i + 1 < count; i++) {
        const bool is_first = i == 1, is_last = i + 2 == count;
        double ends[2][2];
        for (int j = 0; j < 2; j++) {
            ends[0][j] = is_first ? knots[0][j] : (knots[i - 1][j] + knots[i][j]) / 2;
            ends[1][j] = is_last ? knots[i + 1][j] : (knots[i][j] + knots[i + 1][j]) / 2;
        }
        for (int k = 1; k <= PARTS; k++) {
            const double t = (double)k / PARTS, a = (1 - t) * (1 - t), b = 2 * t * (1 - t);
            add_point(trace, a * ends[0][0] + b * knots[i][0] + t * t * ends[1][0],
                      a * ends[0][1] + b * knots[i][1] + t * t * ends[1][1], false);
        }
    }
}

/* The strokes in hundredths of the height, with knots somewhere between their two places: all at
 * about the same share of the way, which makes one hand, and each a little off. */
static void write_strokes(struct dice *dice, const struct digit_style *style, struct trace *trace) {
    const double share = uniform(dice), unrest = between(dice, 0.8, 3.2);
    double knots[DIGIT_MAX_KNOTS][2] = {{0}};
    int count = 0;
    trace->count = 0;
    for (size_t i = 0; i < style->count; i++) {
        const struct digit_knot *knot = &style->knots[i];
        if (knot->from[0] == INT8_MIN) {
            add_stroke(trace, knots, count);
            count = 0;
            continue;
        }
        const double way = fmin(fmax(share + 0.25 * bell(dice), -0.2), 1.2);
        for (int j = 0; j < 2; j++)
            knots[count][j] =
                knot->from[j] + way * (knot->to[j] - knot->from[j]) + unrest * bell(dice);
        count++;
    }
    add_stroke(trace, knots, count);
}

/* Of a coordinate in -50..50: its middle moves by `shift`, its ends stay. */
static double move_middle(double value, double shift) {
    return value + shift * fmax(0, 1 - value * value / 2500);
}

/* Proportions, width, slant, rotation, and two waves that bend the plane. */
static void bend(struct dice *dice, struct trace *trace) {
    const double middle[2] = {5 * bell(dice), 7 * bell(dice)};
    const double width = 0.9 * exp(0.2 * bell(dice)), slant = 0.15 + 0.25 * bell(dice);
    const double angle = 0.11 * bell(dice), c = cos(angle), s = sin(angle);
    const double wave[2] = {4 * bell(dice), 3 * bell(dice)};
    const double start[2] = {between(dice, 0, 2 * M_PI), between(dice, 0, 2 * M_PI)};
    const double turns = 0.05 * between(dice, 0.5, 1.5);
    for (int i = 0; i < trace->count; i++) {
        const double y = move_middle(trace->y[i] - 50, middle[1]);
        const double x = width * move_middle(trace->x[i] - 50, middle[0]) - slant * y;
        const double bent = x + wave[0] * sin(turns * y + start[0]);
        const double down = y + wave[1] * sin(turns * x + start[1]);
        trace->x[i] = c * bent - s * down;
        trace->y[i] = s * bent + c * down;
    }
}

struct range {
    double low, high;
};

static struct range range_of(const double *values, int count) {
    struct range range = {INFINITY, -INFINITY};
    for (int i = 0; i < count; i++) {
        range.low = fmin(range.low, values[i]);
        range.high = fmax(range.high, values[i]);
    }
    return range;
}

/* The center of mass along the strokes. */
static void center_of(const struct trace *trace, double center[2]) {
    double sum = 0;
    center[0] = center[1] = 0;
    for (int i = 1; i < trace->count; i++) {
        const double dx = trace->x[i] - trace->x[i - 1], dy = trace->y[i] - trace->y[i - 1];
        const double length = trace->begins[i] ? 0 : sqrt(dx * dx + dy * dy);
        center[0] += length * (trace->x[i] + trace->x[i - 1]) / 2;
        center[1] += length * (trace->y[i] + trace->y[i - 1]) / 2;
        sum += length;
    }
    center[0] /= sum;
    center[1] /= sum;
}

/* Moves the values of an axis to pixels: the center to the middle of the picture, or near it, as far
 * as all ink stays a pixel from the edges. */
static void fit_axis(struct dice *dice, double *values, int count, double center, double scale,
                     const struct pen *pen) {
    const double margin = 1 + PEN_PRESSED * pen->radius + pen->edge;
    const struct range range = range_of(values, count);
    double shift = SIDE / 2.0 + between(dice, -0.6, 0.6) - scale * center;
    shift = fmin(fmax(shift, margin - scale * range.low), SIDE - margin - scale * range.high);
    for (int i = 0; i < count; i++)
        values[i] = scale * values[i] + shift;
}

static void fit(struct dice *dice, struct trace *trace, const struct pen *pen) {
    const struct range x = range_of(trace->x, trace->count), y = range_of(trace->y, trace->count);
    const double longer = fmax(x.high - x.low, y.high - y.low);
    const double scale = (between(dice, 19.2, 20.6) - 2 * pen->radius - pen->edge) / longer;
    double center[2];
    center_of(trace, center);
    fit_axis(dice, trace->x, trace->count, center[0], scale, pen);
    fit_axis(dice, trace->y, trace->count, center[1], scale, pen);
}

/* ------------------------------------------------------------------ the ink */

/* Inks the points within reach of a segment, whose pen has this radius. */
static void ink_segment(const double from[2], const double to[2], double radius, double edge,
                        uint8_t *pixels) {
    const double reach = radius + edge, dx = to[0] - from[0], dy = to[1] - from[1];
    const double square = fmax(dx * dx + dy * dy, 1e-12);
    const int left = (int)fmax(0, floor(fmin(from[0], to[0]) - reach));
    const int top = (int)fmax(0, floor(fmin(from[1], to[1]) - reach));
    const int right = (int)fmin(SIDE - 1, fmax(from[0], to[0]) + reach);
    const int bottom = (int)fmin(SIDE - 1, fmax(from[1], to[1]) + reach);
    for (int y = top; y <= bottom; y++)
        for (int x = left; x <= right; x++) {
            const double px = x + 0.5 - from[0], py = y + 0.5 - from[1];
            const double along = fmin(fmax((px * dx + py * dy) / square, 0), 1);
            const double qx = px - along * dx, qy = py - along * dy;
            const double ink = (reach - sqrt(qx * qx + qy * qy)) / edge;
            const double level = 255 * fmin(fmax(ink, 0), 1);
            uint8_t *at = &pixels[y * SIDE + x];
            if (level > *at)
                *at = (uint8_t)(level + 0.5);
        }
}

/* The pressure of the hand comes and goes along the strokes. */
static void ink(struct dice *dice, const struct trace *trace, const struct pen *pen,
                uint8_t *pixels) {
    const double pressure = 0.12 * bell(dice), start = between(dice, 0, 2 * M_PI);
    const double turns = between(dice, 0.05, 0.15);
    memset(pixels, 0, (size_t)SIDE * SIDE);
    for (int i = 1; i < trace->count; i++) {
        const double from[2] = {trace->x[i - 1], trace->y[i - 1]};
        const double to[2] = {trace->x[i], trace->y[i]};
        const double radius = pen->radius * (1 + pressure * sin(start + turns * i));
        if (!trace->begins[i])
            ink_segment(from, to, radius, pen->edge, pixels);
    }
}

/* ------------------------------------------------------------------ images */

/* Of each ten images from a multiple of ten on, one is of each digit. */
static int label_of(uint64_t seed, uint64_t image) {
    struct dice dice = {.seed = seed, .image = image / 10, .step = LABEL_STEPS, .used = 4};
    int digits[10], place = (int)(image % 10);
    for (int i = 0; i < 10; i++)
        digits[i] = i;
    for (int i = 9; i > 0; i--) {
        const int j = (int)(uniform(&dice) * (i + 1)), digit = digits[i];
        digits[i] = digits[j];
        digits[j] = digit;
    }
    return digits[place];
}

static void draw_image(uint64_t seed, uint64_t image, int digit, uint8_t *pixels) {
    struct dice dice = {.seed = seed, .image = image, .used = 4};
    struct trace trace;
    const struct pen pen = {.radius = between(&dice, 0.4, 0.9) + between(&dice, 0, 0.6),
                            .edge = between(&dice, 0.7, 1.2)};
    write_strokes(&dice, choose_style(&dice, digit), &trace);
    bend(&dice, &trace);
    fit(&dice, &trace, &pen);
    ink(&dice, &trace, &pen, pixels);
}

void dn_digits_draw(uint64_t seed, uint64_t first, size_t n, uint8_t *pixels, int32_t *labels) {
    for (size_t i = 0; i < n; i++) {
        const int label = label_of(seed, first + i);
        if (labels)
            labels[i] = label;
        if (pixels)
            draw_image(seed, first + i, label, pixels + i * SIDE * SIDE);
    }
}
