/*
 * patterns.c - the built-in data sets: points on plane curves, scaled so that the exact curve spans
 * [-1, 1].
 *
 * A pattern is one row of a table: how a uniform number becomes a point of the curve, the curve's
 * smooth pieces for the distance metric, and the joint minimum and maximum of the exact curve over
 * both coordinates.
 */
#include <math.h>
#include <stddef.h>

#include "engine/curve.h"
#include "engine/denoise.h"
#include "engine/random.h"

/* ------------------------------------------------------------------ curves, in their own units */

/* Archimedean spiral, t in [1.5 pi, 4.5 pi]: (t cos t, t sin t). */
static void spiral_at(double t, double p[2], double d1[2], double d2[2]) {
    double c = cos(t), s = sin(t);
    p[0] = t * c, p[1] = t * s;
    d1[0] = c - t * s, d1[1] = s + t * c;
    d2[0] = -2 * s - t * c, d2[1] = 2 * c - t * s;
}

/* The outer moon, t in [0, pi]: (cos t, sin t). */
static void outer_moon_at(double t, double p[2], double d1[2], double d2[2]) {
    double c = cos(t), s = sin(t);
    p[0] = c, p[1] = s;
    d1[0] = -s, d1[1] = c;
    d2[0] = -c, d2[1] = -s;
}

/* The inner moon: (1 - cos t, 1/2 - sin t). */
static void inner_moon_at(double t, double p[2], double d1[2], double d2[2]) {
    outer_moon_at(t, p, d1, d2);
    p[0] = 1 - p[0], p[1] = 0.5 - p[1];
    for (int i = 0; i < 2; i++)
        d1[i] = -d1[i], d2[i] = -d2[i];
}

/* The S, t in [-1.5 pi, 1.5 pi]: (sin t, sign(t) (cos t - 1)), in two halves because the sign bends
 * it at 0. */
static void s_upper_at(double t, double p[2], double d1[2], double d2[2]) {
    double c = cos(t), s = sin(t);
    p[0] = s, p[1] = c - 1;
    d1[0] = c, d1[1] = -s;
    d2[0] = -s, d2[1] = -c;
}
static void s_lower_at(double t, double p[2], double d1[2], double d2[2]) {
    s_upper_at(t, p, d1, d2);
    p[1] = -p[1], d1[1] = -d1[1], d2[1] = -d2[1];
}

/* ------------------------------------------------------------------ the table */

struct pattern {
    int piece_count;
    struct curve pieces[2];
    double minimum, maximum; /* over both coordinates of the exact curve */
};

/* The pieces of a pattern have parameter ranges of equal length and are equally likely, and the
 * parameter is uniform. The spiral's least coordinate is t sin t where tan t = -t, between 3 pi and
 * 4 pi. */
static const struct pattern patterns[DN_PATTERN_COUNT] = {
    [DN_SPIRAL] = {1, {{1.5 * M_PI, 4.5 * M_PI, spiral_at}}, -11.04070801593, 4.5 * M_PI},
    [DN_MOONS] = {2, {{0, M_PI, outer_moon_at}, {0, M_PI, inner_moon_at}}, -1, 2},
    [DN_S_CURVE] = {2, {{-1.5 * M_PI, 0, s_lower_at}, {0, 1.5 * M_PI, s_upper_at}}, -2, 2},
};

const struct dn_pattern_info dn_patterns[DN_PATTERN_COUNT] = {
    [DN_SPIRAL] = {"spiral", "One and a half turns of an Archimedean spiral."},
    [DN_MOONS] = {"moons", "Two interleaved half circles."},
    [DN_S_CURVE] = {"s_curve", "The letter S, made of two arcs."},
};

/* From a curve's own units to [-1, 1]. */
static double pattern_scale(const struct pattern *pattern) {
    return 2 / (pattern->maximum - pattern->minimum);
}
static double pattern_shift(const struct pattern *pattern) {
    return -1 - pattern->minimum * pattern_scale(pattern);
}

void dn_pattern_draw(enum dn_pattern pattern, uint64_t seed, uint64_t first, size_t n,
                     float *points) {
    const struct pattern *p = &patterns[pattern];
    double scale = pattern_scale(p), shift = pattern_shift(p);
    for (size_t i = 0; i < n; i++) {
        double u = random_uniform(seed, RANDOM_DATA, (uint32_t)pattern, first + i) * p->piece_count;
        int piece = (int)u;
        const struct curve *curve = &p->pieces[piece];
        double point[2], d1[2], d2[2];
        curve->at(curve->start + (u - piece) * (curve->end - curve->start), point, d1, d2);
        points[2 * i] = (float)(point[0] * scale + shift);
        points[2 * i + 1] = (float)(point[1] * scale + shift);
    }
}

double dn_pattern_distance(enum dn_pattern pattern, const double point[2], double nearest[2]) {
    const struct pattern *p = &patterns[pattern];
    double scale = pattern_scale(p), shift = pattern_shift(p);
    double own[2] = {(point[0] - shift) / scale, (point[1] - shift) / scale};
    double distance = curve_closest(p->pieces, p->piece_count, own, nearest);
    if (nearest) {
        nearest[0] = nearest[0] * scale + shift;
        nearest[1] = nearest[1] * scale + shift;
    }
    return distance * scale;
}

double dn_pattern_mean_distance(enum dn_pattern pattern, const float *points, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double point[2] = {(double)points[2 * i], (double)points[2 * i + 1]};
        sum += dn_pattern_distance(pattern, point, NULL);
    }
    return n == 0 ? NAN : sum / (double)n;
}
