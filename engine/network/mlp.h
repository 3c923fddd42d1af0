/*
 * mlp.h - the "conditional chain": a small multi-layer perceptron that gets the timestep in
 * each hidden layer. The kind of network for points.
 *
 *     h_0 = x, or more that follows from x (inputs.h)
 *     h_l = swish(W_l h_{l-1} + b_l (+ or *) e_l),  l = 1..L;   out = W h_L + b
 *
 * With output_levels, out is not the prediction itself, but what it follows from (levels.h).
 *
 *     e_l = e_l(t), or with classes e_l(t) + c_l(label)
 *
 * e_l(t) is a row of a learned table [T][H], or a dense layer on the sinusoidal embedding of t.
 * c_l(label) is a row of a learned table [classes + 1][H], of which the last is for points without
 * a label.
 */
#ifndef ENGINE_NETWORK_MLP_H
#define ENGINE_NETWORK_MLP_H

#include <stddef.h>
#include <stdint.h>

#include "engine/denoise.h"
#include "engine/network/tensor.h"

struct network;
struct time_rows;
struct arena;

enum { MLP_MAX_TENSORS = 5 * DN_MAX_HIDDEN_LAYERS + 2 };

struct layer {
    struct tensor weight; /* [in][out] */
    struct tensor bias;
    struct tensor embedding;      /* learned: [T][H]; sinusoidal: [H][H] */
    struct tensor embedding_bias; /* sinusoidal only; else rows = 0 */
    struct tensor label;          /* [classes + 1][H]; with classes only */
};

/* In a struct network. */
struct mlp {
    int hidden, layer_count;
    int octaves;           /* of Fourier features */
    bool may_be_given;     /* coordinates */
    int inputs;            /* numbers that the first layer reads for a point */
    size_t input_ld;       /* floats from one point's inputs to the next one's */
    size_t hidden_ld;      /* padded columns of hidden activations */
    int outputs;           /* of the last layer: dim, or more that the prediction follows from */
    size_t outputs_ld;     /* the same, padded */
    struct levels *levels; /* how it follows (levels.h), once the data is known; else NULL */
    enum dn_time_embedding time_embedding;
    enum dn_conditioning conditioning;
    struct layer layers[DN_MAX_HIDDEN_LAYERS];
    struct tensor out_weight, out_bias;
    float *sinusoid; /* [T][H] sinusoidal embedding of t = 1..T; NULL if learned */
};

/* In a struct time_rows. */
struct mlp_times {
    float *embedded;                      /* [layers][capacity][hidden_ld] e_l, plus b_l if
                                             conditioning is add */
    float *gradient;                      /* the same shape; NULL if not for training */
    float *time_embedded, *time_gradient; /* [layers][time_capacity][hidden_ld] the part of e_l that
                                             depends on t; without classes the same arrays */
    float *gathered;                      /* [time_capacity][H] rows of the sinusoid; or [halves][H]
                                             cosines and sines of distances from the middle */
    int halves;                           /* timesteps on one side of the middle, if all of them are
                                             embedded in pairs (mlp_times.c); else 0 */
    float *middle, *turned;               /* [H] the sinusoid there; [H][hidden_ld] weights */
    float *bias;                          /* [hidden_ld] */
};

/* In a struct workspace. */
struct mlp_workspace {
    float *inputs;                  /* [rows][input_ld]; NULL: the first layer reads x */
    float *z[DN_MAX_HIDDEN_LAYERS]; /* [rows][hidden_ld] before the embedding; only to multiply */
    float *h[DN_MAX_HIDDEN_LAYERS]; /* activations */
    float *d[DN_MAX_HIDDEN_LAYERS]; /* swish'(u), then dloss/dz; NULL if not for training */
    float *logits;                  /* [rows][outputs_ld] what the prediction follows from, going
                                       backward the gradients of that; NULL: it is the output */
    float *logit_rates; /* the same shape: see levels_predict; NULL if not for training */
    float *g;           /* [rows][hidden_ld] dloss/dh of the current layer */
    float *transposed;  /* transposed weights: [layers 1..L-1][H][hidden_ld] */
};

/* Initial weights. Conditioning +: Glorot-uniform weights, zero biases, N(0,1) embedding tables
 * (Flux's defaults). Conditioning *: e_l(t) starts near 1, and labels start small, so that both
 * change little at first. Weights are He-uniform (limit sqrt(6 / inputs)); those of the first layer,
 * and its biases, are uniform in [-1, 1], so that its units bend in all parts of the data. The output
 * layer is Glorot-uniform in both. The weights of what follows from x start at a tenth of those of x,
 * whose weights are the same as without. */
extern const struct network_kind mlp_kind;

/* The rows of one layer in a table [layers][capacity][hidden_ld]. */
float *mlp_layer_rows(float *table, int capacity, const struct network *network, int l);

/* How many columns one of `parts` threads sums together: few, if there are others to share with. */
size_t mlp_panel(const struct network *network, int parts);

/* Parts of mlp_kind (network.h), in mlp_times.c. */
int mlp_lasting(const struct network *network, int batch);
void mlp_place_times(struct time_rows *rows, const struct network *network, bool training,
                     struct arena *arena);
void mlp_begin_times(struct time_rows *rows, const struct network *network);
void mlp_embed(struct time_rows *rows, const struct network *network, const float *parameters,
               bool more);
void mlp_backward_times(const struct network *network, struct time_rows *times, int part, int parts,
                        float *gradients);

#endif
