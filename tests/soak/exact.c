/* Trains a few small models, and says what came out as one number each: weights, losses, and points
 * drawn from them. Whatever builds and runs this must say the same (exact.sh).
 *
 * usage: exact KERNELS THREADS */
#include <stdio.h>
#include <stdlib.h>

#include "engine/denoise.h"
#include "server/jobs/team.h"

enum { EPOCHS = 2, POINTS = 50 };

static void fail(const char *what) {
    fprintf(stderr, "exact: %s\n", what);
    exit(1);
}

static void hash_add(uint64_t *hash, const void *bytes, size_t size) { /* FNV-1a */
    for (size_t i = 0; i < size; i++)
        *hash = (*hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
}

/* Between them they have every schedule, loss, normalization and pattern. */
static struct dn_spec spec_of(int i) {
    static const enum dn_prediction predictions[] = {DN_V, DN_SAMPLE, DN_EPSILON};
    struct dn_spec spec = dn_presets[1].spec;
    spec.dataset.source_count = spec.dataset.classes = 3;
    for (int k = 0; k < 3; k++)
        spec.dataset.sources[k] = (struct dn_source){
            .pattern = (3 * i + k) % DN_PATTERN_COUNT, .n = 200, .seed = (uint64_t)k};
    spec.diffusion.timesteps = 50;
    spec.diffusion.beta_schedule = (enum dn_beta_schedule)(i % (DN_BETA_FLOW + 1));
    spec.diffusion.prediction_type =
        spec.diffusion.beta_schedule == DN_BETA_FLOW ? DN_FLOW : predictions[i % 3];
    spec.network.hidden_size = 24;
    spec.network.hidden_layers = 2;
    spec.network.time_embedding = (enum dn_time_embedding)(i % 2);
    spec.network.conditioning = (enum dn_conditioning)(i / 2 % 2);
    spec.training.batch_size = 64;
    spec.training.loss = (enum dn_loss)(i % 3);
    spec.training.normalization = (enum dn_normalization)(i % 4);
    spec.training.lr_schedule = (enum dn_lr_schedule)(i % 3);
    spec.training.lr_warmup_steps = 5;
    spec.training.ema_decay = 0.99;
    spec.training.gradient_clip = 1;
    spec.training.min_snr_gamma = i % 2 ? 5 : 0;
    return spec;
}

static void hash_model(uint64_t *hash, const struct dn_trainer *trainer) {
    struct dn_model *model;
    if (dn_trainer_model(trainer, &model, NULL) != DN_OK)
        fail("no model");
    const size_t size = dn_model_bytes(model);
    unsigned char *bytes = malloc(size);
    float points[2 * POINTS];
    dn_model_save(model, bytes);
    hash_add(hash, bytes, size);
    for (int sampler = 0; sampler < DN_SAMPLER_COUNT; sampler++) {
        const struct dn_sample_request request = {.n = POINTS,
                                                  .seed = 1,
                                                  .sampler = (enum dn_sampler)sampler,
                                                  .steps = 10,
                                                  .eta = 0.5,
                                                  .guidance = 1.5,
                                                  .label = DN_LABELS_IN_TURN,
                                                  .clip = true};
        if (dn_sample(model, &request, &(struct dn_sample_result){.points = points}, NULL, NULL) !=
            DN_OK)
            fail("no points");
        hash_add(hash, points, sizeof points);
    }
    free(bytes);
    dn_model_free(model);
}

static uint64_t hash_training(const struct dn_spec *spec, struct dn_team *team) {
    struct dn_trainer *trainer;
    struct dn_epoch epoch;
    uint64_t hash = 0xcbf29ce484222325u;
    struct dn_error error;
    if (dn_trainer_new(spec, NULL, &trainer, &error) != DN_OK)
        fail(error.text);
    dn_trainer_use_team(trainer, team);
    for (int i = 0; i < EPOCHS; i++) {
        if (dn_trainer_epoch(trainer, NULL, &epoch, &error) != DN_OK)
            fail(error.text);
        hash_add(&hash, &epoch.train_loss, sizeof epoch.train_loss);
        hash_add(&hash, &epoch.val_loss, sizeof epoch.val_loss);
        hash_add(&hash, &epoch.learning_rate, sizeof epoch.learning_rate);
        hash_add(&hash, &epoch.gradient_norm, sizeof epoch.gradient_norm);
    }
    hash_model(&hash, trainer);
    dn_trainer_free(trainer);
    return hash;
}

int main(int argc, char **argv) {
    const int threads = argc > 2 ? atoi(argv[2]) : 1;
    if (argc < 3 || threads < 1 || threads > DN_MAX_THREADS)
        fail("usage: exact KERNELS THREADS");
    if (dn_kernels_use(argv[1], NULL) != DN_OK)
        fail("this processor has no such kernels");
    struct dn_team *team = threads > 1 ? team_start(threads) : NULL;
    for (int i = 0; 3 * i < DN_PATTERN_COUNT; i++) {
        const struct dn_spec spec = spec_of(i);
        printf("%016llx\n", (unsigned long long)hash_training(&spec, team));
    }
    team_stop(team);
    return 0;
}
