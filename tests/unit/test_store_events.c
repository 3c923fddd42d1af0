/* The events that the store keeps of its own changes: each once, in order, gone with their job. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/store/store.h"
#include "tests/unit/store_file.h"

TestSuite(store_events, .init = setup, .fini = teardown);

static struct watched_job insert(void) {
    struct job job = {.dataset = "spiral", .spec = "{}", .epochs = 100, .steps = 1000};
    struct watched_job watched;
    id_new(job.id);
    job.created_at = clock_now_ms();
    cr_assert_eq(store_job_insert(session, &job, NULL), STORE_OK);
    cr_assert_eq(store_watched_job(session, "latest", &watched), STORE_OK);
    cr_assert_str_eq(watched.id, job.id);
    return watched;
}

static void report(struct claim *claim, int first, int last, bool with_checkpoint) {
    struct epoch_row rows[20];
    for (int e = first; e <= last; e++)
        rows[e - first] = (struct epoch_row){.epoch = e, .step = 10 * e, .train_loss = 1.0 / e};
    struct checkpoint checkpoint = {.bytes = "state", .size = 5, .step = 10 * last, .epoch = last};
    memset(checkpoint.sha256, 'a', sizeof checkpoint.sha256 - 1);
    struct progress progress = {.id = claim->id,
                                .fence = claim->fence,
                                .report = ++claim->reports,
                                .step = 10 * last,
                                .epochs = rows,
                                .epoch_count = (size_t)(last - first + 1),
                                .checkpoint = with_checkpoint ? &checkpoint : NULL,
                                .models = &(struct trained_model){.variant = "avx2",
                                                                  .bytes = "model",
                                                                  .size = 5,
                                                                  .epoch = last,
                                                                  .dim = 1,
                                                                  .transform = (double[]){0, 1}},
                                .model_count = with_checkpoint};
    struct receipt receipt;
    cr_assert_eq(store_progress(session, &progress, 1, &receipt), STORE_OK);
}

static int64_t last_id(void) {
    int64_t id;
    cr_assert_eq(store_event_last(session, &id), STORE_OK);
    return id;
}

/* "queued0 running0 1 2 c2 .." after an id, of these jobs; checks the order. Small ids are counted
 * from the database's first one. */
static const char *told(const struct watched_job *jobs, int count, int64_t after, int limit) {
    static char text[2000];
    struct event events[100];
    int read;
    if (after >> EVENT_MARK_BITS == 0)
        after += last_id() >> EVENT_MARK_BITS << EVENT_MARK_BITS;
    int64_t last = after;
    const struct event_filter filter = {jobs, count, after, INT64_MAX, limit};
    cr_assert_eq(store_events(session, &filter, events, &read), STORE_OK);
    cr_assert_leq(read, limit);
    text[0] = '\0';
    for (int i = 0; i < read; i++) {
        const char *kind = events[i].kind == EVENT_STATUS  ? events[i].status
                           : events[i].kind == EVENT_EPOCH ? ""
                                                           : "c";
        cr_assert_gt(events[i].id, last);
        cr_assert_leq(llabs(events[i].at - clock_now_ms()), 60000);
        last = events[i].id;
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s%d", i ? " " : "", kind,
                 events[i].row.epoch);
        event_clear(&events[i]);
    }
    return text;
}

static bool is_over(const struct watched_job *jobs, int count, int64_t after) {
    bool over;
    cr_assert_eq(store_events_over(session, jobs, count, after, &over), STORE_OK);
    return over;
}

Test(store_events, of_another_database_are_no_place_here) {
    insert();
    const int64_t last = last_id();
    const int64_t others[] = {1,
                              999999,
                              last + 1,
                              last + (1LL << EVENT_MARK_BITS),
                              last - (1LL << EVENT_MARK_BITS),
                              (1LL << 53) - 1};
    cr_assert_gt(last >> EVENT_MARK_BITS, 0);
    cr_assert_lt(last, 1LL << 53);
    int64_t id = last;
    cr_assert_eq(store_event_place(session, &id), STORE_OK);
    cr_assert_eq(id, last);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        id = others[i];
        cr_assert_eq(store_event_place(session, &id), STORE_OK);
        cr_assert_eq(id, 0, "%zu", i);
    }
}

Test(store_events, tell_every_change_of_a_job) {
    struct claim claim;
    struct watched_job job = insert();
    cr_assert_eq(store_claim(session, "boot/0", &EVERYTHING, 5, &claim), STORE_OK);
    report(&claim, 1, 2, true);
    report(&claim, 3, 3, false);
    cr_assert_not(is_over(&job, 1, last_id()));
    cr_assert_eq(store_finish(session, claim.id, claim.fence,
                              &(struct job_end){JOB_FAILED, JOB_ERROR_DIVERGED, "why", NULL}, 9),
                 STORE_OK);
    cr_assert_str_eq(told(&job, 1, 0, 100), "queued0 running0 1 2 c2 3 failed3");
    cr_assert_str_eq(told(&job, 1, 4, 100), "c2 3 failed3");
    cr_assert_str_eq(told(NULL, 0, 0, 3), "queued0 running0 1");
    cr_assert(is_over(&job, 1, last_id()));
    cr_assert_not(is_over(&job, 1, last_id() - 1));
    cr_assert_eq(store_job_resume(session, claim.id, "{}", 200, 2000, 0), STORE_OK);
    cr_assert_eq(store_job_cancel(session, claim.id, 9), STORE_OK);
    cr_assert_str_eq(told(&job, 1, 7, 100), "queued3 cancelled3");
    cr_assert_eq(store_job_cancel(session, claim.id, 10), STORE_OK); /* changes nothing */
    cr_assert_str_eq(told(&job, 1, 9, 100), "");
    claim_clear(&claim);
}

Test(store_events, tell_of_an_epoch_that_is_trained_again_only_once) {
    struct claim claim;
    int requeued;
    struct watched_job job = insert();
    cr_assert_eq(store_claim(session, "boot/0", &EVERYTHING, 5, &claim), STORE_OK);
    report(&claim, 1, 1, true);
    report(&claim, 2, 4, false);
    claim_clear(&claim);
    cr_assert_eq(store_recover(session, INT64_MAX, 6, &requeued), STORE_OK); /* a crash */
    cr_assert_eq(store_claim(session, "boot2/0", &EVERYTHING, 7, &claim), STORE_OK);
    report(&claim, 2, 3, true);
    report(&claim, 4, 6, false);
    cr_assert_str_eq(told(&job, 1, 0, 100), "queued0 running0 1 c1 2 3 4 queued4 running4 c3 5 6");
    claim_clear(&claim);
}

/* It is saved within the first epoch, and stopped some epochs after that. */
Test(store_events, of_a_training_that_goes_on_within_its_first_epoch_do_not_begin_again) {
    struct claim claim;
    struct receipt receipt;
    struct checkpoint checkpoint = {.bytes = "state", .size = 5, .step = 4, .epoch = 0};
    int requeued;
    struct watched_job job = insert();
    memset(checkpoint.sha256, 'a', sizeof checkpoint.sha256 - 1);
    cr_assert_eq(store_claim(session, "boot/0", &EVERYTHING, 5, &claim), STORE_OK);
    const struct progress progress = {.id = claim.id,
                                      .fence = claim.fence,
                                      .report = ++claim.reports,
                                      .step = 4,
                                      .checkpoint = &checkpoint};
    cr_assert_eq(store_progress(session, &progress, 1, &receipt), STORE_OK);
    report(&claim, 1, 3, false);
    claim_clear(&claim);
    cr_assert_eq(store_recover(session, INT64_MAX, 6, &requeued), STORE_OK); /* a crash */
    cr_assert_eq(store_claim(session, "boot2/0", &EVERYTHING, 7, &claim), STORE_OK);
    cr_assert_eq(claim.checkpoint.step, 4);
    report(&claim, 1, 4, true);
    cr_assert_str_eq(told(&job, 1, 0, 100), "queued0 running0 1 2 3 queued3 running3 4 c4");
    claim_clear(&claim);
}

Test(store_events, of_a_training_that_starts_afresh_begin_again) {
    struct claim claim;
    struct watched_job job = insert();
    cr_assert_eq(store_claim(session, "boot/0", &EVERYTHING, 5, &claim), STORE_OK);
    report(&claim, 1, 3, true);
    int64_t before = last_id();
    cr_assert_eq(store_drop_checkpoint(session, &claim), STORE_OK);
    report(&claim, 1, 1, true);
    cr_assert_str_eq(told(&job, 1, 0, 100), "running0 1 c1");
    cr_assert_str_eq(told(&job, 1, before, 100), "running0 1 c1");
    claim_clear(&claim);
}

Test(store_events, of_several_jobs_come_in_one_order) {
    struct watched_job jobs[3] = {insert(), insert(), insert()};
    struct claim claims[3];
    for (int i = 0; i < 3; i++)
        cr_assert_eq(store_claim(session, "boot/0", &EVERYTHING, 5, &claims[i]), STORE_OK);
    for (int e = 1; e <= 4; e++)
        for (int i = 0; i < 3; i++)
            report(&claims[i], 4 * i + e, 4 * i + e, false);
    struct watched_job ends[2] = {jobs[0], jobs[2]};
    cr_assert_str_eq(told(ends, 2, 6, 100), "1 9 2 10 3 11 4 12");
    cr_assert_str_eq(told(ends, 2, 6, 3), "1 9 2");
    cr_assert_str_eq(told(NULL, 0, 6, 4), "1 5 9 2");
    for (int i = 0; i < 3; i++) {
        cr_assert_not(is_over(jobs, 3, last_id()));
        cr_assert_eq(store_finish(session, claims[i].id, claims[i].fence,
                                  &(struct job_end){.status = JOB_SUCCEEDED}, 9),
                     STORE_OK);
        claim_clear(&claims[i]);
    }
    cr_assert(is_over(jobs, 3, last_id()));
}

Test(store_events, go_with_their_job_but_for_the_news) {
    struct watched_job job = insert(), other = insert(), found;
    cr_assert_eq(store_job_delete(session, job.id, false), STORE_OK);
    cr_assert_str_eq(told(NULL, 0, 0, 100), "queued0 deleted0");
    cr_assert_str_eq(told(&other, 1, 0, 100), "queued0");
    cr_assert_eq(store_watched_job(session, job.id, &found), STORE_OK);
    cr_assert_eq(found.seq, job.seq);
    cr_assert(is_over(&job, 1, last_id()));
    cr_assert_eq(store_watched_job(session, "01890000-0000-7000-8000-000000000000", &found),
                 STORE_NOT_FOUND);
    /* a number is not used again, even if it was the last */
    int64_t before = last_id();
    cr_assert_eq(store_job_delete(session, other.id, false), STORE_OK);
    insert();
    cr_assert_gt(last_id(), before + 1);
}
