/*
 * assignment.h - the linear assignment problem: n rows to n columns at the minimum total cost.
 */
#ifndef ENGINE_METRICS_ASSIGNMENT_H
#define ENGINE_METRICS_ASSIGNMENT_H

#include <stddef.h>
#include <stdint.h>

#include "engine/denoise.h"

/* Finds the column of each row, column_of [n], that minimizes the sum of cost [n][n]; exact up to
 * the rounding of double sums of costs. Jonker & Volgenant 1987, "A shortest augmenting path
 * algorithm for dense and sparse linear assignment problems": column reduction, augmenting row
 * reduction, then a shortest path (Dijkstra) for each row that is still free. O(n^3). */
enum dn_status assignment_solve(size_t n, const float *cost, int32_t *column_of,
                                const struct dn_breaks *breaks, struct dn_error *error);

#endif
