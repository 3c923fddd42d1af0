/* The blog's recipe is fixed for ever: the same seed gives the weights that it gave when this was
 * written, bit by bit. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/serial.h"
#include "engine/model/train.h"

static void hash_add(uint64_t *hash, const void *bytes, size_t size) { /* FNV-1a */
    for (size_t i = 0; i < size; i++)
        *hash = (*hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
}

/* Losses of all epochs, and the weights without padding. */
static uint64_t hash_of_trainer(struct dn_trainer *trainer) {
    struct dn_model *model;
    struct dn_epoch epoch;
    uint64_t hash = 0xcbf29ce484222325u;
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

static uint64_t hash_of_training(const struct dn_spec *spec) {
    struct dn_trainer *trainer;
    cr_assert_eq(dn_trainer_new(spec, NULL, &trainer, NULL), DN_OK);
    return hash_of_trainer(trainer);
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
    serial_spec(&out, &spec, false);
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

enum { TABLE_ROWS = 200, TABLE_DIM = 3, TABLE_CLASSES = 2, TABLE_T = 15 };

/* A number, an answer of two, and one of five with missing cells. */
static double cell(int row, int column) {
    const unsigned random = (unsigned)(row * TABLE_DIM + column + 1) * 2654435761u >> 12;
    if (column == 0)
        return (double)random / (1 << 20);
    return column == 1        ? (double)(random % 2)
           : random % 11 == 0 ? (double)NAN
                              : (double)(random % 5);
}

/* Everything of a table's model: classes, given cells, Fourier features, and levels. */
static uint64_t hash_of_table(enum dn_conditioning conditioning, int batch) {
    double values[TABLE_ROWS * TABLE_DIM];
    int32_t labels[TABLE_ROWS];
    struct dn_data data;
    struct dn_trainer *trainer;
    struct dn_spec spec = dn_presets[DN_PRESET_TABLE].spec;
    for (int i = 0; i < TABLE_ROWS; i++) {
        labels[i] = i % 7 % TABLE_CLASSES;
        for (int j = 0; j < TABLE_DIM; j++)
            values[i * TABLE_DIM + j] = cell(i, j);
    }
    spec.dataset = (struct dn_dataset_spec){.source_count = 1,
                                            .dim = TABLE_DIM,
                                            .classes = TABLE_CLASSES,
                                            .sources = {{.pattern = DN_UPLOADED, .n = TABLE_ROWS}}};
    spec.diffusion.timesteps = TABLE_T;
    spec.network = (struct dn_network_spec){64, 2, DN_SINUSOIDAL, conditioning, 2, 4};
    spec.training.batch_size = batch;
    spec.training.learning_rate = 6e-3;
    spec.training.validation_fraction = 0.2;
    spec.training.conditioning = DN_GIVEN_ANY;
    spec.training.normalization = DN_QUANTILE;
    spec.training.p_uncond = 0.1;
    const struct dn_upload upload = {
        .n = TABLE_ROWS, .dim = TABLE_DIM, .labels = labels, .values = values};
    cr_assert_eq(dn_data_draw(&spec, &upload, &data, NULL, NULL), DN_OK);
    cr_assert_eq(dn_trainer_new(&spec, &data, &trainer, NULL), DN_OK);
    dn_data_clear(&data);
    cr_assert_eq(trainer->times.mlp.halves > 0, batch >= TABLE_T);
    cr_assert(trainer->network.mlp.levels && trainer->network.mlp.may_be_given);
    return hash_of_trainer(trainer);
}

/* With a change of these bits, the arithmetic of a checkpoint (checkpoint.c) is another one. */
Test(golden, tables_give_the_same_bits_as_ever) {
    cr_assert_eq(dn_kernels_use("baseline", NULL), DN_OK);
    const uint64_t pairs = hash_of_table(DN_MULTIPLY, 32), single = hash_of_table(DN_ADD, 8);
    cr_expect_eq(pairs, 0x5a93adf4f95d12bcu, "%llx", (unsigned long long)pairs);
    cr_expect_eq(single, 0xfc717d5f2f725efeu, "%llx", (unsigned long long)single);
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
