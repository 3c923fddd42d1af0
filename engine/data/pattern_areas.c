/*
 * pattern_areas.c - patterns other than curves: areas, a fractal, and mixtures of Gaussians.
 */
#include <math.h>
#include <stdint.h>

#include "engine/data/pattern.h"

/* A choice of 0..count-1. The rest of the number is uniform again. */
static int choose(double *uniform, int count) {
    double scaled = *uniform * count;
    int choice = (int)scaled;
    *uniform = scaled - choice;
    return choice;
}

/* ------------------------------------------------------------------ checkerboard */

enum { BOARD = 4 }; /* fields to a side */

/* The lower left corner of the k-th black field; a1 is black. */
static void black_field(int k, double corner[2]) {
    int row = k / (BOARD / 2), column = 2 * (k % (BOARD / 2)) + row % 2;
    corner[0] = -1 + column * 2.0 / BOARD;
    corner[1] = -1 + row * 2.0 / BOARD;
}

void pattern_checkerboard(const double uniform[2], double p[2]) {
    double corner[2], u = uniform[0];
    black_field(choose(&u, BOARD * BOARD / 2), corner);
    p[0] = corner[0] + u * 2 / BOARD;
    p[1] = corner[1] + uniform[1] * 2 / BOARD;
}

double pattern_checkerboard_reach(const double point[2], double nearest[2]) {
    double best = INFINITY;
    for (int k = 0; k < BOARD * BOARD / 2; k++) {
        double corner[2], found[2];
        black_field(k, corner);
        for (int j = 0; j < 2; j++)
            found[j] = fmin(fmax(point[j], corner[j]), corner[j] + 2.0 / BOARD);
        double distance = hypot(found[0] - point[0], found[1] - point[1]);
        if (distance < best) {
            best = distance;
            nearest[0] = found[0], nearest[1] = found[1];
        }
    }
    return best;
}

/* ------------------------------------------------------------------ Sierpinski's triangle */

static const double triangle[3][2] = {{-1, -1}, {1, -1}, {0, 1}};

/* Each ternary digit of the number chooses a third of the triangle. */
void pattern_sierpinski(const double uniform[2], double p[2]) {
    enum { DIGITS = 32 }; /* more than the precision of a float */
    double u[2] = {uniform[0], uniform[1]}, size = 1;
    p[0] = p[1] = 0;
    for (int i = 0; i < DIGITS; i++) {
        const double *corner = triangle[choose(&u[i / (DIGITS / 2)], 3)];
        size /= 2;
        p[0] += corner[0] * size;
        p[1] += corner[1] * size;
    }
}

static double edge_reach(const double a[2], const double b[2], const double point[2],
                         double nearest[2]) {
    double along[2] = {b[0] - a[0], b[1] - a[1]};
    double share = ((point[0] - a[0]) * along[0] + (point[1] - a[1]) * along[1]) /
                   (along[0] * along[0] + along[1] * along[1]);
    share = fmin(fmax(share, 0), 1);
    nearest[0] = a[0] + share * along[0];
    nearest[1] = a[1] + share * along[1];
    return hypot(nearest[0] - point[0], nearest[1] - point[1]);
}

/* Barycentric coordinates in the triangle with these corners. */
static void barycentric(double corners[3][2], const double point[2], double weight[3]) {
    double ux = corners[1][0] - corners[0][0], uy = corners[1][1] - corners[0][1];
    double vx = corners[2][0] - corners[0][0], vy = corners[2][1] - corners[0][1];
    double x = point[0] - corners[0][0], y = point[1] - corners[0][1], area = ux * vy - uy * vx;
    weight[1] = (x * vy - y * vx) / area;
    weight[2] = (ux * y - uy * x) / area;
    weight[0] = 1 - weight[1] - weight[2];
}

/* All edges of all triangles belong to the set, so from outside, and from within a hole, the
 * closest point lies on the edge of that triangle or hole. */
double pattern_sierpinski_reach(const double point[2], double nearest[2]) {
    enum { DEPTH = 48 };
    double corners[3][2], weight[3];
    for (int k = 0; k < 3; k++)
        corners[k][0] = triangle[k][0], corners[k][1] = triangle[k][1];
    for (int depth = 0; depth < DEPTH; depth++) {
        barycentric(corners, point, weight);
        bool outside = weight[0] < 0 || weight[1] < 0 || weight[2] < 0;
        int third = weight[0] >= 0.5 ? 0 : weight[1] >= 0.5 ? 1 : weight[2] >= 0.5 ? 2 : -1;
        if (outside && depth > 0)
            break;           /* possible only by rounding */
        double middle[3][2]; /* of the edge opposite to each corner: the corners of the hole */
        for (int k = 0; k < 3; k++)
            for (int j = 0; j < 2; j++)
                middle[k][j] = (corners[(k + 1) % 3][j] + corners[(k + 2) % 3][j]) / 2;
        if (outside || third < 0) {
            double(*edges)[2] = outside ? corners : middle, best = INFINITY, found[2];
            for (int k = 0; k < 3; k++) {
                double distance = edge_reach(edges[k], edges[(k + 1) % 3], point, found);
                if (distance < best) {
                    best = distance;
                    nearest[0] = found[0], nearest[1] = found[1];
                }
            }
            return best;
        }
        for (int k = 0; k < 3; k++)
            for (int j = 0; j < 2 && k != third; j++)
                corners[k][j] = (corners[k][j] + corners[third][j]) / 2;
    }
    nearest[0] = point[0], nearest[1] = point[1];
    return 0;
}

/* ------------------------------------------------------------------ Gaussians */

/* Two independent N(0, 1) (Box and Muller 1958). */
static void normal_pair(double u, double v, double z[2]) {
    double radius = sqrt(-2 * log(1 - u));
    z[0] = radius * cos(2 * M_PI * v);
    z[1] = radius * sin(2 * M_PI * v);
}

void pattern_eight_gaussians(const double uniform[2], double p[2]) {
    double u = uniform[0], z[2];
    double angle = choose(&u, 8) * M_PI / 4;
    normal_pair(u, uniform[1], z);
    p[0] = 0.8 * cos(angle) + 0.05 * z[0];
    p[1] = 0.8 * sin(angle) + 0.05 * z[1];
}

void pattern_gaussian_grid(const double uniform[2], double p[2]) {
    double u = uniform[0], z[2];
    int cell = choose(&u, 25);
    normal_pair(u, uniform[1], z);
    for (int j = 0; j < 2; j++)
        p[j] = ((j == 0 ? cell % 5 : cell / 5) - 2) * 0.4 + 0.04 * z[j];
}

/* Five Gaussians, long along the radius and thin across it, wound up: the angle grows with the
 * exponential of the radius (as in the data of Johnson et al. 2016). */
void pattern_pinwheel(const double uniform[2], double p[2]) {
    double u = uniform[0], z[2];
    int arm = choose(&u, 5);
    normal_pair(u, uniform[1], z);
    double x = 1 + 0.3 * z[0], y = 0.05 * z[1];
    double angle = 2 * M_PI * arm / 5 + 0.25 * exp(x);
    p[0] = (x * cos(angle) - y * sin(angle)) / 2;
    p[1] = (x * sin(angle) + y * cos(angle)) / 2;
}
