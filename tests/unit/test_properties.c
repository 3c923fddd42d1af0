/* Random shapes: every variant of the kernels trains and samples alike, at any width, depth, batch
 * and number of timesteps. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"
#include "engine/denoise.h"

/* A number in low..high that depends on the case and on what it is for. */
static int pick(int number, int what, int low, int high) {
    double u = random_uniform(1234, RANDOM_NOISE, (uint32_t)number, (uint64_t)what);
    return low + (int)(u * (high - low + 1));
}

Test(properties, matrix_products_of_random_shapes_agree_with_double) {
    for (const struct kernels *const *variant = kernels_built; *variant; variant++) {
        const struct kernels *k = *variant;
        for (int number = 0; kernels_supported(k) && number < 120; number++) {
            const size_t m = (size_t)pick(number, 0, 1, 140), n = (size_t)pick(number, 1, 1, 200);
            const size_t depth = (size_t)pick(number, 2, 1, 700), ld = kernels_pad(n);
            const bool by_column = pick(number, 3, 0, 1), accumulate = pick(number, 4, 0, 1);
            const size_t a_row = by_column ? 1 : depth + 1, a_col = by_column ? m + 2 : 1;
            float *a = floats_new((m + 2) * (depth + 1)), *b = floats_new(depth * ld);
            float *c = floats_new(m * ld), *before = floats_new(m * ld);
            random_normals(kernels_get(), 7, RANDOM_NOISE, 1, 0, (m + 2) * (depth + 1), a);
            random_normals(kernels_get(), 7, RANDOM_NOISE, 2, 0, depth * ld, b);
            random_normals(kernels_get(), 7, RANDOM_NOISE, 3, 0, m * ld, c);
            memcpy(before, c, m * ld * sizeof *c);
            k->gemm(m, ld, depth, a, a_row, a_col, b, ld, c, ld, NULL, accumulate);
            for (int probe = 0; probe < 40; probe++) {
                size_t i = (size_t)pick(number, 100 + 2 * probe, 0, (int)m - 1);
                size_t j = (size_t)pick(number, 101 + 2 * probe, 0, (int)ld - 1);
                double sum = accumulate ? (double)before[i * ld + j] : 0, size = fabs(sum);
                for (size_t q = 0; q < depth; q++) {
                    double term = (double)a[i * a_row + q * a_col] * (double)b[q * ld + j];
                    sum += term;
                    size += fabs(term);
                }
                cr_assert_float_eq(c[i * ld + j], sum, 2e-6 * size, "%s %zux%zux%zu", k->name, m, n,
                                   depth);
            }
            free(a), free(b), free(c), free(before);
        }
    }
}

static struct dn_spec random_spec(int number) {
    struct dn_spec spec = dn_presets[1].spec;
    spec.seed = (uint64_t)number;
    spec.dataset.sources[0].pattern = pick(number, 0, 0, DN_PATTERN_COUNT - 1);
    spec.dataset.sources[0].n = pick(number, 1, 1, 400);
    spec.diffusion.timesteps = pick(number, 2, 1, 4) == 1 ? 1 : pick(number, 3, 1, 90);
    spec.diffusion.prediction_type = (enum dn_prediction)pick(number, 11, 0, 3);
    spec.diffusion.beta_schedule = DN_BETA_COSINE;
    if (spec.diffusion.prediction_type != DN_EPSILON)
        spec.diffusion.beta_schedule = (enum dn_beta_schedule)pick(number, 12, 1, DN_BETA_FLOW);
    spec.network.hidden_size = 2 * pick(number, 4, 4, 90);
    spec.network.hidden_layers = pick(number, 5, 1, 8);
    spec.network.time_embedding = (enum dn_time_embedding)pick(number, 6, 0, 1);
    spec.network.conditioning = (enum dn_conditioning)pick(number, 7, 0, 1);
    spec.training.batch_size = pick(number, 8, 1, 500);
    spec.training.loss = (enum dn_loss)pick(number, 9, 0, DN_HUBER);
    spec.training.ema_decay = pick(number, 10, 0, 1) ? 0.9 : 0;
    spec.training.epochs = 2;
    return spec;
}

/* The losses of two epochs, then points. */
static void run(const char *variant, const struct dn_spec *spec, double losses[4], float *points,
                int n) {
    struct dn_trainer *trainer;
    struct dn_model *model;
    struct dn_error error;
    cr_assert_eq(dn_kernels_use(variant, &error), DN_OK, "%s", error.text);
    cr_assert_eq(dn_trainer_new(spec, NULL, &trainer, &error), DN_OK, "%s", error.text);
    for (int i = 0; i < 2; i++) {
        struct dn_epoch epoch;
        cr_assert_eq(dn_trainer_epoch(trainer, NULL, &epoch, &error), DN_OK, "%s", error.text);
        losses[2 * i] = epoch.train_loss;
        losses[2 * i + 1] = epoch.val_loss;
    }
    cr_assert_eq(dn_trainer_model(trainer, &model, &error), DN_OK);
    struct dn_sample_request request = {.n = n, .seed = 1, .clip = true};
    struct dn_sample_result result = {.points = points};
    cr_assert_eq(dn_sample(model, &request, &result, NULL, &error), DN_OK);
    dn_model_free(model);
    dn_trainer_free(trainer);
}

Test(properties, variants_train_and_sample_alike) {
    enum { POINTS = 9 };
    for (int number = 0; number < 40; number++) {
        struct dn_spec spec = random_spec(number);
        double reference[4], losses[4];
        float expected[2 * POINTS], points[2 * POINTS];
        run("baseline", &spec, reference, expected, POINTS);
        for (const struct kernels *const *variant = kernels_built; *variant; variant++) {
            if (!kernels_supported(*variant) || strcmp((*variant)->name, "baseline") == 0)
                continue;
            run((*variant)->name, &spec, losses, points, POINTS);
            for (int i = 0; i < 4; i++)
                cr_assert(isnan(reference[i])
                              ? isnan(losses[i])
                              : fabs(losses[i] - reference[i]) <= 2e-3 * fabs(reference[i]),
                          "case %d %s: loss %g, not %g", number, (*variant)->name, losses[i],
                          reference[i]);
            for (int i = 0; i < 2 * POINTS; i++)
                cr_assert(isfinite(points[i]) && fabsf(points[i] - expected[i]) < 0.1f,
                          "case %d %s: point %g, not %g", number, (*variant)->name,
                          (double)points[i], (double)expected[i]);
        }
    }
}

/* The largest network and the widest range of the other limits: one step of each. */
Test(properties, the_limits_work) {
    static const struct {
        int hidden, layers, batch, timesteps, n;
    } cases[] = {{1024, 8, 3, 4000, 5}, {8, 1, 65536, 1, 65536}, {1024, 1, 100, 2, 100}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dn_spec spec = dn_presets[0].spec;
        spec.network.hidden_size = cases[i].hidden;
        spec.network.hidden_layers = cases[i].layers;
        spec.training.batch_size = cases[i].batch;
        spec.diffusion.timesteps = cases[i].timesteps;
        spec.dataset.sources[0].n = cases[i].n;
        struct dn_trainer *trainer;
        struct dn_error error;
        struct dn_epoch epoch;
        cr_assert_eq(dn_trainer_new(&spec, NULL, &trainer, &error), DN_OK, "%s", error.text);
        cr_assert_eq(dn_trainer_epoch(trainer, NULL, &epoch, &error), DN_OK, "%s", error.text);
        cr_assert(isfinite(epoch.train_loss));
        dn_trainer_free(trainer);
    }
}
