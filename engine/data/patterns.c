/*
 * patterns.c - the built-in data sets: points in the plane, scaled so that the exact pattern spans
 * [-1, 1].
 *
 * A pattern is one row of a table: its name, its doc, and its parts (pattern.h). The points of a
 * seed depend on the number of the row, so new patterns go to the end.
 */
#include <math.h>
#include <stddef.h>

#include "engine/base/random.h"
#include "engine/data/pattern.h"
#include "engine/denoise.h"

static const double half_each[] = {0.5, 0.5};
static const double all_of_it[] = {1};
static const double three_two_three[] = {3.0 / 8, 2.0 / 8, 3.0 / 8};

#define CURVE(curve, shares_of, low, high)                                                         \
    .piece_count = sizeof(curve) / sizeof *(curve), .pieces = (curve), .shares = (shares_of),      \
    .minimum = (low), .maximum = (high)
#define UNIT          .minimum = -1, .maximum = 1
#define BY_LENGTH     NULL
#define LEAST_T_SIN_T (-11.04070801593) /* where tan t = -t, between 3 pi and 4 pi */

/* PATTERN(number, name, doc, members of struct pattern) */
#define PATTERNS                                                                                   \
    PATTERN(DN_SPIRAL, "spiral",                                                                   \
            "An Archimedean spiral of one and a half turns, uniform in the angle. It is "          \
            "scikit-learn's Swiss roll, seen from the side.",                                      \
            CURVE(pattern_spiral, all_of_it, LEAST_T_SIN_T, 4.5 * M_PI))                           \
    PATTERN(DN_MOONS, "moons", "Two interleaved half circles, uniform in the angle.",              \
            CURVE(pattern_moons, half_each, -1, 2))                                                \
    PATTERN(DN_S_CURVE, "s_curve", "The letter S, made of two arcs, uniform in the angle.",        \
            CURVE(pattern_s_curve, half_each, -2, 2))                                              \
    PATTERN(DN_SWISS_ROLL, "swiss_roll",                                                           \
            "scikit-learn's Swiss roll with a hole, seen from the side: the same spiral, but "     \
            "3/8, 2/8 and 3/8 of the points are on its three half turns.",                         \
            CURVE(pattern_swiss_roll, three_two_three, LEAST_T_SIN_T, 4.5 * M_PI))                 \
    PATTERN(DN_CIRCLES, "circles",                                                                 \
            "Two circles, one half as wide as the other, with half of the points each.",           \
            CURVE(pattern_circles, half_each, -1, 1))                                              \
    PATTERN(DN_CHECKERBOARD, "checkerboard",                                                       \
            "The black squares of a 4-by-4 checkerboard, with uniform density.",                   \
            .point = pattern_checkerboard, .reach = pattern_checkerboard_reach, UNIT)              \
    PATTERN(DN_EIGHT_GAUSSIANS, "eight_gaussians",                                                 \
            "Eight Gaussians with standard deviation 0.05 on a circle of radius 0.8.",             \
            .point = pattern_eight_gaussians, UNIT)                                                \
    PATTERN(DN_PINWHEEL, "pinwheel", "Five elongated Gaussians, bent into a pinwheel.",            \
            .point = pattern_pinwheel, UNIT)                                                       \
    PATTERN(DN_TWO_SPIRALS, "two_spirals",                                                         \
            "Two spiral arms that start at the center, uniform in arc length.",                    \
            CURVE(pattern_two_spirals, BY_LENGTH, -3 * M_PI, 3 * M_PI))                            \
    PATTERN(DN_HEART, "heart", "A heart, uniform in arc length.",                                  \
            CURVE(pattern_heart, BY_LENGTH, -16, 16))                                              \
    PATTERN(DN_STAR, "star", "A star with five points, uniform in arc length.",                    \
            .drawing = &pattern_star, UNIT)                                                        \
    PATTERN(DN_GAUSSIAN_GRID, "gaussian_grid",                                                     \
            "Twenty-five Gaussians with standard deviation 0.04 on a grid of spacing 0.4.",        \
            .point = pattern_gaussian_grid, UNIT)                                                  \
    PATTERN(DN_RINGS, "rings", "Four concentric circles, uniform in arc length.",                  \
            CURVE(pattern_rings, BY_LENGTH, -1, 1))                                                \
    PATTERN(DN_SIERPINSKI, "sierpinski",                                                           \
            "The Sierpinski triangle, a fractal, with uniform density.",                           \
            .point = pattern_sierpinski, .reach = pattern_sierpinski_reach, UNIT)                  \
    PATTERN(DN_DINO, "dino", "A line drawing of a dinosaur, uniform in arc length.",               \
            .drawing = &pattern_dino, UNIT)                                                        \
    PATTERN(DN_LETTERS, "letters", "The letters DDPM, uniform in arc length.",                     \
            .drawing = &pattern_letters, UNIT)                                                     \
    PATTERN(DN_ROSE, "rose", "A rose of four petals, uniform in arc length.",                      \
            CURVE(pattern_rose, BY_LENGTH, -1, 1))                                                 \
    PATTERN(DN_LISSAJOUS, "lissajous", "The Lissajous figure 3:2, uniform in arc length.",         \
            CURVE(pattern_lissajous, BY_LENGTH, -1, 1))

#define PATTERN(number, name, doc, ...) [number] = {__VA_ARGS__},
static const struct pattern patterns[DN_PATTERN_COUNT] = {PATTERNS};
#undef PATTERN
#define DIGITS(row)                                                                                \
    row(DN_DIGITS, "digits",                                                                       \
        "Images of the digits 0 to 9 as if written by hand, 28x28 pixels, drawn from strokes: "    \
        "as varied as those of MNIST, as many of each, and without end.")
#define PATTERN(number, name, doc, ...) [number] = {name, doc},
const struct dn_pattern_info dn_patterns[DN_BUILTIN_COUNT] = {PATTERNS DIGITS(PATTERN)};
#undef PATTERN
#define PATTERN(number, name, doc, ...) [number] = name,
const char *const dn_pattern_names[] = {PATTERNS DIGITS(PATTERN) NULL};

/* From a pattern's own units to [-1, 1]. */
static double pattern_scale(const struct pattern *pattern) {
    return 2 / (pattern->maximum - pattern->minimum);
}
static double pattern_shift(const struct pattern *pattern) {
    return -1 - pattern->minimum * pattern_scale(pattern);
}

/* ------------------------------------------------------------------ points */

/* A point whose parameter is uniform on a piece that is chosen by its share. */
static void point_by_share(const struct pattern *pattern, double u, double p[2]) {
    int piece = 0;
    while (piece + 1 < pattern->piece_count && u >= pattern->shares[piece])
        u -= pattern->shares[piece++];
    const struct curve *curve = &pattern->pieces[piece];
    double t = u / pattern->shares[piece], d1[2], d2[2];
    curve->at(curve, curve->start + t * (curve->end - curve->start), p, d1, d2);
}

/* 53 bits of each half of a block. */
static void uniform_pair(const uint32_t block[4], double uniform[2]) {
    for (int j = 0; j < 2; j++)
        uniform[j] = (double)(((uint64_t)block[2 * j] << 32 | block[2 * j + 1]) >> 11) * 0x1p-53;
}

void dn_pattern_draw(enum dn_pattern number, uint64_t seed, uint64_t first, size_t n,
                     float *points) {
    const struct pattern *pattern = &patterns[number];
    const double scale = pattern_scale(pattern), shift = pattern_shift(pattern);
    struct curve_lengths lengths;
    const bool by_length = pattern->pieces && !pattern->shares;
    const double pen = pattern->drawing ? drawing_length(pattern->drawing) : 0;
    if (by_length)
        curve_lengths_init(&lengths, pattern->pieces, pattern->piece_count);
    for (size_t i = 0; i < n; i++) {
        uint32_t block[4];
        double uniform[2], p[2];
        random_block(seed, RANDOM_DATA, (uint32_t)number, first + i, block);
        uniform_pair(block, uniform);
        if (by_length)
            curve_at_length(&lengths, uniform[0], p);
        else if (pattern->pieces)
            point_by_share(pattern, uniform[0], p);
        else if (pattern->drawing)
            drawing_at_length(pattern->drawing, uniform[0] * pen, p);
        else
            pattern->point(uniform, p);
        points[2 * i] = (float)(p[0] * scale + shift);
        points[2 * i + 1] = (float)(p[1] * scale + shift);
    }
}

/* ------------------------------------------------------------------ distances */

bool dn_pattern_has_distance(enum dn_pattern number) {
    if (number >= DN_PATTERN_COUNT) /* images */
        return false;
    const struct pattern *pattern = &patterns[number];
    return pattern->pieces || pattern->drawing || pattern->reach;
}

/* seeds: those of the pattern's pieces, if it has any. */
static double reach(const struct pattern *pattern, const struct curve_seeds *seeds,
                    const double point[2], double nearest[2]) {
    const double scale = pattern_scale(pattern), shift = pattern_shift(pattern);
    double own[2] = {(point[0] - shift) / scale, (point[1] - shift) / scale}, close[2] = {NAN, NAN};
    double distance = NAN;
    if (pattern->pieces)
        distance = curve_closest(seeds, own, close);
    else if (pattern->drawing)
        distance = drawing_closest(pattern->drawing, own, close);
    else if (pattern->reach)
        distance = pattern->reach(own, close);
    nearest[0] = close[0] * scale + shift;
    nearest[1] = close[1] * scale + shift;
    return distance * scale;
}

double dn_pattern_distance(enum dn_pattern number, const double point[2], double nearest[2]) {
    struct curve_seeds seeds;
    double found[2];
    curve_seeds_init(&seeds, patterns[number].pieces, patterns[number].piece_count);
    return reach(&patterns[number], &seeds, point, nearest ? nearest : found);
}

void dn_pattern_distances(enum dn_pattern number, const float *points, size_t n, double *distances,
                          float *nearest) {
    struct curve_seeds seeds;
    curve_seeds_init(&seeds, patterns[number].pieces, patterns[number].piece_count);
    for (size_t i = 0; i < n; i++) {
        double point[2] = {(double)points[2 * i], (double)points[2 * i + 1]}, found[2];
        double distance = reach(&patterns[number], &seeds, point, found);
        if (distances)
            distances[i] = distance;
        for (size_t j = 0; j < 2 && nearest; j++)
            nearest[2 * i + j] = (float)found[j];
    }
}

double dn_pattern_mean_distance(enum dn_pattern number, const float *points, size_t n) {
    struct curve_seeds seeds;
    double sum = 0, found[2];
    curve_seeds_init(&seeds, patterns[number].pieces, patterns[number].piece_count);
    for (size_t i = 0; i < n; i++) {
        const double point[2] = {(double)points[2 * i], (double)points[2 * i + 1]};
        sum += reach(&patterns[number], &seeds, point, found);
    }
    return n == 0 ? NAN : sum / (double)n;
}
