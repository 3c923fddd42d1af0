/*
 * images.c - how fast the layers of a network of images are, as shares of the machine's peak in the same
 * run.
 *
 * usage: images [ROUNDS [KERNELS]]
 *
 * Arithmetic is counted as the sum that defines a convolution has it, 9 multiply-adds for each pixel and pair
 * of channels. Winograd's method needs 16 / 36 of those, so that its shares can be up to 225 %.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/network/conv.h"
#include "tests/bench/peak.h"

enum { CHUNK = 4 };

static const struct conv convs[] = {
    {14, 14, 32, 32}, {14, 14, 64, 64}, {14, 14, 64, 32}, {14, 14, 16, 32}, {14, 14, 128, 128},
    {28, 28, 32, 32}, {28, 28, 64, 64}, {7, 7, 32, 32},   {7, 7, 64, 64},   {7, 7, 128, 128},
};

/* All that a layer computes with: a chunk of images. */
struct layer {
    struct conv conv;
    const struct kernels *kernels;
    float *x, *dy, *y, *dx, *weight, *bias, *forward, *backward, *x_tiles, *dy_tiles, *scratch;
    float *sums, *rates, *d;
};

static float *filled(size_t count) {
    float *floats = floats_new(count);
    for (size_t i = 0; i < count; i++)
        floats[i] = (float)(i % 7) - 3;
    return floats;
}

static struct layer layer_new(struct conv conv) {
    const size_t in = (size_t)conv.in, out = (size_t)conv.out;
    const size_t pixels = (size_t)(CHUNK * conv.height * conv.width);
    struct layer layer = {conv, kernels_get()};
    layer.x = filled(pixels * in);
    layer.dx = filled(pixels * in);
    layer.y = filled(pixels * out);
    layer.dy = filled(pixels * out);
    layer.d = filled(pixels * in);
    layer.rates = filled(pixels);
    layer.weight = filled(9 * in * out);
    layer.bias = filled(in + out);
    layer.forward = filled(CONV_PLANES * in * out);
    layer.backward = filled(CONV_PLANES * in * out);
    layer.x_tiles = filled(conv_tiles_floats(&conv, CHUNK, conv.in));
    layer.dy_tiles = filled(conv_tiles_floats(&conv, CHUNK, conv.out));
    layer.scratch = filled(conv_scratch_floats(&conv));
    layer.sums = filled(conv_planes_floats(&conv) + 3 * in);
    conv_prepare(&conv, layer.kernels, layer.weight, layer.forward, layer.backward);
    return layer;
}

static void layer_clear(struct layer *layer) {
    float *all[] = {layer->x,       layer->dx,       layer->y,       layer->dy,
                    layer->d,       layer->rates,    layer->weight,  layer->bias,
                    layer->forward, layer->backward, layer->x_tiles, layer->dy_tiles,
                    layer->scratch, layer->sums};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void forward(const struct layer *l) {
    conv_forward(&l->conv, l->kernels, CHUNK, 0, CHUNK, l->x, l->forward, l->bias, NULL, l->x_tiles,
                 l->scratch, l->y);
}

static void input_gradient(const struct layer *l) {
    conv_backward_input(&l->conv, l->kernels, CHUNK, 0, CHUNK, l->dy, l->backward, l->dy_tiles,
                        l->scratch, l->dx);
}

static void weight_gradient(const struct layer *l) {
    for (int plane = 0; plane < CONV_PLANES; plane++)
        conv_backward_weight(&l->conv, l->kernels, plane, CHUNK, CHUNK, l->x_tiles, l->dy_tiles,
                             false, l->sums);
}

static void norm_forward(const struct layer *l) {
    const size_t pixels = (size_t)(l->conv.height * l->conv.width), cols = (size_t)l->conv.in;
    for (size_t i = 0; i < CHUNK; i++)
        l->kernels->norm(pixels, cols, l->x + i * pixels * cols, l->bias, l->bias, l->bias,
                         l->rates + i * pixels, l->dx + i * pixels * cols,
                         l->d + i * pixels * cols);
}

static void norm_backward(const struct layer *l) {
    const size_t pixels = (size_t)(l->conv.height * l->conv.width), cols = (size_t)l->conv.in;
    for (size_t i = 0; i < CHUNK; i++)
        l->kernels->norm_backward(pixels, cols, l->x + i * pixels * cols, l->d + i * pixels * cols,
                                  l->x + i * pixels * cols, l->rates + i * pixels, l->bias, l->bias,
                                  false, l->dx + i * pixels * cols, l->sums);
}

static const struct {
    const char *what;
    void (*run)(const struct layer *layer);
    bool is_conv;
} works[] = {
    {"forward", forward, true},
    {"input gradient", input_gradient, true},
    {"weight gradient", weight_gradient, true},
    {"norm", norm_forward, false},
    {"backward", norm_backward, false},
};
enum { WORKS = sizeof works / sizeof *works };

/* Multiplications and additions of a chunk. */
static double flops(const struct conv *conv) {
    return 2.0 * 9 * CHUNK * conv->height * conv->width * conv->in * conv->out;
}

/* Seconds of one run of a chunk, over about a millisecond. */
static double measure(const struct layer *layer, size_t work, double guess) {
    const int repeats = (int)(1e-3 / guess) + 1;
    const double began = now();
    for (int i = 0; i < repeats; i++)
        works[work].run(layer);
    return (now() - began) / repeats;
}

/* The best of all rounds, and the best peak of the same rounds: clock and neighbors vary. */
static void print_layer(const struct conv *conv, int rounds) {
    struct layer layer = layer_new(*conv);
    double best[WORKS], most = 0;
    for (size_t work = 0; work < WORKS; work++)
        best[work] = measure(&layer, work, 1);
    for (int i = 0; i < rounds; i++) {
        most = fmax(most, peak());
        for (size_t work = 0; work < WORKS; work++)
            best[work] = fmin(best[work], measure(&layer, work, best[work]));
    }
    printf("%2dx%-2d %3d to %3d %7.0f", conv->height, conv->width, conv->in, conv->out, most);
    for (size_t work = 0; work < WORKS; work++) {
        const double rate = flops(conv) / best[work] * 1e-9;
        printf("%8.1f us", 1e6 * best[work] / CHUNK);
        if (works[work].is_conv)
            printf(" %4.0f %4.0f %%", rate, 100 * rate / most);
    }
    printf("\n");
    layer_clear(&layer);
}

int main(int count, char **arguments) {
    const int rounds = count > 1 ? atoi(arguments[1]) : 40;
    struct dn_error error;
    if (count > 2 && dn_kernels_use(arguments[2], &error) != DN_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 2;
    }
    printf(
        "kernels %s; microseconds per image, in chunks of %d; GFLOP/s, and %% of the peak\n\n%23s",
        dn_kernels_name(), CHUNK, "peak");
    for (size_t work = 0; work < WORKS; work++)
        printf("  %*s", works[work].is_conv ? 20 : 9, works[work].what);
    printf("\n");
    for (size_t i = 0; i < sizeof convs / sizeof *convs; i++)
        print_layer(&convs[i], rounds);
    return 0;
}
