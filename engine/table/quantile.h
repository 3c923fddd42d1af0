/*
 * quantile.h - rank to normal: maps between the values of a table's columns and normal scores.
 */
#ifndef ENGINE_TABLE_QUANTILE_H
#define ENGINE_TABLE_QUANTILE_H

#include "engine/base/serial.h"
#include "engine/denoise.h"
#include "engine/table/ranks.h"

/* The maps of all columns of a table. */
struct quantiles {
    int dim;
    struct dn_quantile columns[DN_MAX_DIM]; /* each owns one block, at `values` */
};

/* A table [n][dim], as double or as float; one of the two pointers is set. NaN: missing. */
struct quantile_table {
    size_t n;
    int dim;
    const double *values;
    const float *points;
};

/* Fits a map to each column, and writes the ranks of all cells. n is 1..DN_MAX_POINTS. After an
 * error (DN_NO_MEMORY), nothing is left in out. */
enum dn_status quantiles_fit(const struct quantile_table *table, struct quantiles *out,
                             struct ranks *ranks, struct dn_error *error);
/* Bytes that this uses besides the results, for a while; and the most bytes of its maps. */
size_t quantiles_fit_bytes(size_t n);
size_t quantiles_bytes(size_t n, int dim);

void quantiles_clear(struct quantiles *quantiles);
enum dn_status quantiles_copy(const struct quantiles *from, struct quantiles *to,
                              struct dn_error *error);
/* DN_INVALID, and why, unless each map is as dn_quantile says. */
enum dn_status quantiles_check(const struct quantiles *quantiles, struct dn_error *error);

/* A serial that reads allocates the maps: clear them, also after a failure. */
void quantiles_serial(struct serial *serial, struct quantiles *quantiles, int dim);

/* The normal score of a value: of the middle of its interval, or of the place `within` (0..1) of
 * it. A value that was not seen lies between its neighbors; one beyond all of them counts as
 * the nearest. What was never missing, or always, has the lowest score for the other case. */
double quantile_forward(const struct dn_quantile *column, double value, double within);
/* The value of a normal score; NaN: missing. */
double quantile_backward(const struct dn_quantile *column, double score);
/* How far a value beyond all that were seen is from the score of the nearest one: the distance in the
 * column's width, times that of the scores, at most QUANTILE_MOST_BEYOND. Otherwise 0. */
#define QUANTILE_MOST_BEYOND 6.0
double quantile_beyond(const struct dn_quantile *column, double value);
/* The share of rows with exactly this value: the length of its interval. 0: it has none, because
 * the column interpolates there. A value that was not seen where nothing is interpolated, or that is
 * missing where none was, counts half as much as the rarest. */
double quantile_frequency(const struct dn_quantile *column, double value);
/* The lowest and the highest score that training can draw. */
void quantile_range(const struct dn_quantile *column, double *low, double *high);

#endif
