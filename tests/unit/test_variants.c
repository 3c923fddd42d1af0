/* Several variants of the kernels in one program: each training computes as in a program of its own
 * variant. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/denoise.h"

enum { MOST = 4, EPOCHS = 2, POINTS = 70 };

/* Everything that draws normal numbers or multiplies matrices. */
static struct dn_spec spec_of(enum dn_normalization normalization, bool has_labels) {
    struct dn_spec spec = dn_presets[DN_PRESET_DEFAULT].spec;
    spec.dataset.sources[0].n = 300;
    if (has_labels) {
        spec.dataset.source_count = spec.dataset.classes = 2;
        spec.dataset.sources[1] = (struct dn_source){.pattern = DN_MOONS, .n = 100, .seed = 3};
    }
    spec.network.time_embedding = has_labels ? DN_LEARNED : DN_SINUSOIDAL;
    spec.network.input_features = 2;
    spec.network.output_levels = normalization == DN_QUANTILE ? 4 : 0;
    spec.training.normalization = normalization;
    spec.training.conditioning = has_labels ? DN_GIVEN_ANY : DN_GIVEN_NONE;
    spec.training.validation_fraction = 0.2;
    spec.training.ema_decay = 0.9;
    spec.training.keep_best = true;
    spec.training.batch_size = 64;
    spec.training.epochs = EPOCHS;
    return spec;
}

static int variants(const char *names[MOST]) {
    int count = 0;
    while (dn_kernels_offered(count)) {
        cr_assert_lt(count, MOST);
        names[count] = dn_kernels_offered(count);
        count++;
    }
    return count;
}

/* All that a training leaves: its checkpoint, its model, samples and an evaluation of that. */
struct result {
    unsigned char *checkpoint, *model;
    size_t checkpoint_size, model_size;
    float points[2 * POINTS];
    struct dn_evaluation evaluation;
};

static void result_clear(struct result *result) {
    free(result->checkpoint);
    free(result->model);
}

static void result_take(struct dn_trainer *trainer, struct result *result) {
    struct dn_error error;
    struct dn_model *model;
    const struct dn_spec *spec = dn_trainer_spec(trainer);
    result->checkpoint_size = dn_trainer_bytes(trainer);
    result->checkpoint = malloc(result->checkpoint_size);
    dn_trainer_save(trainer, result->checkpoint);
    result->model_size = dn_trainer_model_bytes(trainer);
    result->model = malloc(result->model_size);
    cr_assert_eq(dn_trainer_model_save(trainer, result->model, &error), DN_OK, "%s", error.text);
    cr_assert_eq(dn_trainer_model(trainer, &model, &error), DN_OK, "%s", error.text);
    const struct dn_sample_request request = {.n = POINTS, .seed = 5};
    const struct dn_sample_result points = {.points = result->points};
    cr_assert_eq(dn_sample(model, &request, &points, NULL, &error), DN_OK, "%s", error.text);
    struct dn_data data;
    cr_assert_eq(dn_data_draw(spec, NULL, &data, NULL, &error), DN_OK, "%s", error.text);
    cr_assert_eq(dn_evaluate(model, &data, POINTS, 1, &result->evaluation, NULL, &error), DN_OK,
                 "%s", error.text);
    dn_data_clear(&data);
    dn_model_free(model);
}

static void check_same(const struct result *a, const struct result *b, const char *name) {
    cr_assert_eq(a->checkpoint_size, b->checkpoint_size);
    cr_assert_eq(a->model_size, b->model_size);
    cr_assert_eq(memcmp(a->checkpoint, b->checkpoint, a->checkpoint_size), 0, "%s", name);
    cr_assert_eq(memcmp(a->model, b->model, a->model_size), 0, "%s", name);
    cr_assert_eq(memcmp(a->points, b->points, sizeof a->points), 0, "%s", name);
    cr_assert_eq(memcmp(&a->evaluation, &b->evaluation, sizeof a->evaluation), 0, "%s", name);
}

static void train_all_at_once(const struct dn_spec *spec, const char *const *names, int count,
                              struct result *results) {
    struct dn_trainer *trainers[MOST];
    struct dn_error error;
    for (int i = 0; i < count; i++) {
        cr_assert_eq(dn_trainer_new_with(names[i], spec, NULL, &trainers[i], &error), DN_OK, "%s",
                     error.text);
        cr_assert_str_eq(dn_trainer_kernels(trainers[i]), names[i]);
    }
    while (dn_trainer_epochs_done(trainers[0]) < EPOCHS)
        for (int i = 0; i < count; i++)
            cr_assert_eq(dn_trainer_step(trainers[i], NULL, &error), DN_OK, "%s", error.text);
    for (int i = 0; i < count; i++) {
        result_take(trainers[i], &results[i]);
        dn_trainer_free(trainers[i]);
    }
}

static void train_alone(const struct dn_spec *spec, const char *name, struct result *result) {
    struct dn_trainer *trainer;
    struct dn_error error;
    cr_assert_eq(dn_kernels_use(name, &error), DN_OK, "%s", error.text);
    cr_assert_eq(dn_trainer_new(spec, NULL, &trainer, &error), DN_OK, "%s", error.text);
    while (dn_trainer_epochs_done(trainer) < EPOCHS)
        cr_assert_eq(dn_trainer_step(trainer, NULL, &error), DN_OK, "%s", error.text);
    result_take(trainer, result);
    dn_trainer_free(trainer);
}

Test(variants, train_side_by_side_as_alone, .timeout = 120) {
    const char *names[MOST];
    const int count = variants(names);
    cr_assert_gt(count, 0);
    for (int number = 0; number < 3; number++) {
        const struct dn_spec spec =
            spec_of(number == 1 ? DN_QUANTILE : DN_STANDARDIZE, number == 2);
        struct result together[MOST] = {{0}}, again[MOST] = {{0}}, alone = {0};
        struct dn_error error;
        cr_assert_eq(dn_spec_check(&spec, &error), DN_OK, "%s", error.text);
        train_all_at_once(&spec, names, count, together);
        for (int i = 0; i < count; i++) {
            train_alone(&spec, names[i], &alone);
            check_same(&together[i], &alone, names[i]);
            result_clear(&alone);
            /* whatever the default is now */
            train_all_at_once(&spec, names, count, again);
            for (int k = 0; k < count; k++) {
                check_same(&together[k], &again[k], names[k]);
                result_clear(&again[k]);
            }
            /* and the variants do differ */
            if (i > 0)
                cr_assert_neq(
                    memcmp(together[i].model, together[i - 1].model, together[i].model_size), 0,
                    "%s is %s", names[i], names[i - 1]);
        }
        for (int i = 0; i < count; i++)
            result_clear(&together[i]);
    }
}

Test(variants, unknown_ones_are_refused) {
    const struct dn_spec spec = spec_of(DN_STANDARDIZE, false);
    struct dn_trainer *trainer = NULL;
    struct dn_error error;
    static const char *const wrong[] = {"", "mmx", "AVX2", "baseline "};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_assert_eq(dn_trainer_new_with(wrong[i], &spec, NULL, &trainer, &error), DN_INVALID);
        cr_assert(strstr(error.text, wrong[i]), "%s", error.text);
        cr_assert_null(trainer);
    }
    /* All that were built are offered, unless the CPU lacks them. */
    int offered = 0;
    for (size_t i = 0; kernels_built[i]; i++) {
        const bool has_it = kernels_supported(kernels_built[i]);
        if (has_it)
            cr_assert_str_eq(dn_kernels_offered(offered++), kernels_built[i]->name);
        cr_assert_eq(dn_trainer_new_with(kernels_built[i]->name, &spec, NULL, &trainer, &error),
                     has_it ? DN_OK : DN_INVALID);
        if (has_it)
            dn_trainer_free(trainer);
    }
    cr_assert_null(dn_kernels_offered(offered));
    cr_assert_str_eq(dn_kernels_name(), dn_kernels_offered(0));
}
