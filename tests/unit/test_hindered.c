/* Reports through a real writer, on a database that is away, in the way, or silent about a commit for
 * a while: its driver fails as told, and otherwise does what it always does. */
#include "server/base/clock.h"
#include "server/base/counters.h"
#include "server/store/driver.h"
#include "tests/unit/claimed_job.h"

static const struct driver *real;
static struct driver driver;
static struct {
    int away, busy, taken; /* so many transactions fail like that; -1: all */
    int unsure;            /* so many commits take place, and get no answer */
    double last;           /* when one failed last */
} fails;

static bool is_one_of(int *left) {
    if (*left == 0)
        return false;
    if (*left > 0)
        --*left;
    fails.last = clock_monotonic();
    return true;
}

static enum store_status begin_or_fail(struct store_session *one) {
    return is_one_of(&fails.away) ? STORE_AWAY : real->begin(one);
}

static enum store_status undo(struct store_session *one, enum store_status why) {
    real->abort(one);
    return why;
}

static enum store_status commit_or_fail(struct store_session *one) {
    if (is_one_of(&fails.busy))
        return undo(one, STORE_BUSY);
    if (is_one_of(&fails.taken))
        return undo(one, STORE_TAKEN);
    const enum store_status status = real->commit(one);
    return status == STORE_OK && is_one_of(&fails.unsure) ? STORE_IN_DOUBT : status;
}

static struct writer *writer;
static struct reports reports;
static const atomic_bool hurry = false;
static int heard;

static void hear(void *listener) {
    ++*(int *)listener;
}

static void begin(void) {
    cr_assert(counters_start(1));
    begin_claimed();
    struct dn_epoch epoch;
    cr_assert_eq(dn_trainer_epoch(trainer, NULL, &epoch, NULL), DN_OK);
    real = session->driver;
    driver = *real;
    driver.is_shared = true;
    driver.begin = begin_or_fail;
    driver.commit = commit_or_fail;
    session->driver = store->driver = &driver;
    writer = writer_start(store, hear, &heard);
    cr_assert(writer);
    reports_init(&reports, writer, store_boot(store), 0, &hurry, &claim);
}

static void end(void) {
    reports_clear(&reports);
    writer_stop(writer);
    session->driver = store->driver = real;
    end_claimed();
    counters_stop();
}

TestSuite(hindered, .init = begin, .fini = end);

static void send(enum report_end how) {
    cr_assert(reports_add_checkpoint(&reports, trainer, 1, 1));
    reports_send(&reports, dn_trainer_steps_done(trainer), 1, how);
    reports_wait(&reports);
}

static enum job_status status_of_job(void) {
    struct store_session *reader = store_acquire(store);
    struct job job;
    cr_assert_eq(store_job_get(reader, claim.id, &job), STORE_OK);
    const enum job_status status = job.status;
    job_clear(&job);
    store_release(store, reader);
    return status;
}

Test(hindered, an_outage_is_no_time_that_a_checkpoint_takes) {
    fails.away = 5;
    send(REPORT_GOES_ON);
    const double since = clock_monotonic() - fails.last;
    cr_assert_eq(fails.away, 0);
    cr_assert_eq(reports_state(&reports), REPORTS_GOOD);
    const struct report_times times = reports_times(&reports);
    cr_assert(times.checkpoint > 0 && times.checkpoint <= since, "%g of %g s", times.checkpoint,
              since);
    cr_assert(times.report > 0 && times.report <= since);
}

Test(hindered, a_report_waits_for_others_as_long_as_they_are_in_the_way) {
    fails.busy = 6;
    send(REPORT_GOES_ON);
    cr_assert_eq(fails.busy, 0);
    cr_assert_eq(reports_state(&reports), REPORTS_GOOD);
}

Test(hindered, a_report_does_not_wait_for_a_key_that_stays_taken) {
    fails.taken = -1;
    send(REPORT_GOES_ON);
    cr_assert_eq(reports_state(&reports), REPORTS_BROKEN);
    fails.taken = 0;
}

Test(hindered, an_end_whose_commit_got_no_answer_is_told_and_counted_once) {
    const atomic_ullong *succeeded = &counters_get()->finished[0];
    cr_assert_str_eq(counters_endings[0], "succeeded");
    reports.bytes_at_once = SIZE_MAX; /* one transaction, with all of it */
    fails.unsure = 3;                 /* the first, and two that find its effect */
    send(REPORT_SUCCEEDS);
    reports_clear(&reports);
    cr_assert_eq(fails.unsure, 0);
    cr_assert_eq(reports_state(&reports), REPORTS_GOOD);
    cr_assert_eq(status_of_job(), JOB_SUCCEEDED);
    cr_assert_eq(atomic_load(succeeded), 1);
    writer_stop(writer); /* after it has told */
    cr_assert_eq(heard, 1);
    writer = writer_start(store, hear, &heard);
    reports_init(&reports, writer, store_boot(store), 0, &hurry, &claim);
}

Test(hindered, doubt_about_a_piece_ends_with_it) {
    fails.unsure = 1;
    send(REPORT_GOES_ON);
    cr_assert_eq(fails.unsure, 0);
    cr_assert_eq(reports_state(&reports), REPORTS_GOOD);
    const struct blob_write *write = &reports.two[0].write;
    cr_assert(write->so_far.id != 0 && !write->task.is_in_doubt);
}
