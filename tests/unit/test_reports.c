/* Reports through a real writer: what is stored apart before a report, and what is stored with it,
 * is the same in the end; and how much a report holds. */
#include "tests/unit/claimed_job.h"

static struct writer *writer;

static void begin(void) {
    begin_claimed();
    writer = writer_start(store, NULL, NULL);
    cr_assert(writer);
}

TestSuite(reports, .init = begin, .fini = end_claimed);

static void add_epoch(struct reports *reports, int number) {
    struct dn_epoch epoch;
    cr_assert_eq(dn_trainer_epoch(trainer, NULL, &epoch, NULL), DN_OK);
    cr_assert_eq(epoch.epoch, number);
    const struct epoch_row row = {
        .epoch = number, .step = epoch.step, .train_loss = epoch.train_loss, .seconds = number};
    cr_assert(reports_add_epoch(reports, &row));
    cr_assert(reports_add_model(reports, trainer));
}

static void *read_model(size_t *size, int epoch) {
    struct store_session *reader = store_acquire(store);
    struct model model;
    cr_assert_eq(store_model_at(reader, claim.id, 0, true, &model), STORE_OK);
    cr_assert_eq(model.epoch, epoch);
    void *bytes = model.bytes;
    *size = model.byte_count;
    model.bytes = NULL;
    model_clear(&model);
    store_release(store, reader);
    return bytes;
}

static void check_model(int epoch) {
    size_t size;
    void *stored = read_model(&size, epoch);
    void *made = malloc(dn_trainer_model_bytes(trainer));
    cr_assert_eq(dn_trainer_model_save(trainer, made, NULL), DN_OK);
    cr_assert_eq(size, dn_trainer_model_bytes(trainer));
    cr_assert(memcmp(stored, made, size) == 0);
    free(made);
    free(stored);
}

/* The checkpoint from which the job would go on. */
static void check_checkpoint(int64_t step) {
    struct store_session *reader = store_writer(store);
    struct claim again;
    int requeued;
    cr_assert_eq(store_begin(reader), STORE_OK);
    cr_assert_eq(store_recover(reader, INT64_MAX, 9, &requeued), STORE_OK);
    cr_assert_eq(store_claim(reader, "w", &EVERYTHING, 1, &again), STORE_OK);
    cr_assert_eq(again.checkpoint.step, step);
    void *bytes, *made = malloc(dn_trainer_bytes(trainer));
    cr_assert_eq(store_blob_read(reader, again.checkpoint.blob, again.checkpoint.size, &bytes),
                 STORE_OK);
    dn_trainer_save(trainer, made);
    cr_assert_eq(again.checkpoint.size, dn_trainer_bytes(trainer));
    cr_assert(memcmp(bytes, made, again.checkpoint.size) == 0);
    free(bytes);
    free(made);
    claim_clear(&again);
    /* What was stored apart belongs to rows now: nothing waits for a sweep. */
    int swept;
    cr_assert_eq(store_blob_sweep(reader, 100, &swept), STORE_OK);
    cr_assert_eq(swept, 0);
}

static void train_and_check(size_t bytes_at_once) {
    struct reports reports;
    const atomic_bool hurry = false;
    reports_init(&reports, writer, store_boot(store), bytes_at_once, &hurry, &claim);
    add_epoch(&reports, 1);
    cr_assert(!reports_has_checkpoint(&reports) && reports_has_epochs(&reports));
    reports_send(&reports, 10, 1, REPORT_GOES_ON);
    add_epoch(&reports, 2);
    cr_assert(reports_add_checkpoint(&reports, trainer, 2, 2));
    cr_assert(reports_has_checkpoint(&reports));
    reports_send(&reports, dn_trainer_steps_done(trainer), 2, REPORT_GOES_ON);
    reports_wait(&reports);
    cr_assert_eq(reports_state(&reports), REPORTS_GOOD);
    const struct report_times times = reports_times(&reports);
    cr_assert(times.report > 0 && times.checkpoint >= times.report);
    reports_clear(&reports);
    writer_stop(writer);
    check_model(2);
    check_checkpoint(dn_trainer_steps_done(trainer));
}

Test(reports, store_small_bytes_with_the_report) {
    train_and_check(STORE_PIECE_BYTES);
}

Test(reports, store_all_bytes_before_the_report_where_that_is_better) {
    train_and_check(0);
}

Test(reports, of_a_job_that_was_deleted_leave_no_bytes) {
    struct reports reports;
    const atomic_bool hurry = false;
    reports_init(&reports, writer, store_boot(store), 0, &hurry, &claim);
    struct store_session *session_of_writer = store_writer(store);
    add_epoch(&reports, 1);
    claim.fence++; /* another worker has it */
    cr_assert(reports_add_checkpoint(&reports, trainer, 1, 1));
    reports_send(&reports, 10, 1, REPORT_GOES_ON);
    reports_wait(&reports);
    cr_assert_eq(reports_state(&reports), REPORTS_LOST);
    reports_clear(&reports);
    writer_stop(writer); /* after it has abandoned the bytes */
    int swept = 1, all = 0;
    cr_assert_eq(store_begin(session_of_writer), STORE_OK);
    while (swept > 0) {
        cr_assert_eq(store_blob_sweep(session_of_writer, 100, &swept), STORE_OK);
        all += swept;
    }
    cr_assert_eq(all, 4, "a model and a checkpoint, each a blob of one piece");
}

/* The rule of api's documentation in its own words: 31 parts of the training, of which the i-th begins
 * at epochs (i / 31)^2; the first model in each is kept, and the last of all. */
static int first_of_each_part(int epochs, int kept[static STORE_MAX_SNAPSHOTS + 1]) {
    const int parts = STORE_MAX_SNAPSHOTS - 1;
    int count = 0, before = -1;
    for (int epoch = 1; epoch <= epochs; epoch++) {
        int part = parts;
        while ((int64_t)epochs * part * part > (int64_t)epoch * parts * parts)
            part--;
        if (part > before || epoch == epochs)
            kept[count++] = epoch;
        before = part;
    }
    return count;
}

Test(reports, hold_the_models_that_are_kept_and_the_newest) {
    struct reports reports;
    const atomic_bool hurry = false;
    const int epochs = dn_trainer_spec(trainer)->training.epochs;
    int kept[STORE_MAX_SNAPSHOTS + 1];
    const int count = first_of_each_part(epochs, kept);
    reports_init(&reports, writer, store_boot(store), STORE_PIECE_BYTES, &hurry, &claim);
    for (int epoch = 1; epoch <= epochs; epoch++)
        add_epoch(&reports, epoch);
    const struct report *report = &reports.two[reports.filling];
    cr_assert_eq(report->model_count, (size_t)count);
    for (int i = 0; i < count; i++)
        cr_expect_eq(report->models[i].epoch, kept[i]);
    cr_expect_eq(report->model_bytes, (size_t)count * dn_trainer_model_bytes(trainer));
    reports_send(&reports, dn_trainer_steps_done(trainer), 1, REPORT_GOES_ON);
    reports_clear(&reports);
    writer_stop(writer);
    check_model(epochs);
    struct store_session *reader = store_acquire(store);
    struct snapshot snapshots[STORE_MAX_SNAPSHOTS + 1];
    int stored;
    cr_assert_eq(store_snapshots(reader, claim.id, snapshots, &stored), STORE_OK);
    store_release(store, reader);
    cr_assert_eq(stored, count);
    for (int i = 0; i < count; i++)
        cr_expect_eq(snapshots[i].epoch, kept[i]);
}

Test(reports, of_models_that_are_too_large_to_be_kept_hold_the_newest) {
    cr_expect(store_is_snapshot((16 << 20) - 1, 100, 0, 1), "two fit into 32 MiB");
    cr_expect_not(store_is_snapshot(32 << 20, 100, 0, 1));
}

Test(reports, are_full_when_the_store_needs_a_moment_for_them) {
    static const struct {
        size_t full, rows;
        double seconds;
        size_t then;
    } cases[] = {
        {1024, 1024, 0.01, 2048},   /* it could be 25 times as many; but one step at a time */
        {1024, 1024, 0.2, 1280},    /* 1024 * 0.25 / 0.2 */
        {1024, 1000, 0.01, 1024},   /* it was not full: nothing is known of more */
        {4096, 4096, 1.0, 1024},    /* too slow */
        {4096, 2000, 1.0, 512},     /* 500 would be too few: each report has its own price */
        {512, 1, 5.0, 512},         /* whatever that was, it was not the rows */
        {16384, 16384, 0.0, 16384}, /* memory, too, has a limit */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(reports_full_rows(cases[i].full, cases[i].rows, cases[i].seconds),
                     cases[i].then, "case %zu", i);
}
