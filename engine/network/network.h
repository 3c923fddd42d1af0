/*
 * network.h - the "conditional chain": a small multi-layer perceptron that gets the timestep in
 * each hidden layer.
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
 *
 * All parameters lie in one block of floats, so that the optimizer, checkpoints and averaging see a
 * flat array; the gradient has the same layout. Rows are padded (kernels_pad) with zeros that stay
 * zero: their gradient is zero. e_l is computed once for each distinct (t, label) of a batch
 * ("slots"), not for each point.
 */
#ifndef ENGINE_NETWORK_NETWORK_H
#define ENGINE_NETWORK_NETWORK_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/kernels.h"
#include "engine/denoise.h"

/* A matrix [rows][cols] in the parameter block, rows ld floats apart; a bias has one row. */
struct tensor {
    size_t offset;
    int rows, cols;
    size_t ld;
    bool summed; /* its gradient is added to, and so must start from zero; else it is set */
};

enum { NETWORK_MAX_TENSORS = 5 * DN_MAX_HIDDEN_LAYERS + 2 };

struct layer {
    struct tensor weight; /* [in][out] */
    struct tensor bias;
    struct tensor embedding;      /* learned: [T][H]; sinusoidal: [H][H] */
    struct tensor embedding_bias; /* sinusoidal only; else rows = 0 */
    struct tensor label;          /* [classes + 1][H]; with classes only */
};

struct network {
    const struct kernels *kernels; /* that compute it */
    int dim, hidden, layer_count, timesteps;
    int octaves;              /* of Fourier features */
    bool may_be_given;        /* coordinates */
    int inputs;               /* numbers that the first layer reads for a point */
    size_t input_ld;          /* floats from one point's inputs to the next one's */
    int classes;              /* also the label of points without one; 0: unconditional */
    size_t hidden_ld, dim_ld; /* padded columns of hidden activations, of the prediction */
    int outputs;              /* of the last layer: dim, or more that the prediction follows from */
    size_t outputs_ld;        /* the same, padded */
    struct levels *levels;    /* how it follows (levels.h), once the data is known; else NULL */
    enum dn_time_embedding time_embedding;
    enum dn_conditioning conditioning;
    struct layer layers[DN_MAX_HIDDEN_LAYERS];
    struct tensor out_weight, out_bias;
    struct tensor *tensors[NETWORK_MAX_TENSORS]; /* all of the above, in the order of the block */
    int tensor_count;
    size_t size;     /* floats of a parameter block, a multiple of 16 */
    float *sinusoid; /* [T][H] sinusoidal embedding of t = 1..T; NULL if learned */
};

/* Sizes and places only, without kernels: allocates nothing, needs no network_clear. */
void network_layout(struct network *network, const struct dn_spec *spec);
/* The same, and the kernels and the sinusoid. */
enum dn_status network_init(struct network *network, const struct dn_spec *spec,
                            const struct kernels *kernels, struct dn_error *error);
size_t network_bytes(const struct network *network); /* bytes allocated; needs the layout only */
void network_clear(struct network *network);

/* Conditioning +: Glorot-uniform weights, zero biases, N(0,1) embedding tables (Flux's defaults).
 * Conditioning *: e_l(t) starts near 1, and labels start small, so that both change little at
 * first. Weights are He-uniform (limit sqrt(6 / inputs)); those of the first layer, and its biases,
 * are uniform in [-1, 1], so that its units bend in all parts of the data. The output layer is
 * Glorot-uniform in both. The weights of what follows from x start at a tenth of those of x, whose
 * weights are the same as without. */
void network_draw_weights(const struct network *network, uint64_t seed, float *parameters);

/* Element (pos, r) of the sinusoidal embedding: sin for even r and cos for odd r of
 * pos / 10000^(r' / (H - 2)), where r' is r rounded down to even (Vaswani et al. 2017, as in
 * Lior Sinai's tutorial). */
double network_sinusoid(int hidden, double position, int r);

/* The distinct (t, label) of a batch, and their rows e_l. Made once, used for many batches. Without
 * classes there is one slot for each distinct t. */
struct time_rows {
    int count, capacity;           /* slots */
    int time_count, time_capacity; /* distinct t */
    int32_t *t;                    /* [time_count] */
    int32_t *time_of;              /* [T+1] place of a timestep in t; -1 if not in use */
    int32_t *slot_of; /* [time_capacity][classes+1] slot of a t and label, -1 if not in use */
    int32_t *slot_time, *slot_label;      /* [count] the two of a slot; time is a place in t */
    float *embedded;                      /* [layers][capacity][hidden_ld] e_l, plus b_l if
                                             conditioning is add */
    float *gradient;                      /* the same shape; NULL if not for training */
    float *time_embedded, *time_gradient; /* [layers][time_capacity][hidden_ld] the part of e_l that
                                             depends on t; without classes the same arrays */
    float *gathered;                      /* [time_capacity][H] rows of the sinusoid; or [halves][H]
                                             cosines and sines of distances from the middle */
    int halves;                           /* timesteps on one side of the middle, if all of them are
                                             embedded in pairs (times.c); else 0 */
    float *middle, *turned;               /* [H] the sinusoid there; [H][hidden_ld] weights */
    float *bias;                          /* [hidden_ld] */
    int32_t *integers;                    /* owns what is int32_t */
    float *floats;                        /* owns what is float */
};
/* batch: the most points that a step of training has; 0: without gradients. It decides whether all
 * timesteps are embedded in pairs, and with that the bits; capacity, which may be larger, does not. */
enum dn_status time_rows_init(struct time_rows *rows, const struct network *network, int capacity,
                              int batch, struct dn_error *error);
/* The bytes that time_rows_init allocates. */
size_t time_rows_bytes(const struct network *network, int capacity, int batch);
/* Are all timesteps embedded in pairs? */
bool time_rows_in_pairs(const struct network *network, int batch);
void time_rows_clear(struct time_rows *rows);

/* Collects the distinct pairs of t [n] and labels [n], in the order of their first use, writes the
 * slot of each point, and computes e_l for the pairs. labels are 0..classes, where `classes` means
 * no label; NULL: no point has one. There may be up to `capacity` distinct pairs. */
void time_rows_set(struct time_rows *rows, const struct network *network, const float *parameters,
                   const int32_t *t, const int32_t *labels, size_t n, int32_t *slots);
/* The same for other points with the parameters of the call before, whose gradients are not needed:
 * timesteps in pairs stay embedded. */
void time_rows_set_more(struct time_rows *rows, const struct network *network,
                        const float *parameters, const int32_t *t, const int32_t *labels, size_t n,
                        int32_t *slots);

/* The rows of one layer in a table [layers][capacity][hidden_ld]. */
float *time_rows_layer(float *table, int capacity, const struct network *network, int l);

/* The memory of a pass over at most `rows` points. */
struct workspace {
    size_t rows;
    float *inputs;                  /* [rows][input_ld]; NULL: the first layer reads x */
    float *z[DN_MAX_HIDDEN_LAYERS]; /* [rows][hidden_ld] before the embedding; only to multiply */
    float *h[DN_MAX_HIDDEN_LAYERS]; /* activations */
    float *d[DN_MAX_HIDDEN_LAYERS]; /* swish'(u), then dloss/dz; NULL if not for training */
    float *out;                     /* [rows][dim_ld] the prediction; going backward dloss/dout */
    float *logits;                  /* [rows][outputs_ld] what it follows from, going backward the
                                       gradients of that; NULL: it is the output */
    float *logit_rates; /* the same shape: see levels_predict; NULL if not for training */
    float *g;           /* [rows][hidden_ld] dloss/dh of the current layer */
    float *transposed;  /* transposed weights: [layers 1..L-1][H][hidden_ld] */
    float *memory;
};
enum dn_status workspace_init(struct workspace *workspace, const struct network *network,
                              size_t rows, bool training, struct dn_error *error);
/* The bytes that workspace_init allocates. */
size_t workspace_bytes(const struct network *network, size_t rows, bool training);
void workspace_clear(struct workspace *workspace);

/* A pass over a batch, or a chunk of one, has two halves, and both can be split over threads
 * without changing a bit: the work on each row, by ranges of rows; and the sums over all rows,
 * where one thread sums each column in a fixed order. x [..][dim], given [..] and slots [..] belong
 * to row 0 of the workspace. Bit j of given says that coordinate j of x is known, not noised; NULL:
 * none is. */

/* Predicts for rows first..first+n-1 of x into workspace->out. If same_slot, all points have the
 * timestep and label of the first. */
void network_forward(const struct network *network, const float *parameters,
                     const struct time_rows *times, struct workspace *workspace, const float *x,
                     const uint64_t *given, const int32_t *slots, bool same_slot, size_t first,
                     size_t n);

/* To be called after each change of the parameters, before network_backward_rows. */
void network_transpose(const struct network *network, const float *parameters,
                       struct workspace *workspace);

/* After network_forward for these rows, with dloss/dout in workspace->out: dloss/dz everywhere. */
void network_backward_rows(const struct network *network, const float *parameters,
                           const struct time_rows *times, struct workspace *workspace,
                           const int32_t *slots, size_t first, size_t n);

/* How many columns one of `parts` threads sums together: few, if there are others to share with. */
size_t network_panel(const struct network *network, int parts);

/* At the start of a batch: zeroes the gradients that the next two add to. */
void network_clear_gradients(const struct network *network, float *gradients);

/* The share of one of `parts` threads in the sums over rows 0..n-1: sets (for the first chunk of a
 * batch) or adds to the gradients of the weights, and adds to times->gradient. */
void network_backward_weights(const struct network *network, struct time_rows *times,
                              struct workspace *workspace, const float *x, const uint64_t *given,
                              const int32_t *slots, size_t n, bool first_chunk, int part, int parts,
                              float *gradients);

/* At the end of a batch: computes the gradients of the embeddings of time and label, and of the
 * biases that e_l contains, from times->gradient. */
void network_backward_times(const struct network *network, struct time_rows *times, int part,
                            int parts, float *gradients);

/* The number of parameters, without padding. */
int64_t network_parameters(const struct network *network);

#endif
