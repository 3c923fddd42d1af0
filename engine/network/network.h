/*
 * network.h - a network that estimates what the noise of a point hides, whatever its kind.
 *
 * A kind is a table of functions (struct network_kind): mlp.h has the one for points. What a kind
 * knows beside the others is a member of its own in struct network, struct time_rows and struct
 * workspace; all else asks through the functions here.
 *
 * All parameters lie in one block of floats, so that the optimizer, checkpoints and averaging see a
 * flat array; the gradient has the same layout. Rows are padded (kernels_pad) with zeros that stay
 * zero: their gradient is zero. What depends on the timestep and the label is computed once for each
 * distinct (t, label) of a batch ("slots"), not for each point.
 */
#ifndef ENGINE_NETWORK_NETWORK_H
#define ENGINE_NETWORK_NETWORK_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/kernels.h"
#include "engine/denoise.h"
#include "engine/network/mlp.h"
#include "engine/network/tensor.h"
#include "engine/network/unet.h"

struct network_kind;

enum {
    NETWORK_MAX_TENSORS =
        (int)MLP_MAX_TENSORS > (int)UNET_MAX_TENSORS ? (int)MLP_MAX_TENSORS : (int)UNET_MAX_TENSORS
};

struct network {
    const struct network_kind *kind;
    const struct kernels *kernels; /* that compute it */
    int dim;                       /* values of a point */
    size_t dim_ld;                 /* the same, padded: columns of a prediction */
    int timesteps;
    int classes; /* also the label of points without one; 0: unconditional */
    struct tensor *tensors[NETWORK_MAX_TENSORS]; /* in the order of the block */
    int tensor_count;
    size_t size;        /* floats of a parameter block, a multiple of 16 */
    size_t slot_floats; /* that a slot is embedded in */
    struct mlp mlp;
    struct unet unet;
};

/* Sizes and places only, without kernels: allocates nothing, needs no network_clear. */
void network_layout(struct network *network, const struct dn_spec *spec);
/* The same, and the kernels and what the kind allocates. */
enum dn_status network_init(struct network *network, const struct dn_spec *spec,
                            const struct kernels *kernels, struct dn_error *error);
size_t network_bytes(const struct network *network); /* bytes allocated; needs the layout only */
void network_clear(struct network *network);

/* For layouts: appends a tensor to the block. Of `shape`, the rows, the columns, the form, `summed`,
 * and the planes (0: one) count. Its name follows as a format. */
void network_place(struct network *network, struct tensor *tensor, struct tensor shape,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Is it for images, rather than for points? */
bool network_has_images(const struct network *network);

/* The number of parameters, without padding. */
int64_t network_parameters(const struct network *network);

/* The initial parameters. */
void network_draw_weights(const struct network *network, uint64_t seed, float *parameters);

/* Element (pos, r) of the sinusoidal embedding: sin for even r and cos for odd r of
 * pos / 10000^(r' / (H - 2)), where r' is r rounded down to even (Vaswani et al. 2017, as in
 * Lior Sinai's tutorial). */
double network_sinusoid(int hidden, double position, int r);

/* ------------------------------------------------------------------ costs */

/* The most rows that are best taken together through the network. */
struct network_chunks {
    size_t batch;      /* in training; images by each thread */
    size_t validation; /* at least as many as of a batch */
    size_t sampling;   /* without a backward pass */
};
struct network_chunks network_chunks(const struct network *network);

/* Floating-point operations of a row forward, roughly; and of the matrix products of a step with this
 * number of rows, forward and backward. */
double network_row_flops(const struct network *network);
double network_step_flops(const struct network *network, int rows);
/* The timesteps that such a step embeds: all, or the expected number of distinct ones. */
double network_step_timesteps(const struct network *network, int rows);

/* ------------------------------------------------------------------ slots */

/* The distinct (t, label) of a batch, and what they are embedded in. Made once, used for many
 * batches. Without classes there is one slot for each distinct t. */
struct time_rows {
    int count, capacity;           /* slots */
    int time_count, time_capacity; /* distinct t */
    int lasting;                   /* the first ones, of which t never changes; 0, or all of them */
    int32_t *t;                    /* [time_count] */
    int32_t *time_of;              /* [T+1] place of a timestep in t; -1 if not in use */
    int32_t *slot_of; /* [time_capacity][classes+1] slot of a t and label, -1 if not in use */
    int32_t *slot_time, *slot_label; /* [count] the two of a slot; time is a place in t */
    struct mlp_times mlp;
    struct unet_times unet;
    int32_t *integers; /* owns what is int32_t */
    float *floats;     /* owns what is float */
};
/* batch: the most points that a step of training has; 0: without gradients. It decides whether
 * timesteps last, and with that the bits; capacity, which may be larger, does not. */
enum dn_status time_rows_init(struct time_rows *rows, const struct network *network, int capacity,
                              int batch, struct dn_error *error);
/* The bytes that time_rows_init allocates. */
size_t time_rows_bytes(const struct network *network, int capacity, int batch);
void time_rows_clear(struct time_rows *rows);

/* Collects the distinct pairs of t [n] and labels [n], in the order of their first use, writes the
 * slot of each point, and embeds the pairs. labels are 0..classes, where `classes` means
 * no label; NULL: no point has one. There may be up to `capacity` distinct pairs. */
void time_rows_set(struct time_rows *rows, const struct network *network, const float *parameters,
                   const int32_t *t, const int32_t *labels, size_t n, int32_t *slots);
/* The same for other points with the parameters of the call before, whose gradients are not needed:
 * timesteps that last stay embedded. */
void time_rows_set_more(struct time_rows *rows, const struct network *network,
                        const float *parameters, const int32_t *t, const int32_t *labels, size_t n,
                        int32_t *slots);

/* ------------------------------------------------------------------ passes */

/* The memory of a pass over at most `rows` points. */
struct workspace {
    size_t rows;
    float *out; /* [rows][dim_ld] the prediction; going backward dloss/dout */
    struct mlp_workspace mlp;
    struct unet_workspace unet;
    const struct dn_breaks *breaks; /* taken within a pass; NULL: none */
    float *memory;
};
enum dn_status workspace_init(struct workspace *workspace, const struct network *network,
                              size_t rows, bool training, struct dn_error *error);
/* The bytes that workspace_init allocates. */
size_t workspace_bytes(const struct network *network, size_t rows, bool training);
void workspace_clear(struct workspace *workspace);
/* Takes a break. Between two of a pass are at most some milliseconds. A pass cannot be stopped. */
void workspace_pause(const struct workspace *workspace);

/* A pass over a batch, or a chunk of one, has two halves, and both can be split over threads
 * without changing a bit: the work on each row, by ranges of rows; and the sums over all rows,
 * where one thread sums each column in a fixed order. x [..][dim], given [..] and slots [..] belong
 * to row 0 of the workspace. Bit j of given says that coordinate j of x is known, not noised; NULL:
 * none is. */

/* To be called after each change of the parameters, before the next four: makes what follows from the
 * parameters alone, of what this workspace has room for. */
void network_prepare(const struct network *network, const float *parameters,
                     struct workspace *workspace);

/* Predicts for rows first..first+n-1 of x into workspace->out. If same_slot, all points have the
 * timestep and label of the first. */
void network_forward(const struct network *network, const float *parameters,
                     const struct time_rows *times, struct workspace *workspace, const float *x,
                     const uint64_t *given, const int32_t *slots, bool same_slot, size_t first,
                     size_t n);

/* After network_forward for these rows, with dloss/dout in workspace->out: what the next one sums. */
void network_backward_rows(const struct network *network, const float *parameters,
                           const struct time_rows *times, struct workspace *workspace,
                           const int32_t *slots, size_t first, size_t n);

/* At the start of a batch: zeroes the gradients that the next two add to. */
void network_clear_gradients(const struct network *network, float *gradients);

/* The share of one of `parts` threads in the sums over rows 0..n-1: sets (for the first chunk of a
 * batch) or adds to the gradients of the weights, and adds to those of the slots. */
void network_backward_weights(const struct network *network, struct time_rows *times,
                              struct workspace *workspace, const float *x, const uint64_t *given,
                              const int32_t *slots, size_t n, bool first_chunk, int part, int parts,
                              float *gradients);

/* At the end of a batch, the share of one of `parts` threads: the gradients that are made once from
 * sums over the batch, as those of the embeddings of time and label. */
void network_finish_gradients(const struct network *network, const float *parameters,
                              struct time_rows *times, struct workspace *workspace, int part,
                              int parts, float *gradients);

/* ------------------------------------------------------------------ kinds */

/* Floats that lie one after the other. Without memory, they are only counted. */
struct arena {
    float *memory;
    size_t used;
};
/* The next `count` of them, on a boundary of 64 bytes; NULL without memory. */
float *arena_take(struct arena *arena, size_t count);

/* What the functions above do for one kind of network; those that have the same names are described
 * there. */
struct network_kind {
    /* The kernels are not yet known; dim, dim_ld, timesteps and classes are. */
    void (*layout)(struct network *network, const struct dn_spec *spec);
    enum dn_status (*init)(struct network *network, struct dn_error *error);
    size_t (*bytes)(const struct network *network);
    void (*clear)(struct network *network);
    void (*draw_weights)(const struct network *network, uint64_t seed, float *parameters);

    struct network_chunks (*chunks)(const struct network *network);
    double (*row_flops)(const struct network *network);
    double (*step_flops)(const struct network *network, int rows);

    /* The number of timesteps that last, in batches of up to this many points; 0: none. They are all
     * timesteps, and each may have more than one place. */
    int (*lasting)(const struct network *network, int batch);
    /* Takes the arrays of a time_rows whose capacities and lasting are set. */
    void (*place_times)(struct time_rows *rows, const struct network *network, bool training,
                        struct arena *arena);
    /* Fills in t and time_of of the timesteps that last. NULL: no timestep does. */
    void (*begin_times)(struct time_rows *rows, const struct network *network);
    /* Embeds the slots, and zeroes their gradients; `more` as in time_rows_set_more. */
    void (*embed)(struct time_rows *rows, const struct network *network, const float *parameters,
                  bool more);

    /* Takes the arrays of a workspace whose rows are set. */
    void (*place_workspace)(struct workspace *workspace, const struct network *network,
                            bool training, struct arena *arena);
    void (*prepare)(const struct network *network, const float *parameters,
                    struct workspace *workspace);
    void (*forward)(const struct network *network, const float *parameters,
                    const struct time_rows *times, struct workspace *workspace, const float *x,
                    const uint64_t *given, const int32_t *slots, bool same_slot, size_t first,
                    size_t n);
    void (*backward_rows)(const struct network *network, const float *parameters,
                          const struct time_rows *times, struct workspace *workspace,
                          const int32_t *slots, size_t first, size_t n);
    void (*backward_weights)(const struct network *network, struct time_rows *times,
                             struct workspace *workspace, const float *x, const uint64_t *given,
                             const int32_t *slots, size_t n, bool first_chunk, int part, int parts,
                             float *gradients);
    void (*finish_gradients)(const struct network *network, const float *parameters,
                             struct time_rows *times, struct workspace *workspace, int part,
                             int parts, float *gradients);
};

#endif
