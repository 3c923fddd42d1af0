/*
 * spec.c - the names, presets and limits of a training spec.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "engine/denoise.h"
#include "engine/internal.h"
#include "engine/schedule.h"

const char *const dn_beta_schedule_names[] = {"linear",     "cosine", "sigmoid", "quadratic",
                                              "log_linear", "flow",   NULL};
const char *const dn_prediction_names[] = {"epsilon", "sample", "v_prediction", "flow", NULL};
const char *const dn_time_embedding_names[] = {"sinusoidal", "learned", NULL};
const char *const dn_conditioning_names[] = {"add", "multiply", NULL};
const char *const dn_normalization_names[] = {"minmax", "standardize", "none", NULL};
const char *const dn_loss_names[] = {"mse", "mae", "huber", NULL};
const char *const dn_lr_schedule_names[] = {"constant", "cosine", "linear", NULL};
const char *const dn_sampler_names[] = {"ddpm", "ddim", "dpmpp_2m", "heun", "euler", NULL};

const struct dn_preset dn_presets[] = {
    {.name = "default",
     .doc = "A narrow, deep network that predicts v, on noise in geometric steps, with averaged "
            "weights and a decaying learning rate.",
     .spec = {.dataset = {.source_count = 1,
                          .dim = 2,
                          .sources = {{.pattern = DN_SPIRAL, .n = 10000}}},
              .diffusion = {.timesteps = 100,
                            .beta_schedule = DN_BETA_LOG_LINEAR,
                            .beta_start = 1e-4,
                            .beta_end = 0.02,
                            .prediction_type = DN_V},
              .network = {.hidden_size = 32,
                          .hidden_layers = 6,
                          .time_embedding = DN_SINUSOIDAL,
                          .conditioning = DN_MULTIPLY},
              .training = {.epochs = 1000,
                           .batch_size = 512,
                           .learning_rate = 3e-3,
                           .loss = DN_MSE,
                           .validation_fraction = 0.1,
                           .normalization = DN_STANDARDIZE,
                           .ema_decay = 0.999,
                           .lr_schedule = DN_LR_COSINE,
                           .gradient_clip = 0,
                           .p_uncond = 0.2,
                           .checkpoint_every = 20,
                           .threads = 1}}},
    {.name = "sinai2022",
     .doc = "The recipe of Lior Sinai's tutorial, exactly; its schedule does not reach noise.",
     .spec = {.dataset = {.source_count = 1,
                          .dim = 2,
                          .sources = {{.pattern = DN_SPIRAL, .n = 10000}}},
              .diffusion = {.timesteps = 40,
                            .beta_schedule = DN_BETA_LINEAR,
                            .beta_start = 8e-6,
                            .beta_end = 9e-5,
                            .prediction_type = DN_EPSILON},
              .network = {.hidden_size = 32,
                          .hidden_layers = 3,
                          .time_embedding = DN_SINUSOIDAL,
                          .conditioning = DN_ADD},
              .training = {.epochs = 100,
                           .batch_size = 32,
                           .learning_rate = 1e-3,
                           .loss = DN_MSE,
                           .validation_fraction = 0.1,
                           .ema_decay = 0,
                           .lr_schedule = DN_LR_CONSTANT,
                           .gradient_clip = 0,
                           .p_uncond = 0.2,
                           .checkpoint_every = 1,
                           .threads = 1}}},
};
const size_t dn_preset_count = sizeof dn_presets / sizeof dn_presets[0];

enum dn_status error_set(struct dn_error *error, enum dn_status status, const char *format, ...) {
    if (error) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(error->text, sizeof error->text, format, arguments);
        va_end(arguments);
    }
    return status;
}

/* One line per bounded number of a spec; what the table cannot say follows it in dn_spec_check. */
struct bound {
    const char *name;
    double value, minimum, maximum;
};

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
        if (source->pattern < DN_UPLOADED || source->pattern >= DN_PATTERN_COUNT)
            return error_set(error, DN_INVALID, "there is no pattern number %d", source->pattern);
        if (source->pattern != DN_UPLOADED && set->dim != 2)
            return error_set(error, DN_INVALID,
                             "the built-in data sets have 2 dimensions, the other sources %d",
                             set->dim);
        if (source->n < 1 || source->n > DN_MAX_POINTS)
            return error_set(error, DN_INVALID, "dataset.n must be 1..%d, got %d", DN_MAX_POINTS,
                             source->n);
        total += source->n;
    }
    if (total > DN_MAX_POINTS)
        return error_set(error, DN_INVALID, "the data sets have %lld points in all, more than %d",
                         (long long)total, DN_MAX_POINTS);
    if (set->dim < 1 || set->dim > DN_MAX_DIM)
        return error_set(error, DN_INVALID, "points must have 1..%d dimensions, got %d", DN_MAX_DIM,
                         set->dim);
    bool labelled = uploaded && set->source_count == 1 && set->classes >= 0;
    bool mixture = set->source_count > 1 && set->classes == set->source_count;
    if (set->classes > DN_MAX_CLASSES || !(set->classes == 0 || labelled || mixture))
        return error_set(error, DN_INVALID, "%d data sets cannot have %d classes",
                         set->source_count, set->classes);
    return DN_OK;
}

static enum dn_status check_bounds(const struct bound *bounds, size_t count,
                                   struct dn_error *error) {
    for (size_t i = 0; i < count; i++) {
        const struct bound *b = &bounds[i];
        if (!(b->value >= b->minimum && b->value <= b->maximum))
            return error_set(error, DN_INVALID, "%s must be %.9g..%.9g, got %.9g", b->name,
                             b->minimum, b->maximum, b->value);
    }
    return DN_OK;
}

/* An estimate from eps is (x_t - noise eps) / signal, and must be a float whatever the network
 * answers within reason: FLT_MAX is 3.4e38. */
#define LEAST_SIGNAL 1e-30

static enum dn_status check_last_signal(const struct dn_diffusion_spec *spec,
                                        struct dn_error *error) {
    if (spec->prediction_type != DN_EPSILON || schedule_last_signal(spec) >= LEAST_SIGNAL)
        return DN_OK;
    return error_set(error, DN_INVALID,
                     "diffusion.prediction_type cannot be \"epsilon\" with a schedule whose "
                     "signal vanishes (it is %.3g at the last timestep): noise alone does not tell "
                     "x_0; smaller betas leave signal, and \"v_prediction\", \"sample\" and "
                     "\"flow\" need none",
                     schedule_last_signal(spec));
}

/* What a diffusion may be, but for a signal that vanishes. */
static enum dn_status check_diffusion(const struct dn_diffusion_spec *spec,
                                      struct dn_error *error) {
    const struct bound bounds[] = {
        {"diffusion.beta_schedule", spec->beta_schedule, 0, DN_BETA_FLOW},
        {"diffusion.prediction_type", spec->prediction_type, 0, DN_FLOW},
        {"diffusion.timesteps", spec->timesteps, 1, DN_MAX_TIMESTEPS},
        {"diffusion.beta_start", spec->beta_start, 1e-9, 0.5},
        {"diffusion.beta_end", spec->beta_end, 1e-9, 0.999},
    };
    enum dn_status status = check_bounds(bounds, sizeof bounds / sizeof bounds[0], error);
    if (status != DN_OK)
        return status;
    const bool is_flow = spec->beta_schedule == DN_BETA_FLOW;
    const double scale = 1000.0 / spec->timesteps;
    const double largest = fmax(spec->beta_start, spec->beta_end) * scale;
    if ((spec->beta_schedule == DN_BETA_LINEAR || spec->beta_schedule == DN_BETA_QUADRATIC) &&
        largest > 0.999)
        return error_set(error, DN_INVALID,
                         "diffusion.beta_end x 1000/timesteps must be at most 0.999, got %.9g",
                         largest);
    if (spec->zero_terminal_snr && !is_flow && spec->timesteps < 2)
        return error_set(error, DN_INVALID,
                         "diffusion.zero_terminal_snr needs at least 2 timesteps");
    if ((spec->zero_terminal_snr || is_flow) && spec->prediction_type == DN_EPSILON)
        return error_set(error, DN_INVALID,
                         "diffusion.prediction_type cannot be \"epsilon\" when no signal is left "
                         "at the last timestep (%s): noise alone does not tell x_0; "
                         "\"v_prediction\", \"sample\" and \"flow\" do",
                         is_flow ? "beta_schedule \"flow\"" : "zero_terminal_snr");
    return DN_OK;
}

enum dn_status dn_diffusion_check(const struct dn_diffusion_spec *spec, struct dn_error *error) {
    enum dn_status status = check_diffusion(spec, error);
    return status == DN_OK ? check_last_signal(spec, error) : status;
}

enum dn_status dn_spec_check(const struct dn_spec *spec, struct dn_error *error) {
    enum dn_status status = spec_check_stored(spec, error);
    return status == DN_OK ? check_last_signal(&spec->diffusion, error) : status;
}

enum dn_status spec_check_stored(const struct dn_spec *spec, struct dn_error *error) {
    const struct bound bounds[] = {
        {"network.time_embedding", spec->network.time_embedding, 0, DN_LEARNED},
        {"network.conditioning", spec->network.conditioning, 0, DN_MULTIPLY},
        {"training.normalization", spec->training.normalization, 0, DN_AS_IT_IS},
        {"training.loss", spec->training.loss, 0, DN_HUBER},
        {"training.lr_schedule", spec->training.lr_schedule, 0, DN_LR_LINEAR},
        {"network.hidden_size", spec->network.hidden_size, DN_MIN_HIDDEN_SIZE, DN_MAX_HIDDEN_SIZE},
        {"network.hidden_layers", spec->network.hidden_layers, 1, DN_MAX_HIDDEN_LAYERS},
        {"training.epochs", spec->training.epochs, 1, DN_MAX_EPOCHS},
        {"training.batch_size", spec->training.batch_size, 1, DN_MAX_BATCH_SIZE},
        {"training.learning_rate", spec->training.learning_rate, 1e-9, 10},
        {"training.min_snr_gamma", spec->training.min_snr_gamma, 0, 1e6},
        {"training.timestep_focus", spec->training.timestep_focus, 0, 1000},
        {"training.validation_fraction", spec->training.validation_fraction, 0, 0.9},
        {"training.ema_decay", spec->training.ema_decay, 0, 0.999999},
        {"training.weight_decay", spec->training.weight_decay, 0, 10},
        {"training.lr_warmup_steps", spec->training.lr_warmup_steps, 0, 1000000},
        {"training.gradient_clip", spec->training.gradient_clip, 0, 1e9},
        {"training.p_uncond", spec->training.p_uncond, 0, 1},
        {"training.checkpoint_every", spec->training.checkpoint_every, 1, DN_MAX_EPOCHS},
        {"training.evaluate_every", spec->training.evaluate_every, 0, DN_MAX_EPOCHS},
        {"training.threads", spec->training.threads, 1, DN_MAX_THREADS},
    };
    enum dn_status status = check_bounds(bounds, sizeof bounds / sizeof bounds[0], error);
    if (status != DN_OK || (status = check_diffusion(&spec->diffusion, error)) != DN_OK ||
        (status = check_dataset(spec, error)) != DN_OK)
        return status;
    if (spec->network.hidden_size % 2 != 0)
        return error_set(error, DN_INVALID, "network.hidden_size must be even, got %d",
                         spec->network.hidden_size);
    size_t n_val = 0;
    for (int k = 0; k < spec->dataset.source_count && n_val == 0; k++)
        dn_source_split(spec, k, NULL, &n_val);
    if (spec->training.keep_best && n_val == 0)
        return error_set(error, DN_INVALID,
                         "training.keep_best needs points to validate with: a larger "
                         "validation_fraction, or more points");
    int64_t steps = (int64_t)spec->training.epochs * dn_spec_steps_per_epoch(spec);
    if (steps > INT32_MAX)
        return error_set(error, DN_INVALID,
                         "training.epochs makes %lld training steps, more than %d",
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

int dn_spec_steps_per_epoch(const struct dn_spec *spec) {
    size_t n = 0, batch = (size_t)spec->training.batch_size;
    for (int k = 0; k < spec->dataset.source_count; k++) {
        size_t of_source;
        dn_source_split(spec, k, &of_source, NULL);
        n += of_source;
    }
    return (int)((n + batch - 1) / batch);
}
