/* The blog's recipe is fixed for ever: the same seed gives the weights that it gave when this was
 * written, bit by bit. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/serial.h"
#include "engine/model/model.h"

static void hash_add(uint64_t *hash, const void *bytes, size_t size) { /* FNV-1a */
    for (size_t i = 0; i < size; i++)
        *hash = (*hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
}

/* Losses of all epochs, and the weights without padding. */
static uint64_t hash_of_training(const struct dn_spec *spec) {
    struct dn_trainer *trainer;
    struct dn_model *model;
    struct dn_epoch epoch;
    uint64_t hash = 0xcbf29ce484222325u;
    cr_assert_eq(dn_trainer_new(spec, NULL, &trainer, NULL), DN_OK);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(dn_trainer_epoch(trainer, NULL, &epoch, NULL), DN_OK);
        hash_add(&hash, &epoch.train_loss, sizeof epoch.train_loss);
        hash_add(&hash, &epoch.val_loss, sizeof epoch.val_loss);
    }
    cr_assert_eq(dn_trainer_model(trainer, &model, NULL), DN_OK);
    for (int i = 0; i < model->network.tensor_count; i++) {
        const struct tensor *tensor = model->network.tensors[i];
        for (int row = 0; row < tensor->rows; row++)
            hash_add(&hash, model->parameters + tensor->offset + (size_t)row * tensor->ld,
                     (size_t)tensor->cols * sizeof(float));
    }
    dn_model_free(model);
    dn_trainer_free(trainer);
    return hash;
}

/* A model that was saved stays readable: each field has a value of its own, so that no two can
 * change places. */
Test(golden, a_saved_spec_is_the_same_bytes_as_ever) {
    struct dn_spec spec = {
        .dataset = {.source_count = 2,
                    .dim = 2,
                    .classes = 2,
                    .sources = {{DN_MOONS, 11, 12}, {DN_HEART, 13, 14}}},
        .diffusion = {15, DN_BETA_SIGMOID, 0.016, 0.17, DN_V, true, 0.035, 36},
        .network = {18, 7, DN_LEARNED, DN_MULTIPLY, 4, 5},
        .training = {.epochs = 19,
                     .batch_size = 20,
                     .learning_rate = 0.21,
                     .loss = DN_HUBER,
                     .min_snr_gamma = 22,
                     .timestep_focus = 0.23,
                     .validation_fraction = 0.24,
                     .normalization = DN_STANDARDIZE,
                     .ema_decay = 0.25,
                     .weight_decay = 0.26,
                     .lr_schedule = DN_LR_LINEAR,
                     .lr_warmup_steps = 27,
                     .gradient_clip = 28,
                     .p_uncond = 0.29,
                     .conditioning = DN_GIVEN_ANY,
                     .keep_best = true,
                     .checkpoint_every = 30,
                     .evaluate_every = 31,
                     .threads = 32},
        .seed = 33,
    };
    unsigned char bytes[1024];
    struct serial out = {.mode = SERIAL_WRITE, .bytes = bytes, .size = sizeof bytes};
    uint64_t hash = 0xcbf29ce484222325u;
    serial_spec(&out, &spec);
    hash_add(&hash, bytes, out.used);
    cr_assert_eq(hash, 0x9e4f392bb2134bbeu);
}

/* The baseline kernels use no fused multiply-add, so every x86-64 CPU must find these bits. */
#if defined(__x86_64__)
Test(golden, the_blogs_recipe_gives_the_same_bits_as_ever) {
    cr_assert_eq(dn_kernels_use("baseline", NULL), DN_OK);
    struct dn_spec spec = dn_presets[1].spec;
    cr_assert_str_eq(dn_preset_names[1], "sinai2022");
    cr_assert_eq(hash_of_training(&spec), 0x4e91d7460381a32fu);
    spec.network.time_embedding = DN_LEARNED;
    spec.network.conditioning = DN_MULTIPLY;
    spec.training.ema_decay = 0.99;
    spec.training.lr_schedule = DN_LR_COSINE;
    spec.training.gradient_clip = 0.5;
    cr_assert_eq(hash_of_training(&spec), 0x625411c6f270c3b4u);
}

/* Ancestral sampling in all its steps, when it was the only sampler. */
Test(golden, the_blogs_points_are_the_same_bits_as_ever) {
    enum { N = 500, T = 40 };
    static float x[(T + 1) * N * 2];
    const struct dn_spec spec = dn_presets[1].spec;
    struct dn_trainer *trainer;
    struct dn_model *model;
    struct dn_epoch epoch;
    uint64_t hash = 0xcbf29ce484222325u;
    cr_assert_eq(dn_kernels_use("baseline", NULL), DN_OK);
    cr_assert_eq(dn_trainer_new(&spec, NULL, &trainer, NULL), DN_OK);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(dn_trainer_epoch(trainer, NULL, &epoch, NULL), DN_OK);
    cr_assert_eq(dn_trainer_model(trainer, &model, NULL), DN_OK);
    const struct dn_sample_request request = {.n = N, .seed = 7, .clip = true};
    const struct dn_sample_result result = {.x = x};
    cr_assert_eq(dn_sample(model, &request, &result, NULL, NULL), DN_OK);
    hash_add(&hash, x, sizeof x);
    cr_assert_eq(hash, 0xdc82d0773a6ef57eu);
    dn_model_free(model);
    dn_trainer_free(trainer);
}
#endif
