/* How often jobs write: a small share of the store's time, on any store, without losing liveness. */
#include <criterion/criterion.h>
#include <math.h>

#include "server/jobs/pace.h"

/* A training with epochs of a millisecond, on a clock of its own. */
struct run {
    struct store_pace limits;
    double stores_report, saves, stores_checkpoint; /* seconds */
    double between;                                 /* --checkpoint-seconds */
    bool is_due;                                    /* each epoch is to have a checkpoint */
};

struct outcome {
    int reports, checkpoints;
    double longest_silence, longest_risk; /* seconds without a report, without a checkpoint */
    double store_share;                   /* of the time in which the store has a report */
    double saving_share;                  /* and in which a checkpoint is saved, or also stored */
};

static struct outcome train(struct run run, double seconds) {
    const double epoch = 0.001;
    struct outcome outcome = {0};
    struct pace pace;
    double now = 1000, back = 0, last_report = now, last_checkpoint = now, busy = 0, saved = 0;
    double report = 0, checkpoint = 0; /* as the reports would tell */
    pace_begin(&pace, run.limits, run.between, now);
    while (now < 1000 + seconds) {
        now += epoch;
        if (now < back)
            continue;
        pace_stored(&pace, report, checkpoint);
        const bool makes_one = pace_saves(&pace, run.is_due, now);
        if (!makes_one && !pace_may_report(&pace, now))
            continue;
        back = now + run.stores_report;
        report = run.stores_report;
        if (makes_one) {
            now += run.saves;
            pace_checkpointed(&pace, now, run.saves);
            outcome.checkpoints++;
            outcome.longest_risk = fmax(outcome.longest_risk, now - last_checkpoint);
            last_checkpoint = now;
            checkpoint = run.stores_checkpoint;
            back = now + run.stores_checkpoint;
            saved += run.saves + (run.limits.counts_storing ? run.stores_checkpoint : 0);
        }
        pace_reported(&pace, now);
        outcome.reports++;
        outcome.longest_silence = fmax(outcome.longest_silence, now - last_report);
        last_report = now;
        busy += run.stores_report;
    }
    outcome.store_share = busy / seconds;
    outcome.saving_share = saved / seconds;
    return outcome;
}

static const struct store_pace HERE = {0, 0.05, false, 1 << 20}, FAR = {0.5, 5, true, 0};

Test(pace, on_a_file_the_loss_is_as_new_as_a_glance_can_tell) {
    const double commits[] = {1e-4, 1e-3, 5e-3, 0.04};
    for (int i = 0; i < 4; i++) {
        const struct run run = {HERE, commits[i], 0.001, commits[i], 2};
        const struct outcome outcome = train(run, 60);
        cr_expect_lt(outcome.longest_silence, 0.06, "commits of %g s", commits[i]);
        cr_expect_leq(outcome.longest_risk, 2.1);
        if (commits[i] <= 2.5e-3)
            cr_expect_lt(outcome.store_share, 0.052, "commits of %g s", commits[i]);
    }
}

Test(pace, far_away_a_job_reports_at_most_twice_a_second) {
    const struct outcome quick = train((struct run){FAR, 0.002, 0.001, 0.003, 2}, 60);
    cr_expect_leq(quick.reports, 2 * 60 + quick.checkpoints);
    cr_expect_geq(quick.reports, 1.5 * 60);
    cr_expect_leq(quick.longest_risk, 2.4);
    const struct outcome eager = train((struct run){FAR, 0.002, 0.001, 0.003, 2, true}, 60);
    cr_expect_geq(eager.checkpoints, 1.5 * 60);
    cr_expect_leq(eager.reports, 2 * 60 + 5, "checkpoints come with them: %d", eager.reports);
    const struct outcome slow = train((struct run){FAR, 0.1, 0.001, 0.1, 2}, 600);
    cr_expect_lt(slow.store_share, 0.07, "%g", slow.store_share);
    cr_expect_leq(slow.longest_silence, 5.1);
    const struct outcome drowning = train((struct run){FAR, 2, 0.001, 2, 2}, 600);
    cr_expect_leq(drowning.longest_silence, 5.1, "but it is heard");
}

Test(pace, checkpoints_take_two_percent_of_the_time) {
    const double costs[] = {0.01, 0.1, 1};
    for (int i = 0; i < 3; i++) {
        const struct outcome here = train((struct run){HERE, 0.001, costs[i], costs[i], 2}, 3000);
        cr_expect_leq(here.saving_share, 0.021, "%g", here.saving_share);
        cr_expect_leq(here.longest_risk, fmax(2, 50 * costs[i]) + 2 * costs[i] + 0.1);
        const struct outcome far =
            train((struct run){FAR, 0.001, costs[i] / 10, costs[i], 2}, 3000);
        cr_expect_leq(far.saving_share, 0.021, "with the time to store: %g", far.saving_share);
        cr_expect_leq(far.longest_risk, fmax(2, 55 * costs[i]) + 2 * costs[i] + 0.1);
    }
}

Test(pace, a_young_job_saves_soon) {
    struct pace pace;
    pace_begin(&pace, HERE, 2, 50);
    cr_assert(!pace_should_save(&pace, 50.09));
    cr_assert(pace_should_save(&pace, 50.11) && pace_may_save(&pace, 50.11));
    pace_checkpointed(&pace, 50.11, 0.001);
    cr_assert(!pace_should_save(&pace, 50.3));
    cr_assert(pace_should_save(&pace, 50.33));
    cr_assert(!pace_may_save(&pace, 50.15), "one may not save at once, although training asks");
    cr_assert(!pace_should_report(&pace, 50.45), "without epochs there is little to tell");
    cr_assert(pace_should_report(&pace, 50.51));
}
