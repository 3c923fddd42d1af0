/* Sampling from networks: labels, guidance, every sampler on every kind of model, and requests in
 * parts. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"
#include "engine/diffusion/diffusion.h"
#include "engine/sampling/guide.h"
#include "tests/unit/sanitized.h"

enum { CLASSES = 3 };

static struct dn_model *model_of(const struct dn_spec *spec) {
    struct dn_trainer *trainer;
    struct dn_model *model;
    struct dn_epoch epoch;
    struct dn_error error;
    cr_assert_eq(dn_trainer_new(spec, NULL, &trainer, &error), DN_OK, "%s", error.text);
    for (int i = 0; i < spec->training.epochs; i++)
        cr_assert_eq(dn_trainer_epoch(trainer, NULL, &epoch, &error), DN_OK, "%s", error.text);
    cr_assert_eq(dn_trainer_model(trainer, &model, NULL), DN_OK);
    dn_trainer_free(trainer);
    return model;
}

/* Points of noise are 0.5 from the spiral; this short a training comes to 0.1. */
static struct dn_spec small(void) {
    struct dn_spec spec = dn_presets[1].spec;
    spec.dataset.sources[0].n = 4000;
    spec.training.epochs = 60;
    spec.training.learning_rate = 4e-3;
    spec.training.lr_schedule = DN_LR_COSINE;
    spec.diffusion.beta_schedule = DN_BETA_COSINE;
    spec.diffusion.prediction_type = DN_V;
    return spec;
}

/* Spiral, moons and S, a class each. */
static struct dn_spec mixture(void) {
    struct dn_spec spec = small();
    spec.dataset.source_count = spec.dataset.classes = CLASSES;
    for (int k = 0; k < CLASSES; k++)
        spec.dataset.sources[k] = (struct dn_source){.pattern = k, .n = 1000};
    return spec;
}

static void sample(const struct dn_model *model, const struct dn_sample_request *request,
                   float *points) {
    struct dn_error error;
    struct dn_sample_result result = {.points = points};
    cr_assert_eq(dn_sample(model, request, &result, NULL, &error), DN_OK, "%s", error.text);
}

/* ------------------------------------------------------------------ every kind of model */

Test(guide, every_sampler_lands_on_the_data_with_every_schedule_and_prediction,
     .disabled = SANITIZED, .timeout = 300) {
    enum { N = 400 };
    static float points[2 * N];
    int kinds = 0;
    for (int schedule = DN_BETA_LINEAR; schedule <= DN_BETA_FLOW; schedule++)
        for (int prediction = DN_EPSILON; prediction <= DN_FLOW; prediction++)
            for (int zero = 0; zero < 2; zero++) {
                struct dn_spec spec = small();
                spec.diffusion.beta_schedule = (enum dn_beta_schedule)schedule;
                spec.diffusion.beta_start = 1e-4;
                spec.diffusion.beta_end = 0.02;
                spec.diffusion.prediction_type = (enum dn_prediction)prediction;
                spec.diffusion.zero_terminal_snr = zero;
                if (dn_spec_check(&spec, NULL) != DN_OK)
                    continue;
                struct dn_model *model = model_of(&spec);
                for (int sampler = 0; sampler < DN_SAMPLER_COUNT; sampler++)
                    for (int steps = 20; steps <= 40; steps += 20) {
                        struct dn_sample_request request = {.n = N,
                                                            .seed = 1,
                                                            .sampler = (enum dn_sampler)sampler,
                                                            .steps = steps,
                                                            .eta = 0.3,
                                                            .clip = true};
                        sample(model, &request, points);
                        double distance = dn_pattern_mean_distance(DN_SPIRAL, points, N);
                        cr_expect(distance < 0.16, "%s %s zero %d, %s in %d: %g",
                                  dn_beta_schedule_names[schedule], dn_prediction_names[prediction],
                                  zero, dn_sampler_names[sampler], steps, distance);
                        request.clip = false; /* may be worse, but not worthless */
                        request.steps = 1;
                        sample(model, &request, points);
                        for (int i = 0; i < 2 * N; i++)
                            cr_assert(isfinite(points[i]));
                    }
                dn_model_free(model);
                kinds++;
            }
    cr_assert_geq(kinds, 30);
}

/* ------------------------------------------------------------------ guidance */

/* What the network says of x at t with a label, straight from it: [n][2]. */
static void ask(const struct dn_model *model, int timestep, int label, size_t n, const float *x,
                float *answer) {
    struct time_rows times;
    struct workspace workspace;
    int32_t t[100], labels[100], slots[100];
    const struct network *network = &model->network;
    cr_assert_eq(time_rows_init(&times, network, 100, 0, NULL), DN_OK);
    cr_assert_eq(workspace_init(&workspace, network, n, false, NULL), DN_OK);
    for (size_t i = 0; i < n; i++) {
        t[i] = timestep;
        labels[i] = label;
    }
    time_rows_set(&times, network, model->parameters, t, labels, n, slots);
    network_forward(network, model->parameters, &times, &workspace, x, NULL, slots, true, 0, n);
    for (size_t i = 0; i < n; i++)
        memcpy(answer + 2 * i, workspace.out + i * network->dim_ld, 2 * sizeof *answer);
    time_rows_clear(&times);
    workspace_clear(&workspace);
}

/* In one step the point is the estimate, which is known from the network's answers. */
Test(guide, guidance_mixes_the_answers_with_and_without_a_label) {
    enum { N = 50 };
    static float x[2 * N], with[2 * N], without[2 * N], mixed[2 * N], x_0[2 * N], expected[2 * N],
        points[2 * N];
    const struct dn_spec spec = mixture();
    struct dn_model *model = model_of(&spec);
    model->moments.nodes = 0; /* nothing is restored */
    random_normals(kernels_get(), 4, RANDOM_START, 0, 0, 2 * N, x);
    ask(model, model->schedule.timesteps, CLASSES, N, x, without);
    const double guidances[] = {0, 0.5, 1, 3};
    for (int label = 0; label < CLASSES; label++)
        for (int g = 0; g < 4; g++) {
            ask(model, model->schedule.timesteps, label, N, x, with);
            for (int i = 0; i < 2 * N; i++)
                mixed[i] = without[i] + (float)guidances[g] * (with[i] - without[i]);
            const bool alone = guidances[g] == 0 || guidances[g] == 1;
            diffusion_estimate(&model->schedule, DN_V, model->schedule.timesteps, N, 2, x,
                               guidances[g] == 0   ? without
                               : guidances[g] == 1 ? with
                                                   : mixed,
                               2, NULL, NULL, x_0);
            transform_backward(&model->transform, N, 2, x_0, expected);
            struct dn_sample_request request = {
                .n = N, .seed = 4, .steps = 1, .guidance = guidances[g], .label = label};
            sample(model, &request, points);
            cr_assert_arr_eq(points, expected, sizeof points);
            cr_assert_eq(dn_sample_evaluations(model, &request), alone ? 1 : 2);
        }
    dn_model_free(model);
}

/* Of one class, at each timestep, from the network's answers; noise / signal from the schedule that
 * users see. */
Test(guide, guidance_has_an_effect_in_an_interval_of_noise_only) {
    enum { N = 20, T = 40, LABEL = 1 };
    static float x[2 * N], with[2 * N], without[2 * N], mixed[2 * N], expected[2 * N], found[2 * N];
    static const double intervals[][2] = {{0, 0},   {0, DN_MAX_RATIO_MAX}, {0, 2}, {0.4, 0},
                                          {0.3, 3}, {20, DN_MAX_RATIO_MAX}};
    struct dn_spec spec = mixture();
    spec.training.epochs = 2;
    for (int zero = 0; zero < 2; zero++) {
        struct dn_schedule_step levels[T];
        spec.diffusion.zero_terminal_snr = zero;
        struct dn_model *model = model_of(&spec);
        cr_assert_eq(dn_schedule_steps(&spec.diffusion, levels, NULL), DN_OK);
        random_normals(kernels_get(), 8, RANDOM_START, 0, 0, 2 * N, x);
        for (size_t k = 0; k < sizeof intervals / sizeof *intervals; k++) {
            const double low = intervals[k][0], high = intervals[k][1];
            const struct dn_sample_request request = {.n = N,
                                                      .guidance = 3,
                                                      .guidance_ratio_min = low,
                                                      .guidance_ratio_max = high,
                                                      .label = LABEL};
            struct plan plan;
            struct guide guide;
            int guided = 0;
            cr_assert_eq(plan_init(&plan, &model->schedule, NULL, DN_DDIM, T, 0, NULL), DN_OK);
            cr_assert_eq(guide_init(&guide, model, &request, &plan, N, NULL, NULL), DN_OK);
            guide_begin(&guide, 0, N);
            for (int t = 1; t <= T; t++) {
                const double ratio = 1 / sqrt(levels[t - 1].snr);
                const bool is_limit_open = high == 0 || high == DN_MAX_RATIO_MAX;
                const bool is_inside = ratio >= low && (is_limit_open || ratio <= high);
                guided += is_inside;
                ask(model, t, LABEL, N, x, with);
                ask(model, t, CLASSES, N, x, without);
                for (int i = 0; i < 2 * N; i++)
                    mixed[i] = without[i] + 3 * (with[i] - without[i]);
                diffusion_estimate(&model->schedule, DN_V, t, N, 2, x, is_inside ? mixed : with, 2,
                                   NULL, NULL, expected);
                guide_estimate(&guide, t, N, x, found);
                cr_assert_arr_eq(found, expected, sizeof found, "interval %zu, t = %d", k, t);
            }
            cr_assert_eq(dn_sample_evaluations(model, &request), T + guided);
            cr_assert((k < 2) == (guided == T) && guided > 0, "interval %zu: %d", k, guided);
            guide_clear(&guide);
            plan_clear(&plan);
        }
        dn_model_free(model);
    }
}

/* With heun, a step asks twice: where it begins, and where it ends, unless that is the data. */
Test(guide, evaluations_are_those_of_the_interval) {
    struct dn_spec spec = mixture();
    spec.training.epochs = 1;
    struct dn_model *model = model_of(&spec);
    for (int sampler = 0; sampler < DN_SAMPLER_COUNT; sampler++)
        for (int steps = 1; steps <= 40; steps++) {
            const struct dn_sample_request request = {.n = 1,
                                                      .sampler = (enum dn_sampler)sampler,
                                                      .steps = steps,
                                                      .guidance = 2,
                                                      .guidance_ratio_min = 0.3,
                                                      .guidance_ratio_max = 3};
            int timesteps[41], expected = 0;
            dn_sample_timesteps(model, &request, timesteps);
            for (int k = 0; k < steps; k++)
                for (int end = 0; end <= (sampler == DN_HEUN && k + 1 < steps); end++) {
                    const double ratio =
                        tan(schedule_angle(&model->schedule, 1, timesteps[k + end]));
                    expected += ratio >= 0.3 && ratio <= 3 ? 2 : 1;
                }
            cr_assert_eq(dn_sample_evaluations(model, &request), expected, "%s, %d steps",
                         dn_sampler_names[sampler], steps);
        }
    dn_model_free(model);
}

/* To the last bit: an interval without timesteps is no guidance, and one with all is guidance. */
Test(guide, empty_and_full_intervals) {
    enum { N = 50 };
    static float found[2 * N], expected[2 * N];
    static const struct {
        double guidance, low, high, as;
    } cases[] = {{3, 0, DN_MAX_RATIO_MAX, 3}, {3, 1e-9, 1e-8, 1}, {1, 0.3, 3, 1}, {0, 0.3, 3, 0}};
    struct dn_spec spec = mixture();
    spec.training.epochs = 2;
    struct dn_model *model = model_of(&spec);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int sampler = 0; sampler < DN_SAMPLER_COUNT; sampler++) {
            struct dn_sample_request request = {.n = N,
                                                .seed = 3,
                                                .sampler = (enum dn_sampler)sampler,
                                                .steps = 9,
                                                .clip = true,
                                                .guidance = cases[i].as,
                                                .label = DN_LABELS_IN_TURN};
            sample(model, &request, expected);
            const int evaluations = dn_sample_evaluations(model, &request);
            request.guidance = cases[i].guidance;
            request.guidance_ratio_min = cases[i].low;
            request.guidance_ratio_max = cases[i].high;
            sample(model, &request, found);
            cr_assert_arr_eq(found, expected, sizeof found, "case %zu, %s", i,
                             dn_sampler_names[sampler]);
            cr_assert_eq(dn_sample_evaluations(model, &request), evaluations);
        }
    dn_model_free(model);
}

/* Each class lands on its own pattern; more guidance does not take it away. */
Test(guide, labels_choose_the_class) {
    enum { N = 300 };
    static float points[2 * N];
    struct dn_spec spec = mixture();
    spec.network.hidden_size = 64;
    spec.network.hidden_layers = 4;
    spec.training.batch_size = 128;
    spec.training.epochs = 300;
    struct dn_model *model = model_of(&spec);
    for (int label = 0; label < CLASSES; label++)
        for (double guidance = 1; guidance <= 2; guidance += 0.5) {
            struct dn_sample_request request = {.n = N,
                                                .seed = 2,
                                                .sampler = DN_DPMPP_2M,
                                                .steps = 15,
                                                .clip = true,
                                                .guidance = guidance,
                                                .label = label};
            sample(model, &request, points);
            double own = dn_pattern_mean_distance((enum dn_pattern)label, points, N);
            for (int other = 0; other < CLASSES; other++)
                if (other != label)
                    cr_expect_lt(own,
                                 dn_pattern_mean_distance((enum dn_pattern)other, points, N) / 2,
                                 "label %d, guidance %g", label, guidance);
            cr_expect_lt(own, 0.08, "label %d, guidance %g: %g", label, guidance, own);
        }
    dn_model_free(model);
}

/* ------------------------------------------------------------------ one point, however asked for
 */

static const enum dn_conditioning conditionings[] = {DN_ADD, DN_MULTIPLY};

/* With the labels in turn, each point is what it is when all have its label, to the last bit. */
Test(guide, labels_in_turn_are_the_labels_one_by_one) {
    enum { N = 100, FIRST = 7 };
    static float turns[2 * N], one[2 * N];
    for (int c = 0; c < 2; c++) {
        struct dn_spec spec = mixture();
        spec.training.epochs = 2;
        spec.network.conditioning = conditionings[c];
        struct dn_model *model = model_of(&spec);
        for (double guidance = 1; guidance <= 2; guidance++) {
            struct dn_sample_request request = {.first = FIRST,
                                                .n = N,
                                                .seed = 5,
                                                .steps = 10,
                                                .clip = true,
                                                .guidance = guidance,
                                                .label = DN_LABELS_IN_TURN};
            sample(model, &request, turns);
            for (int label = 0; label < CLASSES; label++) {
                struct dn_sample_request same = request;
                same.label = label;
                sample(model, &same, one);
                for (int i = 0; i < N; i++) {
                    cr_assert_eq(dn_sample_label(model, &same, i), label);
                    if (dn_sample_label(model, &request, i) == label)
                        cr_assert_arr_eq(one + 2 * i, turns + 2 * i, 2 * sizeof *one, "point %d",
                                         i);
                }
            }
            for (int i = 0; i < N; i++)
                cr_assert_eq(dn_sample_label(model, &request, i), (FIRST + i) % CLASSES);
            request.guidance = 0;
            cr_assert_eq(dn_sample_label(model, &request, 0), -1);
        }
        dn_model_free(model);
    }
}

Test(guide, parts_of_a_request_are_the_whole) {
    enum { N = 1100 };
    static float whole[2 * N], part[2 * N];
    struct dn_spec spec = mixture();
    spec.training.epochs = 2;
    struct dn_model *model = model_of(&spec);
    for (int sampler = 0; sampler < DN_SAMPLER_COUNT; sampler++)
        for (double guidance = 0; guidance <= 2; guidance++) {
            struct dn_sample_request request = {.n = N,
                                                .seed = 9,
                                                .sampler = (enum dn_sampler)sampler,
                                                .steps = 5,
                                                .eta = 0.5,
                                                .clip = true,
                                                .guidance = guidance,
                                                .label = DN_LABELS_IN_TURN};
            sample(model, &request, whole);
            static const int cuts[] = {0, 1, 2, 9, 250, 700, 1099, N};
            for (int i = 0; i + 1 < (int)(sizeof cuts / sizeof *cuts); i++) {
                request.first = cuts[i];
                request.n = cuts[i + 1] - cuts[i];
                sample(model, &request, part + 2 * cuts[i]);
            }
            cr_assert_arr_eq(part, whole, sizeof whole, "%s, guidance %g",
                             dn_sampler_names[sampler], guidance);
        }
    dn_model_free(model);
}

/* A plan so long, and a network so wide, that not all of e_l is made at once: same estimates. */
Test(guide, one_timestep_at_a_time_gives_the_same) {
    enum { N = 20, T = 4000 };
    static float x[2 * N], few[2 * N], many[2 * N];
    struct dn_spec spec = mixture();
    spec.training.epochs = 1;
    spec.diffusion.timesteps = T;
    spec.network.hidden_size = 64;
    struct dn_model *model = model_of(&spec);
    struct dn_sample_request request = {
        .n = N, .guidance = 2, .label = DN_LABELS_IN_TURN, .clip = true};
    struct plan long_plan, short_plan;
    struct guide whole = {0}, each = {0};
    cr_assert_eq(plan_init(&short_plan, &model->schedule, NULL, DN_DDPM, 7, 0, NULL), DN_OK);
    cr_assert_eq(plan_init(&long_plan, &model->schedule, NULL, DN_DDPM, T, 0, NULL), DN_OK);
    cr_assert_eq(guide_init(&whole, model, &request, &short_plan, N, NULL, NULL), DN_OK);
    cr_assert_eq(guide_init(&each, model, &request, &long_plan, N, NULL, NULL), DN_OK);
    cr_assert(whole.slot_of && !each.slot_of);
    guide_begin(&whole, 4, N);
    guide_begin(&each, 4, N);
    random_normals(kernels_get(), 6, RANDOM_START, 0, 0, 2 * N, x);
    for (int k = 0; k < 7; k++) {
        guide_estimate(&whole, short_plan.step[k].t, N, x, few);
        guide_estimate(&each, short_plan.step[k].t, N, x, many);
        cr_assert_arr_eq(few, many, sizeof few);
    }
    guide_clear(&whole);
    guide_clear(&each);
    plan_clear(&long_plan);
    plan_clear(&short_plan);
    dn_model_free(model);
}

/* ------------------------------------------------------------------ wrong requests */

Test(guide, wrong_requests_are_refused) {
    struct dn_spec spec = small(), classed = mixture();
    spec.training.epochs = classed.training.epochs = 1;
    struct dn_model *plain = model_of(&spec), *labelled = model_of(&classed);
    float points[2];
    struct dn_sample_result result = {.points = points};
    const struct {
        struct dn_sample_request request;
        bool labelled;
    } wrong[] = {
        {{.n = 1, .steps = -1}, false},
        {{.n = 1, .steps = 41}, false},
        {{.n = 1, .sampler = DN_SAMPLER_COUNT}, false},
        {{.n = 1, .sampler = DN_DDIM, .eta = 1.01}, false},
        {{.n = 1, .sampler = DN_DDIM, .eta = -0.01}, false},
        {{.n = 1, .sampler = DN_DDIM, .eta = NAN}, false},
        {{.n = 1, .guidance = 1}, false},
        {{.n = 1, .guidance = -1}, true},
        {{.n = 1, .guidance = NAN}, true},
        {{.n = 1, .guidance = DN_MAX_GUIDANCE + 1}, true},
        {{.n = 1, .guidance = 2, .guidance_ratio_min = -1}, true},
        {{.n = 1, .guidance = 2, .guidance_ratio_min = NAN}, true},
        {{.n = 1, .guidance = 2, .guidance_ratio_max = NAN}, true},
        {{.n = 1, .guidance = 2, .guidance_ratio_max = -1}, true},
        {{.n = 1, .guidance = 2, .guidance_ratio_min = 2, .guidance_ratio_max = 1}, true},
        {{.n = 1, .guidance = 2, .guidance_ratio_max = 2 * DN_MAX_RATIO_MAX}, true},
        {{.n = 1, .guidance = 2, .guidance_ratio_min = 2 * DN_MAX_RATIO_MAX}, true},
        {{.n = 1, .guidance = 1, .label = CLASSES}, true},
        {{.n = 1, .guidance = 1, .label = -3}, true},
        {{.n = 1, .first = -1}, false},
        {{.n = 1, .steps = 5, .frames = 7}, false},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct dn_error error = {""};
        enum dn_status status = dn_sample(wrong[i].labelled ? labelled : plain, &wrong[i].request,
                                          &result, NULL, &error);
        cr_assert_eq(status, DN_INVALID, "case %zu", i);
        cr_assert_gt(strlen(error.text), 10, "case %zu", i);
    }
    dn_model_free(plain);
    dn_model_free(labelled);
}

/* The first T frames of time are thinned as before; with fewer steps there are fewer frames. */
Test(guide, frames_are_those_of_the_steps) {
    enum { N = 30, STEPS = 9, FRAMES = 4 };
    static float x[(STEPS + 1) * N * 2], x0[STEPS * N * 2], few[FRAMES * N * 2],
        few0[FRAMES * N * 2], points[N * 2];
    struct dn_spec spec = small();
    spec.training.epochs = 2;
    struct dn_model *model = model_of(&spec);
    model->moments.nodes = 0; /* nothing is restored */
    for (int sampler = 0; sampler < DN_SAMPLER_COUNT; sampler++) {
        struct dn_sample_request request = {
            .n = N, .seed = 3, .sampler = (enum dn_sampler)sampler, .steps = STEPS, .clip = true};
        struct dn_sample_result result = {.points = points, .x = x, .x0 = x0};
        int timesteps[STEPS + 1];
        dn_sample_timesteps(model, &request, timesteps);
        cr_assert(timesteps[0] == 40 && timesteps[STEPS] == 0);
        cr_assert_eq(dn_sample(model, &request, &result, NULL, NULL), DN_OK);
        cr_assert_arr_eq(points, x + STEPS * N * 2, sizeof points);
        cr_assert_arr_eq(points, x0 + (STEPS - 1) * N * 2, sizeof points, "ends at its estimate");
        request.frames = FRAMES;
        result = (struct dn_sample_result){.x = few, .x0 = few0};
        cr_assert_eq(dn_sample(model, &request, &result, NULL, NULL), DN_OK);
        for (int k = 0; k < FRAMES; k++) {
            const int at = dn_frame_step(k, FRAMES, STEPS) * N * 2;
            cr_assert_arr_eq(few + k * N * 2, x + at, N * 2 * sizeof *x);
            if (k + 1 < FRAMES)
                cr_assert_arr_eq(few0 + k * N * 2, x0 + at, N * 2 * sizeof *x);
        }
    }
    dn_model_free(model);
}
