/*
 * idx.h - IDX, the format of MNIST (LeCun, Cortes and Burges 1998): two zeros, the type of the
 * elements, the rank, each dimension in four bytes, the elements; all of it with the highest byte
 * first.
 */
#ifndef API_FILES_IDX_H
#define API_FILES_IDX_H

#include <stdbool.h>
#include <stddef.h>

#include "api/files/npy.h"

enum { IDX_RANK = 4 };

struct idx {
    int rank; /* at most IDX_RANK */
    size_t shape[IDX_RANK];
    struct npy_element element; /* in big-endian order */
    const char *elements;
    const char *wrong; /* why it is no such file; NULL: it is one */
};

/* Does a file begin as an IDX file does? */
bool idx_is(const char *bytes, size_t length);
/* Reads the header of a file, which must have exactly the elements that it announces; they stay
 * where they are. False: idx->wrong says why. */
bool idx_open(struct idx *idx, const char *bytes, size_t length);

#endif
