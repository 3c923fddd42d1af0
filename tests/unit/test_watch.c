/* Requests that wait for a job look at it when something has happened to it, not all the time. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>

#include "server/base/bell.h"
#include "server/base/clock.h"
#include "server/base/counters.h"
#include "server/threads/watch.h"

enum { WAITERS = 20 };

/* A request that waits until its job is over. */
struct waiter {
    struct task task;
    struct wait wait;
    bool is_unwanted;
    atomic_bool job_is_over;
    atomic_int looks;
    enum task_outcome outcome;
    struct bell looked, done;
};

static bool look(struct task *task, struct store_session *session) {
    struct waiter *waiter = (struct waiter *)task;
    cr_assert_null(session);
    const bool is_over = atomic_load(&waiter->job_is_over) ||
                         __atomic_load_n(&waiter->is_unwanted, __ATOMIC_RELAXED) ||
                         clock_monotonic() >= waiter->wait.until;
    atomic_fetch_add(&waiter->looks, 1);
    bell_ring(&waiter->looked);
    return is_over;
}

static void done(struct task *task, enum task_outcome outcome) {
    struct waiter *waiter = (struct waiter *)task;
    waiter->outcome = outcome;
    bell_ring(&waiter->done);
}

static void begin(struct waiter *waiter, struct watch *watch, struct wait wait) {
    *waiter = (struct waiter){.wait = wait};
    waiter->task = (struct task){
        .run = look, .done = done, .wait = &waiter->wait, .is_unwanted = &waiter->is_unwanted};
    bell_init(&waiter->looked);
    bell_init(&waiter->done);
    watch_post(watch, &waiter->task);
}

static void await(struct bell *bell) {
    cr_assert(bell_wait(bell, INFINITY));
}

static void end(struct waiter *waiter, int looks) {
    await(&waiter->done);
    cr_assert_eq(waiter->outcome, TASK_DONE);
    cr_assert_eq(atomic_load(&waiter->looks), looks);
    bell_clear(&waiter->looked);
    bell_clear(&waiter->done);
}

/* Comes back once the watch has gone through all news before it. */
static void pass(struct watch *watch) {
    struct waiter waiter;
    begin(&waiter, watch, (struct wait){.job = "the last", .until = INFINITY});
    await(&waiter.looked);
    atomic_store(&waiter.job_is_over, true);
    watch_news(watch, "the last", WAIT_FOR_ANYTHING);
    end(&waiter, 2);
}

Test(watch, only_news_of_its_job_makes_a_task_look, .timeout = 60) {
    struct watch *watch = watch_start(64, INFINITY);
    static struct waiter waiters[WAITERS];
    char names[WAITERS][16];
    cr_assert(counters_start(1));
    for (int i = 0; i < WAITERS; i++) {
        snprintf(names[i], sizeof names[i], "job %d", i);
        begin(&waiters[i], watch, (struct wait){.job = names[i], .until = INFINITY});
        await(&waiters[i].looked);
    }
    for (int i = 0; i < 1000; i++) {
        watch_news(watch, "another", i % 2 ? WAIT_FOR_STATUS : WAIT_FOR_ANYTHING);
        if (i % 50 == 0)
            pass(watch);
    }
    pass(watch);
    for (int i = 0; i < WAITERS; i++)
        cr_assert_eq(atomic_load(&waiters[i].looks), 1);
    for (int i = 0; i < WAITERS; i++) {
        atomic_store(&waiters[i].job_is_over, true);
        watch_news(watch, names[i], WAIT_FOR_ANYTHING);
        end(&waiters[i], 2);
    }
    cr_assert_eq(counters_get()->looks, 2 * WAITERS + 2 * 21, "each look is counted");
    watch_stop(watch);
    counters_stop();
}

Test(watch, who_waits_for_the_end_does_not_look_at_epochs, .timeout = 60) {
    struct watch *watch = watch_start(8, INFINITY);
    struct waiter end_of_it, anything, whichever;
    const double never = INFINITY;
    begin(&end_of_it, watch, (struct wait){"a", WAIT_FOR_STATUS, never});
    begin(&anything, watch, (struct wait){"a", WAIT_FOR_ANYTHING, never});
    begin(&whichever, watch, (struct wait){NULL, WAIT_FOR_ANYTHING, never});
    await(&end_of_it.looked);
    await(&anything.looked);
    await(&whichever.looked);
    watch_news(watch, "a", WAIT_FOR_ANYTHING);
    await(&anything.looked);
    await(&whichever.looked);
    watch_news(watch, "b", WAIT_FOR_STATUS);
    await(&whichever.looked);
    cr_assert_eq(atomic_load(&end_of_it.looks), 1);
    cr_assert_eq(atomic_load(&anything.looks), 2);
    atomic_store(&end_of_it.job_is_over, true);
    atomic_store(&anything.job_is_over, true);
    atomic_store(&whichever.job_is_over, true);
    watch_news(watch, "a", WAIT_FOR_STATUS); /* this is news for all */
    end(&end_of_it, 2);
    end(&anything, 3);
    end(&whichever, 4);
    watch_stop(watch);
}

Test(watch, all_look_when_news_may_have_been_missed, .timeout = 60) {
    struct watch *watch = watch_start(8, INFINITY);
    struct waiter end_of_it, anything;
    cr_assert_not(watch_is_awaited(watch));
    begin(&end_of_it, watch, (struct wait){"a", WAIT_FOR_STATUS, INFINITY});
    begin(&anything, watch, (struct wait){"b", WAIT_FOR_ANYTHING, INFINITY});
    await(&end_of_it.looked);
    await(&anything.looked);
    cr_assert(watch_is_awaited(watch));
    atomic_store(&end_of_it.job_is_over, true);
    atomic_store(&anything.job_is_over, true);
    watch_suspect(watch);
    end(&end_of_it, 2);
    end(&anything, 2);
    watch_stop(watch);
}

Test(watch, news_of_more_jobs_than_it_remembers_is_news_of_all, .timeout = 60) {
    struct watch *watch = watch_start(8, INFINITY);
    struct waiter waiter;
    char name[16];
    begin(&waiter, watch, (struct wait){.job = "999", .until = INFINITY});
    await(&waiter.looked);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "%d", i);
        atomic_store(&waiter.job_is_over, i == 999);
        watch_news(watch, name, WAIT_FOR_STATUS);
    }
    await(&waiter.done);
    cr_assert_eq(waiter.outcome, TASK_DONE);
    watch_stop(watch);
}

Test(watch, time_and_a_client_that_leaves_end_a_wait_and_lost_news_costs_only_time, .timeout = 60) {
    struct watch *watch = watch_start(8, 0.05);
    struct waiter late, unwanted, lost;
    begin(&late, watch, (struct wait){.job = "a", .until = clock_monotonic() + 0.2});
    await(&late.done);
    cr_assert_geq(clock_monotonic(), late.wait.until);
    begin(&unwanted, watch, (struct wait){.job = "a", .until = INFINITY});
    await(&unwanted.looked);
    __atomic_store_n(&unwanted.is_unwanted, true, __ATOMIC_RELAXED);
    await(&unwanted.done);
    begin(&lost, watch, (struct wait){.job = "a", .until = INFINITY});
    await(&lost.looked);
    atomic_store(&lost.job_is_over, true); /* and nobody says so */
    await(&lost.done);
    watch_stop(watch);
}

Test(watch, without_a_place_a_task_is_refused, .timeout = 60) {
    struct watch *watch = watch_start(1, INFINITY);
    struct waiter first, second;
    begin(&first, watch, (struct wait){.job = "a", .until = INFINITY});
    begin(&second, watch, (struct wait){.job = "b", .until = INFINITY});
    await(&second.done);
    cr_assert_eq(second.outcome, TASK_REFUSED);
    cr_assert_eq(atomic_load(&second.looks), 0);
    await(&first.looked);
    atomic_store(&first.job_is_over, true);
    watch_news(watch, "a", WAIT_FOR_STATUS);
    end(&first, 2);
    watch_stop(watch);
}
