/* Checkpoints of the trainer: at any step, whatever it was doing, it goes on to the same bytes. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "engine/denoise.h"
#include "server/jobs/checkpoint.h"
#include "tests/unit/trainer_state.h"

enum { EPOCHS = 3, STEPS = 6 /* of an epoch: 200 points by 37 */ };

static struct dn_spec plain_spec(void) {
    struct dn_spec spec = dn_presets[1].spec;
    spec.dataset.sources[0].n = 200;
    spec.training.batch_size = 37;
    spec.training.epochs = EPOCHS;
    return spec;
}

/* All that a training can have. */
static struct dn_spec rich_spec(void) {
    struct dn_spec spec = plain_spec();
    spec.dataset.source_count = spec.dataset.classes = 2;
    spec.dataset.sources[0].n = 120;
    spec.dataset.sources[1] = (struct dn_source){.pattern = DN_MOONS, .n = 80, .seed = 3};
    spec.training.ema_decay = 0.9;
    spec.training.lr_schedule = DN_LR_COSINE;
    spec.training.keep_best = true;
    spec.training.gradient_clip = 0.5;
    return spec;
}

static struct dn_trainer *trainer_of(const struct dn_spec *spec) {
    struct dn_trainer *trainer;
    struct dn_error error;
    cr_assert_eq(dn_trainer_new(spec, NULL, &trainer, &error), DN_OK, "%s", error.text);
    return trainer;
}

static void steps(struct dn_trainer *trainer, int n) {
    for (int i = 0; i < n; i++)
        cr_assert_eq(dn_trainer_step(trainer, NULL, NULL), DN_OK);
}

static void check_every_step(struct dn_spec spec) {
    struct state states[EPOCHS * STEPS + 1];
    struct dn_trainer *trainer = trainer_of(&spec);
    for (int i = 0; i <= EPOCHS * STEPS; i++) {
        states[i] = state_of(trainer);
        cr_assert_eq(dn_trainer_steps_done(trainer), i);
        cr_assert_eq(dn_trainer_epochs_done(trainer), i / STEPS);
        cr_assert_eq(dn_trainer_last_epoch(trainer).epoch, i / STEPS);
        steps(trainer, i < EPOCHS * STEPS);
    }
    dn_trainer_free(trainer);
    for (int i = 0; i <= EPOCHS * STEPS; i++) {
        trainer = trainer_of(&spec);
        cr_assert_eq(dn_trainer_load(trainer, states[i].bytes, states[i].size, NULL), DN_OK);
        check_same(states[i], trainer, "right after loading");
        steps(trainer, EPOCHS * STEPS - i);
        check_same(states[EPOCHS * STEPS], trainer, "at the end");
        dn_trainer_free(trainer);
    }
    for (int i = 0; i <= EPOCHS * STEPS; i++)
        free(states[i].bytes);
}

Test(checkpoint, any_step_resumes_to_the_same_bytes) {
    check_every_step(plain_spec());
    check_every_step(rich_spec());
}

/* What dn_trainer_epoch() says of an epoch does not depend on where it was begun. */
Test(checkpoint, half_an_epoch_counts) {
    struct dn_spec spec = rich_spec();
    struct dn_epoch whole, halves;
    struct dn_trainer *trainer = trainer_of(&spec);
    cr_assert_eq(dn_trainer_epoch(trainer, NULL, &whole, NULL), DN_OK);
    dn_trainer_free(trainer);
    trainer = trainer_of(&spec);
    steps(trainer, 4);
    struct state half = state_of(trainer);
    dn_trainer_free(trainer);
    trainer = trainer_of(&spec);
    cr_assert_eq(dn_trainer_load(trainer, half.bytes, half.size, NULL), DN_OK);
    cr_assert_eq(dn_trainer_epoch(trainer, NULL, &halves, NULL), DN_OK);
    cr_assert(whole.epoch == halves.epoch && whole.step == halves.step &&
              whole.train_loss == halves.train_loss && whole.val_loss == halves.val_loss &&
              whole.gradient_norm == halves.gradient_norm &&
              whole.learning_rate == halves.learning_rate);
    dn_trainer_free(trainer);
    free(half.bytes);
}

/* A team of one that sets a flag at its n-th call: training is stopped in the middle of a step. */
struct stopping_team {
    struct dn_team team;
    int calls_left;
    bool stop;
};

static void run_and_count(struct dn_team *team, void (*work)(void *argument, int part),
                          void *argument) {
    struct stopping_team *stopping = (struct stopping_team *)team;
    work(argument, 0);
    stopping->stop |= --stopping->calls_left == 0;
}

/* Wherever it is stopped, the training is at the end of a whole step; once let go on, its end is
 * the same. Batches and validation of several chunks. */
Test(checkpoint, a_stop_is_as_if_the_step_had_not_begun) {
    struct dn_spec spec = rich_spec();
    spec.network.hidden_size = 512; /* validation in chunks of 128 rows */
    spec.training.batch_size = 180;
    spec.training.epochs = 1;
    spec.training.validation_fraction = 0.9;
    struct dn_trainer *trainer = trainer_of(&spec);
    struct state states[3];
    for (int i = 0; i < 3; i++) {
        states[i] = state_of(trainer);
        steps(trainer, i < 2);
    }
    dn_trainer_free(trainer);
    enum { CALLS = 2 * 2 + 1 + 2 + 1 + 2 }; /* batches of 180 in chunks of 90 */
    int stops_within = 0;
    for (int calls = 1; calls <= CALLS; calls++) {
        struct stopping_team stopping = {.team = {.size = 1, .run = run_and_count},
                                         .calls_left = calls};
        trainer = trainer_of(&spec);
        dn_trainer_use_team(trainer, &stopping.team);
        struct dn_epoch epoch;
        enum dn_status status = dn_trainer_epoch(trainer, &stopping.stop, &epoch, NULL);
        const int64_t done = dn_trainer_steps_done(trainer);
        if (status == DN_STOPPED && done < 2)
            check_same(states[done], trainer, "stopped");
        stops_within += status == DN_STOPPED;
        struct state stopped = state_of(trainer);
        dn_trainer_free(trainer);
        trainer = trainer_of(&spec);
        cr_assert_eq(dn_trainer_load(trainer, stopped.bytes, stopped.size, NULL), DN_OK);
        if (status == DN_STOPPED)
            cr_assert_eq(dn_trainer_epoch(trainer, NULL, &epoch, NULL), DN_OK);
        check_same(states[2], trainer, "went on");
        cr_assert_eq(epoch.step, 2);
        dn_trainer_free(trainer);
        free(stopped.bytes);
    }
    cr_assert_gt(stops_within, CALLS - 3);
    for (int i = 0; i < 3; i++)
        free(states[i].bytes);
}

/* Loads bytes, which must be refused, and must leave the trainer as it was. */
static void check_refused(struct dn_trainer *trainer, const void *bytes, size_t size,
                          const char *why) {
    struct dn_error error = {""};
    struct state before = state_of(trainer);
    unsigned char *exact = malloc(size + 1); /* so that a sanitizer sees a read too far */
    unsigned char *copy = size ? realloc(exact, size) : exact;
    if (size)
        memcpy(copy, bytes, size);
    cr_assert_eq(dn_trainer_load(trainer, copy, size, &error), DN_CORRUPT, "%s", why);
    cr_assert(strstr(error.text, why), "\"%s\" instead of \"%s\"", error.text, why);
    check_same(before, trainer, "refused");
    free(copy);
    free(before.bytes);
}

/* The preamble: 16 bytes of format, the spec, 16 of the kernels, 4 + 8 of the arithmetic. Then the
 * epoch, its points, and all steps. */
enum {
    KERNELS = 16 + 512 + 16 * DN_MAX_CLASSES,
    ARITHMETIC = KERNELS + 16,
    EPOCH = ARITHMETIC + 12
};

Test(checkpoint, of_another_training_or_damaged_is_refused) {
    struct dn_spec spec = rich_spec();
    struct dn_trainer *trainer = trainer_of(&spec);
    steps(trainer, 4);
    struct state state = state_of(trainer);
    spec.training.learning_rate = 2e-3;
    struct dn_trainer *other = trainer_of(&spec);
    check_refused(other, state.bytes, state.size, "another spec");
    for (size_t size = 0; size < state.size; size += size < 2000 ? 1 : 997)
        check_refused(trainer, state.bytes, size, size < EPOCH ? "not a checkpoint" : "damaged");
    state.bytes[0] ^= 1;
    check_refused(trainer, state.bytes, state.size, "not a checkpoint");
    state.bytes[0] ^= 1;
    unsigned char *longer = calloc(1, state.size + 1);
    memcpy(longer, state.bytes, state.size);
    check_refused(trainer, longer, state.size + 1, "damaged");
    free(longer), free(state.bytes);
    dn_trainer_free(trainer), dn_trainer_free(other);
}

static void check_other(struct dn_trainer *trainer, const void *bytes, size_t size,
                        const char *arithmetic) {
    const struct state before = state_of(trainer);
    struct dn_error error;
    char found[DN_ARITHMETIC_TEXT] = "";
    cr_assert_eq(dn_trainer_load(trainer, bytes, size, &error), DN_OTHER_ARITHMETIC, "%s",
                 error.text);
    cr_assert(strstr(error.text, arithmetic), "\"%s\" instead of \"%s\"", error.text, arithmetic);
    cr_assert(dn_checkpoint_arithmetic(bytes, size, found));
    cr_assert(strncmp(found, arithmetic, strlen(arithmetic)) == 0, "%s, not %s", found, arithmetic);
    check_same(before, trainer, "refused");
    free(before.bytes);
}

Test(checkpoint, of_other_arithmetic_is_told_from_a_damaged_one) {
    struct dn_spec spec = plain_spec();
    struct dn_trainer *trainer = trainer_of(&spec);
    struct state state = state_of(trainer);
    char own[DN_ARITHMETIC_TEXT], found[DN_ARITHMETIC_TEXT];
    dn_arithmetic(dn_kernels_name(), own);
    cr_assert_str_eq((char *)state.bytes + KERNELS, dn_kernels_name());
    cr_assert(dn_checkpoint_arithmetic(state.bytes, state.size, found));
    cr_assert_str_eq(found, own);
    memcpy(state.bytes + KERNELS, "abacus", sizeof "abacus");
    check_other(trainer, state.bytes, state.size, "abacus/");
    for (int c = 1; c < 256; c += 7) { /* what no variant is called */
        if (('0' <= c && c <= '9') || ('a' <= c && c <= 'z'))
            continue;
        state.bytes[KERNELS + 2] = (unsigned char)c;
        check_refused(trainer, state.bytes, state.size, "not a checkpoint");
        cr_assert_not(dn_checkpoint_arithmetic(state.bytes, state.size, found));
    }
    memset(state.bytes + KERNELS, 0, 16);
    check_refused(trainer, state.bytes, state.size, "not a checkpoint");
    strcpy((char *)state.bytes + KERNELS, dn_kernels_name());
    for (size_t i = 0; i < 12; i++) {
        state.bytes[ARITHMETIC + i] ^= 4;
        check_other(trainer, state.bytes, state.size, dn_kernels_name());
        state.bytes[ARITHMETIC + i] ^= 4;
    }
    memcpy(state.bytes, "denoised train 4", 16); /* of another version, shorter or longer */
    check_other(trainer, state.bytes, state.size, "denoised train 4");
    check_other(trainer, state.bytes, 16, "denoised train 4");
    check_refused(trainer, state.bytes, 15, "not a checkpoint");
    memcpy(state.bytes, "denoised model 6", 16);
    check_refused(trainer, state.bytes, state.size, "not a checkpoint");
    memcpy(state.bytes, "denoised train 6", 16);
    cr_assert_eq(dn_trainer_load(trainer, state.bytes, state.size, NULL), DN_OK);
    free(state.bytes);
    dn_trainer_free(trainer);
}

/* Each variant has an arithmetic of its own, and a checkpoint names that of its trainer. */
Test(checkpoint, names_the_arithmetic_of_its_trainer) {
    struct dn_spec spec = plain_spec();
    for (int i = 0; dn_kernels_offered(i); i++) {
        struct dn_trainer *trainer, *other;
        char text[DN_ARITHMETIC_TEXT], found[DN_ARITHMETIC_TEXT];
        dn_arithmetic(dn_kernels_offered(i), text);
        cr_assert_eq(strncmp(text, dn_kernels_offered(i), strlen(dn_kernels_offered(i))), 0);
        cr_assert_eq(dn_trainer_new_with(dn_kernels_offered(i), &spec, NULL, &trainer, NULL),
                     DN_OK);
        steps(trainer, 2);
        const struct state state = state_of(trainer);
        cr_assert(dn_checkpoint_arithmetic(state.bytes, state.size, found));
        cr_assert_str_eq(found, text);
        for (int k = 0; dn_kernels_offered(k); k++) {
            cr_assert_eq(dn_trainer_new_with(dn_kernels_offered(k), &spec, NULL, &other, NULL),
                         DN_OK);
            if (k == i)
                cr_assert_eq(dn_trainer_load(other, state.bytes, state.size, NULL), DN_OK);
            else
                check_other(other, state.bytes, state.size, text);
            dn_trainer_free(other);
        }
        free(state.bytes);
        dn_trainer_free(trainer);
    }
}

/* Positions where no training can be would make it read and write beyond its arrays. */
Test(checkpoint, impossible_positions_are_refused) {
    static const struct {
        int32_t epoch;
        int64_t place, steps;
    } wrong[] = {
        {-1, 0, -STEPS},   {0, -37, -1},      {0, 201, 6},
        {0, 36, 1},        {0, 37, 2},        {1, 0, STEPS},
        {0, 200, 5},       {0, 37, 0},        {1000001, 0, 6000006},
        {0, INT64_MAX, 0}, {0, INT64_MIN, 0}, {0, 0, STEPS},
    };
    struct dn_spec spec = plain_spec();
    struct dn_trainer *trainer = trainer_of(&spec);
    struct state state = state_of(trainer);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        memcpy(state.bytes + EPOCH, &wrong[i].epoch, 4);
        memcpy(state.bytes + EPOCH + 4, &wrong[i].place, 8);
        memcpy(state.bytes + EPOCH + 12, &wrong[i].steps, 8);
        check_refused(trainer, state.bytes, state.size, "damaged");
    }
    free(state.bytes);
    dn_trainer_free(trainer);
}

/* ------------------------------------------------------------------ flipped bits */

static struct dn_trainer *small_trainer(void) {
    struct dn_spec spec = rich_spec();
    spec.dataset.sources[0].n = spec.dataset.sources[1].n = 10;
    spec.diffusion.timesteps = 5;
    spec.network.hidden_size = 8;
    spec.network.hidden_layers = 1;
    spec.training.batch_size = 5;
    struct dn_trainer *trainer = trainer_of(&spec);
    steps(trainer, 2);
    return trainer;
}

/* Before the weights: the preamble and the position. */
enum { HEAD = EPOCH + 100 };

static void flip(unsigned char *bytes, size_t bit) {
    bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
}

/* All bits of the head are flipped, one at a time, and then one of each byte. */
static size_t next_bit(size_t bit) {
    return bit + (bit < 8 * HEAD || bit % 8 == 7 ? 1 : 9);
}

/* With its digest, a checkpoint is whole or it is not loaded. */
Test(checkpoint, a_flipped_bit_is_found) {
    struct dn_trainer *trainer = small_trainer();
    struct checkpoint checkpoint;
    struct dn_error error;
    cr_assert(checkpoint_save(trainer, 0, 0, &checkpoint));
    cr_assert(checkpoint.step == 2 && checkpoint.size > HEAD + 1000);
    steps(trainer, 1);
    const struct state before = state_of(trainer);
    for (size_t bit = 0; bit < 8 * checkpoint.size; bit = next_bit(bit)) {
        flip(checkpoint.bytes, bit);
        cr_assert_eq(checkpoint_load(&checkpoint, trainer, &error), DN_CORRUPT, "bit %zu", bit);
        flip(checkpoint.bytes, bit);
    }
    check_same(before, trainer, "refused");
    cr_assert_eq(checkpoint_load(&checkpoint, trainer, &error), DN_OK);
    check_same((struct state){checkpoint.bytes, checkpoint.size}, trainer, "whole");
    free(before.bytes), free(checkpoint.bytes);
    dn_trainer_free(trainer);
}

/* Without, no other preamble is loaded, and of what follows just what it says. */
Test(checkpoint, a_flipped_bit_changes_nothing_else) {
    struct dn_trainer *trainer = small_trainer();
    const struct state state = state_of(trainer);
    int loaded = 0;
    for (size_t bit = 0; bit < 8 * state.size; bit = next_bit(bit)) {
        flip(state.bytes, bit);
        const enum dn_status status = dn_trainer_load(trainer, state.bytes, state.size, NULL);
        const bool is_arithmetic = bit < 8 * 16 || (bit >= 8 * KERNELS && bit < 8 * EPOCH);
        cr_assert(status == DN_CORRUPT || (status == DN_OK && bit >= 8 * EPOCH) ||
                      (status == DN_OTHER_ARITHMETIC && is_arithmetic),
                  "bit %zu", bit);
        if (status == DN_OK)
            check_same(state, trainer, "as it says");
        flip(state.bytes, bit);
        if (status == DN_OK)
            cr_assert_eq(dn_trainer_load(trainer, state.bytes, state.size, NULL), DN_OK);
        loaded += status == DN_OK;
    }
    check_same(state, trainer, "refused");
    cr_assert_geq(loaded, (int)(state.size - HEAD));
    free(state.bytes);
    dn_trainer_free(trainer);
}
