/*
 * NPY, versions 1 to 3 (numpy.lib.format): magic, version, length of the header, the header, the
 * array. The header is a Python literal, {'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)},
 * of which only this much is understood.
 */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/format/number.h"
#include "api/upload/reading.h"
#include "server/threads/pool.h"

enum { MAGIC_BYTES = 6, DESCR_BYTES = 16, RANK = 2 };

struct npy {
    const char *at, *end;    /* of the header */
    char descr[DESCR_BYTES]; /* "" until it was read */
    int fortran_order;       /* -1 until it was read */
    int rank;                /* -1 until it was read; dimensions beyond RANK are only counted */
    size_t shape[RANK];
    const char *wrong;
};

/* ------------------------------------------------------------------ the literal */

static bool fail(struct npy *npy, const char *what) {
    if (!npy->wrong)
        npy->wrong = what;
    return false;
}

static void skip_space(struct npy *npy) {
    while (npy->at < npy->end && (*npy->at == ' ' || *npy->at == '\n' || *npy->at == '\t'))
        npy->at++;
}

/* Moves past `text`, after any space, if it comes next. */
static bool take(struct npy *npy, const char *text) {
    skip_space(npy);
    const size_t length = strlen(text);
    if ((size_t)(npy->end - npy->at) < length || memcmp(npy->at, text, length) != 0)
        return false;
    npy->at += length;
    return true;
}

/* A short string without escapes, in single or double quotes. */
static bool take_string(struct npy *npy, char *out, size_t size) {
    skip_space(npy);
    const char quote = npy->at < npy->end ? *npy->at : 0;
    if (quote != '\'' && quote != '"')
        return fail(npy, "a string in quotes was expected in the header");
    const char *from = ++npy->at;
    while (npy->at < npy->end && *npy->at != quote)
        npy->at++;
    const size_t length = (size_t)(npy->at - from);
    if (npy->at == npy->end || length == 0 || length >= size)
        return fail(npy, "a string in the header is empty, too long, or not closed");
    memcpy(out, from, length);
    out[length] = '\0';
    npy->at++;
    return true;
}

static bool take_size(struct npy *npy, size_t *size) {
    skip_space(npy);
    const char *from = npy->at;
    *size = 0;
    for (; npy->at < npy->end && *npy->at >= '0' && *npy->at <= '9'; npy->at++)
        if (__builtin_mul_overflow(*size, 10, size) ||
            __builtin_add_overflow(*size, (size_t)(*npy->at - '0'), size))
            return fail(npy, "a dimension in the header is much too large");
    return npy->at > from || fail(npy, "the shape in the header must be a tuple of integers");
}

/* (), (3,), (3, 2), .. */
static bool take_shape(struct npy *npy) {
    if (npy->rank >= 0 || !take(npy, "("))
        return fail(npy, "the shape in the header must be a tuple of integers, once");
    npy->rank = 0;
    while (!take(npy, ")")) {
        size_t size;
        if (!take_size(npy, &size))
            return false;
        if (npy->rank < RANK)
            npy->shape[npy->rank] = size;
        npy->rank++;
        if (!take(npy, ",")) {
            if (npy->rank == 1) /* (3) is not a tuple in Python */
                return fail(npy, "the shape in the header must be a tuple of integers");
            return take(npy, ")") || fail(npy, "the shape in the header is not closed");
        }
    }
    return true;
}

static bool take_descr(struct npy *npy) {
    skip_space(npy);
    if (npy->descr[0])
        return fail(npy, "descr is given more than once in the header");
    if (npy->at < npy->end && *npy->at == '[')
        return fail(npy, "the array is structured; save plain columns of numbers");
    return take_string(npy, npy->descr, sizeof npy->descr);
}

static bool take_order(struct npy *npy) {
    if (npy->fortran_order >= 0)
        return fail(npy, "fortran_order is given more than once in the header");
    npy->fortran_order = take(npy, "True") ? 1 : take(npy, "False") ? 0 : -1;
    return npy->fortran_order >= 0 || fail(npy, "fortran_order must be True or False");
}

static bool take_member(struct npy *npy) {
    char key[16];
    if (!take_string(npy, key, sizeof key))
        return false;
    if (!take(npy, ":"))
        return fail(npy, "':' must follow a key of the header");
    if (strcmp(key, "descr") == 0)
        return take_descr(npy);
    if (strcmp(key, "fortran_order") == 0)
        return take_order(npy);
    if (strcmp(key, "shape") == 0)
        return take_shape(npy);
    return fail(npy, "the header has a key other than descr, fortran_order and shape");
}

static bool take_header(struct npy *npy) {
    if (!take(npy, "{"))
        return fail(npy, "the header is not a dictionary");
    while (!take(npy, "}")) {
        if (!take_member(npy))
            return false;
        if (!take(npy, ",")) {
            if (!take(npy, "}"))
                return fail(npy, "',' or '}' was expected in the header");
            break;
        }
    }
    skip_space(npy);
    if (npy->at < npy->end)
        return fail(npy, "there is more text after the dictionary in the header");
    if (!npy->descr[0] || npy->fortran_order < 0 || npy->rank < 0)
        return fail(npy, "the header must have descr, fortran_order and shape");
    return true;
}

/* ------------------------------------------------------------------ elements */

/* A type of elements: f, i or u, and its bytes. */
struct element {
    char kind;
    size_t size;
};

/* After '<', '>', '=' (the machine's), or '|' where there is no order. False: it cannot be read. */
static bool find_element(const char *descr, struct element *element) {
    if (strlen(descr) != 3 || !strchr("<>=|", descr[0]) || !strchr("fiu", descr[1]) ||
        !strchr(descr[1] == 'f' ? "48" : "1248", descr[2]))
        return false;
    *element = (struct element){descr[1], (size_t)(descr[2] - '0')};
    return descr[0] != '|' || element->size == 1;
}

static uint64_t bits_at(const char *at, const struct element *element, bool big_endian) {
    uint64_t bits = 0;
    for (size_t i = 0; i < element->size; i++) {
        const size_t shift = 8 * (big_endian ? element->size - 1 - i : i);
        bits |= (uint64_t)(unsigned char)at[i] << shift;
    }
    return bits;
}

static int64_t signed_of(const struct element *element, uint64_t bits) {
    const size_t unused = 64 - 8 * element->size;
    return (int64_t)(bits << unused) >> unused;
}

static double value_of(const struct element *element, uint64_t bits) {
    const uint32_t low = (uint32_t)bits;
    float single;
    double value;
    memcpy(&single, &low, sizeof single);
    memcpy(&value, &bits, sizeof value);
    return element->kind == 'u'   ? (double)bits
           : element->kind == 'i' ? (double)signed_of(element, bits)
           : element->size == 4   ? (double)single
                                  : value;
}

/* A number as text, which reads back as the same number: a float in as few digits as its own type
 * needs, an integer exactly. NaN is a missing cell. */
static size_t number_text(const struct element *element, uint64_t bits, char out[DOUBLE_TEXT]) {
    const double value = value_of(element, bits);
    double again;
    if (element->kind == 'i')
        return (size_t)snprintf(out, DOUBLE_TEXT, "%" PRIi64, signed_of(element, bits));
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

static bool put_row(struct reading *reading, const struct npy *npy, const struct element *element) {
    const size_t rows = npy->shape[0], width = npy->shape[1], i = reading->cells.n;
    char text[DOUBLE_TEXT];
    for (size_t j = 0; j < width; j++) {
        const size_t index = npy->fortran_order ? j * rows + i : i * width + j;
        const uint64_t bits =
            bits_at(npy->end + index * element->size, element, npy->descr[0] == '>');
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
                       const struct element *element) {
    const size_t rows = npy->shape[0], width = npy->shape[1];
    const size_t bytes = (size_t)(reading->text + reading->length - npy->end);
    size_t needed;
    if (__builtin_mul_overflow(rows, width, &needed) ||
        __builtin_mul_overflow(needed, element->size, &needed) || needed != bytes) {
        reading_unreadable(reading,
                           "an array of %zu x %zu elements of %zu bytes does not have the %zu "
                           "bytes that follow the header",
                           rows, width, element->size, bytes);
        return;
    }
    if (width > CELLS_MAX_COLUMNS) {
        problem_add(reading->wrong, "/columns", "%zu columns are too many: at most %d", width,
                    CELLS_MAX_COLUMNS);
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

/* Finds the header. False: there is none. */
static bool find_header(const struct reading *reading, struct npy *npy) {
    const unsigned char *bytes = (const unsigned char *)reading->text;
    if (reading->length < MAGIC_BYTES + 4 || memcmp(bytes, "\x93NUMPY", MAGIC_BYTES) != 0)
        return fail(npy, "the bytes are not an .npy file");
    const int version = bytes[6];
    if (version < 1 || version > 3 || bytes[7] != 0)
        return fail(npy, "the version of the .npy file is not 1.0, 2.0 or 3.0");
    const size_t prefix = version == 1 ? 10 : 12;
    if (reading->length < prefix)
        return fail(npy, "the .npy file ends too early");
    size_t length = bytes[8] | (size_t)bytes[9] << 8;
    if (version > 1)
        length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (length > reading->length - prefix)
        return fail(npy, "the header of the .npy file is longer than the file");
    npy->at = reading->text + prefix;
    npy->end = npy->at + length;
    return true;
}

void read_npy(struct reading *reading) {
    struct npy npy = {.fortran_order = -1, .rank = -1};
    if (!find_header(reading, &npy) || !take_header(&npy)) {
        reading_unreadable(reading, "%s", npy.wrong);
        return;
    }
    struct element element;
    if (!find_element(npy.descr, &element)) {
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
        npy.shape[1] = 1;
    reading->unit = "row";
    read_array(reading, &npy, &element);
    reading_finish(reading);
}
