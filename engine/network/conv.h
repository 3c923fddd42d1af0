/*
 * conv.h - convolutions 3x3 of images, by Winograd's minimal filtering.
 *
 * y = bias + conv(x), with stride 1 and zeros around the image: y(p) = sum over the nine offsets q of
 * x(p + q) weight(q). An image is [height][width][channels], and channels are multiples of 16.
 *
 * F(2x2,3x3) (Winograd 1980; Lavin & Gray 2016) makes a tile of 2x2 pixels of y from the 4x4 pixels d
 * of x that it depends on, with 16 multiplications in place of 36:
 *
 *   Y = A^T [sum over channels of (G g G^T) . (B^T d B)] A, where the dot multiplies element by element,
 *
 *          | 1  0 -1  0 |        | 1    0    0  |          | 1  1  1  0 |
 *   B^T =  | 0  1  1  0 |    G = | 1/2  1/2 1/2 |   A^T =  | 0  1 -1  1 |
 *          | 0 -1  1  0 |        | 1/2 -1/2 1/2 |
 *          | 0 -1  0  1 |        | 0    0    1  |
 *
 * For each of the 16 elements, the sum over channels is a product of matrices: of the tiles of a plane
 * [tiles][in] with a plane of weights [in][out]. Going backward, the same factors are transposed:
 *
 *   dM = A dY A^T          for each tile                [16][tiles][out]
 *   dV = dM (G g G^T)^T    for each plane; then dx = the sum over tiles of B dV B^T
 *   dU = V^T dM            for each plane; then dweight = G^T dU G
 *
 * Every element of a result is one sum in one order. Images do not depend on each other, and neither
 * do planes, so threads can share out images (forward, backward_input) and planes (backward_weight),
 * and a batch may come in chunks of any size: the bits are the same.
 */
#ifndef ENGINE_NETWORK_CONV_H
#define ENGINE_NETWORK_CONV_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/kernels.h"

enum { CONV_PLANES = 16 };

struct conv {
    int height, width, in, out; /* in and out are multiples of 16 */
};

/* Floats of the tiles of `images` images, each ceil(height / 2) ceil(width / 2), with `channels`
 * channels, which is `in` for the tiles of x and `out` for those of dy: 16 planes
 * [images][tiles][channels], and some room between the planes, because 16 addresses that are a
 * multiple of 4096 apart do not fit the first-level cache. */
size_t conv_tiles_floats(const struct conv *conv, size_t images, int channels);

/* Floats of the scratch memory of conv_forward and conv_backward_input; each thread has its own. */
size_t conv_scratch_floats(const struct conv *conv);

/* Floats of the sums of conv_backward_weight: [16][in][out], and [out] for the bias. */
size_t conv_planes_floats(const struct conv *conv);

/* To be called after each change of weight [3][3][in][out], by row, column and channels: forward
 * [16][in][out] = G g G^T and, unless it is NULL, backward [16][out][in], the same transposed; the columns
 * of each plane in panels, for the same kernels. */
void conv_prepare(const struct conv *conv, const struct kernels *kernels, const float *weight,
                  float *forward, float *backward);

/* y = plus + bias [out] + conv(x) for images first..first+n-1 of `images`. x [images][height][width][in];
 * y and plus [images][height][width][out]; plus may be y, or NULL: nothing. tiles, for so many images
 * with `in` channels, keeps the transformed x of these n images for conv_backward_weight; NULL: it is
 * not kept. */
void conv_forward(const struct conv *conv, const struct kernels *kernels, size_t images,
                  size_t first, size_t n, const float *x, const float *forward, const float *bias,
                  const float *plus, float *tiles, float *scratch, float *y);

/* dx [images][height][width][in], from dy [images][height][width][out], for images first..first+n-1 of
 * `images`. dy_tiles, for so many images with `out` channels, receives the transformed dy of these n
 * images. dx may be NULL, where nobody needs it: then so may backward and scratch. */
void conv_backward_input(const struct conv *conv, const struct kernels *kernels, size_t images,
                         size_t first, size_t n, const float *dy, const float *backward,
                         float *dy_tiles, float *scratch, float *dx);

/* The sums of one of the 16 planes over images 0..n-1 of `images`, in the order of tiles: planes = the
 * sums (for the first chunk of a batch), or += them. One plane also sums the gradient of the bias. */
void conv_backward_weight(const struct conv *conv, const struct kernels *kernels, int plane,
                          size_t images, size_t n, const float *x_tiles, const float *dy_tiles,
                          bool first, float *planes);

/* At the end of a batch: weight [3][3][in][out] = G^T dU G and bias [out], from the sums of all planes. */
void conv_finish_weight(const struct conv *conv, const float *planes, float *weight, float *bias);

#endif
