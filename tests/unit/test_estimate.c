/* What a training takes, before it is begun. */
#include <criterion/criterion.h>
#include <math.h>

#include "server/base/machine.h"
#include "server/jobs/estimate.h"

Test(estimate, measuring_the_machine_can_be_stopped_and_is_then_done_by_the_next_call) {
    const struct dn_spec spec = dn_presets[0].spec;
    bool stop = true;
    cr_expect(isnan(estimate_seconds(&spec, &stop)));
    cr_expect_not(estimate_is_quick());
    stop = false;
    const double seconds = estimate_seconds(&spec, &stop);
    cr_expect(isfinite(seconds) && seconds > 0, "%g", seconds);
    cr_expect(estimate_is_quick());
    stop = true; /* nothing is measured any more */
    cr_expect_float_eq(estimate_seconds(&spec, &stop), seconds, 1e-12);
}

/* A large upload and a small network: what is read is most of the memory. */
static struct dn_spec of_upload(enum dn_normalization normalization, int dim) {
    struct dn_spec spec = dn_presets[0].spec;
    spec.dataset.source_count = 1;
    spec.dataset.sources[0].pattern = DN_UPLOADED;
    spec.dataset.sources[0].n = 1000000;
    spec.dataset.dim = dim;
    spec.training.normalization = normalization;
    return spec;
}

Test(estimate, counts_what_the_library_of_the_database_has_in_memory) {
    const struct dn_spec points = of_upload(DN_STANDARDIZE, 2), table = of_upload(DN_QUANTILE, 8);
    const int64_t rows = 1000000, label = sizeof(int32_t);
    cr_expect_eq(estimate_memory(&points, 3) - estimate_memory(&points, 1), 2 * rows * label);
    /* Labels three times while the table is made, and four times before, when they are read. */
    cr_expect_eq(estimate_memory(&table, 3) - estimate_memory(&table, 1), rows * label);
    cr_expect_eq(estimate_memory(&table, 0), estimate_memory(&table, 1));
}

Test(estimate, open_threads_are_as_many_as_cores_if_their_memory_is_there) {
    struct dn_spec spec = dn_presets[DN_PRESET_IMAGES].spec;
    spec.dataset.sources[0] = (struct dn_source){.pattern = DN_DIGITS, .n = 1000};
    spec.dataset.height = spec.dataset.width = DN_DIGITS_SIDE;
    spec.dataset.channels = 1;
    spec.dataset.dim = DN_DIGITS_SIDE * DN_DIGITS_SIDE;
    spec.dataset.classes = DN_DIGITS_CLASSES;
    spec.network.kind = DN_UNET;
    cr_assert_eq(dn_spec_check(&spec, NULL), DN_OK);
    cr_assert_eq(spec.training.threads, 0, "images leave them open");
    cr_expect_eq(estimate_threads(&spec, 0, INT64_MAX),
                 machine_cores() < DN_MAX_THREADS ? machine_cores() : DN_MAX_THREADS);
    cr_expect_eq(estimate_threads(&spec, 0, 0), 1);
    for (int threads = 1; threads <= machine_cores() && threads <= 4; threads++) {
        struct dn_spec with = spec;
        with.training.threads = threads;
        const int64_t memory = estimate_memory(&with, 0);
        cr_expect_eq(estimate_threads(&spec, 0, memory), threads);
        cr_expect(estimate_threads(&spec, 0, memory - 1) == (threads > 1 ? threads - 1 : 1));
    }
    spec.training.threads = 7;
    cr_expect_eq(estimate_threads(&spec, 0, 0), 7, "they were asked for");
}
