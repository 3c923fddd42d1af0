/*
 * spec.c - the names, presets and limits of a training spec.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "engine/data/data.h"
#include "engine/denoise.h"
#include "engine/diffusion/schedule.h"
#include "engine/internal.h"

const char *const dn_beta_schedule_names[] = {"linear",     "cosine", "sigmoid", "quadratic",
                                              "log_linear", "flow",   NULL};
const char *const dn_prediction_names[] = {"epsilon", "sample", "v_prediction", "flow", NULL};
const char *const dn_time_embedding_names[] = {"sinusoidal", "learned", NULL};
const char *const dn_conditioning_names[] = {"add", "multiply", NULL};
const char *const dn_network_kind_names[] = {"mlp", "unet", NULL};
const char *const dn_given_names[] = {"none", "any", NULL};
const char *const dn_normalization_names[] = {"minmax", "standardize", "none", "quantile", NULL};
const char *const dn_loss_names[] = {"mse", "mae", "huber", NULL};
const char *const dn_lr_schedule_names[] = {"constant", "cosine", "linear", NULL};

#define SPIRAL                                                                                     \
    {                                                                                              \
        .source_count = 1, .dim = 2, .sources = { {.pattern = DN_SPIRAL, .n = 10000} }             \
    }

const char *const dn_preset_names[] = {"default", "sinai2022",    "table",
                                       "images",  "images-large", NULL};
const struct dn_preset dn_presets[] = {
    [DN_PRESET_DEFAULT] =
        {.doc = "A narrow, deep network that predicts v, on noise in geometric steps, with "
                "averaged weights and a decaying learning rate.",
         .spec =
             {
                 .dataset = SPIRAL,
#define FIELD(group, name, limits, default_, sinai2022, table, images, large, saved, doc)          \
    .group.name = (default_),
#include "engine/spec_fields.h"
             }},
    [DN_PRESET_SINAI2022] =
        {.doc = "The recipe of Lior Sinai's tutorial, exactly; its schedule does not reach noise.",
         .spec =
             {
                 .dataset = SPIRAL,
#define FIELD(group, name, limits, default_, sinai2022, table, images, large, saved, doc)          \
    .group.name = (sinai2022),
#include "engine/spec_fields.h"
             }},
    [DN_PRESET_TABLE] =
        {.doc = "For tables: columns by their ranks, a wide network that also reads Fourier "
                "features, and any columns may be given.",
         .has_budget = true,
         .spec =
             {
                 .dataset = SPIRAL,
#define FIELD(group, name, limits, default_, sinai2022, table, images, large, saved, doc)          \
    .group.name = (table),
#include "engine/spec_fields.h"
             }},
    [DN_PRESET_IMAGES] =
        {.doc =
             "For images: a U-Net that predicts v, on a cosine schedule, with averaged weights and "
             "a decaying learning rate.",
         .spec =
             {
                 .dataset = SPIRAL,
#define FIELD(group, name, limits, default_, sinai2022, table, images, large, saved, doc)          \
    .group.name = (images),
#include "engine/spec_fields.h"
             }},
    [DN_PRESET_IMAGES_LARGE] =
        {.doc = "For images: the same with twice the channels, four times the work of a step, and "
                "twice the epochs.",
         .spec =
             {
                 .dataset = SPIRAL,
#define FIELD(group, name, limits, default_, sinai2022, table, images, large, saved, doc)          \
    .group.name = (large),
#include "engine/spec_fields.h"
             }},
};
const size_t dn_preset_count = sizeof dn_presets / sizeof dn_presets[0];
_Static_assert(sizeof dn_preset_names / sizeof *dn_preset_names ==
                   sizeof dn_presets / sizeof *dn_presets + 1,
               "each preset has a name");

#define RANGE(low, high)        .minimum = (low), .maximum = (high)
#define EVEN(low, high)         .minimum = (low), .maximum = (high), .step = 2
#define STEPS(low, high, every) .minimum = (low), .maximum = (high), .step = (every)
#define ONLY(value)             .minimum = (value), .maximum = (value)
#define ONE_OF(names)           .maximum = (sizeof(names) / sizeof(char *) - 2)
#define SWITCH                  .maximum = 1
#define AT(member)              (offsetof(struct dn_preset, member) - offsetof(struct dn_preset, spec))
#define ROW(group, name, saved, for_images)                                                        \
#group "." #name, SPEC_KIND(dn_presets->spec.group.name), AT(spec.group.name), saved, for_images
#define FIELD(group, name, limits, default_, sinai2022, table, images, large, saved, doc)          \
    {ROW(group, name, saved, false), limits},
#define IMAGE(group, name, limits, default_, sinai2022, table, images, large, saved, doc)          \
    {ROW(group, name, saved, true), limits},
const struct spec_row spec_rows[] = {
#include "engine/spec_fields.h"
};
const size_t spec_row_count = sizeof spec_rows / sizeof *spec_rows;

void error_write(struct dn_error *error, const char *format, ...) {
    va_list arguments;
    if (!error)
        return;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
}

/* The shape of a data set's images, or the dimension of its points. */
static enum dn_status check_shape(const struct dn_dataset_spec *set, struct dn_error *error) {
    enum { STEP = 4 }; /* the network halves each side twice */
    const int sides[] = {set->height, set->width};
    if (!set->height && !set->width && !set->channels) {
        if (set->dim < 1 || set->dim > DN_MAX_DIM)
            return error_set(error, DN_INVALID, "points must have 1..%d dimensions, got %d",
                             DN_MAX_DIM, set->dim);
        return DN_OK;
    }
    for (int i = 0; i < 2; i++)
        if (sides[i] < STEP || sides[i] > DN_MAX_SIDE || sides[i] % STEP != 0)
            return error_set(
                error, DN_INVALID,
                "height and width of images must be multiples of %d up to %d, got %d x "
                "%d",
                STEP, DN_MAX_SIDE, set->height, set->width);
    if (set->channels != 1 && set->channels != 3)
        return error_set(error, DN_INVALID, "images must have 1 or 3 channels, got %d",
                         set->channels);
    if (set->dim != set->height * set->width * set->channels)
        return error_set(error, DN_INVALID, "images of %d x %d x %d have %d values, not %d",
                         set->height, set->width, set->channels,
                         set->height * set->width * set->channels, set->dim);
    return DN_OK;
}

/* Does a built-in data set fit with the others? */
static enum dn_status check_builtin(const struct dn_dataset_spec *set, int pattern,
                                    struct dn_error *error) {
    if (pattern < DN_UPLOADED || pattern >= DN_BUILTIN_COUNT)
        return error_set(error, DN_INVALID, "there is no pattern number %d", pattern);
    if (pattern == DN_DIGITS &&
        (set->height != DN_DIGITS_SIDE || set->width != DN_DIGITS_SIDE || set->channels != 1))
        return error_set(
            error, DN_INVALID,
            "the built-in digits are images of %d x %d x 1, but the data has %d x %d x %d",
            DN_DIGITS_SIDE, DN_DIGITS_SIDE, set->height, set->width, set->channels);
    if (pattern >= 0 && pattern != DN_DIGITS && (set->dim != 2 || set->height > 0))
        return error_set(error, DN_INVALID,
                         "the built-in data sets have 2 dimensions, the other sources %d",
                         set->dim);
    return DN_OK;
}

static enum dn_status check_dataset(const struct dn_spec *spec, struct dn_error *error) {
    const struct dn_dataset_spec *set = &spec->dataset;
    if (set->source_count < 1 || set->source_count > DN_MAX_CLASSES)
        return error_set(error, DN_INVALID, "dataset must be 1..%d data sets, got %d",
                         DN_MAX_CLASSES, set->source_count);
    int64_t total = 0;
    bool uploaded = false;
    for (int k = 0; k < set->source_count; k++) {
        const struct dn_source *source = &set->sources[k];
        uploaded |= source->pattern == DN_UPLOADED;
        const enum dn_status status = check_builtin(set, source->pattern, error);
        if (status != DN_OK)
            return status;
        if (source->n < 1 || source->n > DN_MAX_POINTS)
            return error_set(error, DN_INVALID, "dataset.n must be 1..%d, got %d", DN_MAX_POINTS,
                             source->n);
        total += source->n;
    }
    if (total > DN_MAX_POINTS)
        return error_set(error, DN_INVALID, "the data sets have %lld points in total, more than %d",
                         (long long)total, DN_MAX_POINTS);
    const enum dn_status status = check_shape(set, error);
    if (status != DN_OK)
        return status;
    const bool are_digits = set->sources[0].pattern == DN_DIGITS;
    bool labeled = set->source_count == 1 && ((uploaded && set->classes >= 0) ||
                                              (are_digits && set->classes == DN_DIGITS_CLASSES));
    bool mixture = set->source_count > 1 && set->classes == set->source_count;
    if (set->classes > DN_MAX_CLASSES || !(set->classes == 0 || labeled || mixture))
        return error_set(error, DN_INVALID, "%d data sets cannot have %d classes",
                         set->source_count, set->classes);
    return DN_OK;
}

static double value_of(const struct spec_row *row, const struct dn_spec *spec) {
    const void *at = (const char *)spec + row->offset;
    switch (row->kind) {
    case SPEC_DOUBLE: return *(const double *)at;
    case SPEC_BOOL: return *(const bool *)at;
    case SPEC_INT: break;
    }
    return *(const int *)at;
}

static enum dn_status check_fields(const struct dn_spec *spec, struct dn_error *error) {
    for (const struct spec_row *row = spec_rows; row < spec_rows + spec_row_count; row++) {
        const double value = value_of(row, spec);
        if (row->for_images && spec->network.kind != DN_UNET)
            continue;
        if (!(value >= row->minimum && value <= row->maximum))
            return error_set(error, DN_INVALID, "%s must be %.9g..%.9g, got %.9g", row->name,
                             row->minimum, row->maximum, value);
        if (row->step == 2 && fmod(value, 2) != 0)
            return error_set(error, DN_INVALID, "%s must be even, got %.9g", row->name, value);
        if (row->step > 2 && fmod(value, row->step) != 0)
            return error_set(error, DN_INVALID, "%s must be a multiple of %d, got %.9g", row->name,
                             row->step, value);
    }
    return DN_OK;
}

/* An estimate from eps is (x_t - noise eps) / signal, and must be a float for any reasonable output
 * of the network; FLT_MAX is 3.4e38. */
#define MIN_SIGNAL 1e-30

static enum dn_status check_last_signal(const struct dn_diffusion_spec *spec,
                                        struct dn_error *error) {
    if (spec->prediction_type != DN_EPSILON || schedule_last_signal(spec) >= MIN_SIGNAL)
        return DN_OK;
    return error_set(error, DN_INVALID,
                     "diffusion.prediction_type cannot be \"epsilon\" with a schedule whose signal "
                     "vanishes (it is %.3g at the last timestep): x_0 cannot be recovered from "
                     "noise alone; use smaller betas, which leave some signal, or "
                     "\"v_prediction\", \"sample\" or \"flow\", which need none",
                     schedule_last_signal(spec));
}

/* Rules for several fields of a diffusion together, without the one on its last signal. */
static enum dn_status check_diffusion(const struct dn_diffusion_spec *spec,
                                      struct dn_error *error) {
    const bool is_flow = spec->beta_schedule == DN_BETA_FLOW;
    const double scale = 1000.0 / spec->timesteps;
    const double largest = fmax(spec->beta_start, spec->beta_end) * scale;
    if ((spec->beta_schedule == DN_BETA_LINEAR || spec->beta_schedule == DN_BETA_QUADRATIC) &&
        largest > DN_MAX_BETA_END)
        return error_set(error, DN_INVALID,
                         "diffusion.beta_end x 1000/timesteps must be at most %.9g, got %.9g",
                         DN_MAX_BETA_END, largest);
    if (spec->zero_terminal_snr && !is_flow && spec->timesteps < 2)
        return error_set(error, DN_INVALID,
                         "diffusion.zero_terminal_snr needs at least 2 timesteps");
    if ((spec->zero_terminal_snr || is_flow) && spec->prediction_type == DN_EPSILON)
        return error_set(error, DN_INVALID,
                         "diffusion.prediction_type cannot be \"epsilon\" when no signal is left "
                         "at the last timestep (%s): x_0 cannot be recovered from noise alone; use "
                         "\"v_prediction\", \"sample\" or \"flow\"",
                         is_flow ? "beta_schedule \"flow\"" : "zero_terminal_snr");
    return DN_OK;
}

/* What images need, and points may not have. */
static enum dn_status check_images(const struct dn_spec *spec, struct dn_error *error) {
    const bool are_images = spec->dataset.height > 0;
    if (spec->network.kind != (are_images ? DN_UNET : DN_MLP))
        return error_set(error, DN_INVALID, "network.kind must be \"%s\" for %s",
                         dn_network_kind_names[are_images ? DN_UNET : DN_MLP],
                         are_images ? "images" : "data that is not images");
    if (!are_images)
        return DN_OK;
    if (spec->training.normalization != DN_MINMAX)
        return error_set(
            error, DN_INVALID,
            "training.normalization must be \"minmax\" for images: bytes become [-1, 1]");
    if (spec->training.conditioning != DN_GIVEN_NONE)
        return error_set(
            error, DN_INVALID,
            "training.conditioning must be \"none\" for images: no pixels can be given");
    if (spec->training.evaluate_every != 0)
        return error_set(error, DN_INVALID,
                         "training.evaluate_every must be 0 for images: it measures distances of "
                         "points");
    return DN_OK;
}

enum dn_status dn_diffusion_check(const struct dn_diffusion_spec *spec, struct dn_error *error) {
    struct dn_spec whole = dn_presets[0].spec;
    whole.diffusion = *spec;
    return dn_spec_check(&whole, error);
}

enum dn_status dn_spec_check(const struct dn_spec *spec, struct dn_error *error) {
    enum dn_status status = spec_check_stored(spec, error);
    return status == DN_OK ? check_last_signal(&spec->diffusion, error) : status;
}

enum dn_status spec_check_stored(const struct dn_spec *spec, struct dn_error *error) {
    enum dn_status status = check_fields(spec, error);
    if (status != DN_OK || (status = check_diffusion(&spec->diffusion, error)) != DN_OK ||
        (status = check_dataset(spec, error)) != DN_OK ||
        (status = check_images(spec, error)) != DN_OK)
        return status;
    size_t n, n_val;
    data_count(spec, &n, &n_val);
    if (spec->training.keep_best && n_val == 0)
        return error_set(error, DN_INVALID,
                         "training.keep_best needs validation points: use a larger "
                         "validation_fraction or more points");
    int64_t steps = (int64_t)spec->training.epochs * dn_spec_steps_per_epoch(spec);
    if (steps > INT32_MAX)
        return error_set(error, DN_INVALID,
                         "training.epochs leads to %lld training steps, more than %d",
                         (long long)steps, INT32_MAX);
    return DN_OK;
}

void dn_source_split(const struct dn_spec *spec, int k, size_t *n, size_t *n_val) {
    const struct dn_source *source = &spec->dataset.sources[k];
    size_t share = (size_t)(source->n * spec->training.validation_fraction);
    if (n)
        *n = (size_t)source->n - (source->pattern == DN_UPLOADED ? share : 0);
    if (n_val)
        *n_val = share;
}

int dn_spec_columns(const struct dn_spec *spec) {
    return spec->dataset.height > 0 ? spec->dataset.channels : spec->dataset.dim;
}

int dn_spec_steps_per_epoch(const struct dn_spec *spec) {
    size_t n, n_val, batch = (size_t)spec->training.batch_size;
    data_count(spec, &n, &n_val);
    return (int)((n + batch - 1) / batch);
}

void dn_spec_budget(struct dn_spec *spec) {
    enum { LEAST_STEPS = 1000, LEAST_OF_SMALL = 2000, MOST_STEPS = 12000 };
    size_t n, n_val;
    data_count(spec, &n, &n_val);
    const int an_epoch = dn_spec_steps_per_epoch(spec);
    const double batches = fmax((double)spec->training.batch_size / (double)n, 1);
    const int least_steps = (int)fmin(LEAST_STEPS * batches, LEAST_OF_SMALL);
    const int most = n < MOST_STEPS ? (int)n : MOST_STEPS;
    const int steps = most > least_steps ? most : least_steps;
    const int epochs = (2 * steps + an_epoch) / (2 * an_epoch); /* rounded */
    const int least = (least_steps + an_epoch - 1) / an_epoch;
    spec->training.epochs = epochs > least ? epochs : least;
}

void dn_spec_checkpoints(struct dn_spec *spec) {
    enum { CHECKPOINTS = 20 };
    spec->training.checkpoint_every = (spec->training.epochs + CHECKPOINTS - 1) / CHECKPOINTS;
}
