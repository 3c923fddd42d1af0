/* Coordinates that are given: what a batch shows, and samples that are drawn given some. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"
#include "engine/diffusion/noised.h"
#include "engine/model/model.h"
#include "engine/model/train.h"
#include "tests/unit/sanitized.h"

/* ------------------------------------------------------------------ batches */

/* Half of the points show nothing. Of the others, the number of shown coordinates is spread evenly
 * over 0..dim, because the probability of each is uniform itself; but never are all shown. */
Test(given, batches_show_what_they_should) {
    enum { N = 40000 };
    static const int dims[] = {1, 2, 3, 14, 16, 17, 33, 64};
    const struct noised_streams streams = {RANDOM_TIMESTEP, RANDOM_NOISE, RANDOM_LABEL,
                                           RANDOM_GIVEN, true};
    for (int d = 0; d < 8; d++) {
        const int dim = dims[d];
        struct dn_spec spec = dn_presets[0].spec;
        struct schedule schedule;
        struct noised set = {0};
        int shown[DN_MAX_DIM] = {0}, counts[DN_MAX_DIM + 1] = {0};
        spec.dataset.dim = dim;
        spec.training.conditioning = DN_GIVEN_ANY;
        cr_assert_eq(schedule_init(&schedule, &spec.diffusion, NULL), DN_OK);
        cr_assert(noised_init(&set, &spec, &schedule, kernels_get(), N));
        for (size_t e = 0; e < (size_t)N * (size_t)dim; e++)
            set.x_0[e] = (float)(e % 97) / 97;
        noised_draw(&set, &spec, &schedule, N, &streams, 5);
        size_t free_ones = 0, same = 0;
        for (size_t i = 0; i < N; i++) {
            counts[__builtin_popcountll(set.given[i])]++;
            for (size_t j = 0; j < (size_t)dim; j++) {
                const bool is_shown = set.given[i] >> j & 1;
                const size_t e = i * (size_t)dim + j;
                same += set.x_t[e] == set.x_0[e] && !is_shown;
                cr_assert(!is_shown || set.x_t[e] == set.x_0[e]);
                shown[j] += is_shown;
                free_ones += !is_shown;
            }
            cr_assert(dim == 64 || set.given[i] >> dim == 0);
        }
        cr_assert_lt(same, free_ones / 1000, "the others have noise");
        cr_assert_eq(noised_count_free(&set, N, dim), free_ones);
        cr_assert_eq(counts[dim], 0, "one coordinate stays free");
        const double each = N / 2.0 / (dim + 1), sd = sqrt(each);
        cr_assert_float_eq(counts[0], N / 2.0 + (dim > 1 ? each : 2 * each), 5 * sqrt(N) / 2);
        for (int k = 1; k + 1 < dim; k++)
            cr_assert_float_eq(counts[k], each, 0.03 * each + 5 * sd, "%d of %d: %d, not %g", k,
                               dim, counts[k], each);
        for (int j = 0; j < dim; j++) /* all but one in the place of all: 1/dim less */
            cr_assert_float_eq(shown[j], N / 4.0 - each / dim, 0.01 * N, "%d of %d", shown[j], dim);
        noised_clear(&set);
        schedule_clear(&schedule);
    }
}

/* Of a shuffled batch of any size, the first half shows coordinates, and one step in two the point in
 * the middle of an odd number; each half has its timesteps from the whole range. */
Test(given, half_of_a_batch_shows_nothing) {
    enum { T = 100, DIM_SHOWN = 40, STEPS = 1000, MOST = 513 };
    static const size_t sizes[] = {1, 2, 3, 8, 513};
    const struct noised_streams streams = {RANDOM_TIMESTEP, RANDOM_NOISE, RANDOM_LABEL,
                                           RANDOM_GIVEN, true};
    struct dn_spec spec = dn_presets[0].spec;
    struct dn_schedule_step steps[T];
    struct schedule schedule;
    struct noised set = {0};
    const double focus = spec.training.timestep_focus = 0.3;
    spec.dataset.dim = DIM_SHOWN;
    spec.diffusion.timesteps = T;
    spec.training.conditioning = DN_GIVEN_ANY;
    cr_assert_eq(dn_schedule_steps(&spec.diffusion, steps, NULL), DN_OK);
    cr_assert_eq(schedule_init(&schedule, &spec.diffusion, NULL), DN_OK);
    cr_assert(noised_init(&set, &spec, &schedule, kernels_get(), MOST));
    const double whole = M_PI / 2 - atan(focus * sqrt(steps[T - 1].snr));
    for (int s = 0; s < 5; s++) {
        const size_t n = sizes[s], half = n / 2, odd = n % 2;
        int counts[2][T + 1] = {{0}}, points[2] = {0}, shows_some = 0;
        for (uint32_t step = 0; step < STEPS; step++) {
            noised_draw(&set, &spec, &schedule, n, &streams, step);
            for (size_t i = 0; i < n; i++) {
                const bool shows = set.given[i] != 0;
                cr_assert(!shows || i < half + odd, "point %zu of %zu shows some", i, n);
                shows_some += shows;
                if (odd && i == half) /* it belongs to either half */
                    continue;
                points[i >= half]++;
                for (int t = set.t[i]; t <= T; t++)
                    counts[i >= half][t]++;
            }
        }
        const double draws = (double)n * STEPS, some = DIM_SHOWN / (DIM_SHOWN + 1.0) / 2;
        cr_assert_float_eq(shows_some / draws, some, 0.003 + 2.5 / sqrt(draws), "%zu: %g", n,
                           shows_some / draws);
        for (int h = 0; h < 2; h++)
            for (int t = 1; points[h] > 0 && t <= T; t++) {
                const double share = (M_PI / 2 - atan(focus * sqrt(steps[t - 1].snr))) / whole;
                cr_assert_float_eq((double)counts[h][t] / points[h], share,
                                   2.5 / sqrt(points[h]) + 0.5 * (double)odd / (double)n,
                                   "%zu, half %d, t %d: %g, not %g", n, h, t,
                                   (double)counts[h][t] / points[h], share);
            }
    }
    noised_clear(&set);
    schedule_clear(&schedule);
}

/* ------------------------------------------------------------------ a Gaussian */

enum { DIM = 3, ROWS = 20000, DRAWS = 20000 };
static const double mean[DIM] = {10, -3, 0.5};
/* x = mean + A z: deviations 2, 1 and 0.1, correlations .8, .48 and .28 .. */
static const double A[DIM][DIM] = {{2, 0, 0}, {0.8, 0.6, 0}, {0.03, -0.05, 0.08}};

static double covariance(int i, int j) {
    double sum = 0;
    for (int k = 0; k < DIM; k++)
        sum += A[i][k] * A[j][k];
    return sum;
}

static struct dn_model *trained_on_gaussian(enum dn_given conditioning) {
    struct dn_spec spec = dn_presets[0].spec;
    struct dn_trainer *trainer;
    struct dn_model *model;
    struct dn_epoch epoch;
    float *points = floats_new(ROWS * DIM), *z = floats_new(ROWS * DIM);
    random_normals(kernels_get(), 4, RANDOM_DATA, 0, 0, ROWS * DIM, z);
    for (int i = 0; i < ROWS * DIM; i++) {
        double sum = mean[i % DIM];
        for (int k = 0; k < DIM; k++)
            sum += A[i % DIM][k] * (double)z[i - i % DIM + k];
        points[i] = (float)sum;
    }
    spec.dataset = (struct dn_dataset_spec){
        .source_count = 1, .dim = DIM, .sources = {{.pattern = DN_UPLOADED, .n = ROWS}}};
    spec.diffusion.timesteps = 50;
    spec.network.hidden_size = 64;
    spec.network.hidden_layers = 3;
    spec.training.validation_fraction = 0;
    spec.training.epochs = 60;
    spec.training.conditioning = conditioning;
    const struct dn_data data = {.dim = DIM, .n = ROWS, .points = points};
    cr_assert_eq(dn_trainer_new(&spec, &data, &trainer, NULL), DN_OK);
    for (int i = 0; i < spec.training.epochs; i++)
        cr_assert_eq(dn_trainer_epoch(trainer, NULL, &epoch, NULL), DN_OK);
    cr_assert_eq(dn_trainer_model(trainer, &model, NULL), DN_OK);
    dn_trainer_free(trainer);
    free(points), free(z);
    return model;
}

/* Mean and covariance of the free coordinates, given the others: m + S_fg S_gg^-1 (x_g - m_g) and
 * S_ff - S_fg S_gg^-1 S_gf, by one step of Gaussian elimination for each given coordinate. */
static void condition(const double *given, double m[DIM], double S[DIM][DIM]) {
    for (int i = 0; i < DIM; i++) {
        m[i] = mean[i];
        for (int j = 0; j < DIM; j++)
            S[i][j] = covariance(i, j);
    }
    for (int g = 0; g < DIM; g++) {
        if (isnan(given[g]))
            continue;
        const double off = given[g] - m[g], variance = S[g][g];
        double column[DIM];
        for (int i = 0; i < DIM; i++)
            column[i] = S[i][g];
        for (int i = 0; i < DIM; i++) {
            m[i] += column[i] / variance * off;
            for (int j = 0; j < DIM; j++)
                S[i][j] -= column[i] * column[j] / variance;
        }
    }
}

/* Samples given some coordinates against the closed form, in units of the deviation. */
static void check_draws(const struct dn_model *model, const double *given, double tolerance) {
    struct dn_sample_request request = {
        .n = DRAWS, .seed = 3, .sampler = DN_HEUN, .clip = true, .given = given};
    float *points = floats_new(DRAWS * DIM);
    double m[DIM], S[DIM][DIM], found[DIM] = {0}, square[DIM][DIM] = {{0}};
    cr_assert_eq(
        dn_sample(model, &request, &(struct dn_sample_result){.points = points}, NULL, NULL),
        DN_OK);
    condition(given, m, S);
    for (int i = 0; i < DRAWS; i++)
        for (int j = 0; j < DIM; j++) {
            found[j] += (double)points[i * DIM + j] / DRAWS;
            for (int k = 0; k < DIM; k++)
                square[j][k] += ((double)points[i * DIM + j] - m[j]) *
                                ((double)points[i * DIM + k] - m[k]) / DRAWS;
            if (!isnan(given[j]))
                cr_assert_eq(points[i * DIM + j], (float)given[j], "a given value stays as it is");
        }
    for (int j = 0; j < DIM; j++)
        for (int k = 0; k < DIM && isnan(given[j]); k++) {
            if (!isnan(given[k]))
                continue;
            const double scale = sqrt(S[j][j] * S[k][k]);
            cr_expect_float_eq((found[j] - m[j]) / sqrt(S[j][j]), 0, tolerance,
                               "given %g %g %g: mean %d is %g, not %g", given[0], given[1],
                               given[2], j, found[j], m[j]);
            cr_expect_float_eq((square[j][k] - S[j][k]) / scale, 0, 2 * tolerance,
                               "given %g %g %g: covariance %d, %d is %g, not %g", given[0],
                               given[1], given[2], j, k, square[j][k], S[j][k]);
        }
    free(points);
}

Test(given, a_gaussian_has_its_conditional_moments, .disabled = SANITIZED, .timeout = 300) {
    struct dn_model *model = trained_on_gaussian(DN_GIVEN_ANY);
    const double rows[][DIM] = {
        {NAN, NAN, NAN}, {12, NAN, NAN},  {NAN, -3, NAN},  {NAN, NAN, 0.6},
        {8, NAN, 0.45},  {NAN, -2, 0.55}, {11, -2.5, NAN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_draws(model, rows[i], 0.1);
    dn_model_free(model);
}

/* Point i is the same however a request is cut, each has its own row, draws times, and everything
 * that is given comes back; all of it, if all is given. */
Test(given, rows_and_draws_do_not_depend_on_the_cut, .timeout = 300) {
    enum { N = 12, PER_ROW = 3, STEPS = 8 };
    struct dn_model *model = trained_on_gaussian(DN_GIVEN_ANY);
    const double rows[][DIM] = {{12, NAN, NAN}, {NAN, NAN, NAN}, {9, -3, 0.5}, {NAN, -4, 0.4}};
    for (int sampler = 0; sampler < DN_SAMPLER_COUNT; sampler++) {
        float whole[N * DIM], part[N * DIM], x[(STEPS + 1) * N * DIM], x0[STEPS * N * DIM];
        double values[N * DIM];
        struct dn_sample_request request = {.n = N,
                                            .seed = 8,
                                            .sampler = (enum dn_sampler)sampler,
                                            .steps = STEPS,
                                            .given = &rows[0][0],
                                            .draws = PER_ROW};
        struct dn_sample_result result = {.points = whole, .values = values, .x = x, .x0 = x0};
        cr_assert_eq(dn_sample(model, &request, &result, NULL, NULL), DN_OK);
        cr_assert_arr_eq(whole, x + STEPS * N * DIM, sizeof whole);
        for (int i = 0; i < N; i++)
            for (int j = 0; j < DIM; j++) {
                const double given = rows[i / PER_ROW][j];
                cr_assert(isfinite(whole[i * DIM + j]));
                if (isnan(given))
                    continue;
                cr_assert_eq(whole[i * DIM + j], (float)given);
                cr_assert_eq(values[i * DIM + j], given);
                for (int k = 0; k < STEPS; k++)
                    cr_assert_eq(x0[(k * N + i) * DIM + j], (float)given);
            }
        for (int i = 0; i < N; i++) {
            request.first = i;
            request.n = 1;
            result = (struct dn_sample_result){.points = part};
            cr_assert_eq(dn_sample(model, &request, &result, NULL, NULL), DN_OK);
            cr_assert_arr_eq(part, whole + i * DIM, DIM * sizeof(float), "point %d", i);
        }
    }
    dn_model_free(model);
}

Test(given, what_cannot_be_given_is_refused, .timeout = 300) {
    struct dn_model *plain = trained_on_gaussian(DN_GIVEN_NONE);
    struct dn_model *model = trained_on_gaussian(DN_GIVEN_ANY);
    const double one[DIM] = {12, NAN, NAN}, infinite[DIM] = {NAN, -INFINITY, NAN};
    float points[2 * DIM];
    struct dn_sample_result result = {.points = points};
    struct dn_sample_request request = {.n = 2, .given = one};
    struct dn_error error;
    cr_assert_eq(dn_sample(plain, &request, &result, NULL, &error), DN_INVALID);
    cr_assert(strstr(error.text, "training.conditioning"), "%s", error.text);
    cr_assert_eq(dn_sample(model, &request, &result, NULL, &error), DN_OK);
    request.given = infinite;
    cr_assert_eq(dn_sample(model, &request, &result, NULL, &error), DN_INVALID);
    cr_assert(strstr(error.text, "infinity"), "%s", error.text);
    request.given = one;
    request.draws = -1;
    cr_assert_eq(dn_sample(model, &request, &result, NULL, &error), DN_INVALID);
    dn_model_free(plain), dn_model_free(model);
}

/* Columns with maps of ranks: x is one of 0..9, each as often, and y = 10 x + one of 0..7. Given x it
 * stays exactly what it is, and y follows, but where a small network blurs the ends of its range;
 * without x, a tenth would be right. */
Test(given, a_table_keeps_its_values, .timeout = 300) {
    enum { N = 8000, DRAWN = 3000 };
    struct dn_spec spec = dn_presets[0].spec;
    struct dn_trainer *trainer;
    struct dn_model *model;
    struct dn_epoch epoch;
    double *values = malloc(2 * N * sizeof *values), drawn[2 * DRAWN];
    for (int i = 0; i < N; i++) {
        values[2 * i] = i % 10;
        values[2 * i + 1] = 10 * (i % 10) + i / 10 % 8;
    }
    spec.dataset = (struct dn_dataset_spec){
        .source_count = 1, .dim = 2, .sources = {{.pattern = DN_UPLOADED, .n = N}}};
    spec.network.hidden_size = 64;
    spec.network.hidden_layers = 3;
    spec.network.input_features = 3;
    spec.diffusion.ratio_min = 0.01;
    spec.diffusion.ratio_max = 10;
    spec.training.epochs = 120;
    spec.training.validation_fraction = 0;
    spec.training.normalization = DN_QUANTILE;
    spec.training.conditioning = DN_GIVEN_ANY;
    const struct dn_data data = {.dim = 2, .n = N, .values = values};
    cr_assert_eq(dn_trainer_new(&spec, &data, &trainer, NULL), DN_OK);
    for (int i = 0; i < spec.training.epochs; i++)
        cr_assert_eq(dn_trainer_epoch(trainer, NULL, &epoch, NULL), DN_OK);
    cr_assert_eq(dn_trainer_model(trainer, &model, NULL), DN_OK);
    for (int x = 0; x < 10; x += 3) {
        const double given[2] = {x, NAN};
        struct dn_sample_request request = {
            .n = DRAWN, .sampler = DN_DPMPP_2M, .steps = 50, .clip = true, .given = given};
        struct dn_sample_result result = {.values = drawn};
        int right = 0, near = 0;
        cr_assert_eq(dn_sample(model, &request, &result, NULL, NULL), DN_OK);
        for (int i = 0; i < DRAWN; i++) {
            cr_assert_eq(drawn[2 * i], x);
            const double off = drawn[2 * i + 1] - 10 * x;
            right += off >= 0 && off <= 7;
            near += off >= -10 && off <= 17;
        }
        cr_expect_gt(right, 0.7 * DRAWN, "x %d: %d of %d", x, right, DRAWN);
        cr_expect_gt(near, 0.99 * DRAWN, "x %d: %d of %d", x, near, DRAWN);
    }
    dn_model_free(model);
    dn_trainer_free(trainer);
    free(values);
}
