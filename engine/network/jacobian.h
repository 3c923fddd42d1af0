/*
 * jacobian.h - the exact trace of a network's Jacobian: the divergence of its output.
 *
 * Forward mode for all unit vectors of a point at once: they are rows of the same matrix products.
 * The first layer's rows follow from its weights without a product, and of the last product only
 * the diagonal is made, so a trace costs dim (L - 1) H^2 multiplications.
 */
#ifndef ENGINE_NETWORK_JACOBIAN_H
#define ENGINE_NETWORK_JACOBIAN_H

#include "engine/network/network.h"

struct jacobian {
    size_t rows;  /* points */
    float *rates; /* [rows][dim][hidden_ld] rates of the activations by each coordinate of x */
    float *next;  /* the same shape: those of the next layer */
    float *sums;  /* [hidden_ld] */
    float *mixed; /* [dim][hidden_ld] the last layer's weights, mixed as the prediction is */
    float *memory;
};
enum dn_status jacobian_init(struct jacobian *jacobian, const struct network *network, size_t rows,
                             struct dn_error *error);
size_t jacobian_bytes(const struct network *network, size_t rows); /* bytes allocated */
void jacobian_clear(struct jacobian *jacobian);

/* After network_forward for rows 0..n-1 in a workspace for training: writes the sum of
 * d out_j / d x_j over j into traces [n]. x and slots are those of
 * network_forward. */
void jacobian_trace(struct jacobian *jacobian, const struct network *network,
                    const float *parameters, const struct time_rows *times,
                    const struct workspace *workspace, const float *x, const int32_t *slots,
                    size_t n, double *traces);

#endif
