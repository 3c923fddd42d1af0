/* Convolutions against the sum that defines them, in double; and the same bits however the work is
 * split. */
#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/random.h"
#include "engine/network/conv.h"

#define FOR_EACH_VARIANT(k)                                                                        \
    for (const struct kernels *const *variant = kernels_built, *k; (k = *variant); variant++)      \
        if (kernels_supported(k))

enum { MOST_THREADS = 5 };

static float *random_floats(size_t count, uint32_t step) {
    float *floats = floats_new(count);
    random_normals(kernels_get(), 7, RANDOM_NOISE, step, 0, count, floats);
    return floats;
}

static size_t pixels_of(const struct conv *conv) {
    return (size_t)(conv->height * conv->width);
}

/* A convolution of some images, with all that it reads. */
struct subject {
    struct conv conv;
    size_t images, x_size, y_size, weight_size;
    float *x, *dy, *plus, *weight, *bias;
};

static struct subject subject_new(struct conv conv, size_t images) {
    struct subject s = {conv, images};
    s.x_size = images * pixels_of(&conv) * (size_t)conv.in;
    s.y_size = images * pixels_of(&conv) * (size_t)conv.out;
    s.weight_size = (size_t)(9 * conv.in * conv.out);
    s.x = random_floats(s.x_size, 1);
    s.dy = random_floats(s.y_size, 2);
    s.plus = random_floats(s.y_size, 3);
    s.weight = random_floats(s.weight_size, 4);
    s.bias = random_floats((size_t)conv.out, 5);
    return s;
}

static void subject_clear(struct subject *s) {
    free(s->x), free(s->dy), free(s->plus), free(s->weight), free(s->bias);
}

/* What comes out of it. NaN where nothing was written. */
struct results {
    float *y, *dx, *weight, *bias;
};

static void results_clear(struct results *r) {
    free(r->y), free(r->dx), free(r->weight), free(r->bias);
}

static float *unset(size_t count) {
    float *floats = floats_new(count);
    for (size_t i = 0; i < count; i++)
        floats[i] = NAN;
    return floats;
}

/* How the work is split: images that come in one chunk, those of one call, and threads. */
struct split {
    size_t chunk, call;
    int threads;
};

static size_t at_most(size_t left, size_t most) {
    return left < most ? left : most;
}

/* A run and all its memory. */
struct run {
    const struct subject *s;
    const struct kernels *k;
    struct split split;
    float *forward, *backward, *x_tiles, *dy_tiles, *sums;
    struct results results;
    pthread_barrier_t barrier;
};

struct worker {
    struct run *run;
    int part;
    pthread_t thread;
};

/* The share of one thread in a chunk of n images from `at` on: the calls take turns. */
static void run_images(const struct run *run, int part, float *scratch, size_t at, size_t n) {
    const struct conv *conv = &run->s->conv;
    const size_t in = pixels_of(conv) * (size_t)conv->in, out = pixels_of(conv) * (size_t)conv->out;
    int turn = 0;
    for (size_t first = 0, count; first < n; first += count, turn++) {
        count = at_most(n - first, run->split.call);
        if (turn % run->split.threads != part)
            continue;
        conv_forward(conv, run->k, run->split.chunk, first, count, run->s->x + at * in,
                     run->forward, run->s->bias, run->s->plus + at * out, run->x_tiles, scratch,
                     run->results.y + at * out);
        conv_backward_input(conv, run->k, run->split.chunk, first, count, run->s->dy + at * out,
                            run->backward, run->dy_tiles, scratch, run->results.dx + at * in);
    }
}

/* Planes go from the last to the first, because their order must not matter. */
static void *work(void *self) {
    const struct worker *worker = self;
    struct run *run = worker->run;
    const struct conv *conv = &run->s->conv;
    float *scratch = unset(conv_scratch_floats(conv));
    for (size_t at = 0, n; at < run->s->images; at += n) {
        n = at_most(run->s->images - at, run->split.chunk);
        run_images(run, worker->part, scratch, at, n);
        pthread_barrier_wait(&run->barrier);
        for (int plane = CONV_PLANES - 1; plane >= 0; plane--)
            if (plane % run->split.threads == worker->part)
                conv_backward_weight(conv, run->k, plane, run->split.chunk, n, run->x_tiles,
                                     run->dy_tiles, at == 0, run->sums);
        pthread_barrier_wait(&run->barrier);
    }
    free(scratch);
    return NULL;
}

/* Forward and backward, in chunks, by a team. */
static struct results run(const struct subject *s, const struct kernels *k, struct split split) {
    const struct conv *conv = &s->conv;
    const size_t prepared = CONV_PLANES * (size_t)(conv->in * conv->out);
    struct run run = {
        s,
        k,
        split,
        unset(prepared),
        unset(prepared),
        unset(conv_tiles_floats(conv, split.chunk, conv->in)),
        unset(conv_tiles_floats(conv, split.chunk, conv->out)),
        unset(conv_planes_floats(conv)),
        {unset(s->y_size), unset(s->x_size), unset(s->weight_size), unset((size_t)conv->out)}};
    struct worker team[MOST_THREADS];
    conv_prepare(conv, k, s->weight, run.forward, run.backward);
    pthread_barrier_init(&run.barrier, NULL, (unsigned)split.threads);
    for (int i = 0; i < split.threads; i++) {
        team[i] = (struct worker){&run, i};
        cr_assert_eq(pthread_create(&team[i].thread, NULL, work, &team[i]), 0);
    }
    for (int i = 0; i < split.threads; i++)
        pthread_join(team[i].thread, NULL);
    pthread_barrier_destroy(&run.barrier);
    conv_finish_weight(conv, run.sums, run.results.weight, run.results.bias);
    free(run.forward), free(run.backward), free(run.x_tiles), free(run.dy_tiles), free(run.sums);
    return run.results;
}

/* ------------------------------------------------------------------ the reference */

/* A sum in double, and the sum of the sizes of what was added. */
struct sum {
    double value, size;
};

static void add(struct sum *sum, double term) {
    sum->value += term;
    sum->size += fabs(term);
}

/* The sums that define a convolution and its gradients, over every pixel, offset and pair of channels. */
struct reference {
    struct sum *y, *dx, *weight, *bias;
};

static struct reference reference_of(const struct subject *s) {
    const size_t in = (size_t)s->conv.in, out = (size_t)s->conv.out;
    const int height = s->conv.height, width = s->conv.width;
    struct reference r = {calloc(s->y_size, sizeof *r.y), calloc(s->x_size, sizeof *r.dx),
                          calloc(s->weight_size, sizeof *r.weight), calloc(out, sizeof *r.bias)};
    for (size_t j = 0; j < s->y_size; j++) {
        add(&r.y[j], (double)s->bias[j % out]);
        add(&r.y[j], (double)s->plus[j]);
        add(&r.bias[j % out], (double)s->dy[j]);
    }
    for (int image = 0; image < (int)s->images; image++)
        for (int py = 0; py < height; py++)
            for (int px = 0; px < width; px++)
                for (int q = 0; q < 9; q++) {
                    const int sy = py + q / 3 - 1, sx = px + q % 3 - 1;
                    if (sy < 0 || sy >= height || sx < 0 || sx >= width)
                        continue;
                    const size_t to = (size_t)((image * height + py) * width + px) * out;
                    const size_t from = (size_t)((image * height + sy) * width + sx) * in;
                    for (size_t i = 0; i < in; i++)
                        for (size_t o = 0; o < out; o++) {
                            const size_t w = ((size_t)q * in + i) * out + o;
                            const double weight = (double)s->weight[w], x = (double)s->x[from + i],
                                         dy = (double)s->dy[to + o];
                            add(&r.y[to + o], weight * x);
                            add(&r.dx[from + i], weight * dy);
                            add(&r.weight[w], x * dy);
                        }
                }
    return r;
}

static void reference_clear(struct reference *r) {
    free(r->y), free(r->dx), free(r->weight), free(r->bias);
}

/* Largest error of any element, relative to the largest element. */
static void check_near(const char *what, const char *kernels, const struct conv *conv, size_t count,
                       const float *got, const struct sum *expected) {
    double error = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        cr_assert(isfinite(got[i]), "%s of %s: element %zu is %g", what, kernels, i,
                  (double)got[i]);
        error = fmax(error, fabs((double)got[i] - expected[i].value));
        size = fmax(size, fabs(expected[i].value));
    }
    cr_assert_leq(error, 1e-5 * size, "%s of %s, %dx%d, %d to %d: %g of %g", what, kernels,
                  conv->height, conv->width, conv->in, conv->out, error, size);
}

static void check_conv(struct conv conv, size_t images) {
    struct subject s = subject_new(conv, images);
    struct reference expected = reference_of(&s);
    FOR_EACH_VARIANT(k) {
        struct results r = run(&s, k, (struct split){images, images, 1});
        check_near("y", k->name, &conv, s.y_size, r.y, expected.y);
        check_near("dx", k->name, &conv, s.x_size, r.dx, expected.dx);
        check_near("dweight", k->name, &conv, s.weight_size, r.weight, expected.weight);
        check_near("dbias", k->name, &conv, (size_t)conv.out, r.bias, expected.bias);
        results_clear(&r);
    }
    reference_clear(&expected);
    subject_clear(&s);
}

/* Every shape of an edge: one row or column, odd and even ones, one tile and many. */
Test(conv, agrees_with_its_definition_at_every_size_of_image) {
    for (int height = 1; height <= 5; height++)
        for (int width = 1; width <= 5; width++)
            check_conv((struct conv){height, width, 16, 32}, 2);
    check_conv((struct conv){7, 7, 32, 16}, 5);
    check_conv((struct conv){5, 9, 16, 16}, 3);
    check_conv((struct conv){14, 14, 16, 16}, 2);
    check_conv((struct conv){32, 28, 16, 16}, 1);
}

Test(conv, agrees_with_its_definition_at_every_number_of_channels) {
    for (int in = 16; in <= 128; in += 16)
        for (int out = 16; out <= 128; out += 48)
            check_conv((struct conv){5, 9, in, out}, 1);
    check_conv((struct conv){7, 7, 256, 48}, 1);
    check_conv((struct conv){3, 6, 80, 256}, 2);
}

/* ------------------------------------------------------------------ the same bits */

static void check_same_bits(const struct results *a, const struct results *b,
                            const struct subject *s, const char *name, struct split split) {
    const bool same = memcmp(a->y, b->y, s->y_size * sizeof(float)) == 0 &&
                      memcmp(a->dx, b->dx, s->x_size * sizeof(float)) == 0 &&
                      memcmp(a->weight, b->weight, s->weight_size * sizeof(float)) == 0 &&
                      memcmp(a->bias, b->bias, (size_t)s->conv.out * sizeof(float)) == 0;
    cr_assert(same, "%s: other bits in chunks of %zu, by %zu, %d threads", name, split.chunk,
              split.call, split.threads);
}

Test(conv, gives_the_same_bits_however_the_work_is_split) {
    static const struct conv convs[] = {{7, 7, 32, 64}, {14, 14, 48, 16}, {3, 2, 16, 112}};
    static const struct split splits[] = {{7, 7, 1}, {7, 1, 1}, {7, 3, 2}, {1, 1, 1},
                                          {2, 1, 3}, {3, 2, 2}, {16, 4, 5}};
    for (size_t c = 0; c < sizeof convs / sizeof *convs; c++) {
        struct subject s = subject_new(convs[c], 7);
        FOR_EACH_VARIANT(k) {
            struct results whole = run(&s, k, splits[0]);
            for (size_t i = 1; i < sizeof splits / sizeof *splits; i++) {
                struct results r = run(&s, k, splits[i]);
                check_same_bits(&whole, &r, &s, k->name, splits[i]);
                results_clear(&r);
            }
            results_clear(&whole);
        }
        subject_clear(&s);
    }
}

/* What may be left out changes nothing else. */
Test(conv, needs_only_what_is_asked_for) {
    const struct conv conv = {7, 5, 32, 48};
    struct subject s = subject_new(conv, 3);
    const size_t prepared = CONV_PLANES * (size_t)(conv.in * conv.out);
    float *forward = unset(prepared), *backward = unset(prepared), *alone = unset(prepared);
    float *scratch = unset(conv_scratch_floats(&conv)), *dx = unset(s.x_size);
    const size_t x_size = conv_tiles_floats(&conv, 3, conv.in),
                 dy_size = conv_tiles_floats(&conv, 3, conv.out);
    float *x_tiles = unset(x_size), *dy_tiles = floats_new(dy_size),
          *dy_alone = floats_new(dy_size);
    float *y = unset(s.y_size), *other = unset(s.y_size);
    FOR_EACH_VARIANT(k) {
        conv_prepare(&conv, k, s.weight, forward, backward);
        conv_prepare(&conv, k, s.weight, alone, NULL);
        cr_assert_arr_eq(forward, alone, prepared * sizeof *alone);
        /* tiles that nobody keeps */
        conv_forward(&conv, k, 3, 0, 3, s.x, forward, s.bias, s.plus, x_tiles, scratch, y);
        conv_forward(&conv, k, 3, 0, 3, s.x, forward, s.bias, s.plus, NULL, scratch, other);
        cr_assert_arr_eq(y, other, s.y_size * sizeof *y);
        /* added to in place */
        memcpy(other, s.plus, s.y_size * sizeof *other);
        conv_forward(&conv, k, 3, 0, 3, s.x, forward, s.bias, other, NULL, scratch, other);
        cr_assert_arr_eq(y, other, s.y_size * sizeof *y);
        /* nothing to add is 0 */
        memset(other, 0, s.y_size * sizeof *other);
        conv_forward(&conv, k, 3, 0, 3, s.x, forward, s.bias, other, NULL, scratch, other);
        conv_forward(&conv, k, 3, 0, 3, s.x, forward, s.bias, NULL, NULL, scratch, y);
        cr_assert_arr_eq(y, other, s.y_size * sizeof *y);
        /* a gradient of the input that nobody needs */
        conv_backward_input(&conv, k, 3, 0, 3, s.dy, backward, dy_tiles, scratch, dx);
        conv_backward_input(&conv, k, 3, 0, 3, s.dy, NULL, dy_alone, NULL, NULL);
        cr_assert_arr_eq(dy_tiles, dy_alone, dy_size * sizeof *dy_tiles);
    }
    free(forward), free(backward), free(alone), free(scratch), free(dx);
    free(x_tiles), free(dy_tiles), free(dy_alone), free(y), free(other);
    subject_clear(&s);
}

/* Images beside those that are asked for stay as they are. */
Test(conv, touches_no_other_image) {
    const struct conv conv = {5, 6, 16, 32};
    struct subject s = subject_new(conv, 3);
    const size_t prepared = CONV_PLANES * (size_t)(conv.in * conv.out);
    float *forward = unset(prepared), *backward = unset(prepared);
    float *scratch = unset(conv_scratch_floats(&conv));
    float *tiles = unset(conv_tiles_floats(&conv, 3, conv.out));
    FOR_EACH_VARIANT(k) {
        float *y = unset(s.y_size), *dx = unset(s.x_size);
        conv_prepare(&conv, k, s.weight, forward, backward);
        conv_forward(&conv, k, 3, 1, 1, s.x, forward, s.bias, NULL, NULL, scratch, y);
        conv_backward_input(&conv, k, 3, 1, 1, s.dy, backward, tiles, scratch, dx);
        for (size_t i = 0; i < s.y_size; i++)
            cr_assert_eq(isnan(y[i]), i / (s.y_size / 3) != 1);
        for (size_t i = 0; i < s.x_size; i++)
            cr_assert_eq(isnan(dx[i]), i / (s.x_size / 3) != 1);
        free(y), free(dx);
    }
    free(forward), free(backward), free(scratch), free(tiles);
    subject_clear(&s);
}
