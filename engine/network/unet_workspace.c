/*
 * unet_workspace.c - the memory of a pass of the U-Net, and what follows from its weights alone.
 */
#include "engine/network/network.h"
#include "engine/network/unet_passes.h"

/* The largest scratch memory among all convolutions. */
static size_t scratch_floats(const struct network *network) {
    size_t most = 0;
    for (int i = 0; i < unet_conv_count(network); i++) {
        const size_t floats = kernels_pad(conv_scratch_floats(&unet_conv(network, i)->conv));
        most = most > floats ? most : floats;
    }
    return most;
}

static void place_conv(const struct network *network, int i, size_t rows, struct unet_workspace *w,
                       struct arena *arena) {
    const struct conv *conv = &unet_conv(network, i)->conv;
    const size_t weights = CONV_PLANES * (size_t)(conv->in * conv->out);
    struct unet_conv_work *to = &w->convs[i];
    to->forward = arena_take(arena, weights);
    if (!w->training)
        return;
    to->backward = arena_take(arena, weights);
    to->planes = arena_take(arena, conv_planes_floats(conv));
    to->x_tiles = arena_take(arena, conv_tiles_floats(conv, rows, conv->in));
    to->dy_tiles = arena_take(arena, conv_tiles_floats(conv, rows, conv->out));
}

/* What a block keeps for going backward. */
static void place_block(const struct unet_block *block, struct unet_block_work *to, size_t rows,
                        struct arena *arena) {
    const size_t pixels = rows * unet_pixels(&block->conv1.conv);
    const size_t in = (size_t)block->conv1.conv.in, out = (size_t)block->conv1.conv.out;
    to->x = arena_take(arena, pixels * in);
    to->h = arena_take(arena, pixels * out);
    to->d1 = arena_take(arena, pixels * in);
    to->d2 = arena_take(arena, pixels * out);
    to->rates1 = arena_take(arena, pixels);
    to->rates2 = arena_take(arena, pixels);
}

/* What the blocks of a level share; without training also inputs and outputs, in turn. An array has images
 * of one size, so that each thread has its own part of it. */
struct level {
    float *input1, *input2;
    float *x[2], *h, *rates;
};

static struct level place_level(size_t pixels, size_t channels, bool training,
                                struct arena *arena) {
    struct level level = {.input1 = arena_take(arena, pixels * channels),
                          .input2 = arena_take(arena, pixels * channels)};
    if (training)
        return level;
    level.x[0] = arena_take(arena, pixels * channels);
    level.x[1] = arena_take(arena, pixels * channels);
    level.h = arena_take(arena, pixels * channels);
    level.rates = arena_take(arena, pixels);
    return level;
}

static void place_blocks(const struct unet *unet, size_t rows, struct unet_workspace *w,
                         struct arena *arena) {
    const size_t pixels = rows * unet_pixels(&unet->in.conv), outer = (size_t)unet->outer;
    const struct level levels[2] = {
        place_level(pixels, outer, w->training, arena),
        place_level(pixels / 4, (size_t)unet->inner, w->training, arena),
    };
    for (int b = 0; b < unet->block_count; b++) {
        const struct level *level = &levels[b >= unet->down && b < unet->up];
        struct unet_block_work *to = &w->blocks[b];
        to->x = level->x[b % 2];
        to->h = level->h;
        to->rates1 = to->rates2 = level->rates;
        to->input1 = level->input1;
        to->input2 = level->input2;
        if (w->training)
            place_block(&unet->blocks[b], to, rows, arena);
    }
    struct unet_block_work *first_up = &w->blocks[unet->up];
    first_up->input1 = arena_take(arena, pixels * 2 * outer);
    if (!w->training)
        first_up->x = arena_take(arena, pixels * 2 * outer);
    w->activated = levels[0].input1;
    w->rates = levels[0].rates;
    w->last = levels[0].x[unet->block_count % 2];
    w->middle = levels[1].x[unet->up % 2];
}

static void place_training(const struct network *network, size_t rows, struct unet_workspace *w,
                           struct arena *arena) {
    const struct unet *unet = &network->unet;
    const size_t outer = (size_t)unet->outer, inner = (size_t)unet->inner;
    const size_t pixels = rows * unet_pixels(&unet->in.conv), few = pixels / 4;
    w->middle = arena_take(arena, few * inner);
    w->last = arena_take(arena, pixels * outer);
    w->rates = arena_take(arena, pixels);
    w->d = arena_take(arena, pixels * outer);
    w->g_up = arena_take(arena, pixels * outer);
    w->g_cat = arena_take(arena, pixels * 2 * outer);
    w->g_grown = arena_take(arena, pixels * outer);
    w->g_middle = arena_take(arena, few * inner);
    w->g_down = arena_take(arena, pixels * outer);
    w->sums = arena_take(arena, rows * unet->sums);
    w->shrink_back = arena_take(arena, 4 * outer * inner);
    w->grow_back = arena_take(arena, 4 * outer * inner);
    w->skip_back = arena_take(arena, 2 * outer * outer);
    w->time_back = arena_take(arena, network->slot_floats * (size_t)unet->embedding);
}

void unet_place_workspace(struct workspace *workspace, const struct network *network, bool training,
                          struct arena *arena) {
    const struct unet *unet = &network->unet;
    struct unet_workspace *w = &workspace->unet;
    const size_t rows = workspace->rows, pixels = rows * unet_pixels(&unet->in.conv);
    const size_t outer = (size_t)unet->outer;
    w->training = training;
    w->scratch_floats = scratch_floats(network);
    w->patches = arena_take(arena, pixels * (size_t)unet->in.conv.in);
    w->skip = arena_take(arena, pixels * outer);
    w->patched = arena_take(arena, pixels * outer);
    w->grown = arena_take(arena, pixels * outer);
    w->scratch = arena_take(arena, rows * w->scratch_floats);
    for (int i = 0; i < unet_conv_count(network); i++)
        place_conv(network, i, rows, w, arena);
    place_blocks(unet, rows, w, arena);
    if (training)
        place_training(network, rows, w, arena);
}

/* ------------------------------------------------------------------ prepared weights */

/* Each plane of a tensor. */
static void transpose(const struct network *network, const struct tensor *tensor,
                      const float *parameters, float *to) {
    const size_t rows = (size_t)tensor->rows, cols = (size_t)tensor->cols;
    for (size_t p = 0; p < (size_t)tensor->planes; p++)
        network->kernels->transpose(rows, cols, parameters + tensor->offset + p * tensor->plane,
                                    tensor->ld, to + p * rows * cols, rows);
}

void unet_prepare(const struct network *network, const float *parameters,
                  struct workspace *workspace) {
    const struct unet *unet = &network->unet;
    struct unet_workspace *w = &workspace->unet;
    for (int i = 0; i < unet_conv_count(network); i++) {
        const struct unet_conv *conv = unet_conv(network, i);
        workspace_pause(workspace);
        conv_prepare(&conv->conv, network->kernels, parameters + conv->weight.offset,
                     w->convs[i].forward, w->convs[i].backward);
    }
    if (!w->training)
        return;
    /* the planes of shrink are one matrix [4 C0][C1] */
    network->kernels->transpose(4 * (size_t)unet->outer, (size_t)unet->inner,
                                parameters + unet->shrink.offset, unet->shrink.ld, w->shrink_back,
                                4 * (size_t)unet->outer);
    transpose(network, &unet->grow, parameters, w->grow_back);
    transpose(network, &unet->blocks[unet->up].skip, parameters, w->skip_back);
    for (int b = 0; b < unet->block_count; b++)
        transpose(network, &unet->blocks[b].time_weight, parameters,
                  w->time_back + unet->blocks[b].scales * (size_t)unet->embedding);
}
