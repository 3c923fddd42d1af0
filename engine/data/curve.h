/*
 * curve.h - plane curves, the closest point on them, and points spread evenly along them.
 */
#ifndef ENGINE_DATA_CURVE_H
#define ENGINE_DATA_CURVE_H

#include <stddef.h>
#include <stdint.h>

/* ------------------------------------------------------------------ smooth curves */

enum { CURVE_MAX_PIECES = 4, CURVE_SEEDS = 256, CURVE_LENGTH_STEPS = 1024 };

/* A piece of a curve: p(t) for t in [start, end], with its first and second derivative. `at`
 * defines the meaning of center and radius. */
struct curve {
    double start, end;
    void (*at)(const struct curve *curve, double t, double p[2], double d1[2], double d2[2]);
    double center[2], radius;
};

/* Points of each piece at equal steps of t, from which searches start. */
struct curve_seeds {
    const struct curve *pieces;
    int count;
    double x[CURVE_MAX_PIECES][CURVE_SEEDS + 1], y[CURVE_MAX_PIECES][CURVE_SEEDS + 1];
};
void curve_seeds_init(struct curve_seeds *seeds, const struct curve *pieces, int count);

/* The smallest distance from a point to any of the pieces, and the closest point.
 *
 * Every seed that is no farther than its neighbors brackets a local minimum of the squared
 * distance, which safeguarded Newton then finds: a step that leaves the bracket is replaced by
 * bisection. */
double curve_closest(const struct curve_seeds *seeds, const double point[2], double nearest[2]);

/* Arc length up to each of equal steps of t, over all pieces together, by chords. */
struct curve_lengths {
    const struct curve *pieces;
    int count;
    double until[CURVE_MAX_PIECES * CURVE_LENGTH_STEPS + 1];
};
void curve_lengths_init(struct curve_lengths *lengths, const struct curve *pieces, int count);

/* The point at the fraction u in [0, 1) of the total length. It lies exactly on the curve; its
 * position along the curve is accurate to a chord. */
void curve_at_length(const struct curve_lengths *lengths, double u, double p[2]);

/* ------------------------------------------------------------------ drawings */

/* Polylines in thousandths of a unit, one after the other, DRAWING_LIFT between two of them. */
struct drawing {
    const int16_t (*vertices)[2];
    size_t count;
};
#define DRAWING_LIFT                                                                               \
    { INT16_MIN, INT16_MIN }

double drawing_length(const struct drawing *drawing);
void drawing_at_length(const struct drawing *drawing, double length, double p[2]);
double drawing_closest(const struct drawing *drawing, const double point[2], double nearest[2]);

#endif
