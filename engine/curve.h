/*
 * curve.h - smooth plane curves and the closest point on them.
 */
#ifndef ENGINE_CURVE_H
#define ENGINE_CURVE_H

/* A piece of a curve: p(t) for t in [start, end], with its first and second derivative. */
struct curve {
    double start, end;
    void (*at)(double t, double p[2], double d1[2], double d2[2]);
};

/* The smallest distance from a point to any of the pieces, and the point that has it.
 *
 * The squared distance is sampled along each piece; every sample that is no larger than its
 * neighbours brackets a local minimum, which safeguarded Newton then finds: a step that leaves the
 * bracket is replaced by bisection. */
double curve_closest(const struct curve *pieces, int count, const double point[2],
                     double nearest[2]);

#endif
