/* The store on a real file: the queue, fences, checkpoints, recovery, and the writer thread. */
#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/base/sha256.h"
#include "server/store/lists.h"
#include "server/threads/blob.h"
#include "server/threads/writer.h"
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

enum { ROOM = 1 << 30 }; /* memory enough for all */

/* Are these the bytes that the claim's checkpoint names? */
static bool checkpoint_is(const struct claim *claim, const char *expected) {
    void *bytes;
    if (store_blob_read(session, claim->checkpoint.blob, claim->checkpoint.size, &bytes) !=
        STORE_OK)
        return false;
    const bool same = claim->checkpoint.size == strlen(expected) &&
                      memcmp(bytes, expected, claim->checkpoint.size) == 0;
    free(bytes);
    return same;
}

static enum store_status report(struct claim *claim, int first, int last, const char *state) {
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
    double transform[2] = {0.5, 2};
    struct progress progress = {.id = claim->id,
                                .fence = claim->fence,
                                .report = ++claim->reports,
                                .step = 10 * last,
                                .seconds = 0.5 * last,
                                .epochs = rows,
                                .epoch_count = (size_t)(last - first + 1),
                                .checkpoint = state ? &checkpoint : NULL,
                                .models = &(struct trained_model){.variant = "avx2",
                                                                  .bytes = "model",
                                                                  .size = 5,
                                                                  .epoch = last,
                                                                  .dim = 1,
                                                                  .parameters = 7,
                                                                  .transform = transform},
                                .model_count = state != NULL};
    struct receipt receipt;
    return store_progress(session, &progress, 1, &receipt);
}

static struct job get(const char *id) {
    struct job job;
    cr_assert_eq(store_job_get(session, id, &job), STORE_OK);
    job_clear(&(struct job){.name = job.name,
                            .dataset = job.dataset,
                            .spec = job.spec,
                            .warnings = job.warnings,
                            .error.detail = job.error.detail});
    return job; /* error.code is still there for the test; it leaks no more than the test lives */
}

/* In a page, too, whose jobs are not all queued and of which some are not on it. */
Test(store, tells_places_in_the_queue) {
    char ids[6][40];
    for (int i = 0; i < 6; i++)
        strcpy(ids[i], insert(5));
    cr_assert_eq(store_job_cancel(session, ids[1], 1), STORE_OK);
    cr_assert_eq(store_job_cancel(session, ids[4], 1), STORE_OK);
    const int64_t places[] = {3, -1, 2, 1, -1, 0}; /* newest first */
    for (int limit = 1; limit <= 6; limit++) {
        struct job jobs[6];
        int count;
        bool has_more;
        const struct job_filter filter = {.descending = true, .limit = limit};
        struct list_place last;
        cr_assert_eq(store_job_list(session, &filter, jobs, &count, &has_more, &last), STORE_OK);
        cr_assert_eq(count, limit);
        cr_assert_eq(has_more, limit < 6);
        for (int i = 0; i < count; i++) {
            cr_expect_eq(jobs[i].queue_position, places[i]);
            cr_expect_eq(get(jobs[i].id).queue_position, places[i]);
            job_clear(&jobs[i]);
        }
    }
    int64_t queued;
    cr_assert_eq(store_job_count(session, JOB_QUEUED, &queued), STORE_OK);
    cr_expect_eq(queued, 4);
    cr_assert_eq(store_job_count(session, JOB_CANCELLED, &queued), STORE_OK);
    cr_expect_eq(queued, 2);
    cr_assert_eq(store_job_delete(session, ids[0], false), STORE_OK);
    cr_assert_eq(store_job_count(session, JOB_QUEUED, &queued), STORE_OK);
    cr_expect_eq(queued, 3);
}

Test(store, claims_in_order_of_submission) {
    char ids[3][40];
    for (int i = 0; i < 3; i++)
        strcpy(ids[i], insert(5));
    for (int i = 0; i < 3; i++) {
        struct claim claim;
        cr_assert_eq(get(ids[2]).queue_position, 2 - i);
        cr_assert_eq(store_claim(session, "w", &EVERYTHING, 1, &claim), STORE_OK);
        cr_assert_str_eq(claim.id, ids[i]);
        cr_assert_eq(claim.attempt, 1);
        cr_assert_eq(claim.checkpoint.blob, 0);
        claim_clear(&claim);
    }
    struct claim none;
    cr_assert_eq(store_claim(session, "w", &EVERYTHING, 1, &none), STORE_NOT_FOUND);
    cr_assert_eq(get(ids[0]).status, JOB_RUNNING);
}

Test(store, an_old_fence_writes_nothing) {
    char id[40];
    strcpy(id, insert(5));
    struct claim old, new;
    int requeued;
    cr_assert_eq(store_claim(session, "a", &EVERYTHING, 1, &old), STORE_OK);
    cr_assert_eq(report(&old, 1, 1, "one"), STORE_OK);
    cr_assert_eq(store_recover(session, ROOM, 2, &requeued), STORE_OK);
    cr_assert_eq(requeued, 1);
    cr_assert_eq(store_claim(session, "b", &EVERYTHING, 3, &new), STORE_OK);
    cr_assert_gt(new.fence, old.fence);
    cr_assert_eq(report(&old, 2, 2, "stale"), STORE_LOST);
    cr_assert_eq(
        store_finish(session, id, old.fence, &(struct job_end){.status = JOB_SUCCEEDED}, 4),
        STORE_LOST);
    cr_assert_eq(store_unclaim(session, id, old.fence), STORE_LOST);
    cr_assert_eq(store_drop_checkpoint(session, &old), STORE_LOST);
    struct progress nothing_new = {.id = id, .fence = old.fence, .report = 2, .step = 11};
    struct receipt receipt;
    cr_assert_eq(store_progress(session, &nothing_new, 1, &receipt), STORE_LOST);
    cr_assert_eq(get(id).epoch, 1);
    cr_assert_eq(report(&new, 2, 2, "two"), STORE_OK);
    cr_assert_eq(get(id).epoch, 2);
    claim_clear(&old);
    claim_clear(&new);
}

static void expect_warnings(const char *id, const char *expected) {
    struct job job;
    cr_assert_eq(store_job_get(session, id, &job), STORE_OK);
    cr_assert_str_eq(job.warnings, expected);
    job_clear(&job);
}

Test(store, warnings_are_added_at_the_end_and_only_by_who_holds_the_job) {
    char id[40];
    strcpy(id, insert(5));
    struct claim claim;
    struct lowest_loss lowest;
    expect_warnings(id, "[]");
    cr_assert_eq(store_lowest_loss(session, id, &lowest), STORE_OK);
    cr_assert(isnan(lowest.loss));
    cr_assert_eq(store_claim(session, "a", &EVERYTHING, 1, &claim), STORE_OK);
    cr_assert_eq(report(&claim, 1, 4, NULL), STORE_OK);
    cr_assert_eq(store_lowest_loss(session, id, &lowest), STORE_OK);
    cr_assert(lowest.loss == 0.25 && lowest.epoch == 4);
    struct job_end end = {.status = JOB_SUCCEEDED, .warnings = "[1]"};
    cr_assert_eq(store_finish(session, id, claim.fence - 1, &end, 2), STORE_LOST);
    expect_warnings(id, "[]");
    cr_assert_eq(store_finish(session, id, claim.fence, &end, 2), STORE_OK);
    expect_warnings(id, "[1]");
    for (int i = 0; i < 2; i++) {
        claim_clear(&claim);
        cr_assert_eq(store_job_resume(session, id, "{}", 9, 90, 0), STORE_OK);
        cr_assert_eq(store_claim(session, "a", &EVERYTHING, 3, &claim), STORE_OK);
        end.warnings = i == 0 ? "[2,3]" : NULL;
        cr_assert_eq(store_finish(session, id, claim.fence, &end, 4), STORE_OK);
        expect_warnings(id, "[1,2,3]");
    }
    cr_assert_eq(store_rewarn(session, id, "[4]"), STORE_OK);
    expect_warnings(id, "[4]");
    claim_clear(&claim);
}

/* A resumed job continues from its checkpoint: later epochs are forgotten, and only two checkpoints
 * are kept. */
Test(store, a_claim_rewinds_to_the_checkpoint) {
    char id[40];
    strcpy(id, insert(9));
    struct claim claim;
    cr_assert_eq(store_claim(session, "a", &EVERYTHING, 1, &claim), STORE_OK);
    cr_assert_eq(report(&claim, 1, 1, "one"), STORE_OK);
    cr_assert_eq(report(&claim, 2, 3, "three"), STORE_OK);
    cr_assert_eq(report(&claim, 4, 4, "four"), STORE_OK);
    cr_assert_eq(report(&claim, 5, 6, NULL), STORE_OK);
    cr_assert_eq(get(id).epoch, 6);
    cr_assert_eq(store_unclaim(session, id, claim.fence), STORE_OK);
    claim_clear(&claim);

    cr_assert_eq(store_claim(session, "b", &EVERYTHING, 1, &claim), STORE_OK);
    cr_assert_eq(claim.attempt, 1); /* an orderly stop counts as no attempt */
    cr_assert(checkpoint_is(&claim, "four"));
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
    cr_assert_eq(store_claim(session, "a", &EVERYTHING, 1, &claim), STORE_OK);
    cr_assert_eq(report(&claim, 1, 3, "three"), STORE_OK);
    cr_assert_eq(report(&claim, 4, 6, "six"), STORE_OK);
    cr_assert_eq(store_unclaim(session, id, claim.fence), STORE_OK);
    claim_clear(&claim);
    cr_assert_eq(store_claim(session, "b", &EVERYTHING, 1, &claim), STORE_OK);
    cr_assert(checkpoint_is(&claim, "six"));
    cr_assert_eq(store_drop_checkpoint(session, &claim), STORE_OK);
    cr_assert(checkpoint_is(&claim, "three"));
    cr_assert(claim.checkpoint.step == 30 && claim.checkpoint.epoch == 3);
    struct job job = get(id);
    cr_assert(job.epoch == 3 && job.step == 30 && job.seconds == 1.5);
    cr_assert_eq(store_drop_checkpoint(session, &claim), STORE_OK);
    cr_assert(claim.checkpoint.blob == 0 && claim.checkpoint.step == 0);
    job = get(id);
    cr_assert(job.epoch == 0 && job.step == 0 && isnan(job.train_loss));
    cr_assert_eq(store_model_at(session, id, 0, true, &model), STORE_NOT_FOUND);
    claim_clear(&claim);
}

/* Within an epoch there is no row to tell of, yet the job moves and resumes from there. */
Test(store, checkpoints_in_the_middle_of_an_epoch) {
    char id[40];
    strcpy(id, insert(9));
    struct claim claim;
    struct receipt receipt;
    cr_assert_eq(store_claim(session, "a", &EVERYTHING, 1, &claim), STORE_OK);
    struct checkpoint checkpoint = {.bytes = "half", .size = 4, .step = 5, .seconds = 0.25};
    sha256_text("half", 4, checkpoint.sha256);
    struct progress progress = {.id = id,
                                .fence = claim.fence,
                                .report = 1,
                                .step = 7,
                                .seconds = 0.5,
                                .checkpoint = &checkpoint};
    cr_assert_eq(store_progress(session, &progress, 1, &receipt), STORE_OK);
    struct job job = get(id);
    cr_assert(job.epoch == 0 && job.step == 7 && job.seconds == 0.5 && !job.has_model);
    cr_assert_eq(store_unclaim(session, id, claim.fence), STORE_OK);
    claim_clear(&claim);
    cr_assert_eq(store_claim(session, "a", &EVERYTHING, 1, &claim), STORE_OK);
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
        cr_assert_eq(store_claim(session, "a", &EVERYTHING, 1, &claim), STORE_OK);
        cr_assert_eq(store_recover(session, ROOM, 1, &requeued), STORE_OK);
        cr_assert_eq(requeued, crash < 3);
        claim_clear(&claim);
    }
    struct job job = get(id);
    cr_assert_eq(job.status, JOB_FAILED);
    cr_assert_str_eq(job.error.code, "crash_loop");
}

Test(store, a_checkpoint_shows_that_it_gets_on) {
    char id[40];
    strcpy(id, insert(9));
    int requeued;
    for (int crash = 1; crash <= 5; crash++) {
        struct claim claim;
        cr_assert_eq(store_claim(session, "a", &EVERYTHING, 1, &claim), STORE_OK);
        cr_assert_eq(report(&claim, crash, crash, "x"), STORE_OK);
        cr_assert_eq(store_recover(session, ROOM, 1, &requeued), STORE_OK);
        cr_assert_eq(requeued, 1);
        claim_clear(&claim);
    }
}

Test(store, models) {
    char id[40];
    strcpy(id, insert(5));
    struct claim claim;
    struct model model;
    cr_assert_eq(store_model_at(session, "latest", 0, true, &model), STORE_NOT_FOUND);
    cr_assert_eq(store_claim(session, "a", &EVERYTHING, 1, &claim), STORE_OK);
    cr_assert_eq(report(&claim, 1, 2, "two"), STORE_OK);
    cr_assert_eq(store_model_at(session, "latest", 0, true, &model), STORE_OK);
    cr_assert_str_eq(model.id, id);
    cr_assert(model.epoch == 2 && model.byte_count == 5 && memcmp(model.bytes, "model", 5) == 0);
    cr_assert_str_eq(model.variant, "avx2");
    cr_assert(model.dim == 1 && model.parameters == 7);
    cr_assert(model.transform[0] == 0.5 && model.transform[1] == 2);
    model_clear(&model);
    cr_assert_eq(store_model_get(session, id, &model), STORE_OK);
    cr_assert_null(model.bytes);
    model_clear(&model);
    cr_assert_eq(store_job_delete(session, id, false), STORE_CONFLICT);
    cr_assert_eq(store_job_delete(session, id, true), STORE_OK);
    cr_assert_eq(store_model_get(session, id, &model), STORE_NOT_FOUND);
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

static struct store_session *held;

static void *take_patiently(void *unused) {
    (void)unused;
    store_be_patient();
    held = store_acquire(store);
    return store_acquire(store);
}

Test(store, patient_threads_leave_a_session_to_the_others) {
    pthread_t thread;
    void *second;
    store_limit_connections(store, STORE_LEAST_CONNECTIONS); /* two to read with; a file has any */
    cr_assert_eq(pthread_create(&thread, NULL, take_patiently, NULL), 0);
    pthread_join(thread, &second);
    struct store_session *mine = store_acquire(store);
    cr_assert(held && mine);
    cr_expect_eq(second == NULL, store_is_shared(store));
    if (second)
        store_release(store, second);
    else
        cr_expect_null(store_acquire(store));
    store_release(store, held);
    struct store_session *again = store_acquire(store);
    cr_assert_not_null(again);
    store_release(store, again);
    store_release(store, mine);
}

Test(store, a_second_opening_is_refused_unless_the_database_is_shared) {
    char error[300];
    struct store *second = store_open(path, error, sizeof error);
    cr_assert_eq(second != NULL, store_is_shared(store));
    if (second)
        store_close(second);
    else
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
    struct writer *writer = writer_start(store, NULL, NULL);
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
        .name = "m", .spec = "{}", .variant = "avx2", .epoch = 7, .bytes = "wxyz", .dim = 1};
    static double identity[] = {0, 1};
    model.transform = identity;
    memset(model.id, digit, ID_LENGTH);
    model.byte_count = 4;
    model.created_at = 5;
    return model;
}

Test(store, imported_models_are_listed_by_page_and_deleted) {
    struct model models[2], one;
    struct model_filter filter = {.descending = true, .limit = 2};
    int count;
    bool has_more;
    for (char digit = '1'; digit <= '3'; digit++) {
        one = imported(digit);
        cr_assert_eq(store_model_insert(session, &one), STORE_OK);
    }
    cr_assert_eq(store_model_list(session, &filter, models, &count, &has_more, &filter.after),
                 STORE_OK);
    cr_assert(count == 2 && has_more && models[0].id[0] == '3' && models[1].id[0] == '2');
    cr_assert(!models[0].has_job && !models[0].bytes && models[0].byte_count == 4);
    model_clear(&models[0]);
    model_clear(&models[1]);
    cr_assert_eq(store_model_delete(session, filter.after.id), STORE_OK);
    cr_assert_eq(store_model_delete(session, filter.after.id), STORE_NOT_FOUND);
    cr_assert_eq(store_model_list(session, &filter, models, &count, &has_more, &filter.after),
                 STORE_OK);
    cr_assert(count == 1 && !has_more && models[0].id[0] == '1' && models[0].epoch == 7);
    model_clear(&models[0]);
}

/* ------------------------------------------------------------------ bytes in pieces */

/* Three pieces, the last one short; the byte at i depends on i. */
enum { LARGE = 2 * STORE_PIECE_BYTES + 12345 };
static unsigned char *large_bytes(void) {
    unsigned char *bytes = malloc(LARGE);
    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = (unsigned char)(i * 7 + i / 251);
    return bytes;
}

/* Sweeps until nothing is left; how many pieces and blobs went. */
static int sweep(void) {
    int total = 0, count;
    do {
        cr_assert_eq(store_blob_sweep(session, 2, &count), STORE_OK);
        cr_assert_leq(count, 3);
        total += count;
    } while (count > 0);
    return total;
}

static void insert_large(char digit, const unsigned char *bytes, int64_t blob) {
    struct model model = imported(digit);
    model.bytes = (void *)bytes;
    model.byte_count = LARGE;
    model.blob = blob;
    cr_assert_eq(store_model_insert(session, &model), STORE_OK);
}

Test(store, large_bytes_are_stored_in_pieces_and_go_when_no_row_names_them) {
    unsigned char *bytes = large_bytes();
    struct model model, deleted = imported('1');
    insert_large('1', bytes, 0);
    cr_assert_eq(sweep(), 0);
    cr_assert_eq(store_model_at(session, deleted.id, 0, true, &model), STORE_OK);
    cr_assert(model.byte_count == LARGE && memcmp(model.bytes, bytes, LARGE) == 0);
    cr_assert_eq(store_model_delete(session, deleted.id), STORE_OK);
    cr_assert_eq(sweep(), 3 + 1);
    void *gone;
    cr_assert_eq(store_blob_read(session, model.blob, LARGE, &gone), STORE_NOT_FOUND);
    model_clear(&model);
    free(bytes);
}

/* A job that is deleted takes the blobs of its checkpoints, model and snapshots with it. */
Test(store, what_a_job_has_goes_with_it) {
    struct claim claim;
    char id[40];
    strcpy(id, insert(9));
    cr_assert_eq(store_claim(session, "a", &EVERYTHING, 1, &claim), STORE_OK);
    for (int epoch = 1; epoch <= 6; epoch++)
        cr_assert_eq(report(&claim, epoch, epoch, "state"), STORE_OK);
    sweep();
    struct snapshot snapshots[STORE_MAX_SNAPSHOTS + 1];
    int count;
    cr_assert_eq(store_snapshots(session, id, snapshots, &count), STORE_OK);
    cr_assert_gt(count, 1);
    cr_assert_eq(store_job_delete(session, id, true), STORE_OK);
    /* two checkpoints and the models that are kept, each a piece and a blob */
    cr_assert_eq(sweep(), 2 * (2 + count));
    claim_clear(&claim);
}

/* A blob that is being written is not swept; one that a boot before has begun is. */
Test(store, unfinished_blobs_belong_to_their_boot) {
    unsigned char *bytes = large_bytes();
    int64_t id;
    int requeued;
    cr_assert_eq(store_blob_begin(session, "boot", LARGE, &id), STORE_OK);
    cr_assert_eq(store_blob_add(session, id, 0, bytes, STORE_PIECE_BYTES), STORE_OK);
    cr_assert_eq(sweep(), 0);
    void *half;
    cr_assert_eq(store_blob_read(session, id, LARGE, &half), STORE_NOT_FOUND);
    cr_assert_eq(store_recover(session, ROOM, 1, &requeued), STORE_OK);
    cr_assert_eq(sweep(), 1 + 1);
    free(bytes);
}

static void written(struct blob_write *write) {
    (void)write;
}

/* Through the writer, each piece in a transaction of its own. */
Test(store, the_writer_brings_large_bytes_piece_by_piece) {
    unsigned char *bytes = large_bytes();
    store_abort(session);
    struct writer *writer = writer_start(store, NULL, NULL);
    const uint64_t before = store_commits(store);
    int64_t id = 0;
    cr_assert_eq(blob_write_all(writer, "boot", bytes, LARGE, &id), STORE_OK);
    cr_assert_eq(store_commits(store) - before, 3);
    struct blob_write given_up = {.writer = writer,
                                  .boot = "boot",
                                  .bytes = bytes,
                                  .size = LARGE,
                                  .give_up = true,
                                  .done = written};
    blob_write_start(&given_up);
    writer_stop(writer);
    cr_assert(given_up.status == STORE_LOST && given_up.so_far.id == 0);
    cr_assert_eq(store_begin(session), STORE_OK);
    void *read;
    cr_assert_eq(store_blob_read(session, id, LARGE, &read), STORE_OK);
    cr_assert_eq(memcmp(read, bytes, LARGE), 0);
    insert_large('2', NULL, id);
    cr_assert_eq(store_blob_abandon(session, id), STORE_OK);
    cr_assert_eq(sweep(), 0); /* a row names it */
    free(read);
    free(bytes);
}
