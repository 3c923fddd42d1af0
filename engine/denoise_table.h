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

#endif
