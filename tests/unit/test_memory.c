/* What a training takes, against what dn_spec_memory says that it takes at most. This program is
 * linked with --wrap, so that every block that the engine allocates is counted, at its real size.
 */
#include <criterion/criterion.h>
#include <malloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/denoise.h"
#include "tests/unit/sanitized.h"

/* ------------------------------------------------------------------ counting */

static size_t held, peak;
static int left = -1; /* allocations that succeed, before the next one fails; -1: all do */

static bool fails(void) {
    if (left < 0)
        return false;
    left -= 1;
    return left < 0;
}

static void *count(void *block) {
    held += block ? malloc_usable_size(block) + 2 * sizeof(size_t) : 0;
    peak = held > peak ? held : peak;
    return block;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *block);

void *__wrap_malloc(size_t size) {
    return fails() ? NULL : count(__real_malloc(size));
}
void *__wrap_calloc(size_t number, size_t size) {
    return fails() ? NULL : count(__real_calloc(number, size));
}
void *__wrap_aligned_alloc(size_t alignment, size_t size) {
    return fails() ? NULL : count(__real_aligned_alloc(alignment, size));
}
void __wrap_free(void *block) {
    held -= block ? malloc_usable_size(block) + 2 * sizeof(size_t) : 0;
    __real_free(block);
}

/* ------------------------------------------------------------------ one training */

/* The uploaded points of a spec, which the caller of a training holds. */
struct given {
    struct dn_upload uploads[DN_MAX_CLASSES];
};

static void give(const struct dn_spec *spec, struct given *given) {
    memset(given, 0, sizeof *given);
    for (int k = 0; k < spec->dataset.source_count; k++) {
        if (spec->dataset.sources[k].pattern != DN_UPLOADED)
            continue;
        const size_t n = (size_t)spec->dataset.sources[k].n, dim = (size_t)spec->dataset.dim;
        float *points = malloc(n * dim * sizeof *points);
        int32_t *labels = malloc(n * sizeof *labels);
        for (size_t i = 0; i < n * dim; i++)
            points[i] = (float)(i % 17) - 8;
        for (size_t i = 0; i < n; i++)
            labels[i] = (int32_t)(i % (size_t)(spec->dataset.classes ? spec->dataset.classes : 1));
        given->uploads[k] = (struct dn_upload){n, spec->dataset.dim, points, labels};
        if (spec->training.normalization != DN_QUANTILE)
            continue;
        double *values = malloc(n * dim * sizeof *values);
        for (size_t i = 0; i < n * dim; i++)
            values[i] = (double)points[i];
        free(points);
        given->uploads[k].points = NULL;
        given->uploads[k].values = values;
    }
}

static void take_back(struct given *given) {
    for (int k = 0; k < DN_MAX_CLASSES; k++) {
        free((void *)given->uploads[k].points);
        free((void *)given->uploads[k].values);
        free((void *)given->uploads[k].labels);
    }
}

/* Saved bytes are the caller's: they do not count. They end where the spec says. */
static unsigned char *bytes_new(int64_t size) {
    unsigned char *bytes = __real_malloc((size_t)size + 1);
    bytes[size] = 0xa5;
    return bytes;
}

static void bytes_end(unsigned char *bytes, int64_t size) {
    cr_assert_eq(bytes[size], 0xa5, "written beyond %lld bytes", (long long)size);
    __real_free(bytes);
}

static void check_saved(const struct dn_spec *spec, struct dn_trainer *trainer) {
    const int64_t size = dn_spec_checkpoint_bytes(spec), model = dn_spec_model_bytes(spec);
    cr_assert_eq((size_t)size, dn_trainer_bytes(trainer));
    const bool has_maps = spec->training.normalization == DN_QUANTILE; /* their size varies */
    cr_assert(has_maps ? (size_t)model >= dn_trainer_model_bytes(trainer)
                       : (size_t)model == dn_trainer_model_bytes(trainer));
    unsigned char *bytes = bytes_new(size);
    bytes[size - 1] = 0;
    dn_trainer_save(trainer, bytes);
    cr_assert_eq(dn_trainer_load(trainer, bytes, (size_t)size, NULL), DN_OK);
    bytes_end(bytes, size);
    bytes = bytes_new(model);
    cr_assert_eq(dn_trainer_model_save(trainer, bytes, NULL), DN_OK);
    bytes_end(bytes, model);
}

/* What a caller does with evaluate_every: both ways to the bytes of the model are one. */
static void check_evaluation(const struct dn_trainer *trainer, const struct dn_data *data,
                             bool is_cheap) {
    struct dn_model *model;
    struct dn_evaluation evaluation;
    struct dn_error error;
    const bool stop = !is_cheap; /* everything is allocated by the first step of the sampler */
    cr_assert_eq(dn_trainer_model(trainer, &model, &error), DN_OK);
    const size_t size = dn_model_bytes(model);
    cr_assert_eq(size, dn_trainer_model_bytes(trainer));
    cr_assert_eq(dn_model_epoch(model), dn_trainer_model_epoch(trainer));
    unsigned char *one = bytes_new((int64_t)size), *other = bytes_new((int64_t)size);
    dn_model_save(model, one);
    cr_assert_eq(dn_trainer_model_save(trainer, other, NULL), DN_OK);
    cr_assert_arr_eq(one, other, size);
    bytes_end(one, (int64_t)size);
    bytes_end(other, (int64_t)size);
    enum dn_status status =
        dn_evaluate(model, data, DN_EVALUATION_POINTS, 1, &evaluation, &stop, &error);
    cr_assert(status == DN_OK || status == DN_INVALID || status == DN_STOPPED, "%s", error.text);
    dn_model_free(model);
}

/* From the data to an evaluation; returns the peak. */
static size_t train(const struct dn_spec *spec) {
    struct given given;
    struct dn_data data;
    struct dn_trainer *trainer;
    struct dn_error error;
    const double cost = dn_spec_step_flops(spec);
    give(spec, &given);
    const size_t before = held;
    peak = held;
    cr_assert_eq(dn_data_draw(spec, given.uploads, &data, NULL, &error), DN_OK, "%s", error.text);
    cr_assert_eq(dn_trainer_new(spec, &data, &trainer, &error), DN_OK, "%s", error.text);
    if (spec->training.evaluate_every == 0)
        dn_data_clear(&data);
    const int steps = dn_spec_steps_per_epoch(spec);
    const bool stop = cost > 1e9;
    for (int i = 0; i < (steps < 3 ? steps : 2); i++) {
        enum dn_status status = dn_trainer_step(trainer, &stop, &error);
        cr_assert(status == (stop ? DN_STOPPED : DN_OK), "%s", error.text);
    }
    check_saved(spec, trainer);
    const double rows = spec->training.batch_size;
    if (spec->training.evaluate_every > 0)
        check_evaluation(trainer, &data,
                         cost / rows * DN_EVALUATION_POINTS * spec->diffusion.timesteps < 1e9);
    dn_trainer_free(trainer);
    dn_data_clear(&data);
    cr_assert_eq(held, before, "%zu bytes leak", held - before);
    take_back(&given);
    return peak - before;
}

static void describe(const struct dn_spec *s, char text[300]) {
    snprintf(
        text, 300,
        "%d x %d, T %d, %s, %s, dim %d, classes %d, sources %d of %d, batch %d, val %g, ema %g, "
        "best %d, snr %g, focus %g, evaluate %d",
        s->network.hidden_size, s->network.hidden_layers, s->diffusion.timesteps,
        dn_time_embedding_names[s->network.time_embedding],
        dn_conditioning_names[s->network.conditioning], s->dataset.dim, s->dataset.classes,
        s->dataset.source_count, s->dataset.sources[0].n, s->training.batch_size,
        s->training.validation_fraction, s->training.ema_decay, s->training.keep_best,
        s->training.min_snr_gamma, s->training.timestep_focus, s->training.evaluate_every);
}

/* The bound holds, and is no more than a quarter and a little above what is really taken; with
 * ranks, points of patterns take less than values, and maps are often small. */
static void check(const struct dn_spec *spec) {
    enum { LITTLE = 320 << 10 };
    char text[300];
    struct dn_error error;
    describe(spec, text);
    cr_assert_eq(dn_spec_check(spec, &error), DN_OK, "%s: %s", text, error.text);
    const double bound = (double)dn_spec_memory(spec), taken = (double)train(spec);
    cr_assert(taken <= bound, "%s: %.0f bytes, bound %.0f", text, taken, bound);
    const bool has_maps = spec->training.normalization == DN_QUANTILE;
    const double factor = has_maps ? 1.5 : 1.25;
    const double maps = has_maps ? 4.0 * DN_MAX_QUANTILE_COUNT * 8 * spec->dataset.dim : 0;
    cr_assert(bound <= factor * taken + maps + LITTLE, "%s: %.0f bytes, bound %.0f", text, taken,
              bound);
}

/* ------------------------------------------------------------------ many trainings */

static uint32_t draws; /* of a linear congruential generator: the same specs every time */

static uint32_t draw(uint32_t choices) {
    draws = draws * 1664525u + 1013904223u;
    return (draws >> 8) % choices;
}

#define PICK(...)                                                                                  \
    ({                                                                                             \
        const double choices[] = {__VA_ARGS__};                                                    \
        choices[draw(sizeof choices / sizeof choices[0])];                                         \
    })

/* One of the extremes of every field that sizes depend on. */
static struct dn_spec any_spec(void) {
    struct dn_spec spec = dn_presets[0].spec;
    struct dn_dataset_spec *set = &spec.dataset;
    struct dn_training_spec *training = &spec.training;
    spec.network.hidden_size = (int)PICK(8, 10, 32, 128, 130, 1024);
    spec.network.hidden_layers = (int)PICK(1, 2, 3, 8);
    spec.network.time_embedding = (enum dn_time_embedding)draw(2);
    spec.network.conditioning = (enum dn_conditioning)draw(2);
    spec.diffusion.timesteps = (int)PICK(1, 2, 40, 1000, 4000);
    const int n = (int)PICK(1, 2, 499, 10000, 100000, 1000000);
    const int kind = (int)draw(4); /* a pattern, a mixture, an upload, a labelled one */
    set->source_count = kind == 1 ? (n < 64 ? n : (int)PICK(2, 64)) : 1;
    set->dim = kind < 2 ? 2 : (int)PICK(1, 2, 17, 64);
    set->classes = kind == 3 ? (int)PICK(1, 2, 64) : set->source_count > 1 ? set->source_count : 0;
    for (int k = 0; k < set->source_count; k++)
        set->sources[k] = (struct dn_source){kind < 2 ? DN_MOONS : DN_UPLOADED,
                                             n / set->source_count, (uint64_t)k};
    training->batch_size = (int)PICK(1, 32, 127, 512, 4096, 65536);
    training->validation_fraction = PICK(0, 0.1, 0.9);
    training->ema_decay = PICK(0, 0.999);
    training->min_snr_gamma = PICK(0, 5);
    training->timestep_focus = PICK(0, 0.5);
    training->evaluate_every = (int)PICK(0, 0, 1);
    training->normalization = draw(3) ? DN_STANDARDIZE : DN_QUANTILE;
    training->epochs = 1;
    training->keep_best = draw(2);
    if (dn_spec_check(&spec, NULL) != DN_OK)
        training->keep_best = false; /* nothing to validate with */
    return spec;
}

Test(memory, is_never_more_than_the_bound_and_the_bound_is_close, .timeout = 300) {
    enum { TRAININGS = SANITIZED ? 20 : 150, MAX = 100 << 20 };
    int checked = 0;
    for (int i = 0; checked < TRAININGS && i < 4 * TRAININGS; i++) {
        const struct dn_spec spec = any_spec();
        if (dn_spec_memory(&spec) > MAX)
            continue;
        check(&spec);
        checked++;
    }
    cr_assert_eq(checked, TRAININGS);
}

Test(memory, of_the_presets) {
    for (size_t i = 0; i < dn_preset_count; i++)
        for (int evaluate = 0; evaluate < 2; evaluate++) {
            struct dn_spec spec = dn_presets[i].spec;
            spec.training.evaluate_every = evaluate;
            check(&spec);
        }
}

/* Of the largest training that is allowed at all, with numbers that were worked out by hand:
 * 8 layers of (64 or 1024, 1 bias, 4000 timesteps, 65 labels) x 1024, and an output of 64. */
Test(memory, of_the_largest_training) {
    struct dn_spec spec = dn_presets[0].spec;
    spec.network = (struct dn_network_spec){1024, 8, DN_LEARNED, DN_MULTIPLY, 0};
    spec.diffusion.timesteps = DN_MAX_TIMESTEPS;
    spec.dataset.dim = 64;
    spec.dataset.classes = 64;
    spec.dataset.sources[0] = (struct dn_source){DN_UPLOADED, DN_MAX_POINTS, 0};
    spec.training.batch_size = DN_MAX_BATCH_SIZE;
    spec.training.validation_fraction = 0.9;
    spec.training.keep_best = true;
    spec.training.evaluate_every = 1;
    spec.training.epochs = 1;
    cr_assert_eq(dn_spec_check(&spec, NULL), DN_OK);
    const int64_t parameters = 1024 * (64 + 7 * 1024 + 8 * (1 + 4000 + 65) + 64) + 64;
    cr_assert_eq(dn_spec_parameters(&spec), parameters);
    const int64_t header = dn_spec_model_bytes(&spec) - 4 * parameters;
    cr_assert(header > 0 && header < 32768, "%lld", (long long)header);
    const int64_t position = dn_spec_checkpoint_bytes(&spec) - 5 * 4 * parameters;
    cr_assert(position > 0 && position < 4096, "%lld", (long long)position);
    /* weights, gradients, two moments, average, best; a model beside them */
    int64_t least = 7 * 4 * parameters;
    least += 2LL * 4 * 8 * 1024 * (65536 + 4000); /* e_l of slots and times, and gradients */
    least += 4LL * 64 * (1000000 + 100000 + 3 * (900000 + 65536)); /* points and noised ones */
    const int64_t bound = dn_spec_memory(&spec);
    cr_assert(bound > least && (double)bound < 1.02 * (double)least, "%lld, %lld", (long long)bound,
              (long long)least);
    if (getenv("LARGEST_TRAINING")) /* takes the memory, and minutes */
        check(&spec);
}

/* Products of one point: forward, to the weights, and to the inputs of all but the first layer. */
Test(memory, a_step_costs_its_products) {
    struct dn_spec spec = dn_presets[0].spec;
    spec.network = (struct dn_network_spec){100, 3, DN_LEARNED, DN_ADD, 0};
    spec.training.batch_size = 64;
    cr_assert_float_eq(dn_spec_step_flops(&spec), 64.0 * 2 * (2 * 200 + 3 * (2 * 10000 + 200)),
                       1e-6);
    spec.dataset.sources[0].n = 10; /* no batch is full */
    cr_assert_float_eq(dn_spec_step_flops(&spec), 10.0 * 2 * (2 * 200 + 3 * (2 * 10000 + 200)),
                       1e-6);
    spec.network.time_embedding = DN_SINUSOIDAL;
    spec.diffusion.timesteps = 1; /* one embedding in each layer, forward and to its weights */
    cr_assert_float_eq(dn_spec_step_flops(&spec),
                       10.0 * 2 * (2 * 200 + 3 * (2 * 10000 + 200)) + 2.0 * 2 * 3 * 10000, 1e-6);
    spec.training.normalization = DN_QUANTILE; /* four outputs for each of two coordinates */
    spec.network.output_levels = 4;
    cr_assert_float_eq(dn_spec_step_flops(&spec),
                       10.0 * 2 * (2 * 200 + 3 * (2 * 10000 + 800)) + 2.0 * 2 * 3 * 10000, 1e-6);
    spec.training.conditioning = DN_GIVEN_ANY; /* a quarter of the coordinates, each one row more */
    cr_assert_float_eq(dn_spec_step_flops(&spec),
                       10.0 * 2 * (2 * 250 + 3 * (2 * 10000 + 800)) + 2.0 * 2 * 3 * 10000, 1e-6);
}

/* A batch with as many points as there are timesteps embeds all of them, two at the cost of one. */
Test(memory, a_step_embeds_its_timesteps) {
    struct dn_spec spec = dn_presets[0].spec;
    spec.network = (struct dn_network_spec){100, 1, DN_LEARNED, DN_ADD, 0, 0};
    spec.diffusion.timesteps = 50;
    spec.dataset.sources[0].n = 1000;
    spec.training.validation_fraction = 0;
    for (int batch = 1; batch <= 50; batch += 49) {
        spec.training.batch_size = batch;
        spec.network.time_embedding = DN_LEARNED;
        const double points = dn_spec_step_flops(&spec), distinct = dn_spec_step_timesteps(&spec);
        spec.network.time_embedding = DN_SINUSOIDAL;
        cr_assert_float_eq(dn_spec_step_timesteps(&spec), batch == 50 ? 50 : 1, 1e-9);
        cr_assert_float_eq(distinct, batch == 50 ? 50 * (1 - exp(50 * log(0.98))) : 1, 1e-9);
        cr_assert_float_eq(dn_spec_step_flops(&spec) - points,
                           2.0 * 2 * 10000 * (batch == 50 ? 25 : 1), 1e-6);
    }
}

/* ------------------------------------------------------------------ reports on tables */

enum { COLUMNS = 12 };

/* The columns in turn: a number, 3 levels, and 300. */
static const int levels[COLUMNS] = {0, 3, 300, 0, 3, 300, 0, 3, 300, 0, 3, 300};

/* What a report needs besides its sorts, which the C library allocates. */
static enum dn_status report(size_t training, size_t holdout, size_t synthetic, size_t *taken,
                             size_t *bound) {
    const size_t most = training + holdout + synthetic; /* more than the largest */
    double *values = __real_calloc(most * COLUMNS, sizeof *values);
    for (size_t i = 0; i < most * COLUMNS; i++)
        values[i] = levels[i % COLUMNS] ? (double)(i % (size_t)levels[i % COLUMNS]) : (double)i;
    static struct dn_column_report columns[COLUMNS];
    static struct dn_measured pairs[COLUMNS * (COLUMNS - 1) / 2];
    struct dn_table_report result = {.columns = columns, .pairs = pairs};
    const struct dn_table_rows table = {
        COLUMNS, levels, {values, training}, {values, holdout}, {values, synthetic}};
    const size_t before = held;
    peak = held;
    const enum dn_status status = dn_table_report(&table, 1, &result, NULL, NULL);
    cr_assert_eq(held, before, "%zu bytes leak", held - before);
    *taken = peak - before;
    *bound = dn_table_report_bytes(&table);
    __real_free(values);
    return status;
}

Test(memory, of_a_report_on_a_table) {
    const size_t sizes[][3] = {{4, 0, 2}, {3000, 300, 3000}, {500, 4000, 100}, {30000, 9, 20000}};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        size_t taken, bound;
        cr_assert_eq(report(sizes[k][0], sizes[k][1], sizes[k][2], &taken, &bound), DN_OK);
        cr_assert(taken <= bound, "%zu: %zu bytes, bound %zu", k, taken, bound);
        cr_assert(bound <= taken + taken / 4 + (128 << 10), "%zu: %zu bytes, bound %zu", k, taken,
                  bound);
    }
}

Test(memory, a_report_without_memory_says_so) {
    enum dn_status status = DN_NO_MEMORY;
    int allocations = 0;
    for (size_t taken, bound; status == DN_NO_MEMORY; allocations++) {
        left = allocations;
        status = report(100, 20, 50, &taken, &bound);
    }
    left = -1;
    cr_assert_eq(status, DN_OK);
    cr_assert_gt(allocations, 20);
}

/* ------------------------------------------------------------------ values without memory */

/* From values to a model of them and back; the first error. */
static enum dn_status train_on_values(const struct dn_spec *spec, const double *values,
                                      unsigned char *bytes, size_t size) {
    const struct dn_upload upload = {.n = 60, .dim = 3, .values = values};
    struct dn_data data = {0};
    struct dn_trainer *trainer = NULL;
    struct dn_model *model = NULL, *loaded = NULL;
    struct dn_error error;
    enum dn_status status = dn_data_draw(spec, &upload, &data, NULL, &error);
    if (status == DN_OK)
        status = dn_trainer_new(spec, &data, &trainer, &error);
    if (status == DN_OK)
        status = dn_trainer_model(trainer, &model, &error);
    if (status == DN_OK && dn_model_bytes(model) <= size) {
        dn_model_save(model, bytes);
        status = dn_model_load(bytes, dn_model_bytes(model), &loaded, &error);
    }
    dn_model_free(loaded);
    dn_model_free(model);
    dn_trainer_free(trainer);
    dn_data_clear(&data);
    return status;
}

/* Whichever allocation fails, the answer is that there is no memory, and nothing is left behind. */
Test(memory, training_on_values_without_it) {
    enum { BYTES = 1 << 20, MOST = 1000 };
    struct dn_spec spec = dn_presets[0].spec;
    spec.dataset = (struct dn_dataset_spec){
        .source_count = 1, .dim = 3, .sources = {{.pattern = DN_UPLOADED, .n = 60}}};
    spec.training.normalization = DN_QUANTILE;
    double values[180];
    unsigned char *bytes = __real_malloc(BYTES);
    for (int e = 0; e < 180; e++)
        values[e] = e % 3 == 0 ? e : e % 3 == 1 ? e % 4 : e % 7 == 0 ? (double)NAN : 1;
    const size_t before = held;
    enum dn_status status = DN_NO_MEMORY;
    int failures = -1;
    while (status != DN_OK && failures < MOST) {
        left = ++failures;
        status = train_on_values(&spec, values, bytes, BYTES);
        left = -1;
        cr_assert(status == DN_OK || status == DN_NO_MEMORY, "failure %d: %d", failures, status);
        cr_assert_eq(held, before, "%zu bytes leak after failure %d", held - before, failures);
    }
    cr_assert(status == DN_OK && failures > 30, "%d failures", failures);
    __real_free(bytes);
}
