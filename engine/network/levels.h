/*
 * levels.h - predictions of coordinates that have few values ("levels").
 *
 * With normalization quantile, a coordinate x_0 = sigma z of the data has z ~ N(0, 1), and each value
 * owns an interval (c_{k-1}, c_k) of z. Of x_t = signal x_0 + noise eps alone, Bayes says that z is
 * N(m x_t, v^2), so that the value is k with probability
 *
 *     P_k = Phi((c_k - m x_t) / v) - Phi((c_{k-1} - m x_t) / v),
 *     m = signal sigma / (signal^2 sigma^2 + noise^2),   v^2 = noise^2 / (signal^2 sigma^2 + noise^2)
 *
 * The network only says what the other coordinates add. Its outputs for the coordinate are logits
 * r_k, one for each value; the value is k with probability w_k ~ P_k exp(r_k), and the estimate is
 *
 *     x_0 = sigma sum_k w_k E[z | x_t, k],   E[z | x_t, k] = m x_t + v M_k / P_k,
 *     M_k = phi((c_{k-1} - m x_t) / v) - phi((c_k - m x_t) / v)
 *
 * which is exact if the other coordinates are independent of the noise in this one, as they are. From
 * it follows the prediction: epsilon, v or another.
 *
 * A logit counts as at most KERNELS_MAX_LOGIT, on either side. In training, one beyond its limit still
 * has the gradient of the limit where that leads back, so that it does not stay there.
 */
#ifndef ENGINE_NETWORK_LEVELS_H
#define ENGINE_NETWORK_LEVELS_H

#include "engine/network/network.h"

/* What the timestep decides. The prediction is of_x x_t - of_x_0 x_0. */
struct levels_step {
    float center;    /* m */
    float tightness; /* 1 / v */
    float of_x, of_x_0;
};

struct levels {
    float sigma;
    int32_t first[DN_MAX_DIM + 1]; /* the outputs of coordinate j are first[j]..first[j+1]-1; a
                                      single one is the prediction itself */
    int32_t *column;               /* [outputs, padded] the coordinate of an output */
    float *ends;                   /* [outputs, padded] c_k; 1e30 for the last of a coordinate */
    float *inner;                  /* [outputs, padded] 0 for the first of a coordinate, else 1 */
    float *limits;             /* [outputs, padded] of a logit; infinite for a prediction itself */
    struct levels_step *steps; /* [T+1] */
};

/* Gives the network its levels; counts [dim] says how many outputs each coordinate takes, which are
 * together at most network->outputs; ends is for those, in their order. Only for networks with more
 * outputs than coordinates. steps [T+1] is copied. DN_NO_MEMORY. */
enum dn_status levels_set(struct network *network, float sigma, const int *counts,
                          const float *ends, const struct levels_step *steps,
                          struct dn_error *error);
void levels_clear(struct network *network);
/* The most bytes that levels_set allocates. */
size_t levels_bytes(const struct network *network);

/* The outputs in use. */
int levels_used(const struct network *network);

/* The predictions out [n][dim_ld] of rows x [n][dim] from logits [n][outputs_ld]; and their rates by
 * each logit, as if it had no limit, into rates [n][outputs_ld], unless it is NULL. slots: see
 * network_forward; stride is 0 if all rows have the first. */
void levels_predict(const struct network *network, const struct time_rows *times, size_t n,
                    const float *x, const int32_t *slots, size_t stride, const float *logits,
                    float *rates, float *out);

/* Backward: the gradients by the logits from those by the predictions out; in the place of the logits
 * [n][outputs_ld]. */
void levels_backward(const struct network *network, size_t n, const float *out, const float *rates,
                     float *logits);

/* The rate of the prediction of each coordinate by x itself with the logits as they are, summed over
 * coordinates; for one row, at timestep t. */
double levels_divergence(const struct network *network, int32_t t, const float *x,
                         const float *logits);

#endif
