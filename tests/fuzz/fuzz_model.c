/* A stored model, from its bytes to points.
 *
 * The first byte of the input says what the rest is: from its odd values a whole file, else changes
 * (by exclusive or) of a good one, which then mostly gets the size that its spec asks for. So the
 * corpus is of no version of the format. */
#include <string.h>

#include "engine/base/serial.h"
#include "tests/fuzz/fuzz.h"

enum { MARK = 16, LARGEST_WORK = 1 << 16, LARGEST = 1 << 19, MODELS = 2 };

struct file {
    uint8_t bytes[LARGEST];
    size_t size;
};

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

static void make(struct file *file, int which) {
    struct dn_spec spec = dn_presets[1].spec;
    struct dn_trainer *trainer = NULL;
    struct dn_model *model = NULL;
    struct dn_epoch epoch;
    spec.dataset.sources[0].n = 6;
    spec.diffusion.timesteps = 5;
    spec.network.hidden_size = 8;
    spec.network.hidden_layers = 1 + which;
    spec.network.time_embedding = which ? DN_LEARNED : DN_SINUSOIDAL;
    spec.diffusion.beta_schedule = which ? DN_BETA_COSINE : DN_BETA_LINEAR; /* with moments */
    fuzz_check(dn_trainer_new(&spec, NULL, &trainer, NULL) == DN_OK);
    fuzz_check(dn_trainer_epoch(trainer, NULL, &epoch, NULL) == DN_OK);
    fuzz_check(dn_trainer_model(trainer, &model, NULL) == DN_OK);
    file->size = dn_model_bytes(model);
    fuzz_check(file->size <= LARGEST);
    dn_model_save(model, file->bytes);
    dn_model_free(model);
    dn_trainer_free(trainer);
}

/* The size that the spec of a file asks for, or 0. */
static size_t size_asked_for(struct file *file) {
    struct dn_spec spec = {0};
    struct serial serial = {.mode = SERIAL_READ, .bytes = file->bytes, .size = file->size};
    uint8_t mark[MARK] = {0};
    serial_block(&serial, mark, MARK);
    serial_spec(&serial, &spec, mark[MARK - 1] == '8'); /* of images */
    if (serial.failed || dn_spec_check(&spec, NULL) != DN_OK)
        return 0;
    return (size_t)dn_spec_model_bytes(&spec);
}

static void change(struct file *file, const uint8_t *bytes, size_t size, bool is_resized) {
    for (size_t i = 0; i < size && i < file->size; i++)
        file->bytes[i] ^= bytes[i];
    const size_t wanted = is_resized ? size_asked_for(file) : 0;
    if (wanted == 0 || wanted > LARGEST)
        return;
    if (wanted > file->size)
        memset(file->bytes + file->size, 0, wanted - file->size);
    file->size = wanted;
}

static void try(const uint8_t *bytes, size_t size, bool is_good) {
    struct dn_model *model = NULL;
    struct dn_error error = {""};
    if (dn_model_load(bytes, size, &model, &error) != DN_OK) {
        fuzz_check(!is_good && !model && error.text[0]);
        return;
    }
    fuzz_check(dn_model_bytes(model) == size);
    check_written(model);
    sample(model);
    dn_model_free(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct file good[MODELS], changed;
    if (size == 0)
        return 0;
    if (bytes[0] % 2) {
        try(bytes + 1, size - 1, false);
        return 0;
    }
    struct file *file = &good[bytes[0] / 2 % MODELS];
    if (file->size == 0)
        make(file, (int)(file - good));
    memcpy(changed.bytes, file->bytes, file->size);
    changed.size = file->size;
    change(&changed, bytes + 1, size - 1, bytes[0] / 8 % 4 != 3);
    uint8_t *exact = malloc(changed.size); /* of just that size, for AddressSanitizer */
    fuzz_check(exact);
    memcpy(exact, changed.bytes, changed.size);
    try(exact, changed.size, size == 1);
    free(exact);
    return 0;
}
