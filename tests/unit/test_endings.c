/* The count of ended jobs is what was committed: each ending once, and none that was rolled back. */
#include "store_file.h"

#include <stdatomic.h>
#include <string.h>

#include "server/base/counters.h"
#include "server/store/driver.h"

static void begin(void) {
    cr_assert(counters_start(1));
    setup();
}

static void end(void) {
    teardown();
    counters_stop();
}

TestSuite(endings, .init = begin, .fini = end);

static const struct driver *real;
static struct driver silent;
static const struct job_end SUCCESS = {.status = JOB_SUCCEEDED};

static void expect(unsigned succeeded, unsigned failed, unsigned cancelled) {
    const atomic_ullong *finished = counters_get()->finished;
    cr_assert_str_eq(counters_endings[0], "succeeded");
    cr_assert_str_eq(counters_endings[1], "failed");
    cr_assert_str_eq(counters_endings[2], "cancelled");
    cr_assert_eq(atomic_load(&finished[0]), succeeded);
    cr_assert_eq(atomic_load(&finished[1]), failed);
    cr_assert_eq(atomic_load(&finished[2]), cancelled);
}

static void commit(void) {
    cr_assert_eq(store_commit(session), STORE_OK);
    cr_assert_eq(store_begin(session), STORE_OK);
}

/* A commit that takes place, and gets no answer. */
static enum store_status unsure(struct store_session *one) {
    const enum store_status status = real->commit(one);
    return status == STORE_OK ? STORE_IN_DOUBT : status;
}

static void commit_without_answer(void) {
    real = session->driver;
    silent = *real;
    silent.commit = unsure;
    session->driver = &silent;
    cr_assert_eq(store_commit(session), STORE_IN_DOUBT);
    session->driver = real;
    cr_assert_eq(store_begin(session), STORE_OK);
}

static void insert(const char *id, int64_t memory) {
    const struct job job = {.dataset = "spiral",
                            .words = "x",
                            .spec = "{}",
                            .warnings = "[]",
                            .epochs = 5,
                            .steps = 50,
                            .memory = memory,
                            .created_at = 1};
    struct job one = job;
    memset(one.id, id[0], ID_LENGTH);
    cr_assert_eq(store_job_insert(session, &one, NULL), STORE_OK);
}

static struct claim claim_next(void) {
    struct claim claim;
    cr_assert_eq(store_claim(session, "w", &EVERYTHING, 1, &claim), STORE_OK);
    free(claim.spec);
    claim.spec = NULL;
    return claim;
}

Test(endings, count_once_when_they_are_committed) {
    insert("a", 0);
    const struct claim claim = claim_next();
    cr_assert_eq(store_finish(session, claim.id, claim.fence, &SUCCESS, 2), STORE_OK);
    expect(0, 0, 0); /* not yet */
    commit();
    expect(1, 0, 0);
    cr_assert_eq(store_finish(session, claim.id, claim.fence - 1, &SUCCESS, 2), STORE_LOST);
    cr_assert_eq(store_job_cancel(session, claim.id, 3), STORE_OK); /* changes nothing */
    commit();
    commit();
    expect(1, 0, 0);
}

Test(endings, count_a_cancelled_job_when_it_ends) {
    insert("a", 0);
    insert("b", 0);
    const struct claim claim = claim_next();
    char waiting[ID_LENGTH + 1] = "";
    memset(waiting, 'b', ID_LENGTH);
    cr_assert_eq(store_job_cancel(session, claim.id, 2), STORE_OK); /* its worker is told */
    commit();
    expect(0, 0, 0);
    cr_assert_eq(store_job_cancel(session, waiting, 2), STORE_OK);
    cr_assert_eq(store_job_cancel(session, waiting, 3), STORE_OK);
    commit();
    expect(0, 0, 1);
    const struct job_end cancelled = {.status = JOB_CANCELLED};
    cr_assert_eq(store_finish(session, claim.id, claim.fence, &cancelled, 3), STORE_OK);
    commit();
    expect(0, 0, 2);
}

Test(endings, count_a_cancel_that_an_earlier_run_has_made) {
    insert("a", 0);
    insert("b", 0);
    char id[ID_LENGTH + 1] = "", other[ID_LENGTH + 1] = "";
    memset(id, 'a', ID_LENGTH);
    memset(other, 'b', ID_LENGTH);
    cr_assert_eq(store_job_cancel_again(session, id, 2, true), STORE_OK); /* the first was undone */
    commit();
    expect(0, 0, 1);
    cr_assert_eq(store_job_cancel_again(session, id, 3, true), STORE_OK); /* another's */
    cr_assert_eq(store_job_cancel_again(session, id, 2, false), STORE_OK);
    commit();
    expect(0, 0, 1);
    cr_assert_eq(store_job_cancel(session, other, 4), STORE_OK);
    commit_without_answer();
    expect(0, 0, 1);
    cr_assert_eq(store_job_cancel_again(session, other, 4, true), STORE_OK);
    commit();
    expect(0, 0, 2);
}

Test(endings, do_not_count_what_was_rolled_back) {
    insert("a", 0);
    insert("b", 0);
    const struct claim first = claim_next(), second = claim_next();
    commit();
    cr_assert_eq(store_savepoint(session), STORE_OK);
    cr_assert_eq(store_finish(session, first.id, first.fence, &SUCCESS, 2), STORE_OK);
    cr_assert_eq(store_keep(session, true), STORE_OK);
    cr_assert_eq(store_savepoint(session), STORE_OK);
    cr_assert_eq(store_finish(session, second.id, second.fence, &SUCCESS, 2), STORE_OK);
    const enum store_status undone = store_keep(session, false);
    if (undone ==
        STORE_CONFLICT) { /* with all others of its transaction: there are no savepoints */
        store_abort(session);
        expect(0, 0, 0);
        cr_assert_eq(store_begin(session), STORE_OK);
        cr_assert_eq(store_finish(session, first.id, first.fence, &SUCCESS, 2), STORE_OK);
    } else {
        cr_assert_eq(undone, STORE_OK);
    }
    commit();
    expect(1, 0, 0);
    cr_assert_eq(store_finish(session, second.id, second.fence, &SUCCESS, 2), STORE_OK);
    store_abort(session);
    cr_assert_eq(store_begin(session), STORE_OK);
    commit();
    expect(1, 0, 0);
    cr_assert_eq(store_finish(session, second.id, second.fence, &SUCCESS, 2), STORE_OK);
    commit();
    expect(2, 0, 0);
}

Test(endings, count_those_of_a_recovery) {
    insert("a", 0);
    insert("b", 0);
    insert("c", 1000);
    const struct claim claim = claim_next();
    cr_assert_eq(store_job_cancel(session, claim.id, 2), STORE_OK);
    commit();
    int requeued;
    for (int crash = 0; crash < 3; crash++) { /* of the second one, without a checkpoint */
        cr_assert_eq(store_recover(session, 10000, 3, &requeued), STORE_OK);
        if (crash < 2)
            claim_next();
    }
    commit();
    expect(0, 0, 1);
    claim_next();
    cr_assert_eq(store_recover(session, 999, 4, &requeued), STORE_OK); /* and one is too large */
    commit();
    expect(0, 2, 1);
}
