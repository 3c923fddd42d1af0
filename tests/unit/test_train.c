/* Training: it learns, it is deterministic, and a resumed training ends in the same bytes. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/diffusion/noised.h"
#include "engine/model/model.h"
#include "engine/network/network.h"
#include "engine/network/optimizer.h"

static struct dn_spec small_spec(void) {
    struct dn_spec spec = dn_presets[1].spec;
    spec.dataset.sources[0].n = 1000;
    spec.training.epochs = 6;
    return spec;
}

static struct dn_trainer *trainer_of(const struct dn_spec *spec) {
    struct dn_trainer *trainer;
    struct dn_error error;
    cr_assert_eq(dn_trainer_new(spec, NULL, &trainer, &error), DN_OK, "%s", error.text);
    return trainer;
}

static void train(struct dn_trainer *trainer, int epochs, struct dn_epoch *results) {
    struct dn_error error;
    for (int i = 0; i < epochs; i++)
        cr_assert_eq(dn_trainer_epoch(trainer, NULL, &results[i], &error), DN_OK, "%s", error.text);
}

static unsigned char *state_of(const struct dn_trainer *trainer, size_t *size) {
    *size = dn_trainer_bytes(trainer);
    unsigned char *bytes = malloc(*size);
    dn_trainer_save(trainer, bytes);
    return bytes;
}

Test(train, last_partial_batch_is_kept) {
    struct dn_spec spec = dn_presets[1].spec;
    cr_assert_eq(dn_spec_steps_per_epoch(&spec), 313);
    spec.training.epochs = 1;
    struct dn_trainer *trainer = trainer_of(&spec);
    struct dn_epoch epoch;
    train(trainer, 1, &epoch);
    cr_assert_eq(epoch.epoch, 1);
    cr_assert_eq(epoch.step, 313);
    dn_trainer_free(trainer);
}

/* An untrained network predicts little, so the first loss is near E eps^2 = 1 (mse), E|eps| = 0.798
 * (mae), or for huber the integral of its two pieces, 0.42466. */
Test(train, loss_starts_at_the_variance_of_the_noise_and_falls) {
    static const double starts[] = {1, 0.79788, 0.42466};
    for (int loss = DN_MSE; loss <= DN_HUBER; loss++) {
        struct dn_spec spec = small_spec();
        struct dn_epoch epochs[6];
        spec.training.loss = (enum dn_loss)loss;
        struct dn_trainer *trainer = trainer_of(&spec);
        train(trainer, 6, epochs);
        double start = starts[loss];
        cr_assert_float_eq(epochs[0].train_loss, start, 0.15 * start);
        cr_assert_lt(epochs[5].train_loss, epochs[0].train_loss);
        cr_assert_lt(epochs[5].val_loss, epochs[0].val_loss);
        dn_trainer_free(trainer);
    }
}

/* Weights that are the same at all t scale the losses and, through Adam, nothing else: a gamma
 * below every SNR, for a network that predicts x_0, weighs all with gamma. */
Test(train, constant_weights_only_scale_the_loss) {
    struct dn_spec spec = small_spec();
    struct dn_epoch plain, weighted;
    spec.diffusion.prediction_type = DN_SAMPLE;
    struct dn_trainer *trainer = trainer_of(&spec);
    train(trainer, 1, &plain);
    dn_trainer_free(trainer);
    spec.training.min_snr_gamma = 0.25;
    trainer = trainer_of(&spec);
    train(trainer, 1, &weighted);
    dn_trainer_free(trainer);
    cr_assert_float_eq(weighted.train_loss, plain.train_loss / 4, 1e-6 * plain.train_loss);
    cr_assert_float_eq(weighted.val_loss, plain.val_loss / 4, 1e-6 * plain.val_loss);
    cr_assert_float_eq(weighted.gradient_norm, plain.gradient_norm / 4, 1e-5 * plain.gradient_norm);
}

/* Of a batch that is dealt out evenly, the share up to any t is that of the distribution, but for
 * one point; of independent draws, but for chance. */
Test(train, a_focus_says_how_many_points_have_less_noise) {
    enum { T = 100, N = 999 };
    const double focus = 0.3;
    struct dn_spec spec = dn_presets[0].spec;
    spec.training.timestep_focus = focus;
    for (int kind = 0; kind <= DN_BETA_FLOW; kind++)
        for (int even = 0; even <= 1; even++) {
            const struct noised_streams streams = {RANDOM_TIMESTEP, RANDOM_NOISE, RANDOM_LABEL,
                                                   RANDOM_GIVEN, even};
            struct dn_schedule_step steps[T];
            struct schedule schedule;
            struct noised batch = {0};
            spec.diffusion.beta_schedule = (enum dn_beta_schedule)kind;
            cr_assert_eq(dn_schedule_steps(&spec.diffusion, steps, NULL), DN_OK);
            cr_assert_eq(schedule_init(&schedule, &spec.diffusion, NULL), DN_OK);
            cr_assert(noised_init(&batch, &spec, &schedule, kernels_get(), N));
            noised_draw(&batch, &spec, &schedule, N, &streams, 7);
            const double whole = M_PI / 2 - atan(focus * sqrt(steps[T - 1].snr));
            for (int t = 1; t <= T; t++) {
                const double share = (M_PI / 2 - atan(focus * sqrt(steps[t - 1].snr))) / whole;
                int count = 0;
                for (int i = 0; i < N; i++)
                    count += batch.t[i] <= t;
                cr_assert_lt(fabs(count - N * share), even ? 1.001 : 80, "%s, t %d: %d, not %g",
                             dn_beta_schedule_names[kind], t, count, N * share);
            }
            noised_clear(&batch);
            schedule_clear(&schedule);
        }
}

/* Every prediction of every schedule learns, and resumes to the same bytes. */
Test(train, all_predictions_and_schedules_learn) {
    for (int kind = DN_BETA_COSINE; kind <= DN_BETA_FLOW; kind++)
        for (int prediction = DN_SAMPLE; prediction <= DN_FLOW; prediction++) {
            struct dn_spec spec = small_spec();
            struct dn_epoch epochs[6];
            spec.diffusion.beta_schedule = (enum dn_beta_schedule)kind;
            spec.diffusion.prediction_type = (enum dn_prediction)prediction;
            spec.diffusion.zero_terminal_snr = true;
            spec.training.min_snr_gamma = prediction == DN_V ? 5 : 0;
            struct dn_trainer *trainer = trainer_of(&spec);
            train(trainer, 6, epochs);
            cr_assert_lt(epochs[5].val_loss, epochs[0].val_loss, "%s %s",
                         dn_beta_schedule_names[kind], dn_prediction_names[prediction]);
            dn_trainer_free(trainer);
        }
}

Test(train, same_seed_same_bytes_other_seed_other_bytes) {
    struct dn_epoch epochs[3];
    unsigned char *states[3];
    size_t size;
    for (int i = 0; i < 3; i++) {
        struct dn_spec spec = small_spec();
        spec.seed = i == 2;
        struct dn_trainer *trainer = trainer_of(&spec);
        train(trainer, 3, epochs);
        states[i] = state_of(trainer, &size);
        dn_trainer_free(trainer);
    }
    cr_assert_arr_eq(states[0], states[1], size);
    cr_assert_neq(memcmp(states[0], states[2], size), 0);
    for (int i = 0; i < 3; i++)
        free(states[i]);
}

static void check_resume(struct dn_spec spec) {
    struct dn_epoch straight[6], resumed[6];
    size_t size, half_size;
    struct dn_trainer *trainer = trainer_of(&spec);
    train(trainer, 2, straight);
    unsigned char *half = state_of(trainer, &half_size);
    train(trainer, 4, straight + 2);
    unsigned char *end = state_of(trainer, &size);
    dn_trainer_free(trainer);

    trainer = trainer_of(&spec);
    cr_assert_eq(dn_trainer_load(trainer, half, half_size, NULL), DN_OK);
    cr_assert_eq(dn_trainer_epochs_done(trainer), 2);
    train(trainer, 4, resumed + 2);
    unsigned char *other = state_of(trainer, &size);
    dn_trainer_free(trainer);
    cr_assert_arr_eq(end, other, size);
    for (int i = 2; i < 6; i++) {
        cr_assert_eq(resumed[i].epoch, straight[i].epoch);
        cr_assert_eq(resumed[i].step, straight[i].step);
        cr_assert_eq(resumed[i].train_loss, straight[i].train_loss);
        cr_assert_eq(resumed[i].val_loss, straight[i].val_loss);
        cr_assert_eq(resumed[i].learning_rate, straight[i].learning_rate);
        cr_assert_eq(resumed[i].gradient_norm, straight[i].gradient_norm);
    }
    free(half), free(end), free(other);
}

Test(train, resumed_training_ends_in_the_same_bytes) {
    struct dn_spec spec = small_spec();
    check_resume(spec);
    spec.training.ema_decay = 0.99;
    spec.training.lr_schedule = DN_LR_COSINE;
    spec.training.gradient_clip = 0.5;
    spec.network.time_embedding = DN_LEARNED;
    spec.network.conditioning = DN_MULTIPLY;
    spec.training.batch_size = 999; /* a last batch of one point */
    check_resume(spec);
    spec.training.timestep_focus = 0.5;
    spec.diffusion.beta_schedule = DN_BETA_FLOW;
    spec.diffusion.prediction_type = DN_FLOW;
    spec.training.loss = DN_HUBER;
    spec.training.min_snr_gamma = 5;
    spec.training.normalization = DN_STANDARDIZE;
    spec.training.weight_decay = 0.1;
    spec.training.lr_schedule = DN_LR_LINEAR;
    spec.training.lr_warmup_steps = 3;
    spec.training.keep_best = true;
    check_resume(spec);
}

/* A rate that grows for ever makes the loss rise again; the model is that of the best epoch, before
 * and after a resume, and it is the one that a training which ends there gives. */
Test(train, the_best_weights_are_kept) {
    struct dn_spec spec = small_spec();
    struct dn_epoch epochs[6];
    struct dn_model *model, *expected;
    size_t size;
    int best = 0;
    spec.training.learning_rate = 0.2;
    spec.training.lr_warmup_steps = 300;
    spec.training.keep_best = true;
    struct dn_trainer *trainer = trainer_of(&spec);
    cr_assert_eq(dn_trainer_model(trainer, &model, NULL), DN_OK);
    cr_assert_eq(dn_model_epoch(model), 0); /* nothing trained yet */
    dn_model_free(model);
    train(trainer, 6, epochs);
    for (int i = 1; i < 6; i++)
        if (epochs[i].val_loss < epochs[best].val_loss)
            best = i;
    cr_assert_lt(best, 5, "the loss was to rise again");
    unsigned char *state = state_of(trainer, &size);
    dn_trainer_free(trainer);
    trainer = trainer_of(&spec);
    cr_assert_eq(dn_trainer_load(trainer, state, size, NULL), DN_OK);
    free(state);
    cr_assert_eq(dn_trainer_model(trainer, &model, NULL), DN_OK);
    cr_assert_eq(dn_model_epoch(model), best + 1);
    dn_trainer_free(trainer);

    spec.training.keep_best = false;
    trainer = trainer_of(&spec);
    train(trainer, best + 1, epochs);
    cr_assert_eq(dn_trainer_model(trainer, &expected, NULL), DN_OK);
    cr_assert_arr_eq(model->parameters, expected->parameters, model->network.size * sizeof(float));
    dn_trainer_free(trainer);
    dn_model_free(model), dn_model_free(expected);
}

Test(train, keeping_the_best_needs_validation) {
    struct dn_spec spec = small_spec();
    struct dn_error error;
    spec.training.keep_best = true;
    spec.training.validation_fraction = 0.0009; /* of 1 000 points */
    cr_assert_eq(dn_spec_check(&spec, &error), DN_INVALID);
    cr_assert(strstr(error.text, "keep_best"));
}

/* Two patterns, so two classes. */
static struct dn_spec mixture_spec(void) {
    struct dn_spec spec = small_spec();
    spec.dataset.source_count = spec.dataset.classes = 2;
    spec.dataset.sources[1] = (struct dn_source){.pattern = DN_MOONS, .n = 500, .seed = 3};
    return spec;
}

Test(train, a_conditional_training_resumes_to_the_same_bytes) {
    struct dn_spec spec = mixture_spec();
    check_resume(spec);
    spec.training.batch_size = 999;
    spec.network.conditioning = DN_MULTIPLY;
    spec.network.time_embedding = DN_LEARNED;
    check_resume(spec);
}

/* The rows of the label tables that a training has changed: class 0, class 1, no label. */
static void changed_labels(double p_uncond, bool changed[3]) {
    struct dn_spec spec = mixture_spec();
    struct dn_epoch epoch;
    struct dn_model *before, *after;
    spec.training.p_uncond = p_uncond;
    struct dn_trainer *trainer = trainer_of(&spec);
    cr_assert_eq(dn_trainer_model(trainer, &before, NULL), DN_OK);
    train(trainer, 1, &epoch);
    cr_assert_eq(dn_trainer_model(trainer, &after, NULL), DN_OK);
    const struct tensor *table = &before->network.mlp.layers[1].label;
    cr_assert_eq(table->rows, 3);
    for (size_t row = 0; row < 3; row++)
        changed[row] = memcmp(before->parameters + table->offset + row * table->ld,
                              after->parameters + table->offset + row * table->ld,
                              (size_t)table->cols * sizeof(float)) != 0;
    dn_model_free(before), dn_model_free(after);
    dn_trainer_free(trainer);
}

Test(train, labels_are_hidden_with_the_asked_probability) {
    bool changed[3];
    changed_labels(0, changed);
    cr_assert(changed[0] && changed[1] && !changed[2]);
    changed_labels(0.5, changed);
    cr_assert(changed[0] && changed[1] && changed[2]);
    changed_labels(1, changed);
    cr_assert(!changed[0] && !changed[1] && changed[2]);
}

/* A class that lies elsewhere is told apart: with labels the noise is better predicted. */
Test(train, labels_help) {
    enum { N = 600 };
    float points[N][1];
    int32_t labels[N];
    struct dn_epoch with[20], without[20];
    for (int i = 0; i < N; i++)
        points[i][0] = (float)(labels[i] = i % 2);
    struct dn_spec spec = dn_presets[0].spec;
    spec.dataset = (struct dn_dataset_spec){
        .source_count = 1, .dim = 1, .classes = 2, .sources = {{.pattern = DN_UPLOADED, .n = N}}};
    spec.training.epochs = 20;
    spec.training.batch_size = 32;
    spec.training.p_uncond = 0;
    struct dn_data data;
    struct dn_upload upload = {N, spec.dataset.dim, points[0], labels};
    struct dn_trainer *trainer;
    cr_assert_eq(dn_data_draw(&spec, &upload, &data, NULL, NULL), DN_OK);
    cr_assert_eq(dn_trainer_new(&spec, &data, &trainer, NULL), DN_OK);
    train(trainer, 20, with);
    dn_trainer_free(trainer);
    spec.dataset.classes = 0;
    cr_assert_eq(dn_trainer_new(&spec, &data, &trainer, NULL), DN_OK);
    train(trainer, 20, without);
    dn_trainer_free(trainer);
    dn_data_clear(&data);
    cr_assert_lt(with[19].val_loss, without[19].val_loss / 2);
}

/* The gradient of a large batch adds up over chunks of rows: one epoch as one batch must equal the
 * mean of gradients. */
Test(train, a_batch_larger_than_the_data_is_the_data) {
    struct dn_spec spec = small_spec();
    struct dn_epoch a, b;
    spec.training.batch_size = 1000;
    struct dn_trainer *one = trainer_of(&spec);
    train(one, 1, &a);
    spec.training.batch_size = 65536;
    struct dn_trainer *other = trainer_of(&spec);
    train(other, 1, &b);
    cr_assert_eq(a.step, 1);
    cr_assert_eq(b.step, 1);
    cr_assert_eq(a.train_loss, b.train_loss);
    cr_assert_eq(a.gradient_norm, b.gradient_norm);
    dn_trainer_free(one);
    dn_trainer_free(other);
}

Test(train, stop_flag_and_divergence_are_reported) {
    struct dn_spec spec = small_spec();
    struct dn_trainer *trainer = trainer_of(&spec);
    struct dn_epoch epoch;
    struct dn_error error;
    bool stop = true;
    cr_assert_eq(dn_trainer_epoch(trainer, &stop, &epoch, &error), DN_STOPPED);
    dn_trainer_free(trainer);

    spec.training.learning_rate = 10;
    spec.network.conditioning = DN_MULTIPLY; /* products of growing numbers overflow */
    spec.network.hidden_layers = 8;
    spec.training.epochs = 100;
    trainer = trainer_of(&spec);
    enum dn_status status = DN_OK;
    for (int i = 0; i < 100 && status == DN_OK; i++)
        status = dn_trainer_epoch(trainer, NULL, &epoch, &error);
    cr_assert_eq(status, DN_DIVERGED);
    cr_assert_geq(epoch.epoch, 1);
    cr_assert(isfinite(epoch.train_loss));
    cr_assert_neq(strstr(error.text, "epoch"), NULL);
    dn_trainer_free(trainer);
}

Test(train, without_validation_points_the_loss_is_not_a_number) {
    struct dn_spec spec = small_spec();
    struct dn_epoch epoch;
    spec.training.validation_fraction = 0;
    struct dn_trainer *trainer = trainer_of(&spec);
    train(trainer, 1, &epoch);
    cr_assert(isnan(epoch.val_loss));
    dn_trainer_free(trainer);
}

Test(optimizer, learning_rate_follows_its_schedule) {
    struct dn_training_spec spec = {.learning_rate = 0.1, .lr_schedule = DN_LR_CONSTANT};
    cr_assert_eq(optimizer_learning_rate(&spec, 70, 100), 0.1);
    spec.lr_schedule = DN_LR_COSINE;
    cr_assert_float_eq(optimizer_learning_rate(&spec, 1, 100), 0.1, 1e-15);
    cr_assert_float_eq(optimizer_learning_rate(&spec, 51, 100), 0.05, 1e-15);
    cr_assert_float_eq(optimizer_learning_rate(&spec, 101, 100), 0, 1e-15);
    spec.lr_schedule = DN_LR_LINEAR;
    cr_assert_float_eq(optimizer_learning_rate(&spec, 1, 100), 0.1, 1e-15);
    cr_assert_float_eq(optimizer_learning_rate(&spec, 26, 100), 0.075, 1e-15);
    cr_assert_float_eq(optimizer_learning_rate(&spec, 101, 100), 0, 1e-15);
}

/* 20 steps up to the whole rate, then the schedule over the 80 that are left. */
Test(optimizer, learning_rate_warms_up_first) {
    for (int schedule = DN_LR_CONSTANT; schedule <= DN_LR_LINEAR; schedule++) {
        struct dn_training_spec spec = {.learning_rate = 0.1,
                                        .lr_schedule = (enum dn_lr_schedule)schedule,
                                        .lr_warmup_steps = 20};
        cr_assert_float_eq(optimizer_learning_rate(&spec, 1, 100), 0.005, 1e-15);
        cr_assert_float_eq(optimizer_learning_rate(&spec, 20, 100), 0.1, 1e-15);
        cr_assert_float_eq(optimizer_learning_rate(&spec, 21, 100), 0.1, 1e-15);
        double half = schedule == DN_LR_CONSTANT ? 0.1 : 0.05;
        cr_assert_float_eq(optimizer_learning_rate(&spec, 61, 100), half, 1e-15);
        spec.lr_warmup_steps = 200; /* longer than the training */
        cr_assert_float_eq(optimizer_learning_rate(&spec, 100, 100), 0.05, 1e-15);
    }
}

/* Without a gradient, decay alone moves the weights: by lr x decay of themselves at each step. */
Test(optimizer, weights_decay_apart_from_the_gradient) {
    float parameters[16] = {1, -2}, gradients[16] = {0};
    struct dn_training_spec spec = {.learning_rate = 0.1, .weight_decay = 0.5};
    struct optimizer optimizer;
    cr_assert_eq(optimizer_init(&optimizer, 16, &spec, kernels_get(), NULL), DN_OK);
    for (int step = 0; step < 3; step++)
        optimizer_step(&optimizer, &spec, 10, parameters, gradients);
    cr_assert_float_eq(parameters[0], pow(0.95, 3), 1e-6);
    cr_assert_float_eq(parameters[1], -2 * pow(0.95, 3), 1e-6);
    cr_assert_eq(optimizer.m[0], 0);
    optimizer_clear(&optimizer);
}

/* The first Adam step moves each parameter by the learning rate against the sign of its gradient;
 * clipping does not change that, but it changes the moments. */
Test(optimizer, clips_by_the_global_norm) {
    float parameters[16] = {0}, gradients[16] = {3, 4};
    struct dn_training_spec spec = {.learning_rate = 0.1, .gradient_clip = 1};
    struct optimizer optimizer;
    cr_assert_eq(optimizer_init(&optimizer, 16, &spec, kernels_get(), NULL), DN_OK);
    optimizer_start(&optimizer, parameters);
    double norm = optimizer_step(&optimizer, &spec, 10, parameters, gradients);
    cr_assert_float_eq(norm, 5, 1e-6);
    cr_assert_float_eq(parameters[0], -0.1, 1e-6);
    cr_assert_float_eq(parameters[1], -0.1, 1e-6);
    cr_assert_float_eq(optimizer.m[0], 0.1 * 3 / 5, 1e-7);
    cr_assert_float_eq(optimizer.m[1], 0.1 * 4 / 5, 1e-7);
    optimizer_clear(&optimizer);
}

/* With a short memory at first: decay (1 + k) / (10 + k) until the asked-for one is smaller. */
Test(optimizer, average_warms_up) {
    float parameters[16] = {1}, gradients[16] = {0};
    struct dn_training_spec spec = {.learning_rate = 0.1, .ema_decay = 0.999};
    struct optimizer optimizer;
    cr_assert_eq(optimizer_init(&optimizer, 16, &spec, kernels_get(), NULL), DN_OK);
    optimizer_start(&optimizer, parameters);
    parameters[0] = 2;
    optimizer_step(&optimizer, &spec, 10, parameters, gradients);
    cr_assert_float_eq(optimizer.average[0], 1 * (2 / 11.0) + 2 * (9 / 11.0), 1e-6);
    optimizer_clear(&optimizer);
}
