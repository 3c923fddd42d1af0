/* A stored state of training. Another epoch from there must do no harm, whatever the numbers.
 *
 * The first byte of the input says which trainer reads, and how: from its odd values the rest of it
 * is the whole checkpoint; else it is laid over the part of a good one that is not the spec. */
#include <string.h>

#include "engine/denoise.h"
#include "tests/fuzz/fuzz.h"

enum { TRAINERS = 4, LARGEST = 1 << 16 };

static struct dn_spec spec_of(int which) {
    struct dn_spec spec = dn_presets[1].spec;
    spec.dataset.sources[0].n = 6;
    spec.diffusion.timesteps = 5;
    spec.network.hidden_size = 8;
    spec.network.hidden_layers = 1;
    spec.training.batch_size = 3;
    spec.training.epochs = 4;
    spec.training.validation_fraction = 0.5;
    if (which & 1) {
        spec.training.ema_decay = 0.9;
        spec.training.lr_schedule = DN_LR_COSINE;
        spec.training.lr_warmup_steps = 3;
        spec.training.gradient_clip = 1;
    }
    if (which & 2) {
        spec.network.time_embedding = DN_LEARNED;
        spec.training.keep_best = true;
        spec.training.weight_decay = 0.1;
    }
    return spec;
}

static struct dn_trainer *trainer_of(int which) {
    const struct dn_spec spec = spec_of(which);
    struct dn_trainer *trainer = NULL;
    fuzz_check(dn_trainer_new(&spec, NULL, &trainer, NULL) == DN_OK);
    return trainer;
}

/* A trainer that every input is loaded into, and a checkpoint of it, of which the first `fixed`
 * bytes say what it belongs to: those that another epoch does not change. */
struct subject {
    struct dn_trainer *trainer;
    uint8_t checkpoint[LARGEST];
    size_t size, fixed;
};

static void make(struct subject *subject, int which) {
    static uint8_t after[LARGEST];
    struct dn_epoch epoch;
    subject->trainer = trainer_of(which);
    subject->size = dn_trainer_bytes(subject->trainer);
    fuzz_check(subject->size <= LARGEST);
    dn_trainer_save(subject->trainer, subject->checkpoint);
    fuzz_check(dn_trainer_epoch(subject->trainer, NULL, &epoch, NULL) == DN_OK);
    dn_trainer_save(subject->trainer, after);
    while (subject->checkpoint[subject->fixed] == after[subject->fixed])
        subject->fixed++;
    memcpy(subject->checkpoint, after, subject->size);
}

static void go_on(struct dn_trainer *trainer) {
    enum { N = 2 };
    struct dn_epoch epoch;
    struct dn_model *model = NULL;
    struct dn_error error;
    float points[2 * N];
    if (dn_trainer_epoch(trainer, NULL, &epoch, &error) != DN_OK)
        return;
    fuzz_check(dn_trainer_epochs_done(trainer) == epoch.epoch);
    fuzz_check(dn_trainer_model(trainer, &model, &error) == DN_OK);
    const struct dn_sample_request request = {.n = N};
    dn_sample(model, &request, &(struct dn_sample_result){.points = points}, NULL, &error);
    dn_model_free(model);
}

static enum dn_status load(const struct subject *subject, bool is_whole, const uint8_t *bytes,
                           size_t size, struct dn_error *error) {
    static uint8_t laid_over[LARGEST];
    const size_t room = subject->size - subject->fixed;
    if (is_whole)
        return dn_trainer_load(subject->trainer, bytes, size, error);
    memcpy(laid_over, subject->checkpoint, subject->size);
    memcpy(laid_over + subject->fixed, bytes, size < room ? size : room);
    return dn_trainer_load(subject->trainer, laid_over, subject->size, error);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct subject subjects[TRAINERS];
    struct dn_error error = {""};
    if (size == 0)
        return 0;
    const int which = bytes[0] / 2 % TRAINERS;
    struct subject *subject = &subjects[which];
    if (!subject->trainer)
        make(subject, which);
    if (load(subject, bytes[0] % 2, bytes + 1, size - 1, &error) == DN_OK)
        go_on(subject->trainer);
    else
        fuzz_check(error.text[0]);
    return 0;
}
