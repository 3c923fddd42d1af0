/*
 * unet_backward.c - the backward pass of the U-Net: image by image, then the sums over images.
 */
#include <assert.h>
#include <string.h>

#include "engine/network/unet_passes.h"

/* ------------------------------------------------------------------ image by image */

/* Of convolution i: dx from dy, unless dx is NULL. */
static void convolve_back(const struct unet_pass *pass, int i, const float *dy, float *dx) {
    const struct unet_workspace *w = &pass->workspace->unet;
    conv_backward_input(&unet_conv(pass->network, i)->conv, pass->network->kernels,
                        pass->workspace->rows, pass->first, pass->n, dy, w->convs[i].backward,
                        w->convs[i].dy_tiles, w->scratch + pass->first * w->scratch_floats, dx);
}

/* Of a norm with swish: dx, or += if add, from g. Each image has its sums from `sums` on. */
static void normalize_back(const struct unet_pass *pass, const struct conv *conv,
                           const struct tensor *gain, const struct unet_block *block, size_t sums,
                           const float *g, const float *d, const float *x, const float *rates,
                           bool add, float *dx) {
    const size_t channels = (size_t)gain->cols, pixels = unet_pixels(conv);
    const size_t size = pixels * channels, all_sums = pass->network->unet.sums;
    for (size_t i = pass->first; i < pass->first + pass->n; i++)
        pass->network->kernels->norm_backward(
            pixels, channels, g + i * size, d + i * size, x + i * size, rates + i * pixels,
            pass->parameters + gain->offset, block ? unet_scale(pass, block, i) : NULL, add,
            dx + i * size, pass->workspace->unet.sums + i * all_sums + sums);
}

/* dx [..][in] = (or +=) dy [..][out] weight^T, for `rows` rows of an image. */
static void dense_back(const struct unet_pass *pass, size_t rows, size_t in, size_t out,
                       const float *back, const float *dy, size_t ld, bool add, float *dx) {
    const size_t at = pass->first * rows;
    pass->network->kernels->gemm(pass->n * rows, in, out, dy + at * ld, ld, 1, back, in,
                                 dx + at * in, in, NULL, add);
}

/* dx from dy; they are the same array unless channels change. */
static void block_backward(const struct unet_pass *pass, int b, const float *dy, float *dx) {
    const struct unet_block *block = &pass->network->unet.blocks[b];
    const struct unet_block_work *w = &pass->workspace->unet.blocks[b];
    const struct conv *conv = &block->conv1.conv;
    const size_t in = (size_t)conv->in, out = (size_t)conv->out;
    convolve_back(pass, unet_conv2(b), dy, w->input2);
    normalize_back(pass, conv, &block->norm2, block, block->sums + 3 * in, w->input2, w->d2, w->h,
                   w->rates2, false, w->input2);
    convolve_back(pass, unet_conv1(b), w->input2, w->input1);
    if (block->skip.rows > 0)
        dense_back(pass, unet_pixels(conv), in, out, pass->workspace->unet.skip_back, dy, out,
                   false, dx);
    normalize_back(pass, conv, &block->norm1, NULL, block->sums, w->input1, w->d1, w->x, w->rates1,
                   true, dx);
}

/* Blocks end-1..first: g, the gradient of the last one's output, becomes that of the first one's input. */
static void blocks_backward(const struct unet_pass *pass, int first, int end, float *g) {
    for (int b = end - 1; b >= first; b--)
        block_backward(pass, b, g, g);
}

static void grow_back(const struct unet_pass *pass) {
    const struct unet *unet = &pass->network->unet;
    const struct unet_workspace *w = &pass->workspace->unet;
    const size_t outer = (size_t)unet->outer, inner = (size_t)unet->inner;
    const size_t pixels = unet_pixels(&unet->in.conv), at = pass->first * pixels;
    unet_patch(pass->n, &unet->in.conv, outer, w->g_cat + at * 2 * outer + outer, 2 * outer,
               w->g_grown + at * outer);
    for (size_t p = 0; p < 4; p++)
        dense_back(pass, pixels / 4, inner, outer, w->grow_back + p * outer * inner,
                   w->g_grown + p * outer, 4 * outer, p > 0, w->g_middle);
}

/* The gradient of skip has two parts: one by way of shrink, one directly. */
static void shrink_back(const struct unet_pass *pass) {
    const struct unet *unet = &pass->network->unet;
    const struct unet_workspace *w = &pass->workspace->unet;
    const size_t outer = (size_t)unet->outer, inner = (size_t)unet->inner;
    const size_t pixels = unet_pixels(&unet->in.conv), at = pass->first * pixels;
    dense_back(pass, pixels / 4, 4 * outer, inner, w->shrink_back, w->g_middle, inner, false,
               w->grown);
    unet_unpatch(pass->n, &unet->in.conv, outer, w->grown + at * outer, w->g_down + at * outer,
                 outer);
    for (size_t p = at; p < at + pass->n * pixels; p++)
        for (size_t j = 0; j < outer; j++)
            w->g_down[p * outer + j] += w->g_cat[p * 2 * outer + j];
}

void unet_backward_rows(const struct network *network, const float *parameters,
                        const struct time_rows *times, struct workspace *workspace,
                        const int32_t *slots, size_t first, size_t n) {
    const struct unet_pass pass = {network, parameters, times, workspace, slots, false, first, n};
    const struct unet *unet = &network->unet;
    const struct unet_workspace *w = &workspace->unet;
    const size_t ld = network->dim_ld;
    assert(w->training && first + n <= workspace->rows);
    unet_patch_image(network, n, workspace->out + first * ld, ld,
                     w->patches + first * unet_pixels(&unet->in.conv) * (size_t)unet->in.conv.in);
    convolve_back(&pass, unet_conv_count(network) - 1, w->patches, w->activated);
    normalize_back(&pass, &unet->out.conv, &unet->norm, NULL, unet->sums - 3 * (size_t)unet->outer,
                   w->activated, w->d, w->last, w->rates, false, w->g_up);
    blocks_backward(&pass, unet->up + 1, unet->block_count, w->g_up);
    block_backward(&pass, unet->up, w->g_up, w->g_cat);
    grow_back(&pass);
    blocks_backward(&pass, unet->down, unet->up, w->g_middle);
    shrink_back(&pass);
    blocks_backward(&pass, 0, unet->down, w->g_down);
    convolve_back(&pass, 0, w->g_down, NULL);
}

/* ------------------------------------------------------------------ over images */

/* A share of the sums: the parts take the items in turn. */
struct share {
    const struct network *network;
    const struct unet_workspace *w;
    size_t rows, n; /* of the workspace; of the chunk */
    bool first_chunk;
    int part, parts, item;
    float *gradients;
};

static bool is_next(struct share *share) {
    return share->item++ % share->parts == share->part;
}

/* A weight's gradient = (or +=) x [rows][in]^T dy [rows][out]. */
static void dense_sum(const struct share *share, size_t rows, size_t in, size_t out, const float *x,
                      const float *dy, size_t ld, float *weight) {
    share->network->kernels->gemm(in, out, rows, x, 1, in, dy, ld, weight, out, NULL,
                                  !share->first_chunk);
}

static void dense_sums(struct share *share) {
    const struct unet *unet = &share->network->unet;
    const struct unet_workspace *w = share->w;
    const struct kernels *k = share->network->kernels;
    const size_t outer = (size_t)unet->outer, inner = (size_t)unet->inner;
    const size_t pixels = share->n * unet_pixels(&unet->in.conv), few = pixels / 4;
    float *gradients = share->gradients;
    if (is_next(share)) {
        dense_sum(share, few, 4 * outer, inner, w->patched, w->g_middle, inner,
                  gradients + unet->shrink.offset);
        k->column_sums(few, inner, inner, w->g_middle, gradients + unet->shrink_bias.offset);
    }
    if (is_next(share)) {
        for (size_t p = 0; p < 4; p++)
            dense_sum(share, few, inner, outer, w->middle, w->g_grown + p * outer, 4 * outer,
                      gradients + unet->grow.offset + p * unet->grow.plane);
        k->column_sums(pixels, outer, outer, w->g_grown, gradients + unet->grow_bias.offset);
    }
    if (is_next(share))
        dense_sum(share, pixels, 2 * outer, outer, w->blocks[unet->up].x, w->g_up, outer,
                  gradients + unet->blocks[unet->up].skip.offset);
}

/* Of the images of a chunk: gradients of gains, and of a and b. */
static void norm_sums(const struct share *share, const int32_t *slots, float *scale_gradients) {
    const struct network *network = share->network;
    const struct unet *unet = &network->unet;
    const size_t ld = unet->sums, n = share->n;
    float *gradients = share->gradients;
    for (int b = 0; b < unet->block_count; b++) {
        const struct unet_block *block = &unet->blocks[b];
        const size_t in = (size_t)block->norm1.cols, out = (size_t)block->norm2.cols;
        const float *sums1 = share->w->sums + block->sums, *sums2 = sums1 + 3 * in;
        network->kernels->column_sums(n, in, ld, sums1, gradients + block->norm1.offset);
        network->kernels->column_sums(n, out, ld, sums2, gradients + block->norm2.offset);
        for (size_t i = 0; i < n; i++) {
            float *to = scale_gradients + (size_t)slots[i] * network->slot_floats + block->scales;
            for (size_t j = 0; j < 2 * out; j++)
                to[j] += sums2[i * ld + out + j];
        }
    }
    const size_t outer = (size_t)unet->outer;
    network->kernels->column_sums(n, outer, ld, share->w->sums + ld - 3 * outer,
                                  gradients + unet->norm.offset);
}

void unet_backward_weights(const struct network *network, struct time_rows *times,
                           struct workspace *workspace, const float *x, const uint64_t *given,
                           const int32_t *slots, size_t n, bool first_chunk, int part, int parts,
                           float *gradients) {
    (void)x; /* its transformed patches are in the workspace */
    (void)given;
    const struct unet_workspace *w = &workspace->unet;
    struct share share = {network, w, workspace->rows, n, first_chunk, part, parts, 0, gradients};
    assert(w->training && n <= workspace->rows);
    for (int i = 0; i < unet_conv_count(network); i++)
        for (int plane = 0; plane < CONV_PLANES; plane++)
            if (is_next(&share))
                conv_backward_weight(&unet_conv(network, i)->conv, network->kernels, plane,
                                     share.rows, n, w->convs[i].x_tiles, w->convs[i].dy_tiles,
                                     first_chunk, w->convs[i].planes);
    dense_sums(&share);
    if (is_next(&share))
        norm_sums(&share, slots, times->unet.gradient);
}

void unet_finish_gradients(const struct network *network, const float *parameters,
                           struct time_rows *times, struct workspace *workspace, int part,
                           int parts, float *gradients) {
    (void)parameters;
    const struct unet_workspace *w = &workspace->unet;
    for (int i = 0; i < unet_conv_count(network); i++) {
        const struct unet_conv *conv = unet_conv(network, i);
        if (i % parts == part)
            conv_finish_weight(&conv->conv, w->convs[i].planes, gradients + conv->weight.offset,
                               gradients + conv->bias.offset);
    }
    unet_backward_times(network, w, times, part, parts, gradients);
}
