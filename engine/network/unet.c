/*
 * unet.c - the layout of the U-Net's parameters, their initial values, and what it costs.
 */
#include "engine/network/unet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/internal.h"
#include "engine/network/unet_passes.h"

int unet_conv_count(const struct network *network) {
    return 2 * network->unet.block_count + 2;
}

const struct unet_conv *unet_conv(const struct network *network, int i) {
    const struct unet *unet = &network->unet;
    if (i == 0)
        return &unet->in;
    if (i > 2 * unet->block_count)
        return &unet->out;
    const struct unet_block *block = &unet->blocks[(i - 1) / 2];
    return i % 2 == 1 ? &block->conv1 : &block->conv2;
}

/* ------------------------------------------------------------------ layout */

static struct tensor kernel(int size, int in, int out, enum tensor_form form) {
    return (struct tensor){.planes = size * size, .rows = in, .cols = out, .form = form};
}

static struct tensor vector(int values, bool summed) {
    return (struct tensor){.rows = 1, .cols = values, .form = TENSOR_VECTOR, .summed = summed};
}

static void place_conv(struct network *network, struct unet_conv *conv, int height, int width,
                       int in, int out, const char *name) {
    conv->conv =
        (struct conv){height, width, (int)kernels_pad((size_t)in), (int)kernels_pad((size_t)out)};
    network_place(network, &conv->weight, kernel(3, in, out, TENSOR_LAYER), "%s.weight", name);
    network_place(network, &conv->bias, vector(out, false), "%s.bias", name);
}

static void place_block(struct network *network, int b, const char *stretch, int number, int height,
                        int width, int in, int out) {
    struct unet *unet = &network->unet;
    struct unet_block *block = &unet->blocks[b];
    char name[24];
    snprintf(name, sizeof name, "%s.%d.conv1", stretch, number);
    network_place(network, &block->norm1, vector(in, true), "%s.%d.norm1.weight", stretch, number);
    place_conv(network, &block->conv1, height, width, in, out, name);
    network_place(network, &block->time_weight, kernel(1, unet->embedding, 2 * out, TENSOR_LAYER),
                  "%s.%d.time.weight", stretch, number);
    network_place(network, &block->time_bias, vector(2 * out, true), "%s.%d.time.bias", stretch,
                  number);
    network_place(network, &block->norm2, vector(out, true), "%s.%d.norm2.weight", stretch, number);
    snprintf(name, sizeof name, "%s.%d.conv2", stretch, number);
    place_conv(network, &block->conv2, height, width, out, out, name);
    if (in != out)
        network_place(network, &block->skip, kernel(1, in, out, TENSOR_LAYER), "%s.%d.skip.weight",
                      stretch, number);
    block->scales = network->slot_floats;
    block->sums = unet->sums;
    network->slot_floats += 2 * (size_t)out;
    unet->sums += 3 * (size_t)(in + out);
}

static void place_embedding(struct network *network) {
    struct unet *unet = &network->unet;
    const int E = unet->embedding;
    network_place(network, &unet->time_weight, kernel(1, E, E, TENSOR_LAYER), "time.weight");
    network_place(network, &unet->time_bias, vector(E, true), "time.bias");
    if (network->classes) {
        network_place(network, &unet->label, kernel(1, network->classes + 1, E, TENSOR_TABLE),
                      "label.weight");
        unet->label.summed = true;
    }
}

static void unet_layout(struct network *network, const struct dn_spec *spec) {
    struct unet *unet = &network->unet;
    const struct dn_dataset_spec *data = &spec->dataset;
    const int height = data->height / 2, width = data->width / 2;
    const int *blocks = spec->network.blocks;
    unet->height = data->height;
    unet->width = data->width;
    unet->channels = data->channels;
    unet->threads = spec->training.threads > 0 ? spec->training.threads : 1;
    const int outer = unet->outer = spec->network.channels[0];
    const int inner = unet->inner = spec->network.channels[1];
    unet->embedding = 4 * outer;
    unet->down = blocks[0];
    unet->up = blocks[0] + 2 * blocks[1];
    unet->block_count = 2 * blocks[0] + 2 * blocks[1];
    place_embedding(network);
    place_conv(network, &unet->in, height, width, 4 * data->channels, outer, "in");
    for (int b = 0; b < unet->down; b++)
        place_block(network, b, "down", b, height, width, outer, outer);
    network_place(network, &unet->shrink, kernel(2, outer, inner, TENSOR_LAYER), "shrink.weight");
    network_place(network, &unet->shrink_bias, vector(inner, true), "shrink.bias");
    for (int b = unet->down; b < unet->up; b++)
        place_block(network, b, "middle", b - unet->down, height / 2, width / 2, inner, inner);
    network_place(network, &unet->grow, kernel(2, inner, outer, TENSOR_TABLE), "grow.weight");
    network_place(network, &unet->grow_bias, vector(outer, true), "grow.bias");
    for (int b = unet->up; b < unet->block_count; b++)
        place_block(network, b, "up", b - unet->up, height, width,
                    b == unet->up ? 2 * outer : outer, outer);
    network_place(network, &unet->norm, vector(outer, true), "norm.weight");
    unet->sums += 3 * (size_t)outer;
    place_conv(network, &unet->out, height, width, outer, 4 * data->channels, "out");
}

static size_t sinusoid_floats(const struct network *network) {
    return (size_t)network->timesteps * (size_t)network->unet.embedding;
}

static size_t unet_bytes(const struct network *network) {
    return floats_bytes(sinusoid_floats(network));
}

static enum dn_status unet_init(struct network *network, struct dn_error *error) {
    const int E = network->unet.embedding, T = network->timesteps;
    float *sinusoid = network->unet.sinusoid = floats_new(sinusoid_floats(network));
    if (!sinusoid)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    for (int t = 1; t <= T; t++)
        for (int r = 0; r < E; r++)
            sinusoid[(t - 1) * E + r] = (float)network_sinusoid(E, t, r);
    return DN_OK;
}

static void unet_clear(struct network *network) {
    free(network->unet.sinusoid);
}

/* ------------------------------------------------------------------ initial weights */

/* Uniform with the variance factor / inputs. */
static void draw(const struct tensor *tensor, double factor, int inputs, uint64_t seed, float *p) {
    const uint32_t number = (uint32_t)(tensor->offset / 16);
    tensor_uniform(tensor, seed, number, false, sqrt(3 * factor / inputs), p);
}

static void unet_draw_weights(const struct network *network, uint64_t seed, float *p) {
    const struct unet *unet = &network->unet;
    draw(&unet->time_weight, 2, unet->embedding, seed,
         p); /* half of a sinusoid's mean square is 1 */
    if (network->classes)
        tensor_normal(network->kernels, &unet->label, seed, (uint32_t)(unet->label.offset / 16), p);
    draw(&unet->in.weight, 1, tensor_rows(&unet->in.weight), seed, p);
    draw(&unet->shrink, 1, tensor_rows(&unet->shrink), seed, p);
    draw(&unet->grow, 1, unet->inner, seed, p);
    for (int b = 0; b < unet->block_count; b++) {
        const struct unet_block *block = &unet->blocks[b];
        tensor_affine(&block->norm1, 0, 1, p);
        tensor_affine(&block->norm2, 0, 1, p);
        draw(&block->conv1.weight, 2, tensor_rows(&block->conv1.weight), seed, p);
        draw(&block->time_weight, 1.0 / 3, unet->embedding, seed, p); /* PyTorch's Linear */
        if (block->skip.rows > 0)
            draw(&block->skip, 1, block->skip.rows, seed, p);
    }
    tensor_affine(&unet->norm, 0, 1, p);
}

/* ------------------------------------------------------------------ costs */

/* Multiplications and additions of the sums that define the layers, whatever way they are computed. */
static double unet_row_flops(const struct network *network) {
    const struct unet *unet = &network->unet;
    const double pixels = unet->height * unet->width / 4.0;
    const double blocks_up = pixels * 2 * unet->outer * unet->outer; /* the first one's skip */
    double sum = blocks_up + 2 * pixels * unet->outer * unet->inner; /* shrink, grow */
    for (int i = 0; i < unet_conv_count(network); i++) {
        const struct unet_conv *conv = unet_conv(network, i);
        sum += (double)conv->conv.height * conv->conv.width * tensor_rows(&conv->weight) *
               conv->weight.cols;
    }
    return 2 * sum;
}

/* In training, a thread has about this many pixels of level 0: with more, what it keeps of them would not
 * fit the second-level cache; with fewer, the sums over pixels would be short. Without a backward pass, what
 * counts is that a call does not take long. */
enum { THREAD_PIXELS = 400 };
#define CALL_FLOPS 1.5e8

static size_t images_for(double amount, double of_one, double most) {
    return (size_t)fmin(fmax(round(amount / of_one), 1), most);
}

static struct network_chunks unet_chunks(const struct network *network) {
    const size_t each = images_for(THREAD_PIXELS, (double)unet_pixels(&network->unet.in.conv), 16);
    return (struct network_chunks){
        .batch = each,
        .validation = (size_t)network->unet.threads * each,
        .sampling = images_for(CALL_FLOPS, unet_row_flops(network), 32),
    };
}

/* Forward, gradients of activations (but not of the image), gradients of weights. */
static double unet_step_flops(const struct network *network, int rows) {
    const struct unet *unet = &network->unet;
    const double pixels = unet->height * unet->width / 4.0;
    const double in = 2 * pixels * tensor_rows(&unet->in.weight) * unet->in.weight.cols;
    return rows * (3 * unet_row_flops(network) - in);
}

static int unet_lasting(const struct network *network, int batch) {
    (void)network;
    (void)batch;
    return 0;
}

const struct network_kind unet_kind = {
    .layout = unet_layout,
    .init = unet_init,
    .bytes = unet_bytes,
    .clear = unet_clear,
    .draw_weights = unet_draw_weights,
    .chunks = unet_chunks,
    .row_flops = unet_row_flops,
    .step_flops = unet_step_flops,
    .lasting = unet_lasting,
    .place_times = unet_place_times,
    .embed = unet_embed,
    .place_workspace = unet_place_workspace,
    .prepare = unet_prepare,
    .forward = unet_forward,
    .backward_rows = unet_backward_rows,
    .backward_weights = unet_backward_weights,
    .finish_gradients = unet_finish_gradients,
};
