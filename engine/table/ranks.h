/*
 * ranks.h - the ranks of a table's cells, from which each epoch draws normal scores.
 *
 * Of n rows, `below` have a lower value in a cell's column, and `count` the same value. The cell
 * owns the shares from below / n to (below + count) / n; a draw is uniform in the middle 99.8% of
 * them, so that it never reaches 0 or 1.
 */
#ifndef ENGINE_TABLE_RANKS_H
#define ENGINE_TABLE_RANKS_H

#include <stddef.h>
#include <stdint.h>

#include "engine/denoise.h"

#define RANKS_MARGIN 0.001 /* share of an interval that is left out at each end */

struct kernels; /* kernels.h */

struct ranks {
    const struct kernels *kernels;
    int32_t n;              /* rows */
    int dim;                /* columns */
    int32_t *below, *count; /* [n][dim], padded to whole groups */
};

enum dn_status ranks_init(struct ranks *ranks, size_t n, int dim, const struct kernels *kernels,
                          struct dn_error *error);
size_t ranks_bytes(size_t n, int dim);
void ranks_clear(struct ranks *ranks);

/* Floats in an array of scores [n][dim], padded to whole groups. */
size_t ranks_values(size_t n, int dim);
/* Writes this part of the scores [n][dim] of an epoch, times `scale`. A score depends on (seed,
 * epoch, row, column) only. */
void ranks_draw(const struct ranks *ranks, uint64_t seed, uint32_t epoch, float scale, int part,
                int parts, float *scores);

#endif
