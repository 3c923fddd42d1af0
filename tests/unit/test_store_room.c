/* A limit on what the database may take: what is dispensable goes first, then growth is refused. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/id.h"
#include "server/store/store.h"
#include "tests/unit/store_file.h"

TestSuite(store_room, .init = setup, .fini = teardown);

enum { MIB = 1 << 20, LIMIT = 32 * MIB, SIZE = 3 * MIB };

/* PostgreSQL leaves that to its own administration. */
static void limit_store(void) {
    if (getenv("TEST_POSTGRESQL"))
        cr_skip_test("only SQLite has a limit");
    cr_assert_eq(store_limit(session, LIMIT), STORE_OK);
}

static char bytes[SIZE];

/* A job that has trained up to a checkpoint and a model of SIZE bytes each. */
static enum store_status train(bool ends, char id[40]) {
    struct job job = {.dataset = "spiral", .spec = "{}", .epochs = 4, .steps = 40};
    struct claim claim;
    struct receipt receipt;
    id_new(job.id);
    strcpy(id, job.id);
    enum store_status status = store_job_insert(session, &job, NULL);
    if (status != STORE_OK)
        return status;
    cr_assert_eq(store_claim(session, "w", &EVERYTHING, 1, &claim), STORE_OK);
    const struct epoch_row row = {.epoch = 1, .step = 10};
    struct checkpoint checkpoint = {.bytes = bytes, .size = SIZE, .step = 10, .epoch = 1};
    memset(checkpoint.sha256, 'a', 64);
    const struct progress progress = {.id = id,
                                      .fence = claim.fence,
                                      .report = 1,
                                      .step = 10,
                                      .epochs = &row,
                                      .epoch_count = 1,
                                      .checkpoint = &checkpoint,
                                      .models =
                                          &(struct trained_model){.variant = "avx2",
                                                                  .bytes = bytes,
                                                                  .size = SIZE,
                                                                  .epoch = 1,
                                                                  .dim = 1,
                                                                  .transform = (double[]){0, 1}},
                                      .model_count = 1};
    cr_assert_eq(store_savepoint(session), STORE_OK);
    status = store_progress(session, &progress, 1, &receipt);
    cr_assert_eq(store_keep(session, status == STORE_OK), STORE_OK);
    if (ends)
        cr_assert_eq(store_finish(session, id, claim.fence,
                                  &(struct job_end){JOB_FAILED, JOB_ERROR_DIVERGED, "y", NULL}, 1),
                     STORE_OK);
    claim_clear(&claim);
    return status;
}

static int64_t used(void) {
    int64_t now;
    cr_assert_eq(store_used(session, &now), STORE_OK);
    return now;
}

static bool has_checkpoint(const char *id) {
    struct claim claim;
    cr_assert_eq(store_job_resume(session, id, "{}", 4, 40, 0), STORE_OK);
    cr_assert_eq(store_claim(session, "w", &EVERYTHING, 1, &claim), STORE_OK);
    cr_assert_str_eq(claim.id, id);
    const bool has = claim.checkpoint.blob != 0;
    claim_clear(&claim);
    return has;
}

Test(store_room, checkpoints_of_ended_jobs_go_first_then_growth_is_refused) {
    char ids[32][40], id[40];
    int count = 0;
    struct model model;
    limit_store();
    while (count < 32 && train(true, ids[count]) == STORE_OK)
        count++;
    /* Models of 3 MiB are left, in less than 30 MiB; the last try also had to have a checkpoint. */
    cr_assert(count == 8 || count == 9, "%d", count);
    cr_assert_leq(used(), LIMIT - LIMIT / 16);
    for (int i = 0; i < count; i++) {
        cr_assert_eq(store_model_at(session, ids[i], 0, true, &model), STORE_OK);
        cr_assert_eq(model.byte_count, SIZE);
        model_clear(&model);
    }
    cr_assert(!has_checkpoint(ids[0]));
    /* Changes and deletes are never refused, and make room. */
    cr_assert_eq(store_job_cancel(session, ids[0], 1), STORE_OK);
    for (int i = 1; i < count; i++)
        cr_assert_eq(store_job_delete(session, ids[i], true), STORE_OK);
    cr_assert_eq(train(true, id), STORE_OK);
    cr_assert(has_checkpoint(id));
}

/* What a job is trained on from is not dispensable while it runs, nor while it waits. */
Test(store_room, checkpoints_of_jobs_that_go_on_stay) {
    char id[40];
    int count = 0, requeued;
    limit_store();
    while (count < 32 && train(false, id) == STORE_OK)
        count++;
    cr_assert_eq(count, 4); /* of 6 MiB each */
    cr_assert_eq(store_recover(session, INT64_MAX, 1, &requeued), STORE_OK);
    for (int i = 0; i < count; i++) {
        struct claim claim;
        cr_assert_eq(store_claim(session, "w", &EVERYTHING, 1, &claim), STORE_OK);
        cr_assert_neq(claim.checkpoint.blob, 0);
        claim_clear(&claim);
    }
}

/* An evaluation can be computed again; a state of a training or of a model cannot. */
Test(store_room, an_evaluation_takes_the_place_of_older_ones_only) {
    enum { ANSWER = 1 << 20 };
    char id[40], key[16];
    char *answer = malloc(ANSWER + 1), *kept = NULL;
    struct model model;
    memset(answer, 'x', ANSWER);
    answer[ANSWER] = '\0';
    limit_store();
    cr_assert_eq(train(true, id), STORE_OK);
    cr_assert_eq(store_model_get(session, id, &model), STORE_OK);
    for (int i = 0; i < 64; i++) {
        snprintf(key, sizeof key, "%d", i);
        cr_assert_eq(store_evaluation_keep(session, &model, key, answer, NULL), STORE_OK);
    }
    cr_assert_leq(used(), LIMIT - LIMIT / 16);
    cr_assert_eq(store_evaluation_get(session, id, 1, "0", &kept), STORE_NOT_FOUND);
    cr_assert_eq(store_evaluation_get(session, id, 1, "63", &kept), STORE_OK);
    free(kept);
    answer = realloc(answer, LIMIT + 1);
    memset(answer, 'x', LIMIT);
    answer[LIMIT] = '\0';
    cr_assert_eq(store_evaluation_keep(session, &model, "large", answer, NULL), STORE_OVER_LIMIT);
    cr_assert(has_checkpoint(id));
    model_clear(&model);
    free(answer);
}

/* A judge can be trained again; of many, the newest stay, with the last bytes of each key. */
Test(store_room, of_judges_the_newest_stay) {
    enum { KEPT = 32, LENGTH = 1000 };
    unsigned char judge[LENGTH];
    char key[16];
    void *found = NULL;
    size_t size = 0;
    cr_assert_eq(store_judge_get(session, "0", &found, &size), STORE_NOT_FOUND);
    for (int i = 0; i < 2 * KEPT; i++) {
        snprintf(key, sizeof key, "%d", i);
        memset(judge, 255, LENGTH);
        cr_assert_eq(store_judge_keep(session, key, judge, LENGTH), STORE_OK);
        memset(judge, i, LENGTH);
        cr_assert_eq(store_judge_keep(session, key, judge, LENGTH), STORE_OK);
    }
    for (int i = 0; i < 2 * KEPT; i++) {
        snprintf(key, sizeof key, "%d", i);
        const enum store_status status = store_judge_get(session, key, &found, &size);
        cr_assert_eq(status, i < KEPT ? STORE_NOT_FOUND : STORE_OK, "%d", i);
        memset(judge, i, LENGTH);
        if (status == STORE_OK)
            cr_assert(size == LENGTH && memcmp(found, judge, LENGTH) == 0);
        free(found);
    }
}

/* They leave the room to what cannot be computed again, and take none from it. */
Test(store_room, a_judge_takes_the_place_of_evaluations_only) {
    char id[40], key[16];
    unsigned char *judge = calloc(LIMIT, 1);
    int count = 0;
    limit_store();
    cr_assert_eq(train(true, id), STORE_OK);
    for (enum store_status status = STORE_OK; status == STORE_OK; count += status == STORE_OK) {
        snprintf(key, sizeof key, "%d", count);
        status = store_judge_keep(session, key, judge, MIB);
        cr_assert(status == STORE_OK || status == STORE_OVER_LIMIT);
    }
    cr_assert_geq(count, 8);
    cr_assert(has_checkpoint(id));
    cr_assert_eq(store_judge_keep(session, "large", judge, LIMIT), STORE_OVER_LIMIT);
    for (int i = 0; i < 4; i++) /* of 6 MiB each, for which judges go */
        cr_assert_eq(train(true, id), STORE_OK);
    free(judge);
}

/* The keys of a job that is resumed again and again: only the newest count. */
Test(store_room, of_the_replays_of_a_job_the_newest_stay) {
    char id[40], key[16], found[ID_LENGTH + 1];
    bool same;
    cr_assert_eq(train(true, id), STORE_OK);
    for (int i = 0; i < 2 * STORE_REPLAYS_KEPT; i++) {
        snprintf(key, sizeof key, "%d", i);
        const struct replay replay = {.operation = "resumeJob", .key = key, .request = key};
        cr_assert_eq(store_replay_keep(session, &replay, id), STORE_OK);
    }
    for (int i = 0; i < 2 * STORE_REPLAYS_KEPT; i++) {
        snprintf(key, sizeof key, "%d", i);
        const struct replay replay = {.operation = "resumeJob", .key = key, .request = key};
        cr_assert_eq(store_replay_find(session, &replay, found, &same),
                     i < STORE_REPLAYS_KEPT ? STORE_NOT_FOUND : STORE_OK);
    }
}

Test(store_room, without_a_limit_nothing_goes) {
    char ids[12][40];
    for (int i = 0; i < 12; i++)
        cr_assert_eq(train(true, ids[i]), STORE_OK);
    cr_assert_gt(used(), 72 * MIB);
    cr_assert(has_checkpoint(ids[0]));
}

/* A training that begins anew comes to an epoch that was there, with other weights. */
Test(store_room, figures_belong_to_the_bytes_and_not_to_the_epoch) {
    char id[40];
    struct receipt receipt;
    struct model model;
    cr_assert_eq(train(false, id), STORE_OK);
    cr_assert_eq(store_model_get(session, id, &model), STORE_OK);
    const struct figures figures = {.n = 50, .curve = {0.5}, .energy = {0.5}, .coverage = {0.5}};
    cr_assert_eq(store_evaluation_keep(session, &model, "k", "{}", &figures), STORE_OK);
    model_clear(&model);
    for (int again = 0; again < 2; again++) {
        cr_assert_eq(store_model_get(session, id, &model), STORE_OK);
        cr_assert_eq(model.epoch, 1);
        cr_assert_eq(model.figures.n, again ? 0 : 50);
        model_clear(&model);
        const struct progress progress = {
            .id = id,
            .fence = 1,
            .report = 2 + again,
            .step = 11,
            .models = &(struct trained_model){.variant = "avx2",
                                              .bytes = bytes,
                                              .size = SIZE / 2,
                                              .epoch = 1,
                                              .dim = 1,
                                              .transform = (double[]){0, 1}},
            .model_count = 1};
        cr_assert_eq(store_progress(session, &progress, 1, &receipt), STORE_OK);
    }
}
