/*
 * boosting.h - gradient boosting of regression trees on binned columns, for two classes.
 */
#ifndef ENGINE_METRICS_BOOSTING_H
#define ENGINE_METRICS_BOOSTING_H

#include "engine/denoise.h"

enum { BOOSTING_MISSING = 255 };

/* Rows whose values are replaced by bins in order, 0..254, or BOOSTING_MISSING. */
struct boosting {
    size_t n;
    int dim;
    const uint8_t *bins;  /* [dim][n] */
    const uint8_t *class; /* [n]: 0 or 1 */
};

/* Learns from the rows training [count] to tell class 1 from class 0, and writes the log-odds of
 * class 1 for all rows into scores [n]. Friedman 2001, "Greedy function approximation: a gradient
 * boosting machine", with second derivatives and histograms as in LightGBM (Ke et al. 2017): 50
 * trees, which grow where the gain is largest, of up to 31 leaves of 20 rows or more, at a learning
 * rate of 0.1. Both classes must be among the rows. Sums have a fixed order. */
enum dn_status boosting_scores(const struct boosting *rows, const int32_t *training, size_t count,
                               double *scores, const struct dn_breaks *breaks,
                               struct dn_error *error);
size_t boosting_bytes(size_t count);

#endif
