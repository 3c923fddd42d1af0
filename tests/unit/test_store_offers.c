/* Jobs that continue only with some arithmetic, and the servers that offer it. */
#include <criterion/criterion.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/base/sha256.h"
#include "server/store/store.h"
#include "tests/unit/store_file.h"

TestSuite(store_offers, .init = setup, .fini = teardown);

static void insert(char id[ID_LENGTH + 1]) {
    struct job job = {.dataset = "spiral", .spec = "{}", .epochs = 5, .steps = 50};
    id_new(job.id);
    job.created_at = clock_now_ms();
    cr_assert_eq(store_job_insert(session, &job, NULL), STORE_OK);
    memcpy(id, job.id, sizeof job.id);
}

/* A place in the queue is that of a job which can run; what waits for an offer is passed over. */
Test(store_offers, passes_over_what_waits_for_an_offer) {
    char ids[4][40];
    struct claim claim;
    int64_t waiting;
    for (int i = 0; i < 4; i++)
        insert(ids[i]);
    for (int i = 0; i < 3; i++) { /* the first two began with other arithmetic, the third did not */
        cr_assert_eq(store_claim(session, "w", &EVERYTHING, 1, &claim), STORE_OK);
        cr_assert_str_eq(claim.id, ids[i]);
        cr_assert_null(claim.arithmetic);
        struct checkpoint checkpoint = {
            .bytes = "half", .size = 4, .step = 5, .arithmetic = i < 2 ? "other" : "own"};
        sha256_text("half", 4, checkpoint.sha256);
        const struct progress progress = {
            .id = ids[i], .fence = claim.fence, .report = 1, .step = 5, .checkpoint = &checkpoint};
        struct receipt receipt;
        cr_assert_eq(store_progress(session, &progress, 1, &receipt), STORE_OK);
        claim_clear(&claim);
    }
    int requeued;
    cr_assert_eq(store_recover(session, INT64_MAX, 2, &requeued), STORE_OK);
    cr_assert_eq(store_offer(session, (const char *[]){"own", "third"}, 2), STORE_OK);
    cr_assert_eq(store_count_waiting(session, &waiting), STORE_OK);
    cr_assert_eq(waiting, 2);
    const int64_t places[] = {-1, -1, 0, 1};
    for (int i = 0; i < 4; i++) {
        struct job job;
        cr_assert_eq(store_job_get(session, ids[i], &job), STORE_OK);
        cr_expect_eq(job.queue_position, places[i], "job %d", i);
        cr_expect_eq(job.waits_for_offer, i < 2);
        if (i < 3)
            cr_expect_str_eq(job.arithmetic, i < 2 ? "other" : "own");
        job_clear(&job);
    }
    const struct memory_room none = {0};
    cr_assert_eq(store_claim(session, "w", &none, 1, &claim), STORE_OK); /* of 0 bytes */
    cr_assert_str_eq(claim.id, ids[2]);
    cr_assert_str_eq(claim.arithmetic, "own");
    claim_clear(&claim);
    cr_assert_eq(store_claim(session, "w", &EVERYTHING, 1, &claim), STORE_OK);
    cr_assert_str_eq(claim.id, ids[3]);
    cr_assert_null(claim.arithmetic);
    claim_clear(&claim);
    cr_assert_eq(store_claim(session, "w", &EVERYTHING, 1, &claim), STORE_NOT_FOUND);
    cr_assert_eq(store_offer(session, (const char *[]){"other"}, 1), STORE_OK); /* instead */
    cr_assert_eq(store_count_waiting(session, &waiting), STORE_OK);
    cr_assert_eq(waiting, 0);
    cr_assert_eq(store_claim(session, "w", &EVERYTHING, 1, &claim), STORE_OK);
    cr_assert_str_eq(claim.id, ids[0]);
    cr_assert_eq(claim.checkpoint.step, 5);
    claim_clear(&claim);
}
