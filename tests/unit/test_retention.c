/* What is forgotten, and what is not, with times long ago. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/id.h"
#include "server/store/store.h"
#include "tests/unit/store_file.h"

TestSuite(retention, .init = setup, .fini = teardown);

/* A job of 8 epochs, with checkpoints after 4 and 8, that ended at `finished`; 0: still runs. */
static void insert(int64_t finished, char id[40]) {
    struct job job = {.dataset = "spiral", .spec = "{}", .epochs = 8, .steps = 80};
    struct claim claim;
    struct receipt receipt;
    id_new(job.id);
    strcpy(id, job.id);
    cr_assert_eq(store_job_insert(session, &job, NULL), STORE_OK);
    cr_assert_eq(store_claim(session, "w", &EVERYTHING, 1, &claim), STORE_OK);
    for (int last = 4; last <= 8; last += 4) {
        struct epoch_row rows[4];
        for (int i = 0; i < 4; i++)
            rows[i] = (struct epoch_row){.epoch = last - 3 + i, .step = 10 * (last - 3 + i)};
        struct checkpoint checkpoint = {
            .bytes = "state", .size = 5, .step = 10 * last, .epoch = last};
        memset(checkpoint.sha256, 'a', 64);
        const struct progress progress = {
            .id = id,
            .fence = claim.fence,
            .report = ++claim.reports,
            .step = 10 * last,
            .epochs = rows,
            .epoch_count = 4,
            .checkpoint = &checkpoint,
            .models = &(struct trained_model){.variant = "avx2",
                                              .bytes = "model",
                                              .size = 5,
                                              .epoch = last,
                                              .dim = 1,
                                              .transform = (double[]){0, 1}},
            .model_count = 1};
        cr_assert_eq(store_progress(session, &progress, 1, &receipt), STORE_OK);
    }
    if (finished)
        cr_assert_eq(store_finish(session, id, claim.fence,
                                  &(struct job_end){.status = JOB_SUCCEEDED}, finished),
                     STORE_OK);
    claim_clear(&claim);
}

static int events_of(const char *id) {
    struct watched_job job;
    struct event events[100];
    int count;
    cr_assert_eq(store_watched_job(session, id, &job), STORE_OK);
    const struct event_filter filter = {&job, 1, 0, INT64_MAX, 100};
    cr_assert_eq(store_events(session, &filter, events, &count), STORE_OK);
    cr_assert(count == 0 || (events[count - 1].kind == EVENT_STATUS ||
                             events[count - 1].kind == EVENT_CHECKPOINT));
    for (int i = 0; i < count; i++)
        event_clear(&events[i]);
    return count;
}

enum { ALL = 2 + 8 + 2 + 1 }; /* queued, running, epochs, checkpoints, the end */

Test(retention, events_of_jobs_that_ended_long_ago_go_but_for_the_last) {
    char old[40], young[40], running[40];
    int count, total = 0, parts = 0;
    insert(1000, old);
    insert(2000, young);
    insert(0, running);
    do {
        cr_assert_eq(store_forget_events(session, 1500, 5, &count), STORE_OK);
        total += count;
        parts++;
    } while (count == 5);
    cr_assert_eq(total, ALL - 1);
    cr_assert_eq(parts, 3);
    cr_assert_eq(events_of(old), 1);
    cr_assert_eq(events_of(young), ALL);
    cr_assert_eq(events_of(running), ALL - 1);
    struct epoch_row rows[10];
    bool more;
    cr_assert_eq(store_history(session, old, 0, 10, rows, &count, &more), STORE_OK);
    cr_assert_eq(count, 8); /* that is another thing */
}

/* What is left at the end is the newest, and the job can go on from it. Those of a job that another
 * way has ended go with a sweep. */
Test(retention, checkpoints_of_ended_jobs_go_but_for_the_newest) {
    char ended[40], running[40];
    int count;
    insert(1000, ended);
    insert(0, running);
    cr_assert_eq(store_forget_checkpoints(session, INT64_MAX, 100, &count), STORE_OK);
    cr_assert_eq(count, 0);
    cr_assert_eq(store_job_cancel(session, running, 1), STORE_OK);
    cr_assert_eq(store_recover(session, INT64_MAX, 1000, &count), STORE_OK);
    cr_assert_eq(store_forget_checkpoints(session, INT64_MAX, 100, &count), STORE_OK);
    cr_assert_eq(count, 1);
    cr_assert_eq(store_forget_checkpoints(session, INT64_MAX, 100, &count), STORE_OK);
    cr_assert_eq(count, 0);
    struct claim claim;
    cr_assert_eq(store_job_resume(session, ended, "{}", 9, 90, 0), STORE_OK);
    cr_assert_eq(store_claim(session, "w", &EVERYTHING, 1, &claim), STORE_OK);
    cr_assert_str_eq(claim.id, ended);
    cr_assert(claim.checkpoint.step == 80 && claim.checkpoint.size == 5);
    cr_assert_eq(store_drop_checkpoint(session, &claim), STORE_OK);
    cr_assert_eq(claim.checkpoint.blob, 0);
    claim_clear(&claim);
}

Test(retention, jobs_that_ended_long_ago_go_with_all_they_have) {
    char old[3][40], young[40], running[40];
    int count;
    struct job job;
    struct model model;
    for (int i = 0; i < 3; i++)
        insert(1000 + i, old[i]);
    insert(2000, young);
    insert(0, running);
    cr_assert_eq(store_forget_jobs(session, 1500, 2, &count), STORE_OK);
    cr_assert_eq(count, 2);
    cr_assert_eq(store_job_get(session, old[2], &job), STORE_OK); /* the oldest go first */
    job_clear(&job);
    cr_assert_eq(store_forget_jobs(session, 1500, 2, &count), STORE_OK);
    cr_assert_eq(count, 1);
    cr_assert_eq(store_job_get(session, old[2], &job), STORE_NOT_FOUND);
    cr_assert_eq(store_model_get(session, old[2], &model), STORE_NOT_FOUND);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(store_job_get(session, i ? young : running, &job), STORE_OK);
        job_clear(&job);
    }
}
