/* Nodes that share a database: their leases, and what becomes of the jobs of a node that is gone. */
#include <criterion/criterion.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/base/sha256.h"
#include "server/store/store.h"
#include "tests/unit/store_file.h"

TestSuite(nodes, .init = setup, .fini = teardown);

enum { LEASE = 60000 };

static void submit(char id[ID_LENGTH + 1]) {
    struct job job = {.dataset = "spiral", .spec = "{}", .epochs = 5, .steps = 50};
    id_new(job.id);
    job.created_at = clock_now_ms();
    cr_assert_eq(store_job_insert(session, &job, NULL), STORE_OK);
    memcpy(id, job.id, sizeof job.id);
}

/* The session acts for this node from now on. */
static void be(const char *id) {
    struct node node = {.name = "here:1", .version = "0", .workers = 1};
    memcpy(node.id, id, sizeof node.id);
    cr_assert_eq(store_node_join(session, &node, LEASE), STORE_OK);
}

static void let_lease_end(void) {
    cr_assert_eq(store_node_renew(session, -1, false, INT64_MAX, true, &(struct duties){0}),
                 STORE_OK);
}

static struct takeover take_over(void) {
    struct takeover takeover = {.now = clock_now_ms()};
    cr_assert_eq(store_take_over(session, 0, &takeover), STORE_OK);
    return takeover;
}

static void expect(const char *id, enum job_status status, const char *node) {
    struct job job;
    cr_assert_eq(store_job_get(session, id, &job), STORE_OK);
    cr_expect_eq(job.status, status, "%s", job_status_names[job.status]);
    cr_expect(node ? job.node && strcmp(job.node, node) == 0 : !job.node);
    job_clear(&job);
}

static enum store_status report(const struct claim *claim) {
    const struct progress progress = {
        .id = claim->id, .fence = claim->fence, .step = 1, .report = 1};
    struct receipt receipt;
    return store_progress(session, &progress, 1, &receipt);
}

Test(nodes, a_job_of_a_dead_node_runs_elsewhere) {
    char id[40], first[40], second[40];
    struct claim old, new;
    id_new(first);
    id_new(second);
    submit(id);
    be(first);
    cr_assert_eq(store_claim(session, "0", &EVERYTHING, 1, &old), STORE_OK);
    expect(id, JOB_RUNNING, first);
    be(second);
    struct takeover takeover = take_over();
    cr_expect_eq(takeover.buried + takeover.requeued, 0, "its lease holds");
    be(first);
    let_lease_end();
    be(second);
    /* The database has not run for as long as this lease. */
    takeover = (struct takeover){.now = 1};
    cr_assert_eq(store_take_over(session, clock_now_ms() + LEASE, &takeover), STORE_OK);
    cr_expect_eq(takeover.buried + takeover.requeued, 0);
    expect(id, JOB_RUNNING, first);
    takeover = take_over();
    cr_expect_eq(takeover.buried, 1);
    cr_expect_eq(takeover.requeued, 1);
    expect(id, JOB_QUEUED, NULL);
    cr_assert_eq(store_claim(session, "0", &EVERYTHING, 1, &new), STORE_OK);
    cr_expect_str_eq(new.id, id);
    expect(id, JOB_RUNNING, second);
    cr_expect_eq(report(&old), STORE_LOST, "whoever was taken for dead may not write");
    cr_expect_eq(report(&new), STORE_OK);
    claim_clear(&old);
    claim_clear(&new);
}

Test(nodes, a_node_hears_that_its_lease_was_over) {
    char self[40];
    struct duties duties;
    id_new(self);
    be(self);
    cr_assert_eq(store_node_renew(session, LEASE, false, INT64_MAX, true, &duties), STORE_OK);
    cr_expect_not(duties.was_over);
    let_lease_end();
    cr_assert_eq(store_node_renew(session, LEASE, false, INT64_MAX, true, &duties), STORE_OK);
    cr_expect_eq(duties.was_over, store_is_shared(store));
    cr_assert_eq(store_node_renew(session, LEASE, false, INT64_MAX, true, &duties), STORE_OK);
    cr_expect_not(duties.was_over);
}

Test(nodes, what_is_left_of_a_node_that_is_gone_is_found_when_looked_for) {
    char id[40], gone[40], self[40];
    struct claim claim;
    struct duties duties;
    id_new(gone);
    be(gone);
    submit(id);
    cr_assert_eq(store_claim(session, "0", &EVERYTHING, 1, &claim), STORE_OK);
    claim_clear(&claim);
    cr_assert_eq(store_node_leave(session), STORE_OK); /* with a job, as one whose row was locked */
    id_new(self);
    be(self);
    cr_assert_eq(store_node_renew(session, LEASE, false, INT64_MAX, false, &duties), STORE_OK);
    cr_expect_not(duties.take_over);
    cr_assert_eq(store_node_renew(session, LEASE, false, INT64_MAX, true, &duties), STORE_OK);
    cr_expect(duties.take_over);
    cr_expect_eq(take_over().requeued, 1);
    cr_assert_eq(store_node_renew(session, LEASE, false, INT64_MAX, true, &duties), STORE_OK);
    cr_expect_not(duties.take_over);
    be(gone);
    let_lease_end();
    be(self);
    cr_assert_eq(store_node_renew(session, LEASE, false, INT64_MAX, false, &duties), STORE_OK);
    cr_expect(duties.take_over, "a lease that has ended is always seen");
}

Test(nodes, a_node_whose_lease_has_ended_claims_nothing) {
    char id[40], self[40];
    struct claim claim;
    int64_t live, before;
    id_new(self);
    submit(id);
    cr_assert_eq(store_node_count(session, &before), STORE_OK);
    be(self);
    let_lease_end();
    cr_assert_eq(store_node_count(session, &live), STORE_OK);
    cr_expect_eq(live, before);
    cr_expect_eq(store_claim(session, "0", &EVERYTHING, 1, &claim), STORE_NOT_FOUND);
    cr_expect_eq(take_over().buried, 1);
    cr_expect_eq(store_node_renew(session, LEASE, false, INT64_MAX, true, &(struct duties){0}),
                 STORE_LOST);
    cr_expect_eq(store_claim(session, "0", &EVERYTHING, 1, &claim), STORE_NOT_FOUND);
    be(self);
    cr_expect_eq(store_claim(session, "0", &EVERYTHING, 1, &claim), STORE_OK);
    claim_clear(&claim);
}

/* A node with little memory, or little that its jobs leave, is not sent to look for it each time. */
Test(nodes, a_job_that_does_not_fit_is_no_duty) {
    struct job job = {.dataset = "spiral", .spec = "{}", .epochs = 5, .steps = 50, .memory = 1000};
    char self[40];
    struct duties duties;
    id_new(self);
    be(self);
    id_new(job.id);
    cr_assert_eq(store_job_insert(session, &job, NULL), STORE_OK);
    cr_assert_eq(store_node_renew(session, LEASE, false, 999, true, &duties), STORE_OK);
    cr_expect_not(duties.claim);
    cr_assert_eq(store_node_renew(session, LEASE, false, 1000, true, &duties), STORE_OK);
    cr_expect(duties.claim);
    id_new(job.id);
    job.memory = 10;
    cr_assert_eq(store_job_insert(session, &job, NULL), STORE_OK);
    cr_assert_eq(store_node_renew(session, LEASE, false, 999, true, &duties), STORE_OK);
    cr_expect(duties.claim, "the one behind it fits");
}

/* What is told late must not stop the job that was resumed meanwhile. */
Test(nodes, a_cancel_stops_the_claim_that_it_was_for) {
    char id[40], self[40];
    struct claim first, second;
    int64_t fence;
    id_new(self);
    submit(id);
    be(self);
    cr_assert_eq(store_claim(session, "0", &EVERYTHING, 1, &first), STORE_OK);
    cr_assert_eq(store_must_stop(session, id, &fence), STORE_OK);
    cr_expect_eq(fence, 0);
    cr_assert_eq(store_job_cancel(session, id, 1), STORE_OK);
    cr_assert_eq(store_must_stop(session, id, &fence), STORE_OK);
    cr_expect_eq(fence, first.fence);
    const struct job_end end = {.status = JOB_CANCELLED};
    cr_assert_eq(store_finish(session, id, first.fence, &end, 2), STORE_OK);
    cr_assert_eq(store_job_resume(session, id, "{}", 5, 50, 0), STORE_OK);
    cr_assert_eq(store_must_stop(session, id, &fence), STORE_OK);
    cr_expect_eq(fence, first.fence, "it is queued: only the claim before may still be at it");
    cr_assert_eq(store_claim(session, "0", &EVERYTHING, 3, &second), STORE_OK);
    cr_expect_gt(second.fence, first.fence);
    cr_assert_eq(store_must_stop(session, id, &fence), STORE_OK);
    cr_expect_eq(fence, 0);
    cr_assert_eq(store_job_delete(session, id, true), STORE_OK);
    cr_assert_eq(store_must_stop(session, id, &fence), STORE_OK);
    cr_expect_eq(fence, INT64_MAX);
    claim_clear(&first);
    claim_clear(&second);
}

/* As when a process starts again: cancelled if that was asked for, failed if nobody survives it. */
Test(nodes, a_takeover_ends_what_must_not_run_again) {
    char cancelled[40], deadly[40], self[40];
    struct claim claim;
    submit(deadly);
    for (int i = 0; i < 3; i++) {
        id_new(self);
        be(self);
        cr_assert_eq(store_claim(session, "0", &EVERYTHING, 1, &claim), STORE_OK);
        claim_clear(&claim);
        let_lease_end();
        cr_expect_eq(take_over().requeued, i < 2);
    }
    expect(deadly, JOB_FAILED, NULL);
    submit(cancelled);
    be(self);
    cr_assert_eq(store_claim(session, "0", &EVERYTHING, 1, &claim), STORE_OK);
    claim_clear(&claim);
    cr_assert_eq(store_job_cancel(session, cancelled, 1), STORE_OK);
    cr_assert_eq(store_node_leave(session), STORE_OK);
    cr_expect_eq(take_over().requeued, 0);
    expect(cancelled, JOB_CANCELLED, NULL);
}

/* A job goes on only where its arithmetic is offered, and does not wait while somebody does. */
Test(nodes, a_job_finds_the_node_with_its_arithmetic) {
    char id[40], one[40], other[40];
    struct claim claim;
    struct job job;
    struct receipt receipt;
    id_new(one);
    id_new(other);
    submit(id);
    be(one);
    cr_assert_eq(store_offer(session, (const char *[]){"a", "b"}, 2), STORE_OK);
    cr_assert_eq(store_claim(session, "0", &EVERYTHING, 1, &claim), STORE_OK);
    struct checkpoint checkpoint = {.bytes = "half", .size = 4, .step = 5, .arithmetic = "b"};
    sha256_text("half", 4, checkpoint.sha256);
    const struct progress progress = {
        .id = id, .fence = claim.fence, .step = 5, .report = 1, .checkpoint = &checkpoint};
    cr_assert_eq(store_progress(session, &progress, 1, &receipt), STORE_OK);
    cr_assert_eq(store_unclaim(session, id, claim.fence), STORE_OK);
    claim_clear(&claim);
    be(other);
    cr_assert_eq(store_offer(session, (const char *[]){"c"}, 1), STORE_OK);
    cr_assert_eq(store_claim(session, "0", &EVERYTHING, 1, &claim), STORE_NOT_FOUND);
    cr_assert_eq(store_job_get(session, id, &job), STORE_OK);
    cr_expect_not(job.waits_for_offer);
    job_clear(&job);
    struct node nodes[4];
    int count;
    cr_assert_eq(store_nodes(session, nodes, 4, &count), STORE_OK);
    for (int i = 0; i < count; i++) {
        if (strcmp(nodes[i].id, one) == 0) {
            cr_expect_eq(nodes[i].offers, 2);
            cr_expect_str_eq(nodes[i].arithmetic[1], "b");
            cr_expect_gt(nodes[i].lease_until, clock_now_ms());
        }
        node_clear(&nodes[i]);
    }
    cr_expect_eq(count, 3); /* and that of the test */
    be(one);
    let_lease_end();
    cr_expect_eq(take_over().buried, 1);
    cr_assert_eq(store_job_get(session, id, &job), STORE_OK);
    cr_expect(job.waits_for_offer, "nobody offers it any more");
    job_clear(&job);
}
