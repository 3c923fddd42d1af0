/* Training on images, end to end: what a trainer, its checkpoints and its models do with the U-Net. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/denoise.h"
#include "tests/unit/trainer_state.h"

enum { SIZE = 8, DIM = SIZE * SIZE, CLASSES = 2, IMAGES = 300, HELD_OUT = 100 };

/* Two pictures: the left half is white, or the upper half. */
static uint8_t picture(int label, int e) {
    const int x = e % SIZE, y = e / SIZE;
    return (label == 0 ? x : y) < SIZE / 2 ? 255 : 0;
}

struct set {
    uint8_t pixels[(IMAGES + HELD_OUT) * DIM];
    int32_t labels[IMAGES + HELD_OUT];
    struct dn_data data;
};

static void set_fill(struct set *set, int classes) {
    for (int i = 0; i < IMAGES + HELD_OUT; i++) {
        set->labels[i] = i % CLASSES;
        for (int e = 0; e < DIM; e++)
            set->pixels[i * DIM + e] = picture(i % CLASSES, e);
    }
    set->data = (struct dn_data){.dim = DIM,
                                 .n = IMAGES,
                                 .n_val = HELD_OUT,
                                 .pixels = set->pixels,
                                 .labels = classes ? set->labels : NULL,
                                 .classes = classes};
}

static struct dn_spec spec_of(int classes) {
    struct dn_spec spec = dn_presets[DN_PRESET_IMAGES].spec;
    spec.dataset = (struct dn_dataset_spec){.source_count = 1,
                                            .dim = DIM,
                                            .height = SIZE,
                                            .width = SIZE,
                                            .channels = 1,
                                            .classes = classes};
    spec.dataset.sources[0] =
        (struct dn_source){.pattern = DN_UPLOADED, .n = IMAGES + HELD_OUT, .seed = 1};
    spec.network.kind = DN_UNET;
    spec.network.channels[0] = 16;
    spec.network.channels[1] = 32;
    spec.diffusion.timesteps = 100;
    spec.training.batch_size = 40; /* several chunks of one thread, fewer of several */
    spec.training.epochs = 3;
    spec.training.validation_fraction = 0.25;
    spec.training.ema_decay = 0.9;
    return spec;
}

static struct dn_trainer *trainer_of(const struct dn_spec *spec, const struct set *set) {
    struct dn_trainer *trainer;
    struct dn_error error;
    cr_assert_eq(dn_trainer_new(spec, &set->data, &trainer, &error), DN_OK, "%s", error.text);
    return trainer;
}

static void train(struct dn_trainer *trainer, int epochs, struct dn_epoch *last) {
    struct dn_error error;
    for (int i = 0; i < epochs; i++)
        cr_assert_eq(dn_trainer_epoch(trainer, NULL, last, &error), DN_OK, "%s", error.text);
}

static struct dn_model *model_of(const struct dn_trainer *trainer) {
    struct dn_model *model;
    cr_assert_eq(dn_trainer_model(trainer, &model, NULL), DN_OK);
    return model;
}

/* ------------------------------------------------------------------ it learns */

/* The greatest distance of a sample's pixels from those of its picture, in bytes, averaged over
 * pixels. */
static double distance_to(const float *sample, int label) {
    double sum = 0;
    for (int e = 0; e < DIM; e++)
        sum += fabs((double)sample[e] - picture(label, e));
    return sum / DIM;
}

static void check_samples(const struct dn_model *model, enum dn_sampler sampler, int guidance) {
    enum { N = 6 };
    float samples[N * DIM];
    struct dn_error error;
    const struct dn_sample_request request = {.n = N,
                                              .seed = 4,
                                              .sampler = sampler,
                                              .steps = 20,
                                              .clip = true,
                                              .guidance = guidance,
                                              .label = DN_LABELS_IN_TURN};
    const struct dn_sample_result result = {.points = samples};
    cr_assert_eq(dn_sample(model, &request, &result, NULL, &error), DN_OK, "%s", error.text);
    for (int i = 0; i < N; i++) {
        const double off = distance_to(samples + (size_t)i * DIM, i % CLASSES);
        cr_assert_lt(off, 13, "%s, guidance %d, image %d: %g", dn_sampler_names[sampler], guidance,
                     i, off);
    }
}

Test(unet_training, two_pictures_are_reproduced_by_label_with_every_sampler, .timeout = 600) {
    static struct set set;
    struct dn_spec spec = spec_of(CLASSES);
    struct dn_epoch first, last;
    set_fill(&set, CLASSES);
    spec.training.epochs = 150;
    struct dn_trainer *trainer = trainer_of(&spec, &set);
    train(trainer, 1, &first);
    train(trainer, spec.training.epochs - 1, &last);
    cr_assert_lt(last.train_loss, 0.1 * first.train_loss, "%g after %g", last.train_loss,
                 first.train_loss);
    cr_assert_lt(last.val_loss, 0.2 * first.val_loss);
    struct dn_model *model = model_of(trainer);
    for (int s = 0; s < DN_SAMPLER_COUNT; s++)
        for (int guidance = 1; guidance <= 2; guidance++)
            check_samples(model, (enum dn_sampler)s, guidance);
    dn_model_free(model);
    dn_trainer_free(trainer);
}

/* ------------------------------------------------------------------ the same bytes */

/* Calls the parts one after the other, the last one first. */
static void run_parts(struct dn_team *team, void (*work)(void *argument, int part),
                      void *argument) {
    for (int part = team->size - 1; part >= 0; part--)
        work(argument, part);
}

static void check_same_bytes(int batch_size) {
    static struct set set;
    /* a team as large as the spec says; larger than there are groups; a spec that leaves it open */
    static const struct { int threads, team; } sizes[] = {{1, 1}, {2, 2}, {5, 5}, {11, 11}, {0, 3}};
    struct state expected = {0};
    set_fill(&set, CLASSES);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int resumed = 0; resumed < 2; resumed++) {
            struct dn_team team = {sizes[s].team, run_parts};
            struct dn_spec spec = spec_of(CLASSES);
            struct dn_epoch last;
            spec.training.threads = sizes[s].threads;
            spec.training.batch_size = batch_size;
            spec.training.keep_best = true;
            struct dn_trainer *trainer = trainer_of(&spec, &set);
            dn_trainer_use_team(trainer, &team);
            if (resumed) { /* in the middle of the second epoch */
                for (int step = 0; step < 5; step++)
                    cr_assert_eq(dn_trainer_step(trainer, NULL, NULL), DN_OK);
                struct state half = state_of(trainer);
                dn_trainer_free(trainer);
                trainer = trainer_of(&spec, &set);
                dn_trainer_use_team(trainer, &team);
                cr_assert_eq(dn_trainer_load(trainer, half.bytes, half.size, NULL), DN_OK);
                free(half.bytes);
                cr_assert_eq(dn_trainer_step(trainer, NULL, NULL), DN_OK);
                team.size = 1; /* the others are needed elsewhere */
            }
            while (dn_trainer_epochs_done(trainer) < spec.training.epochs)
                train(trainer, 1, &last);
            if (!expected.bytes)
                expected = state_of(trainer);
            char what[40];
            snprintf(what, sizeof what, "%d threads, %s", sizes[s].threads,
                     resumed ? "resumed" : "at once");
            check_same(expected, trainer, what);
            dn_trainer_free(trainer);
        }
    free(expected.bytes);
}

/* Of batches with several images for each group and thread, and with fewer images than groups. */
Test(unet_training, any_team_and_any_resumption_end_in_the_same_bytes, .timeout = 600) {
    check_same_bytes(40);
    check_same_bytes(5);
}

/* ------------------------------------------------------------------ models */

static float *draw(const struct dn_model *model) {
    float *points = malloc(4 * DIM * sizeof *points);
    const struct dn_sample_request request = {.n = 4, .seed = 9, .sampler = DN_DDIM, .steps = 5};
    const struct dn_sample_result result = {.points = points};
    cr_assert_eq(dn_sample(model, &request, &result, NULL, NULL), DN_OK);
    return points;
}

static void check_draws_the_same(const struct dn_model *model, const float *expected) {
    float *found = draw(model);
    for (int e = 0; e < 4 * DIM; e++)
        cr_assert_eq(found[e], expected[e]);
    free(found);
}

Test(unet_training, saved_models_and_models_of_tensors_draw_the_same) {
    static struct set set;
    struct dn_spec spec = spec_of(0);
    struct dn_epoch last;
    struct dn_error error;
    struct dn_model *copy;
    double shift[DN_MAX_DIM], scale[DN_MAX_DIM];
    float low[DN_MAX_DIM], high[DN_MAX_DIM];
    set_fill(&set, 0);
    struct dn_trainer *trainer = trainer_of(&spec, &set);
    train(trainer, 2, &last);
    struct dn_model *model = model_of(trainer);
    float *expected = draw(model);

    const size_t size = dn_model_bytes(model);
    unsigned char *bytes = malloc(size);
    dn_model_save(model, bytes);
    cr_assert_eq(dn_model_load(bytes, size, &copy, &error), DN_OK, "%s", error.text);
    check_draws_the_same(copy, expected);
    dn_model_free(copy);
    free(bytes);

    const int count = dn_model_tensor_count(model);
    cr_assert_eq(dn_spec_tensor_count(&spec), count, "images have no moments");
    float **tensors = calloc((size_t)count, sizeof *tensors);
    for (int i = 0; i < count; i++) {
        struct dn_tensor tensor;
        size_t values = 1;
        dn_spec_tensor(&spec, i, &tensor);
        for (int axis = 0; axis < tensor.rank; axis++)
            values *= (size_t)tensor.shape[axis];
        tensors[i] = malloc(values * sizeof **tensors);
        dn_model_tensor(model, i, tensors[i]);
    }
    dn_model_transform(model, shift, scale);
    dn_model_range(model, low, high);
    const struct dn_model_parts parts = {.spec = &spec,
                                         .epoch = 2,
                                         .shift = shift,
                                         .scale = scale,
                                         .low = low,
                                         .high = high,
                                         .tensors = (const float *const *)tensors};
    cr_assert_eq(dn_model_build(&parts, &copy, &error), DN_OK, "%s", error.text);
    check_draws_the_same(copy, expected);
    dn_model_free(copy);
    for (int i = 0; i < count; i++)
        free(tensors[i]);
    free(tensors);
    free(expected);
    dn_model_free(model);
    dn_trainer_free(trainer);
}
