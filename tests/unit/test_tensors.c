/* Weights from outside: every parameter has one name, and they make the same model again. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/denoise.h"

enum { MAX_TENSORS = 64 };

/* A model's parts, and room for them. */
struct taken {
    struct dn_model_parts parts;
    double shift[DN_MAX_DIM], scale[DN_MAX_DIM];
    float low[DN_MAX_DIM], high[DN_MAX_DIM];
    int32_t class_counts[DN_MAX_CLASSES];
    struct dn_quantile quantiles[DN_MAX_DIM];
    float *tensors[MAX_TENSORS];
    int count;
};

static struct dn_model *trained(const struct dn_spec *spec) {
    struct dn_trainer *trainer;
    struct dn_model *model;
    struct dn_epoch epoch;
    struct dn_error error;
    cr_assert_eq(dn_trainer_new(spec, NULL, &trainer, &error), DN_OK, "%s", error.text);
    cr_assert_eq(dn_trainer_epoch(trainer, NULL, &epoch, &error), DN_OK, "%s", error.text);
    cr_assert_eq(dn_trainer_model(trainer, &model, &error), DN_OK, "%s", error.text);
    dn_trainer_free(trainer);
    return model;
}

static size_t size_of(const struct dn_tensor *tensor) {
    return (size_t)tensor->shape[0] * (tensor->rank == 2 ? (size_t)tensor->shape[1] : 1);
}

static void take(struct taken *taken, const struct dn_model *model) {
    const struct dn_spec *spec = dn_model_spec(model);
    dn_model_transform(model, taken->shift, taken->scale);
    dn_model_range(model, taken->low, taken->high);
    dn_model_class_counts(model, taken->class_counts);
    for (int j = 0; j < dn_model_dim(model); j++)
        dn_model_quantile(model, j, &taken->quantiles[j]);
    taken->count = dn_model_tensor_count(model);
    cr_assert_leq(taken->count, MAX_TENSORS);
    for (int i = 0; i < taken->count; i++) {
        struct dn_tensor tensor;
        dn_spec_tensor(spec, i, &tensor);
        taken->tensors[i] = malloc(size_of(&tensor) * sizeof(float));
        dn_model_tensor(model, i, taken->tensors[i]);
    }
    taken->parts = (struct dn_model_parts){.spec = spec,
                                           .epoch = dn_model_epoch(model),
                                           .shift = taken->shift,
                                           .scale = taken->scale,
                                           .low = taken->low,
                                           .high = taken->high,
                                           .quantiles = taken->quantiles,
                                           .class_counts = taken->class_counts,
                                           .tensors = (const float *const *)taken->tensors};
}

static void give_back(struct taken *taken) {
    for (int i = 0; i < taken->count; i++)
        free(taken->tensors[i]);
}

/* From the variation 6 on, the process reaches noise. */
static struct dn_spec spec_of(int variation) {
    struct dn_spec spec = dn_presets[variation < 6].spec;
    spec.dataset.sources[0].n = 200;
    spec.network.hidden_size = 10;
    spec.network.hidden_layers = 1 + variation % 3;
    if (variation % 4 == 3)
        spec.training.normalization = DN_QUANTILE;
    spec.network.time_embedding = variation & 1 ? DN_LEARNED : DN_SINUSOIDAL;
    if (variation & 2) {
        spec.dataset.source_count = spec.dataset.classes = 3;
        spec.dataset.sources[1] = spec.dataset.sources[2] = spec.dataset.sources[0];
        spec.dataset.sources[1].pattern = DN_MOONS;
    }
    return spec;
}

Test(tensors, every_parameter_has_one_name) {
    for (int variation = 0; variation < 12; variation++) {
        struct dn_spec spec = spec_of(variation);
        int64_t total = 0;
        const int count = dn_spec_tensor_count(&spec);
        for (int i = 0; i < count; i++) {
            struct dn_tensor tensor, other;
            dn_spec_tensor(&spec, i, &tensor);
            total += tensor.is_moment ? 0 : (int64_t)size_of(&tensor);
            cr_assert(tensor.rank == 2 || (tensor.rank == 1 && tensor.shape[1] == 0));
            for (int j = 0; j < i; j++) {
                dn_spec_tensor(&spec, j, &other);
                cr_assert_str_neq(tensor.name, other.name);
            }
        }
        cr_assert_eq(total, dn_spec_parameters(&spec));
    }
}

Test(tensors, names_and_shapes_are_those_of_linear_layers_and_embeddings) {
    static const struct dn_tensor sinusoidal[] = {
        {"layers.0.weight", 2, {10, 2}},
        {"layers.0.bias", 1, {10}},
        {"layers.0.time.weight", 2, {10, 10}},
        {"layers.0.time.bias", 1, {10}},
        {"out.weight", 2, {2, 10}},
        {"out.bias", 1, {2}},
    };
    static const struct dn_tensor learned[] = {
        {"layers.0.weight", 2, {10, 2}},
        {"layers.0.bias", 1, {10}},
        {"layers.0.time.weight", 2, {40, 10}},
        {"layers.0.label.weight", 2, {4, 10}},
    };
    struct dn_spec spec = spec_of(0);
    cr_assert_eq(dn_spec_tensor_count(&spec), 6);
    for (int which = 0; which < 2; which++) {
        for (int i = 0; i < (which == 0 ? 6 : 4); i++) {
            const struct dn_tensor *wanted = which == 0 ? &sinusoidal[i] : &learned[i];
            struct dn_tensor tensor;
            dn_spec_tensor(&spec, i, &tensor);
            cr_assert_str_eq(tensor.name, wanted->name);
            cr_assert_eq(tensor.rank, wanted->rank);
            cr_assert_arr_eq(tensor.shape, wanted->shape, sizeof tensor.shape);
        }
        spec = spec_of(3);
        spec.network.hidden_layers = 1;
    }
}

Test(tensors, a_model_made_of_its_parts_is_the_same_model) {
    for (int variation = 0; variation < 12; variation++) {
        const struct dn_spec spec = spec_of(variation);
        struct dn_model *model = trained(&spec), *again;
        struct taken taken = {0};
        struct dn_error error;
        take(&taken, model);
        cr_assert_eq(dn_model_build(&taken.parts, &again, &error), DN_OK, "%s", error.text);
        const size_t size = dn_model_bytes(model);
        cr_assert_eq(dn_model_bytes(again), size);
        unsigned char *a = malloc(size), *b = malloc(size);
        dn_model_save(model, a);
        dn_model_save(again, b);
        cr_assert_arr_eq(a, b, size);
        free(a);
        free(b);
        give_back(&taken);
        dn_model_free(model);
        dn_model_free(again);
    }
}

static void refuse(struct taken *taken, const char *word) {
    struct dn_model *model = NULL;
    struct dn_error error;
    cr_assert_eq(dn_model_build(&taken->parts, &model, &error), DN_INVALID, "%s", word);
    cr_assert_null(model);
    cr_assert(strstr(error.text, word), "%s: %s", word, error.text);
}

Test(tensors, parts_that_are_wrong_are_refused) {
    struct dn_spec spec = spec_of(0);
    struct dn_model *model = trained(&spec);
    struct taken taken = {0};
    take(&taken, model);
#define WRONG(place, value, word)                                                                  \
    do {                                                                                           \
        __typeof__(place) before = place;                                                          \
        place = value;                                                                             \
        refuse(&taken, word);                                                                      \
        place = before;                                                                            \
    } while (0)
    WRONG(taken.parts.epoch, 0, "epoch");
    WRONG(taken.shift[1], NAN, "axis 1");
    WRONG(taken.scale[0], 0, "axis 0");
    WRONG(taken.scale[0], -1, "axis 0");
    WRONG(taken.scale[0], INFINITY, "axis 0");
    WRONG(taken.low[1], 2, "axis 1");
    WRONG(taken.high[1], INFINITY, "axis 1");
    WRONG(taken.tensors[0][19], NAN, "layers.0.weight: value 19");
    WRONG(taken.tensors[taken.count - 1][1], -INFINITY, "out.bias: value 1");
    struct dn_spec wrong = spec;
    wrong.training.normalization = DN_QUANTILE;
    WRONG(taken.parts.spec, &wrong, "column 0"); /* the maps are empty */
    taken.parts.quantiles = NULL;
    WRONG(taken.parts.spec, &wrong, "maps");
    wrong.training.normalization = spec.training.normalization;
    wrong.network.hidden_size = 7;
    WRONG(taken.parts.spec, &wrong, "hidden_size");
    give_back(&taken);
    dn_model_free(model);
}

/* The number of nodes is the first that differs from a model without moments, and only that of its
 * process or none is taken. */
static void check_nodes(const struct dn_model *model, const unsigned char *without) {
    const size_t size = dn_model_bytes(model);
    unsigned char *bytes = malloc(size);
    struct dn_model *loaded;
    size_t at = 0;
    dn_model_save(model, bytes);
    while (bytes[at] == without[at])
        at++;
    cr_assert_eq(bytes[at], 32);
    for (int nodes = 0; nodes < 256; nodes++) {
        bytes[at] = (unsigned char)nodes;
        const enum dn_status status = dn_model_load(bytes, size, &loaded, NULL);
        cr_assert_eq(status, nodes == 32 ? DN_OK : DN_CORRUPT, "%d", nodes);
        if (status == DN_OK)
            dn_model_free(loaded);
    }
    free(bytes);
}

Test(tensors, moments_are_all_there_or_none, .timeout = 60) {
    enum { N = 50, MEAN, VARIANCE, AXES, OPEN };
    const struct dn_spec spec = spec_of(6);
    struct dn_model *model = trained(&spec), *without;
    struct taken taken = {0};
    struct dn_tensor tensor;
    float points[2][2 * N];
    take(&taken, model);
    const int first = taken.count - 4;
    static const char *const names[] = {"moments.mean", "moments.variance", "moments.axes",
                                        "moments.open"};
    for (int i = 0; i < 4; i++) {
        dn_spec_tensor(&spec, first + i, &tensor);
        cr_assert(tensor.is_moment && strcmp(tensor.name, names[i]) == 0);
        cr_assert_eq(tensor.shape[0], i == 3 ? 32 : 2);
    }
    float **moments = taken.tensors + first;
    WRONG(moments[0][1], INFINITY, "moments.mean");
    WRONG(moments[1][0], -1, "moments");
    WRONG(moments[2][0], 2, "moments");
    WRONG(moments[2][1], moments[2][1] + 0.1f, "moments");
    WRONG(moments[3][63], 1.5f, "moments");
    WRONG(moments[3][0], -0.5f, "moments");
    WRONG(moments[2], NULL, "moments.axes");
    WRONG(moments[3], NULL, "moments.open");
    float *kept[4];
    memcpy(kept, moments, sizeof kept);
    memset(moments, 0, sizeof kept);
    cr_assert_eq(dn_model_build(&taken.parts, &without, NULL), DN_OK);
    cr_assert_eq(dn_model_tensor_count(without), first);
    memcpy(moments, kept, sizeof kept);
    /* A model without moments is drawn from all the same, and it can be saved. */
    const size_t size = dn_model_bytes(without);
    unsigned char *bytes = malloc(size);
    dn_model_save(without, bytes);
    struct dn_model *again;
    cr_assert_eq(dn_model_load(bytes, size, &again, NULL), DN_OK);
    cr_assert_eq(dn_model_tensor_count(again), first);
    check_nodes(model, bytes);
    const struct dn_sample_request request = {.n = N, .clip = true};
    const struct dn_model *two[] = {model, again};
    for (int i = 0; i < 2; i++)
        cr_assert_eq(dn_sample(two[i], &request, &(struct dn_sample_result){.points = points[i]},
                               NULL, NULL),
                     DN_OK);
    cr_assert_neq(memcmp(points[0], points[1], sizeof points[0]), 0);
    free(bytes);
    give_back(&taken);
    dn_model_free(model);
    dn_model_free(without);
    dn_model_free(again);
}
