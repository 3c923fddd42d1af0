#include "api/files/npy.h"

#include <string.h>

enum { MAGIC_BYTES = 6 };

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
        if (npy->rank < NPY_RANK)
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

bool npy_find_element(const char *descr, struct npy_element *element) {
    if (strlen(descr) != 3 || !strchr("<>=|", descr[0]) || !strchr("fiu", descr[1]) ||
        !strchr(descr[1] == 'f' ? "48" : "1248", descr[2]))
        return false;
    *element = (struct npy_element){descr[1], (size_t)(descr[2] - '0')};
    return descr[0] != '|' || element->size == 1;
}

uint64_t npy_bits(const char *at, const struct npy_element *element, bool big_endian) {
    uint64_t bits = 0;
    for (size_t i = 0; i < element->size; i++) {
        const size_t shift = 8 * (big_endian ? element->size - 1 - i : i);
        bits |= (uint64_t)(unsigned char)at[i] << shift;
    }
    return bits;
}

int64_t npy_signed(const struct npy_element *element, uint64_t bits) {
    const size_t unused = 64 - 8 * element->size;
    return (int64_t)(bits << unused) >> unused;
}

/* ------------------------------------------------------------------ the file */

bool npy_is(const char *bytes, size_t length) {
    return length >= MAGIC_BYTES && memcmp(bytes, "\x93NUMPY", MAGIC_BYTES) == 0;
}

/* Finds the header. False: there is none. */
static bool find_header(struct npy *npy, const char *file, size_t size) {
    const unsigned char *bytes = (const unsigned char *)file;
    if (size < MAGIC_BYTES + 4 || !npy_is(file, size))
        return fail(npy, "the bytes are not an .npy file");
    const int version = bytes[6];
    if (version < 1 || version > 3 || bytes[7] != 0)
        return fail(npy, "the version of the .npy file is not 1.0, 2.0 or 3.0");
    const size_t prefix = version == 1 ? 10 : 12;
    if (size < prefix)
        return fail(npy, "the .npy file ends too early");
    size_t length = bytes[8] | (size_t)bytes[9] << 8;
    if (version > 1)
        length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (length > size - prefix)
        return fail(npy, "the header of the .npy file is longer than the file");
    npy->at = file + prefix;
    npy->end = npy->at + length;
    npy->length = size - prefix - length;
    return true;
}

bool npy_open(struct npy *npy, const char *bytes, size_t length) {
    *npy = (struct npy){.fortran_order = -1, .rank = -1};
    return find_header(npy, bytes, length) && take_header(npy);
}

bool npy_is_whole(const struct npy *npy, const struct npy_element *element) {
    size_t needed = element->size;
    for (int k = 0; k < npy->rank && k < NPY_RANK; k++)
        if (__builtin_mul_overflow(needed, npy->shape[k], &needed))
            return false;
    return npy->rank <= NPY_RANK && needed == npy->length;
}
