/*
 * lenet.c - the layers of LeNet-5, forward and backward (lenet.h).
 *
 * The taps of a row of a convolution's kernel are adjacent in memory, so a convolution is five products
 * of matrices: of each row of taps, whose matrix A has rows that overlap. A's rows go through whole
 * lines of the image, so the last four places of each line of the result mean nothing; nobody reads
 * them, and their gradient is 0.
 */
#include "engine/metrics/lenet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"
#include "engine/internal.h"

enum { EDGE = LENET_KERNEL - 1, POOLED = 4, LANES = LENET_LANES };
enum { FIRST_MAPS = 6, LAST_MAPS = 16 };

/* ------------------------------------------------------------------ layout */

static size_t taps_of(const struct lenet_stage *stage) { /* of a row of the kernel */
    return LENET_KERNEL * stage->in;
}

static size_t positions_of(const struct lenet_stage *stage) {
    return (stage->height - EDGE) * stage->width - EDGE;
}

static size_t values_of(const struct lenet_stage *stage) {
    return stage->height * stage->width * stage->in;
}

/* Values that stage s makes of an image. */
static size_t pooled_of(const struct lenet *lenet, int s) {
    return s + 1 < LENET_STAGES ? values_of(&lenet->stages[s + 1]) : lenet->layers[0].in;
}

static size_t repeats(int side) {
    return (size_t)((LENET_LEAST_SIDE + side - 1) / side);
}

static size_t place(struct lenet *lenet, size_t floats) {
    const size_t at = lenet->size;
    lenet->size += floats;
    return at;
}

void lenet_layout(struct lenet *lenet, const struct kernels *kernels, int height, int width,
                  int channels, int classes) {
    static const size_t maps[LENET_STAGES] = {FIRST_MAPS, LAST_MAPS};
    const size_t outputs[LENET_LAYERS] = {120, DN_JUDGE_FEATURES, (size_t)classes};
    *lenet = (struct lenet){.kernels = kernels,
                            .height = height,
                            .width = width,
                            .channels = channels,
                            .classes = classes,
                            .repeat_rows = repeats(height),
                            .repeat_columns = repeats(width)};
    size_t h = (size_t)height * lenet->repeat_rows, w = (size_t)width * lenet->repeat_columns;
    size_t in = (size_t)channels;
    for (int s = 0; s < LENET_STAGES; s++) {
        struct lenet_stage *stage = &lenet->stages[s];
        *stage = (struct lenet_stage){.height = h, .width = w, .in = in, .out = maps[s]};
        stage->weight = place(lenet, LENET_KERNEL * taps_of(stage) * LANES);
        stage->bias = place(lenet, LANES);
        h = (h - EDGE) / 2;
        w = (w - EDGE) / 2;
        in = stage->out;
    }
    in *= h * w;
    for (int l = 0; l < LENET_LAYERS; l++) {
        struct lenet_layer *layer = &lenet->layers[l];
        *layer = (struct lenet_layer){.in = in, .out = outputs[l], .ld = kernels_pad(outputs[l])};
        layer->weight = place(lenet, in * layer->ld);
        layer->bias = place(lenet, layer->ld);
        in = layer->out;
    }
}

static void initialize(uint64_t seed, uint32_t number, size_t rows, size_t columns, size_t ld,
                       float *weight) {
    const double limit = sqrt(6.0 / (double)rows);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) {
            const double u = random_uniform(seed, RANDOM_JUDGE, number, i * columns + j);
            weight[i * ld + j] = (float)((2 * u - 1) * limit);
        }
}

void lenet_initialize(const struct lenet *lenet, uint64_t seed, float *parameters) {
    memset(parameters, 0, lenet->size * sizeof *parameters);
    uint32_t number = 0;
    for (int s = 0; s < LENET_STAGES; s++) {
        const struct lenet_stage *stage = &lenet->stages[s];
        initialize(seed, number++, LENET_KERNEL * taps_of(stage), stage->out, LANES,
                   parameters + stage->weight);
    }
    for (int l = 0; l < LENET_LAYERS; l++) {
        const struct lenet_layer *layer = &lenet->layers[l];
        initialize(seed, number++, layer->in, layer->out, layer->ld, parameters + layer->weight);
    }
}

/* ------------------------------------------------------------------ room */

/* The floats of each part of the room, one after another in one allocation. */
static size_t lay_out(const struct lenet *lenet, size_t rows, bool trains, struct lenet_work *work,
                      float *base) {
    size_t used = 0, turned = 0, maps = 0, products = 0;
#define PART(MEMBER, FLOATS)                                                                       \
    do {                                                                                           \
        work->MEMBER = base ? (void *)(base + used) : NULL;                                        \
        used += kernels_pad(FLOATS);                                                               \
    } while (0)
    for (int s = 0; s <= LENET_STAGES; s++) {
        const size_t values = s > 0 ? pooled_of(lenet, s - 1) : values_of(&lenet->stages[0]);
        PART(x[s], rows * values);
        if (trains && s > 0)
            PART(dx[s], rows * values);
    }
    for (int s = 0; s < LENET_STAGES; s++) {
        const struct lenet_stage *stage = &lenet->stages[s];
        const size_t size = positions_of(stage) + EDGE;
        if (trains)
            PART(which[s], (rows * pooled_of(lenet, s) + 3) / 4);
        maps = size * LANES > maps ? size * LANES : maps;
        if (trains && s > 0)
            products = size * LENET_KERNEL * kernels_pad(taps_of(stage));
    }
    for (int l = 0; l < LENET_LAYERS; l++) {
        const struct lenet_layer *layer = &lenet->layers[l];
        const size_t size = layer->ld * kernels_pad(layer->in);
        PART(h[l], rows * layer->ld);
        if (trains)
            PART(dh[l], rows * layer->ld);
        turned = size > turned ? size : turned;
    }
    PART(maps, maps);
    if (trains) {
        PART(products, products);
        PART(turned, turned);
    }
#undef PART
    return used;
}

size_t lenet_work_bytes(const struct lenet *lenet, size_t rows, bool trains) {
    struct lenet_work work = {0};
    return floats_bytes(lay_out(lenet, rows, trains, &work, NULL));
}

enum dn_status lenet_work_init(struct lenet_work *work, const struct lenet *lenet, size_t rows,
                               bool trains, struct dn_error *error) {
    *work = (struct lenet_work){0};
    float *base = floats_new(lay_out(lenet, rows, trains, work, NULL));
    if (!base)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    lay_out(lenet, rows, trains, work, base);
    return DN_OK;
}

void lenet_work_clear(struct lenet_work *work) {
    free(work->x[0]); /* the first part */
    *work = (struct lenet_work){0};
}

void lenet_read(const struct lenet *lenet, struct lenet_work *work, size_t row,
                const uint8_t *pixels) {
    const struct lenet_stage *stage = &lenet->stages[0];
    const size_t line = (size_t)lenet->width * stage->in;
    float *to = work->x[0] + row * values_of(stage);
    for (size_t y = 0; y < stage->height; y++)
        for (size_t x = 0; x < stage->width; x++) {
            const uint8_t *pixel =
                pixels + y / lenet->repeat_rows * line + x / lenet->repeat_columns * stage->in;
            for (size_t c = 0; c < stage->in; c++)
                *to++ = (float)pixel[c] * (1.0f / 255);
        }
}

/* ------------------------------------------------------------------ stages */

static inline float larger(float a, float b) {
    return a > b ? a : b;
}

/* The largest of four maps at each place, or 0 if that is less; and unless `which` is NULL, where it
 * comes from, the first of equal ones. `count` is stage->out, as a constant, and so is the number of
 * lanes, whole vectors that hold as many. */
static inline __attribute__((always_inline)) void pool_lanes(const size_t count, const size_t lanes,
                                                             const struct lenet_stage *stage,
                                                             const float *maps, float *out,
                                                             uint8_t *which) {
    const size_t line = stage->width * LANES;
    for (size_t y = 0; y < (stage->height - EDGE) / 2; y++)
        for (size_t x = 0; x < (stage->width - EDGE) / 2; x++, out += count) {
            const float *a = maps + 2 * y * line + 2 * x * LANES, *b = a + LANES;
            const float *c = a + line, *d = c + LANES;
            float best[LANES];
            int32_t from[LANES];
            for (size_t j = 0; j < lanes; j++)
                best[j] = larger(larger(larger(a[j], b[j]), larger(c[j], d[j])), 0);
            memcpy(out, best, count * sizeof *out);
            if (!which)
                continue;
            for (size_t j = 0; j < lanes; j++) {
                int32_t k = d[j] < best[j] ? POOLED : 3;
                k = c[j] < best[j] ? k : 2;
                k = b[j] < best[j] ? k : 1;
                k = a[j] < best[j] ? k : 0;
                from[j] = best[j] > 0 ? k : POOLED;
            }
            for (size_t j = 0; j < count; j++)
                *which++ = (uint8_t)from[j];
        }
}

static void pool(const struct lenet_stage *stage, const float *maps, float *out, uint8_t *which) {
    if (stage->out == FIRST_MAPS)
        pool_lanes(FIRST_MAPS, 8, stage, maps, out, which);
    else
        pool_lanes(LAST_MAPS, LANES, stage, maps, out, which);
}

/* The gradient goes to the places that the maxima came from. */
static void unpool(const struct lenet_stage *stage, const float *gradient, const uint8_t *which,
                   float *maps) {
    const size_t line = stage->width * LANES, step[POOLED] = {0, LANES, line, line + LANES};
    memset(maps, 0, positions_of(stage) * LANES * sizeof *maps);
    for (size_t y = 0; y < (stage->height - EDGE) / 2; y++)
        for (size_t x = 0; x < (stage->width - EDGE) / 2; x++) {
            float *corner = maps + 2 * y * line + 2 * x * LANES;
            for (size_t c = 0; c < stage->out; c++, which++, gradient++)
                if (*which < POOLED)
                    corner[step[*which] + c] = *gradient;
        }
}

static void stage_forward(const struct lenet *lenet, const float *parameters,
                          struct lenet_work *work, int s, size_t row) {
    const struct lenet_stage *stage = &lenet->stages[s];
    const size_t taps = taps_of(stage), line = stage->width * stage->in;
    const size_t pooled = pooled_of(lenet, s);
    const float *x = work->x[s] + row * values_of(stage);
    for (size_t dy = 0; dy < LENET_KERNEL; dy++)
        lenet->kernels->gemm(positions_of(stage), LANES, taps, x + dy * line, stage->in, 1,
                             parameters + stage->weight + dy * taps * LANES, LANES, work->maps,
                             LANES, dy == 0 ? parameters + stage->bias : NULL, dy > 0);
    pool(stage, work->maps, work->x[s + 1] + row * pooled,
         work->which[s] ? work->which[s] + row * pooled : NULL);
}

static size_t most(size_t a, size_t b) {
    return a > b ? a : b;
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* dx: of each value, the sum of what it did by each tap to each position. The products of the maps'
 * gradient with all taps come first, [height - 4][width][5][padded taps]. turned: the transposed
 * weights, [16][5][padded taps]. */
static void stage_backward_input(const struct lenet *lenet, const struct lenet_stage *stage,
                                 const struct lenet_work *work, float *dx) {
    enum { TOGETHER = 8 }; /* whole vectors with the FIRST_MAPS channels */
    const size_t ld = kernels_pad(taps_of(stage)), all = LENET_KERNEL * ld;
    const size_t rows = stage->height - EDGE, columns = stage->width - EDGE;
    lenet->kernels->gemm(positions_of(stage), all, LANES, work->maps, LANES, 1, work->turned, all,
                         work->products, all, NULL, false);
    for (size_t y = 0; y < stage->height; y++)
        for (size_t x = 0; x < stage->width; x++, dx += stage->in) {
            float sum[TOGETHER] = {0};
            for (size_t v = most(y, EDGE) - EDGE; v < least(y + 1, rows); v++)
                for (size_t u = most(x, EDGE) - EDGE; u < least(x + 1, columns); u++) {
                    const float *from = work->products + (v * stage->width + u) * all +
                                        (y - v) * ld + (x - u) * stage->in;
                    for (int c = 0; c < TOGETHER; c++)
                        sum[c] += from[c];
                }
            memcpy(dx, sum, stage->in * sizeof *dx);
        }
}

static void stage_backward(const struct lenet *lenet, const float *parameters,
                           struct lenet_work *work, int s, size_t n, float *gradients) {
    const struct kernels *kernels = lenet->kernels;
    const struct lenet_stage *stage = &lenet->stages[s];
    const size_t taps = taps_of(stage), line = stage->width * stage->in, ld = kernels_pad(taps);
    const size_t pooled = pooled_of(lenet, s);
    for (size_t dy = 0; dy < LENET_KERNEL && s > 0; dy++)
        kernels->transpose(taps, LANES, parameters + stage->weight + dy * taps * LANES, LANES,
                           work->turned + dy * ld, LENET_KERNEL * ld);
    for (size_t row = 0; row < n; row++) {
        const float *x = work->x[s] + row * values_of(stage);
        unpool(stage, work->dx[s + 1] + row * pooled, work->which[s] + row * pooled, work->maps);
        for (size_t dy = 0; dy < LENET_KERNEL; dy++)
            kernels->gemm(taps, LANES, positions_of(stage), x + dy * line, 1, stage->in, work->maps,
                          LANES, gradients + stage->weight + dy * taps * LANES, LANES, NULL,
                          row > 0);
        kernels->column_sums(positions_of(stage), LANES, LANES, work->maps,
                             gradients + stage->bias);
        if (s > 0)
            stage_backward_input(lenet, stage, work, work->dx[s] + row * values_of(stage));
    }
}

/* ------------------------------------------------------------------ layers */

/* What layer l reads, and the floats from row to row. */
static const float *input_of(const struct lenet *lenet, const struct lenet_work *work, int l,
                             size_t *ld) {
    *ld = l > 0 ? lenet->layers[l - 1].ld : lenet->layers[0].in;
    return l > 0 ? work->h[l - 1] : work->x[LENET_STAGES];
}

void lenet_forward(const struct lenet *lenet, const float *parameters, struct lenet_work *work,
                   size_t n) {
    for (size_t row = 0; row < n; row++)
        for (int s = 0; s < LENET_STAGES; s++)
            stage_forward(lenet, parameters, work, s, row);
    for (int l = 0; l < LENET_LAYERS; l++) {
        const struct lenet_layer *layer = &lenet->layers[l];
        size_t ld;
        const float *input = input_of(lenet, work, l, &ld);
        float *h = work->h[l];
        lenet->kernels->gemm(n, layer->ld, layer->in, input, ld, 1, parameters + layer->weight,
                             layer->ld, h, layer->ld, parameters + layer->bias, false);
        for (size_t i = 0; i < n * layer->ld && l + 1 < LENET_LAYERS; i++)
            h[i] = h[i] > 0 ? h[i] : 0;
    }
}

double lenet_loss(const struct lenet *lenet, struct lenet_work *work, size_t n,
                  const int32_t *labels) {
    const struct lenet_layer *layer = &lenet->layers[LENET_LAYERS - 1];
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const float *logits = work->h[LENET_LAYERS - 1] + i * layer->ld;
        float *gradient = work->dh[LENET_LAYERS - 1] + i * layer->ld;
        double most = logits[0], total = 0, shares[DN_MAX_CLASSES];
        for (size_t c = 1; c < layer->out; c++)
            most = fmax(most, logits[c]);
        for (size_t c = 0; c < layer->out; c++)
            total += shares[c] = exp(logits[c] - most);
        for (size_t c = 0; c < layer->out; c++)
            gradient[c] =
                (float)((shares[c] / total - ((int32_t)c == labels[i] ? 1 : 0)) / (double)n);
        sum += log(total) + most - logits[labels[i]];
    }
    return sum / (double)n;
}

static void layer_backward(const struct lenet *lenet, const float *parameters,
                           struct lenet_work *work, int l, size_t n, float *gradients) {
    const struct kernels *kernels = lenet->kernels;
    const struct lenet_layer *layer = &lenet->layers[l];
    size_t ld;
    const float *input = input_of(lenet, work, l, &ld);
    float *d = l > 0 ? work->dh[l - 1] : work->dx[LENET_STAGES];
    kernels->gemm(layer->in, layer->ld, n, input, 1, ld, work->dh[l], layer->ld,
                  gradients + layer->weight, layer->ld, NULL, false);
    kernels->column_sums(n, layer->ld, layer->ld, work->dh[l], gradients + layer->bias);
    memset(work->turned, 0, layer->out * ld * sizeof(float));
    kernels->transpose(layer->in, layer->out, parameters + layer->weight, layer->ld, work->turned,
                       ld);
    kernels->gemm(n, ld, layer->out, work->dh[l], layer->ld, 1, work->turned, ld, d, ld, NULL,
                  false);
    for (size_t i = 0; i < n * ld && l > 0; i++)
        d[i] = input[i] > 0 ? d[i] : 0;
}

void lenet_backward(const struct lenet *lenet, const float *parameters, struct lenet_work *work,
                    size_t n, float *gradients) {
    memset(gradients, 0, lenet->size * sizeof *gradients);
    for (int l = LENET_LAYERS - 1; l >= 0; l--)
        layer_backward(lenet, parameters, work, l, n, gradients);
    for (int s = LENET_STAGES - 1; s >= 0; s--)
        stage_backward(lenet, parameters, work, s, n, gradients);
}
