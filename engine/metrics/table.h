/*
 * table.h - two sets of rows of a table, and what dn_table_report measures on them.
 *
 * Each function states its own memory beside it, so that dn_table_report_bytes can add it up.
 */
#ifndef ENGINE_METRICS_TABLE_H
#define ENGINE_METRICS_TABLE_H

#include <math.h>

#include "engine/denoise.h"

/* Rows, column by column: column j is at[j * stride] .. at[j * stride + n - 1]. Does not own them.
 * In random order, so that the first rows are a random choice. */
struct rows {
    size_t n, stride;
    int dim;
    const int *levels; /* [dim]: of a category; 0 for a number */
    const double *at;
};

static inline const double *rows_column(const struct rows *rows, int j) {
    return rows->at + (size_t)j * rows->stride;
}

/* The rows first..first+n-1. */
static inline struct rows rows_range(const struct rows *rows, size_t first, size_t n) {
    struct rows range = *rows;
    range.at += first;
    range.n = n;
    return range;
}

static inline size_t rows_least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Sorts numbers, without NaN. */
void rows_sort(double *values, size_t n);

/* Copies the values that are not missing of column j, sorted, into values [rows->n]; returns their
 * number. */
size_t rows_present(const struct rows *rows, int j, double *values);

/* ------------------------------------------------------------------ fidelity.c */

/* distances, missing [dim] and pairs [dim (dim - 1) / 2], as in dn_table_report, of y from x. */
struct fidelity {
    double *distances, *missing, *pairs;
};
enum dn_status fidelity_measure(const struct rows *x, const struct rows *y,
                                const struct fidelity *result, const struct dn_breaks *breaks,
                                struct dn_error *error);
size_t fidelity_bytes(size_t n, size_t m, int dim, const int *levels);

/* ------------------------------------------------------------------ detection.c */

/* The AUC of trees that tell y from x. Both have at least two rows. */
enum dn_status detection_measure(const struct rows *x, const struct rows *y, double *auc,
                                 const struct dn_breaks *breaks, struct dn_error *error);
size_t detection_bytes(size_t n, size_t m, int dim);

/* ------------------------------------------------------------------ privacy.c */

/* The share of the queries that are nearer to one of `near` than to one of `far`, which are as
 * many; ties count half. The distance is Gower's, with ranks in `scale` for numbers. NAN if one of
 * the sets is empty. */
enum dn_status privacy_nearer(const struct rows *queries, const struct rows *near,
                              const struct rows *far, const struct rows *scale, double *share,
                              const struct dn_breaks *breaks, struct dn_error *error);
size_t privacy_nearer_bytes(size_t queries, size_t near, size_t far, size_t scale, int dim);

/* The shares of the rows in `first` and in `second` that are equal to a row of `rows`. */
enum dn_status privacy_copies(const struct dn_rows *rows, int dim, const struct dn_rows *first,
                              const struct dn_rows *second, double shares[2],
                              const struct dn_breaks *breaks, struct dn_error *error);
size_t privacy_copies_bytes(size_t rows);

#endif
