#include "api/measure/images.h"

#include <math.h>
#include <stdlib.h>

#include "api/contract/openapi.h"
#include "server/base/sha256.h"

/* ------------------------------------------------------------------ the plan */

static size_t values_of(const struct image_measure *images) {
    return (size_t)images->height * (size_t)images->width * (size_t)images->channels;
}

void image_plan(struct image_measure *images, const struct dn_model *model,
                const struct dn_sample_request *request) {
    const struct dn_dataset_spec *set = &dn_model_spec(model)->dataset;
    images->n = set->height > 0 ? request->n : 0;
    images->height = set->height;
    images->width = set->width;
    images->channels = set->channels;
    images->classes = set->classes >= 2 ? set->classes : 0;
}

static size_t confusion_count(const struct image_measure *images) {
    return (size_t)images->classes * (size_t)images->classes;
}

/* The sizes of the sets; their pixels are elsewhere, or not there yet. */
static struct dn_images set_of(const struct image_measure *images, const uint8_t *pixels,
                               const int32_t *labels, size_t n) {
    return (struct dn_images){pixels, labels, n, images->height, images->width, images->channels};
}

size_t image_bytes(const struct image_measure *images, const struct dn_model *model) {
    const struct dn_spec *spec = dn_model_spec(model);
    size_t n = 0, n_val = 0;
    if (images->n == 0)
        return 0;
    for (int k = 0; k < spec->dataset.source_count; k++) {
        size_t training, validation;
        dn_source_split(spec, k, &training, &validation);
        n += training;
        n_val += validation;
    }
    const struct dn_image_sets sets = {
        .training = set_of(images, NULL, NULL, n),
        .holdout = set_of(images, NULL, NULL, n_val),
        .generated = set_of(images, NULL, NULL, (size_t)images->n),
    };
    const size_t learning =
        images->classes ? dn_judge_training_bytes(&sets.training, images->classes) : 0;
    return (size_t)images->n * (values_of(images) * (sizeof(float) + 1) + sizeof(int32_t)) +
           confusion_count(images) * sizeof(int32_t) + learning + dn_image_report_bytes(&sets);
}

/* ------------------------------------------------------------------ the report */

bool image_begin(struct image_measure *images, const struct dn_model *model,
                 const struct dn_sample_request *request) {
    const size_t n = (size_t)images->n;
    const bool has_labels = images->classes > 0 && dn_sample_label(model, request, 0) >= 0;
    images->values = calloc(n * values_of(images) + 1, sizeof *images->values);
    images->labels = has_labels ? calloc(n + 1, sizeof *images->labels) : NULL;
    images->report.confusion =
        has_labels ? calloc(confusion_count(images), sizeof *images->report.confusion) : NULL;
    if (!images->values || (has_labels && (!images->labels || !images->report.confusion)))
        return false;
    for (int i = 0; i < images->n && has_labels; i++)
        images->labels[i] = dn_sample_label(model, request, i);
    return true;
}

static bool is_judged(const struct image_measure *images, const struct dn_data *data) {
    return images->classes > 0 && data->labels;
}

const char *image_judge_key(const struct image_measure *images, const struct dn_data *data,
                            struct arena *arena) {
    char pixels[SHA256_TEXT], labels[SHA256_TEXT], arithmetic[DN_ARITHMETIC_TEXT];
    if (!is_judged(images, data))
        return NULL;
    sha256_text(data->pixels, data->n * values_of(images), pixels);
    sha256_text(data->labels, data->n * sizeof *data->labels, labels);
    dn_arithmetic(dn_kernels_name(), arithmetic);
    return arena_format(arena, "%s %s %dx%dx%d %d %s", pixels, labels, images->height,
                        images->width, images->channels, images->classes, arithmetic);
}

bool image_judge_take(struct image_measure *images, const void *bytes, size_t size) {
    return dn_judge_load(bytes, size, &images->judge, NULL) == DN_OK;
}

enum dn_status image_judge(struct image_measure *images, const struct dn_data *data,
                           const struct dn_breaks *breaks, struct dn_error *error) {
    const struct dn_images training = set_of(images, data->pixels, data->labels, data->n);
    if (!is_judged(images, data) || images->judge)
        return DN_OK;
    const enum dn_status status =
        dn_judge_train(&training, images->classes, 0, &images->judge, breaks, error);
    images->is_new = status == DN_OK;
    return status;
}

/* As bytes, like those of pictures and files: what is written for a value is what counts. */
static uint8_t *to_bytes(const struct image_measure *images) {
    const size_t count = (size_t)images->n * values_of(images);
    uint8_t *pixels = malloc(count + 1);
    for (size_t i = 0; i < count && pixels; i++)
        pixels[i] = (uint8_t)lrintf(fminf(fmaxf(images->values[i], 0), 255));
    return pixels;
}

enum dn_status image_report(struct image_measure *images, const struct dn_data *data, uint64_t seed,
                            const struct dn_breaks *breaks, struct dn_error *error) {
    uint8_t *pixels = to_bytes(images);
    if (!pixels)
        return DN_NO_MEMORY;
    const int32_t *held_out_labels = data->labels ? data->labels + data->n : NULL;
    const struct dn_image_sets sets = {
        .training = set_of(images, data->pixels, data->labels, data->n),
        .holdout = set_of(images, data->pixels + data->n * values_of(images), held_out_labels,
                          data->n_val),
        .generated = set_of(images, pixels, images->labels, (size_t)images->n),
        .judge = images->judge,
    };
    const enum dn_status status = dn_image_report(&sets, seed, &images->report, breaks, error);
    free(pixels);
    return status;
}

void image_clear(struct image_measure *images) {
    dn_judge_free(images->judge);
    free(images->values);
    free(images->labels);
    free(images->report.confusion);
    images->judge = NULL;
    images->values = NULL;
    images->labels = images->report.confusion = NULL;
}

/* ------------------------------------------------------------------ the answer */

static void write_confusion(const void *value, struct json_writer *json) {
    const struct image_answer *answer = value;
    if (!answer->confusion) {
        json_null(json);
        return;
    }
    json_open(json, '[');
    for (int label = 0; label < answer->classes; label++) {
        json_open(json, '[');
        for (int seen = 0; seen < answer->classes; seen++)
            json_integer(json, answer->confusion[label * answer->classes + seen]);
        json_close(json, ']');
    }
    json_close(json, ']');
}

#define FIGURE(group, member, about)                                                               \
    {                                                                                              \
        group, #member, FIELD_OBJECT, offsetof(struct image_answer, member),                       \
            .schema = "Floored", .set = &floored_answer, .doc = (about)                            \
    }
static const struct field rows[] = {
    {"", "n", FIELD_INTEGER, offsetof(struct image_answer, n), 1, INFINITY,
     .doc = "Number of generated images."},
    FIGURE("", fld,
           "The Frechet distance between generated and validation images, of the 84 features of a "
           "LeNet-5 that has learned the classes of the training images. The floor is that of as "
           "many training images. Values compare for one data set and one n only. null without "
           "classes or validation images."),
    FIGURE("", accuracy,
           "The share of generated images in which this LeNet-5 sees the class of their label. "
           "Here the floor is the share for the validation images: what a perfect model would "
           "get."),
    {"", "confusion", FIELD_WRITTEN, .schema = "Confusion", .write = write_confusion},
    FIGURE("", nearest,
           "The mean distance to the nearest training image: the root of the mean squared "
           "difference of the values, 0 for a copy, 1 for black and white. The floor is that of "
           "the validation images; a value far below it means that the model memorized the data."),
    {"", "privacy", FIELD_GROUP},
    FIGURE("privacy", nearer_to_training,
           "The share of generated images that are nearer to a training image than to one of as "
           "many validation images; 0.5 means that the model knows no more about its training "
           "images than about others. The floor is the share for other training images."),
    FIGURE("privacy", copies,
           "The share of generated images that are equal to a training image; the floor is that "
           "of the validation images."),
};
const struct field_set image_answer_set =
    ANSWER(rows, .may_be_null = true,
           .doc = "How good the model's samples are as images, from bytes; null for other models.");

static struct figure figure_of(struct dn_measured measured) {
    return (struct figure){measured.value, measured.floor};
}

struct image_answer image_answer(const struct image_measure *images) {
    const struct dn_image_report *report = &images->report;
    if (images->n == 0)
        return (struct image_answer){0};
    return (struct image_answer){
        .n = images->n,
        .classes = images->classes,
        .confusion = images->judge ? report->confusion : NULL,
        .fld = figure_of(report->fld),
        .accuracy = figure_of(report->accuracy),
        .nearest = figure_of(report->nearest),
        .nearer_to_training = figure_of(report->nearer_to_training),
        .copies = figure_of(report->copies),
    };
}
