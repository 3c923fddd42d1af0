/*
 * restore.h - gives points the variance that their estimates leave out, along the principal axes of
 * the data: see plan.h.
 */
#ifndef ENGINE_SAMPLING_RESTORE_H
#define ENGINE_SAMPLING_RESTORE_H

#include "engine/base/kernels.h"
#include "engine/diffusion/plan.h"

/* The moments, and room for the products. Rows are padded to ld. */
struct restorer {
    const struct kernels *kernels;
    size_t dim, ld;
    float mean[DN_MAX_DIM];
    float *axes;    /* [dim][ld] Q: row k is axis k */
    float *by_axis; /* [dim][ld] diag(scales - 1) Q */
    float *matrix;  /* [dim][ld] M = Q^T diag(scales - 1) Q, which is symmetric */
    float *offset;  /* [ld] -s_u M m */
    float *out;     /* [rows][ld] */
};

size_t restorer_floats(int dim, size_t rows);
/* memory: [restorer_floats], zeroed and aligned as floats_new does it; it must outlive the
 * restorer. */
void restorer_init(struct restorer *restorer, const struct moments *moments,
                   const struct kernels *kernels, float *memory);

/* x [n][dim] <- x + Q^T diag(scales - 1) Q (x - s_u m), for at most as many rows as there is memory
 * for. The step must have a growth. */
void restorer_apply(struct restorer *restorer, const struct plan_step *step, size_t n, float *x);

#endif
