/* The table of job fields: it and the engine agree on what is allowed. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/spec/spec.h"
#include "engine/base/serial.h"
#include "engine/internal.h"

static int wrong_fields(const char *text, struct job_request *job) {
    char error[200];
    struct arena arena = {0};
    struct problem_fields wrong = {.arena = &arena};
    cJSON *json = json_read(text, strlen(text), JSON_MAX_VALUES, NULL, error, sizeof error);
    cr_assert(json, "%s: %s", text, error);
    spec_read(json, job, NULL, NULL, &wrong);
    cJSON_Delete(json);
    arena_clear(&arena);
    return wrong.count;
}

static struct job_request job_of_images(void);

/* Every number of the table is accepted at its ends and refused beyond them; where the table
 * accepts, the engine does too (up to rules that join fields). */
Test(spec, the_table_and_the_engine_agree) {
    int checked = 0;
    for (size_t i = 0; i < spec_fields.count; i++) {
        const struct field *row = &spec_fields.rows[i];
        if (row->type != FIELD_INTEGER && row->type != FIELD_NUMBER)
            continue;
        double beyond = row->type == FIELD_INTEGER ? 2 : 1e-3 * fmax(row->max, 1);
        const double values[] = {row->min, row->max, row->min - beyond, row->max + beyond};
        for (int j = 0; j < 4; j++) {
            char text[200];
            struct job_request job;
            snprintf(text, sizeof text, "{\"%s\":{\"%s\":%.17g}}", row->group, row->name,
                     values[j]);
            int wrong = wrong_fields(text, &job);
            cr_assert_eq(wrong, j >= 2, "%s", text);
            if (wrong == 0) {
                struct dn_error error;
                cr_assert_eq(dn_spec_check(&job.spec, &error), DN_OK, "%s: %s", text, error.text);
            }
        }
        checked++;
    }
    cr_assert(checked >= 14);
}

/* The engine refuses what lies just beyond the table: neither is laxer than the other. */
Test(spec, the_engine_has_the_same_limits) {
    for (size_t i = 0; i < spec_fields.count; i++) {
        const struct field *row = &spec_fields.rows[i];
        if ((row->type != FIELD_INTEGER && row->type != FIELD_NUMBER) ||
            (row->flags & FIELD_OPTIONAL)) /* of images only */
            continue;
        struct job_request job = {.spec = dn_presets[0].spec};
        char *at = (char *)&job + row->offset;
        if (row->type == FIELD_INTEGER)
            *(int *)at = (int)row->max + 2;
        else
            *(double *)at = row->max * 1.01;
        struct dn_error error;
        cr_assert_eq(dn_spec_check(&job.spec, &error), DN_INVALID, "%s", row->name);
    }
}

Test(spec, presets_are_the_engines) {
    struct job_request job;
    for (size_t i = 0; i < dn_preset_count; i++) {
        char text[100];
        snprintf(text, sizeof text, "{\"preset\":\"%s\"}", dn_preset_names[i]);
        cr_assert_eq(wrong_fields(text, &job), 0);
        cr_assert_eq((size_t)job.preset, i);
        cr_assert(memcmp(&job.spec.training, &dn_presets[i].spec.training,
                         sizeof job.spec.training) == 0);
    }
}

/* The recipe for tables. */
Test(spec, the_preset_for_tables_is_its_recipe) {
    const struct dn_spec spec = dn_presets[DN_PRESET_TABLE].spec;
    cr_assert_str_eq(dn_preset_names[DN_PRESET_TABLE], "table");
    cr_assert_eq(spec.diffusion.timesteps, 100);
    cr_assert_eq(spec.diffusion.beta_schedule, DN_BETA_LOG_LINEAR);
    cr_assert_eq(spec.diffusion.prediction_type, DN_V);
    cr_assert(spec.diffusion.ratio_min == 0.01 && spec.diffusion.ratio_max == 10);
    cr_assert_eq(spec.network.hidden_size, 128);
    cr_assert_eq(spec.network.hidden_layers, 3);
    cr_assert_eq(spec.network.input_features, 3);
    cr_assert_eq(spec.network.output_levels, 8);
    cr_assert_eq(spec.network.conditioning, DN_MULTIPLY);
    cr_assert_eq(spec.training.batch_size, 512);
    cr_assert(spec.training.learning_rate == 4e-3 && spec.training.ema_decay == 0.999);
    cr_assert(spec.training.timestep_focus == 0.3);
    cr_assert_eq(spec.training.lr_schedule, DN_LR_COSINE);
    cr_assert_eq(spec.training.normalization, DN_QUANTILE);
    cr_assert_eq(spec.training.conditioning, DN_GIVEN_ANY);
}

/* The recipe for images: research has trained digits with it. */
Test(spec, the_presets_for_images_are_their_recipes) {
    const struct dn_spec spec = dn_presets[DN_PRESET_IMAGES].spec;
    const struct dn_spec large = dn_presets[DN_PRESET_IMAGES_LARGE].spec;
    cr_assert_str_eq(dn_preset_names[DN_PRESET_IMAGES], "images");
    cr_assert_str_eq(dn_preset_names[DN_PRESET_IMAGES_LARGE], "images-large");
    cr_assert_eq(spec.diffusion.timesteps, 1000);
    cr_assert_eq(spec.diffusion.beta_schedule, DN_BETA_COSINE);
    cr_assert_eq(spec.diffusion.prediction_type, DN_V);
    cr_assert(spec.network.channels[0] == 32 && spec.network.channels[1] == 64);
    cr_assert(large.network.channels[0] == 64 && large.network.channels[1] == 128);
    cr_assert(spec.network.blocks[0] == 1 && spec.network.blocks[1] == 1);
    cr_assert(spec.training.epochs == 20 && large.training.epochs == 40);
    cr_assert(spec.training.batch_size == 128 && spec.training.learning_rate == 2e-3);
    cr_assert(spec.training.gradient_clip == 1 && spec.training.ema_decay == 0.999);
    cr_assert(spec.training.p_uncond == 0.1);
    cr_assert_eq(spec.training.lr_schedule, DN_LR_COSINE);
    cr_assert_eq(spec.training.normalization, DN_MINMAX);
    struct dn_spec of_images = job_of_images().spec;
    of_images.dataset.classes = 10;
    const struct dn_usual_sampling usual = dn_sample_usual(&of_images, false);
    cr_assert(usual.sampler == DN_DPMPP_2M && usual.steps == 20 && usual.guidance == 2);
    cr_assert(usual.guidance_ratio_min == 0.2 && usual.guidance_ratio_max == 5);
    of_images.training.p_uncond = 0; /* it never saw images without a label */
    cr_assert_eq(dn_sample_usual(&of_images, false).guidance, 1);
    cr_assert_eq(dn_sample_usual(&of_images, false).guidance_ratio_max, DN_MAX_RATIO_MAX);
    of_images.dataset.classes = 0;
    cr_assert_eq(dn_sample_usual(&of_images, false).guidance, 0);
}

/* The preset's own numbers are those of its data; and the number of steps is near that of the
 * points, within its limits. */
Test(spec, a_budget_is_of_steps) {
    static const struct {
        int n, batch, epochs;
    } cases[] = {{1, 512, 2000},    {344, 512, 1488}, {600, 512, 500},      {1500, 512, 500},
                 {1100, 512, 367},  {300, 128, 334},  {10000, 512, 500},    {30000, 512, 203},
                 {1000000, 512, 6}, {100000, 1, 1},   {1000000, 65536, 750}};
    struct dn_spec spec = dn_presets[DN_PRESET_TABLE].spec;
    const struct dn_training_spec usual = spec.training;
    dn_spec_budget(&spec);
    dn_spec_checkpoints(&spec);
    cr_assert(memcmp(&usual, &spec.training, sizeof usual) == 0);
    spec.training.validation_fraction = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        spec.dataset.sources[0].n = cases[i].n;
        spec.training.batch_size = cases[i].batch;
        dn_spec_budget(&spec);
        cr_assert_eq(spec.training.epochs, cases[i].epochs, "%d points: %d epochs", cases[i].n,
                     spec.training.epochs);
        dn_spec_checkpoints(&spec);
        const int every = spec.training.checkpoint_every;
        cr_assert(every >= 1 && spec.training.epochs / every <= 20);
        cr_assert_eq(dn_spec_check(&spec, NULL), DN_OK);
    }
}

/* Only what the preset leaves to the data follows from it, and only if it is not given. */
Test(spec, epochs_of_a_table_follow_from_its_rows) {
    struct job_request job;
    cr_assert_eq(wrong_fields("{\"preset\":\"table\",\"dataset\":{\"n\":2000}}", &job), 0);
    cr_assert_eq(job.spec.training.epochs, 500); /* 4 steps each */
    cr_assert_eq(job.spec.training.checkpoint_every, 25);
    cr_assert_eq(wrong_fields("{\"preset\":\"table\",\"dataset\":{\"n\":2000},"
                              "\"training\":{\"epochs\":7,\"checkpoint_every\":3}}",
                              &job),
                 0);
    cr_assert(job.spec.training.epochs == 7 && job.spec.training.checkpoint_every == 3);
    cr_assert_eq(wrong_fields("{\"dataset\":{\"n\":2000}}", &job), 0);
    cr_assert_eq(job.preset, DN_PRESET_DEFAULT);
    cr_assert_eq(job.spec.training.epochs, 1000);
}

static void check_round_trip(const char *text, struct job_request *job) {
    struct job_request again;
    cr_assert_eq(wrong_fields(text, job), 0, "%s", text);
    struct buffer out = {0};
    spec_write(job, &(struct json_writer){.out = &out});
    buffer_append(&out, "", 1);
    cr_assert_eq(wrong_fields(out.data, &again), 0);
    cr_assert(memcmp(job, &again, sizeof again) == 0, "%s", out.data);
    struct training training = {0};
    struct training_failure failure;
    cr_assert(api_load_training(out.data, NULL, &training, NULL, &failure));
    cr_assert(memcmp(&training.spec, &job->spec, sizeof job->spec) == 0 && !training.data.points);
    buffer_clear(&out);
}

Test(spec, what_is_written_reads_back_the_same) {
    struct job_request job;
    check_round_trip("{\"name\":\"a \\\"b\\\"\",\"preset\":\"sinai2022\",\"seed\":"
                     "9007199254740991,\"dataset\":{\"name\":\"moons\",\"n\":77},"
                     "\"training\":{\"learning_rate\":0.0012345678901234567}}",
                     &job);
    cr_assert_eq(job.spec.dataset.sources[0].seed, 9007199254740991u); /* the job's if not given */
    /* every choice of every field, so that none is forgotten in the echo */
    for (size_t i = 0; i < spec_fields.count; i++)
        for (int j = 0; spec_fields.rows[i].choices && spec_fields.rows[i].choices[j]; j++) {
            const struct field *row = &spec_fields.rows[i];
            char text[200];
            if ((row->choices == dn_network_kind_names && j == DN_UNET) ||
                (row->choices == dn_pattern_names && j == DN_DIGITS))
                continue; /* images have a preset of their own */
            snprintf(text, sizeof text,
                     row->group[0] ? "{\"%s\":{\"%s\":\"%s\"}}" : "{%s\"%s\":\"%s\"}", row->group,
                     row->name, row->choices[j]);
            check_round_trip(text, &job);
        }
}

static void set_field(const struct spec_row *row, double value, struct dn_spec *spec) {
    void *at = (char *)spec + row->offset;
    if (row->kind == SPEC_DOUBLE)
        *(double *)at = value;
    else if (row->kind == SPEC_INT)
        *(int *)at = (int)value;
    else
        *(bool *)at = value > 0;
}

static struct dn_spec saved_and_loaded(struct dn_spec spec, bool has_images) {
    unsigned char bytes[1024];
    struct dn_spec found;
    struct serial out = {.mode = SERIAL_WRITE, .bytes = bytes, .size = sizeof bytes};
    struct serial in = {.mode = SERIAL_READ, .bytes = bytes};
    memset(&found, 0, sizeof found);
    serial_spec(&out, &spec, has_images);
    in.size = out.used;
    serial_spec(&in, &found, has_images);
    cr_assert(!out.failed && !in.failed && in.used == out.used);
    return found;
}

/* A job of one upload of images, as it is stored. */
static struct job_request job_of_images(void) {
    static const char text[] =
        "{\"preset\":\"images\",\"dataset\":{\"id\":\"00000000-0000-7000-8000-000000000000\","
        "\"seed\":3,\"n\":100,\"dim\":2304,\"shape\":[16,48,3]}}";
    struct job_request job;
    cr_assert_eq(wrong_fields(text, &job), 0);
    return job;
}

/* Each field of the engine's table, at both of its ends, beside the defaults of all others, for points
 * or for images. A network has only the fields of its kind. */
static void check_fields_come_back(const struct job_request *usual, bool has_images) {
    for (size_t i = 0; i < 2 * spec_row_count; i++) {
        const struct spec_row *row = &spec_rows[i / 2];
        struct job_request job = *usual, found;
        struct buffer out = {0};
        const bool is_network = strncmp(row->name, "network.", 8) == 0;
        set_field(row, i % 2 ? row->maximum : row->minimum, &job.spec);
        if ((is_network && row->for_images != has_images) ||
            dn_spec_check(&job.spec, NULL) != DN_OK)
            continue;
        spec_write(&job, &(struct json_writer){.out = &out});
        buffer_append(&out, "", 1);
        cr_assert_eq(wrong_fields(out.data, &found), 0, "%s", out.data);
        cr_assert(memcmp(&job.spec, &found.spec, sizeof found.spec) == 0, "%s: %s", row->name,
                  out.data);
        buffer_clear(&out);
        found.spec = saved_and_loaded(job.spec, has_images);
        for (size_t k = 0; k < spec_row_count; k++)
            if (spec_rows[k].saved == 0 || (spec_rows[k].for_images && !has_images))
                set_field(&spec_rows[k], spec_rows[k].minimum, &job.spec);
        cr_assert(memcmp(&job.spec, &found.spec, sizeof found.spec) == 0, "%s", row->name);
    }
}

Test(spec, every_field_comes_back_from_json_and_from_a_saved_model) {
    const struct job_request points = {.spec = dn_presets[0].spec}, images = job_of_images();
    check_fields_come_back(&points, false);
    check_fields_come_back(&images, true);
}

Test(spec, a_job_of_images_has_their_shape_and_a_unet) {
    const struct job_request job = job_of_images();
    const struct dn_dataset_spec *set = &job.spec.dataset;
    cr_assert(set->dim == 16 * 48 * 3 && set->height == 16 && set->width == 48 &&
              set->channels == 3 && set->classes == 0);
    cr_assert_eq(job.spec.network.kind, DN_UNET);
    struct buffer out = {0};
    spec_write(&job, &(struct json_writer){.out = &out});
    buffer_append(&out, "", 1);
    cr_assert(strstr(out.data, "\"shape\":[16,48,3]"), "%s", out.data);
    cr_assert(strstr(out.data, "\"network\":{\"kind\":\"unet\",\"channels\":[32,64],"
                               "\"blocks\":[1,1],\"patch\":2}"),
              "%s", out.data);
    buffer_clear(&out);
}

/* What images cannot have, and what only they have. */
Test(spec, rules_of_images_are_checked) {
    static const struct {
        const char *group, *fields, *says;
    } cases[] = {
        {"network", "\"kind\":\"mlp\"", "must be \"unet\" for images"},
        {"network", "\"channels\":[32]", "must be a list of two numbers"},
        {"network", "\"channels\":[32,65]", "must be a multiple of 16 from 16 to 256"},
        {"network", "\"channels\":[272,64]", "must be a multiple of 16 from 16 to 256"},
        {"network", "\"channels\":[\"32\",64]", "must be a multiple of 16 from 16 to 256"},
        {"network", "\"blocks\":[1,5]", "must be an integer from 1 to 4"},
        {"network", "\"blocks\":[0.5,1]", "must be an integer from 1 to 4"},
        {"network", "\"patch\":4", "must be an integer from 2 to 2"},
        {"training", "\"normalization\":\"standardize\"", "must be \"minmax\" for images"},
        {"training", "\"conditioning\":\"any\"", "no pixels can be given"},
        {"training", "\"evaluate_every\":1", "must be 0 for images"},
    };
    static const char dataset[] = "\"dataset\":{\"id\":\"00000000-0000-7000-8000-000000000000\","
                                  "\"n\":100,\"dim\":64,\"shape\":[8,8,1]}";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[400], error[200];
        struct job_request job;
        struct arena arena = {0};
        struct problem_fields wrong = {.arena = &arena};
        snprintf(text, sizeof text, "{\"preset\":\"images\",%s,\"%s\":{%s}}", dataset,
                 cases[i].group, cases[i].fields);
        cJSON *json = json_read(text, strlen(text), JSON_MAX_VALUES, NULL, error, sizeof error);
        spec_read(json, &job, NULL, NULL, &wrong);
        cr_assert_eq(wrong.count, 1, "%s", text);
        cr_assert(strstr(wrong.items[0].detail, cases[i].says), "%s: %s", text,
                  wrong.items[0].detail);
        cJSON_Delete(json);
        arena_clear(&arena);
    }
    struct job_request job;
    cr_assert_eq(wrong_fields("{\"network\":{\"kind\":\"unet\"}}", &job), 1);
}

/* Shapes that the network can halve twice. */
Test(spec, shapes_of_images_are_checked) {
    static const struct {
        int height, width, channels, dim;
        bool is_valid;
    } shapes[] = {
        {28, 28, 1, 784, true},   {64, 64, 3, DN_MAX_VALUES, true},
        {4, 8, 3, 96, true},      {28, 28, 1, 783, false},
        {30, 28, 1, 840, false},  {68, 4, 1, 272, false},
        {28, 28, 2, 1568, false}, {0, 28, 1, 28, false},
        {-4, -4, 1, 16, false},   {28, 0, 0, 28, false},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct dn_spec spec = job_of_images().spec;
        struct dn_error error;
        spec.dataset.height = shapes[i].height;
        spec.dataset.width = shapes[i].width;
        spec.dataset.channels = shapes[i].channels;
        spec.dataset.dim = shapes[i].dim;
        cr_assert_eq(dn_spec_check(&spec, &error), shapes[i].is_valid ? DN_OK : DN_INVALID,
                     "%d x %d x %d: %s", shapes[i].height, shapes[i].width, shapes[i].channels,
                     error.text);
    }
}

Test(spec, a_list_of_data_sets_is_a_class_each) {
    struct job_request job;
    struct buffer name = {0};
    check_round_trip(
        "{\"seed\":5,\"dataset\":[\"moons\",{\"name\":\"spiral\",\"n\":7,\"seed\":8},{}]}", &job);
    const struct dn_dataset_spec *set = &job.spec.dataset;
    cr_assert_eq(set->source_count, 3);
    cr_assert_eq(set->classes, 3);
    const struct dn_source expected[] = {
        {DN_MOONS, 10000, 5}, {DN_SPIRAL, 7, 8}, {DN_SPIRAL, 10000, 5}};
    cr_assert(memcmp(set->sources, expected, sizeof expected) == 0);
    spec_dataset_name(&job, &name);
    buffer_append(&name, "", 1);
    cr_assert_str_eq(name.data, "moons+spiral+spiral");
    buffer_clear(&name);
    check_round_trip("{\"dataset\":[{\"name\":\"s_curve\"}]}", &job); /* one is no mixture */
    cr_assert_eq(set->source_count, 1);
    cr_assert_eq(set->classes, 0);
}

Test(spec, a_damaged_stored_spec_is_an_error_not_a_crash) {
    static const char *const damaged[] = {"",          "{",
                                          "[]",        "{\"training\":{\"epochs\":0}}",
                                          "{\"x\":1}", "{\"dataset\":{\"id\":\"a\"}}"};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        struct training training = {0};
        struct training_failure failure = {0};
        cr_assert(!api_load_training(damaged[i], NULL, &training, NULL, &failure));
        cr_assert_eq(failure.error, JOB_ERROR_SPEC_UNREADABLE);
        cr_assert(failure.why.text[0]);
    }
}
