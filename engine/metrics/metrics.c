/*
 * metrics.c - distances between two sets of points. Each metric has a function, and a row in the
 * table at the end. All loops over pairs run in a fixed order.
 */
#include <math.h>
#include <stdlib.h>

#include "engine/base/columns.h"
#include "engine/base/random.h"
#include "engine/denoise.h"
#include "engine/internal.h"
#include "engine/metrics/assignment.h"
#include "engine/model/memory.h"

enum { ROWS_PER_STOP = 64 };

/* Both sets, axis by axis, and a row of distances to the points of one of them. */
struct pair {
    const struct dn_points *x, *y;
    struct columns x_columns, y_columns;
    double *row;
    const struct dn_breaks *breaks;
    struct dn_error *error;
};

static void pair_clear(struct pair *pair) {
    columns_clear(&pair->x_columns);
    columns_clear(&pair->y_columns);
    free(pair->row);
}

static size_t row_bytes(size_t n, size_t m) {
    return (n > m ? n : m) * sizeof(double);
}

size_t pair_bytes(size_t n, size_t m, size_t dim) {
    return columns_bytes(n, dim) + columns_bytes(m, dim) + row_bytes(n, m);
}

static enum dn_status pair_init(struct pair *pair) {
    enum dn_status status = columns_init(&pair->x_columns, pair->x, pair->error);
    if (status == DN_OK)
        status = columns_init(&pair->y_columns, pair->y, pair->error);
    if (status == DN_OK && !(pair->row = malloc(row_bytes(pair->x->n, pair->y->n))))
        status = error_set(pair->error, DN_NO_MEMORY, "out of memory");
    return status;
}

static const float *point_of(const struct dn_points *points, size_t i) {
    return points->points + i * (size_t)points->dim;
}

static enum dn_status pair_break(const struct pair *pair, size_t row) {
    return row % ROWS_PER_STOP == 0 ? break_check(pair->breaks, pair->error) : DN_OK;
}

/* ------------------------------------------------------------------ sums over pairs */

/* A function of squared distances, applied to a whole row. */
typedef void (*row_function)(double *row, size_t n, double parameter);

static void square_roots(double *row, size_t n, double unused) {
    (void)unused;
    for (size_t i = 0; i < n; i++)
        row[i] = sqrt(row[i]);
}

static void gaussians(double *row, size_t n, double rate) {
    for (size_t i = 0; i < n; i++)
        row[i] = exp(-rate * row[i]);
}

/* The mean of the function over all pairs of a point of `from` and one of `to`. */
static enum dn_status mean_over_pairs(const struct pair *pair, const struct dn_points *from,
                                      const struct columns *to, row_function function,
                                      double parameter, double *mean) {
    enum dn_status status = DN_OK;
    double sum = 0;
    for (size_t i = 0; i < from->n && (status = pair_break(pair, i)) == DN_OK; i++) {
        columns_squares(to, point_of(from, i), 0, pair->row);
        function(pair->row, to->n, parameter);
        sum += sum_of(pair->row, to->n);
    }
    *mean = sum / ((double)from->n * (double)to->n);
    return status;
}

/* The same within one set, where the pairs (i, j) and (j, i) are equal and `self` is the value of
 * the pairs (i, i). */
static enum dn_status mean_within(const struct pair *pair, const struct dn_points *set,
                                  const struct columns *columns, row_function function,
                                  double parameter, double self, double *mean) {
    enum dn_status status = DN_OK;
    double sum = 0;
    for (size_t i = 0; i + 1 < set->n && (status = pair_break(pair, i)) == DN_OK; i++) {
        columns_squares(columns, point_of(set, i), i + 1, pair->row);
        function(pair->row, set->n - i - 1, parameter);
        sum += sum_of(pair->row, set->n - i - 1);
    }
    *mean = (2 * sum / (double)set->n + self) / (double)set->n;
    return status;
}

/* 2 E f(X, Y) - E f(X, X') - E f(Y, Y'). */
static enum dn_status contrast(const struct pair *pair, row_function function, double parameter,
                               double self, double *result) {
    double across = 0, within_x = 0, within_y = 0;
    enum dn_status status =
        mean_over_pairs(pair, pair->x, &pair->y_columns, function, parameter, &across);
    if (status == DN_OK)
        status = mean_within(pair, pair->x, &pair->x_columns, function, parameter, self, &within_x);
    if (status == DN_OK)
        status = mean_within(pair, pair->y, &pair->y_columns, function, parameter, self, &within_y);
    *result = 2 * across - within_x - within_y;
    return status;
}

static enum dn_status energy_distance(struct pair *pair, double *result) {
    return contrast(pair, square_roots, 0, 0, result);
}

static int compare_doubles(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median squared distance between the first points of the reference. */
static enum dn_status median_square(const struct pair *pair, double *median) {
    enum { MAX = 512 };
    const struct dn_points *y = pair->y;
    const size_t n = y->n < MAX ? y->n : MAX, pairs = n * (n - 1) / 2;
    double *squares = malloc((pairs + y->n) * sizeof *squares), *end = squares;
    if (!squares)
        return error_set(pair->error, DN_NO_MEMORY, "out of memory");
    for (size_t i = 0; i + 1 < n; i++, end += n - i) {
        columns_squares(&pair->y_columns, point_of(y, i), i + 1, pair->row);
        for (size_t j = 0; j < n - i - 1; j++)
            end[j] = pair->row[j];
    }
    qsort(squares, pairs, sizeof *squares, compare_doubles);
    *median = pairs > 0 ? squares[pairs / 2] : 0;
    free(squares);
    return DN_OK;
}

static enum dn_status mmd(struct pair *pair, double *result) {
    double median = 0, value = 0;
    enum dn_status status = median_square(pair, &median);
    if (status == DN_OK)
        status = contrast(pair, gaussians, median > 0 ? 1 / (2 * median) : 1, 1, &value);
    *result = fmax(-value, 0); /* a kernel is large where points are close */
    return status;
}

/* ------------------------------------------------------------------ nearest points */

static enum dn_status sum_of_nearest_squares(const struct pair *pair, const struct dn_points *from,
                                             const struct columns *to, double *sum) {
    enum dn_status status = DN_OK;
    for (size_t i = 0; i < from->n && (status = pair_break(pair, i)) == DN_OK; i++) {
        columns_squares(to, point_of(from, i), 0, pair->row);
        *sum += least_of(pair->row, to->n);
    }
    return status;
}

static enum dn_status chamfer(struct pair *pair, double *result) {
    *result = 0;
    enum dn_status status = sum_of_nearest_squares(pair, pair->x, &pair->y_columns, result);
    if (status == DN_OK)
        status = sum_of_nearest_squares(pair, pair->y, &pair->x_columns, result);
    return status;
}

/* The k-th smallest value; k is small. */
static double kth_smallest(const double *values, size_t n, size_t k) {
    double best[8];
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (count == k && values[i] >= best[k - 1])
            continue;
        size_t place = count < k ? count++ : k - 1;
        for (; place > 0 && best[place - 1] > values[i]; place--)
            best[place] = best[place - 1];
        best[place] = values[i];
    }
    return best[k - 1];
}

static enum dn_status coverage(struct pair *pair, double *result) {
    enum { NEIGHBORS = 5 };
    const struct dn_points *y = pair->y;
    if (y->n <= NEIGHBORS)
        return error_set(pair->error, DN_INVALID, "coverage needs more than %d points", NEIGHBORS);
    enum dn_status status = DN_OK;
    size_t covered = 0;
    for (size_t i = 0; i < y->n && (status = pair_break(pair, i)) == DN_OK; i++) {
        columns_squares(&pair->y_columns, point_of(y, i), 0, pair->row);
        pair->row[i] = INFINITY; /* a point is not its own neighbor */
        const double radius = kth_smallest(pair->row, y->n, NEIGHBORS);
        columns_squares(&pair->x_columns, point_of(y, i), 0, pair->row);
        covered += least_of(pair->row, pair->x->n) <= radius;
    }
    *result = (double)covered / (double)y->n;
    return status;
}

static size_t place_of(const double *values, size_t n, double value) {
    size_t place = 0;
    while (place + 1 < n && values[place] != value)
        place++;
    return place;
}

enum dn_status dn_nearest(const struct dn_points *x, const struct dn_points *reference,
                          double *distances, int32_t *places, const struct dn_breaks *breaks,
                          struct dn_error *error) {
    struct pair pair = {.x = x, .y = reference, .breaks = breaks, .error = error};
    if (reference->n == 0 || reference->dim != x->dim)
        return error_set(error, DN_INVALID,
                         "there are no points of this dimension to compare with");
    enum dn_status status = pair_init(&pair);
    for (size_t i = 0; i < x->n && status == DN_OK; i++) {
        columns_squares(&pair.y_columns, point_of(x, i), 0, pair.row);
        const double least = least_of(pair.row, reference->n);
        if (distances)
            distances[i] = sqrt(least);
        if (places)
            places[i] = (int32_t)place_of(pair.row, reference->n, least);
        status = break_check(breaks, error);
    }
    pair_clear(&pair);
    return status;
}

/* ------------------------------------------------------------------ transport */

/* Squared W2 of two sorted sets of numbers: each x has mass m, each y mass n, and the mass moves in
 * order. */
static double sorted_transport(const double *x, size_t n, const double *y, size_t m) {
    double sum = 0;
    size_t i = 0, j = 0, left_x = m, left_y = n;
    while (i < n && j < m) {
        const size_t moved = left_x < left_y ? left_x : left_y;
        sum += (double)moved * (x[i] - y[j]) * (x[i] - y[j]);
        left_x -= moved, left_y -= moved;
        if (left_x == 0)
            i++, left_x = m;
        if (left_y == 0)
            j++, left_y = n;
    }
    return sum / ((double)n * (double)m);
}

static void project(const struct columns *columns, const double *direction, double *out) {
    for (size_t i = 0; i < columns->n; i++)
        out[i] = 0;
    for (int j = 0; j < columns->dim; j++)
        for (size_t i = 0; i < columns->n; i++)
            out[i] += direction[j] * columns->at[(size_t)j * columns->n + i];
    qsort(out, columns->n, sizeof *out, compare_doubles);
}

/* The k-th direction: a normal vector, at unit length. */
static void direction_draw(int k, int dim, double direction[DN_MAX_DIM]) {
    float normals[DN_MAX_DIM];
    double square = 0;
    random_normals(kernels_get(), 0, RANDOM_DIRECTION, (uint32_t)k, 0, (size_t)dim, normals);
    for (int j = 0; j < dim; j++)
        square += (double)normals[j] * (double)normals[j];
    for (int j = 0; j < dim; j++)
        direction[j] = (double)normals[j] / sqrt(square);
}

static enum dn_status sliced_wasserstein(struct pair *pair, double *result) {
    enum { DIRECTIONS = 128 };
    const size_t n = pair->x->n, m = pair->y->n;
    double *values = malloc((n + m) * sizeof *values), sum = 0;
    enum dn_status status = DN_OK;
    if (!values)
        return error_set(pair->error, DN_NO_MEMORY, "out of memory");
    for (int k = 0; k < DIRECTIONS && status == DN_OK; k++) {
        double direction[DN_MAX_DIM] = {0};
        direction_draw(k, pair->x->dim, direction);
        project(&pair->x_columns, direction, values);
        project(&pair->y_columns, direction, values + n);
        sum += sorted_transport(values, n, values + n, m);
        status = break_check(pair->breaks, pair->error);
    }
    free(values);
    *result = sqrt(sum / DIRECTIONS);
    return status;
}

/* An upper limit on all squared distances: the squared diagonal of the box around all points. */
static double largest_square(const struct pair *pair) {
    double square = 0;
    for (int j = 0; j < pair->x->dim; j++) {
        double low = INFINITY, high = -INFINITY;
        for (int set = 0; set < 2; set++) {
            const struct columns *columns = set ? &pair->y_columns : &pair->x_columns;
            const double *axis = columns->at + (size_t)j * columns->n;
            for (size_t i = 0; i < columns->n; i++) {
                low = fmin(low, axis[i]);
                high = fmax(high, axis[i]);
            }
        }
        square += (high - low) * (high - low);
    }
    return square > 0 ? square : 1;
}

static enum dn_status wasserstein(struct pair *pair, double *result) {
    const size_t n = pair->x->n;
    if (pair->y->n != n || n > DN_MAX_ASSIGNMENT)
        return error_set(pair->error, DN_INVALID,
                         "two sets of the same size, at most %d points, are needed",
                         DN_MAX_ASSIGNMENT);
    float *cost = calloc(n * n, sizeof *cost);
    int32_t *column_of = malloc(n * sizeof *column_of);
    if (!cost || !column_of) {
        free(cost);
        free(column_of);
        return error_set(pair->error, DN_NO_MEMORY, "out of memory");
    }
    const double scale = 1 / largest_square(pair);
    for (size_t i = 0; i < n; i++) {
        columns_squares(&pair->y_columns, point_of(pair->x, i), 0, pair->row);
        for (size_t j = 0; j < n; j++)
            cost[i * n + j] = (float)(scale * pair->row[j]); /* 0..1, whatever the units */
    }
    enum dn_status status = assignment_solve(n, cost, column_of, pair->breaks, pair->error);
    double sum = 0;
    for (size_t i = 0; i < n && status == DN_OK; i++) {
        const float *from = point_of(pair->x, i), *to = point_of(pair->y, (size_t)column_of[i]);
        for (int j = 0; j < pair->x->dim; j++)
            sum += ((double)from[j] - (double)to[j]) * ((double)from[j] - (double)to[j]);
    }
    *result = sqrt(sum / (double)n);
    free(cost);
    free(column_of);
    return status;
}

/* ------------------------------------------------------------------ the table */

static enum dn_status (*const functions[DN_METRIC_COUNT])(struct pair *, double *) = {
    [DN_ENERGY_DISTANCE] = energy_distance,
    [DN_SLICED_WASSERSTEIN] = sliced_wasserstein,
    [DN_WASSERSTEIN] = wasserstein,
    [DN_MMD] = mmd,
    [DN_CHAMFER] = chamfer,
    [DN_COVERAGE] = coverage,
};
const char *const dn_metric_names[] = {
    [DN_ENERGY_DISTANCE] = "energy_distance",
    [DN_SLICED_WASSERSTEIN] = "sliced_wasserstein",
    [DN_WASSERSTEIN] = "wasserstein",
    [DN_MMD] = "mmd",
    [DN_CHAMFER] = "chamfer",
    [DN_COVERAGE] = "coverage",
    [DN_METRIC_COUNT] = NULL,
};

enum dn_status dn_metric(enum dn_metric which, const struct dn_points *x,
                         const struct dn_points *reference, double *result,
                         const struct dn_breaks *breaks, struct dn_error *error) {
    if (x->n == 0 || reference->n == 0 || x->dim != reference->dim || x->dim < 1 ||
        x->dim > DN_MAX_DIM)
        return error_set(error, DN_INVALID,
                         "a metric needs two sets of points of the same dimension");
    if (!all_finite(x->points, x->n * (size_t)x->dim) ||
        !all_finite(reference->points, reference->n * (size_t)reference->dim))
        return error_set(error, DN_INVALID, "some points are not finite");
    struct pair pair = {.x = x, .y = reference, .breaks = breaks, .error = error};
    double value = NAN;
    enum dn_status status = pair_init(&pair);
    if (status == DN_OK)
        status = functions[which](&pair, &value);
    pair_clear(&pair);
    if (status == DN_OK)
        *result = value;
    return status;
}
