/*
 * frechet.c - the Frechet distance of two sets of points, each seen as a Gaussian.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"

enum { POINTS_PER_BREAK = 256, MAX_SWEEPS = 64 };

/* The covariance [dim][dim] of points, over n - 1, and their mean [dim]. centered [dim] is room to
 * work. */
static enum dn_status covariance_of(const struct dn_points *points, double *mean,
                                    double *covariance, double *centered,
                                    const struct dn_breaks *breaks, struct dn_error *error) {
    const size_t n = points->n, dim = (size_t)points->dim;
    enum dn_status status = DN_OK;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < dim; j++)
            mean[j] += points->points[i * dim + j] / (double)n;
    for (size_t i = 0; i < n && status == DN_OK; i++) {
        for (size_t j = 0; j < dim; j++)
            centered[j] = points->points[i * dim + j] - mean[j];
        for (size_t j = 0; j < dim; j++)
            for (size_t k = 0; k <= j; k++)
                covariance[j * dim + k] += centered[j] * centered[k];
        if (i % POINTS_PER_BREAK == 0)
            status = break_check(breaks, error);
    }
    for (size_t j = 0; j < dim; j++)
        for (size_t k = 0; k <= j; k++)
            covariance[k * dim + j] = covariance[j * dim + k] /= (double)(n - 1);
    return status;
}

/* ------------------------------------------------------------------ eigenvalues */

static void turn_rows(size_t dim, double *a, double *b, double c, double s) {
    for (size_t k = 0; k < dim; k++) {
        const double x = a[k], y = b[k];
        a[k] = c * x - s * y;
        b[k] = s * x + c * y;
    }
}

/* Makes a[p][q] 0 by a rotation of both rows and columns. */
static void rotate(size_t dim, double *a, double *vectors, size_t p, size_t q) {
    const double between = a[p * dim + q];
    if (between == 0)
        return;
    const double tau = (a[q * dim + q] - a[p * dim + p]) / (2 * between);
    const double t = (tau < 0 ? -1 : 1) / (fabs(tau) + hypot(1, tau));
    const double c = 1 / hypot(1, t), s = t * c;
    turn_rows(dim, a + p * dim, a + q * dim, c, s);
    for (size_t k = 0; k < dim; k++) {
        const double x = a[k * dim + p], y = a[k * dim + q];
        a[k * dim + p] = c * x - s * y;
        a[k * dim + q] = s * x + c * y;
    }
    a[p * dim + q] = a[q * dim + p] = 0;
    if (vectors)
        turn_rows(dim, vectors + p * dim, vectors + q * dim, c, s);
}

/* The sum of squares of a symmetric matrix: of all of it, and of what is not on the diagonal. */
static void squares_of(size_t dim, const double *a, double *all, double *off) {
    *all = *off = 0;
    for (size_t j = 0; j < dim; j++)
        for (size_t k = 0; k < dim; k++) {
            const double square = a[j * dim + k] * a[j * dim + k];
            *all += square;
            *off += j == k ? 0 : square;
        }
}

/* The diagonal of the symmetric a [dim][dim] becomes its eigenvalues, and the rows of vectors, unless
 * it is NULL, the eigenvectors: Jacobi's method (Golub & Van Loan, "Matrix Computations", 8.5). */
static enum dn_status diagonalize(size_t dim, double *a, double *vectors,
                                  const struct dn_breaks *breaks, struct dn_error *error) {
    enum dn_status status = DN_OK;
    for (size_t j = 0; j < dim && vectors; j++)
        vectors[j * dim + j] = 1;
    for (int sweep = 0; sweep < MAX_SWEEPS && status == DN_OK; sweep++) {
        double all, off;
        squares_of(dim, a, &all, &off);
        if (off <= 1e-30 * all)
            break;
        for (size_t p = 0; p < dim && status == DN_OK; p++) {
            for (size_t q = p + 1; q < dim; q++)
                rotate(dim, a, vectors, p, q);
            status = break_check(breaks, error);
        }
    }
    return status;
}

static double root(double square) { /* rounding may have left less than 0 */
    return sqrt(fmax(0, square));
}

/* ------------------------------------------------------------------ the distance */

/* tr (X Y)^(1/2) for covariances x and y, of which it makes something else. With X = A A^T, the
 * eigenvalues of X Y are those of the symmetric A^T Y A. */
static enum dn_status trace_of_root(size_t dim, double *x, double *y, double *a, double *trace,
                                    const struct dn_breaks *breaks, struct dn_error *error) {
    enum dn_status status = diagonalize(dim, x, a, breaks, error);
    if (status != DN_OK)
        return status;
    for (size_t j = 0; j < dim; j++) /* the rows of A^T */
        for (size_t k = 0, at = j * dim; k < dim; k++)
            a[at + k] *= root(x[j * dim + j]);
    memset(x, 0, dim * dim * sizeof *x);
    for (size_t i = 0; i < dim; i++) /* A^T Y */
        for (size_t j = 0; j < dim; j++)
            for (size_t k = 0; k < dim; k++)
                x[i * dim + k] += a[i * dim + j] * y[j * dim + k];
    for (size_t i = 0; i < dim; i++)
        for (size_t j = 0; j <= i; j++) {
            double sum = 0;
            for (size_t k = 0; k < dim; k++)
                sum += x[i * dim + k] * a[j * dim + k];
            y[i * dim + j] = y[j * dim + i] = sum;
        }
    status = diagonalize(dim, y, NULL, breaks, error);
    *trace = 0;
    for (size_t j = 0; j < dim; j++)
        *trace += root(y[j * dim + j]);
    return status;
}

static enum dn_status distance_of(const struct dn_points *x, const struct dn_points *y,
                                  double *room, double *result, const struct dn_breaks *breaks,
                                  struct dn_error *error) {
    const size_t dim = (size_t)x->dim, square = dim * dim;
    double *of_x = room, *of_y = room + square, *a = room + 2 * square;
    double *mean_x = room + 3 * square, *mean_y = mean_x + dim, *centered = mean_y + dim;
    double sum = 0, trace = 0;
    enum dn_status status = covariance_of(x, mean_x, of_x, centered, breaks, error);
    if (status == DN_OK)
        status = covariance_of(y, mean_y, of_y, centered, breaks, error);
    for (size_t j = 0; j < dim; j++)
        sum += (mean_x[j] - mean_y[j]) * (mean_x[j] - mean_y[j]) + of_x[j * dim + j] +
               of_y[j * dim + j];
    if (status == DN_OK)
        status = trace_of_root(dim, of_x, of_y, a, &trace, breaks, error);
    if (status == DN_OK)
        *result = fmax(0, sum - 2 * trace);
    return status;
}

enum dn_status dn_frechet_distance(const struct dn_points *x, const struct dn_points *y,
                                   double *result, const struct dn_breaks *breaks,
                                   struct dn_error *error) {
    if (x->dim < 1 || x->dim > DN_MAX_FRECHET_DIM || x->dim != y->dim || x->n < 2 || y->n < 2)
        return error_set(error, DN_INVALID,
                         "two or more points of equal dimension, up to %d, are needed in each set",
                         DN_MAX_FRECHET_DIM);
    const size_t dim = (size_t)x->dim;
    if (!all_finite(x->points, x->n * dim) || !all_finite(y->points, y->n * dim))
        return error_set(error, DN_INVALID, "a point is not finite");
    double *room = calloc(3 * dim * dim + 3 * dim, sizeof *room);
    if (!room)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    const enum dn_status status = distance_of(x, y, room, result, breaks, error);
    free(room);
    return status;
}
