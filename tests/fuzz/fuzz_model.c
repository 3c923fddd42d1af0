/* A stored model, from its bytes to points. */
#include <string.h>

#include "engine/base/serial.h"
#include "tests/fuzz/fuzz.h"

enum { MARK = 16, LARGEST_WORK = 1 << 16 };

static void sample(const struct dn_model *model) {
    enum { N = 3 };
    const struct dn_spec *spec = dn_model_spec(model);
    float points[N * DN_MAX_DIM];
    if (dn_spec_parameters(spec) > LARGEST_WORK)
        return;
    for (int sampler = 0; sampler < DN_SAMPLER_COUNT; sampler++) {
        const struct dn_sample_request request = {.n = N,
                                                  .steps = spec->diffusion.timesteps > 2 ? 2 : 0,
                                                  .sampler = (enum dn_sampler)sampler,
                                                  .eta = 0.5,
                                                  .guidance = spec->dataset.classes > 0 ? 2 : 0,
                                                  .label = DN_LABELS_IN_TURN,
                                                  .clip = true};
        struct dn_error error;
        dn_sample(model, &request, &(struct dn_sample_result){.points = points}, NULL, &error);
    }
}

/* What is written for it is read as the same. */
static void check_written(const struct dn_model *model) {
    const size_t size = dn_model_bytes(model);
    uint8_t *once = malloc(size), *twice = malloc(size);
    struct dn_model *same = NULL;
    fuzz_check(once && twice);
    dn_model_save(model, once);
    fuzz_check(dn_model_load(once, size, &same, NULL) == DN_OK && dn_model_bytes(same) == size);
    dn_model_save(same, twice);
    fuzz_check(memcmp(once, twice, size) == 0);
    dn_model_free(same);
    free(once), free(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct dn_model *model = NULL;
    struct dn_error error = {""};
    if (dn_model_load(bytes, size, &model, &error) != DN_OK) {
        fuzz_check(!model && error.text[0]);
        return 0;
    }
    fuzz_check(dn_model_bytes(model) == size);
    check_written(model);
    sample(model);
    dn_model_free(model);
    return 0;
}

/* Mostly gives the file the size that its spec asks for. */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t most, unsigned seed) {
    struct dn_spec spec = {0};
    size = LLVMFuzzerMutate(bytes, size, most);
    struct serial serial = {.mode = SERIAL_READ, .bytes = bytes, .size = size};
    serial_block(&serial, (uint8_t[MARK]){0}, MARK);
    serial_spec(&serial, &spec);
    if (seed % 4 == 0 || serial.failed || dn_spec_check(&spec, NULL) != DN_OK)
        return size;
    const size_t dim = (size_t)spec.dataset.dim;
    const size_t wanted = serial.used + sizeof(int32_t) +
                          dim * 2 * (sizeof(double) + sizeof(float)) +
                          (size_t)dn_spec_parameters(&spec) * sizeof(float);
    if (wanted > most)
        return size;
    if (wanted > size)
        memset(bytes + size, 0, wanted - size);
    return wanted;
}
