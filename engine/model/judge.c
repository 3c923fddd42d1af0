/*
 * judge.c - two checks of a trained model: can it be sampled from, and is it better than a constant
 * output?
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "engine/model/train.h"
#include "engine/network/loss.h"

/* ------------------------------------------------------------------ samples */

enum { PROBES = 8, FEW_STEPS = 3 };
#define PROBE_FLOPS 1e10 /* for a thorough check: about a tenth of a second */

static int probe_steps(const struct dn_model *model, int n, bool thorough) {
    const int T = model->schedule.timesteps, few = T < FEW_STEPS ? T : FEW_STEPS;
    const double step = network_row_flops(&model->network) * n;
    const double affordable = thorough ? PROBE_FLOPS / step : 0;
    return affordable >= T ? T : affordable > few ? (int)affordable : few;
}

static enum dn_status draw_probes(const struct dn_model *model, bool thorough, dn_stop_flag *stop,
                                  struct dn_error *error) {
    const int classes = model->spec.dataset.classes;
    struct dn_sample_request request = {
        .n = classes > PROBES ? classes : PROBES,
        .seed = model->spec.seed,
        .clip = true,
        .guidance = classes > 0 ? 1 : 0,
        .label = DN_LABELS_IN_TURN,
    };
    request.steps = probe_steps(model, request.n, thorough);
    float *points = floats_new((size_t)request.n * (size_t)model->dim);
    if (!points)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    enum dn_status status =
        dn_sample(model, &request, &(struct dn_sample_result){.points = points}, stop, error);
    free(points);
    return status;
}

enum dn_status dn_trainer_check(const struct dn_trainer *trainer, bool thorough, dn_stop_flag *stop,
                                struct dn_error *error) {
    const struct dn_model model = {.spec = trainer->spec,
                                   .dim = trainer->dim,
                                   .transform = trainer->transform,
                                   .schedule = trainer->schedule,
                                   .network = trainer->network,
                                   .parameters = (float *)trainer_model_weights(trainer)};
    if (!all_finite(model.parameters, model.network.size))
        return error_set(error, DN_DIVERGED,
                         "the weights are not finite after epoch %d; a smaller learning_rate or "
                         "weight_decay, or gradient_clip, may help",
                         trainer->at.epoch);
    enum dn_status status = draw_probes(&model, thorough, stop, error);
    if (status != DN_NOT_FINITE)
        return status;
    return error_set(error, DN_DIVERGED,
                     "the model of epoch %d cannot generate samples: its points are not finite; a "
                     "smaller learning_rate or weight_decay, or gradient_clip, may help",
                     trainer->at.epoch);
}

/* ------------------------------------------------------------------ loss */

/* Noised points, and their values at most. */
enum { JUDGED = 1024, JUDGED_VALUES = JUDGED * DN_MAX_DIM };

static size_t judged_of(size_t dim) {
    const size_t count = JUDGED_VALUES / dim;
    return count > JUDGED ? JUDGED : count;
}

static size_t judged_from(const struct noised *set, size_t n, size_t i) {
    return n > set->n ? i * n / set->n : i % n;
}

static void take_labels(struct noised *set, const int32_t *labels, size_t n) {
    for (size_t i = 0; set->seen && i < set->n; i++)
        set->seen[i] = labels[judged_from(set, n, i)];
}

/* Takes training points, or validation points, spread evenly, or repeats them, and adds noise. */
static void judged_draw(const struct dn_trainer *trainer, struct noised *set, bool validates) {
    static const struct noised_streams streams = {RANDOM_VALIDATION_TIMESTEP,
                                                  RANDOM_VALIDATION_NOISE, RANDOM_VALIDATION_LABEL,
                                                  RANDOM_VALIDATION_GIVEN, false};
    const struct noised *validation = &trainer->validation;
    const size_t dim = (size_t)trainer->dim, n = validates ? validation->n : trainer->n;
    for (size_t i = 0; i < set->n; i++) {
        const size_t from = judged_from(set, n, i);
        if (validates)
            memcpy(set->x_0 + i * dim, validation->x_0 + from * dim, dim * sizeof(float));
        else
            trainer_point(trainer, from, set->x_0 + i * dim);
    }
    take_labels(set, validates ? validation->seen : trainer->labels, n);
    noised_draw(set, &trainer->spec, &trainer->schedule, set->n, &streams, validates ? 2 : 1);
}

static double weight_at(const struct dn_trainer *trainer, int32_t t) {
    return trainer->t_weights ? (double)trainer->t_weights[t] : 1;
}

/* The mean of the targets, with the weights of the loss. sums [2][dim] is scratch. */
static void mean_target(const struct dn_trainer *trainer, const struct noised *set, double *sums,
                        float *mean) {
    const size_t dim = (size_t)trainer->dim;
    double *weights = sums + dim;
    for (size_t i = 0; i < set->n; i++)
        for (size_t j = 0; j < dim; j++) {
            const bool counts = !set->given || !(set->given[i] >> j & 1);
            const double weight = counts ? weight_at(trainer, set->t[i]) : 0;
            sums[j] += weight * (double)set->target[i * dim + j];
            weights[j] += weight;
        }
    for (size_t j = 0; j < dim; j++)
        mean[j] = weights[j] > 0 ? (float)(sums[j] / weights[j]) : 0;
}

/* The loss of a network with this output [dim] for every point. out [dim] is scratch. */
static double loss_of_constant(const struct dn_trainer *trainer, const struct noised *set,
                               const float *output, float *out) {
    const size_t dim = (size_t)trainer->dim;
    double sum = 0;
    for (size_t i = 0; i < set->n; i++) {
        double loss = 0;
        memcpy(out, output, dim * sizeof *out);
        loss_rows(trainer->spec.training.loss, 1, dim, out, dim, set->target + i * dim,
                  set->given ? set->given + i : NULL, set->t + i, trainer->t_weights, 0, &loss);
        sum += loss;
    }
    return sum / (double)noised_count_free(set, set->n, trainer->dim);
}

static enum dn_status judge(struct dn_trainer *trainer, struct noised *set,
                            struct dn_verdict *verdict, dn_stop_flag *stop,
                            struct dn_error *error) {
    const struct noised *validation = &trainer->validation;
    const size_t dim = (size_t)trainer->dim;
    float *zero = calloc(3 * dim, sizeof *zero), *mean = zero + dim, *out = zero + 2 * dim;
    double *sums = calloc(2 * dim, sizeof *sums);
    if (!zero || !sums) {
        free(zero), free(sums);
        return error_set(error, DN_NO_MEMORY, "out of memory");
    }
    judged_draw(trainer, set, false);
    mean_target(trainer, set, sums, mean);
    if (validation->n > 0) {
        judged_draw(trainer, set, true);
        take_labels(set, validation->seen, validation->n); /* some are hidden already */
    }
    verdict->nothing =
        fmin(loss_of_constant(trainer, set, zero, out), loss_of_constant(trainer, set, mean, out));
    free(zero), free(sums);
    return trainer_loss(trainer, set, trainer_model_weights(trainer), stop, &verdict->loss, error);
}

enum dn_status dn_trainer_judge(struct dn_trainer *trainer, struct dn_verdict *verdict,
                                dn_stop_flag *stop, struct dn_error *error) {
    struct noised set = {0};
    struct dn_verdict found = {NAN, NAN};
    enum dn_status status = noised_init(&set, &trainer->spec, &trainer->schedule,
                                        trainer->network.kernels, judged_of((size_t)trainer->dim))
                                ? judge(trainer, &set, &found, stop, error)
                                : error_set(error, DN_NO_MEMORY, "out of memory");
    noised_clear(&set);
    if (status == DN_OK)
        *verdict = found;
    return status;
}
