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
