/* A model that is imported: POST /v1/models with any file. */
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/house.h"

enum { LENGTH_BYTES = 8, LARGEST = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    char *file = fuzz_text(bytes, size), length[32];
    snprintf(length, sizeof length, "%zu", size);
    const struct fake_request request = {.method = "POST",
                                         .target = "/v1/models",
                                         .version = "HTTP/1.1",
                                         .headers = {{"Host", "localhost"},
                                                     {"Content-Type", "application/octet-stream"},
                                                     {"Content-Length", length}},
                                         .header_count = 3,
                                         .body = file,
                                         .body_length = size};
    const unsigned status = house_ask(&request);
    fuzz_check(status == 201 || status == 422);
    free(file);
    return 0;
}

/* The header's length, if the file is as long as that. */
static size_t header_length(const uint8_t *bytes, size_t size) {
    uint64_t length;
    if (size < LENGTH_BYTES)
        return 0;
    memcpy(&length, bytes, sizeof length);
    return length <= size - LENGTH_BYTES ? length : 0;
}

/* Mostly changes the header alone, and then says its length. */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t most, unsigned seed) {
    static uint8_t header[LARGEST];
    const size_t length = header_length(bytes, size), rest = size - LENGTH_BYTES - length;
    if (seed % 4 == 0 || length == 0 || most > LARGEST)
        return LLVMFuzzerMutate(bytes, size, most);
    memcpy(header, bytes + LENGTH_BYTES, length);
    const uint64_t changed = LLVMFuzzerMutate(header, length, most - LENGTH_BYTES - rest);
    memmove(bytes + LENGTH_BYTES + changed, bytes + LENGTH_BYTES + length, rest);
    memcpy(bytes + LENGTH_BYTES, header, changed);
    memcpy(bytes, &changed, LENGTH_BYTES);
    return LENGTH_BYTES + changed + rest;
}
