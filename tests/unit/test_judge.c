/* What is said of a model: that it cannot be sampled from, or that it says no more than nothing. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/diffusion/diffusion.h"
#include "engine/diffusion/plan.h"
#include "engine/model/train.h"
#include "tests/unit/spec_space.h"

static struct dn_spec small_spec(void) {
    struct dn_spec spec = dn_presets[0].spec;
    spec.dataset.sources[0].n = 2000;
    spec.training.ema_decay = 0;
    spec.training.epochs = 1;
    return spec;
}

static struct dn_trainer *trainer_of(const struct dn_spec *spec) {
    struct dn_trainer *trainer;
    struct dn_error error;
    cr_assert_eq(dn_trainer_new(spec, NULL, &trainer, &error), DN_OK, "%s", error.text);
    return trainer;
}

static double nothing_of(const struct dn_spec *spec) {
    struct dn_trainer *trainer = trainer_of(spec);
    struct dn_verdict verdict;
    cr_assert_eq(dn_trainer_judge(trainer, &verdict, NULL, NULL), DN_OK);
    cr_assert(isfinite(verdict.loss));
    dn_trainer_free(trainer);
    return verdict.nothing;
}

/* For eps ~ N(0, 1): E eps^2 = 1, E |eps| = 0.798, and for huber the integral of its two pieces,
 * 0.4247. 2048 draws: 3 standard deviations are 0.1, 0.04 and 0.04. */
Test(judge, nothing_is_the_moment_of_the_noise) {
    static const double moments[] = {1, 0.79788, 0.42466};
    for (int loss = DN_MSE; loss <= DN_HUBER; loss++) {
        struct dn_spec spec = small_spec();
        spec.diffusion.prediction_type = DN_EPSILON;
        spec.training.loss = (enum dn_loss)loss;
        for (int k = 0; k < 2; k++, spec.training.validation_fraction = 0)
            cr_assert_float_eq(nothing_of(&spec), moments[loss], 0.1 * moments[loss]);
    }
}

/* Standardized data has the mean 0 and the variance 1/4: of x_0 that is all, of v it is signal^2 +
 * noise^2 / 4 in the mean over t, and of flow 1 + 1/4. */
Test(judge, nothing_is_the_variance_of_the_target) {
    struct dn_spec spec = small_spec();
    const int T = spec.diffusion.timesteps;
    struct dn_schedule_step steps[DN_MAX_TIMESTEPS];
    double v = 0;
    cr_assert_eq(dn_schedule_steps(&spec.diffusion, steps, NULL), DN_OK);
    for (int t = 0; t < T; t++)
        v += (steps[t].signal * steps[t].signal + steps[t].noise * steps[t].noise / 4) / T;
    const double expected[] = {[DN_EPSILON] = 1, [DN_SAMPLE] = 0.25, [DN_V] = v, [DN_FLOW] = 1.25};
    for (int prediction = DN_EPSILON; prediction <= DN_FLOW; prediction++) {
        spec.diffusion.prediction_type = (enum dn_prediction)prediction;
        cr_assert_float_eq(nothing_of(&spec), expected[prediction], 0.1 * expected[prediction],
                           "%s", dn_prediction_names[prediction]);
    }
}

/* Far from 0 the mean is a better answer than 0, and it is what nothing is held against. */
Test(judge, nothing_knows_the_mean) {
    struct dn_spec spec = small_spec();
    float *points = calloc(2 * 2200, sizeof *points);
    for (int i = 0; i < 2 * 2200; i++)
        points[i] = 1000 + (float)(i % 7);
    struct dn_data data = {.dim = 2, .n = 2000, .n_val = 200, .points = points};
    struct dn_trainer *trainer;
    struct dn_verdict verdict;
    spec.diffusion.prediction_type = DN_SAMPLE;
    spec.training.normalization = DN_AS_IT_IS;
    cr_assert_eq(dn_trainer_new(&spec, &data, &trainer, NULL), DN_OK);
    cr_assert_eq(dn_trainer_judge(trainer, &verdict, NULL, NULL), DN_OK);
    cr_assert_float_eq(verdict.nothing, 4, 0.3); /* the variance of 0..6 */
    cr_assert_gt(verdict.loss, 1e5);
    dn_trainer_free(trainer);
    free(points);
}

/* Weighted as the loss is: min(SNR, gamma) / SNR of the noise. */
Test(judge, nothing_is_weighted) {
    struct dn_spec spec = small_spec();
    const int T = spec.diffusion.timesteps;
    struct dn_schedule_step steps[DN_MAX_TIMESTEPS];
    double expected = 0;
    spec.diffusion.prediction_type = DN_EPSILON;
    spec.training.min_snr_gamma = 5;
    cr_assert_eq(dn_schedule_steps(&spec.diffusion, steps, NULL), DN_OK);
    for (int t = 0; t < T; t++)
        expected += fmin(1, 5 / steps[t].snr) / T;
    cr_assert_float_eq(nothing_of(&spec), expected, 0.15 * expected);
}

Test(judge, a_trained_model_says_more_and_judging_changes_nothing) {
    struct dn_spec spec = small_spec();
    spec.training.epochs = 40;
    spec.training.batch_size = 50;
    struct dn_trainer *judged = trainer_of(&spec), *other = trainer_of(&spec);
    struct dn_verdict first = {0}, last = {0};
    struct dn_epoch epoch;
    for (int e = 0; e < 40; e++) {
        cr_assert_eq(dn_trainer_judge(judged, e ? &last : &first, NULL, NULL), DN_OK);
        cr_assert_eq(dn_trainer_check(judged, true, NULL, NULL), DN_OK);
        cr_assert_eq(dn_trainer_epoch(judged, NULL, &epoch, NULL), DN_OK);
        cr_assert_eq(dn_trainer_epoch(other, NULL, &epoch, NULL), DN_OK);
    }
    cr_assert_gt(first.loss, 0.9 * first.nothing);
    cr_assert_lt(last.loss, 0.92 * last.nothing, "%g %g", last.loss, last.nothing);
    cr_assert_float_eq(last.loss, epoch.val_loss, 0.2 * epoch.val_loss);
    const size_t size = dn_trainer_bytes(judged);
    unsigned char *one = malloc(size), *two = malloc(size);
    dn_trainer_save(judged, one);
    dn_trainer_save(other, two);
    cr_assert_eq(memcmp(one, two, size), 0);
    free(one);
    free(two);
    dn_trainer_free(judged);
    dn_trainer_free(other);
}

/* ------------------------------------------------------------------ what cannot be sampled from */

static void check_diverged(struct dn_trainer *trainer, float value, const char *what) {
    struct dn_error error = {""};
    for (size_t i = 0; i < trainer->network.size; i++)
        if (trainer->parameters[i] != 0)
            trainer->parameters[i] = i % 3 ? value : -value; /* inf - inf */
    cr_assert_eq(dn_trainer_check(trainer, false, NULL, &error), DN_DIVERGED);
    cr_assert(strstr(error.text, what), "%s", error.text);
    cr_assert_eq(dn_trainer_check(trainer, true, NULL, NULL), DN_DIVERGED);
}

Test(judge, weights_beyond_all_bounds_are_no_model) {
    const struct dn_spec spec = small_spec();
    struct dn_trainer *trainer = trainer_of(&spec);
    cr_assert_eq(dn_trainer_check(trainer, true, NULL, NULL), DN_OK);
    check_diverged(trainer, 1e30f, "cannot generate samples");
    check_diverged(trainer, INFINITY, "the weights are not finite");
    dn_trainer_free(trainer);
}

/* A model of before the rule is still read, and says of itself what is wrong. */
Test(judge, a_stored_model_without_signal_is_read_and_gives_no_numbers) {
    struct dn_spec spec = small_spec();
    struct dn_model *model, *loaded;
    struct dn_error error = {""};
    float points[2];
    spec.diffusion = (struct dn_diffusion_spec){
        1387, DN_BETA_QUADRATIC, 1e-4, 0.7, DN_EPSILON, false, 0.002, 80};
    cr_assert_eq(dn_spec_check(&spec, &error), DN_INVALID);
    cr_assert(strstr(error.text, "diffusion.prediction_type cannot be \"epsilon\""), "%s",
              error.text);
    cr_assert_eq(model_new(&spec, kernels_get(), &model, NULL), DN_OK);
    for (int j = 0; j < 2; j++)
        model->transform.scale[j] = 1;
    for (size_t i = 0; i < model->network.size; i++)
        model->parameters[i] = 0.1f;
    void *bytes = malloc(dn_model_bytes(model));
    dn_model_save(model, bytes);
    cr_assert_eq(dn_model_load(bytes, dn_model_bytes(model), &loaded, &error), DN_OK, "%s",
                 error.text);
    for (int clip = 0; clip < 2; clip++)
        cr_assert_eq(dn_sample(loaded, &(struct dn_sample_request){.n = 1, .clip = clip},
                               &(struct dn_sample_result){.points = points}, NULL, &error),
                     DN_NOT_FINITE);
    free(bytes);
    dn_model_free(model);
    dn_model_free(loaded);
}

/* ------------------------------------------------------------------ schedules and plans */

static bool plan_is_finite(const struct plan *plan) {
    bool finite = true;
    for (int k = 0; k < plan->steps; k++) {
        const struct plan_step *step = &plan->step[k];
        const float all[] = {step->from_x0,   step->from_xt,    step->from_other,
                             step->deviation, step->predict_x0, step->predict_xt};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            finite &= isfinite(all[i]) != 0;
    }
    return finite;
}

static void check_plans(const struct schedule *schedule, const char *name) {
    const int T = schedule->timesteps, steps[] = {1, 2, 7, T};
    const struct moments moments = {
        .dim = 4, .nodes = 1, .variance = {1e38f, 0.25f, 1e-38f, 0}, .open = {1, 0.5f, 1, 1}};
    for (int sampler = 0; sampler < DN_SAMPLER_COUNT; sampler++)
        for (int i = 0; i < 4; i++) {
            struct plan plan;
            if (steps[i] > T)
                continue;
            cr_assert_eq(
                plan_init(&plan, schedule, &moments, (enum dn_sampler)sampler, steps[i], 0.5, NULL),
                DN_OK);
            for (int k = 0; k < 4 * steps[i]; k++)
                cr_assert(isfinite(plan.growth[k]), "%s in %d of %d steps of %s",
                          dn_sampler_names[sampler], steps[i], T, name);
            cr_assert(plan_is_finite(&plan), "%s in %d of %d steps of %s",
                      dn_sampler_names[sampler], steps[i], T, name);
            plan_clear(&plan);
        }
}

/* 0/0 comes where the signal is below what a double can tell from 0. */
static void check_schedule(const struct dn_diffusion_spec *spec) {
    struct schedule schedule;
    const char *name = dn_beta_schedule_names[spec->beta_schedule];
    cr_assert_eq(schedule_init(&schedule, spec, NULL), DN_OK);
    for (int t = 1; t <= spec->timesteps; t++) {
        cr_assert(schedule.alpha[t] >= 0 && schedule.beta[t] >= 0 && schedule.variance[t] > 0 &&
                      schedule.beta[t] <= 1 && isfinite(schedule_snr(&schedule, t)),
                  "%s at %d of %d", name, t, spec->timesteps);
        for (int p = DN_EPSILON; p <= DN_FLOW; p++) {
            struct dn_diffusion_spec own = *spec;
            double from_x, from_out;
            own.prediction_type = (enum dn_prediction)p;
            if (t > 1 || dn_diffusion_check(&own, NULL) != DN_OK)
                continue;
            for (int u = 1; u <= spec->timesteps; u++) {
                diffusion_factors(&schedule, own.prediction_type, u, &from_x, &from_out);
                cr_assert(isfinite((float)from_x) && isfinite((float)from_out));
                cr_assert(
                    isfinite((float)diffusion_weight(&schedule, own.prediction_type, 1e6, u)));
            }
        }
    }
    check_plans(&schedule, name);
    schedule_clear(&schedule);
}

/* Every pair of the two values that a schedule reads; one pair if it reads none. Returns how many
 * were checked. */
static int check_pairs(struct dn_diffusion_spec spec) {
    const bool is_geometric = spec.beta_schedule == DN_BETA_LOG_LINEAR;
    const bool reads = is_geometric || spec.beta_schedule == DN_BETA_LINEAR ||
                       spec.beta_schedule == DN_BETA_QUADRATIC;
    const struct factor_row *from = &factors[is_geometric ? F_ratio_min : F_beta_start];
    const struct factor_row *to = &factors[is_geometric ? F_ratio_max : F_beta_end];
    int checked = 0;
    for (int b = 0; b < (reads ? from->count * to->count : 1); b++) {
        *(is_geometric ? &spec.ratio_min : &spec.beta_start) = from->values[b / to->count];
        *(is_geometric ? &spec.ratio_max : &spec.beta_end) = to->values[b % to->count];
        if (dn_diffusion_check(&spec, NULL) != DN_OK)
            continue;
        check_schedule(&spec);
        checked++;
    }
    return checked;
}

Test(judge, every_plan_of_every_schedule_is_finite, .timeout = 600) {
    const struct factor_row *T = &factors[F_timesteps];
    int checked = 0;
    for (int i = 0; i < T->count; i++)
        for (int schedule = 0; schedule <= DN_BETA_FLOW; schedule++)
            for (int zero = 0; zero < 2; zero++) {
                struct dn_diffusion_spec spec = dn_presets[0].spec.diffusion;
                spec.timesteps = (int)T->values[i];
                spec.beta_schedule = (enum dn_beta_schedule)schedule;
                spec.zero_terminal_snr = zero;
                checked += check_pairs(spec);
            }
    cr_assert_gt(checked, 300, "%d", checked);
}
