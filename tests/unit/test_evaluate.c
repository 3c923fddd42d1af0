/* What models are held against, and the processes that need no model. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"
#include "engine/denoise.h"

static struct dn_spec spec_of(int sources, const enum dn_pattern *patterns, const int *n) {
    struct dn_spec spec = dn_presets[0].spec;
    spec.dataset.source_count = sources;
    spec.dataset.classes = sources > 1 ? sources : 0;
    for (int k = 0; k < sources; k++)
        spec.dataset.sources[k] = (struct dn_source){.pattern = (int)patterns[k], .n = n[k]};
    spec.training.epochs = 2;
    spec.network.hidden_size = 16;
    spec.diffusion.timesteps = 10;
    return spec;
}

/* A model after two epochs on this data, or on what the spec draws if it is NULL. */
static struct dn_model *model_of(const struct dn_spec *spec, const struct dn_data *data) {
    struct dn_trainer *trainer;
    struct dn_model *model;
    struct dn_epoch epoch;
    struct dn_error error = {""};
    cr_assert_eq(dn_trainer_new(spec, data, &trainer, &error), DN_OK, "%s", error.text);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(dn_trainer_epoch(trainer, NULL, &epoch, &error), DN_OK, "%s", error.text);
    cr_assert_eq(dn_trainer_model(trainer, &model, &error), DN_OK);
    dn_trainer_free(trainer);
    return model;
}

/* ------------------------------------------------------------------ fresh data */

static int count_label(const struct dn_data *data, int label) {
    int count = 0;
    for (size_t i = 0; i < data->n; i++)
        count += data->labels[i] == label;
    return count;
}

/* How many points of a are points of b. */
static int common(const float *a, size_t n, const float *b, size_t m, int dim) {
    int count = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m; j++)
            count +=
                memcmp(a + i * (size_t)dim, b + j * (size_t)dim, (size_t)dim * sizeof(float)) == 0;
    return count;
}

Test(fresh, patterns_come_in_proportion_and_are_new) {
    const enum dn_pattern patterns[] = {DN_MOONS, DN_CHECKERBOARD, DN_DINO};
    const int n[] = {100, 300, 200};
    struct dn_spec spec = spec_of(3, patterns, n);
    struct dn_data data, sets[2];
    cr_assert_eq(dn_data_draw(&spec, NULL, &data, NULL, NULL), DN_OK);
    for (int which = 0; which < 2; which++)
        cr_assert_eq(dn_data_fresh(&spec, &data, which, 0, 60, &sets[which], NULL), DN_OK);
    for (int which = 0; which < 2; which++) {
        cr_assert_eq(sets[which].n, 60);
        cr_assert_eq(common(sets[which].points, 60, data.points, data.n + data.n_val, 2), 0);
        for (int k = 0; k < 3; k++)
            cr_assert_eq(count_label(&sets[which], k), n[k] / 10);
        for (int i = 1; i < 60; i++)
            cr_assert_geq(sets[which].labels[i], sets[which].labels[i - 1]);
        double distances[10];
        dn_spec_distances(&spec, 0, sets[which].points, 10, distances); /* the moons */
        for (int i = 0; i < 10; i++)
            cr_assert_lt(distances[i], 1e-6);
    }
    cr_assert_eq(common(sets[0].points, 60, sets[1].points, 60, 2), 0);
    for (int which = 0; which < 2; which++)
        dn_data_clear(&sets[which]);
    dn_data_clear(&data);
}

Test(fresh, uploads_are_halved) {
    enum { N = 41, DIM = 3 };
    float points[N * DIM];
    int32_t labels[N];
    for (int i = 0; i < N; i++) {
        labels[i] = i % 2;
        for (int j = 0; j < DIM; j++)
            points[i * DIM + j] = (float)(i * DIM + j);
    }
    struct dn_spec spec = spec_of(1, (const enum dn_pattern[]){DN_SPIRAL}, (const int[]){N});
    spec.dataset.sources[0].pattern = DN_UPLOADED;
    spec.dataset.dim = DIM;
    spec.dataset.classes = 2;
    struct dn_data data, sets[2];
    struct dn_upload upload = {N, DIM, points, labels};
    cr_assert_eq(dn_data_draw(&spec, &upload, &data, NULL, NULL), DN_OK);
    for (int which = 0; which < 2; which++) {
        cr_assert_eq(dn_data_fresh(&spec, &data, which, 5, 100, &sets[which], NULL), DN_OK);
        cr_assert_eq(sets[which].n, N / 2);
        cr_assert_eq(common(sets[which].points, N / 2, points, N, DIM), N / 2);
        for (size_t i = 0; i < N / 2; i++)
            cr_assert_eq(sets[which].labels[i], (int)sets[which].points[i * DIM] / DIM % 2);
    }
    cr_assert_eq(common(sets[0].points, N / 2, sets[1].points, N / 2, DIM), 0);
    for (int which = 0; which < 2; which++)
        dn_data_clear(&sets[which]);
    dn_data_clear(&data);
}

Test(fresh, the_distance_to_a_mixture_is_the_least) {
    const enum dn_pattern patterns[] = {DN_MOONS, DN_HEART};
    struct dn_spec spec = spec_of(2, patterns, (const int[]){10, 10});
    float points[600];
    double all[300], moons[300], heart[300];
    random_normals(kernels_get(), 1, RANDOM_START, 0, 0, 600, points);
    dn_spec_distances(&spec, -1, points, 300, all);
    dn_spec_distances(&spec, 0, points, 300, moons);
    dn_spec_distances(&spec, 1, points, 300, heart);
    for (int i = 0; i < 300; i++) {
        double point[2] = {(double)points[2 * i], (double)points[2 * i + 1]};
        cr_assert_float_eq(moons[i], dn_pattern_distance(DN_MOONS, point, NULL), 1e-12);
        cr_assert_eq(all[i], fmin(moons[i], heart[i]));
    }
    cr_assert(dn_spec_has_distance(&spec));
    spec.dataset.sources[1].pattern = DN_PINWHEEL;
    cr_assert_not(dn_spec_has_distance(&spec));
}

/* With this normalization, its samples are those of the usual sampler in this number of steps. */
static void check_evaluation(enum dn_normalization normalization, enum dn_sampler sampler,
                             int steps) {
    enum { N = 200 };
    struct dn_spec spec = spec_of(1, (const enum dn_pattern[]){DN_MOONS}, (const int[]){300});
    spec.training.normalization = normalization;
    spec.diffusion.timesteps = 60;
    struct dn_model *model = model_of(&spec, NULL);
    struct dn_data data, fresh;
    struct dn_evaluation evaluation;
    float points[2 * N];
    double energy;
    cr_assert_eq(dn_data_draw(&spec, NULL, &data, NULL, NULL), DN_OK);
    cr_assert_eq(dn_evaluate(model, &data, N, 3, &evaluation, NULL, NULL), DN_OK);
    struct dn_sample_request request = {
        .n = N, .seed = 3, .sampler = sampler, .steps = steps, .clip = true};
    cr_assert_eq(
        dn_sample(model, &request, &(struct dn_sample_result){.points = points}, NULL, NULL),
        DN_OK);
    cr_assert_eq(dn_data_fresh(&spec, &data, 0, 3, N, &fresh, NULL), DN_OK);
    cr_assert_float_eq(evaluation.curve_distance, dn_pattern_mean_distance(DN_MOONS, points, N),
                       1e-12);
    cr_assert_eq(dn_metric(DN_ENERGY_DISTANCE, &(struct dn_points){points, N, 2},
                           &(struct dn_points){fresh.points, N, 2}, &energy, NULL, NULL),
                 DN_OK);
    cr_assert_eq(evaluation.energy_distance, energy);
    volatile bool stop = true;
    cr_assert_eq(dn_evaluate(model, &data, N, 3, &evaluation, &stop, NULL), DN_STOPPED);
    dn_data_clear(&fresh);
    dn_data_clear(&data);
    dn_model_free(model);
}

Test(evaluation, says_what_its_parts_say) {
    check_evaluation(DN_STANDARDIZE, DN_DDPM, 60);
    check_evaluation(DN_QUANTILE, DN_DPMPP_2M, 50);
}

/* ------------------------------------------------------------------ the optimal denoiser */

static struct dn_denoising denoising_of(const struct dn_spec *spec, const float *points, int n,
                                        int probes) {
    struct dn_upload upload = {(size_t)n, spec->dataset.dim, points, NULL};
    struct dn_data data;
    struct dn_denoising result;
    cr_assert_eq(dn_data_draw(spec, &upload, &data, NULL, NULL), DN_OK);
    struct dn_model *model = model_of(spec, &data);
    struct dn_points training = {data.points, data.n, data.dim};
    cr_assert_eq(dn_denoising_loss(model, &training, probes, 1, &result, NULL, NULL), DN_OK);
    dn_model_free(model);
    dn_data_clear(&data);
    return result;
}

/* From one point alone, all the noise can be told. */
Test(optimal, one_point_leaves_nothing_to_guess) {
    const float point[] = {0.3f, -0.8f, 2};
    struct dn_spec spec = spec_of(1, (const enum dn_pattern[]){DN_SPIRAL}, (const int[]){1});
    spec.dataset.sources[0].pattern = DN_UPLOADED;
    spec.dataset.dim = 3;
    spec.training.validation_fraction = 0;
    struct dn_denoising loss = denoising_of(&spec, point, 1, 300);
    cr_assert_lt(loss.optimal, 1e-9);
    cr_assert_float_eq(loss.model, loss.excess, 1e-4 * loss.model);
}

/* Two points at -1 and 1 (in model units): E[x_0 | x_t] = tanh(signal x_t / noise^2). The loss of
 * that, by independent noise. */
Test(optimal, two_points_are_told_apart_by_a_tanh) {
    enum { N = 100000, PROBES = 20000, T = 10 };
    const float points[] = {-1, 1};
    struct dn_spec spec = spec_of(1, (const enum dn_pattern[]){DN_SPIRAL}, (const int[]){2});
    spec.dataset.sources[0].pattern = DN_UPLOADED;
    spec.dataset.dim = 1;
    spec.training.validation_fraction = 0;
    struct dn_schedule_step steps[T];
    cr_assert_eq(dn_schedule_steps(&spec.diffusion, steps, NULL), DN_OK);
    static float noise[N];
    random_normals(kernels_get(), 77, RANDOM_START, 0, 0, N, noise);
    double expected = 0, square = 0;
    for (int i = 0; i < N; i++) {
        const struct dn_schedule_step *step = &steps[i % T];
        double eps = (double)noise[i],
               x_t = step->signal * (i / T % 2 ? 1 : -1) + step->noise * eps;
        double best =
            (x_t - step->signal * tanh(step->signal * x_t / pow(step->noise, 2))) / step->noise;
        expected += pow(best - eps, 2) / N;
        square += pow(best - eps, 4) / N;
    }
    struct dn_denoising loss = denoising_of(&spec, points, 2, PROBES);
    double deviation = sqrt((square - expected * expected) / PROBES);
    cr_assert_float_eq(loss.optimal, expected, 5 * deviation, "%g, not %g", loss.optimal, expected);
    /* the error of the best estimate is not correlated with anything that x_t tells */
    cr_assert_float_eq(loss.model - loss.optimal, loss.excess, 0.05 * loss.model);
}

Test(optimal, refuses_points_of_another_dimension) {
    struct dn_spec spec = spec_of(1, (const enum dn_pattern[]){DN_MOONS}, (const int[]){100});
    struct dn_model *model = model_of(&spec, NULL);
    const float points[6] = {0};
    struct dn_points other = {points, 2, 3}, none = {points, 0, 2}, some = {points, 3, 2};
    struct dn_denoising result;
    volatile bool stop = true;
    cr_assert_eq(dn_denoising_loss(model, &other, 5, 1, &result, NULL, NULL), DN_INVALID);
    cr_assert_eq(dn_denoising_loss(model, &none, 5, 1, &result, NULL, NULL), DN_INVALID);
    cr_assert_eq(
        dn_denoising_loss(model, &some, 5, 1, &result, &(struct dn_breaks){.stop = &stop}, NULL),
        DN_STOPPED);
    dn_model_free(model);
}

/* ------------------------------------------------------------------ processes */

/* At each frame, x_t is a line in x_0 with the schedule's signal and noise. */
Test(processes, forward_has_the_signal_and_noise_of_its_schedule) {
    enum { N = 20000, T = 40, FRAMES = 5 };
    for (int kind = 0; dn_beta_schedule_names[kind]; kind++) {
        struct dn_diffusion_spec spec = dn_presets[0].spec.diffusion;
        struct dn_schedule_step steps[T];
        spec.timesteps = T;
        spec.prediction_type = DN_V; /* flow leaves nothing of the data at T */
        spec.beta_schedule = (enum dn_beta_schedule)kind;
        cr_assert_eq(dn_schedule_steps(&spec, steps, NULL), DN_OK);
        static float data[2 * N], x[FRAMES * 2 * N];
        struct dn_points points = {data, N, 2};
        dn_pattern_draw(DN_MOONS, 1, 0, N, data);
        cr_assert_eq(dn_forward(&spec, &points, NULL, 2, FRAMES, x, NULL, NULL), DN_OK);
        cr_assert_eq(memcmp(x, data, sizeof data), 0);
        for (int k = 1; k < FRAMES; k++) {
            const struct dn_schedule_step *step = &steps[dn_frame_step(k, FRAMES, T) - 1];
            double with_x0 = 0, x0_square = 0, rest = 0;
            for (int e = 0; e < 2 * N; e++) {
                double x0 = (double)data[e], x_t = (double)x[k * 2 * N + e];
                with_x0 += x0 * x_t;
                x0_square += x0 * x0;
                rest += pow(x_t - step->signal * x0, 2) / (2 * N);
            }
            cr_assert_float_eq(with_x0 / x0_square, step->signal, 0.04);
            cr_assert_float_eq(rest, step->noise * step->noise, 0.04 * step->noise);
        }
    }
}

Test(processes, forward_has_the_units_of_its_data) {
    enum { N = 50, T = 6 };
    struct dn_diffusion_spec spec = dn_presets[0].spec.diffusion;
    float data[2 * N], scaled[2 * N], x[(T + 1) * 2 * N], y[(T + 1) * 2 * N];
    const float corners[] = {-1, -1, 1, 1}, scaled_corners[] = {-95, -95, 105, 105};
    spec.timesteps = T;
    dn_pattern_draw(DN_HEART, 1, 0, N, data);
    for (int e = 0; e < 2 * N; e++)
        scaled[e] = 100 * data[e] + 5;
    struct dn_points points = {data, N, 2}, other = {scaled, N, 2}, few = {data, N / 2, 2};
    struct dn_points fit = {corners, 2, 2}, other_fit = {scaled_corners, 2, 2};
    cr_assert_eq(dn_forward(&spec, &points, &fit, 2, T + 1, x, NULL, NULL), DN_OK);
    cr_assert_eq(dn_forward(&spec, &other, &other_fit, 2, T + 1, y, NULL, NULL), DN_OK);
    for (int e = 0; e < (T + 1) * 2 * N; e++)
        cr_assert_float_eq(100 * x[e] + 5, y[e], 1e-3f);
    cr_assert_eq(dn_forward(&spec, &few, NULL, 2, T + 1, y, NULL, NULL), DN_OK);
    for (int k = 0; k <= T; k++) /* the first half is the same without the second */
        cr_assert_eq(memcmp(y + k * N, x + k * 2 * N, N * sizeof *y), 0);
    cr_assert_eq(dn_forward(&spec, &points, NULL, 2, T + 2, x, NULL, NULL), DN_INVALID);
    volatile bool stop = true;
    cr_assert_eq(
        dn_forward(&spec, &points, NULL, 2, 2, x, &(struct dn_breaks){.stop = &stop}, NULL),
        DN_STOPPED);
}

/* The noise that a model's samples start from, if its units are those of the pattern. */
Test(processes, noise_is_where_samples_start) {
    const float corners[] = {-1, -1, 3, 3};
    struct dn_points fit = {corners, 2, 2};
    float noise[20], own[20], normals[20], x[6];
    random_normals(kernels_get(), 4, RANDOM_START, 0, 0, 20, normals);
    dn_noise(4, 10, 2, NULL, noise);
    dn_noise(4, 10, 2, &fit, own);
    for (int e = 0; e < 20; e++) {
        cr_assert_eq(noise[e], normals[e]);
        cr_assert_float_eq(own[e], 2 * normals[e] + 1, 1e-6f);
    }
    dn_straight_lines((const float[]){0, 8}, (const float[]){4, -8}, 2, 3, x);
    const float expected[] = {0, 8, 2, 0, 4, -8};
    cr_assert_eq(memcmp(x, expected, sizeof x), 0);
}
