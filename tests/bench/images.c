/*
 * images.c - how fast the layers of a network of images are, and whole steps of training, as shares of the
 * machine's peak in the same run.
 *
 * usage: images [ROUNDS [KERNELS]]
 *        images train-images ROUNDS    seconds of a step of the preset, a line for each round (for the peers)
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
#include "server/jobs/team.h"
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
    const size_t pixels = (size_t)CHUNK * (size_t)conv.height * (size_t)conv.width;
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
    const size_t pixels = (size_t)l->conv.height * (size_t)l->conv.width, cols = (size_t)l->conv.in;
    for (size_t i = 0; i < CHUNK; i++)
        l->kernels->norm(pixels, cols, l->x + i * pixels * cols, l->bias, l->bias, l->bias,
                         l->rates + i * pixels, l->dx + i * pixels * cols,
                         l->d + i * pixels * cols);
}

static void norm_backward(const struct layer *l) {
    const size_t pixels = (size_t)l->conv.height * (size_t)l->conv.width, cols = (size_t)l->conv.in;
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

/* ------------------------------------------------------------------ whole steps */

static const struct {
    int side, channels[2];
} networks[] = {{28, {32, 64}}, {28, {64, 128}}, {64, {32, 64}}};
enum { NETWORKS = sizeof networks / sizeof *networks, THREADS = 2, IMAGES = 256 };

/* On noise: what a step takes does not depend on the pixels. */
static struct dn_trainer *trainer_new(size_t network, int threads) {
    const int side = networks[network].side, dim = side * side;
    struct dn_spec spec = dn_presets[DN_PRESET_IMAGES].spec;
    struct dn_trainer *trainer = NULL;
    uint8_t *pixels = malloc((size_t)IMAGES * (size_t)dim);
    int32_t labels[IMAGES];
    for (int i = 0; pixels && i < IMAGES * dim; i++)
        pixels[i] = (uint8_t)((unsigned)i * 2654435761u >> 24);
    for (int i = 0; i < IMAGES; i++)
        labels[i] = i % 10;
    spec.dataset = (struct dn_dataset_spec){
        .source_count = 1, .dim = dim, .height = side, .width = side, .channels = 1, .classes = 10};
    spec.dataset.sources[0] = (struct dn_source){.pattern = DN_UPLOADED, .n = IMAGES};
    spec.network.kind = DN_UNET;
    memcpy(spec.network.channels, networks[network].channels, sizeof spec.network.channels);
    spec.training.validation_fraction = 0;
    spec.training.threads = threads;
    const struct dn_data data = {
        .dim = dim, .n = IMAGES, .pixels = pixels, .labels = labels, .classes = 10};
    struct dn_error error;
    if (!pixels || dn_trainer_new(&spec, &data, &trainer, &error) != DN_OK)
        fprintf(stderr, "%s\n", pixels ? error.text : "out of memory");
    free(pixels);
    return trainer;
}

static double wall(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The best step of all rounds: of one thread by its processor time, and of one and of several by the clock
 * on the wall, which need idle cores. Both take turns. */
static void print_network(size_t network, int rounds) {
    struct dn_trainer *one = trainer_new(network, 1), *several = trainer_new(network, THREADS);
    struct dn_team *team = team_start(THREADS);
    double best = 1e9, alone = 1e9, together = 1e9, most = 0;
    if (one && several && team) {
        const struct dn_spec *spec = dn_trainer_spec(one);
        const double batch = spec->training.batch_size, flops_of = dn_spec_step_flops(spec);
        dn_trainer_use_team(several, team);
        for (int i = 0; i < rounds; i++) {
            most = fmax(most, peak());
            const double began = now(), from = wall();
            dn_trainer_step(one, NULL, NULL);
            best = fmin(best, now() - began);
            const double between = wall();
            alone = fmin(alone, between - from);
            dn_trainer_step(several, NULL, NULL);
            together = fmin(together, wall() - between);
        }
        printf("%2dx%-2d %3d, %3d  %6.0f %8.0f images/s  %4.0f GFLOP/s  %4.0f %%  %8.2f\n",
               networks[network].side, networks[network].side, networks[network].channels[0],
               networks[network].channels[1], most, batch / best, flops_of / best * 1e-9,
               100 * flops_of / best * 1e-9 / most, alone / together);
    }
    if (team)
        team_stop(team);
    dn_trainer_free(one);
    dn_trainer_free(several);
}

/* Two steps are an epoch here, and both count. */
static int print_steps(int rounds) {
    enum { STEPS = 6 };
    struct dn_trainer *trainer = trainer_new(0, 1);
    if (!trainer)
        return 1;
    for (int i = -1; i < rounds; i++) { /* the first does not count */
        const double began = now();
        for (int step = 0; step < STEPS; step++)
            dn_trainer_step(trainer, NULL, NULL);
        if (i >= 0)
            printf("%.9f\n", (now() - began) / STEPS);
    }
    dn_trainer_free(trainer);
    return 0;
}

int main(int count, char **arguments) {
    if (count > 2 && strcmp(arguments[1], "train-images") == 0)
        return print_steps(atoi(arguments[2]));
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
    printf("\nsteps of training, one thread%*s   times as fast with %d threads\n", 30, "", THREADS);
    for (size_t i = 0; i < NETWORKS; i++)
        print_network(i, rounds);
    return 0;
}
