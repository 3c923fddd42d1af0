/* Thinned trajectories: which states are kept, and that they are the same ones. */
#include <criterion/criterion.h>
#include <string.h>

#include "engine/denoise.h"

Test(frames, are_evenly_spaced_with_both_ends) {
    const int steps[] = {1, 2, 7, 40, 1000, DN_MAX_TIMESTEPS};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        for (int frames = 2; frames <= steps[i] + 1; frames += 1 + frames / 7) {
            int least = steps[i], most = 0;
            cr_assert_eq(dn_frame_step(0, frames, steps[i]), 0);
            cr_assert_eq(dn_frame_step(frames - 1, frames, steps[i]), steps[i]);
            for (int k = 1; k < frames; k++) {
                int gap =
                    dn_frame_step(k, frames, steps[i]) - dn_frame_step(k - 1, frames, steps[i]);
                least = gap < least ? gap : least;
                most = gap > most ? gap : most;
            }
            cr_assert(least >= 1 && most - least <= 1, "%d of %d", frames, steps[i]);
        }
}

Test(frames, kept_are_those_of_the_whole_and_nothing_else_is_written) {
    enum { N = 70, T = 40, FRAMES = 6 };
    static float x[(T + 1) * N * 2], x0[T * N * 2], few[FRAMES * N * 2 + 1], few0[FRAMES * N * 2];
    const struct dn_spec spec = dn_presets[1].spec;
    struct dn_trainer *trainer;
    struct dn_model *model;
    cr_assert_eq(dn_trainer_new(&spec, NULL, &trainer, NULL), DN_OK);
    cr_assert_eq(dn_trainer_model(trainer, &model, NULL), DN_OK);
    struct dn_sample_request request = {.n = N, .seed = 3, .clip = true};
    struct dn_sample_result result = {.x = x, .x0 = x0};
    cr_assert_eq(dn_sample(model, &request, &result, NULL, NULL), DN_OK);
    request.frames = FRAMES;
    result = (struct dn_sample_result){.x = few, .x0 = few0};
    few[FRAMES * N * 2] = 77;
    for (int i = (FRAMES - 1) * N * 2; i < FRAMES * N * 2; i++)
        few0[i] = 77;
    cr_assert_eq(dn_sample(model, &request, &result, NULL, NULL), DN_OK);
    const size_t frame = N * 2 * sizeof(float);
    for (int k = 0; k < FRAMES; k++) {
        const size_t from = (size_t)dn_frame_step(k, FRAMES, T) * N * 2;
        cr_assert_arr_eq(few + k * N * 2, x + from, frame, "x %d", k);
        if (k + 1 < FRAMES)
            cr_assert_arr_eq(few0 + k * N * 2, x0 + from, frame, "x0 %d", k);
    }
    cr_assert_eq(few[FRAMES * N * 2], 77);
    for (int i = (FRAMES - 1) * N * 2; i < FRAMES * N * 2; i++)
        cr_assert_eq(few0[i], 77);
    request.frames = 1;
    cr_assert_eq(dn_sample(model, &request, &result, NULL, NULL), DN_INVALID);
    request.frames = T + 2;
    cr_assert_eq(dn_sample(model, &request, &result, NULL, NULL), DN_INVALID);
    dn_model_free(model);
    dn_trainer_free(trainer);
}
