/* Trains the spiral with libdenoise, and prints ten points of it.
 *
 *     cc spiral.c -ldenoise -o spiral && ./spiral
 */
#include <denoise.h>
#include <stdio.h>

enum { POINTS = 10 };

static int fail(const struct dn_error *error) {
    fprintf(stderr, "spiral: %s\n", error->text);
    return 1;
}

static enum dn_status train(const struct dn_spec *spec, struct dn_model **model,
                            struct dn_error *error) {
    struct dn_trainer *trainer;
    enum dn_status status = dn_trainer_new(spec, NULL, &trainer, error);
    if (status != DN_OK)
        return status;
    while (status == DN_OK && dn_trainer_epochs_done(trainer) < spec->training.epochs) {
        struct dn_epoch epoch;
        status = dn_trainer_epoch(trainer, NULL, &epoch, error);
        if (status == DN_OK && epoch.epoch % 10 == 0)
            fprintf(stderr, "epoch %d: loss %.4f\n", epoch.epoch, epoch.train_loss);
    }
    if (status == DN_OK)
        status = dn_trainer_model(trainer, model, error);
    dn_trainer_free(trainer);
    return status;
}

int main(void) {
    struct dn_spec spec = dn_presets[0].spec; /* the spiral, by the preset "default" */
    struct dn_model *model;
    struct dn_error error;
    spec.training.epochs = 40;
    if (train(&spec, &model, &error) != DN_OK)
        return fail(&error);

    float points[POINTS][2];
    const struct dn_sample_request request = {.n = POINTS, .seed = 1};
    const struct dn_sample_result result = {.points = points[0]};
    enum dn_status status = dn_sample(model, &request, &result, NULL, &error);
    dn_model_free(model);
    if (status != DN_OK)
        return fail(&error);
    for (int i = 0; i < POINTS; i++)
        printf("%8.5f %8.5f\n", (double)points[i][0], (double)points[i][1]);
    fprintf(stderr, "mean distance to the spiral: %.4f\n",
            dn_pattern_mean_distance(DN_SPIRAL, points[0], POINTS));
    return 0;
}
