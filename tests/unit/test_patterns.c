/* Patterns and the distance to their curves, against dense polylines. */
#include <criterion/criterion.h>
#include <math.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"
#include "engine/denoise.h"

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
enum { CURVES = 3 }; /* patterns that are spelt out here */
static void (*const curves[CURVES])(double, double *) = {spiral, moons, s_curve};

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
    for (int pattern = 0; pattern < CURVES; pattern++) {
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

/* The first three are older than the others: what a seed means must not change. */
Test(patterns, points_are_the_curve_at_the_uniform_numbers_of_the_seed) {
    float points[200];
    for (int pattern = 0; pattern < CURVES; pattern++) {
        dn_pattern_draw((enum dn_pattern)pattern, 9, 0, 100, points);
        for (uint64_t i = 0; i < 100; i++) {
            double p[2];
            curves[pattern](random_uniform(9, RANDOM_DATA, (uint32_t)pattern, i), p);
            cr_assert_float_eq(p[0], points[2 * i], 1e-7);
            cr_assert_float_eq(p[1], points[2 * i + 1], 1e-7);
        }
    }
}

/* Neither farther than the closest of many points of the pattern, nor much closer than that. */
Test(patterns, distance_agrees_with_the_closest_of_many_points) {
    enum { N = 60000 };
    static float points[2 * N];
    for (int k = 0; k < DN_PATTERN_COUNT; k++) {
        const enum dn_pattern pattern = (enum dn_pattern)k;
        dn_pattern_draw(pattern, 3, 0, N, points);
        for (uint64_t i = 0; i < 60 && dn_pattern_has_distance(pattern); i++) {
            double point[2] = {3 * random_uniform(1, RANDOM_START, 0, i) - 1.5,
                               3 * random_uniform(1, RANDOM_START, 1, i) - 1.5};
            double nearest[2], expected = INFINITY;
            for (int j = 0; j < N; j++)
                expected = fmin(expected, hypot((double)points[2 * j] - point[0],
                                                (double)points[2 * j + 1] - point[1]));
            double found = dn_pattern_distance(pattern, point, nearest);
            cr_assert(found <= expected + 1e-7 && found > expected - 0.03, "%s at (%g, %g): %g, %g",
                      dn_patterns[k].name, point[0], point[1], found, expected);
            cr_assert_float_eq(hypot(nearest[0] - point[0], nearest[1] - point[1]), found, 1e-12);
            cr_assert_lt(dn_pattern_distance(pattern, nearest, NULL), 1e-12);
        }
    }
}

Test(patterns, points_lie_on_the_pattern_and_fill_it) {
    enum { N = 20000 };
    static float points[2 * N];
    static double distances[N];
    for (int k = 0; k < DN_PATTERN_COUNT; k++) {
        const enum dn_pattern pattern = (enum dn_pattern)k;
        const char *name = dn_patterns[k].name;
        cr_assert_str_eq(dn_pattern_names[k], name);
        if (!dn_pattern_has_distance(pattern))
            continue;
        double low = INFINITY, high = -INFINITY;
        dn_pattern_draw(pattern, 42, 0, N, points);
        dn_pattern_distances(pattern, points, N, distances, NULL);
        for (int i = 0; i < 2 * N; i++) {
            low = fmin(low, (double)points[i]);
            high = fmax(high, (double)points[i]);
            cr_assert_lt(distances[i / 2], 1.2e-7, "%s: %g", name, distances[i / 2]);
        }
        cr_assert(fabs(low + 1) < 2e-3 && fabs(high - 1) < 2e-3, "%s: %g..%g", name, low, high);
        cr_assert(low >= -1.000001 && high <= 1.000001);
    }
    cr_assert_str_eq(dn_pattern_names[DN_DIGITS], dn_patterns[DN_DIGITS].name);
    cr_assert_null(dn_pattern_names[DN_BUILTIN_COUNT]);
}

Test(patterns, gaussians_have_no_shape) {
    double point[2] = {0.1, 0.2}, nearest[2];
    cr_assert_not(dn_pattern_has_distance(DN_EIGHT_GAUSSIANS));
    cr_assert(isnan(dn_pattern_distance(DN_GAUSSIAN_GRID, point, nearest)) && isnan(nearest[0]));
}

/* The share of a draw for which `is_in` holds, against the exact share, within five deviations. */
static void has_share(enum dn_pattern pattern, bool (*is_in)(double x, double y), double share) {
    enum { N = 40000 };
    static float points[2 * N];
    int count = 0;
    dn_pattern_draw(pattern, 11, 0, N, points);
    for (int i = 0; i < N; i++)
        count += is_in((double)points[2 * i], (double)points[2 * i + 1]);
    cr_assert_float_eq((double)count / N, share, 5 * sqrt(share * (1 - share) / N), "%s: %g not %g",
                       dn_patterns[pattern].name, (double)count / N, share);
}

static bool on_inner_ring(double x, double y) {
    return hypot(x, y) < 0.3;
}
static bool on_outer_half(double x, double y) {
    return hypot(x, y) > 0.75;
}
static bool in_right_half(double x, double y) {
    (void)y;
    return x > 0;
}
static bool in_a_fifth(double x, double y) {
    double angle = atan2(y, x);
    return angle > 0.3 && angle < 0.3 + 2 * M_PI / 5;
}
static bool in_lower_left_field(double x, double y) {
    return x < -0.5 && y < -0.5;
}
static bool in_top_third(double x, double y) {
    (void)x;
    return y > 0;
}
static bool within_a_deviation(double x, double y) { /* of the Gaussian at (0.8, 0) */
    return hypot(x - 0.8, y) < 0.05;
}
static bool in_middle_of_grid(double x, double y) {
    return fmax(fabs(x), fabs(y)) < 0.2;
}
static bool in_middle_turn(double x, double y) {
    double scale = 2 / (4.5 * M_PI + 11.04070801593), shift = 11.04070801593 * scale - 1;
    double radius = hypot(x - shift, y - shift) / scale;
    return radius > 2.5 * M_PI && radius < 3.5 * M_PI;
}

Test(patterns, points_are_spread_as_documented) {
    /* arc length of t (cos t, t sin t) from 0: (t sqrt(1 + t^2) + asinh t) / 2 */
    double end = 3 * M_PI, half = 0.75 * end;
    double length = half * sqrt(1 + half * half) + asinh(half);
    has_share(DN_TWO_SPIRALS, on_outer_half, 1 - length / (end * sqrt(1 + end * end) + asinh(end)));
    has_share(DN_SWISS_ROLL, in_middle_turn, 0.25);
    has_share(DN_SPIRAL, in_middle_turn, 1.0 / 3);
    has_share(DN_CIRCLES, on_outer_half, 0.5);
    has_share(DN_RINGS, on_inner_ring, 0.1);
    has_share(DN_HEART, in_right_half, 0.5);
    has_share(DN_STAR, in_right_half, 0.5);
    has_share(DN_CHECKERBOARD, in_lower_left_field, 0.125);
    has_share(DN_SIERPINSKI, in_top_third, 1.0 / 3);
    has_share(DN_EIGHT_GAUSSIANS, within_a_deviation, (1 - exp(-0.5)) / 8);
    has_share(DN_GAUSSIAN_GRID, in_middle_of_grid, 0.04);
    has_share(DN_PINWHEEL, in_a_fifth, 0.2);
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
    random_normals(kernels_get(), 8, RANDOM_START, 0, 0, 2 * N, noise);
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
