/*
 * checkpoint.c - the saved state from which training resumes: see dn_trainer_save.
 *
 * A checkpoint begins with the spec, so that a checkpoint of another spec is recognized, and with
 * everything else that determines the bits of later steps: the kernel variant, the version of the
 * arithmetic, and the C library's functions. The position and the blocks of weights follow. The
 * data is not part of it: the caller makes it again from the spec.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/internal.h"
#include "engine/model/train.h"

/* Raise it with every change after which the same spec and step give different bits
 * (tests/unit/test_golden.c fails then). Another build of the same code gives the same bits. */
enum { ARITHMETIC = 2 };

/* Of the bytes of a checkpoint; with its version at the end. */
#define FORMAT         "denoised train "
#define FORMAT_VERSION "6"

/* The double functions of the C library that training depends on round differently from machine to
 * machine (with and without fused multiply-add) and from version to version. */
static uint64_t libm_bits(void) {
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (int i = 1; i <= 256; i++) {
        const volatile double x = i * 0.0490873852123405;
        const double values[] = {exp(-x), log(x), sin(x), cos(x), atan2(x, 1), hypot(x, 1)};
        unsigned char bytes[sizeof values];
        memcpy(bytes, values, sizeof bytes);
        for (size_t k = 0; k < sizeof bytes; k++)
            hash = (hash ^ bytes[k]) * 0x100000001b3u;
    }
    return hash;
}

static void serial_position(struct serial *serial, struct position *at, int64_t *steps) {
    serial_value(serial, &at->epoch);
    serial_value(serial, &at->place);
    serial_value(serial, steps);
    serial_value(serial, &at->loss_sum);
    serial_value(serial, &at->norm_sum);
    serial_value(serial, &at->last_loss);
    serial_value(serial, &at->best_epoch);
    serial_value(serial, &at->best_loss);
    serial_value(serial, &at->last.epoch);
    serial_value(serial, &at->last.step);
    serial_value(serial, &at->last.train_loss);
    serial_value(serial, &at->last.val_loss);
    serial_value(serial, &at->last.learning_rate);
    serial_value(serial, &at->last.gradient_norm);
}

static void serial_weights(struct serial *serial, struct dn_trainer *trainer) {
    const struct dn_training_spec *spec = &trainer->spec.training;
    const struct {
        bool wanted;
        float *block;
    } blocks[] = {
        {true, trainer->parameters},      {true, trainer->optimizer.m},
        {true, trainer->optimizer.v},     {spec->ema_decay > 0, trainer->optimizer.average},
        {spec->keep_best, trainer->best},
    };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        if (blocks[i].wanted)
            serial_parameters(serial, &trainer->network, blocks[i].block);
}

/* A spec as bytes, to tell whether two are the same. */
enum { SPEC_BYTES = 512 + 16 * DN_MAX_CLASSES };
static void spec_bytes(const struct dn_spec *spec, unsigned char bytes[SPEC_BYTES]) {
    struct dn_spec copy = *spec;
    copy.training.epochs = copy.training.checkpoint_every = 1; /* training may be extended */
    struct serial serial = {.mode = SERIAL_WRITE, .bytes = bytes, .size = SPEC_BYTES};
    memset(bytes, 0, SPEC_BYTES);
    serial_spec(&serial, &copy, spec->dataset.height > 0);
}

/* What the bits of a training depend on beside its spec and data. */
struct arithmetic {
    char variant[16];
    int version;
    uint64_t libm;
};

/* The part of a checkpoint before its position. */
struct preamble {
    unsigned char spec[SPEC_BYTES];
    struct arithmetic arithmetic;
};

static struct arithmetic arithmetic_of(const char *kernels) {
    struct arithmetic arithmetic = {.version = ARITHMETIC, .libm = libm_bits()};
    snprintf(arithmetic.variant, sizeof arithmetic.variant, "%s", kernels);
    return arithmetic;
}

static void arithmetic_write(const struct arithmetic *arithmetic, char text[DN_ARITHMETIC_TEXT]) {
    snprintf(text, DN_ARITHMETIC_TEXT, "%.16s/%d." FORMAT_VERSION "/%016llx", arithmetic->variant,
             arithmetic->version, (unsigned long long)arithmetic->libm);
}

void dn_arithmetic(const char *kernels, char text[DN_ARITHMETIC_TEXT]) {
    const struct arithmetic arithmetic = arithmetic_of(kernels);
    arithmetic_write(&arithmetic, text);
}

static void preamble_make(struct preamble *preamble, const struct dn_trainer *trainer) {
    memset(preamble, 0, sizeof *preamble);
    spec_bytes(&trainer->spec, preamble->spec);
    preamble->arithmetic = arithmetic_of(dn_trainer_kernels(trainer));
}

static void serial_preamble(struct serial *serial, struct preamble *preamble) {
    struct arithmetic *arithmetic = &preamble->arithmetic;
    serial_mark(serial, FORMAT FORMAT_VERSION);
    serial_block(serial, preamble->spec, sizeof preamble->spec);
    serial_block(serial, arithmetic->variant, sizeof arithmetic->variant);
    serial_value(serial, &arithmetic->version);
    serial_value(serial, &arithmetic->libm);
}

static void serial_trainer(struct serial *serial, const struct dn_trainer *trainer,
                           struct preamble *preamble) {
    struct dn_trainer copy = *trainer; /* a serial may write to what it passes over */
    serial_preamble(serial, preamble);
    serial_position(serial, &copy.at, &copy.optimizer.steps);
    serial_weights(serial, &copy);
}

/* The length follows from the spec, so counting reads no values. */
int64_t dn_spec_checkpoint_bytes(const struct dn_spec *spec) {
    struct serial serial = {.mode = SERIAL_COUNT};
    struct preamble preamble = {.arithmetic.version = 0}; /* all have the same length */
    struct dn_trainer trainer = {.spec = *spec};
    network_layout(&trainer.network, spec);
    serial_trainer(&serial, &trainer, &preamble);
    return (int64_t)serial.used;
}

size_t dn_trainer_bytes(const struct dn_trainer *trainer) {
    return (size_t)dn_spec_checkpoint_bytes(&trainer->spec);
}

void dn_trainer_save(const struct dn_trainer *trainer, void *bytes) {
    struct serial serial = {.mode = SERIAL_WRITE, .bytes = bytes, .size = SIZE_MAX};
    struct preamble preamble;
    preamble_make(&preamble, trainer);
    serial_trainer(&serial, trainer, &preamble);
}

/* The name of the format, if it is another version of ours. */
static bool other_format(const unsigned char *bytes, size_t size, char text[DN_ARITHMETIC_TEXT]) {
    enum { NAME = 16, KIND = sizeof FORMAT - 1 };
    if (size < NAME || memcmp(bytes, FORMAT, KIND) != 0 || bytes[KIND] < '0' || bytes[KIND] > '9')
        return false;
    snprintf(text, DN_ARITHMETIC_TEXT, "%.*s", NAME, (const char *)bytes);
    return true;
}

bool dn_checkpoint_arithmetic(const void *bytes, size_t size, char text[DN_ARITHMETIC_TEXT]) {
    struct serial serial = {.mode = SERIAL_READ, .bytes = (unsigned char *)bytes, .size = size};
    struct preamble found;
    serial_mark(&serial, FORMAT FORMAT_VERSION);
    if (serial.failed)
        return other_format(bytes, size, text);
    serial.used = 0;
    serial_preamble(&serial, &found);
    const char *variant = found.arithmetic.variant;
    const size_t length = serial.failed ? 0 : strnlen(variant, sizeof found.arithmetic.variant);
    bool is_sound = length > 0;
    for (size_t i = 0; is_sound && i < sizeof found.arithmetic.variant; i++)
        is_sound = i < length ? (variant[i] >= '0' && variant[i] <= '9') ||
                                    (variant[i] >= 'a' && variant[i] <= 'z')
                              : !variant[i];
    if (is_sound)
        arithmetic_write(&found.arithmetic, text);
    return is_sound;
}

/* Reads the preamble; the error says why the rest of the checkpoint cannot be used. */
static enum dn_status check_preamble(struct serial *serial, const struct dn_trainer *trainer,
                                     struct dn_error *error) {
    struct preamble own, found;
    char arithmetic[DN_ARITHMETIC_TEXT], expected[DN_ARITHMETIC_TEXT];
    preamble_make(&own, trainer);
    if (!dn_checkpoint_arithmetic(serial->bytes, serial->size, arithmetic))
        return error_set(error, DN_CORRUPT, "not a checkpoint");
    arithmetic_write(&own.arithmetic, expected);
    if (strcmp(arithmetic, expected) != 0)
        return error_set(error, DN_OTHER_ARITHMETIC,
                         "the checkpoint was written with the arithmetic %s, this one is %s",
                         arithmetic, expected);
    serial_preamble(serial, &found);
    if (memcmp(own.spec, found.spec, sizeof own.spec) != 0)
        return error_set(error, DN_CORRUPT, "the checkpoint belongs to another spec");
    return DN_OK;
}

/* Can training with this spec and data reach this position? */
static bool position_is_possible(const struct dn_trainer *trainer, const struct position *at,
                                 int64_t steps) {
    const int64_t n = (int64_t)trainer->n, batch = (int64_t)trainer->batch.n;
    if (at->epoch < 0 || at->epoch > DN_MAX_EPOCHS || at->place < 0 || at->place > n)
        return false;
    const bool on_boundary = at->place % batch == 0 || at->place == n;
    const int64_t in_epoch = (at->place + batch - 1) / batch;
    const bool best_fits = trainer->best
                               ? at->best_epoch >= (at->epoch > 0) && at->best_epoch <= at->epoch
                               : at->best_epoch == 0;
    return on_boundary && best_fits && at->last.epoch == at->epoch &&
           steps == (int64_t)dn_spec_steps_per_epoch(&trainer->spec) * at->epoch + in_epoch;
}

enum dn_status dn_trainer_load(struct dn_trainer *trainer, const void *bytes, size_t size,
                               struct dn_error *error) {
    struct serial serial = {.mode = SERIAL_READ, .bytes = (unsigned char *)bytes, .size = size};
    struct position at = {0};
    int64_t steps = 0;
    enum dn_status status = check_preamble(&serial, trainer, error);
    if (status != DN_OK)
        return status;
    serial_position(&serial, &at, &steps);
    if (size != dn_trainer_bytes(trainer) || !position_is_possible(trainer, &at, steps))
        return error_set(error, DN_CORRUPT, "the checkpoint is damaged");
    serial_weights(&serial, trainer); /* cannot fail: the size is right */
    trainer->at = at;
    trainer->optimizer.steps = steps;
    /* as after the step that the checkpoint was saved after */
    trainer_draw_points(trainer, at.place > 0 || at.epoch == 0 ? at.epoch : at.epoch - 1);
    return DN_OK;
}
