/*
 * pattern.h - the parts of a built-in pattern, in its own units.
 */
#ifndef ENGINE_DATA_PATTERN_H
#define ENGINE_DATA_PATTERN_H

#include "engine/data/curve.h"
#include "engine/denoise.h"

/* Two uniform numbers in [0, 1) decide a point. */
typedef void (*pattern_point)(const double uniform[2], double p[2]);

/* Distance from a point to the pattern, and the closest point. */
typedef double (*pattern_reach)(const double point[2], double nearest[2]);

/* One of: pieces of smooth curves; a drawing; or else a function that makes points, and if the
 * pattern has an edge, one that finds the closest point. */
struct pattern {
    int piece_count;
    const struct curve *pieces; /* [piece_count] */
    /* The share of each piece, whose parameter is then uniform; NULL: uniform in arc length. */
    const double *shares;
    const struct drawing *drawing; /* uniform in arc length */
    pattern_point point;
    pattern_reach reach;
    double minimum, maximum; /* both coordinates of the exact pattern; scaled to -1 and 1 */
};

/* pattern_curves.c */
extern const struct curve pattern_spiral[1], pattern_moons[2], pattern_s_curve[2];
extern const struct curve pattern_swiss_roll[3], pattern_circles[2], pattern_two_spirals[2];
extern const struct curve pattern_heart[2], pattern_rings[4], pattern_rose[1];
extern const struct curve pattern_lissajous[1];

/* pattern_drawings.c */
extern const struct drawing pattern_dino, pattern_letters, pattern_star;

/* pattern_areas.c */
void pattern_checkerboard(const double uniform[2], double p[2]);
double pattern_checkerboard_reach(const double point[2], double nearest[2]);
void pattern_sierpinski(const double uniform[2], double p[2]);
double pattern_sierpinski_reach(const double point[2], double nearest[2]);
void pattern_eight_gaussians(const double uniform[2], double p[2]);
void pattern_gaussian_grid(const double uniform[2], double p[2]);
void pattern_pinwheel(const double uniform[2], double p[2]);

#endif
