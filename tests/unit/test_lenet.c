/* The judge of images: its layers against slow ones in double precision, what it learns, and its serialized
 * form. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"
#include "engine/denoise.h"
#include "engine/metrics/lenet.h"

/* ------------------------------------------------------------------ slow layers */

static void slow_stage(const struct lenet_stage *s, const double *p, const double *x, double *y) {
    const size_t H = s->height, W = s->width;
    for (size_t oy = 0; oy < (H - 4) / 2; oy++)
        for (size_t ox = 0; ox < (W - 4) / 2; ox++)
            for (size_t c = 0; c < s->out; c++) {
                double best = 0;
                for (size_t k = 0; k < 4; k++) {
                    double sum = p[s->bias + c];
                    for (size_t dy = 0; dy < 5; dy++)
                        for (size_t dx = 0; dx < 5; dx++)
                            for (size_t i = 0; i < s->in; i++)
                                sum += x[((2 * oy + k / 2 + dy) * W + 2 * ox + k % 2 + dx) * s->in +
                                         i] *
                                       p[s->weight + ((dy * 5 + dx) * s->in + i) * 16 + c];
                    best = fmax(best, sum);
                }
                y[(oy * ((W - 4) / 2) + ox) * s->out + c] = best;
            }
}

/* One image through the network, every sum written out. Returns -ln softmax(logits)[label]. */
static double slow_loss(const struct lenet *l, const double *p, const uint8_t *pixels,
                        int32_t label, double features[DN_JUDGE_FEATURES], double *logits) {
    static double a[64 * 64 * 3], b[64 * 64 * 3];
    const struct lenet_stage *s = l->stages;
    for (size_t y = 0; y < s->height; y++)
        for (size_t x = 0; x < s->width; x++)
            for (size_t c = 0; c < s->in; c++) {
                const size_t row = y / l->repeat_rows, column = x / l->repeat_columns;
                const uint8_t value = pixels[(row * (size_t)l->width + column) * s->in + c];
                a[(y * s->width + x) * s->in + c] = value / 255.0;
            }
    slow_stage(&s[0], p, a, b);
    slow_stage(&s[1], p, b, a);
    double *in = a, *out = b;
    for (int k = 0; k < LENET_LAYERS; k++) {
        const struct lenet_layer *layer = &l->layers[k];
        for (size_t j = 0; j < layer->out; j++) {
            out[j] = p[layer->bias + j];
            for (size_t i = 0; i < layer->in; i++)
                out[j] += in[i] * p[layer->weight + i * layer->ld + j];
            if (k < LENET_LAYERS - 1)
                out[j] = fmax(0, out[j]);
        }
        if (k == LENET_LAYERS - 2 && features)
            memcpy(features, out, DN_JUDGE_FEATURES * sizeof *features);
        double *other = in;
        in = out;
        out = other;
    }
    double total = 0;
    for (int c = 0; c < l->classes; c++)
        total += exp(in[c]);
    if (logits)
        memcpy(logits, in, (size_t)l->classes * sizeof *logits);
    return log(total) - in[label];
}

struct shape {
    int height, width, channels, classes;
};
static const struct shape shapes[] = {{28, 28, 1, 10}, {4, 4, 3, 2},    {8, 64, 1, 17},
                                      {20, 24, 3, 3},  {32, 12, 1, 64}, {16, 16, 3, 5}};
enum { SHAPES = sizeof shapes / sizeof *shapes, IMAGES = 3 };

/* Noise, with half of its values 0. */
static void noise_image(uint64_t seed, size_t values, uint8_t *pixels) {
    for (size_t j = 0; j < values; j++) {
        const double u = random_uniform(seed, RANDOM_DATA, 0, j);
        pixels[j] = (uint8_t)(u < 0.5 ? 0 : 511 * (u - 0.5));
    }
}

struct fixture {
    struct lenet lenet;
    size_t values;
    float *parameters, *gradients;
    double *exact; /* the parameters */
    uint8_t *pixels;
    int32_t labels[IMAGES];
    struct lenet_work work;
};

static void setup(struct fixture *f, const struct shape *shape) {
    lenet_layout(&f->lenet, kernels_get(), shape->height, shape->width, shape->channels,
                 shape->classes);
    f->values = (size_t)shape->height * (size_t)shape->width * (size_t)shape->channels;
    f->parameters = floats_new(f->lenet.size);
    f->gradients = floats_new(f->lenet.size);
    f->exact = calloc(f->lenet.size, sizeof *f->exact);
    f->pixels = malloc(IMAGES * f->values);
    lenet_initialize(&f->lenet, 3, f->parameters);
    const struct lenet_stage *s = f->lenet.stages;
    for (size_t c = 0; c < 6; c++) /* so that the biases matter, too */
        f->parameters[s[0].bias + c] = 0.02f * (float)c - 0.05f;
    for (size_t e = 0; e < f->lenet.size; e++)
        f->exact[e] = f->parameters[e];
    struct dn_error error;
    cr_assert_eq(lenet_work_init(&f->work, &f->lenet, IMAGES, true, &error), DN_OK);
    for (size_t i = 0; i < IMAGES; i++) {
        noise_image(i, f->values, f->pixels + i * f->values);
        f->labels[i] = (int32_t)(i * 7) % shape->classes;
        lenet_read(&f->lenet, &f->work, i, f->pixels + i * f->values);
    }
}

static void teardown(struct fixture *f) {
    free(f->parameters);
    free(f->gradients);
    free(f->exact);
    free(f->pixels);
    lenet_work_clear(&f->work);
}

static double slow_mean(const struct fixture *f) {
    double sum = 0;
    for (size_t i = 0; i < IMAGES; i++)
        sum += slow_loss(&f->lenet, f->exact, f->pixels + i * f->values, f->labels[i], NULL, NULL);
    return sum / IMAGES;
}

Test(lenet, is_the_network_of_the_paper) {
    struct lenet lenet;
    lenet_layout(&lenet, kernels_get(), 28, 28, 1, 10);
    size_t weights = 0;
    for (int s = 0; s < LENET_STAGES; s++)
        weights += (25 * lenet.stages[s].in + 1) * lenet.stages[s].out;
    for (int l = 0; l < LENET_LAYERS; l++)
        weights += (lenet.layers[l].in + 1) * lenet.layers[l].out;
    cr_assert_eq(weights, 44426);
    lenet_layout(&lenet, kernels_get(), 32, 32, 1, 10); /* the size in the paper */
    cr_assert_eq(lenet.layers[0].in, 400);
}

Test(lenet, computes_what_slow_layers_do) {
    for (size_t k = 0; k < SHAPES; k++) {
        struct fixture f;
        setup(&f, &shapes[k]);
        lenet_forward(&f.lenet, f.parameters, &f.work, IMAGES);
        const double loss = lenet_loss(&f.lenet, &f.work, IMAGES, f.labels);
        cr_assert_float_eq(loss, slow_mean(&f), 1e-5 * fabs(loss), "shape %zu", k);
        for (size_t i = 0; i < IMAGES; i++) {
            double features[DN_JUDGE_FEATURES], logits[DN_MAX_CLASSES];
            slow_loss(&f.lenet, f.exact, f.pixels + i * f.values, f.labels[i], features, logits);
            const struct lenet_layer *layer = f.lenet.layers;
            for (size_t j = 0; j < DN_JUDGE_FEATURES; j++)
                cr_assert_float_eq(f.work.h[1][i * layer[1].ld + j], features[j], 2e-5);
            for (size_t j = 0; j < layer[2].out; j++)
                cr_assert_float_eq(f.work.h[2][i * layer[2].ld + j], logits[j], 2e-5);
        }
        teardown(&f);
    }
}

/* A central difference is wrong where a maximum changes its place between its two ends, which is rare
 * with steps of 1e-6 in double precision. */
static void check_gradient(struct fixture *f, size_t at, double scale) {
    const double step = 1e-6, before = f->exact[at];
    f->exact[at] = before + step;
    const double above = slow_mean(f);
    f->exact[at] = before - step;
    const double below = slow_mean(f);
    f->exact[at] = before;
    cr_assert_float_eq(f->gradients[at], (above - below) / (2 * step), 1e-4 * scale,
                       "%g for %g at %zu", (double)f->gradients[at], (above - below) / (2 * step),
                       at);
}

static double largest(const float *values, size_t n) {
    double most = 0;
    for (size_t j = 0; j < n; j++)
        most = fmax(most, fabs((double)values[j]));
    return most;
}

/* Some elements of a tensor [rows][columns], and that the padding has none. */
static void check_tensor(struct fixture *f, uint64_t seed, size_t at, size_t rows, size_t columns,
                         size_t ld) {
    const double scale = largest(f->gradients + at, rows * ld);
    cr_assert_gt(scale, 0);
    for (uint64_t probe = 0; probe < 4; probe++) {
        const double u = random_uniform(seed, RANDOM_START, 0, probe);
        const size_t e = (size_t)(u * (double)(rows * columns));
        check_gradient(f, at + e / columns * ld + e % columns, scale);
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t j = columns; j < ld; j++)
            cr_assert_eq(f->gradients[at + i * ld + j], 0);
}

Test(lenet, has_the_gradient_of_slow_layers) {
    for (size_t k = 0; k < SHAPES; k++) {
        struct fixture f;
        setup(&f, &shapes[k]);
        lenet_forward(&f.lenet, f.parameters, &f.work, IMAGES);
        lenet_loss(&f.lenet, &f.work, IMAGES, f.labels);
        lenet_backward(&f.lenet, f.parameters, &f.work, IMAGES, f.gradients);
        for (int i = 0; i < LENET_STAGES; i++) {
            const struct lenet_stage *s = &f.lenet.stages[i];
            check_tensor(&f, 1 + (uint64_t)i, s->weight, 25 * s->in, s->out, LENET_LANES);
            check_tensor(&f, 3 + (uint64_t)i, s->bias, 1, s->out, LENET_LANES);
        }
        for (int i = 0; i < LENET_LAYERS; i++) {
            const struct lenet_layer *l = &f.lenet.layers[i];
            check_tensor(&f, 5 + (uint64_t)i, l->weight, l->in, l->out, l->ld);
            check_tensor(&f, 8 + (uint64_t)i, l->bias, 1, l->out, l->ld);
        }
        teardown(&f);
    }
}

/* ------------------------------------------------------------------ judges */

/* Bars of a class's direction, at random places, on noise: 0 lies, 1 stands, 2 rises, 3 falls. */
static void draw_bar(uint64_t seed, size_t index, int32_t label, int size, int channels,
                     uint8_t *pixels) {
    const double u = random_uniform(seed, RANDOM_START, 1, index);
    const int at = (int)(u * size);
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++) {
            const int place = label == 0 ? y : label == 1 ? x : label == 2 ? x + y : x - y + size;
            const double grain =
                random_uniform(seed, RANDOM_DATA, (uint32_t)index, (uint64_t)y * 64 + (uint64_t)x);
            for (int c = 0; c < channels; c++)
                *pixels++ = (uint8_t)((place % size == at ? 190 : 0) + 60 * grain);
        }
}

static struct dn_images draw_bars(uint64_t seed, size_t n, int classes, int size, int channels) {
    const size_t values = (size_t)size * (size_t)size * (size_t)channels;
    uint8_t *pixels = malloc(n * values + 1);
    int32_t *labels = malloc(n * sizeof *labels + 1);
    for (size_t i = 0; i < n; i++) {
        labels[i] = (int32_t)i % classes;
        draw_bar(seed, i, labels[i], size, channels, pixels + i * values);
    }
    return (struct dn_images){pixels, labels, n, size, size, channels};
}

static void images_free(struct dn_images *images) {
    free((void *)images->pixels);
    free((void *)images->labels);
}

static struct dn_judge *train(const struct dn_images *images, int classes, uint64_t seed) {
    struct dn_judge *judge = NULL;
    struct dn_error error = {""};
    cr_assert_eq(dn_judge_train(images, classes, seed, &judge, NULL, &error), DN_OK, "%s",
                 error.text);
    cr_assert_eq(dn_judge_classes(judge), classes);
    return judge;
}

static double accuracy(const struct dn_judge *judge, const struct dn_images *images) {
    int32_t *classes = malloc(images->n * sizeof *classes);
    struct dn_error error = {""};
    cr_assert_eq(dn_judge_look(judge, images, NULL, classes, NULL, &error), DN_OK, "%s",
                 error.text);
    size_t right = 0;
    for (size_t i = 0; i < images->n; i++)
        right += classes[i] == images->labels[i];
    free(classes);
    return (double)right / (double)images->n;
}

Test(judge, learns_what_tells_classes_apart) {
    static const struct { int size, channels, classes; } sets[] = {{8, 1, 2}, {20, 3, 4}};
    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++) {
        struct dn_images known = draw_bars(1, 400, sets[k].classes, sets[k].size, sets[k].channels);
        struct dn_images fresh = draw_bars(2, 400, sets[k].classes, sets[k].size, sets[k].channels);
        struct dn_judge *judge = train(&known, sets[k].classes, 5);
        cr_assert_gt(accuracy(judge, &fresh), 0.97, "set %zu: %g", k, accuracy(judge, &fresh));
        dn_judge_free(judge);
        images_free(&known);
        images_free(&fresh);
    }
}

static void *saved(const struct dn_judge *judge, size_t *size) {
    *size = dn_judge_bytes(judge);
    void *bytes = malloc(*size);
    dn_judge_save(judge, bytes);
    return bytes;
}

/* The same bytes for the same images and seed, by each variant of the kernels, and features that neither
 * the images beside one nor a copy of the judge change. */
Test(judge, is_a_function_of_images_and_seed) {
    for (size_t v = 0; kernels_built[v]; v++) {
        if (!kernels_supported(kernels_built[v]))
            continue;
        cr_assert_eq(dn_kernels_use(kernels_built[v]->name, NULL), DN_OK);
        struct dn_images images = draw_bars(1, 70, 2, 20, 1);
        struct dn_judge *one = train(&images, 2, 5), *same = train(&images, 2, 5), *copy = NULL;
        size_t size, again;
        void *bytes = saved(one, &size), *equal = saved(same, &again);
        cr_assert_eq(size, again);
        cr_assert_eq(memcmp(bytes, equal, size), 0);
        struct dn_error error = {""};
        cr_assert_eq(dn_judge_load(bytes, size, &copy, &error), DN_OK, "%s", error.text);
        float all[70][DN_JUDGE_FEATURES], alone[DN_JUDGE_FEATURES];
        int32_t classes[70], class;
        cr_assert_eq(dn_judge_look(one, &images, all[0], classes, NULL, &error), DN_OK);
        for (size_t i = 0; i < 70; i++) {
            struct dn_images single = images;
            single.pixels += i * 400;
            single.n = 1;
            cr_assert_eq(dn_judge_look(copy, &single, alone, &class, NULL, &error), DN_OK);
            for (size_t j = 0; j < DN_JUDGE_FEATURES; j++)
                cr_assert_eq(alone[j], all[i][j]);
            cr_assert_eq(class, classes[i]);
        }
        dn_judge_free(one);
        dn_judge_free(same);
        dn_judge_free(copy);
        free(bytes);
        free(equal);
        images_free(&images);
    }
}

Test(judge, begins_where_its_seed_says) {
    struct lenet lenet;
    lenet_layout(&lenet, kernels_get(), 28, 28, 1, 10);
    float *one = floats_new(lenet.size), *other = floats_new(lenet.size);
    lenet_initialize(&lenet, 1, one);
    lenet_initialize(&lenet, 2, other);
    for (int l = 0; l < LENET_LAYERS; l++) {
        const struct lenet_layer *layer = &lenet.layers[l];
        double square = 0;
        for (size_t i = 0; i < layer->in; i++)
            for (size_t j = 0; j < layer->ld; j++) {
                const double weight = (double)one[layer->weight + i * layer->ld + j];
                square += weight * weight;
                cr_assert(j < layer->out || weight == 0);
            }
        /* the variance of He et al. 2015 is 2 / inputs */
        cr_assert_float_eq(square / (double)(layer->in * layer->out), 2 / (double)layer->in,
                           0.1 * 2 / (double)layer->in);
        cr_assert_neq(one[layer->weight], other[layer->weight]);
    }
    free(one);
    free(other);
}

Test(judge, learns_from_a_single_image) {
    for (size_t n = 1; n <= 3; n += 2) {
        struct dn_images images = draw_bars(1, n, 2, 4, 3);
        struct dn_judge *judge = train(&images, 2, 1);
        cr_assert_float_eq(accuracy(judge, &images), 1, 1e-9);
        dn_judge_free(judge);
        images_free(&images);
    }
}

Test(judge, refuses_what_it_cannot_learn) {
    struct dn_images good = draw_bars(1, 4, 2, 20, 1), bad;
    struct dn_judge *judge = NULL;
    struct dn_error error;
    int32_t wrong[4] = {0, 1, 2, 1};
#define REFUSES(CHANGE, CLASSES, TEXT)                                                             \
    do {                                                                                           \
        bad = good;                                                                                \
        CHANGE;                                                                                    \
        cr_assert_eq(dn_judge_train(&bad, CLASSES, 1, &judge, NULL, &error), DN_INVALID);          \
        cr_assert_not_null(strstr(error.text, TEXT), "%s", error.text);                            \
        cr_assert_null(judge);                                                                     \
    } while (0)
    REFUSES(bad.height = 6, 2, "multiples of 4");
    REFUSES(bad.width = 68, 2, "multiples of 4");
    REFUSES(bad.height = 0, 2, "multiples of 4");
    REFUSES(bad.channels = 2, 2, "channels 1 or 3");
    REFUSES(bad.n = 0, 2, "1 to");
    REFUSES(bad.labels = NULL, 2, "with labels");
    REFUSES(bad.labels = wrong, 2, "image 2");
    REFUSES((void)0, 1, "2 to 64");
    REFUSES((void)0, 65, "2 to 64");
    judge = train(&good, 2, 1);
    bad = good;
    bad.channels = 3;
    cr_assert_eq(dn_judge_look(judge, &bad, NULL, NULL, NULL, &error), DN_INVALID);
    cr_assert_not_null(strstr(error.text, "20 x 20 x 1"));
    dn_judge_free(judge);
    images_free(&good);
}

Test(judge, loads_only_what_it_has_saved) {
    struct dn_images images = draw_bars(1, 8, 2, 8, 1);
    struct dn_judge *judge = train(&images, 2, 1), *loaded = NULL;
    size_t size;
    unsigned char *bytes = saved(judge, &size);
    struct dn_error error;
    for (size_t cut = 0; cut < size; cut += cut < 40 ? 1 : 997)
        cr_assert_eq(dn_judge_load(bytes, cut, &loaded, &error), DN_CORRUPT, "%zu", cut);
    unsigned char *longer = calloc(size + 1, 1);
    memcpy(longer, bytes, size);
    cr_assert_eq(dn_judge_load(longer, size + 1, &loaded, &error), DN_CORRUPT);
    for (size_t at = 0; at < 32; at++) { /* the mark, and the four sizes */
        longer[at] ^= 0x55;
        cr_assert_eq(dn_judge_load(longer, size, &loaded, &error), DN_CORRUPT, "%zu", at);
        longer[at] ^= 0x55;
    }
    const float nan = NAN;
    memcpy(longer + size - 4, &nan, 4);
    cr_assert_eq(dn_judge_load(longer, size, &loaded, &error), DN_CORRUPT);
    cr_assert_null(loaded);
    free(longer);
    free(bytes);
    dn_judge_free(judge);
    images_free(&images);
}

static int pauses;
static void count_pause(void *stop) {
    if (++pauses == 3)
        *(volatile bool *)stop = true;
}

Test(judge, stops_when_told) {
    struct dn_images images = draw_bars(1, 8, 2, 8, 1);
    struct dn_judge *judge = NULL;
    volatile bool stop = false;
    const struct dn_breaks breaks = {&stop, count_pause, (void *)&stop};
    struct dn_error error;
    cr_assert_eq(dn_judge_train(&images, 2, 1, &judge, &breaks, &error), DN_STOPPED);
    cr_assert_eq(pauses, 3);
    cr_assert_null(judge);
    images_free(&images);
}

/* ------------------------------------------------------------------ handwritten digits */

/* The IDX files of MNIST are no part of this project: DENOISED_MNIST=FOLDER names theirs. */
static uint8_t *read_idx(const char *folder, const char *name, size_t skip, size_t size) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    uint8_t *bytes = malloc(size);
    cr_assert_eq(fseek(file, (long)skip, SEEK_SET), 0);
    cr_assert_eq(fread(bytes, 1, size, file), size);
    fclose(file);
    return bytes;
}

static struct dn_images read_digits(const char *folder, const char *images, const char *labels,
                                    size_t n) {
    uint8_t *bytes = read_idx(folder, labels, 8, n);
    int32_t *numbers = malloc(n * sizeof *numbers);
    for (size_t i = 0; i < n; i++)
        numbers[i] = bytes[i];
    free(bytes);
    return (struct dn_images){read_idx(folder, images, 16, n * 784), numbers, n, 28, 28, 1};
}

Test(judge, reads_handwritten_digits) {
    const char *folder = getenv("DENOISED_MNIST");
    if (!folder)
        cr_skip_test("without DENOISED_MNIST");
    struct dn_images known =
        read_digits(folder, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", 60000);
    struct dn_images fresh =
        read_digits(folder, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", 10000);
    struct dn_judge *judge = train(&known, 10, 1);
    cr_assert_geq(accuracy(judge, &fresh), 0.989);
    dn_judge_free(judge);
    images_free(&known);
    images_free(&fresh);
}
