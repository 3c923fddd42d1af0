/* Whose turn it is (turns.h), and threads that take turns (pool.h). No test looks at a clock: work
 * that waits for other work ends only if that gets its turn. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "server/threads/pool.h"

#define SLICE TURN_SLICE_SECONDS

/* ------------------------------------------------------------------ turns */

/* Gives `rounds` turns, each of which lasts so long for its client, and adds up the time. */
static void play(struct turns *turns, int rounds, const double lasts[], double used[]) {
    for (int i = 0; i < rounds; i++) {
        struct turn *turn = turns_take(turns, true);
        cr_assert_not_null(turn);
        turns_charge(turns, turn, lasts[turn->client]);
        used[turn->client] += lasts[turn->client];
        turns_back(turns, turn);
    }
}

static struct turns *new_turns(void) {
    struct turns *turns = malloc(sizeof *turns);
    turns_init(turns);
    return turns;
}

Test(turns, work_of_one_client_goes_in_order) {
    struct turns *turns = new_turns();
    struct turn work[3] = {{.class = TURN_LARGE}, {.class = TURN_LARGE}, {.class = TURN_LARGE}};
    for (int i = 0; i < 3; i++)
        turns_join(turns, &work[i]);
    for (int i = 0; i < 9; i++) {
        struct turn *turn = turns_take(turns, true);
        cr_assert_eq(turn, &work[i % 3]);
        turns_charge(turns, turn, SLICE);
        turns_back(turns, turn);
    }
    free(turns);
}

Test(turns, a_client_with_much_work_gets_no_more_than_one_with_little) {
    struct turns *turns = new_turns();
    struct turn of_first[10], of_second = {.client = 1, .class = TURN_LARGE};
    double used[2] = {0};
    for (int i = 0; i < 10; i++)
        turns_join(turns, (of_first[i] = (struct turn){.class = TURN_LARGE}, &of_first[i]));
    turns_join(turns, &of_second);
    play(turns, 100, (const double[]){SLICE, SLICE}, used);
    cr_assert_float_eq(used[0], used[1], SLICE);
    free(turns);
}

Test(turns, time_counts_and_not_the_number_of_turns) {
    struct turns *turns = new_turns();
    struct turn slow = {.client = 0, .class = TURN_LARGE},
                quick = {.client = 1, .class = TURN_LARGE};
    double used[2] = {0};
    turns_join(turns, &slow);
    turns_join(turns, &quick);
    play(turns, 400, (const double[]){3 * SLICE, SLICE}, used);
    cr_assert_float_eq(used[0], used[1], 3 * SLICE);
    free(turns);
}

Test(turns, nobody_saves_up_turns) {
    struct turns *turns = new_turns();
    struct turn old = {.client = 0, .class = TURN_LARGE},
                young = {.client = 1, .class = TURN_LARGE};
    double used[2] = {0};
    turns_join(turns, &old);
    play(turns, 1000, (const double[]){SLICE, SLICE}, used);
    used[0] = 0;
    turns_join(turns, &young);
    play(turns, 10, (const double[]){SLICE, SLICE}, used);
    cr_assert_float_eq(used[0], used[1], SLICE);
    free(turns);
}

Test(turns, old_work_is_soon_forgotten) {
    struct turns *turns = new_turns();
    struct turn of_both[2] = {{.client = 0, .class = TURN_LARGE},
                              {.client = 1, .class = TURN_LARGE}};
    double used[2] = {0};
    turns_join(turns, &of_both[0]);
    cr_assert_eq(turns_take(turns, true), &of_both[0]);
    turns_charge(turns, &of_both[0], 1000 * SLICE); /* in one go, while nobody else was there */
    turns_end(turns, &of_both[0]);
    for (int i = 1; i >= 0; i--)
        turns_join(turns, &of_both[i]);
    play(turns, 10, (const double[]){SLICE, SLICE}, used);
    cr_assert_float_eq(used[0], used[1], 3 * SLICE);
    free(turns);
}

Test(turns, small_work_goes_first_and_large_work_has_its_share) {
    struct turns *turns = new_turns();
    struct turn large = {.client = 0, .class = TURN_LARGE};
    double small_seconds = 0, large_seconds = 0;
    turns_join(turns, &large);
    for (int i = 0; i < 4000; i++) { /* there is always something small */
        struct turn small = {.client = 1 + (uint64_t)i % 3, .class = TURN_SMALL};
        turns_join(turns, &small);
        struct turn *turn = turns_take(turns, true);
        cr_assert(i > 0 || turn == &small);
        const double seconds = turn == &large ? SLICE : SLICE / 8;
        turns_charge(turns, turn, seconds);
        if (turn == &large) {
            cr_assert(turn->is_owed);
            large_seconds += seconds;
            turns_back(turns, turn);
            cr_assert_eq((turn = turns_take(turns, true)), &small);
            turns_charge(turns, turn, SLICE / 8);
        }
        small_seconds += SLICE / 8;
        turns_end(turns, &small);
    }
    cr_assert_float_eq(large_seconds / (large_seconds + small_seconds), TURN_LARGE_SHARE, 0.01);
    free(turns);
}

Test(turns, background_work_makes_way_for_all_and_is_not_forgotten) {
    enum { BEHIND = 8 };
    struct turns *turns = new_turns();
    struct turn behind[BEHIND], large = {.client = 0, .class = TURN_LARGE};
    for (int i = 0; i < BEHIND; i++)
        turns_join(turns, (behind[i] = (struct turn){.class = TURN_BACKGROUND}, &behind[i]));
    struct turn *turn = turns_take(turns, true);
    cr_assert_eq(turn, &behind[0]);
    cr_assert_not(turns_is_over(turns, turn, SLICE / 8));
    turns_join(turns, &large);
    cr_assert(turns_is_over(turns, turn, SLICE / 8), "at once, although it has used little");
    turns_charge(turns, turn, SLICE / 8);
    turns_back(turns, turn);
    double of_large = 0, of_others = 0;
    while (of_large < 20 * SLICE) {
        turn = turns_take(turns, true);
        *(turn == &large ? &of_large : &of_others) += SLICE;
        turns_charge(turns, turn, SLICE);
        turns_back(turns, turn);
    }
    cr_assert_leq(of_others, SLICE + 1e-9, "a slice, while the other one took twenty");
    while (of_large < 2000 * SLICE) {
        turn = turns_take(turns, true);
        *(turn == &large ? &of_large : &of_others) += SLICE;
        turns_charge(turns, turn, SLICE);
        turns_back(turns, turn);
    }
    cr_assert_float_eq(of_others / (of_others + of_large), TURN_BACKGROUND_SHARE, 0.005);
    free(turns);
}

/* Large work is owed a turn but may not begin: that does not keep out the background. */
Test(turns, a_class_that_cannot_go_on_does_not_hide_the_next_one) {
    struct turns *turns = new_turns();
    struct turn large = {.class = TURN_LARGE}, behind = {.class = TURN_BACKGROUND}, small = {0};
    turns_join(turns, &behind);
    cr_assert_eq(turns_take(turns, true), &behind);
    turns_back(turns, &behind); /* it has begun */
    turns_join(turns, &large);
    turns_join(turns, &small);
    cr_assert_eq(turns_take(turns, true), &small);
    turns_charge(turns, &small, 100 * SLICE);
    turns_end(turns, &small);
    cr_assert_geq(turns->lines[TURN_LARGE].owed, SLICE);
    cr_assert_geq(turns->lines[TURN_BACKGROUND].owed, SLICE);
    small = (struct turn){0};
    turns_join(turns, &small);
    small.has_begun = true;
    cr_assert_eq(turns_take(turns, false), &behind);
    cr_assert(behind.is_owed);
    free(turns);
}

Test(turns, small_work_that_takes_too_long_becomes_large) {
    struct turns *turns = new_turns();
    struct turn long_one = {.client = 0}, short_one = {.client = 1};
    turns_join(turns, &long_one);
    cr_assert_eq(turns_take(turns, true), &long_one);
    turns_charge(turns, &long_one, TURN_SMALL_SECONDS / 2);
    cr_assert_eq(long_one.class, TURN_SMALL);
    turns_charge(turns, &long_one, TURN_SMALL_SECONDS);
    cr_assert_eq(long_one.class, TURN_LARGE);
    turns_back(turns, &long_one);
    turns_join(turns, &short_one);
    cr_assert_eq(turns_take(turns, true), &short_one);
    turns_end(turns, &short_one);
    cr_assert_eq(turns_take(turns, true), &long_one);
    turns_end(turns, &long_one);
    cr_assert_eq(turns->lines[TURN_LARGE].begun, 0);
    free(turns);
}

Test(turns, only_so_much_large_work_begins) {
    enum { WORK = TURN_BEGUN_OF_CLIENT + 2 };
    struct turns *turns = new_turns();
    struct turn of_first[WORK], of_second = {.client = 1, .class = TURN_LARGE};
    for (int i = 0; i < WORK; i++)
        turns_join(turns, (of_first[i] = (struct turn){.class = TURN_LARGE}, &of_first[i]));
    for (int i = 0; i < TURN_BEGUN_OF_CLIENT; i++)
        cr_assert_eq(turns_take(turns, true), &of_first[i]);
    cr_assert_null(turns_take(turns, true)); /* that was all it may */
    turns_join(turns, &of_second);
    cr_assert_null(turns_take(turns, false)); /* no thread to begin it with */
    cr_assert_eq(turns_take(turns, true), &of_second);
    turns_back(turns, &of_first[3]);
    cr_assert_eq(turns_take(turns, false), &of_first[3]); /* it has one */
    turns_end(turns, &of_first[3]);
    cr_assert_eq(turns_take(turns, true), &of_first[TURN_BEGUN_OF_CLIENT]);
    cr_assert_eq(turns_drop(turns), &of_first[TURN_BEGUN_OF_CLIENT + 1]);
    cr_assert_null(turns_drop(turns));
    free(turns);
}

Test(turns, a_turn_is_over_when_others_wait) {
    struct turns *turns = new_turns();
    struct turn large = {.class = TURN_LARGE}, other = {.class = TURN_LARGE}, small = {0};
    turns_join(turns, &large);
    cr_assert_eq(turns_take(turns, true), &large);
    cr_assert_not(turns_is_over(turns, &large, 100)); /* nobody waits */
    turns_join(turns, &other);
    cr_assert_not(turns_is_over(turns, &large, SLICE / 2));
    cr_assert(turns_is_over(turns, &large, SLICE));
    turns_join(turns, &small);
    cr_assert(turns_is_over(turns, &large, 0)); /* small work need not wait for a slice.. */
    large.is_owed = true;
    cr_assert_not(turns_is_over(turns, &large, SLICE / 2)); /* ..unless that is owed */
    free(turns);
}

/* ------------------------------------------------------------------ the pool */

enum { MAX_WORK = 600 };

struct work {
    struct task task;
    struct meeting *meeting;
    void (*run)(struct work *work);
    int number;
};

/* What pieces of work share. */
struct meeting {
    struct pool *pool;
    struct work work[MAX_WORK];
    atomic_int begun, steps[MAX_WORK], done, refused, alone;
    atomic_bool go;
};

static bool run_work(struct task *task, struct store_session *session) {
    cr_assert_null(session);
    struct work *work = (struct work *)task;
    atomic_fetch_add(&work->meeting->begun, 1);
    work->run(work);
    return true;
}

static void work_done(struct task *task, enum task_outcome outcome) {
    struct meeting *meeting = ((struct work *)task)->meeting;
    atomic_fetch_add(outcome == TASK_DONE ? &meeting->done : &meeting->refused, 1);
}

static void post_of(struct meeting *meeting, int number, uint64_t client, enum turn_class class,
                    void (*run)(struct work *work)) {
    struct work *work = &meeting->work[number];
    *work = (struct work){.task = {.run = run_work, .done = work_done},
                          .meeting = meeting,
                          .run = run,
                          .number = number};
    work->task.turn.client = client;
    work->task.turn.class = class;
    pool_post(meeting->pool, &work->task);
}

static void post(struct meeting *meeting, int number, enum turn_class class,
                 void (*run)(struct work *work)) {
    post_of(meeting, number, (uint64_t)number, class, run);
}

static struct meeting *meet(int threads, int max_waiting) {
    struct meeting *meeting = calloc(1, sizeof *meeting);
    meeting->pool = pool_start(threads, max_waiting);
    cr_assert_not_null(meeting->pool);
    return meeting;
}

static void until(atomic_int *count, int enough) {
    while (atomic_load(count) < enough)
        sched_yield();
}

static void part(struct meeting *meeting) {
    pool_stop(meeting->pool);
    free(meeting);
}

static void count_one(struct work *work) {
    atomic_fetch_add(&work->meeting->steps[work->number], 1);
}

/* Goes on until work number 1 has been done. */
static void outlast(struct work *work) {
    while (atomic_load(&work->meeting->steps[1]) == 0)
        pool_pause();
}

Test(pool, large_work_lets_small_work_have_the_only_thread, .timeout = 60) {
    struct meeting *meeting = meet(1, 4);
    post(meeting, 0, TURN_LARGE, outlast);
    until(&meeting->begun, 1);
    post(meeting, 1, TURN_SMALL, count_one);
    until(&meeting->done, 2);
    part(meeting);
}

Test(pool, so_does_small_work_that_takes_long, .timeout = 60) {
    struct meeting *meeting = meet(1, 4);
    post(meeting, 0, TURN_SMALL, outlast);
    until(&meeting->begun, 1);
    post(meeting, 1, TURN_LARGE, count_one);
    until(&meeting->done, 2);
    part(meeting);
}

enum { TOGETHER = 5, LAPS = 3 };

/* No lap before all others have done the one before. */
static void keep_together(struct work *work) {
    struct meeting *meeting = work->meeting;
    for (int lap = 0; lap < LAPS; lap++) {
        for (int i = 0; i < TOGETHER; i++)
            while (atomic_load(&meeting->steps[i]) < lap)
                pool_pause();
        atomic_fetch_add(&meeting->steps[work->number], 1);
    }
}

Test(pool, large_work_takes_turns, .timeout = 60) {
    for (int threads = 1; threads <= 3; threads++) {
        struct meeting *meeting = meet(threads, TOGETHER);
        for (int i = 0; i < TOGETHER; i++)
            post(meeting, i, TURN_LARGE, keep_together);
        until(&meeting->done, TOGETHER);
        part(meeting);
    }
}

/* Waits for work number 1 without a turn. */
static void wait_outside(struct work *work) {
    pool_step_out();
    until(&work->meeting->steps[1], 1);
    pool_step_in();
}

Test(pool, who_waits_for_others_steps_out, .timeout = 60) {
    struct meeting *meeting = meet(1, 4);
    post(meeting, 0, TURN_SMALL, wait_outside);
    post(meeting, 1, TURN_LARGE, count_one);
    until(&meeting->done, 2);
    part(meeting);
}

static void be_alone(struct work *work) {
    struct meeting *meeting = work->meeting;
    pool_begin_alone();
    cr_assert_eq(atomic_fetch_add(&meeting->alone, 1), 0);
    until(&meeting->steps[1], 1);
    cr_assert_eq(atomic_fetch_sub(&meeting->alone, 1), 1);
    pool_end_alone();
}

Test(pool, what_cannot_pause_goes_on_beside_the_others_one_at_a_time, .timeout = 60) {
    struct meeting *meeting = meet(2, 8);
    for (int i = 2; i < 6; i++)
        post(meeting, i, TURN_SMALL, be_alone);
    until(&meeting->begun, 4);
    post(meeting, 1, TURN_SMALL, count_one);
    until(&meeting->done, 5);
    part(meeting);
}

static void pause_until_told(struct work *work) {
    while (!atomic_load(&work->meeting->go))
        pool_pause();
}

static void *stop_pool(void *argument) {
    struct meeting *meeting = argument;
    pool_stop(meeting->pool);
    return NULL;
}

Test(pool, stopping_refuses_what_waits_and_ends_what_has_begun, .timeout = 60) {
    struct meeting *meeting = meet(2, 3);
    pthread_t stopper;
    for (int i = 0; i < 2; i++)
        post(meeting, i, TURN_LARGE, pause_until_told);
    until(&meeting->begun, 2);
    post(meeting, 2, TURN_LARGE, pause_until_told); /* the three take turns */
    until(&meeting->begun, 3);
    cr_assert_eq(meeting->refused, 0);
    pthread_create(&stopper, NULL, stop_pool, meeting);
    for (int i = 3; i < 40 && atomic_load(&meeting->refused) == 0; i++) {
        post(meeting, i, TURN_SMALL, count_one); /* done, until the stop */
        sched_yield();
    }
    atomic_store(&meeting->go, true);
    pthread_join(stopper, NULL);
    cr_assert_geq(meeting->done, 3);
    free(meeting);
}

/* Work of one client: so much begins, so much waits, and the rest is refused. */
Test(pool, only_so_many_wait, .timeout = 60) {
    enum { WAITING = 3, BEGUN = TURN_BEGUN_OF_CLIENT };
    struct meeting *meeting = meet(1, WAITING);
    for (int i = 0; i < BEGUN + WAITING + 2; i++) {
        post_of(meeting, i, 0, TURN_LARGE, pause_until_told);
        until(&meeting->begun, i < BEGUN ? i + 1 : BEGUN);
    }
    cr_assert_eq(meeting->refused, 2);
    const struct pool_counts counts = pool_count(meeting->pool);
    cr_assert_eq(counts.begun, BEGUN);
    cr_assert_eq(counts.waiting[TURN_LARGE], BEGUN - 1 + WAITING);
    cr_assert_eq(counts.waiting[TURN_SMALL], 0);
    atomic_store(&meeting->go, true);
    until(&meeting->done, BEGUN + WAITING);
    part(meeting);
}

/* Hundreds that all wait for each other: each has a thread, and none is needed after. */
Test(pool, hundreds_can_have_begun, .timeout = 100) {
    enum { CLIENTS = 12, ALL = CLIENTS * TURN_BEGUN_OF_CLIENT };
    struct meeting *meeting = meet(2, 2 * ALL);
    for (int i = 0; i < ALL; i++)
        post(meeting, i, TURN_LARGE, pause_until_told);
    until(&meeting->begun, ALL);
    cr_assert_eq(pool_count(meeting->pool).begun, ALL);
    atomic_store(&meeting->go, true);
    until(&meeting->done, ALL);
    part(meeting);
}
