/* Which job is claimed next, by the memory that trainings take. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/id.h"
#include "server/store/store.h"
#include "tests/unit/store_file.h"

TestSuite(claim, .init = setup, .fini = teardown);

static void insert_with(int64_t memory, char id[40]) {
    struct job job = {.dataset = "d", .spec = "{}", .epochs = 1, .steps = 1, .memory = memory};
    id_new(job.id);
    strcpy(id, job.id);
    cr_assert_eq(store_job_insert(session, &job, NULL), STORE_OK);
}

/* Claims with so much left of 100, and expects the job with this id; NULL: none. */
static struct claim claims(int64_t unreserved, const char *id) {
    struct claim claim;
    const struct memory_room room = {100, unreserved, 0, 0};
    enum store_status status = store_claim(session, "w", &room, 1, &claim);
    cr_assert_eq(status, id ? STORE_OK : STORE_NOT_FOUND);
    if (id)
        cr_assert_str_eq(claim.id, id);
    return claim;
}

static void ends(struct claim *claim) {
    cr_assert_eq(store_finish(session, claim->id, claim->fence,
                              &(struct job_end){.status = JOB_SUCCEEDED}, 1),
                 STORE_OK);
    claim_clear(claim);
}

/* While the first large job runs, the second cannot begin, so small ones overtake it, however many
 * they are. When only they are in its way, no other does. */
Test(claim, a_job_that_does_not_fit_waits_for_its_turn) {
    char large[2][40], small[40][40];
    insert_with(80, large[0]);
    insert_with(100, large[1]);
    for (int i = 0; i < 40; i++)
        insert_with(10, small[i]);
    struct claim running = claims(100, large[0]), beside = {0};
    for (int i = 0; i < 38; i++) {
        beside = claims(20, small[i]);
        if (i < 37)
            ends(&beside);
    }
    ends(&running);
    claims(90, NULL);
    ends(&beside);
    running = claims(100, large[1]);
    claims(0, NULL);
    ends(&running);
    beside = claims(100, small[38]);
    ends(&beside);
}

/* A large job that takes all there is keeps nobody waiting but its like. */
Test(claim, small_jobs_have_a_room_of_their_own) {
    char large[2][40], small[3][40], medium[40];
    struct claim claim;
    insert_with(100, large[0]);
    insert_with(100, large[1]);
    insert_with(4, medium);
    for (int i = 0; i < 3; i++)
        insert_with(3, small[i]);
    struct claim running = claims(100, large[0]);
    const struct memory_room full[] = {{100, 0, 3, 6}, {100, 0, 3, 3}, {100, 0, 3, 0}};
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(store_claim(session, "w", &full[i], 1, &claim), STORE_OK);
        cr_assert(claim.is_beside && strcmp(claim.id, small[i]) == 0);
        claim_clear(&claim);
    }
    cr_assert_eq(store_claim(session, "w", &full[2], 1, &claim), STORE_NOT_FOUND);
    ends(&running);
    running = claims(100, large[1]);
    cr_assert(!running.is_beside);
    claim_clear(&running);
}

/* After a restart with less memory. */
Test(claim, a_job_that_can_never_fit_fails_at_the_start) {
    char large[40], small[40];
    int requeued;
    insert_with((int64_t)3 << 20, large);
    insert_with((int64_t)2 << 20, small);
    cr_assert_eq(store_recover(session, (int64_t)2 << 20, 7, &requeued), STORE_OK);
    struct job job;
    cr_assert_eq(store_job_get(session, large, &job), STORE_OK);
    cr_assert(job.status == JOB_FAILED && job.finished_at == 7);
    cr_assert_str_eq(job.error.code, "too_large");
    job_clear(&job);
    cr_assert_eq(store_job_get(session, small, &job), STORE_OK);
    cr_assert_eq(job.status, JOB_QUEUED);
    job_clear(&job);
}

/* As after a claim whose commit took place, although its answer was lost. */
Test(claim, what_a_worker_has_forgotten_goes_back_to_the_queue) {
    char first[40], second[40];
    struct claim claim, other;
    struct receipt receipt;
    int count;
    insert_with(1, first);
    insert_with(1, second);
    claim = claims(100, first);
    cr_assert_eq(store_claim(session, "w2", &EVERYTHING, 1, &other), STORE_OK);
    cr_assert_eq(store_put_back(session, "w", &count), STORE_OK);
    cr_expect_eq(count, 1, "and not that of another worker");
    const struct progress late = {.id = first, .fence = claim.fence, .step = 1, .report = 1};
    cr_expect_eq(store_progress(session, &late, 1, &receipt), STORE_LOST);
    claim_clear(&claim);
    cr_assert_eq(store_put_back(session, "w", &count), STORE_OK);
    cr_expect_eq(count, 0);
    claim = claims(100, first);
    cr_expect_eq(claim.attempt, 1, "the forgotten claim is no attempt");
    ends(&claim);
    ends(&other);
}

/* Another node may have the memory for it. */
Test(claim, a_job_that_is_too_large_for_this_node_keeps_nobody_waiting) {
    char large[40], fits[2][40];
    insert_with(101, large);
    insert_with(60, fits[0]);
    insert_with(60, fits[1]);
    struct claim running = claims(100, fits[0]);
    claims(40, NULL);
    ends(&running);
    running = claims(100, fits[1]);
    ends(&running);
    claims(100, NULL);
    cr_assert_eq(store_claim(session, "w", &(struct memory_room){200, 200, 0, 0}, 1, &running),
                 STORE_OK);
    cr_expect_str_eq(running.id, large);
    claim_clear(&running);
}
