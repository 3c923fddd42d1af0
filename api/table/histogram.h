/*
 * histogram.h - how the values of a column are distributed, in a few numbers.
 */
#ifndef API_TABLE_HISTOGRAM_H
#define API_TABLE_HISTOGRAM_H

#include "api/contract/json.h"
#include "api/table/column_view.h"

enum { HISTOGRAM_PARTS = 20 };

/* Counts the rows of a column whose type, range and levels are known, and whose view has the values.
 * The counts go to the arena; arena->failed: no memory. */
void histogram_make(const struct column_view *view, struct column *column);

/* {"start", "width", "counts"}, or null. */
void histogram_write(const struct column_histogram *histogram, struct json_writer *json);

#endif
