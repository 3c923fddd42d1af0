/* The U-Net against a slow double-precision twin, its gradient against finite differences of that twin, and
 * the bits of both for any split. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"
#include "engine/network/network.h"

enum { N = 5, T = 9, CLASSES = 3 };

struct fixture {
    struct dn_spec spec;
    struct network network;
    struct time_rows times;
    float *parameters, *gradients;
    float *x, *target, *out; /* [n][dim] */
    int n;
    int32_t t[N], labels[N], slots[N];
};

static void shape_spec(struct dn_spec *spec, int height, int width, int channels, int outer,
                       int inner, int blocks0, int blocks1, int classes) {
    *spec = dn_presets[DN_PRESET_DEFAULT].spec;
    spec->dataset.height = height;
    spec->dataset.width = width;
    spec->dataset.channels = channels;
    spec->dataset.dim = height * width * channels;
    spec->dataset.classes = classes;
    spec->diffusion.timesteps = T;
    spec->network.kind = DN_UNET;
    spec->network.channels[0] = outer;
    spec->network.channels[1] = inner;
    spec->network.blocks[0] = blocks0;
    spec->network.blocks[1] = blocks1;
}

static float *normals(uint32_t step, size_t count) {
    float *values = floats_new(count);
    random_normals(kernels_get(), 19, RANDOM_NOISE, step, 0, count, values);
    return values;
}

/* Every parameter of tensor i is random, so that every gradient matters. */
static void draw_all(struct fixture *f) {
    for (int i = 0; i < f->network.tensor_count; i++) {
        const struct tensor *tensor = f->network.tensors[i];
        const bool is_vector = tensor->form == TENSOR_VECTOR;
        const float factor = is_vector ? 0.3f : 1 / sqrtf((float)tensor_rows(tensor));
        tensor_normal(f->network.kernels, tensor, 18, (uint32_t)i, f->parameters);
        tensor_affine(tensor, factor, is_vector && strstr(tensor->name, "norm") ? 1 : 0,
                      f->parameters);
    }
}

static void fixture_init(struct fixture *f, const struct dn_spec *spec, int n,
                         const struct kernels *kernels) {
    memset(f, 0, sizeof *f);
    f->spec = *spec;
    f->n = n;
    cr_assert_eq(network_init(&f->network, &f->spec, kernels, NULL), DN_OK);
    cr_assert_eq(time_rows_init(&f->times, &f->network, N, N, NULL), DN_OK);
    f->parameters = floats_new(f->network.size);
    f->gradients = floats_new(f->network.size);
    draw_all(f);
    const size_t values = (size_t)n * (size_t)f->network.dim;
    f->x = normals(0, values);
    f->target = normals(1, values);
    f->out = floats_new(values);
    const int32_t t[N] = {4, 9, 4, 4, 1}, labels[N] = {0, CLASSES, 1, 0, 2};
    memcpy(f->t, t, sizeof t);
    memcpy(f->labels, labels, sizeof labels);
    time_rows_set(&f->times, &f->network, f->parameters, f->t,
                  f->network.classes ? f->labels : NULL, (size_t)n, f->slots);
}

static void fixture_clear(struct fixture *f) {
    time_rows_clear(&f->times);
    network_clear(&f->network);
    free(f->parameters);
    free(f->gradients);
    free(f->x);
    free(f->target);
    free(f->out);
}

/* ------------------------------------------------------------------ the twin */

/* An image in double precision: [height][width][channels]. */
struct image {
    int height, width, channels;
    double *at;
};

static struct image image_new(int height, int width, int channels) {
    const size_t count = (size_t)height * (size_t)width * (size_t)channels;
    double *at = malloc((count + 1) * sizeof *at);
    cr_assert_not_null(at);
    memset(at, 0, count * sizeof *at);
    return (struct image){height, width, channels, at};
}

static double *pixel(struct image image, int y, int x) {
    return image.at + (size_t)(y * image.width + x) * (size_t)image.channels;
}

static const double *row(const double *p, const struct tensor *tensor, int i) {
    return p + tensor_row(tensor, i);
}

static struct image slow_conv(const double *p, const struct unet_conv *conv, struct image x) {
    struct image y = image_new(x.height, x.width, conv->bias.cols);
    for (int i = 0; i < x.height; i++)
        for (int j = 0; j < x.width; j++) {
            double *to = pixel(y, i, j);
            memcpy(to, row(p, &conv->bias, 0), (size_t)y.channels * sizeof *to);
            for (int tap = 0; tap < 9; tap++) {
                const int from_y = i + tap / 3 - 1, from_x = j + tap % 3 - 1;
                if (from_y < 0 || from_y >= x.height || from_x < 0 || from_x >= x.width)
                    continue;
                const double *from = pixel(x, from_y, from_x);
                for (int c = 0; c < x.channels; c++) {
                    const double *weight = row(p, &conv->weight, tap * x.channels + c);
                    for (int o = 0; o < y.channels; o++)
                        to[o] += from[c] * weight[o];
                }
            }
        }
    return y;
}

static double swish(double u) {
    return u / (1 + exp(-u));
}

static struct image slow_norm(const double *p, const struct tensor *gain, const double *scale,
                              struct image x) {
    struct image y = image_new(x.height, x.width, x.channels);
    for (int i = 0; i < x.height * x.width; i++) {
        const double *from = x.at + i * x.channels;
        double squares = 0;
        for (int c = 0; c < x.channels; c++)
            squares += from[c] * from[c];
        const double rate = 1 / sqrt(squares / x.channels + (double)NORM_EPSILON);
        for (int c = 0; c < x.channels; c++) {
            double u = from[c] * rate * row(p, gain, 0)[c];
            if (scale)
                u = u * (1 + scale[c]) + scale[x.channels + c];
            y.at[i * x.channels + c] = swish(u);
        }
    }
    return y;
}

/* a and b of a block. */
static void slow_scales(const struct network *network, const double *p,
                        const struct unet_block *block, int t, int label, double *scales) {
    const struct unet *unet = &network->unet;
    const int E = unet->embedding;
    double *e = malloc((size_t)E * sizeof *e);
    for (int j = 0; j < E; j++) {
        double u = row(p, &unet->time_bias, 0)[j];
        if (network->classes)
            u += row(p, &unet->label, label)[j];
        for (int r = 0; r < E; r++)
            u += network_sinusoid(E, t, r) * row(p, &unet->time_weight, r)[j];
        e[j] = swish(u);
    }
    for (int j = 0; j < block->time_bias.cols; j++) {
        scales[j] = row(p, &block->time_bias, 0)[j];
        for (int r = 0; r < E; r++)
            scales[j] += e[r] * row(p, &block->time_weight, r)[j];
    }
    free(e);
}

static struct image slow_block(const struct network *network, const double *p, int b, int t,
                               int label, struct image x) {
    const struct unet_block *block = &network->unet.blocks[b];
    double scales[2 * 64] = {0};
    slow_scales(network, p, block, t, label, scales);
    struct image u = slow_norm(p, &block->norm1, NULL, x), h = slow_conv(p, &block->conv1, u);
    struct image v = slow_norm(p, &block->norm2, scales, h), y = slow_conv(p, &block->conv2, v);
    for (int i = 0; i < x.height * x.width; i++)
        for (int o = 0; o < y.channels; o++) {
            double plus = block->skip.rows ? 0 : x.at[i * x.channels + o];
            for (int c = 0; c < block->skip.rows; c++)
                plus += x.at[i * x.channels + c] * row(p, &block->skip, c)[o];
            y.at[i * y.channels + o] += plus;
        }
    free(u.at);
    free(h.at);
    free(v.at);
    free(x.at);
    return y;
}

/* As PyTorch's Conv2d(kernel_size=2, stride=2), and its ConvTranspose2d. */
static struct image slow_shrink(const struct unet *unet, const double *p, struct image x) {
    struct image y = image_new(x.height / 2, x.width / 2, unet->inner);
    for (int i = 0; i < x.height; i++)
        for (int j = 0; j < x.width; j++) {
            double *to = pixel(y, i / 2, j / 2);
            for (int o = 0; o < unet->inner; o++) {
                if (i % 2 == 0 && j % 2 == 0)
                    to[o] += row(p, &unet->shrink_bias, 0)[o];
                for (int c = 0; c < unet->outer; c++)
                    to[o] += pixel(x, i, j)[c] *
                             row(p, &unet->shrink, (i % 2 * 2 + j % 2) * unet->outer + c)[o];
            }
        }
    return y;
}

/* Beside skip. */
static struct image slow_grow(const struct unet *unet, const double *p, struct image skip,
                              struct image x) {
    struct image y = image_new(skip.height, skip.width, 2 * unet->outer);
    for (int i = 0; i < y.height; i++)
        for (int j = 0; j < y.width; j++)
            for (int o = 0; o < unet->outer; o++) {
                double *to = pixel(y, i, j) + o;
                to[0] = pixel(skip, i, j)[o];
                to[unet->outer] = row(p, &unet->grow_bias, 0)[o];
                for (int c = 0; c < unet->inner; c++)
                    to[unet->outer] +=
                        pixel(x, i / 2, j / 2)[c] *
                        row(p, &unet->grow, (i % 2 * 2 + j % 2) * unet->inner + c)[o];
            }
    free(skip.at);
    free(x.at);
    return y;
}

/* As pixel_unshuffle, or back. */
static struct image slow_patches(struct image x, bool back) {
    const int h = x.height, w = x.width, c = x.channels;
    struct image y = back ? image_new(2 * h, 2 * w, c / 4) : image_new(h / 2, w / 2, 4 * c);
    struct image pixels = back ? y : x, patches = back ? x : y;
    for (int i = 0; i < pixels.height; i++)
        for (int j = 0; j < pixels.width; j++)
            for (int k = 0; k < pixels.channels; k++) {
                double *outside = pixel(pixels, i, j) + k;
                double *inside = pixel(patches, i / 2, j / 2) + 4 * k + 2 * (i % 2) + j % 2;
                if (back)
                    *outside = *inside;
                else
                    *inside = *outside;
            }
    free(x.at);
    return y;
}

static struct image next(struct image y, struct image x) {
    free(x.at);
    return y;
}

static void slow_forward(const struct network *network, const double *p, const float *x, int t,
                         int label, double *out) {
    const struct unet *unet = &network->unet;
    struct image h = image_new(unet->height, unet->width, unet->channels);
    for (int e = 0; e < network->dim; e++)
        h.at[e] = (double)x[e];
    h = slow_patches(h, false);
    h = next(slow_conv(p, &unet->in, h), h);
    int b = 0;
    while (b < unet->down)
        h = slow_block(network, p, b++, t, label, h);
    struct image skip = h;
    h = slow_shrink(unet, p, skip);
    while (b < unet->up)
        h = slow_block(network, p, b++, t, label, h);
    h = slow_grow(unet, p, skip, h);
    while (b < unet->block_count)
        h = slow_block(network, p, b++, t, label, h);
    h = next(slow_norm(p, &unet->norm, NULL, h), h);
    h = next(slow_conv(p, &unet->out, h), h);
    h = slow_patches(h, true);
    memcpy(out, h.at, (size_t)network->dim * sizeof *out);
    free(h.at);
}

/* Sum over images of (out . target): its gradient with respect to out is target. */
static double slow_loss(const struct fixture *f, const double *p) {
    const size_t dim = (size_t)f->network.dim;
    double *out = malloc(dim * sizeof *out), loss = 0;
    for (int i = 0; i < f->n; i++) {
        slow_forward(&f->network, p, f->x + (size_t)i * dim, f->t[i], f->labels[i], out);
        for (size_t e = 0; e < dim; e++)
            loss += out[e] * (double)f->target[(size_t)i * dim + e];
    }
    free(out);
    return loss;
}

static double *in_double(const float *values, size_t count) {
    double *copy = malloc(count * sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = (double)values[i];
    return copy;
}

/* ------------------------------------------------------------------ passes */

/* How a batch is dealt out. */
struct split {
    int chunk, pieces,
        parts; /* images of a chunk; of which each thread has a range; shares of the sums */
};

/* f->out, and unless f->gradients is NULL the gradient of slow_loss. */
static void run(struct fixture *f, struct split split) {
    const struct network *network = &f->network;
    const size_t dim = (size_t)network->dim, ld = network->dim_ld;
    struct workspace w;
    cr_assert_eq(workspace_init(&w, network, (size_t)split.chunk, f->gradients != NULL, NULL),
                 DN_OK);
    time_rows_set(&f->times, network, f->parameters, f->t, network->classes ? f->labels : NULL,
                  (size_t)f->n, f->slots);
    network_prepare(network, f->parameters, &w);
    for (size_t i = 0; f->gradients && i < network->size; i++)
        f->gradients[i] = 1e9f; /* nothing of the batch before may stay */
    if (f->gradients)
        network_clear_gradients(network, f->gradients);
    for (int first = 0; first < f->n; first += split.chunk) {
        const int n = f->n - first < split.chunk ? f->n - first : split.chunk;
        for (int piece = split.pieces - 1; piece >= 0; piece--) {
            const int from = n * piece / split.pieces, to = n * (piece + 1) / split.pieces;
            if (from == to)
                continue;
            network_forward(network, f->parameters, &f->times, &w, f->x + (size_t)first * dim, NULL,
                            f->slots + first, false, (size_t)from, (size_t)(to - from));
            for (int i = from; i < to; i++) {
                float *out = w.out + (size_t)i * ld;
                memcpy(f->out + (size_t)(first + i) * dim, out, dim * sizeof *out);
                memcpy(out, f->target + (size_t)(first + i) * dim, dim * sizeof *out);
            }
            if (f->gradients)
                network_backward_rows(network, f->parameters, &f->times, &w, f->slots + first,
                                      (size_t)from, (size_t)(to - from));
        }
        for (int part = split.parts - 1; f->gradients && part >= 0; part--)
            network_backward_weights(network, &f->times, &w, f->x + (size_t)first * dim, NULL,
                                     f->slots + first, (size_t)n, first == 0, part, split.parts,
                                     f->gradients);
    }
    for (int part = split.parts - 1; f->gradients && part >= 0; part--)
        network_finish_gradients(network, f->parameters, &f->times, &w, part, split.parts,
                                 f->gradients);
    workspace_clear(&w);
}

static void check_forward(struct fixture *f) {
    const size_t dim = (size_t)f->network.dim;
    double *p = in_double(f->parameters, f->network.size), *out = malloc(dim * sizeof *out);
    double worst = 0, size = 0;
    for (int i = 0; i < f->n; i++) {
        slow_forward(&f->network, p, f->x + (size_t)i * dim, f->t[i], f->labels[i], out);
        for (size_t e = 0; e < dim; e++) {
            worst = fmax(worst, fabs((double)f->out[(size_t)i * dim + e] - out[e]));
            size = fmax(size, fabs(out[e]));
        }
    }
    cr_assert_lt(worst, 1e-5 * size, "off by %g, of %g", worst, size);
    free(out);
    free(p);
}

/* The slope of the loss if tensor i moves along `direction`, which has the tensor's shape in the block. */
static double slope(const struct fixture *f, double *p, const struct tensor *tensor,
                    const float *direction) {
    const double h = 1e-5;
    double loss[2];
    for (int side = 0; side < 2; side++) {
        const double step = side == 0 ? h : -h;
        for (int up = 1; up >= 0; up--) {
            for (int i = 0; i < tensor_rows(tensor); i++)
                for (int j = 0; j < tensor->cols; j++) {
                    const size_t at = tensor_row(tensor, i) + (size_t)j;
                    p[at] = (double)f->parameters[at] + (up ? step * (double)direction[at] : 0);
                }
            if (up)
                loss[side] = slow_loss(f, p);
        }
    }
    return (loss[0] - loss[1]) / (2 * h);
}

/* Along a random direction, in which every element counts, and along the axis of one element. */
static void check_tensor(struct fixture *f, double *p, int number, float *direction) {
    const struct tensor *tensor = f->network.tensors[number];
    const int rows = tensor_rows(tensor), chosen = (number * 7919 + 13) % (rows * tensor->cols);
    for (int alone = 0; alone < 2; alone++) {
        double found = 0, size = 0;
        memset(direction, 0, f->network.size * sizeof *direction);
        if (alone)
            direction[tensor_row(tensor, chosen / tensor->cols) + (size_t)(chosen % tensor->cols)] =
                1;
        else
            tensor_normal(f->network.kernels, tensor, 23, (uint32_t)number, direction);
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < tensor->cols; j++) {
                const size_t at = tensor_row(tensor, i) + (size_t)j;
                const double g = (double)f->gradients[at];
                found += g * (double)direction[at];
                size += g * g;
            }
        const double expected = slope(f, p, tensor, direction);
        const double unit = sqrt(alone ? size / (rows * tensor->cols) : size);
        cr_assert_gt(size, 0, "%s has no gradient", tensor->name);
        cr_assert_float_eq(found, expected, 1e-3 * fabs(expected) + 1e-4 * unit,
                           "%s: %.7g, not %.7g", tensor->name, found, expected);
    }
}

/* Padding is zero for ever: so must be its gradient. */
static void check_padding(const struct fixture *f) {
    const struct network *network = &f->network;
    bool *is_value = calloc(network->size, 1);
    for (int i = 0; i < network->tensor_count; i++)
        for (int r = 0; r < tensor_rows(network->tensors[i]); r++)
            memset(is_value + tensor_row(network->tensors[i], r), 1,
                   (size_t)network->tensors[i]->cols);
    for (size_t i = 0; i < network->size; i++)
        cr_assert(is_value[i] || f->gradients[i] == 0, "padding has the gradient %g",
                  (double)f->gradients[i]);
    free(is_value);
}

static void check_backward(struct fixture *f) {
    double *p = in_double(f->parameters, f->network.size);
    float *direction = floats_new(f->network.size);
    for (int i = 0; i < f->network.tensor_count; i++)
        check_tensor(f, p, i, direction);
    check_padding(f);
    free(direction);
    free(p);
}

static const struct {
    int height, width, channels, outer, inner, blocks0, blocks1, classes, n;
} shapes[] = {
    {8, 8, 1, 16, 32, 2, 1, CLASSES, 5},   {12, 20, 3, 32, 16, 1, 2, 0, 3},
    {28, 28, 1, 16, 32, 1, 1, CLASSES, 2}, {4, 4, 3, 16, 16, 1, 1, 0, 2},
    {64, 64, 3, 16, 16, 1, 1, CLASSES, 1},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static void shape(struct dn_spec *spec, int s) {
    shape_spec(spec, shapes[s].height, shapes[s].width, shapes[s].channels, shapes[s].outer,
               shapes[s].inner, shapes[s].blocks0, shapes[s].blocks1, shapes[s].classes);
}

Test(unet, forward_and_backward_agree_with_the_slow_twin, .timeout = 600) {
    for (int s = 0; s < SHAPES; s++) {
        struct dn_spec spec;
        struct fixture f;
        shape(&spec, s);
        fixture_init(&f, &spec, shapes[s].n, kernels_get());
        run(&f, (struct split){.chunk = 3, .pieces = 2, .parts = 3});
        check_forward(&f);
        check_backward(&f);
        fixture_clear(&f);
    }
}

Test(unet, any_split_gives_the_same_bits_with_every_variant) {
    static const struct split splits[] = {{5, 1, 1}, {1, 1, 2}, {2, 2, 7}, {4, 3, 40}};
    for (int v = 0; kernels_built[v]; v++)
        for (int s = 0; kernels_supported(kernels_built[v]) && s < 2; s++) {
            struct dn_spec spec;
            struct fixture f, g;
            shape(&spec, s);
            fixture_init(&f, &spec, N, kernels_built[v]);
            fixture_init(&g, &spec, N, kernels_built[v]);
            const size_t bytes = f.network.size * sizeof(float);
            const size_t out_bytes = N * (size_t)f.network.dim * sizeof(float);
            run(&f, splits[0]);
            check_forward(&f);
            for (size_t i = 1; i < sizeof splits / sizeof *splits; i++) {
                run(&g, splits[i]);
                cr_assert_eq(memcmp(f.out, g.out, out_bytes), 0, "outputs of split %zu", i);
                cr_assert_eq(memcmp(f.gradients, g.gradients, bytes), 0, "gradient of split %zu",
                             i);
            }
            free(g.gradients); /* without training, arrays are shared, and nothing else changes */
            g.gradients = NULL;
            run(&g, splits[2]);
            cr_assert_eq(memcmp(f.out, g.out, out_bytes), 0, "without training");
            fixture_clear(&f);
            fixture_clear(&g);
        }
}

/* Every block is the identity at first, and the output zero. */
Test(unet, starts_with_an_output_of_zero) {
    struct dn_spec spec;
    struct fixture f;
    shape(&spec, 0);
    fixture_init(&f, &spec, 2, kernels_get());
    network_draw_weights(&f.network, 5, f.parameters);
    run(&f, (struct split){2, 1, 1});
    for (int e = 0; e < 2 * f.network.dim; e++)
        cr_assert_eq(f.out[e], 0);
    fixture_clear(&f);
}
