/* Patterns and the distance to their curves, against dense polylines. */
#include <criterion/criterion.h>
#include <math.h>

#include "engine/denoise.h"
#include "engine/random.h"

static void spiral(double u, double p[2]) {
    double t = M_PI * (1.5 + 3 * u), scale = 2 / (4.5 * M_PI + 11.04070801593);
    p[0] = (t * cos(t) + 11.04070801593) * scale - 1;
    p[1] = (t * sin(t) + 11.04070801593) * scale - 1;
}
static void moons(double u, double p[2]) {
    double t = M_PI * fmod(2 * u, 1);
    p[0] = (u < 0.5 ? cos(t) : 1 - cos(t)) * 2 / 3 - 1.0 / 3;
    p[1] = (u < 0.5 ? sin(t) : 0.5 - sin(t)) * 2 / 3 - 1.0 / 3;
}
static void s_curve(double u, double p[2]) {
    double t = 3 * M_PI * (u - 0.5);
    p[0] = sin(t) / 2;
    p[1] = copysign(1, t) * (cos(t) - 1) / 2;
}
static void (*const curves[DN_PATTERN_COUNT])(double, double *) = {spiral, moons, s_curve};

static double polyline_distance(enum dn_pattern pattern, const double point[2]) {
    enum { STEPS = 20000 };
    double best = INFINITY;
    for (int i = 0; i < STEPS; i++) {
        double p[2];
        curves[pattern]((i + 0.5) / STEPS, p);
        best = fmin(best, hypot(p[0] - point[0], p[1] - point[1]));
    }
    return best;
}

Test(patterns, distance_agrees_with_a_dense_polyline) {
    for (int pattern = 0; pattern < DN_PATTERN_COUNT; pattern++) {
        for (uint64_t i = 0; i < 300; i++) {
            double point[2] = {3 * random_uniform(1, RANDOM_START, 0, i) - 1.5,
                               3 * random_uniform(1, RANDOM_START, 1, i) - 1.5};
            double nearest[2], expected = polyline_distance((enum dn_pattern)pattern, point);
            double found = dn_pattern_distance((enum dn_pattern)pattern, point, nearest);
            cr_assert_float_eq(found, expected, 5e-4, "%s at (%g, %g): %.9g, not %.9g",
                               dn_patterns[pattern].name, point[0], point[1], found, expected);
            cr_assert_leq(found, expected + 1e-12);
            cr_assert_float_eq(hypot(nearest[0] - point[0], nearest[1] - point[1]), found, 1e-12);
            cr_assert_lt(dn_pattern_distance((enum dn_pattern)pattern, nearest, NULL), 1e-12);
        }
    }
}

Test(patterns, points_lie_on_the_curve_and_fill_it) {
    enum { N = 20000 };
    static float points[2 * N];
    for (int pattern = 0; pattern < DN_PATTERN_COUNT; pattern++) {
        dn_pattern_draw((enum dn_pattern)pattern, 42, 0, N, points);
        double low = INFINITY, high = -INFINITY;
        for (int i = 0; i < 2 * N; i++) {
            low = fmin(low, (double)points[i]);
            high = fmax(high, (double)points[i]);
        }
        cr_assert_lt(dn_pattern_mean_distance((enum dn_pattern)pattern, points, 500), 1e-7);
        cr_assert_float_eq(low, -1, 2e-3, "%s: least %g", dn_patterns[pattern].name, low);
        cr_assert_float_eq(high, 1, 2e-3, "%s: largest %g", dn_patterns[pattern].name, high);
        cr_assert(low >= -1.000001 && high <= 1.000001);
    }
}

/* Means by integration by parts: t cos t averages 2 and t sin t 2 / (3 pi) over [1.5 pi, 4.5 pi].
 * Second moments by the midpoint rule. */
Test(patterns, spiral_has_the_moments_of_its_integrals) {
    enum { N = 200000 };
    static float points[2 * N];
    dn_pattern_draw(DN_SPIRAL, 1, 0, N, points);
    double scale = 2 / (4.5 * M_PI + 11.04070801593), shift = 11.04070801593 * scale - 1;
    double expected[2] = {2 * scale + shift, 2 / (3 * M_PI) * scale + shift};
    double mean[2] = {0}, square[2] = {0}, integral[2] = {0};
    for (int i = 0; i < N; i++) {
        double exact[2];
        spiral((i + 0.5) / N, exact);
        for (int j = 0; j < 2; j++) {
            double x = (double)points[2 * i + j];
            mean[j] += x / N;
            square[j] += x * x / N;
            integral[j] += exact[j] * exact[j] / N;
        }
    }
    for (int j = 0; j < 2; j++) {
        cr_assert_float_eq(mean[j], expected[j], 5 * 0.6 / sqrt(N));
        cr_assert_float_eq(square[j], integral[j], 5 * 0.4 / sqrt(N));
    }
}

/* N(0, I) is half a unit from the curve on average: the blog's notebook has 0.5154 for 1 000
 * points. */
Test(patterns, standard_noise_has_its_known_distance) {
    enum { N = 20000 };
    static float noise[2 * N];
    random_normals(8, RANDOM_START, 0, 0, 2 * N, noise);
    double mean = dn_pattern_mean_distance(DN_SPIRAL, noise, N);
    cr_assert_float_eq(mean, 0.5154, 0.012, "%g", mean);
}

Test(patterns, a_point_does_not_depend_on_how_many_are_drawn) {
    float whole[200], part[20];
    dn_pattern_draw(DN_MOONS, 7, 0, 100, whole);
    dn_pattern_draw(DN_MOONS, 7, 60, 10, part);
    for (int i = 0; i < 20; i++)
        cr_assert_eq(part[i], whole[120 + i]);
}

Test(patterns, mean_distance_of_nothing_is_not_a_number) {
    cr_assert(isnan(dn_pattern_mean_distance(DN_SPIRAL, NULL, 0)));
}
