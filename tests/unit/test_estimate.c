/* What a training takes, before it is begun. */
#include <criterion/criterion.h>
#include <math.h>

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
static struct dn_spec of_upload(enum dn_normalization normalization) {
    struct dn_spec spec = dn_presets[0].spec;
    spec.dataset.source_count = 1;
    spec.dataset.sources[0].pattern = DN_UPLOADED;
    spec.dataset.sources[0].n = 1000000;
    spec.dataset.dim = 8;
    spec.training.normalization = normalization;
    return spec;
}

Test(estimate, counts_what_the_library_of_the_database_has_in_memory) {
    const struct dn_spec points = of_upload(DN_STANDARDIZE), table = of_upload(DN_QUANTILE);
    const int64_t rows = 1000000, point = 8 * sizeof(float) + sizeof(int32_t);
    cr_expect_eq(estimate_memory(&points, 3) - estimate_memory(&points, 1), 2 * rows * point);
    /* 48 bytes for each cell while its text is read; the stored text of 18 bytes four times before. */
    cr_expect_eq(estimate_memory(&table, 3) - estimate_memory(&table, 1), rows * 8 * (4 * 18 - 48));
    cr_expect_eq(estimate_memory(&table, 0), estimate_memory(&table, 1));
}
