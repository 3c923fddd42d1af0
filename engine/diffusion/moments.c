/*
 * moments.c - see moments.h.
 */
#include "engine/diffusion/moments.h"

#include <float.h>
#include <math.h>

#include "engine/internal.h"

int moments_nodes(const struct dn_diffusion_spec *spec) {
    const double signal = schedule_last_signal(spec), power = signal * signal;
    const int T = spec->timesteps;
    if (!(power < 1 && dn_snr_is_noise(power / (1 - power))))
        return 0;
    return T < MOMENTS_NODES ? T : MOMENTS_NODES;
}

int moments_timestep(int nodes, int timesteps, int i) {
    return nodes == 1 ? timesteps : 1 + (i * (timesteps - 1) + (nodes - 1) / 2) / (nodes - 1);
}

/* ------------------------------------------------------------------ mean and covariance */

/* A symmetric matrix [dim][dim], and the rotation that has been applied to it. */
struct rotated {
    size_t dim;
    double a[DN_MAX_DIM * DN_MAX_DIM];
    double axes[DN_MAX_DIM * DN_MAX_DIM]; /* row k: axis k */
};

static void take_covariance(struct rotated *matrix, const double *mean, const float *points,
                            size_t n) {
    const size_t dim = matrix->dim;
    double d[DN_MAX_DIM];
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < dim; j++)
            d[j] = (double)points[i * dim + j] - mean[j];
        for (size_t j = 0; j < dim; j++)
            for (size_t k = 0; k <= j; k++)
                matrix->a[j * dim + k] += d[j] * d[k];
    }
    for (size_t j = 0; j < dim; j++) {
        matrix->axes[j * dim + j] = 1;
        for (size_t k = 0; k <= j; k++)
            matrix->a[k * dim + j] = matrix->a[j * dim + k] /= (double)n;
    }
}

/* (x, y) <- (c x - s y, s x + c y) */
static void rotate(double *x, double *y, double c, double s) {
    const double old = *x;
    *x = c * old - s * *y;
    *y = s * old + c * *y;
}

/* Rotates the axes p and q so that a[p][q] becomes 0 (Golub & Van Loan, "Matrix computations",
 * algorithm 8.5.1). */
static void annihilate(struct rotated *matrix, size_t p, size_t q) {
    const size_t dim = matrix->dim;
    double *a = matrix->a;
    const double tau = (a[q * dim + q] - a[p * dim + p]) / (2 * a[p * dim + q]);
    const double t = (tau >= 0 ? 1 : -1) / (fabs(tau) + sqrt(1 + tau * tau));
    const double c = 1 / sqrt(1 + t * t), s = t * c;
    for (size_t k = 0; k < dim; k++)
        rotate(&a[k * dim + p], &a[k * dim + q], c, s);
    for (size_t k = 0; k < dim; k++) {
        rotate(&a[p * dim + k], &a[q * dim + k], c, s);
        rotate(&matrix->axes[p * dim + k], &matrix->axes[q * dim + k], c, s);
    }
    a[p * dim + q] = a[q * dim + p] = 0;
}

/* Jacobi's method, row by row. It converges quadratically: a few sweeps are enough, and the number
 * is a guard only. */
static void diagonalize(struct rotated *matrix) {
    enum { MAX_SWEEPS = 30 };
    const size_t dim = matrix->dim;
    double *a = matrix->a;
    for (int sweep = 0; sweep < MAX_SWEEPS; sweep++) {
        bool is_diagonal = true;
        for (size_t p = 0; p < dim; p++)
            for (size_t q = p + 1; q < dim; q++) {
                const double limit = 1e-15 * sqrt(a[p * dim + p]) * sqrt(a[q * dim + q]);
                if (!(fabs(a[p * dim + q]) > limit))
                    continue;
                annihilate(matrix, p, q);
                is_diagonal = false;
            }
        if (is_diagonal)
            return;
    }
}

/* The axes in the order of their variance; the largest coordinate of each is positive. */
static void take_axes(struct moments *moments, const struct rotated *matrix) {
    const size_t dim = matrix->dim;
    bool taken[DN_MAX_DIM] = {false};
    for (size_t k = 0; k < dim; k++) {
        size_t widest = dim, largest = 0;
        for (size_t p = 0; p < dim; p++)
            if (!taken[p] &&
                (widest == dim || matrix->a[p * dim + p] > matrix->a[widest * (dim + 1)]))
                widest = p;
        taken[widest] = true;
        const double *axis = matrix->axes + widest * dim;
        for (size_t j = 0; j < dim; j++)
            if (fabs(axis[j]) > fabs(axis[largest]))
                largest = j;
        for (size_t j = 0; j < dim; j++)
            moments->axes[k * dim + j] = (float)(axis[largest] < 0 ? -axis[j] : axis[j]);
        moments->variance[k] = (float)fmin(fmax(matrix->a[widest * (dim + 1)], 0), FLT_MAX);
    }
}

void moments_fit(struct moments *moments, int nodes, const float *points, size_t n, int dim) {
    struct rotated matrix = {.dim = (size_t)dim};
    double mean[DN_MAX_DIM] = {0};
    *moments = (struct moments){.dim = dim, .nodes = nodes};
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < matrix.dim; j++)
            mean[j] += (double)points[i * matrix.dim + j];
    for (size_t j = 0; j < matrix.dim; j++) {
        mean[j] /= (double)n;
        moments->mean[j] = (float)mean[j];
    }
    take_covariance(&matrix, mean, points, n);
    diagonalize(&matrix);
    take_axes(moments, &matrix);
}

/* ------------------------------------------------------------------ what is open */

double moments_open(const struct moments *moments, int timesteps, int t, int axis) {
    const int last = moments->nodes - 1;
    const float *open = moments->open + axis;
    if (last == 0)
        return (double)open[0];
    int i = (t - 1) * last / (timesteps > 1 ? timesteps - 1 : 1);
    while (i > 0 && moments_timestep(moments->nodes, timesteps, i) > t)
        i--;
    while (i + 1 < last && moments_timestep(moments->nodes, timesteps, i + 1) < t)
        i++;
    const int from = moments_timestep(moments->nodes, timesteps, i);
    const int to = moments_timestep(moments->nodes, timesteps, i + 1);
    const double share = (double)(t - from) / (to - from);
    return (1 - share) * (double)open[i * moments->dim] +
           share * (double)open[(i + 1) * moments->dim];
}

/* ------------------------------------------------------------------ from outside */

static bool is_orthonormal(const struct moments *moments) {
    const size_t dim = (size_t)moments->dim;
    for (size_t k = 0; k < dim; k++)
        for (size_t m = 0; m <= k; m++) {
            double product = 0;
            for (size_t j = 0; j < dim; j++)
                product += (double)moments->axes[k * dim + j] * (double)moments->axes[m * dim + j];
            if (!(fabs(product - (k == m)) < 1e-4))
                return false;
        }
    return true;
}

enum dn_status moments_check(const struct moments *moments, struct dn_error *error) {
    if (moments->nodes == 0)
        return DN_OK;
    for (int k = 0; k < moments->dim; k++)
        if (!isfinite(moments->mean[k]) || !isfinite(moments->variance[k]) ||
            !(moments->variance[k] >= 0))
            return error_set(error, DN_INVALID,
                             "moments: mean and variance must be finite, and variance at least 0");
    for (int i = 0; i < moments->nodes * moments->dim; i++)
        if (!(moments->open[i] >= 0 && moments->open[i] <= 1))
            return error_set(error, DN_INVALID, "moments: open must be 0..1");
    if (!is_orthonormal(moments))
        return error_set(error, DN_INVALID, "moments: axes must be orthogonal, of length 1");
    return DN_OK;
}

void moments_serial(struct serial *serial, struct moments *moments) {
    const size_t dim = (size_t)moments->dim;
    if (moments->nodes == 0)
        return;
    serial_block(serial, moments->mean, dim * sizeof *moments->mean);
    serial_block(serial, moments->variance, dim * sizeof *moments->variance);
    serial_block(serial, moments->axes, dim * dim * sizeof *moments->axes);
    serial_block(serial, moments->open, (size_t)moments->nodes * dim * sizeof *moments->open);
}
