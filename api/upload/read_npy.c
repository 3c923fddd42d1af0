/* An array of points: the rows of an .npy file become those of a table. */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/files/npy.h"
#include "api/format/number.h"
#include "api/upload/reading.h"
#include "server/threads/pool.h"

static double value_of(const struct npy_element *element, uint64_t bits) {
    const uint32_t low = (uint32_t)bits;
    float single;
    double value;
    memcpy(&single, &low, sizeof single);
    memcpy(&value, &bits, sizeof value);
    return element->kind == 'u'   ? (double)bits
           : element->kind == 'i' ? (double)npy_signed(element, bits)
           : element->size == 4   ? (double)single
                                  : value;
}

/* A number as text, which reads back as the same number: a float in as few digits as its own type
 * needs, an integer exactly. NaN is a missing cell. */
static size_t number_text(const struct npy_element *element, uint64_t bits, char out[DOUBLE_TEXT]) {
    const double value = value_of(element, bits);
    double again;
    if (element->kind == 'i')
        return (size_t)snprintf(out, DOUBLE_TEXT, "%" PRIi64, npy_signed(element, bits));
    if (element->kind == 'u')
        return (size_t)snprintf(out, DOUBLE_TEXT, "%" PRIu64, bits);
    if (isnan(value))
        return 0;
    if (isinf(value))
        return (size_t)snprintf(out, DOUBLE_TEXT, "%s", value > 0 ? "inf" : "-inf");
    if (element->size == 4)
        return float_text(out, (float)value);
    /* most doubles that people save have few digits, which this finds much faster */
    const size_t length = fabs(value) < FLT_MAX ? float_text(out, (float)value) : 0;
    out[length] = '\0';
    return number_read(out, length, &again) && again == value ? length : double_text(out, value);
}

/* ------------------------------------------------------------------ the array */

/* Names of the columns in the order of the array: "age,height,mass". False, with an error. */
static bool name_columns(struct reading *reading, size_t width) {
    const char *at = reading->names && reading->names[0] ? reading->names : NULL;
    reading->cells.has_names = at != NULL;
    for (size_t j = 0; j < width; j++) {
        const size_t length = at ? strcspn(at, ",") : 0;
        const bool is_last = j + 1 == width;
        if (at && (length == 0 || length > CELLS_NAME_BYTES || (at[length] == '\0') != is_last)) {
            problem_add(reading->wrong, "/columns",
                        "must be %zu names of at most %d bytes, with commas between them", width,
                        CELLS_NAME_BYTES);
            return false;
        }
        if (reading_add_column(reading, at ? at : "", length) < 0)
            return false;
        at = at ? at + length + !is_last : NULL;
    }
    return true;
}

static bool put_row(struct reading *reading, const struct npy *npy,
                    const struct npy_element *element) {
    const size_t rows = npy->shape[0], width = npy->shape[1], i = reading->cells.n;
    char text[DOUBLE_TEXT];
    for (size_t j = 0; j < width; j++) {
        const size_t index = npy->fortran_order ? j * rows + i : i * width + j;
        const uint64_t bits =
            npy_bits(npy->end + index * element->size, element, npy->descr[0] == '>');
        const size_t length = number_text(element, bits, text);
        if (!cells_put(&reading->cells, (int)j, text, length)) {
            reading->no_memory = true;
            return false;
        }
    }
    return reading_end_row(reading, i);
}

/* Reads an array of the right rank and type, if all its bytes are there. */
static void read_array(struct reading *reading, const struct npy *npy,
                       const struct npy_element *element) {
    const size_t rows = npy->shape[0], width = npy->shape[1];
    if (!npy_is_whole(npy, element)) {
        reading_unreadable(reading,
                           "an array of %zu x %zu elements of %zu bytes does not have the %zu "
                           "bytes that follow the header",
                           rows, width, element->size, npy->length);
        return;
    }
    if (width > CELLS_MAX_COLUMNS) {
        problem_add(
            reading->wrong, "/columns",
            "%zu columns are too many: at most %d; if the rows are images, save them as bytes, "
            "array.reshape(-1, height, width).astype('u1')",
            width, CELLS_MAX_COLUMNS);
        return;
    }
    if (!name_columns(reading, width))
        return;
    while (width > 0 && reading->cells.n < rows) {
        if (!reading_has_room(reading) || !put_row(reading, npy, element))
            return;
        pool_pause();
    }
}

void read_npy(struct reading *reading) {
    struct npy npy;
    if (!npy_open(&npy, reading->text, reading->length)) {
        reading_unreadable(reading, "%s", npy.wrong);
        return;
    }
    struct npy_element element;
    if (!npy_find_element(npy.descr, &element)) {
        problem_add(reading->wrong, "/points",
                    "elements of type '%s' cannot be read; save float32, float64 or integers "
                    "(array.astype('f4'))",
                    npy.descr);
        return;
    }
    if (npy.rank < 1 || npy.rank > 2) {
        problem_add(reading->wrong, "/points",
                    "the array has %d dimensions; points are (n, coordinates), or (n,)", npy.rank);
        return;
    }
    if (npy.rank == 1)
        npy.shape[npy.rank++] = 1;
    reading->unit = "row";
    read_array(reading, &npy, &element);
    reading_finish(reading);
}
