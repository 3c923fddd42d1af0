/*
 * unet.h - a U-Net of two levels on patches of 2x2 pixels. The kind of network for images.
 *
 *     x [h][w][c]    patches of 2x2 become the pixels of level 0, [h/2][w/2][4c]
 *     in             convolution 4c -> C0
 *     down           blocks C0 -> C0; the result is kept as `skip`
 *     shrink         patches of 2x2, [h/4][w/4][4 C0], then dense -> C1: level 1
 *     middle         twice as many blocks C1 -> C1
 *     grow           dense C1 -> 4 C0, patches become pixels again: level 0
 *     up             beside skip, blocks 2 C0 -> C0, then C0 -> C0
 *     out            convolution(swish(norm)) C0 -> 4c; patches become pixels again
 *
 *     a block:       h = conv1(swish(norm(x)))
 *                    y = conv2(swish(norm(h) (1 + a) + b)) + x, or + skip x if channels change
 *     norm(x):       gain x / sqrt(mean of x^2 over the channels of a pixel + epsilon)
 *                    (Zhang & Sennrich 2019, "Root mean square layer normalization")
 *     a, b:          dense(swish(dense(sinusoid(t)) + table[label])), once for each distinct (t, label)
 *
 * Convolutions are 3x3 with zeros around the image (conv.h). The second convolution of a block and the
 * last one start at zero. The U-Net: Ronneberger et al. 2015; residual blocks that get the timestep: Ho,
 * Jain, Abbeel 2020, with scale and shift: Nichol & Dhariwal 2021.
 *
 * Activations are float [n][height][width][channels]; a "pixel row" is one row of the matrix
 * [n height width][channels]. Channels are multiples of 16, those of patches of the image are padded.
 *
 * Determinism: the forward pass and the gradients of activations are computed image by image; gradients of
 * gains, biases, a and b are summed over the pixels of an image, then over images in order; those of a
 * convolution's weights are 16 planes, each of which one thread sums over all images in order. So any
 * split over threads and into chunks gives the same bits. Planes of images that another core has
 * transformed are slow to read: training gives each thread whole images (engine/model/train_images.c).
 */
#ifndef ENGINE_NETWORK_UNET_H
#define ENGINE_NETWORK_UNET_H

#include <stddef.h>
#include <stdint.h>

#include "engine/denoise.h"
#include "engine/network/conv.h"
#include "engine/network/tensor.h"

struct network;
struct time_rows;
struct workspace;
struct arena;

enum {
    UNET_MAX_BLOCKS = 4 * DN_MAX_BLOCKS,
    UNET_MAX_CONVS = 2 * UNET_MAX_BLOCKS + 2,
    UNET_MAX_TENSORS = 9 * UNET_MAX_BLOCKS + 12,
};

/* A 3x3 convolution and its parameters. */
struct unet_conv {
    struct conv conv;
    struct tensor weight, bias; /* [3 3][in][out], [out] */
};

struct unet_block {
    struct unet_conv conv1, conv2;        /* in -> out, out -> out */
    struct tensor norm1, norm2;           /* gains [in], [out] */
    struct tensor time_weight, time_bias; /* [E][2 out], [2 out]: a, then b */
    struct tensor skip;                   /* [in][out] if they differ; else rows = 0 */
    size_t scales;                        /* where its a begins in the row of a slot */
    size_t
        sums; /* where its sums begin in those of an image: [3 in] for norm1, [3 out] for norm2 */
};

/* In a struct network. Channels of images are in [channels][2][2] order in their patches, as PyTorch's
 * pixel_unshuffle has them. */
struct unet {
    int height, width, channels; /* of an image */
    int outer, inner;            /* channels C0 of level 0 and C1 of level 1 */
    int threads;                 /* that take as many images each in training */
    int embedding;               /* E = 4 C0 */
    int down, up, block_count;   /* blocks 0..down-1 go down, up..block_count-1 go up */
    struct unet_block blocks[UNET_MAX_BLOCKS];
    struct unet_conv in, out;
    struct tensor norm;                   /* gain before out */
    struct tensor shrink, shrink_bias;    /* [2 2][C0][C1], [C1] */
    struct tensor grow, grow_bias;        /* [2 2][C1][C0], [C0] */
    struct tensor time_weight, time_bias; /* [E][E], [E] */
    struct tensor label;                  /* [classes + 1][E]; with classes only */
    size_t sums; /* floats of the sums over the pixels of an image; the last 3 C0 are of `norm` */
    float *sinusoid; /* [T][E] sinusoidal embedding of t = 1..T */
};

/* In a struct time_rows. */
struct unet_times {
    float *gathered;              /* [time_capacity][E] rows of the sinusoid */
    float *times, *time_gradient; /* [time_capacity][E] what the first dense layer makes of them */
    float *embedded;              /* [capacity][E] that plus the row of the label, after swish */
    float *embedded_d;            /* the same shape: swish', then dloss/du */
    float *embedded_gradient;     /* the same shape */
    float *scales, *gradient;     /* [capacity][slot_floats] a and b of each block */
};

/* What a pass keeps of a convolution: its transformed weights and, for the gradient of those, its
 * transformed inputs and gradients of outputs, and the sums (conv.h). */
struct unet_conv_work {
    float *forward, *backward;
    float *x_tiles, *dy_tiles, *planes;
};

/* Of a block: its input, the input of its second norm, and of each norm the factors of the pixel rows
 * and the derivatives of swish; the inputs of its convolutions, or their gradients, which are not kept. */
struct unet_block_work {
    float *x, *h;
    float *rates1, *rates2;
    float *d1, *d2; /* for training only */
    float *input1, *input2;
};

/* In a struct workspace. Arrays of images [rows][..] may be used by several threads, each for its own
 * images. P0 and P1 are the pixels of an image at levels 0 and 1. */
struct unet_workspace {
    bool training; /* else blocks and convolutions share what they would keep */
    struct unet_conv_work convs[UNET_MAX_CONVS];
    struct unet_block_work blocks[UNET_MAX_BLOCKS];
    float *patches; /* [rows][P0][pad(4c)] of the image, of the output, or of its gradient */
    float *skip, *middle,
        *last;              /* what the last block makes that goes down, of the middle, that goes
                                    up */
    float *patched, *grown; /* [rows][P1][4 C0] the inputs of shrink, the outputs of grow */
    float *rates, *d, *activated; /* of the norm before `out` */
    /* gradients: of the outputs of the blocks that go up; of the first one's input; of grown; of the
     * outputs of the middle, and at last of shrink; of the outputs of the blocks that go down */
    float *g_up, *g_cat, *g_grown, *g_middle, *g_down;
    float *sums;    /* [rows][sums] */
    float *scratch; /* [rows][scratch_floats] of conv.h */
    size_t scratch_floats;
    float *shrink_back, *grow_back, *skip_back, *time_back; /* transposed weights */
};

/* Initial weights: after swish of numbers with mean square 1, the mean square is about 1/2, so the weights
 * of what follows are He-uniform; the others are uniform with variance 1 / inputs. The second convolution of
 * a block and the last one start at zero, so that every block is the identity at first; a and b start small
 * beside 1. Rows of labels are N(0,1). */
extern const struct network_kind unet_kind;

/* Convolution i of `unet_conv_count`: in, those of the blocks, out. */
int unet_conv_count(const struct network *network);
const struct unet_conv *unet_conv(const struct network *network, int i);

/* Parts of unet_kind (network.h), in the files unet_*.c. */
void unet_place_times(struct time_rows *rows, const struct network *network, bool training,
                      struct arena *arena);
void unet_embed(struct time_rows *rows, const struct network *network, const float *parameters,
                bool more);
void unet_backward_times(const struct network *network, const struct unet_workspace *w,
                         struct time_rows *times, int part, int parts, float *gradients);
void unet_place_workspace(struct workspace *workspace, const struct network *network, bool training,
                          struct arena *arena);
void unet_prepare(const struct network *network, const float *parameters,
                  struct workspace *workspace);
void unet_forward(const struct network *network, const float *parameters,
                  const struct time_rows *times, struct workspace *workspace, const float *x,
                  const uint64_t *given, const int32_t *slots, bool same_slot, size_t first,
                  size_t n);
void unet_backward_rows(const struct network *network, const float *parameters,
                        const struct time_rows *times, struct workspace *workspace,
                        const int32_t *slots, size_t first, size_t n);
void unet_backward_weights(const struct network *network, struct time_rows *times,
                           struct workspace *workspace, const float *x, const uint64_t *given,
                           const int32_t *slots, size_t n, bool first_chunk, int part, int parts,
                           float *gradients);
void unet_finish_gradients(const struct network *network, const float *parameters,
                           struct time_rows *times, struct workspace *workspace, int part,
                           int parts, float *gradients);

#endif
