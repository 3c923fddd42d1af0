/*
 * columns.h - points stored axis by axis, so that distances from one point to all others are plain
 * loops over arrays, which the compiler vectorizes.
 */
#ifndef ENGINE_BASE_COLUMNS_H
#define ENGINE_BASE_COLUMNS_H

#include "engine/denoise.h"

struct columns {
    size_t n;
    int dim;
    double *at; /* [dim][n] */
};

enum dn_status columns_init(struct columns *columns, const struct dn_points *points,
                            struct dn_error *error);
size_t columns_bytes(size_t n, size_t dim); /* bytes allocated */
void columns_clear(struct columns *columns);

/* Squared distances from a point [dim] to points first..n-1, into squares [n - first]. */
void columns_squares(const struct columns *columns, const float *point, size_t first,
                     double *squares);

/* Sums and minima in a fixed order that fills vector registers. */
double sum_of(const double *values, size_t n);
double least_of(const double *values, size_t n); /* INFINITY if n is 0 */

#endif
