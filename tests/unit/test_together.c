/* Tasks that share a transaction of a database to which other servers write, where a savepoint would
 * cost a round trip: the writer is real, and a driver of SQLite does without savepoints. */
#include <math.h>

#include "server/base/bell.h"
#include "server/base/counters.h"
#include "server/store/driver.h"
#include "server/threads/writer.h"
#include "tests/unit/store_file.h"

static const struct driver *real;
static struct driver driver;
static int commits, unsure; /* the commit of this number takes place, and gets no answer */

static enum store_status no_savepoint(struct store_session *one) {
    (void)one;
    return STORE_OK;
}

static enum store_status keep_or_undo_all(struct store_session *one, bool kept) {
    (void)one;
    return kept ? STORE_OK : STORE_CONFLICT;
}

static enum store_status commit_and_count(struct store_session *one) {
    const enum store_status status = real->commit(one);
    commits += status == STORE_OK;
    return status == STORE_OK && commits == unsure ? STORE_IN_DOUBT : status;
}

/* A task that inserts a job with its letter as the name. */
struct insertion {
    struct task task;
    char letter;
    bool fails; /* after it has inserted */
    int runs, doubts;
    int64_t place; /* in the queue */
    enum task_outcome outcome;
    struct bell over;
};

static struct writer *writer;
static struct bell may_begin, has_begun;
static char order[40]; /* the letters in the order of their runs */

static bool exists(struct store_session *one, const char *id) {
    struct job job;
    const bool is_there = store_job_get(one, id, &job) == STORE_OK;
    if (is_there)
        job_clear(&job);
    return is_there;
}

static const char *id_of(char letter) {
    static char id[ID_LENGTH + 1];
    memset(id, letter, ID_LENGTH);
    return id;
}

static bool insert(struct task *task, struct store_session *one) {
    struct insertion *insertion = (struct insertion *)task;
    insertion->runs++;
    insertion->doubts += task->is_in_doubt;
    order[strlen(order)] = insertion->letter;
    struct job job = {.dataset = "spiral", .words = "x", .spec = "{}", .epochs = 1, .steps = 1};
    memcpy(job.id, id_of(insertion->letter), sizeof job.id);
    int64_t waiting;
    if (task->is_in_doubt && exists(one, job.id))
        return true;
    cr_assert_eq(store_queue_length_once(one, &insertion->place, &waiting), STORE_OK);
    return store_job_insert(one, &job, NULL) == STORE_OK && !insertion->fails;
}

static bool block(struct task *task, struct store_session *one) {
    (void)one;
    bell_ring(&has_begun);
    bell_wait(&may_begin, INFINITY);
    (void)task;
    return true;
}

static void note(struct task *task, enum task_outcome outcome) {
    struct insertion *insertion = (struct insertion *)task;
    insertion->outcome = outcome;
    bell_ring(&insertion->over);
}

static void begin(void) {
    cr_assert(counters_start(1));
    setup();
    cr_assert_eq(store_commit(session), STORE_OK);
    real = session->driver;
    driver = *real;
    driver.is_shared = true;
    driver.commit = commit_and_count;
    if (!real->is_shared) {
        driver.savepoint = no_savepoint;
        driver.keep = keep_or_undo_all;
    }
    session->driver = store->driver = &driver;
    writer = writer_start(store, NULL, NULL);
    cr_assert(writer);
    bell_init(&may_begin);
    bell_init(&has_begun);
}

static void end(void) {
    writer_stop(writer);
    bell_clear(&may_begin);
    bell_clear(&has_begun);
    session->driver = store->driver = real;
    teardown();
    counters_stop();
}

TestSuite(together, .init = begin, .fini = end, .timeout = 60);

/* Posts all while the writer is busy, so that it finds them together. */
static void run_all(struct insertion *all, int count) {
    struct insertion first = {.task = {.run = block, .done = note}};
    bell_init(&first.over);
    writer_post(writer, &first.task);
    bell_wait(&has_begun, INFINITY);
    for (int i = 0; i < count; i++) {
        all[i].task.run = insert;
        all[i].task.done = note;
        bell_init(&all[i].over);
        writer_post(writer, &all[i].task);
    }
    bell_ring(&may_begin);
    bell_wait(&first.over, INFINITY);
    bell_clear(&first.over);
    for (int i = 0; i < count; i++) {
        bell_wait(&all[i].over, INFINITY);
        bell_clear(&all[i].over);
        cr_assert_eq(all[i].outcome, TASK_DONE);
    }
}

/* The letters of the jobs that are stored. */
static const char *stored(const struct insertion *all, int count) {
    static char letters[40];
    struct store_session *reader = store_acquire(store);
    memset(letters, 0, sizeof letters);
    for (int i = 0; i < count; i++)
        if (exists(reader, id_of(all[i].letter)))
            letters[strlen(letters)] = all[i].letter;
    store_release(store, reader);
    return letters;
}

Test(together, they_take_their_keys_in_order_and_are_committed_once) {
    struct insertion all[] = {{{.together = "y"}, 'a'},
                              {{.together = "x"}, 'b'},
                              {{.together = ""}, 'c'},
                              {{.together = "x"}, 'd'},
                              {{.together = ""}, 'e'}};
    run_all(all, 5);
    cr_assert_str_eq(order, "cebda");
    cr_assert_str_eq(stored(all, 5), "abcde");
    for (int i = 0; i < 5; i++)
        cr_assert_eq(order[all[i].place], all[i].letter);
    cr_assert_eq(commits, 1 + 1); /* the first is of the task that they wait for */
}

Test(together, one_that_fails_takes_nobody_with_it) {
    struct insertion all[] = {
        {{.together = ""}, 'a'}, {{.together = ""}, 'b', .fails = true}, {{.together = ""}, 'c'}};
    run_all(all, 3);
    cr_assert_str_eq(order, "ababc"); /* together up to the one that fails, then each alone */
    cr_assert_str_eq(stored(all, 3), "ac");
    cr_assert(all[0].place == 0 && all[2].place == 1);
    cr_assert_eq(commits, 1 + 2);
}

Test(together, others_have_transactions_of_their_own) {
    struct insertion all[] = {{{.together = ""}, 'a'},
                              {{0}, 'b'},
                              {{0}, 'c'},
                              {{.together = ""}, 'd'},
                              {{.together = ""}, 'e'}};
    run_all(all, 5);
    cr_assert_str_eq(order, "abcde");
    cr_assert_eq(commits, 1 + 4);
}

Test(together, each_looks_for_itself_after_a_commit_without_an_answer) {
    struct insertion all[] = {{{.together = ""}, 'a'}, {{.together = ""}, 'b'}};
    unsure = 2;
    run_all(all, 2);
    cr_assert_str_eq(stored(all, 2), "ab");
    cr_assert(all[0].runs == 2 && all[0].doubts == 1);
    cr_assert(all[1].runs == 2 && all[1].doubts == 1);
}
