/*
 * lenet.h - LeNet-5, the network that judges images (LeCun, Bottou, Bengio, Haffner 1998,
 * "Gradient-based learning applied to document recognition"): its layers, and their gradients.
 *
 *     an image [height][width][channels], 0..1
 *     twice: a convolution of 5x5 without padding (to 6, then to 16 channels), ReLU, and the maximum of
 *            each 2x2
 *     a dense layer of 120, ReLU; a dense layer of 84, ReLU: the features; a dense layer: the logits
 *
 * ReLU and maxima stand where the paper has tanh and averages, as in most later versions. For images of
 * 28x28x1 and 10 classes it has 44,426 parameters. A side of less than 20 is enlarged first, by
 * repeating pixels, so that something is left for each layer.
 *
 * What an image becomes does not depend on the images beside it, to the bit.
 */
#ifndef ENGINE_METRICS_LENET_H
#define ENGINE_METRICS_LENET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/denoise.h"

struct kernels; /* kernels.h */

enum { LENET_STAGES = 2, LENET_LAYERS = 3, LENET_KERNEL = 5, LENET_LANES = 16 };
enum { LENET_LEAST_SIDE = 20 };

/* A convolution, ReLU, and maxima: from [height][width][in] to [(height - 4) / 2][(width - 4) / 2]
 * [out]. weight [5][5][in][16] and bias [16] are places in a parameter block; columns after `out` are
 * 0. */
struct lenet_stage {
    size_t height, width, in, out;
    size_t weight, bias;
};

/* A dense layer: weight [in][ld], bias [ld]; columns after `out` are 0. */
struct lenet_layer {
    size_t in, out, ld;
    size_t weight, bias;
};

struct lenet {
    const struct kernels *kernels;
    int height, width, channels, classes; /* of the images */
    size_t repeat_rows, repeat_columns;   /* of each pixel */
    struct lenet_stage stages[LENET_STAGES];
    struct lenet_layer layers[LENET_LAYERS];
    size_t size; /* floats of a parameter block; a multiple of 16 */
};

/* Sides are multiples of 4 up to 64; channels 1 or 3. */
void lenet_layout(struct lenet *lenet, const struct kernels *kernels, int height, int width,
                  int channels, int classes);
/* Weights uniform within +- sqrt(6 / inputs) (He et al. 2015), biases 0. */
void lenet_initialize(const struct lenet *lenet, uint64_t seed, float *parameters);

/* Room for the values of up to `rows` images, and with `trains` for their gradients. */
struct lenet_work {
    float *x[LENET_STAGES + 1];   /* [rows] of what stage s reads; the last: layer 0 */
    float *dx[LENET_STAGES + 1];  /* their gradients, but not that of the images */
    uint8_t *which[LENET_STAGES]; /* [rows] of where each maximum was, 0..3; 4: none above 0 */
    float *h[LENET_LAYERS], *dh[LENET_LAYERS]; /* [rows][ld] of each layer, and the gradients */
    float *maps;     /* what one image's convolution makes, [height - 4][width][16] */
    float *products; /* of an image's gradient with the weights of a row of taps */
    float *turned;   /* the transpose of a layer's weights */
};
enum dn_status lenet_work_init(struct lenet_work *work, const struct lenet *lenet, size_t rows,
                               bool trains, struct dn_error *error);
size_t lenet_work_bytes(const struct lenet *lenet, size_t rows, bool trains);
void lenet_work_clear(struct lenet_work *work);

/* Row `row` of what the network reads becomes the image pixels [height][width][channels]. */
void lenet_read(const struct lenet *lenet, struct lenet_work *work, size_t row,
                const uint8_t *pixels);
/* From the first n rows of x[0] to h: features are the first 84 columns of h[1], logits h[2]. */
void lenet_forward(const struct lenet *lenet, const float *parameters, struct lenet_work *work,
                   size_t n);
/* After that: returns the mean over n rows of -ln softmax(logits)[label], and prepares its
 * gradient, which lenet_backward writes into gradients [size]. */
double lenet_loss(const struct lenet *lenet, struct lenet_work *work, size_t n,
                  const int32_t *labels);
void lenet_backward(const struct lenet *lenet, const float *parameters, struct lenet_work *work,
                    size_t n, float *gradients);

#endif
