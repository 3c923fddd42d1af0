/* Reports of workers: each is stored once, whatever its size. */
#include "store_file.h"

#include <math.h>
#include <string.h>

#include "server/base/id.h"

TestSuite(store_reports, .init = setup, .fini = teardown);

static void insert(char id[40], int epochs) {
    struct job job = {.dataset = "spiral",
                      .words = "x",
                      .spec = "{}",
                      .warnings = "[]",
                      .epochs = epochs,
                      .steps = 10 * epochs,
                      .created_at = 1};
    id_new(job.id);
    strcpy(id, job.id);
    cr_assert_eq(store_job_insert(session, &job, NULL), STORE_OK);
}

static struct job get(const char *id) {
    struct job job;
    cr_assert_eq(store_job_get(session, id, &job), STORE_OK);
    struct job copy = job;
    job_clear(&job);
    copy.name = copy.dataset = copy.spec = copy.warnings = NULL;
    return copy;
}

static enum store_status report(struct claim *claim, int first, int last) {
    struct epoch_row rows[20];
    for (int e = first; e <= last; e++)
        rows[e - first] = (struct epoch_row){
            .epoch = e, .step = 10 * e, .train_loss = 1.0 / e, .val_loss = NAN, .seconds = 0.5 * e};
    const struct progress progress = {.id = claim->id,
                                      .fence = claim->fence,
                                      .report = ++claim->reports,
                                      .step = 10 * last,
                                      .seconds = 0.5 * last,
                                      .epochs = rows,
                                      .epoch_count = (size_t)(last - first + 1)};
    struct receipt receipt;
    return store_progress(session, &progress, 1, &receipt);
}

static void expect_epochs(const char *id, int epochs) {
    struct epoch_row rows[300];
    int count;
    bool has_more;
    cr_assert_eq(store_history(session, id, 0, 300, rows, &count, &has_more), STORE_OK);
    cr_assert(count == epochs && !has_more);
    for (int i = 0; i < count; i++) {
        cr_assert_eq(rows[i].epoch, i + 1);
        cr_assert_eq(rows[i].step, 10 * (i + 1));
        cr_assert_float_eq(rows[i].train_loss, 1.0 / (i + 1), 0);
        cr_assert(isnan(rows[i].val_loss));
        cr_assert_float_eq(rows[i].seconds, 0.5 * (i + 1), 0);
    }
}

Test(store_reports, a_report_in_doubt_is_stored_once) {
    char id[40];
    insert(id, 20);
    struct claim claim, again;
    cr_assert_eq(store_claim(session, "a", &EVERYTHING, 1, &claim), STORE_OK);
    cr_assert_eq(report(&claim, 1, 3), STORE_OK);
    cr_assert_eq(store_commit(session), STORE_OK);
    cr_assert_eq(store_begin(session), STORE_OK);
    claim.reports = 0; /* the same report as before, with what another node may have done since */
    cr_assert_eq(store_job_cancel(session, id, 1), STORE_OK);
    const struct progress same = {.id = id, .fence = claim.fence, .report = 1, .step = 30};
    struct receipt receipt;
    cr_assert_eq(store_progress(session, &same, 1, &receipt), STORE_OK);
    cr_assert(receipt.is_repeated && receipt.cancel_requested);
    cr_assert_eq(report(&claim, 1, 3), STORE_OK);
    expect_epochs(id, 3);
    cr_assert_eq(report(&claim, 4, 4), STORE_OK);
    /* One that is missing is not passed over. */
    claim.reports++;
    cr_assert_eq(report(&claim, 6, 6), STORE_LOST);
    expect_epochs(id, 4);
    cr_assert_eq(get(id).step, 40);
    /* The last report was stored together with the end of the job. */
    claim.reports = 2;
    cr_assert_eq(report(&claim, 5, 5), STORE_OK);
    const struct job_end end = {.status = JOB_SUCCEEDED};
    cr_assert_eq(store_finish(session, id, claim.fence, &end, 4), STORE_OK);
    const struct progress last = {.id = id, .fence = claim.fence, .report = 3, .step = 50};
    cr_assert_eq(store_progress(session, &last, 5, &receipt), STORE_OK);
    cr_assert(receipt.is_repeated);
    cr_assert_eq(get(id).status, JOB_SUCCEEDED);
    cr_assert_eq(get(id).finished_at, 4);
    /* The next claim begins again with its first report. */
    cr_assert_eq(store_job_resume(session, id, "{}", 20, 200, 0), STORE_OK);
    cr_assert_eq(store_claim(session, "b", &EVERYTHING, 6, &again), STORE_OK);
    cr_assert_eq(store_progress(session, &last, 7, &receipt), STORE_LOST);
    cr_assert_eq(report(&again, 1, 2), STORE_OK); /* from the start: there was no checkpoint */
    expect_epochs(id, 2);
    claim_clear(&claim);
    claim_clear(&again);
}

/* On a database whose answer nobody waits for, the failure shows later, but not after the commit. */
Test(store_reports, a_report_that_does_not_fit_changes_nothing) {
    char id[40];
    insert(id, 20);
    struct claim claim;
    cr_assert_eq(store_claim(session, "a", &EVERYTHING, 1, &claim), STORE_OK);
    for (int e = 1; e < 10; e += 2)
        cr_assert_eq(report(&claim, e, e + 1), STORE_OK);
    cr_assert_eq(store_commit(session), STORE_OK);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(store_begin(session), STORE_OK);
        const enum store_status status = report(&claim, 10, 11); /* the tenth is there */
        if (status == STORE_OK)
            cr_assert_neq(store_commit(session), STORE_OK);
        else
            store_abort(session);
        claim.reports--;
    }
    cr_assert_eq(store_begin(session), STORE_OK);
    expect_epochs(id, 10);
    cr_assert_eq(get(id).step, 100);
    cr_assert_eq(report(&claim, 11, 12), STORE_OK);
    cr_assert_eq(store_commit(session), STORE_OK);
    cr_assert_eq(store_begin(session), STORE_OK);
    expect_epochs(id, 12);
    claim_clear(&claim);
}

/* Reports have any number of epochs; how many fit into one statement must not show. */
Test(store_reports, a_report_has_any_number_of_epochs) {
    for (int count = 1; count <= 70; count++) {
        char id[40];
        insert(id, 300);
        struct claim claim;
        struct epoch_row rows[200];
        for (int e = 1; e <= 200; e++)
            rows[e - 1] = (struct epoch_row){.epoch = e,
                                             .step = 10 * e,
                                             .train_loss = 1.0 / e,
                                             .val_loss = NAN,
                                             .learning_rate = e + 0.25,
                                             .gradient_norm = e % 2 ? 1.0 * e : NAN,
                                             .curve_distance = NAN,
                                             .energy_distance = -e,
                                             .seconds = 0.5 * e};
        cr_assert_eq(store_claim(session, "a", &EVERYTHING, 1, &claim), STORE_OK);
        const int sizes[] = {count, 200 - count};
        for (int i = 0, first = 0; i < 2; first += sizes[i++]) {
            const struct progress progress = {.id = id,
                                              .fence = claim.fence,
                                              .report = i + 1,
                                              .step = 10 * (first + sizes[i]),
                                              .epochs = rows + first,
                                              .epoch_count = (size_t)sizes[i]};
            struct receipt receipt;
            cr_assert_eq(store_progress(session, &progress, 1, &receipt), STORE_OK);
            expect_epochs(id, first + sizes[i]);
        }
        cr_assert_eq(get(id).epoch, 200);
        struct epoch_row stored[200];
        int read;
        bool has_more;
        cr_assert_eq(store_history(session, id, 0, 200, stored, &read, &has_more), STORE_OK);
        for (int i = 0; i < 200; i++) {
            cr_assert_eq(stored[i].learning_rate, i + 1.25);
            cr_assert(i % 2 ? isnan(stored[i].gradient_norm) : stored[i].gradient_norm == i + 1);
            cr_assert(isnan(stored[i].curve_distance));
            cr_assert_eq(stored[i].energy_distance, -i - 1);
        }
        const struct job_end end = {.status = JOB_SUCCEEDED};
        cr_assert_eq(store_finish(session, id, claim.fence, &end, 2), STORE_OK);
        claim_clear(&claim);
    }
}

/* Caches know a model by its blob: the time and the epoch need not tell it from what it replaces. */
Test(store_reports, other_bytes_of_a_model_have_another_blob) {
    char id[40];
    int64_t blobs[3];
    struct claim claim;
    insert(id, 20);
    cr_assert_eq(store_claim(session, "a", &EVERYTHING, 1, &claim), STORE_OK);
    for (int i = 0; i < 3; i++) {
        char bytes[] = "model 0";
        bytes[6] = (char)('0' + i);
        const struct trained_model trained = {.variant = "avx2",
                                              .bytes = bytes,
                                              .size = sizeof bytes,
                                              .epoch = 1,
                                              .dim = 1,
                                              .transform = (double[]){0, 1}};
        const struct epoch_row row = {.epoch = 1, .step = 10};
        const struct progress progress = {.id = id,
                                          .fence = claim.fence,
                                          .report = ++claim.reports,
                                          .step = 10,
                                          .epochs = &row,
                                          .epoch_count = 1,
                                          .models = &trained,
                                          .model_count = 1};
        struct receipt receipt;
        struct model model;
        int swept;
        cr_assert_eq(store_progress(session, &progress, 7, &receipt), STORE_OK);
        cr_assert_eq(store_model_at(session, id, 0, true, &model), STORE_OK);
        cr_assert(model.epoch == 1 && model.updated_at == 7);
        cr_assert_str_eq(model.bytes, bytes);
        blobs[i] = model.blob;
        model_clear(&model);
        cr_assert_eq(store_model_at(session, id, 0, false, &model), STORE_OK);
        cr_assert(model.blob == blobs[i] && !model.bytes);
        model_clear(&model);
        /* The training begins again; the model and its bytes are gone. */
        cr_assert_eq(store_drop_checkpoint(session, &claim), STORE_OK);
        cr_assert_eq(store_model_at(session, id, 0, false, &model), STORE_NOT_FOUND);
        cr_assert_eq(store_blob_sweep(session, 100, &swept), STORE_OK);
        cr_assert_eq(swept, 2, "a piece and its blob");
    }
    cr_assert(blobs[0] != blobs[1] && blobs[1] != blobs[2] && blobs[0] != blobs[2]);
    claim_clear(&claim);
}
