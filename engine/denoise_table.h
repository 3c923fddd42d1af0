/*
 * denoise_table.h - the part of denoise.h for tables: columns whose values are mapped to a normal
 * distribution by their ranks. Include denoise.h.
 */
#ifndef DENOISE_TABLE_H
#define DENOISE_TABLE_H
#ifndef DENOISE_H
#error "include denoise.h"
#endif

/* The map of a column between its values and shares u in (0, 1) of its rows, with normalization
 * DN_QUANTILE. The network sees normal scores: Phi^-1(u), at a scale of 1/2. Missing values (NaN)
 * own the lowest shares.
 *
 * A value that is repeated owns an interval of shares, as long as its frequency, and comes back
 * exactly. A column with at most 4096 distinct values of which most are repeated consists of such
 * intervals. Other columns interpolate: values that are repeated often still own an interval, the
 * others lie at the middle of their ranks, with straight lines between them; with more than 4096
 * distinct values, about 1024 of the others are kept. Nothing is ever outside the values that were
 * seen. */
struct dn_quantile {
    double missing;    /* share of missing values, 0..1 */
    bool interpolates; /* see `shares` */
    int count;         /* of values; 0 if all are missing */
    const double *values;
    /* [count] not decreasing, in (missing, 1]. Without interpolation: where the interval of each
     * value ends; the last is 1. With: the share that has this value, with straight lines between
     * neighbors, and the first and last value beyond the ends; an interval is the same value
     * twice. */
    const double *shares;
};
enum { DN_MAX_QUANTILE_COUNT = 5200 };

/* The map of a column of a model, which it still owns. False: the model has another
 * normalization. */
bool dn_model_quantile(const struct dn_model *model, int column, struct dn_quantile *out);

/* With never_missing in a dn_sample_request, cells that come out missing are drawn again, given the
 * row's other cells, up to DN_FILL_PASSES times, if the model can be given any. After that, or
 * otherwise, they have a value of their column alone: its shares u < missing become
 * missing + (1 - missing) u / missing. Only a column without any value, or a cell that is known to be
 * missing, stays so. */
enum { DN_FILL_PASSES = 3 };

/* How many points of each class the model was trained and validated on, into counts [classes].
 * False: unknown, or no classes. */
bool dn_model_class_counts(const struct dn_model *model, int32_t *counts);

/* ------------------------------------------------------------------ columns that go together */

/* A column of n rows as codes 0..levels-1, all of which occur; a missing value has a code of its
 * own. */
struct dn_codes {
    const int32_t *codes; /* [n] */
    int levels;
};

/* Which columns follow from others: from[c] is a column of which each code always comes with the
 * same code of c, or -1. Such a column has 2..DN_MAX_LEVELS levels, and follows from one with at most
 * n / 20 that does not follow from any; of several, from the one with the fewest levels. Columns
 * are tried from the last to the first. The column `kept` never follows; -1: any may. DN_NO_MEMORY. */
enum { DN_MAX_LEVELS = 256 };
enum dn_status dn_columns_follow(const struct dn_codes *columns, int count, size_t n, int kept,
                                 int *from, struct dn_error *error);
/* Writes the code of `to` that comes with each code of `from` into map [from->levels]. */
void dn_columns_map(const struct dn_codes *from, const struct dn_codes *to, size_t n, int32_t *map);

/* Codes for a column of numbers: at most 10 intervals with about the same number of rows, and one
 * for missing values (NaN). Writes codes [n], and returns how many there are through `levels`.
 * DN_NO_MEMORY. */
enum dn_status dn_columns_bin(const double *values, size_t n, int32_t *codes, int *levels,
                              struct dn_error *error);

/* The order of a column's levels along the first axis of a correspondence analysis with all other
 * columns of at most DN_MAX_LEVELS levels (Greenacre 1984, "Theory and Applications of
 * Correspondence Analysis"): levels that come with similar values of the other columns are close.
 * Writes the codes of columns[which], which has at most DN_MAX_LEVELS, in this order into order
 * [levels]. Levels at the same place are in the order of their frequencies, the highest first, then
 * of their codes. The direction is such that the level with the most weight on the axis is on its
 * positive side. DN_NO_MEMORY. */
enum dn_status dn_levels_order(const struct dn_codes *columns, int count, size_t n, int which,
                               int32_t *order, struct dn_error *error);

#endif
