/*
 * unet_passes.h - what the forward and the backward pass of the U-Net share.
 */
#ifndef ENGINE_NETWORK_UNET_PASSES_H
#define ENGINE_NETWORK_UNET_PASSES_H

#include "engine/network/network.h"

/* A pass over images first..first+n-1 of a workspace. */
struct unet_pass {
    const struct network *network;
    const float *parameters;
    const struct time_rows *times;
    struct workspace *workspace;
    const int32_t *slots;
    bool same_slot;
    size_t first, n;
};

/* The numbers of the convolutions of block b. */
static inline int unet_conv1(int b) {
    return 2 * b + 1;
}
static inline int unet_conv2(int b) {
    return 2 * b + 2;
}

/* Pixel rows of an image. */
static inline size_t unet_pixels(const struct conv *conv) {
    return (size_t)conv->height * (size_t)conv->width;
}

/* a [out] of an image for a block, after which b follows. */
static inline const float *unet_scale(const struct unet_pass *pass, const struct unet_block *block,
                                      size_t image) {
    const size_t slot = (size_t)pass->slots[pass->same_slot ? pass->first : image];
    return pass->times->unet.scales + slot * pass->network->slot_floats + block->scales;
}

/* The pixels [2 height][2 width][channels] of images, ld floats apart, become patches
 * [height][width][2][2][channels], and back. */
void unet_patch(size_t images, const struct conv *conv, size_t channels, const float *pixels,
                size_t ld, float *patches);
void unet_unpatch(size_t images, const struct conv *conv, size_t channels, const float *patches,
                  float *pixels, size_t ld);

/* The images of a network, which are ld floats apart, become patches [h/2][w/2][pad(4c)], in the order
 * of struct unet. */
void unet_patch_image(const struct network *network, size_t images, const float *pixels, size_t ld,
                      float *patches);

#endif
