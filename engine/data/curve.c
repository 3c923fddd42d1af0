#include "engine/data/curve.h"

#include <math.h>
#include <stdbool.h>

enum { ITERATIONS = 60 };

/* f = half the squared distance, and its first two derivatives along the curve. */
struct probe {
    double p[2], f, slope, curvature;
};

static double curve_step(const struct curve *curve, int steps) {
    return (curve->end - curve->start) / steps;
}

void curve_seeds_init(struct curve_seeds *seeds, const struct curve *pieces, int count) {
    double p[2], d1[2], d2[2];
    seeds->pieces = pieces;
    seeds->count = count;
    for (int piece = 0; piece < count; piece++)
        for (int i = 0; i <= CURVE_SEEDS; i++) {
            const struct curve *curve = &pieces[piece];
            curve->at(curve, curve->start + i * curve_step(curve, CURVE_SEEDS), p, d1, d2);
            seeds->x[piece][i] = p[0];
            seeds->y[piece][i] = p[1];
        }
}

static struct probe curve_probe(const struct curve *curve, const double point[2], double t) {
    double d1[2], d2[2];
    struct probe probe;
    curve->at(curve, t, probe.p, d1, d2);
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
        /* at the upper end, the derivative may be 0 but for rounding errors */
        if (probe.slope > 0 || (t >= high && probe.slope > -1e-12))
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

static struct probe curve_closest_piece(const struct curve *curve, const double *x, const double *y,
                                        const double point[2]) {
    double f[CURVE_SEEDS + 1], step = curve_step(curve, CURVE_SEEDS);
    for (int i = 0; i <= CURVE_SEEDS; i++) {
        double dx = x[i] - point[0], dy = y[i] - point[1];
        f[i] = (dx * dx + dy * dy) / 2;
    }
    struct probe best = {.f = INFINITY};
    for (int i = 0; i <= CURVE_SEEDS; i++) {
        if ((i > 0 && f[i - 1] < f[i]) || (i < CURVE_SEEDS && f[i + 1] < f[i]))
            continue;
        double t = curve->start + i * step;
        struct probe found =
            curve_refine(curve, point, fmax(curve->start, t - step), t, fmin(curve->end, t + step));
        if (found.f < best.f)
            best = found;
    }
    return best;
}

double curve_closest(const struct curve_seeds *seeds, const double point[2], double nearest[2]) {
    struct probe best = {.f = INFINITY};
    for (int i = 0; i < seeds->count; i++) {
        struct probe found =
            curve_closest_piece(&seeds->pieces[i], seeds->x[i], seeds->y[i], point);
        if (found.f < best.f)
            best = found;
    }
    nearest[0] = best.p[0];
    nearest[1] = best.p[1];
    return sqrt(2 * best.f);
}

/* ------------------------------------------------------------------ arc length */

void curve_lengths_init(struct curve_lengths *lengths, const struct curve *pieces, int count) {
    double *until = lengths->until, d1[2], d2[2];
    lengths->pieces = pieces;
    lengths->count = count;
    until[0] = 0;
    for (int piece = 0; piece < count; piece++) {
        const struct curve *curve = &pieces[piece];
        double p[2], q[2];
        curve->at(curve, curve->start, p, d1, d2);
        for (int i = 1; i <= CURVE_LENGTH_STEPS; i++, until++) {
            curve->at(curve, curve->start + i * curve_step(curve, CURVE_LENGTH_STEPS), q, d1, d2);
            until[1] = until[0] + hypot(q[0] - p[0], q[1] - p[1]);
            p[0] = q[0], p[1] = q[1];
        }
    }
}

void curve_at_length(const struct curve_lengths *lengths, double u, double p[2]) {
    const double *until = lengths->until;
    int low = 0, high = lengths->count * CURVE_LENGTH_STEPS;
    const double wanted = u * until[high];
    while (high - low > 1) { /* until[low] <= wanted < until[high] */
        int middle = (low + high) / 2;
        if (until[middle] <= wanted)
            low = middle;
        else
            high = middle;
    }
    const struct curve *curve = &lengths->pieces[low / CURVE_LENGTH_STEPS];
    double chord = until[low + 1] - until[low];
    double within = chord > 0 ? (wanted - until[low]) / chord : 0;
    double t =
        curve->start + (low % CURVE_LENGTH_STEPS + within) * curve_step(curve, CURVE_LENGTH_STEPS);
    double d1[2], d2[2];
    curve->at(curve, t, p, d1, d2);
}

/* ------------------------------------------------------------------ drawings */

struct segment {
    double from[2], along[2];
};

/* Segment i of a drawing, from vertex i to the next; false where the pen is lifted. */
static bool drawing_segment(const struct drawing *drawing, size_t i, struct segment *segment) {
    const int16_t *from = drawing->vertices[i], *to = drawing->vertices[i + 1];
    if (from[0] == INT16_MIN || to[0] == INT16_MIN)
        return false;
    for (int j = 0; j < 2; j++) {
        segment->from[j] = from[j] / 1000.0;
        segment->along[j] = (to[j] - from[j]) / 1000.0;
    }
    return true;
}

static double segment_length(const struct segment *segment) {
    return sqrt(segment->along[0] * segment->along[0] + segment->along[1] * segment->along[1]);
}

double drawing_length(const struct drawing *drawing) {
    struct segment segment;
    double sum = 0;
    for (size_t i = 0; i + 1 < drawing->count; i++)
        if (drawing_segment(drawing, i, &segment))
            sum += segment_length(&segment);
    return sum;
}

void drawing_at_length(const struct drawing *drawing, double length, double p[2]) {
    struct segment segment = {0};
    double share = 0;
    for (size_t i = 0; i + 1 < drawing->count; i++) {
        if (!drawing_segment(drawing, i, &segment))
            continue;
        double whole = segment_length(&segment);
        share = length < whole ? length / whole : 1;
        if (length < whole)
            break;
        length -= whole;
    }
    for (int j = 0; j < 2; j++)
        p[j] = segment.from[j] + share * segment.along[j];
}

double drawing_closest(const struct drawing *drawing, const double point[2], double nearest[2]) {
    struct segment segment;
    double best = INFINITY;
    for (size_t i = 0; i + 1 < drawing->count; i++) {
        if (!drawing_segment(drawing, i, &segment))
            continue;
        const double *along = segment.along;
        double dx = point[0] - segment.from[0], dy = point[1] - segment.from[1];
        double share =
            (dx * along[0] + dy * along[1]) / (along[0] * along[0] + along[1] * along[1]);
        share = fmin(fmax(share, 0), 1);
        dx -= share * along[0], dy -= share * along[1];
        if (dx * dx + dy * dy < best) {
            best = dx * dx + dy * dy;
            nearest[0] = segment.from[0] + share * along[0];
            nearest[1] = segment.from[1] + share * along[1];
        }
    }
    return sqrt(best);
}
