/* A data set as JSON. */
#include "tests/fuzz/upload.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    return upload_fuzz(read_json, bytes, size);
}
