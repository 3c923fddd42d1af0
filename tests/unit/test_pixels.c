/* Images as training data: how they are dealt out, scaled, noised and paid for. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/random.h"
#include "engine/data/data.h"
#include "engine/model/train.h"

enum { HEIGHT = 4, WIDTH = 8, CHANNELS = 3, DIM = HEIGHT * WIDTH * CHANNELS, N = 50 };

static struct dn_spec spec_of(int sources, int classes) {
    struct dn_spec spec = dn_presets[DN_PRESET_IMAGES].spec;
    spec.dataset = (struct dn_dataset_spec){.source_count = sources,
                                            .dim = DIM,
                                            .height = HEIGHT,
                                            .width = WIDTH,
                                            .channels = CHANNELS,
                                            .classes = classes};
    for (int k = 0; k < sources; k++)
        spec.dataset.sources[k] = (struct dn_source){DN_UPLOADED, N, (uint64_t)k};
    spec.network.kind = DN_UNET;
    spec.network.channels[0] = spec.network.channels[1] = 16;
    spec.training.validation_fraction = 0.2;
    spec.training.batch_size = 16;
    return spec;
}

/* Image i has its number in its first byte. */
static void fill(uint8_t pixels[N * DIM]) {
    for (int i = 0; i < N; i++)
        for (int e = 0; e < DIM; e++)
            pixels[i * DIM + e] = e == 0 ? (uint8_t)i : (uint8_t)(7 * i + 3 * e);
}

/* Each image is there once, whole, with its label, and the rows are those of points that are shuffled
 * with this seed. */
Test(pixels, images_are_split_as_points_are) {
    static uint8_t pixels[N * DIM];
    int32_t labels[N], order[N];
    struct dn_data data;
    const struct dn_spec spec = spec_of(1, 4);
    fill(pixels);
    for (int i = 0; i < N; i++)
        labels[i] = i % 4;
    const struct dn_upload upload = {.n = N, .dim = DIM, .labels = labels, .pixels = pixels};
    cr_assert_eq(dn_data_draw(&spec, &upload, &data, NULL, NULL), DN_OK);
    cr_assert(data.n == 40 && data.n_val == 10 && data.dim == DIM && data.classes == 4);
    cr_assert(data.pixels && !data.points && !data.values);
    dn_shuffle(spec.dataset.sources[0].seed, N, order);
    for (int i = 0; i < N; i++) {
        cr_assert_arr_eq(data.pixels + i * DIM, pixels + order[i] * DIM, DIM);
        cr_assert_eq(data.labels[i], order[i] % 4);
    }
    dn_data_clear(&data);
}

Test(pixels, sets_in_a_list_are_classes) {
    static uint8_t pixels[2][N * DIM];
    struct dn_data data;
    const struct dn_spec spec = spec_of(2, 2);
    fill(pixels[0]);
    memset(pixels[1], 9, sizeof pixels[1]);
    const struct dn_upload uploads[2] = {{.n = N, .dim = DIM, .pixels = pixels[0]},
                                         {.n = N, .dim = DIM, .pixels = pixels[1]}};
    cr_assert_eq(dn_data_draw(&spec, uploads, &data, NULL, NULL), DN_OK);
    cr_assert(data.n == 80 && data.n_val == 20);
    for (size_t i = 0; i < data.n + data.n_val; i++)
        cr_assert_eq(data.labels[i], data.pixels[i * DIM + 5] == 9 && data.pixels[i * DIM] == 9);
    dn_data_clear(&data);
}

Test(pixels, data_of_another_kind_is_refused) {
    static uint8_t pixels[N * DIM];
    static float points[N * DIM];
    struct dn_data data;
    struct dn_error error;
    struct dn_trainer *trainer;
    struct dn_spec images = spec_of(1, 0), flat = dn_presets[0].spec;
    flat.dataset = (struct dn_dataset_spec){
        .source_count = 1, .dim = DIM / 2, .sources = {{DN_UPLOADED, N, 0}}};
    const struct dn_upload uploads[] = {{.n = N, .dim = DIM, .points = points},
                                        {.n = N, .dim = DIM / 2, .pixels = pixels},
                                        {.n = N - 1, .dim = DIM, .pixels = pixels},
                                        {.n = N, .dim = DIM - 4, .pixels = pixels}};
    for (int i = 0; i < 4; i++)
        cr_assert_eq(dn_data_draw(i == 1 ? &flat : &images, &uploads[i], &data, NULL, NULL),
                     DN_INVALID);
    const struct dn_data of_points = {.dim = DIM, .n = 40, .n_val = 10, .points = points};
    cr_assert_eq(dn_trainer_new(&images, &of_points, &trainer, &error), DN_INVALID);
    cr_assert(strstr(error.text, "no pixels"), "%s", error.text);
}

/* (byte - 127.5) / 127.5, and back; the ends are exact, and samples beyond them are clipped. */
Test(pixels, bytes_are_scaled_to_both_sides_of_zero) {
    struct transform transform;
    uint8_t bytes[256];
    float model[256], back[256];
    double shift[6], scale[6];
    for (int i = 0; i < 256; i++)
        bytes[i] = (uint8_t)i;
    transform_of_images(&transform, 1);
    cr_assert_eq(transform_check(&transform, 1, NULL), DN_OK);
    transform_forward_pixels(&transform, 1, 256, bytes, model);
    transform_backward(&transform, 1, 256, model, back);
    for (int i = 0; i < 256; i++) {
        cr_assert_float_eq((double)model[i], (i - 127.5) / 127.5, 1e-7);
        cr_assert_float_eq((double)back[i], i, 1e-4);
    }
    cr_assert(model[0] == -1 && model[255] == 1);
    /* each channel has its own: of two pixels of three channels */
    transform_of_images(&transform, 3);
    transform.shift[1] = 0;
    transform.scale[1] = 1;
    transform_forward_pixels(&transform, 1, 6, (const uint8_t[]){0, 2, 255, 255, 4, 0}, model);
    cr_assert(model[0] == -1 && model[1] == 2 && model[2] == 1 && model[3] == 1 && model[4] == 4 &&
              model[5] == -1);
    transform_write(&transform, 6, shift, scale);
    cr_assert(shift[1] == 0 && shift[4] == 0 && shift[3] == 127.5 && scale[4] == 1);
}

/* x_t and the target of a batch are those of the converted pixels: v = signal eps - noise x_0. */
Test(pixels, a_batch_is_noised_pixels) {
    static uint8_t pixels[N * DIM];
    struct dn_trainer *trainer;
    struct dn_data data;
    const struct dn_spec spec = spec_of(1, 0);
    fill(pixels);
    const struct dn_upload upload = {.n = N, .dim = DIM, .pixels = pixels};
    cr_assert_eq(dn_data_draw(&spec, &upload, &data, NULL, NULL), DN_OK);
    cr_assert_eq(dn_trainer_new(&spec, &data, &trainer, NULL), DN_OK);
    cr_assert_eq(trainer->points, NULL);
    cr_assert_arr_eq(trainer->pixels, data.pixels, data.n * DIM);
    for (size_t e = 0; e < data.n_val * DIM; e++)
        cr_assert_float_eq((double)trainer->validation.x_0[e],
                           (data.pixels[data.n * DIM + e] - 127.5) / 127.5, 1e-7);
    cr_assert_eq(dn_trainer_step(trainer, NULL, NULL), DN_OK);
    const struct noised *batch = &trainer->batch;
    for (size_t i = 0; i < batch->n; i++) {
        const uint8_t *from = data.pixels + (size_t)trainer->order[i] * DIM;
        const double signal = (double)trainer->schedule.signal[batch->t[i]];
        const double noise = sqrt(1 - signal * signal);
        for (size_t j = 0; j < DIM; j++) {
            const double x_0 = (from[j] - 127.5) / 127.5, x_t = (double)batch->x_t[i * DIM + j];
            const double eps = noise > 1e-3 ? (x_t - signal * x_0) / noise : 0;
            cr_assert_float_eq((double)batch->x_0[i * DIM + j], x_0, 1e-6);
            if (noise > 0.1)
                cr_assert_float_eq((double)batch->target[i * DIM + j], signal * eps - noise * x_0,
                                   1e-4);
        }
    }
    dn_trainer_free(trainer);
    dn_data_clear(&data);
}

/* Models of points are stored as they were before there were images. */
Test(pixels, only_models_of_images_have_another_mark) {
    static uint8_t pixels[N * DIM];
    struct dn_trainer *trainer;
    struct dn_data data;
    const struct dn_spec spec = spec_of(1, 0);
    const struct dn_upload upload = {.n = N, .dim = DIM, .pixels = pixels};
    cr_assert_eq(dn_data_draw(&spec, &upload, &data, NULL, NULL), DN_OK);
    for (int i = 0; i < 2; i++) {
        struct dn_spec of_points = dn_presets[0].spec;
        struct dn_model *model;
        of_points.dataset.sources[0].n = 30;
        cr_assert_eq(dn_trainer_new(i ? &spec : &of_points, i ? &data : NULL, &trainer, NULL),
                     DN_OK);
        const size_t size = dn_trainer_model_bytes(trainer);
        char *bytes = malloc(size);
        cr_assert_eq(dn_trainer_model_save(trainer, bytes, NULL), DN_OK);
        cr_assert_arr_eq(bytes, i ? "denoised model 8" : "denoised model 7", 16);
        cr_assert_eq(size, (size_t)dn_spec_model_bytes(dn_trainer_spec(trainer)));
        cr_assert_eq(dn_model_load(bytes, size, &model, NULL), DN_OK);
        cr_assert_eq(dn_model_spec(model)->dataset.width, i ? WIDTH : 0);
        cr_assert_eq(dn_model_spec(model)->network.kind, i ? DN_UNET : DN_MLP);
        bytes[15] = i ? '7' : '8'; /* what follows does not fit the other mark */
        struct dn_model *other = NULL;
        cr_assert_eq(dn_model_load(bytes, size, &other, NULL), DN_CORRUPT);
        dn_model_free(model);
        dn_trainer_free(trainer);
        free(bytes);
    }
    dn_data_clear(&data);
}

/* Pixels stay bytes: 47 MB of 60,000 images, twice while a trainer takes them over. */
Test(pixels, sixty_thousand_images_fit_into_a_quarter_of_a_gibibyte) {
    struct dn_spec spec = dn_presets[DN_PRESET_IMAGES].spec;
    spec.dataset = (struct dn_dataset_spec){.source_count = 1,
                                            .dim = 28 * 28,
                                            .height = 28,
                                            .width = 28,
                                            .channels = 1,
                                            .classes = 10,
                                            .sources = {{DN_UPLOADED, 60000, 0}}};
    spec.network.kind = DN_UNET;
    cr_assert_eq(dn_spec_check(&spec, NULL), DN_OK);
    const int64_t bytes = dn_spec_memory(&spec);
    cr_assert_gt(bytes, 2 * 54000 * 784);
    cr_assert_lt(bytes, 256 << 20, "%lld", (long long)bytes);
}
