#include "engine/network/loss.h"

#include <math.h>

/* Without a branch, which a CPU could not predict. */
static float sign(float x) {
    return (float)((x > 0) - (x < 0));
}

/* One coordinate's loss, and its gradient. */
static float loss_of(enum dn_loss loss, float difference, float *gradient) {
    const float size = fabsf(difference);
    switch (loss) {
    case DN_MSE: *gradient = 2 * difference; return difference * difference;
    case DN_MAE: *gradient = sign(difference); return size;
    case DN_HUBER:
        *gradient = size <= 1 ? difference : sign(difference);
        return size <= 1 ? difference * difference / 2 : size - 0.5f;
    }
    return 0;
}

/* The loss of a point over the coordinates that are not known, of which only the first 64 can be;
 * out becomes the gradient. Without a branch for each, because which ones are known is random. */
static inline __attribute__((always_inline)) double loss_row(enum dn_loss loss, size_t dim,
                                                             float *out, const float *target,
                                                             uint64_t known, float factor) {
    double sum = 0;
    for (size_t j = 0; j < dim; j++) {
        float gradient = 0;
        const float counts = (float)(~known >> j % 64 & 1);
        sum += (double)(counts * loss_of(loss, out[j] - target[j], &gradient));
        out[j] = factor * (counts * gradient);
    }
    return sum;
}

static double loss_of_row(enum dn_loss loss, size_t dim, float *out, const float *target,
                          uint64_t known, float factor) {
    switch (loss) { /* so that the loop knows which */
    case DN_MSE: return loss_row(DN_MSE, dim, out, target, known, factor);
    case DN_MAE: return loss_row(DN_MAE, dim, out, target, known, factor);
    case DN_HUBER: return loss_row(DN_HUBER, dim, out, target, known, factor);
    }
    return NAN;
}

void loss_rows(enum dn_loss loss, size_t n, size_t dim, float *out, size_t out_ld,
               const float *target, const uint64_t *given, const int32_t *t, const float *t_weights,
               float scale, double *losses) {
    for (size_t i = 0; i < n; i++, out += out_ld, target += dim) {
        const float weight = t_weights ? t_weights[t[i]] : 1;
        losses[i] = (double)weight *
                    loss_of_row(loss, dim, out, target, given ? given[i] : 0, weight * scale);
    }
}
