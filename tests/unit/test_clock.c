/* A clock that is followed: what is known of it after an answer that took a while. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "server/base/clock.h"

enum { SLACK_MS = 200 }; /* that a test may be held up between two lines */
#define DAY_MS INT64_C(86400000)

static void expect_near(int64_t wanted) {
    const int64_t now = clock_now_ms();
    cr_expect(llabs(now - wanted) <= SLACK_MS, "%lld ms from it", (long long)(now - wanted));
}

Test(clock, goes_by_the_machine_unless_told) {
    expect_near(clock_machine_ms());
}

Test(clock, an_answer_that_agrees_changes_nothing) {
    const int64_t machine = clock_machine_ms();
    /* Asked five seconds ago: it may be that the answer was given then, or just now. */
    clock_follow(clock_monotonic() - 5, machine - 2000);
    expect_near(machine);
}

/* The time there is between told and told + the time that the answer took. */
Test(clock, goes_by_the_other_from_the_answer_on) {
    const int64_t machine = clock_machine_ms();
    clock_follow(clock_monotonic(), machine + DAY_MS);
    expect_near(machine + DAY_MS);
    cr_expect(llabs(clock_machine_ms() - machine) <= SLACK_MS);
    /* A vague answer, which does not contradict it, teaches nothing. */
    clock_follow(clock_monotonic() - 60, machine + DAY_MS - 30000);
    expect_near(machine + DAY_MS);
    /* One that does moves it to the nearest time that is possible: asked a minute ago, told now. */
    clock_follow(clock_monotonic() - 60, machine + 2 * DAY_MS);
    expect_near(machine + 2 * DAY_MS);
    clock_follow(clock_monotonic() - 60, machine - DAY_MS);
    expect_near(machine - DAY_MS + 60000);
}
