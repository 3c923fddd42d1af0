/* A data set as npy. */
#include "tests/fuzz/upload.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    return upload_fuzz(read_npy, bytes, size);
}

/* Now and then, makes the length of the header right again: it ends with its line. */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t most, unsigned seed) {
    enum { LENGTH_AT = 1 + 8, HEADER_AT = LENGTH_AT + 2 };
    size = LLVMFuzzerMutate(bytes, size, most);
    const uint8_t *end =
        size > HEADER_AT ? memchr(bytes + HEADER_AT, '\n', size - HEADER_AT) : NULL;
    if (end && seed % 4 > 0) {
        const size_t length = (size_t)(end + 1 - bytes) - HEADER_AT;
        bytes[LENGTH_AT] = (uint8_t)length;
        bytes[LENGTH_AT + 1] = (uint8_t)(length >> 8);
    }
    return size;
}
