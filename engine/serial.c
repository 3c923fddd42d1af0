/*
 * serial.c - see serial.h.
 */
#include "engine/serial.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "serialized values are little-endian");

void serial_block(struct serial *serial, void *value, size_t size) {
    if (serial->failed)
        return;
    if (serial->mode != SERIAL_COUNT) {
        if (size > serial->size - serial->used) {
            serial->failed = true;
            return;
        }
        if (serial->mode == SERIAL_WRITE)
            memcpy(serial->bytes + serial->used, value, size);
        else
            memcpy(value, serial->bytes + serial->used, size);
    }
    serial->used += size;
}

void serial_int(struct serial *serial, int *value) {
    int32_t number = *value;
    serial_block(serial, &number, sizeof number);
    *value = number;
}

void serial_long(struct serial *serial, int64_t *value) {
    serial_block(serial, value, sizeof *value);
}

void serial_seed(struct serial *serial, uint64_t *value) {
    serial_block(serial, value, sizeof *value);
}

void serial_double(struct serial *serial, double *value) {
    serial_block(serial, value, sizeof *value);
}

void serial_mark(struct serial *serial, const char *text) {
    char wanted[16] = {0}, found[16];
    memcpy(wanted, text, strnlen(text, sizeof wanted));
    memcpy(found, wanted, sizeof found);
    serial_block(serial, found, sizeof found);
    if (memcmp(found, wanted, sizeof found) != 0)
        serial->failed = true;
}

static void serial_dataset(struct serial *serial, struct dn_dataset_spec *dataset) {
    serial_int(serial, &dataset->source_count);
    serial_int(serial, &dataset->dim);
    serial_int(serial, &dataset->classes);
    if (dataset->source_count < 1 || dataset->source_count > DN_MAX_CLASSES)
        serial->failed = true;
    for (int k = 0; k < dataset->source_count && !serial->failed; k++) {
        serial_int(serial, &dataset->sources[k].pattern);
        serial_int(serial, &dataset->sources[k].n);
        serial_seed(serial, &dataset->sources[k].seed);
    }
}

void serial_spec(struct serial *serial, struct dn_spec *spec) {
    serial_dataset(serial, &spec->dataset);
    serial_int(serial, &spec->diffusion.timesteps);
    serial_enum(serial, &spec->diffusion.beta_schedule);
    serial_double(serial, &spec->diffusion.beta_start);
    serial_double(serial, &spec->diffusion.beta_end);
    serial_enum(serial, &spec->diffusion.prediction_type);
    serial_enum(serial, &spec->diffusion.zero_terminal_snr);
    serial_int(serial, &spec->network.hidden_size);
    serial_int(serial, &spec->network.hidden_layers);
    serial_enum(serial, &spec->network.time_embedding);
    serial_enum(serial, &spec->network.conditioning);
    serial_int(serial, &spec->training.epochs);
    serial_int(serial, &spec->training.batch_size);
    serial_double(serial, &spec->training.learning_rate);
    serial_enum(serial, &spec->training.normalization);
    serial_enum(serial, &spec->training.loss);
    serial_double(serial, &spec->training.min_snr_gamma);
    serial_double(serial, &spec->training.timestep_focus);
    serial_double(serial, &spec->training.validation_fraction);
    serial_double(serial, &spec->training.ema_decay);
    serial_double(serial, &spec->training.weight_decay);
    serial_enum(serial, &spec->training.lr_schedule);
    serial_int(serial, &spec->training.lr_warmup_steps);
    serial_double(serial, &spec->training.gradient_clip);
    serial_double(serial, &spec->training.p_uncond);
    serial_enum(serial, &spec->training.keep_best);
    serial_int(serial, &spec->training.checkpoint_every);
    if (serial->mode == SERIAL_READ) { /* say nothing about the result: they are no part of it */
        spec->training.threads = 1;
        spec->training.evaluate_every = 0;
    }
    serial_seed(serial, &spec->seed);
}
