/*
 * curve.c - closest point on a curve: brute force for the bracket, Newton for the digits.
 */
#include "engine/curve.h"

#include <math.h>

enum { SEEDS = 256, ITERATIONS = 60 };

/* f = half the squared distance, and its first two derivatives along the curve. */
struct probe {
    double p[2], f, slope, curvature;
};

static struct probe curve_probe(const struct curve *curve, const double point[2], double t) {
    double d1[2], d2[2];
    struct probe probe;
    curve->at(t, probe.p, d1, d2);
    double dx = probe.p[0] - point[0], dy = probe.p[1] - point[1];
    probe.f = (dx * dx + dy * dy) / 2;
    probe.slope = dx * d1[0] + dy * d1[1];
    probe.curvature = d1[0] * d1[0] + d1[1] * d1[1] + dx * d2[0] + dy * d2[1];
    return probe;
}

/* A local minimum of f in [low, high], from t. */
static struct probe curve_refine(const struct curve *curve, const double point[2], double low,
                                 double t, double high) {
    struct probe best = curve_probe(curve, point, t), probe = best;
    for (int i = 0; i < ITERATIONS; i++) {
        if (probe.slope > 0)
            high = t;
        else
            low = t;
        double next = t - probe.slope / probe.curvature;
        if (!(probe.curvature > 0 && next >= low && next <= high))
            next = (low + high) / 2;
        if (fabs(next - t) <= 1e-15 * (fabs(t) + 1))
            break;
        t = next;
        probe = curve_probe(curve, point, t);
        if (probe.f < best.f)
            best = probe;
    }
    return best;
}

static struct probe curve_closest_piece(const struct curve *curve, const double point[2]) {
    double f[SEEDS + 1];
    double step = (curve->end - curve->start) / SEEDS;
    for (int i = 0; i <= SEEDS; i++)
        f[i] = curve_probe(curve, point, curve->start + i * step).f;
    struct probe best = {.f = INFINITY};
    for (int i = 0; i <= SEEDS; i++) {
        if ((i > 0 && f[i - 1] < f[i]) || (i < SEEDS && f[i + 1] < f[i]))
            continue;
        double t = curve->start + i * step;
        struct probe found =
            curve_refine(curve, point, fmax(curve->start, t - step), t, fmin(curve->end, t + step));
        if (found.f < best.f)
            best = found;
    }
    return best;
}

double curve_closest(const struct curve *pieces, int count, const double point[2],
                     double nearest[2]) {
    struct probe best = {.f = INFINITY};
    for (int i = 0; i < count; i++) {
        struct probe found = curve_closest_piece(&pieces[i], point);
        if (found.f < best.f)
            best = found;
    }
    if (nearest) {
        nearest[0] = best.p[0];
        nearest[1] = best.p[1];
    }
    return sqrt(2 * best.f);
}
