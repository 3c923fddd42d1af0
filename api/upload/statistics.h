/*
 * statistics.h - summary statistics of a set of points.
 */
#ifndef API_UPLOAD_STATISTICS_H
#define API_UPLOAD_STATISTICS_H

#include <stdint.h>

#include "api/contract/json.h"

struct point_table {
    const float *points; /* [n][dim] */
    size_t n;
    int dim;
    const int32_t *labels; /* [n] in 0..classes-1; NULL without labels */
    int classes;
};

/* An object: min, max, mean and std (of the population) [dim], duplicates (points that an earlier
 * one equals; null when there is no memory to count them), class_counts [classes] or null. */
void statistics_write(const struct point_table *table, struct json_writer *json);

/* Two of its members, also of what is not points: of n items of `size` bytes, a multiple of 4, and of
 * labels [n] in 0..classes-1, or NULL. */
void statistics_write_duplicates(const void *points, size_t n, size_t size,
                                 struct json_writer *json);
void statistics_write_counts(const int32_t *labels, size_t n, int classes,
                             struct json_writer *json);

#endif
