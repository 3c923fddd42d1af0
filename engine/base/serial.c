#include "engine/base/serial.h"

#include <string.h>

#include "engine/internal.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "serialized values are little-endian");
_Static_assert(sizeof(int) == 4, "serialized integers have 32 bits");

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

int serial_either(struct serial *serial, const char *const texts[2], int which) {
    char marks[2][16] = {{0}}, found[16];
    for (int i = 0; i < 2; i++)
        memcpy(marks[i], texts[i], strnlen(texts[i], sizeof marks[i]));
    memcpy(found, marks[which], sizeof found);
    serial_block(serial, found, sizeof found);
    for (int i = 0; i < 2; i++)
        if (memcmp(found, marks[i], sizeof found) == 0)
            return i;
    serial->failed = true;
    return which;
}

void serial_mark(struct serial *serial, const char *text) {
    serial_either(serial, (const char *const[]){text, text}, 0);
}

static void serial_dataset(struct serial *serial, struct dn_dataset_spec *dataset,
                           bool has_images) {
    serial_value(serial, &dataset->source_count);
    serial_value(serial, &dataset->dim);
    if (has_images) {
        serial_value(serial, &dataset->height);
        serial_value(serial, &dataset->width);
        serial_value(serial, &dataset->channels);
    }
    serial_value(serial, &dataset->classes);
    if (dataset->source_count < 1 || dataset->source_count > DN_MAX_CLASSES)
        serial->failed = true;
    for (int k = 0; k < dataset->source_count && !serial->failed; k++) {
        serial_value(serial, &dataset->sources[k].pattern);
        serial_value(serial, &dataset->sources[k].n);
        serial_value(serial, &dataset->sources[k].seed);
    }
}

static void serial_field(struct serial *serial, const struct spec_row *row, struct dn_spec *spec) {
    void *at = (char *)spec + row->offset;
    if (row->kind == SPEC_BOOL) {
        int number = *(bool *)at;
        serial_value(serial, &number);
        *(bool *)at = number;
    } else {
        serial_block(serial, at, row->kind == SPEC_DOUBLE ? sizeof(double) : sizeof(int));
    }
}

static void set_minimum(const struct spec_row *row, struct dn_spec *spec) {
    void *at = (char *)spec + row->offset;
    if (row->kind == SPEC_DOUBLE)
        *(double *)at = row->minimum;
    else if (row->kind == SPEC_INT)
        *(int *)at = (int)row->minimum;
    else
        *(bool *)at = row->minimum > 0;
}

void serial_spec(struct serial *serial, struct dn_spec *spec, bool has_images) {
    const struct spec_row *end = spec_rows + spec_row_count;
    serial_dataset(serial, &spec->dataset, has_images);
    for (int place = 1; place <= (int)spec_row_count; place++)
        for (const struct spec_row *row = spec_rows; row < end; row++)
            if (row->saved == place && (has_images || !row->for_images))
                serial_field(serial, row, spec);
    for (const struct spec_row *row = spec_rows; row < end && serial->mode == SERIAL_READ; row++)
        if (row->saved == 0 || (row->for_images && !has_images))
            set_minimum(row, spec);
    serial_value(serial, &spec->seed);
}
