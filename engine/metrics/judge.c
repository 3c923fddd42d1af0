/*
 * judge.c - a LeNet-5 that learns the classes of a data set, to judge generated images.
 *
 * It learns by Adam (Kingma & Ba 2015) on batches of 64, with a learning rate that falls to 0 along half
 * a cosine, and keeps a moving average of its weights. Images come in the order of one shuffle after
 * another, so a small set needs no special case.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"
#include "engine/base/serial.h"
#include "engine/internal.h"
#include "engine/metrics/images.h"
#include "engine/metrics/lenet.h"

enum { BATCH = 64, EPOCHS = 4, SMALL_EPOCHS = 60 };
enum { MIN_STEPS = 200, ENOUGH_STEPS = 1000, MAX_STEPS = 4000 };
static const double learning_rate = 4e-3, average_decay = 0.998;

struct dn_judge {
    struct lenet lenet;
    float *parameters;
};

/* ------------------------------------------------------------------ making one */

static bool side_is_sound(int side) {
    return side >= 4 && side <= 64 && side % 4 == 0;
}

static bool shape_is_sound(int height, int width, int channels) {
    return side_is_sound(height) && side_is_sound(width) && (channels == 1 || channels == 3);
}

static bool classes_are_sound(int classes) {
    return classes >= 2 && classes <= DN_MAX_CLASSES;
}

static enum dn_status judge_new(int height, int width, int channels, int classes,
                                struct dn_judge **out, struct dn_error *error) {
    struct dn_judge *judge = calloc(1, sizeof *judge);
    if (judge) {
        lenet_layout(&judge->lenet, kernels_get(), height, width, channels, classes);
        judge->parameters = floats_new(judge->lenet.size);
    }
    if (!judge || !judge->parameters) {
        dn_judge_free(judge);
        return error_set(error, DN_NO_MEMORY, "out of memory");
    }
    *out = judge;
    return DN_OK;
}

void dn_judge_free(struct dn_judge *judge) {
    if (judge)
        free(judge->parameters);
    free(judge);
}

/* ------------------------------------------------------------------ training */

struct lesson {
    const struct dn_images *images;
    uint64_t seed;
    int32_t *order; /* [n]: a shuffle */
    uint64_t taken; /* images so far */
    int64_t steps;  /* in all */
    struct lenet_work work;
    float *gradients, *m, *v, *average; /* [size] */
};

/* Four epochs of a large set; of a small one more, but not hundreds. */
static int64_t steps_of(size_t n) {
    const int64_t some = (int64_t)(n * EPOCHS / BATCH), many = (int64_t)(n * SMALL_EPOCHS / BATCH);
    const int64_t enough = many < ENOUGH_STEPS ? many : ENOUGH_STEPS;
    const int64_t steps = some > enough ? some : enough;
    return steps < MIN_STEPS ? MIN_STEPS : steps > MAX_STEPS ? MAX_STEPS : steps;
}

static void lesson_clear(struct lesson *lesson) {
    lenet_work_clear(&lesson->work);
    free(lesson->order);
    free(lesson->gradients);
    free(lesson->m);
    free(lesson->v);
    free(lesson->average);
}

static enum dn_status lesson_init(struct lesson *lesson, const struct lenet *lenet,
                                  struct dn_error *error) {
    lesson->steps = steps_of(lesson->images->n);
    lesson->order = calloc(lesson->images->n, sizeof *lesson->order);
    lesson->gradients = floats_new(lenet->size);
    lesson->m = floats_new(lenet->size);
    lesson->v = floats_new(lenet->size);
    lesson->average = floats_new(lenet->size);
    if (!lesson->order || !lesson->gradients || !lesson->m || !lesson->v || !lesson->average)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    return lenet_work_init(&lesson->work, lenet, BATCH, true, error);
}

size_t dn_judge_training_bytes(const struct dn_images *images, int classes) {
    struct lenet lenet;
    lenet_layout(&lenet, kernels_get(), images->height, images->width, images->channels, classes);
    return sizeof(struct dn_judge) + images->n * sizeof(int32_t) + 5 * floats_bytes(lenet.size) +
           lenet_work_bytes(&lenet, BATCH, true);
}

static void read_batch(struct lesson *lesson, const struct lenet *lenet, int32_t labels[BATCH]) {
    const struct dn_images *images = lesson->images;
    const size_t values = images_values(images);
    for (size_t i = 0; i < BATCH; i++, lesson->taken++) {
        const size_t at = lesson->taken % images->n;
        if (at == 0)
            random_permutation(lesson->seed, (uint32_t)(lesson->taken / images->n),
                               (int32_t)images->n, lesson->order);
        const size_t chosen = (size_t)lesson->order[at];
        lenet_read(lenet, &lesson->work, i, images->pixels + chosen * values);
        labels[i] = images->labels[chosen];
    }
}

static struct adam_step step_of(int64_t step, int64_t steps) {
    const double rate = learning_rate * (1 + cos(M_PI * (double)(step - 1) / (double)steps)) / 2;
    const double decay = fmin(average_decay, (1.0 + (double)step) / (10.0 + (double)step));
    return (struct adam_step){.learning_rate = (float)rate,
                              .epsilon = 1e-8f,
                              .rate1 = 0.1f,
                              .rate2 = 0.001f,
                              .correction1 = (float)(1 / (1 - pow(0.9, (double)step))),
                              .correction2 = (float)(1 / (1 - pow(0.999, (double)step))),
                              .scale = 1,
                              .keep = 1,
                              .follow = 1 - (float)decay};
}

static enum dn_status learn(struct dn_judge *judge, struct lesson *lesson,
                            const struct dn_breaks *breaks, struct dn_error *error) {
    const struct lenet *lenet = &judge->lenet;
    int32_t labels[BATCH];
    enum dn_status status = DN_OK;
    lenet_initialize(lenet, lesson->seed, judge->parameters);
    memcpy(lesson->average, judge->parameters, lenet->size * sizeof(float));
    for (int64_t step = 1; step <= lesson->steps && status == DN_OK; step++) {
        read_batch(lesson, lenet, labels);
        lenet_forward(lenet, judge->parameters, &lesson->work, BATCH);
        lenet_loss(lenet, &lesson->work, BATCH, labels);
        lenet_backward(lenet, judge->parameters, &lesson->work, BATCH, lesson->gradients);
        const struct adam_step adam = step_of(step, lesson->steps);
        lenet->kernels->adam(lenet->size, judge->parameters, lesson->gradients, lesson->m,
                             lesson->v, lesson->average, &adam);
        status = break_check(breaks, error);
    }
    memcpy(judge->parameters, lesson->average, lenet->size * sizeof(float));
    return status;
}

static enum dn_status check_images(const struct dn_images *images, int classes,
                                   struct dn_error *error) {
    if (!shape_is_sound(images->height, images->width, images->channels))
        return error_set(error, DN_INVALID,
                         "sides of images are multiples of 4 up to 64, and channels 1 or 3");
    if (!classes_are_sound(classes))
        return error_set(error, DN_INVALID, "a judge needs 2 to %d classes", DN_MAX_CLASSES);
    if (images->n < 1 || images->n > DN_MAX_POINTS || !images->labels)
        return error_set(error, DN_INVALID, "a judge needs 1 to %d images with labels",
                         DN_MAX_POINTS);
    for (size_t i = 0; i < images->n; i++)
        if (images->labels[i] < 0 || images->labels[i] >= classes)
            return error_set(error, DN_INVALID, "the label of image %zu is not one of 0..%d", i,
                             classes - 1);
    return DN_OK;
}

enum dn_status dn_judge_train(const struct dn_images *images, int classes, uint64_t seed,
                              struct dn_judge **out, const struct dn_breaks *breaks,
                              struct dn_error *error) {
    struct lesson lesson = {.images = images, .seed = seed};
    struct dn_judge *judge = NULL;
    enum dn_status status = check_images(images, classes, error);
    if (status == DN_OK)
        status = judge_new(images->height, images->width, images->channels, classes, &judge, error);
    if (status == DN_OK)
        status = lesson_init(&lesson, &judge->lenet, error);
    if (status == DN_OK)
        status = learn(judge, &lesson, breaks, error);
    lesson_clear(&lesson);
    if (status == DN_OK)
        *out = judge;
    else
        dn_judge_free(judge);
    return status;
}

/* ------------------------------------------------------------------ looking */

static int32_t most_likely(const float *logits, size_t classes) {
    size_t best = 0;
    for (size_t c = 1; c < classes; c++)
        if (logits[c] > logits[best])
            best = c;
    return (int32_t)best;
}

/* Images first..first+n-1, n <= BATCH. */
static void look(const struct dn_judge *judge, struct lenet_work *work,
                 const struct dn_images *images, size_t first, size_t n, float *features,
                 int32_t *classes) {
    const struct lenet *lenet = &judge->lenet;
    const struct lenet_layer *last = &lenet->layers[LENET_LAYERS - 1], *before = last - 1;
    const size_t values = images_values(images);
    for (size_t i = 0; i < n; i++)
        lenet_read(lenet, work, i, images->pixels + (first + i) * values);
    lenet_forward(lenet, judge->parameters, work, n);
    for (size_t i = 0; i < n && features; i++)
        memcpy(features + (first + i) * DN_JUDGE_FEATURES,
               work->h[LENET_LAYERS - 2] + i * before->ld, DN_JUDGE_FEATURES * sizeof *features);
    for (size_t i = 0; i < n && classes; i++)
        classes[first + i] = most_likely(work->h[LENET_LAYERS - 1] + i * last->ld, last->out);
}

enum dn_status dn_judge_look(const struct dn_judge *judge, const struct dn_images *images,
                             float *features, int32_t *classes, const struct dn_breaks *breaks,
                             struct dn_error *error) {
    const struct lenet *lenet = &judge->lenet;
    struct lenet_work work;
    if (images->height != lenet->height || images->width != lenet->width ||
        images->channels != lenet->channels)
        return error_set(error, DN_INVALID, "the judge knows images of %d x %d x %d only",
                         lenet->height, lenet->width, lenet->channels);
    enum dn_status status = lenet_work_init(&work, lenet, BATCH, false, error);
    for (size_t first = 0; first < images->n && status == DN_OK; first += BATCH) {
        const size_t left = images->n - first;
        look(judge, &work, images, first, left < BATCH ? left : BATCH, features, classes);
        status = break_check(breaks, error);
    }
    lenet_work_clear(&work);
    return status;
}

int dn_judge_classes(const struct dn_judge *judge) {
    return judge->lenet.classes;
}

/* ------------------------------------------------------------------ serialized form */

static void serial_rows(struct serial *serial, float *at, size_t rows, size_t columns, size_t ld) {
    for (size_t i = 0; i < rows; i++)
        serial_block(serial, at ? at + i * ld : NULL, columns * sizeof(float));
}

/* The weights without their padding; parameters is NULL when they are counted. */
static void serial_weights(struct serial *serial, const struct lenet *lenet, float *parameters) {
#define AT(PLACE) (parameters ? parameters + (PLACE) : NULL)
    for (const struct lenet_stage *s = lenet->stages; s < lenet->stages + LENET_STAGES; s++) {
        serial_rows(serial, AT(s->weight), LENET_KERNEL * LENET_KERNEL * s->in, s->out,
                    LENET_LANES);
        serial_rows(serial, AT(s->bias), 1, s->out, LENET_LANES);
    }
    for (const struct lenet_layer *l = lenet->layers; l < lenet->layers + LENET_LAYERS; l++) {
        serial_rows(serial, AT(l->weight), l->in, l->out, l->ld);
        serial_rows(serial, AT(l->bias), 1, l->out, l->ld);
    }
#undef AT
}

static void serial_shape(struct serial *serial, struct lenet *lenet) {
    serial_mark(serial, "denoised judge 1");
    serial_value(serial, &lenet->height);
    serial_value(serial, &lenet->width);
    serial_value(serial, &lenet->channels);
    serial_value(serial, &lenet->classes);
}

static size_t serialize(const struct dn_judge *judge, void *bytes) {
    struct serial serial = {
        .mode = bytes ? SERIAL_WRITE : SERIAL_COUNT, .bytes = bytes, .size = SIZE_MAX};
    struct lenet shape = judge->lenet; /* a serial may write to what it passes over */
    serial_shape(&serial, &shape);
    serial_weights(&serial, &judge->lenet, bytes ? judge->parameters : NULL);
    return serial.used;
}

size_t dn_judge_bytes(const struct dn_judge *judge) {
    return serialize(judge, NULL);
}

void dn_judge_save(const struct dn_judge *judge, void *bytes) {
    serialize(judge, bytes);
}

enum dn_status dn_judge_load(const void *bytes, size_t size, struct dn_judge **out,
                             struct dn_error *error) {
    struct serial serial = {.mode = SERIAL_READ, .bytes = (unsigned char *)bytes, .size = size};
    struct lenet shape = {0};
    struct dn_judge *judge = NULL;
    serial_shape(&serial, &shape);
    if (serial.failed || !shape_is_sound(shape.height, shape.width, shape.channels) ||
        !classes_are_sound(shape.classes))
        return error_set(error, DN_CORRUPT, "not a judge of this version");
    enum dn_status status =
        judge_new(shape.height, shape.width, shape.channels, shape.classes, &judge, error);
    if (status != DN_OK)
        return status;
    if (size == dn_judge_bytes(judge))
        serial_weights(&serial, &judge->lenet, judge->parameters);
    if (size != dn_judge_bytes(judge) || serial.failed ||
        !all_finite(judge->parameters, judge->lenet.size)) {
        dn_judge_free(judge);
        return error_set(error, DN_CORRUPT, "the judge is damaged");
    }
    *out = judge;
    return DN_OK;
}
