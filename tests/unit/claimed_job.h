/* A store with a job that is claimed, and its trainer before the first epoch. */
#ifndef TESTS_UNIT_CLAIMED_JOB_H
#define TESTS_UNIT_CLAIMED_JOB_H

#include "server/jobs/report.h"
#include "tests/unit/store_file.h"

static struct claim claim;
static struct dn_trainer *trainer;

static void begin_claimed(void) {
    struct dn_spec spec = dn_presets[1].spec;
    spec.dataset.sources[0].n = 100;
    spec.network.hidden_size = 8;
    spec.training.epochs = 200;
    setup();
    const struct job job = {.id = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa",
                            .dataset = "spiral",
                            .words = "x",
                            .spec = "{}",
                            .warnings = "[]",
                            .epochs = spec.training.epochs,
                            .steps = 1000,
                            .created_at = 1};
    cr_assert_eq(store_job_insert(session, &job, NULL), STORE_OK);
    cr_assert_eq(store_claim(session, "w", &EVERYTHING, 1, &claim), STORE_OK);
    cr_assert_eq(store_commit(session), STORE_OK);
    cr_assert_eq(dn_trainer_new(&spec, NULL, &trainer, NULL), DN_OK);
}

static void end_claimed(void) {
    dn_trainer_free(trainer);
    claim_clear(&claim);
    teardown();
}

#endif
