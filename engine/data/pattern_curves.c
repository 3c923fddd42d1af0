/*
 * pattern_curves.c - patterns that are smooth curves, with their derivatives.
 */
#include <math.h>

#include "engine/data/pattern.h"

/* Archimedean spiral: radius (t cos t, t sin t). */
static void spiral_at(const struct curve *curve, double t, double p[2], double d1[2],
                      double d2[2]) {
    double c = cos(t), s = sin(t), r = curve->radius;
    p[0] = r * (t * c), p[1] = r * (t * s);
    d1[0] = r * (c - t * s), d1[1] = r * (s + t * c);
    d2[0] = r * (-2 * s - t * c), d2[1] = r * (2 * c - t * s);
}

/* Circle: center + radius (cos t, sin t). */
static void circle_at(const struct curve *curve, double t, double p[2], double d1[2],
                      double d2[2]) {
    double c = cos(t), s = sin(t), r = curve->radius;
    p[0] = curve->center[0] + r * c, p[1] = curve->center[1] + r * s;
    d1[0] = -r * s, d1[1] = r * c;
    d2[0] = -r * c, d2[1] = -r * s;
}

/* Half an S: (sin t, radius (cos t - 1)). */
static void s_at(const struct curve *curve, double t, double p[2], double d1[2], double d2[2]) {
    double c = cos(t), s = sin(t), r = curve->radius;
    p[0] = s, p[1] = r * (c - 1);
    d1[0] = c, d1[1] = -r * s;
    d2[0] = -s, d2[1] = -r * c;
}

/* Half a heart: center + (radius 16 sin^3 t, 13 cos t - 5 cos 2t - 2 cos 3t - cos 4t). */
static void heart_at(const struct curve *curve, double t, double p[2], double d1[2], double d2[2]) {
    double c = cos(t), s = sin(t), r = curve->radius;
    p[0] = curve->center[0] + r * 16 * s * s * s;
    d1[0] = r * 48 * s * s * c;
    d2[0] = r * (96 * s * c * c - 48 * s * s * s);
    static const double weights[] = {0, 13, -5, -2, -1};
    p[1] = curve->center[1], d1[1] = 0, d2[1] = 0;
    for (int k = 1; k <= 4; k++) {
        p[1] += weights[k] * cos(k * t);
        d1[1] -= weights[k] * k * sin(k * t);
        d2[1] -= weights[k] * k * k * cos(k * t);
    }
}

/* A rose of four petals: cos 2t (cos t, sin t) = ((cos 3t + cos t) / 2, (sin 3t - sin t) / 2). */
static void rose_at(const struct curve *curve, double t, double p[2], double d1[2], double d2[2]) {
    (void)curve;
    double c1 = cos(t), s1 = sin(t), c3 = cos(3 * t), s3 = sin(3 * t);
    p[0] = (c3 + c1) / 2, p[1] = (s3 - s1) / 2;
    d1[0] = (-3 * s3 - s1) / 2, d1[1] = (3 * c3 - c1) / 2;
    d2[0] = (-9 * c3 - c1) / 2, d2[1] = (-9 * s3 + s1) / 2;
}

/* Lissajous figure: (sin 3t, sin 2t). */
static void lissajous_at(const struct curve *curve, double t, double p[2], double d1[2],
                         double d2[2]) {
    (void)curve;
    p[0] = sin(3 * t), p[1] = sin(2 * t);
    d1[0] = 3 * cos(3 * t), d1[1] = 2 * cos(2 * t);
    d2[0] = -9 * sin(3 * t), d2[1] = -4 * sin(2 * t);
}

#define CIRCLE(radius)                                                                             \
    { 0, 2 * M_PI, circle_at, {0, 0}, radius }

const struct curve pattern_spiral[] = {{1.5 * M_PI, 4.5 * M_PI, spiral_at, {0, 0}, 1}};
const struct curve pattern_swiss_roll[] = {
    {1.5 * M_PI, 2.5 * M_PI, spiral_at, {0, 0}, 1},
    {2.5 * M_PI, 3.5 * M_PI, spiral_at, {0, 0}, 1},
    {3.5 * M_PI, 4.5 * M_PI, spiral_at, {0, 0}, 1},
};
const struct curve pattern_two_spirals[] = {
    {0, 3 * M_PI, spiral_at, {0, 0}, 1},
    {0, 3 * M_PI, spiral_at, {0, 0}, -1},
};
/* outer (cos t, sin t), inner (1 - cos t, 1/2 - sin t) */
const struct curve pattern_moons[] = {
    {0, M_PI, circle_at, {0, 0}, 1},
    {0, M_PI, circle_at, {1, 0.5}, -1},
};
/* (sin t, sign(t) (cos t - 1)) for t in [-1.5 pi, 1.5 pi], in halves: the sign bends it at 0. */
const struct curve pattern_s_curve[] = {
    {-1.5 * M_PI, 0, s_at, {0, 0}, -1},
    {0, 1.5 * M_PI, s_at, {0, 0}, 1},
};
const struct curve pattern_circles[] = {CIRCLE(1), CIRCLE(0.5)};
const struct curve pattern_rings[] = {CIRCLE(0.25), CIRCLE(0.5), CIRCLE(0.75), CIRCLE(1)};
/* halves that end in the cusps, where a search could turn to either side */
const struct curve pattern_heart[] = {
    {0, M_PI, heart_at, {0, 2.5}, 1},
    {0, M_PI, heart_at, {0, 2.5}, -1},
};
const struct curve pattern_rose[] = {{0, 2 * M_PI, rose_at, {0, 0}, 1}};
const struct curve pattern_lissajous[] = {{0, 2 * M_PI, lissajous_at, {0, 0}, 1}};
