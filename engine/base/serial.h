/*
 * serial.h - one description of a byte format that counts, writes and reads it.
 *
 * A format is a function that passes each of its values, in order, to serial_…(). With a counting
 * serial it finds the size, with a writing one it fills the bytes, with a reading one it fills the
 * values, so the three can never disagree. Values are little-endian, like the machines that we
 * build for. After the first failure, all further calls do nothing.
 */
#ifndef ENGINE_BASE_SERIAL_H
#define ENGINE_BASE_SERIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/denoise.h"

enum serial_mode { SERIAL_COUNT, SERIAL_WRITE, SERIAL_READ };

struct serial {
    enum serial_mode mode;
    unsigned char *bytes; /* not written to when reading */
    size_t size;          /* of the bytes; ignored when counting */
    size_t used;
    bool failed;    /* too short, or a mark that does not match */
    bool no_memory; /* failed, because there was none for what it reads */
};

void serial_block(struct serial *serial, void *value, size_t size);
#define serial_value(serial, value) serial_block(serial, value, sizeof *(value))
/* Text that must be the same when read: a magic number with its version. Padded to 16 bytes. */
void serial_mark(struct serial *serial, const char *text);
/* The same with one of two texts: which (0 or 1) is written, and which it is, when read, is the
 * value. */
int serial_either(struct serial *serial, const char *const texts[2], int which);
/* The spec of a data set of images has a shape and the fields of their networks besides. */
void serial_spec(struct serial *serial, struct dn_spec *spec, bool has_images);

#endif
