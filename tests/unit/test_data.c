/* Training data: what a spec stands for, what is refused, and the transform fitted to it. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/data/data.h"
#include "engine/model/model.h"

enum { ROWS = 10, DIM = 3 };

static struct dn_spec mixture(void) {
    struct dn_spec spec = dn_presets[1].spec;
    spec.dataset = (struct dn_dataset_spec){
        .source_count = 2,
        .dim = 2,
        .classes = 2,
        .sources = {{.pattern = DN_MOONS, .n = 20, .seed = 1}, {DN_SPIRAL, 10, 2}}};
    return spec;
}

static struct dn_spec uploaded(int classes) {
    struct dn_spec spec = dn_presets[1].spec;
    spec.dataset = (struct dn_dataset_spec){.source_count = 1,
                                            .dim = DIM,
                                            .classes = classes,
                                            .sources = {{.pattern = DN_UPLOADED, .n = ROWS}}};
    spec.training.validation_fraction = 0.3;
    return spec;
}

Test(data, a_mixture_is_its_patterns_one_after_the_other) {
    struct dn_spec spec = mixture();
    struct dn_data data;
    float expected[33 * 2];
    cr_assert_eq(dn_data_draw(&spec, NULL, &data, NULL, NULL), DN_OK);
    cr_assert(data.n == 30 && data.n_val == 3 && data.dim == 2 && data.classes == 2);
    dn_pattern_draw(DN_MOONS, 1, 0, 20, expected);
    dn_pattern_draw(DN_SPIRAL, 2, 0, 10, expected + 40);
    dn_pattern_draw(DN_MOONS, 1, 20, 2, expected + 60);
    dn_pattern_draw(DN_SPIRAL, 2, 10, 1, expected + 64);
    cr_assert_arr_eq(data.points, expected, sizeof expected);
    for (size_t i = 0; i < 33; i++)
        cr_assert_eq(data.labels[i], (i >= 20 && i < 30) || i == 32);
    dn_data_clear(&data);
}

/* What a program does while the data is drawn: it counts, and after some breaks it says stop. */
struct interruption {
    int count, most;
    volatile bool stop;
};

static void interrupt(void *context) {
    struct interruption *interruption = context;
    if (++interruption->count == interruption->most)
        interruption->stop = true;
}

static enum dn_status draw_with(const struct dn_spec *spec, const struct dn_upload *upload,
                                struct interruption *interruption, struct dn_data *data) {
    const struct dn_breaks breaks = {&interruption->stop, interrupt, interruption};
    struct dn_error error = {""};
    const enum dn_status status = dn_data_draw(spec, upload, data, &breaks, &error);
    cr_assert(status == DN_OK || status == DN_STOPPED, "%s", error.text);
    return status;
}

/* As a data set of `n` points with 10% for validation. */
static struct dn_spec large(int pattern, int n, int dim, int side) {
    struct dn_spec spec = dn_presets[side ? DN_PRESET_IMAGES : DN_PRESET_DEFAULT].spec;
    spec.dataset = (struct dn_dataset_spec){.source_count = 1,
                                            .dim = dim,
                                            .height = side,
                                            .width = side,
                                            .channels = side ? 1 : 0,
                                            .sources = {{.pattern = pattern, .n = n, .seed = 3}}};
    spec.network.kind = side ? DN_UNET : DN_MLP;
    spec.training.validation_fraction = 0.1;
    return spec;
}

/* A break comes after some hundredths of a second at most, and the bytes are those of a drawing in
 * one piece. */
Test(data, drawing_has_breaks_and_can_be_stopped) {
    enum { POINTS = 20000, DIGITS = 500, SIDE = DN_DIGITS_SIDE, PIXELS = SIDE * SIDE };
    float *points = malloc((size_t)POINTS * 2 * sizeof *points);
    uint8_t *pixels = malloc((size_t)DIGITS * PIXELS);
    cr_assert(points && pixels);
    dn_pattern_draw(DN_MOONS, 3, 0, POINTS, points);
    dn_digits_draw(3, 0, DIGITS, pixels, NULL);
    const struct {
        struct dn_spec spec;
        struct dn_upload upload;
        int least; /* breaks */
    } cases[] = {
        {large(DN_MOONS, POINTS, 2, 0), {0}, 4},
        {large(DN_DIGITS, DIGITS, PIXELS, SIDE), {0}, 10},
        {large(DN_UPLOADED, POINTS, 2, 0), {.n = POINTS, .dim = 2, .points = points}, 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct interruption never = {0}, later = {.most = 3};
        struct dn_data data, none = {0};
        cr_assert_eq(draw_with(&cases[i].spec, &cases[i].upload, &never, &data), DN_OK);
        cr_assert_geq(never.count, cases[i].least);
        if (i == 0)
            cr_assert_arr_eq(data.points, points, (size_t)POINTS * 2 * sizeof *points);
        if (i == 1)
            cr_assert_arr_eq(data.pixels, pixels, (size_t)DIGITS * PIXELS);
        dn_data_clear(&data);
        cr_assert_eq(draw_with(&cases[i].spec, &cases[i].upload, &later, &none), DN_STOPPED);
        cr_assert(later.count == 3 && none.n == 0 && !none.points && !none.pixels);
    }
    free(points);
    free(pixels);
}

/* Drawing the data first makes no difference to the training. */
Test(data, no_data_means_the_data_of_the_spec) {
    struct dn_spec spec = mixture();
    struct dn_data data;
    struct dn_epoch losses[2];
    cr_assert_eq(dn_data_draw(&spec, NULL, &data, NULL, NULL), DN_OK);
    for (int i = 0; i < 2; i++) {
        struct dn_trainer *trainer;
        cr_assert_eq(dn_trainer_new(&spec, i ? &data : NULL, &trainer, NULL), DN_OK);
        cr_assert_eq(dn_trainer_epoch(trainer, NULL, &losses[i], NULL), DN_OK);
        dn_trainer_free(trainer);
    }
    cr_assert_eq(losses[0].train_loss, losses[1].train_loss);
    cr_assert_eq(losses[0].val_loss, losses[1].val_loss);
    dn_data_clear(&data);
}

/* Row i holds i in its first coordinate, and has label i % 2. */
static struct dn_upload make_upload(float points[ROWS][DIM], int32_t labels[ROWS]) {
    memset(points, 0, sizeof(float) * ROWS * DIM);
    for (int i = 0; i < ROWS; i++)
        points[i][0] = (float)i, labels[i] = i % 2;
    return (struct dn_upload){ROWS, DIM, points[0], labels};
}

Test(data, an_uploaded_set_is_split_and_each_row_used_once) {
    float points[ROWS][DIM];
    int32_t labels[ROWS];
    struct dn_upload upload = make_upload(points, labels);
    struct dn_spec spec = uploaded(2);
    struct dn_data data, again;
    bool seen[ROWS] = {false}, sorted = true;
    cr_assert_eq(dn_data_draw(&spec, &upload, &data, NULL, NULL), DN_OK);
    cr_assert(data.n == 7 && data.n_val == 3);
    cr_assert_eq(dn_spec_steps_per_epoch(&spec), 1);
    for (int i = 0; i < ROWS; i++) {
        int row = (int)data.points[i * DIM];
        cr_assert(!seen[row]);
        cr_assert_eq(data.labels[i], row % 2);
        seen[row] = true;
        sorted &= row == i;
    }
    cr_assert(!sorted, "the last rows of a sorted file would be all of a kind");
    cr_assert_eq(dn_data_draw(&spec, &upload, &again, NULL, NULL), DN_OK);
    cr_assert_arr_eq(data.points, again.points, sizeof points);
    dn_data_clear(&data);
    dn_data_clear(&again);
}

Test(data, an_upload_that_is_not_what_the_spec_says_is_refused) {
    float points[ROWS][DIM];
    int32_t labels[ROWS];
    const struct dn_upload good = make_upload(points, labels);
    const struct dn_spec spec = uploaded(2);
    struct dn_upload bad[] = {good, good, good, good};
    int32_t high[ROWS], low[ROWS];
    memcpy(high, labels, sizeof high);
    memcpy(low, labels, sizeof low);
    high[ROWS - 1] = 2, low[0] = -1;
    bad[0].n--, bad[1].dim--, bad[2].labels = high, bad[3].labels = low;
    struct dn_data data;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_eq(dn_data_draw(&spec, &bad[i], &data, NULL, NULL), DN_INVALID);
}

Test(data, an_uploaded_set_in_a_mixture_is_one_class) {
    float points[ROWS][DIM];
    int32_t labels[ROWS];
    struct dn_upload uploads[2] = {{0}, make_upload(points, labels)};
    struct dn_spec spec = mixture();
    struct dn_data data;
    spec.dataset.sources[1] = (struct dn_source){.pattern = DN_UPLOADED, .n = 5};
    uploads[1].n = 5, uploads[1].dim = 2; /* its points are pairs now */
    cr_assert_eq(dn_data_draw(&spec, uploads, &data, NULL, NULL), DN_OK);
    cr_assert(data.n == 25 && data.n_val == 2);
    for (size_t i = 0; i < 27; i++)
        cr_assert_eq(data.labels[i], i >= 20 && i < 25);
    dn_data_clear(&data);
}

static void check_refused(const struct dn_spec *spec, const struct dn_data *data, const char *why) {
    struct dn_error error = {""};
    struct dn_trainer *trainer = NULL;
    cr_assert_eq(dn_trainer_new(spec, data, &trainer, &error), DN_INVALID, "%s", why);
    cr_assert(strstr(error.text, why), "\"%s\" does not say \"%s\"", error.text, why);
    cr_assert_null(trainer);
}

Test(data, wrong_data_is_refused) {
    float points[ROWS][DIM];
    int32_t labels[ROWS];
    struct dn_spec spec = uploaded(2);
    make_upload(points, labels);
    const struct dn_data good = {DIM, 7, 3, points[0], labels, 2};
    struct dn_trainer *trainer;
    struct dn_data bad;
    cr_assert_eq(dn_trainer_new(&spec, &good, &trainer, NULL), DN_OK);
    dn_trainer_free(trainer);
    check_refused(&spec, NULL, "uploaded points");
    bad = good, bad.n = 6;
    check_refused(&spec, &bad, "6 training and 3 validation");
    bad = good, bad.dim = 2;
    check_refused(&spec, &bad, "2 dimensions");
    bad = good, bad.classes = 3;
    check_refused(&spec, &bad, "3 classes");
    bad = good, bad.labels = NULL;
    check_refused(&spec, &bad, "0 classes");
    const float values[] = {NAN, INFINITY, -INFINITY, 2e30f, -2e30f};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        points[8][2] = values[i];
        check_refused(&spec, &good, "coordinate 2 of point 8");
    }
    points[8][2] = 0;
    labels[9] = 2;
    check_refused(&spec, &good, "label of point 9 is 2");
    labels[9] = -1;
    check_refused(&spec, &good, "label of point 9 is -1");
}

Test(data, wrong_sources_are_refused) {
    struct dn_spec spec = mixture();
    spec.dataset.classes = 3;
    check_refused(&spec, NULL, "3 classes");
    spec = mixture(), spec.dataset.source_count = DN_MAX_CLASSES + 1;
    check_refused(&spec, NULL, "got 65");
    spec = mixture(), spec.dataset.source_count = 0;
    check_refused(&spec, NULL, "got 0");
    spec = mixture(), spec.dataset.dim = 3;
    check_refused(&spec, NULL, "2 dimensions");
    spec = mixture(), spec.dataset.sources[1].n = DN_MAX_POINTS;
    check_refused(&spec, NULL, "1000020 points");
    spec = mixture(), spec.dataset.sources[1].pattern = DN_BUILTIN_COUNT;
    check_refused(&spec, NULL, "no pattern");
    spec = mixture(), spec.dataset.sources[0].n = 0;
    check_refused(&spec, NULL, "got 0");
}

/* ------------------------------------------------------------------ transform */

Test(transform, standardises_each_axis) {
    enum { N = 1000 };
    float points[N][DIM], model[N][DIM], back[N][DIM];
    struct transform transform;
    for (int i = 0; i < N; i++) {
        points[i][0] = 1e6f + (float)i;
        points[i][1] = 0.1f; /* constant: a mean of many is not exactly this */
        points[i][2] = i % 2 ? 1e-20f : -3e-20f;
    }
    transform_fit(&transform, DN_STANDARDIZE, points[0], N, DIM);
    transform_forward(&transform, N, DIM, points[0], model[0]);
    transform_backward(&transform, N, DIM, model[0], back[0]);
    for (int j = 0; j < DIM; j++) {
        double sum = 0, squares = 0, low = INFINITY, high = -INFINITY;
        for (int i = 0; i < N; i++) {
            double x = (double)model[i][j];
            sum += x / N, squares += x * x / N;
            low = fmin(low, x), high = fmax(high, x);
            cr_assert_float_eq(back[i][j], points[i][j], 1e-6 * fabs((double)points[i][j]));
        }
        cr_assert_float_eq(sum, 0, 1e-6);
        cr_assert_float_eq(squares, j == 1 ? 0 : 0.25, 1e-5);
        cr_assert_float_eq((double)transform.low[j], low, 1e-6);
        cr_assert_float_eq((double)transform.high[j], high, 1e-6);
    }
}

Test(transform, minmax_is_joint) {
    const float points[6] = {-4, 0, 2, 6, 0, 1};
    const double expected[6] = {-1, -0.2, 0.2, 1, -0.2, 0};
    float model[6];
    struct transform transform;
    transform_fit(&transform, DN_MINMAX, points, 3, 2);
    transform_forward(&transform, 3, 2, points, model);
    for (int i = 0; i < 6; i++)
        cr_assert_float_eq((double)model[i], expected[i], 1e-7);
}

Test(transform, none_changes_nothing_and_knows_the_range) {
    const float points[6] = {0.1f, -7, 3, 1e-8f, 5, 100};
    struct transform transform;
    float model[6];
    transform_fit(&transform, DN_AS_IT_IS, points, 3, 2);
    transform_forward(&transform, 3, 2, points, model);
    for (int i = 0; i < 6; i++)
        cr_assert_eq(model[i], points[i]);
    cr_assert(transform.low[0] == points[0] && transform.high[0] == 5);
    cr_assert(transform.low[1] == -7 && transform.high[1] == 100);
}

/* One point, or all the same: nothing to scale by. */
Test(transform, constant_data_is_only_shifted) {
    const float points[4] = {5, 5, 5, 5};
    for (int kind = DN_MINMAX; kind <= DN_STANDARDIZE; kind++) {
        struct transform transform;
        float model[4];
        transform_fit(&transform, (enum dn_normalization)kind, points, 2, 2);
        transform_forward(&transform, 2, 2, points, model);
        for (int i = 0; i < 4; i++)
            cr_assert_eq(model[i], 0);
    }
}

/* ------------------------------------------------------------------ digits */

Test(data, digits_to_train_on_are_the_first_and_those_to_validate_follow) {
    enum { N = 40, N_VAL = 10, PIXELS = DN_DIGITS_SIDE * DN_DIGITS_SIDE };
    struct dn_spec spec = dn_presets[DN_PRESET_IMAGES].spec;
    spec.network.kind = DN_UNET;
    spec.training.validation_fraction = 0.25;
    spec.dataset = (struct dn_dataset_spec){.source_count = 1,
                                            .dim = PIXELS,
                                            .height = DN_DIGITS_SIDE,
                                            .width = DN_DIGITS_SIDE,
                                            .channels = 1,
                                            .classes = DN_DIGITS_CLASSES,
                                            .sources = {{DN_DIGITS, N, 5}}};
    static uint8_t pixels[(N + N_VAL) * PIXELS];
    int32_t labels[N + N_VAL];
    struct dn_data data;
    struct dn_error error;
    dn_digits_draw(5, 0, N + N_VAL, pixels, labels);
    cr_assert_eq(dn_data_draw(&spec, NULL, &data, NULL, &error), DN_OK, "%s", error.text);
    cr_assert(data.n == N && data.n_val == N_VAL && data.dim == PIXELS);
    cr_assert_null(data.points);
    cr_assert_arr_eq(data.pixels, pixels, sizeof pixels);
    cr_assert_arr_eq(data.labels, labels, sizeof labels);
    dn_data_clear(&data);
    /* one class of two: the label is the number of the source */
    spec.dataset.source_count = spec.dataset.classes = 2;
    spec.dataset.sources[1] = (struct dn_source){DN_DIGITS, N, 6};
    cr_assert_eq(dn_data_draw(&spec, NULL, &data, NULL, &error), DN_OK, "%s", error.text);
    for (size_t i = 0; i < 2 * (N + N_VAL); i++)
        cr_assert_eq(data.labels[i], (i < 2 * N ? i >= N : i - 2 * N >= N_VAL), "%zu", i);
    cr_assert_arr_eq(data.pixels, pixels, (size_t)N * PIXELS);
    dn_data_clear(&data);
    /* what digits are not */
    spec.dataset.source_count = 1;
    spec.dataset.classes = 9;
    cr_assert_eq(dn_spec_check(&spec, &error), DN_INVALID);
    spec.dataset.classes = DN_DIGITS_CLASSES;
    spec.dataset.height = spec.dataset.width = 8;
    spec.dataset.dim = 64;
    cr_assert_eq(dn_spec_check(&spec, &error), DN_INVALID);
    cr_assert(strstr(error.text, "28 x 28"), "%s", error.text);
}
