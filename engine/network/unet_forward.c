/*
 * unet_forward.c - the forward pass of the U-Net.
 */
#include <assert.h>
#include <string.h>

#include "engine/network/unet_passes.h"

/* ------------------------------------------------------------------ patches */

/* The place of pixel (y, x) of all images, one below the other, in their patches. Each image has an even
 * number of rows. */
static size_t place_of(size_t width, size_t y, size_t x) {
    return (y / 2 * (width / 2) + x / 2) * 4 + y % 2 * 2 + x % 2;
}

void unet_patch(size_t images, const struct conv *conv, size_t channels, const float *pixels,
                size_t ld, float *patches) {
    const size_t width = (size_t)conv->width, rows = images * (size_t)conv->height;
    for (size_t y = 0; y < rows; y++)
        for (size_t x = 0; x < width; x++)
            memcpy(patches + place_of(width, y, x) * channels, pixels + (y * width + x) * ld,
                   channels * sizeof *pixels);
}

void unet_unpatch(size_t images, const struct conv *conv, size_t channels, const float *patches,
                  float *pixels, size_t ld) {
    const size_t width = (size_t)conv->width, rows = images * (size_t)conv->height;
    for (size_t y = 0; y < rows; y++)
        for (size_t x = 0; x < width; x++)
            memcpy(pixels + (y * width + x) * ld, patches + place_of(width, y, x) * channels,
                   channels * sizeof *pixels);
}

/* The place of value e of an image in its patches. */
static size_t image_place(const struct unet *unet, size_t e) {
    const size_t channels = (size_t)unet->channels, width = (size_t)unet->width;
    const size_t c = e % channels, x = e / channels % width, y = e / channels / width;
    const size_t patch = y / 2 * (width / 2) + x / 2;
    return patch * (size_t)unet->in.conv.in + 4 * c + y % 2 * 2 + x % 2;
}

void unet_patch_image(const struct network *network, size_t images, const float *pixels, size_t ld,
                      float *patches) {
    const struct unet *unet = &network->unet;
    const size_t dim = (size_t)network->dim;
    const size_t size = unet_pixels(&unet->in.conv) * (size_t)unet->in.conv.in;
    for (size_t e = 0; e < dim; e++) {
        float *to = patches + image_place(unet, e);
        for (size_t i = 0; i < images; i++)
            to[i * size] = pixels[i * ld + e];
    }
}

static void unpatch_image(const struct network *network, size_t images, const float *patches,
                          float *pixels, size_t ld) {
    const struct unet *unet = &network->unet;
    const size_t dim = (size_t)network->dim;
    const size_t size = unet_pixels(&unet->out.conv) * (size_t)unet->out.conv.out;
    for (size_t e = 0; e < dim; e++) {
        const float *from = patches + image_place(unet, e);
        for (size_t i = 0; i < images; i++)
            pixels[i * ld + e] = from[i * size];
    }
}

/* ------------------------------------------------------------------ layers */

/* Convolution i, from x to y (+ plus, unless it is NULL). */
static void convolve(const struct unet_pass *pass, int i, const float *x, const float *plus,
                     float *y) {
    const struct unet_conv *conv = unet_conv(pass->network, i);
    const struct unet_workspace *w = &pass->workspace->unet;
    workspace_pause(pass->workspace);
    conv_forward(&conv->conv, pass->network->kernels, pass->workspace->rows, pass->first, pass->n,
                 x, w->convs[i].forward, pass->parameters + conv->bias.offset, plus,
                 w->convs[i].x_tiles, w->scratch + pass->first * w->scratch_floats, y);
}

/* swish(norm(x) (1 + a) + b), with the a and b of a block; NULL: without. */
static void normalize(const struct unet_pass *pass, const struct conv *conv,
                      const struct tensor *gain, const struct unet_block *block, const float *x,
                      float *rates, float *h, float *d) {
    const size_t channels = (size_t)gain->cols, pixels = unet_pixels(conv);
    const size_t size = pixels * channels;
    for (size_t i = pass->first; i < pass->first + pass->n; i++) {
        const float *a = block ? unet_scale(pass, block, i) : NULL;
        pass->network->kernels->norm(pixels, channels, x + i * size,
                                     pass->parameters + gain->offset, a, a ? a + channels : NULL,
                                     rates + i * pixels, h + i * size, d ? d + i * size : NULL);
    }
}

/* y [..][out] = bias + x [..][in] weight, for `rows` rows of an image. */
static void dense(const struct unet_pass *pass, size_t rows, size_t in, size_t out,
                  const float *weight, const float *bias, const float *x, float *y, size_t ld) {
    const size_t at = pass->first * rows;
    pass->network->kernels->gemm(pass->n * rows, out, in, x + at * in, in, 1, weight, out,
                                 y + at * ld, ld, bias, false);
}

static void block_forward(const struct unet_pass *pass, int b, float *y) {
    const struct unet_block *block = &pass->network->unet.blocks[b];
    const struct unet_block_work *w = &pass->workspace->unet.blocks[b];
    const struct conv *conv = &block->conv1.conv;
    const float *plus = w->x;
    normalize(pass, conv, &block->norm1, NULL, w->x, w->rates1, w->input1, w->d1);
    convolve(pass, unet_conv1(b), w->input1, NULL, w->h);
    normalize(pass, conv, &block->norm2, block, w->h, w->rates2, w->input2, w->d2);
    if (block->skip.rows > 0) {
        dense(pass, unet_pixels(conv), (size_t)conv->in, (size_t)conv->out,
              pass->parameters + block->skip.offset, NULL, w->x, y, (size_t)conv->out);
        plus = y;
    }
    convolve(pass, unet_conv2(b), w->input2, plus, y);
}

/* Blocks first..end-1; the last one's output is y. */
static void blocks_forward(const struct unet_pass *pass, int first, int end, float *y) {
    for (int b = first; b < end; b++)
        block_forward(pass, b, b + 1 < end ? pass->workspace->unet.blocks[b + 1].x : y);
}

static void shrink(const struct unet_pass *pass, float *y) {
    const struct unet *unet = &pass->network->unet;
    const struct unet_workspace *w = &pass->workspace->unet;
    const size_t outer = (size_t)unet->outer, inner = (size_t)unet->inner;
    const size_t pixels = unet_pixels(&unet->in.conv), at = pass->first * pixels * outer;
    unet_patch(pass->n, &unet->in.conv, outer, w->skip + at, outer, w->patched + at);
    dense(pass, pixels / 4, 4 * outer, inner, pass->parameters + unet->shrink.offset,
          pass->parameters + unet->shrink_bias.offset, w->patched, y, inner);
}

/* The input of the first block that goes up: skip, and beside it what grows from the middle. */
static void grow(const struct unet_pass *pass, float *cat) {
    const struct unet *unet = &pass->network->unet;
    const struct unet_workspace *w = &pass->workspace->unet;
    const size_t outer = (size_t)unet->outer, inner = (size_t)unet->inner;
    const size_t pixels = unet_pixels(&unet->in.conv), at = pass->first * pixels;
    for (size_t p = 0; p < 4; p++)
        dense(pass, pixels / 4, inner, outer,
              pass->parameters + unet->grow.offset + p * unet->grow.plane,
              pass->parameters + unet->grow_bias.offset, w->middle, w->grown + p * outer,
              4 * outer);
    for (size_t p = at; p < at + pass->n * pixels; p++)
        memcpy(cat + p * 2 * outer, w->skip + p * outer, outer * sizeof *cat);
    unet_unpatch(pass->n, &unet->in.conv, outer, w->grown + at * outer,
                 cat + at * 2 * outer + outer, 2 * outer);
}

void unet_forward(const struct network *network, const float *parameters,
                  const struct time_rows *times, struct workspace *workspace, const float *x,
                  const uint64_t *given, const int32_t *slots, bool same_slot, size_t first,
                  size_t n) {
    const struct unet_pass pass = {network, parameters, times, workspace,
                                   slots,   same_slot,  first, n};
    const struct unet *unet = &network->unet;
    const struct unet_workspace *w = &workspace->unet;
    const size_t dim = (size_t)network->dim, ld = network->dim_ld;
    float *patches = w->patches + first * unet_pixels(&unet->in.conv) * (size_t)unet->in.conv.in;
    assert(!given && first + n <= workspace->rows);
    unet_patch_image(network, n, x + first * dim, dim, patches);
    convolve(&pass, 0, w->patches, NULL, w->blocks[0].x);
    blocks_forward(&pass, 0, unet->down, w->skip);
    shrink(&pass, w->blocks[unet->down].x);
    blocks_forward(&pass, unet->down, unet->up, w->middle);
    grow(&pass, w->blocks[unet->up].x);
    blocks_forward(&pass, unet->up, unet->block_count, w->last);
    normalize(&pass, &unet->out.conv, &unet->norm, NULL, w->last, w->rates, w->activated, w->d);
    convolve(&pass, unet_conv_count(network) - 1, w->activated, NULL, w->patches);
    unpatch_image(network, n, patches, workspace->out + first * ld, ld);
}
