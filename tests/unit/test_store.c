/* The store on a real file: the queue, fences, checkpoints, recovery, and the writer thread. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/id.h"
#include "server/migrations.h"
#include "server/sha256.h"
#include "server/store.h"
#include "server/writer.h"
#include "tests/unit/store_file.h"

TestSuite(store, .init = setup, .fini = teardown);

static char *insert(int epochs) {
    static struct job job;
    job = (struct job){.dataset = "spiral", .spec = "{}", .epochs = epochs, .steps = 10 * epochs};
    id_new(job.id);
    job.created_at = clock_now_ms();
    cr_assert_eq(store_job_insert(session, &job, NULL), STORE_OK);
    return job.id;
}

static enum store_status report(const struct claim *claim, int first, int last, const char *state) {
    struct epoch_row rows[20];
    for (int e = first; e <= last; e++)
        rows[e - first] = (struct epoch_row){
            .epoch = e, .step = 10 * e, .train_loss = 1.0 / e, .val_loss = NAN, .seconds = 0.5 * e};
    struct checkpoint checkpoint = {
        .bytes = (void *)state, .step = 10 * last, .epoch = last, .seconds = 0.5 * last};
    if (state) {
        checkpoint.size = strlen(state);
        sha256_text(state, checkpoint.size, checkpoint.sha256);
    }
    struct progress progress = {.id = claim->id,
                                .fence = claim->fence,
                                .step = 10 * last,
                                .seconds = 0.5 * last,
                                .epochs = rows,
                                .epoch_count = (size_t)(last - first + 1),
                                .checkpoint = state ? &checkpoint : NULL,
                                .models = &(struct trained_model){"model", 5, last},
                                .model_count = state != NULL,
                                .variant = "avx2"};
    bool cancel;
    return store_progress(session, &progress, 1, &cancel);
}

static struct job get(const char *id) {
    struct job job;
    cr_assert_eq(store_job_get(session, id, &job), STORE_OK);
    job_clear(&(struct job){.name = job.name,
                            .dataset = job.dataset,
                            .spec = job.spec,
                            .warnings = job.warnings,
                            .error_detail = job.error_detail});
    return job; /* error_code is still there for the test; it leaks no more than the test lives */
}

Test(store, claims_in_order_of_submission) {
    char ids[3][40];
    for (int i = 0; i < 3; i++)
        strcpy(ids[i], insert(5));
    for (int i = 0; i < 3; i++) {
        struct claim claim;
        cr_assert_eq(get(ids[2]).queue_position, 2 - i);
        cr_assert_eq(store_claim(session, "w", 1, &claim), STORE_OK);
        cr_assert_str_eq(claim.id, ids[i]);
        cr_assert_eq(claim.attempt, 1);
        cr_assert_null(claim.checkpoint.bytes);
        claim_clear(&claim);
    }
    struct claim none;
    cr_assert_eq(store_claim(session, "w", 1, &none), STORE_NOT_FOUND);
    cr_assert_eq(get(ids[0]).status, JOB_RUNNING);
}

Test(store, an_old_fence_writes_nothing) {
    char id[40];
    strcpy(id, insert(5));
    struct claim old, new;
    int requeued;
    cr_assert_eq(store_claim(session, "a", 1, &old), STORE_OK);
    cr_assert_eq(report(&old, 1, 1, "one"), STORE_OK);
    cr_assert_eq(store_recover(session, 2, &requeued), STORE_OK);
    cr_assert_eq(requeued, 1);
    cr_assert_eq(store_claim(session, "b", 3, &new), STORE_OK);
    cr_assert_gt(new.fence, old.fence);
    cr_assert_eq(report(&old, 2, 2, "stale"), STORE_LOST);
    cr_assert_eq(store_finish(session, id, old.fence, JOB_SUCCEEDED, NULL, NULL, 4), STORE_LOST);
    cr_assert_eq(store_unclaim(session, id, old.fence), STORE_LOST);
    cr_assert_eq(store_drop_checkpoint(session, &old), STORE_LOST);
    struct progress nothing_new = {.id = id, .fence = old.fence, .step = 11};
    bool cancel;
    cr_assert_eq(store_progress(session, &nothing_new, 1, &cancel), STORE_LOST);
    cr_assert_eq(get(id).epoch, 1);
    cr_assert_eq(report(&new, 2, 2, "two"), STORE_OK);
    cr_assert_eq(get(id).epoch, 2);
    claim_clear(&old);
    claim_clear(&new);
}

/* A resumed job continues from its checkpoint: later epochs are forgotten, and only two checkpoints
 * are kept. */
Test(store, a_claim_rewinds_to_the_checkpoint) {
    char id[40];
    strcpy(id, insert(9));
    struct claim claim;
    cr_assert_eq(store_claim(session, "a", 1, &claim), STORE_OK);
    cr_assert_eq(report(&claim, 1, 1, "one"), STORE_OK);
    cr_assert_eq(report(&claim, 2, 3, "three"), STORE_OK);
    cr_assert_eq(report(&claim, 4, 4, "four"), STORE_OK);
    cr_assert_eq(report(&claim, 5, 6, NULL), STORE_OK);
    cr_assert_eq(get(id).epoch, 6);
    cr_assert_eq(store_unclaim(session, id, claim.fence), STORE_OK);
    claim_clear(&claim);

    cr_assert_eq(store_claim(session, "b", 1, &claim), STORE_OK);
    cr_assert_eq(claim.attempt, 1); /* an orderly stop counts as no attempt */
    cr_assert_eq(claim.checkpoint.size, 4);
    cr_assert(memcmp(claim.checkpoint.bytes, "four", 4) == 0);
    cr_assert_float_eq(claim.checkpoint.seconds, 2.0, 1e-12);
    cr_assert(claim.checkpoint.step == 40 && claim.checkpoint.epoch == 4);
    struct epoch_row rows[10];
    int count;
    bool more;
    cr_assert_eq(store_history(session, id, 0, 10, rows, &count, &more), STORE_OK);
    cr_assert_eq(count, 4);
    cr_assert(rows[3].epoch == 4 && rows[3].step == 40 && rows[3].train_loss == 0.25);
    cr_assert(isnan(rows[3].val_loss));
    struct job job = get(id);
    cr_assert(job.epoch == 4 && job.step == 40 && job.train_loss == 0.25);
    claim_clear(&claim);
}

/* The newest cannot be used, then the one before cannot: the training goes back, at last to its
 * start. */
Test(store, checkpoints_that_cannot_be_used_are_dropped_one_by_one) {
    char id[40];
    strcpy(id, insert(9));
    struct claim claim;
    struct model model;
    cr_assert_eq(store_claim(session, "a", 1, &claim), STORE_OK);
    cr_assert_eq(report(&claim, 1, 3, "three"), STORE_OK);
    cr_assert_eq(report(&claim, 4, 6, "six"), STORE_OK);
    cr_assert_eq(store_unclaim(session, id, claim.fence), STORE_OK);
    claim_clear(&claim);
    cr_assert_eq(store_claim(session, "b", 1, &claim), STORE_OK);
    cr_assert(memcmp(claim.checkpoint.bytes, "six", 3) == 0);
    cr_assert_eq(store_drop_checkpoint(session, &claim), STORE_OK);
    cr_assert(memcmp(claim.checkpoint.bytes, "three", 5) == 0);
    cr_assert(claim.checkpoint.step == 30 && claim.checkpoint.epoch == 3);
    struct job job = get(id);
    cr_assert(job.epoch == 3 && job.step == 30 && job.seconds == 1.5);
    cr_assert_eq(store_drop_checkpoint(session, &claim), STORE_OK);
    cr_assert(!claim.checkpoint.bytes && claim.checkpoint.step == 0);
    job = get(id);
    cr_assert(job.epoch == 0 && job.step == 0 && isnan(job.train_loss));
    cr_assert_eq(store_model_get(session, id, true, &model), STORE_NOT_FOUND);
    claim_clear(&claim);
}

/* Within an epoch there is no row to tell of, yet the job moves and resumes from there. */
Test(store, checkpoints_in_the_middle_of_an_epoch) {
    char id[40];
    strcpy(id, insert(9));
    struct claim claim;
    bool cancel;
    cr_assert_eq(store_claim(session, "a", 1, &claim), STORE_OK);
    struct checkpoint checkpoint = {.bytes = "half", .size = 4, .step = 5, .seconds = 0.25};
    sha256_text("half", 4, checkpoint.sha256);
    struct progress progress = {.id = id,
                                .fence = claim.fence,
                                .step = 7,
                                .seconds = 0.5,
                                .checkpoint = &checkpoint,
                                .variant = "avx2"};
    cr_assert_eq(store_progress(session, &progress, 1, &cancel), STORE_OK);
    struct job job = get(id);
    cr_assert(job.epoch == 0 && job.step == 7 && job.seconds == 0.5 && !job.has_model);
    cr_assert_eq(store_unclaim(session, id, claim.fence), STORE_OK);
    claim_clear(&claim);
    cr_assert_eq(store_claim(session, "a", 1, &claim), STORE_OK);
    cr_assert(claim.checkpoint.step == 5 && claim.checkpoint.epoch == 0);
    cr_assert_str_eq(claim.checkpoint.sha256, checkpoint.sha256);
    job = get(id);
    cr_assert(job.step == 5 && job.seconds == 0.25);
    claim_clear(&claim);
}

Test(store, a_job_that_never_gets_to_a_checkpoint_fails) {
    char id[40];
    strcpy(id, insert(5));
    int requeued;
    for (int crash = 1; crash <= 3; crash++) {
        struct claim claim;
        cr_assert_eq(store_claim(session, "a", 1, &claim), STORE_OK);
        cr_assert_eq(store_recover(session, 1, &requeued), STORE_OK);
        cr_assert_eq(requeued, crash < 3);
        claim_clear(&claim);
    }
    struct job job = get(id);
    cr_assert_eq(job.status, JOB_FAILED);
    cr_assert_str_eq(job.error_code, "crash_loop");
}

Test(store, a_checkpoint_shows_that_it_gets_on) {
    char id[40];
    strcpy(id, insert(9));
    int requeued;
    for (int crash = 1; crash <= 5; crash++) {
        struct claim claim;
        cr_assert_eq(store_claim(session, "a", 1, &claim), STORE_OK);
        cr_assert_eq(report(&claim, crash, crash, "x"), STORE_OK);
        cr_assert_eq(store_recover(session, 1, &requeued), STORE_OK);
        cr_assert_eq(requeued, 1);
        claim_clear(&claim);
    }
}

Test(store, models) {
    char id[40];
    strcpy(id, insert(5));
    struct claim claim;
    struct model model;
    cr_assert_eq(store_model_get(session, "latest", true, &model), STORE_NOT_FOUND);
    cr_assert_eq(store_claim(session, "a", 1, &claim), STORE_OK);
    cr_assert_eq(report(&claim, 1, 2, "two"), STORE_OK);
    cr_assert_eq(store_model_get(session, "latest", true, &model), STORE_OK);
    cr_assert_str_eq(model.id, id);
    cr_assert(model.epoch == 2 && model.byte_count == 5 && memcmp(model.bytes, "model", 5) == 0);
    cr_assert_str_eq(model.variant, "avx2");
    model_clear(&model);
    cr_assert_eq(store_model_get(session, id, false, &model), STORE_OK);
    cr_assert_null(model.bytes);
    model_clear(&model);
    cr_assert_eq(store_job_delete(session, id, false), STORE_CONFLICT);
    cr_assert_eq(store_job_delete(session, id, true), STORE_OK);
    cr_assert_eq(store_model_get(session, id, false, &model), STORE_NOT_FOUND);
    cr_assert_eq(report(&claim, 3, 3, "late"), STORE_LOST);
    claim_clear(&claim);
}

Test(store, readers_cannot_write) {
    char id[40];
    strcpy(id, insert(5));
    cr_assert_eq(store_commit(session), STORE_OK);
    struct store_session *reader = store_acquire(store);
    struct job job;
    cr_assert_eq(store_job_get(reader, id, &job), STORE_OK);
    job_clear(&job);
    cr_assert_neq(store_job_cancel(reader, id, 1), STORE_OK);
    store_release(store, reader);
    cr_assert_eq(store_begin(session), STORE_OK);
    cr_assert_eq(get(id).status, JOB_QUEUED);
}

Test(store, a_second_opening_is_refused) {
    char error[300];
    cr_assert_null(store_open(path, error, sizeof error));
    cr_assert(strstr(error, "in use"));
}

/* ------------------------------------------------------------------ the writer thread */

struct insertion {
    struct task task;
    char id[40];
    bool keep;
    int done;
    enum task_outcome outcome;
};

static bool run_insertion(struct task *task, struct store_session *writing) {
    struct insertion *insertion = (struct insertion *)task;
    struct job job = {.dataset = "spiral", .spec = "{}", .epochs = 1, .steps = 1, .created_at = 1};
    id_new(job.id);
    strcpy(insertion->id, job.id);
    cr_assert_eq(store_job_insert(writing, &job, NULL), STORE_OK);
    return insertion->keep;
}

static void insertion_done(struct task *task, enum task_outcome outcome) {
    struct insertion *insertion = (struct insertion *)task;
    insertion->outcome = outcome;
    __atomic_store_n(&insertion->done, 1, __ATOMIC_RELEASE);
}

Test(store, the_writer_acknowledges_after_the_commit_and_undoes_one_task_alone) {
    store_abort(session);
    struct writer *writer = writer_start(store);
    struct insertion insertions[200];
    for (int i = 0; i < 200; i++) {
        insertions[i] = (struct insertion){.task = {.run = run_insertion, .done = insertion_done},
                                           .keep = i % 3 != 0};
        writer_post(writer, &insertions[i].task);
    }
    struct store_session *reader = store_acquire(store);
    for (int i = 0; i < 200; i++) {
        while (!__atomic_load_n(&insertions[i].done, __ATOMIC_ACQUIRE))
            usleep(100);
        cr_assert_eq(insertions[i].outcome, TASK_DONE);
        struct job job;
        enum store_status status = store_job_get(reader, insertions[i].id, &job);
        cr_assert_eq(status, insertions[i].keep ? STORE_OK : STORE_NOT_FOUND, "%d", i);
        if (status == STORE_OK)
            job_clear(&job);
    }
    store_release(store, reader);
    writer_stop(writer);
    cr_assert_eq(store_begin(session), STORE_OK);
}

/* An imported model; the digit makes its id. */
static struct model imported(char digit) {
    struct model model = {
        .name = "m", .spec = "{}", .variant = "avx2", .epoch = 7, .bytes = "wxyz"};
    memset(model.id, digit, STORE_ID_LENGTH);
    model.byte_count = 4;
    model.created_at = 5;
    return model;
}

Test(store, imported_models_are_listed_by_page_and_deleted) {
    struct model models[2], one;
    int count;
    bool has_more;
    char after[STORE_ID_LENGTH + 1];
    for (char digit = '1'; digit <= '3'; digit++) {
        one = imported(digit);
        cr_assert_eq(store_model_insert(session, &one), STORE_OK);
    }
    cr_assert_eq(store_model_list(session, NULL, 2, models, &count, &has_more), STORE_OK);
    cr_assert(count == 2 && has_more && models[0].id[0] == '3' && models[1].id[0] == '2');
    cr_assert(!models[0].has_job && !models[0].bytes && models[0].byte_count == 4);
    memcpy(after, models[1].id, sizeof after);
    model_clear(&models[0]);
    model_clear(&models[1]);
    cr_assert_eq(store_model_delete(session, after), STORE_OK);
    cr_assert_eq(store_model_delete(session, after), STORE_NOT_FOUND);
    cr_assert_eq(store_model_list(session, after, 2, models, &count, &has_more), STORE_OK);
    cr_assert(count == 1 && !has_more && models[0].id[0] == '1' && models[0].epoch == 7);
    model_clear(&models[0]);
}

/* Two with one number: a database of the version before would never get the second. */
Test(store, migrations_are_numbered_one_after_another) {
    for (int i = 0; i < migration_count; i++)
        cr_assert_eq(migrations[i].number, i + 1, "%s", migrations[i].name);
}
