/*
 * npy.h - NPY, versions 1 to 3 (numpy.lib.format): magic, version, length of the header, the
 * header, the array. The header is a Python literal, {'descr': '<f4', 'fortran_order': False,
 * 'shape': (3, 2)}, of which only this much is understood.
 */
#ifndef API_FILES_NPY_H
#define API_FILES_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NPY_DESCR_BYTES = 16, NPY_RANK = 4 };

struct npy {
    const char *at, *end;        /* of the header; then end is where the elements begin */
    size_t length;               /* bytes that follow the header */
    char descr[NPY_DESCR_BYTES]; /* "" until it was read */
    int fortran_order;           /* -1 until it was read */
    int rank; /* -1 until it was read; dimensions beyond NPY_RANK are only counted */
    size_t shape[NPY_RANK];
    const char *wrong; /* why it is no such file; NULL: it is one */
};

/* Does a file begin as an .npy file does? */
bool npy_is(const char *bytes, size_t length);
/* Reads the header of a file; the elements stay where they are. False: npy->wrong says why. */
bool npy_open(struct npy *npy, const char *bytes, size_t length);

/* A type of elements: f, i or u, and its bytes. */
struct npy_element {
    char kind;
    size_t size;
};
/* After '<', '>', '=' (the machine's), or '|' where there is no order. False: it cannot be read. */
bool npy_find_element(const char *descr, struct npy_element *element);
/* The bits of the element at a place, and an element of kind i as a number. */
uint64_t npy_bits(const char *at, const struct npy_element *element, bool big_endian);
int64_t npy_signed(const struct npy_element *element, uint64_t bits);
/* Does the array, of at most NPY_RANK dimensions, have exactly the bytes that follow the header? */
bool npy_is_whole(const struct npy *npy, const struct npy_element *element);

#endif
