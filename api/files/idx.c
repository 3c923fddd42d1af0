#include "api/files/idx.h"

#include <string.h>

enum { FIRST_TYPE = 8 };

/* By type, from FIRST_TYPE on. */
static const struct npy_element elements[] = {{'u', 1}, {'i', 1}, {0},     {'i', 2},
                                              {'i', 4}, {'f', 4}, {'f', 8}};

static const struct npy_element *element_of(unsigned char type) {
    const size_t place = (size_t)type - FIRST_TYPE;
    const bool is_known = place < sizeof elements / sizeof *elements && elements[place].size > 0;
    return is_known ? &elements[place] : NULL;
}

bool idx_is(const char *bytes, size_t length) {
    const unsigned char *at = (const unsigned char *)bytes;
    return length >= 4 && at[0] == 0 && at[1] == 0 && element_of(at[2]) && at[3] > 0;
}

bool idx_open(struct idx *idx, const char *bytes, size_t length) {
    const unsigned char *at = (const unsigned char *)bytes;
    *idx = (struct idx){.wrong = "the bytes are not an IDX file"};
    if (!idx_is(bytes, length))
        return false;
    idx->element = *element_of(at[2]);
    idx->rank = at[3];
    const size_t header = 4 + 4 * (size_t)idx->rank;
    idx->wrong = "the IDX file has more than 4 dimensions";
    if (idx->rank > IDX_RANK)
        return false;
    idx->wrong = "the IDX file ends within its header";
    if (length < header)
        return false;
    size_t needed = idx->element.size;
    bool fits = true;
    for (int k = 0; k < idx->rank; k++) {
        const unsigned char *size = at + 4 + 4 * k;
        idx->shape[k] =
            (size_t)size[0] << 24 | (size_t)size[1] << 16 | (size_t)size[2] << 8 | (size_t)size[3];
        fits = fits && !__builtin_mul_overflow(needed, idx->shape[k], &needed);
    }
    idx->elements = bytes + header;
    idx->wrong = "the IDX file does not have as many bytes as its header says: it was cut off, or "
                 "something follows";
    if (!fits || needed != length - header)
        return false;
    idx->wrong = NULL;
    return true;
}
