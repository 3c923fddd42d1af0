#include "engine/base/columns.h"

#include <math.h>
#include <stdlib.h>

#include "engine/internal.h"

size_t columns_bytes(size_t n, size_t dim) {
    return (n * dim + 1) * sizeof(double);
}

enum dn_status columns_init(struct columns *columns, const struct dn_points *points,
                            struct dn_error *error) {
    const size_t n = points->n, dim = (size_t)points->dim;
    columns->n = n;
    columns->dim = points->dim;
    columns->at = malloc(columns_bytes(n, dim));
    if (!columns->at)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < dim; j++)
            columns->at[j * n + i] = (double)points->points[i * dim + j];
    return DN_OK;
}

void columns_clear(struct columns *columns) {
    free(columns->at);
    columns->at = NULL;
}

void columns_squares(const struct columns *columns, const float *point, size_t first,
                     double *restrict squares) {
    const size_t count = columns->n - first;
    for (int j = 0; j < columns->dim; j++) {
        const double *axis = columns->at + (size_t)j * columns->n + first, x = (double)point[j];
        if (j == 0)
            for (size_t i = 0; i < count; i++)
                squares[i] = (axis[i] - x) * (axis[i] - x);
        else
            for (size_t i = 0; i < count; i++)
                squares[i] += (axis[i] - x) * (axis[i] - x);
    }
}

enum { LANES = 8 };

double sum_of(const double *values, size_t n) {
    double lane[LANES] = {0}, sum = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t l = 0; l < LANES; l++)
            lane[l] += values[i + l];
    for (; i < n; i++)
        sum += values[i];
    for (size_t l = 0; l < LANES; l++)
        sum += lane[l];
    return sum;
}

double least_of(const double *values, size_t n) {
    double lane[LANES], least = INFINITY;
    size_t i = 0;
    for (size_t l = 0; l < LANES; l++)
        lane[l] = INFINITY;
    for (; i + LANES <= n; i += LANES)
        for (size_t l = 0; l < LANES; l++)
            lane[l] = values[i + l] < lane[l] ? values[i + l] : lane[l];
    for (; i < n; i++)
        least = values[i] < least ? values[i] : least;
    for (size_t l = 0; l < LANES; l++)
        least = lane[l] < least ? lane[l] : least;
    return least;
}
