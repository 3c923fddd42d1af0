/* Sampling and models: independence of n, exact trajectories, quality of the tutorial's recipe. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"
#include "engine/diffusion/diffusion.h"
#include "engine/model/model.h"

static struct dn_model *model_after(int epochs) {
    struct dn_spec spec = dn_presets[1].spec;
    struct dn_trainer *trainer;
    struct dn_model *model;
    struct dn_epoch epoch;
    spec.dataset.sources[0].n = 2000;
    cr_assert_eq(dn_trainer_new(&spec, NULL, &trainer, NULL), DN_OK);
    for (int i = 0; i < epochs; i++)
        cr_assert_eq(dn_trainer_epoch(trainer, NULL, &epoch, NULL), DN_OK);
    cr_assert_eq(dn_trainer_model(trainer, &model, NULL), DN_OK);
    dn_trainer_free(trainer);
    return model;
}

static void sample(const struct dn_model *model, const struct dn_sample_request *request,
                   struct dn_sample_result result) {
    struct dn_error error;
    cr_assert_eq(dn_sample(model, request, &result, NULL, &error), DN_OK, "%s", error.text);
}

Test(sampler, a_point_does_not_depend_on_how_many_are_drawn) {
    enum { MAX = 3000 };
    static float whole[2 * MAX], part[2 * MAX];
    struct dn_model *model = model_after(1);
    struct dn_sample_request request = {.n = MAX, .seed = 5, .clip = true};
    sample(model, &request, (struct dn_sample_result){.points = whole});
    int counts[] = {1, 2, 7, 100, 1023, 1025, 2999};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        request.n = counts[i];
        sample(model, &request, (struct dn_sample_result){.points = part});
        cr_assert_arr_eq(part, whole, (size_t)counts[i] * 2 * sizeof(float), "n = %d", counts[i]);
    }
    dn_model_free(model);
}

Test(sampler, a_saved_model_samples_the_same_bytes) {
    float a[200], b[200];
    struct dn_model *model = model_after(1), *copy;
    size_t size = dn_model_bytes(model);
    unsigned char *bytes = malloc(size);
    dn_model_save(model, bytes);
    cr_assert_eq(dn_model_load(bytes, size, &copy, NULL), DN_OK);
    cr_assert_eq(dn_model_epoch(copy), 1);
    struct dn_sample_request request = {.n = 100, .seed = 5};
    sample(model, &request, (struct dn_sample_result){.points = a});
    sample(copy, &request, (struct dn_sample_result){.points = b});
    cr_assert_arr_eq(a, b, sizeof a);
    dn_model_free(copy);
    /* every truncation, and any other length, is refused */
    for (size_t cut = 0; cut < size; cut += 1 + size / 200)
        cr_assert_eq(dn_model_load(bytes, cut, &copy, NULL), DN_CORRUPT);
    bytes = realloc(bytes, size + 1);
    cr_assert_eq(dn_model_load(bytes, size + 1, &copy, NULL), DN_CORRUPT);
    float nan = NAN;
    memcpy(bytes + size - sizeof nan, &nan, sizeof nan);
    cr_assert_eq(dn_model_load(bytes, size, &copy, NULL), DN_CORRUPT);
    free(bytes);
    dn_model_free(model);
}

/* Replays a trajectory in double from its own frames: each x0 estimate gives the predicted noise,
 * and each next frame must be the posterior step with the noise of its address. */
Test(sampler, trajectory_follows_the_equations) {
    enum { N = 50, T = 40 };
    static float x[(T + 1) * N * 2], x0[T * N * 2], points[N * 2], z[N * 2], start[N * 2];
    struct dn_model *model = model_after(2);
    for (int clip = 0; clip < 2; clip++) {
        struct dn_sample_request request = {.n = N, .seed = 11, .clip = clip};
        sample(model, &request, (struct dn_sample_result){.points = points, .x = x, .x0 = x0});
        cr_assert_arr_eq(points, x + (size_t)T * N * 2, sizeof points);
        random_normals(kernels_get(), 11, RANDOM_START, 0, 0, N * 2, start);
        const struct transform *f = &model->transform;
        const struct schedule *s = &model->schedule;
        for (int i = 0; i < N * 2; i++)
            cr_assert_float_eq(((double)x[i] - f->shift[i % 2]) * f->scale[i % 2], (double)start[i],
                               1e-5);
        for (int t = T; t >= 1; t--) {
            const float *now = x + (T - t) * N * 2, *next = now + N * 2,
                        *guess = x0 + (T - t) * N * 2;
            random_normals(kernels_get(), 11, RANDOM_REVERSE, (uint32_t)t, 0, N * 2, z);
            double bar = s->alpha_bar[t], before = s->alpha_bar[t - 1], beta = s->beta[t];
            for (int i = 0; i < N * 2; i++) {
                double shift = f->shift[i % 2], scale = f->scale[i % 2];
                double x_t = ((double)now[i] - shift) * scale,
                       x_0 = ((double)guess[i] - shift) * scale;
                double mean = beta * sqrt(before) / (1 - bar) * x_0 +
                              (1 - before) * sqrt(1 - beta) / (1 - bar) * x_t;
                double noise = t == 1 ? 0 : sqrt(beta * (1 - before) / (1 - bar)) * (double)z[i];
                cr_assert_float_eq(((double)next[i] - shift) * scale, mean + noise, 2e-5, "t %d",
                                   t);
                if (clip)
                    cr_assert(fabs(x_0) <= 1 + 1e-6);
            }
        }
    }
    dn_model_free(model);
}

Test(sampler, given_noise_is_where_it_starts) {
    enum { N = 20, T = 40 };
    static float first[(T + 1) * N * 2], again[(T + 1) * N * 2];
    struct dn_model *model = model_after(1);
    struct dn_sample_request request = {.n = N, .seed = 2, .clip = true};
    sample(model, &request, (struct dn_sample_result){.x = first});
    request.noise = first; /* frame 0: the start noise in data units */
    sample(model, &request, (struct dn_sample_result){.x = again});
    for (int i = 0; i < (T + 1) * N * 2; i++)
        cr_assert_float_eq(again[i], first[i], 1e-4);
    dn_model_free(model);
}

/* Without labels nothing tells points with one noise apart, so there are several of each point that has
 * its own: for each sampler that draws fresh noise, too, and for ranges of a request. */
Test(sampler, points_in_a_row_share_their_noise) {
    enum { N = 1100, EACH = 3 };
    static float alone[2 * N], shared[2 * N * EACH], part[2 * N * EACH];
    struct dn_model *model = model_after(1);
    for (int sampler = 0; sampler < DN_SAMPLER_COUNT; sampler++) {
        struct dn_sample_request request = {
            .n = N, .seed = 5, .clip = true, .steps = 4, .sampler = (enum dn_sampler)sampler};
        sample(model, &request, (struct dn_sample_result){.points = alone});
        request.per_noise = 1;
        sample(model, &request, (struct dn_sample_result){.points = part});
        cr_assert_arr_eq(part, alone, sizeof alone);
        request.n = N * EACH;
        request.per_noise = EACH;
        sample(model, &request, (struct dn_sample_result){.points = shared});
        for (size_t i = 0; i < (size_t)N * EACH; i++)
            cr_assert_arr_eq(shared + 2 * i, alone + 2 * (i / EACH), 2 * sizeof(float));
        request.first = 1000; /* within a group of three */
        request.n = 500;
        sample(model, &request, (struct dn_sample_result){.points = part});
        cr_assert_arr_eq(part, shared + 2000, 1000 * sizeof(float));
    }
    dn_model_free(model);
}

Test(sampler, stops_when_told_and_refuses_bad_n) {
    float points[2];
    struct dn_model *model = model_after(0);
    struct dn_sample_result result = {.points = points};
    struct dn_sample_request request = {.n = 1};
    bool stop = true;
    cr_assert_eq(dn_sample(model, &request, &result, &stop, NULL), DN_STOPPED);
    request.n = 0;
    cr_assert_eq(dn_sample(model, &request, &result, NULL, NULL), DN_INVALID);
    request.n = DN_MAX_SAMPLES + 1;
    cr_assert_eq(dn_sample(model, &request, &result, NULL, NULL), DN_INVALID);
    request.n = 1;
    request.per_noise = -1;
    cr_assert_eq(dn_sample(model, &request, &result, NULL, NULL), DN_INVALID);
    dn_model_free(model);
}

/* The blog reaches a mean distance of 0.016 with 100 epochs of 10 000 points. */
Test(sampler, tutorial_recipe_lands_on_the_spiral, .timeout = 300) {
    struct dn_spec spec = dn_presets[1].spec;
    struct dn_trainer *trainer;
    struct dn_model *model;
    struct dn_epoch epoch;
    static float points[2000];
    cr_assert_eq(dn_trainer_new(&spec, NULL, &trainer, NULL), DN_OK);
    for (int i = 0; i < spec.training.epochs; i++)
        cr_assert_eq(dn_trainer_epoch(trainer, NULL, &epoch, NULL), DN_OK);
    cr_assert_eq(dn_trainer_model(trainer, &model, NULL), DN_OK);
    struct dn_sample_request request = {.n = 1000, .seed = 0, .clip = true};
    sample(model, &request, (struct dn_sample_result){.points = points});
    cr_assert_leq(dn_pattern_mean_distance(DN_SPIRAL, points, 1000), 0.020);
    request.clip = false;
    sample(model, &request, (struct dn_sample_result){.points = points});
    cr_assert_leq(dn_pattern_mean_distance(DN_SPIRAL, points, 1000), 0.03);
    dn_model_free(model);
    dn_trainer_free(trainer);
}
