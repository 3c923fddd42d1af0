/* A sampling that is taken in slices, with others in between, makes the bits of dn_sample. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/denoise.h"

enum { N = 130, T = 12, FRAMES = 5, VALUES = 2 * N * (T + 1), ALL = 2 * N + 2 * VALUES };

/* Two classes, and so wide a network that the points go in three blocks. */
static struct dn_model *make_model(void) {
    struct dn_spec spec = dn_presets[1].spec;
    struct dn_trainer *trainer;
    struct dn_model *model;
    spec.dataset.source_count = spec.dataset.classes = 2;
    spec.dataset.sources[0].n = 64;
    spec.dataset.sources[1] = (struct dn_source){.pattern = DN_MOONS, .n = 64};
    spec.network.hidden_size = 512;
    spec.network.hidden_layers = 1;
    spec.diffusion.timesteps = T;
    cr_assert_eq(dn_trainer_new(&spec, NULL, &trainer, NULL), DN_OK);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(dn_trainer_step(trainer, NULL, NULL), DN_OK);
    cr_assert_eq(dn_trainer_model(trainer, &model, NULL), DN_OK);
    dn_trainer_free(trainer);
    return model;
}

static struct dn_sample_result result_in(float memory[ALL]) {
    memset(memory, 0, ALL * sizeof *memory);
    return (struct dn_sample_result){
        .points = memory, .x = memory + 2 * N, .x0 = memory + 2 * N + VALUES};
}

/* Takes the same request twice at a time, in slices of different lengths. */
static int advance(struct dn_sampling *pair[2], int slice) {
    int steps = 0;
    while (!dn_sampling_done(pair[0]) || !dn_sampling_done(pair[1])) {
        for (int i = 0; i < slice && !dn_sampling_done(pair[0]); i++, steps++)
            dn_sampling_step(pair[0], NULL);
        for (int i = 0; i < 2 * slice + 1 && !dn_sampling_done(pair[1]); i++)
            dn_sampling_step(pair[1], NULL);
    }
    dn_sampling_step(pair[0], NULL); /* it is done: nothing happens */
    return steps;
}

static void compare(const struct dn_model *model, const struct dn_sample_request *request) {
    static float whole[ALL], sliced[2][ALL];
    const struct dn_sample_result expected = result_in(whole);
    cr_assert_eq(dn_sample(model, request, &expected, NULL, NULL), DN_OK);
    const int steps = request->steps ? request->steps : T;
    for (int slice = 1; slice <= 3 * steps + 1; slice++) {
        struct dn_sampling *pair[2];
        for (int i = 0; i < 2; i++) {
            /* what is given is kept: it may be gone, or be changed, while the points are made */
            struct dn_sample_request copy = *request;
            struct dn_sample_result result = result_in(sliced[i]);
            cr_assert_eq(dn_sampling_new(model, &copy, &result, NULL, &pair[i], NULL), DN_OK);
            copy = (struct dn_sample_request){0};
            result = (struct dn_sample_result){0};
        }
        cr_assert_eq(advance(pair, slice), 3 * steps);
        for (int i = 0; i < 2; i++) {
            cr_assert(memcmp(whole, sliced[i], sizeof whole) == 0, "sampler %d, slices of %d",
                      (int)request->sampler, slice);
            dn_sampling_free(pair[i]);
        }
    }
}

Test(slices, every_sampler_makes_the_same_bits, .timeout = 120) {
    struct dn_model *model = make_model();
    static float noise[2 * N];
    for (int i = 0; i < 2 * N; i++)
        noise[i] = sinf((float)i);
    for (int sampler = 0; sampler < DN_SAMPLER_COUNT; sampler++)
        for (int variant = 0; variant < 4; variant++) {
            const struct dn_sample_request request = {
                .first = variant,
                .n = N,
                .seed = 7,
                .sampler = (enum dn_sampler)sampler,
                .steps = variant % 2 ? 5 : 0,
                .eta = 0.5,
                .clip = variant < 2,
                .noise = variant == 3 ? noise : NULL,
                .guidance = (const double[]){0, 1, 2.5, 3}[variant],
                .label = variant == 2 ? 1 : DN_LABELS_IN_TURN,
                .frames = variant % 2 ? FRAMES : 0,
            };
            compare(model, &request);
        }
    dn_model_free(model);
}

Test(slices, a_wrong_request_makes_none_and_a_begun_one_can_be_dropped) {
    struct dn_model *model = make_model();
    static float memory[ALL];
    const struct dn_sample_result result = result_in(memory);
    struct dn_sampling *sampling = NULL;
    struct dn_sample_request request = {.n = 0};
    cr_assert_eq(dn_sampling_new(model, &request, &result, NULL, &sampling, NULL), DN_INVALID);
    cr_assert_null(sampling);
    request.n = N;
    cr_assert_eq(dn_sampling_new(model, &request, &result, NULL, &sampling, NULL), DN_OK);
    dn_sampling_step(sampling, NULL);
    cr_assert_not(dn_sampling_done(sampling));
    dn_sampling_free(sampling);
    dn_sampling_free(NULL);
    dn_model_free(model);
}

struct breaks_seen {
    int pauses, stop_at;
    bool stop;
};

static void pause_here(void *context) {
    struct breaks_seen *seen = context;
    seen->stop = ++seen->pauses == seen->stop_at;
}

/* A model of digits, hardly trained; *convolutions of a pass: two of each block, of which each level has
 * so many on each side, one before all and one after. */
static struct dn_model *make_model_of_images(int *convolutions) {
    struct dn_spec spec = dn_presets[DN_PRESET_IMAGES].spec;
    struct dn_trainer *trainer;
    struct dn_model *model;
    struct dn_error error = {""};
    spec.dataset = (struct dn_dataset_spec){.source_count = 1,
                                            .dim = DN_DIGITS_SIDE * DN_DIGITS_SIDE,
                                            .height = DN_DIGITS_SIDE,
                                            .width = DN_DIGITS_SIDE,
                                            .channels = 1,
                                            .classes = 10,
                                            .sources = {{.pattern = DN_DIGITS, .n = 20}}};
    spec.network.kind = DN_UNET;
    spec.network.channels[0] = spec.network.channels[1] = 16;
    spec.network.blocks[0] = 2;
    spec.network.blocks[1] = 3;
    spec.training.batch_size = 10;
    *convolutions = 2 + 2 * (2 + 2 * 3 + 2);
    cr_assert_eq(dn_trainer_new(&spec, NULL, &trainer, &error), DN_OK, "%s", error.text);
    cr_assert_eq(dn_trainer_epoch(trainer, NULL, &(struct dn_epoch){0}, NULL), DN_OK);
    cr_assert_eq(dn_trainer_model(trainer, &model, NULL), DN_OK);
    dn_trainer_free(trainer);
    return model;
}

/* A pass of a large network of images takes longer than others should wait: it has a break before each
 * convolution, as has what is made of the weights beforehand. A stop comes between two steps, and does
 * not change the images. */
Test(slices, images_have_breaks_within_a_step_and_are_the_same) {
    enum { COUNT = 3, STEPS = 4, PIXELS = COUNT * DN_DIGITS_SIDE * DN_DIGITS_SIDE };
    static float expected[PIXELS], found[PIXELS];
    int convolutions;
    struct dn_model *model = make_model_of_images(&convolutions);
    for (int passes = 1; passes <= 2; passes++) {
        const struct dn_sample_request request = {.n = COUNT,
                                                  .sampler = DN_DDIM,
                                                  .steps = STEPS,
                                                  .guidance = passes,
                                                  .label = DN_LABELS_IN_TURN};
        struct breaks_seen seen = {0};
        struct dn_sampling *sampling;
        const struct dn_breaks breaks = {&seen.stop, pause_here, &seen};
        const struct dn_sample_result result = {.points = expected}, other = {.points = found};
        cr_assert_eq(dn_sample(model, &request, &result, NULL, NULL), DN_OK);
        cr_assert_eq(dn_sampling_new(model, &request, &other, &breaks, &sampling, NULL), DN_OK);
        cr_assert_eq(seen.pauses, convolutions);
        for (int step = 0; step < STEPS; step++) {
            seen = (struct breaks_seen){.stop_at = step == 2 ? 1 : 0};
            if (step == 2)
                cr_assert_eq(dn_sampling_step(sampling, NULL), DN_STOPPED);
            seen = (struct breaks_seen){0};
            cr_assert_not(dn_sampling_done(sampling));
            cr_assert_eq(dn_sampling_step(sampling, NULL), DN_OK);
            cr_assert_eq(seen.pauses, 1 + passes * convolutions);
        }
        cr_assert(dn_sampling_done(sampling));
        cr_assert(memcmp(expected, found, sizeof expected) == 0);
        dn_sampling_free(sampling);
    }
    dn_model_free(model);
}

/* Every metric takes breaks, more of them for more points, and stops at the one that says so. */
Test(slices, metrics_take_breaks) {
    enum { POINTS = 512 };
    static float points[2 * POINTS];
    dn_pattern_draw(DN_MOONS, 1, 0, POINTS, points);
    const struct dn_points x = {points, POINTS / 2, 2}, y = {points + POINTS, POINTS / 2, 2};
    for (int which = 0; which < DN_METRIC_COUNT; which++) {
        struct breaks_seen seen = {0};
        const struct dn_breaks breaks = {&seen.stop, pause_here, &seen};
        double with, without;
        cr_assert_eq(dn_metric((enum dn_metric)which, &x, &y, &with, &breaks, NULL), DN_OK);
        cr_assert_eq(dn_metric((enum dn_metric)which, &x, &y, &without, NULL, NULL), DN_OK);
        cr_assert_eq(with, without);
        cr_assert_geq(seen.pauses, 4, "%s", dn_metric_names[which]);
        seen = (struct breaks_seen){.stop_at = 3};
        cr_assert_eq(dn_metric((enum dn_metric)which, &x, &y, &with, &breaks, NULL), DN_STOPPED);
        cr_assert_eq(seen.pauses, 3);
    }
}
