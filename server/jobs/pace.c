#include "server/jobs/pace.h"

#include <math.h>

#define PROGRESS_EVERY   0.5  /* seconds between two reports without epochs */
#define FIRST_CHECKPOINT 0.1  /* seconds after the start */
#define REPORT_SHARE     0.05 /* maximum share of the time in which the store has a report, */
#define CHECKPOINT_SHARE 0.02 /* and in which a checkpoint is saved */

void pace_begin(struct pace *pace, struct store_pace limits, double checkpoint_seconds,
                double now) {
    *pace = (struct pace){.limits = limits,
                          .checkpoint_seconds = checkpoint_seconds,
                          .started = now,
                          .reported = now,
                          .checkpointed = now};
}

void pace_reported(struct pace *pace, double now) {
    pace->reported = now;
}

void pace_checkpointed(struct pace *pace, double now, double saving) {
    pace->checkpointed = now;
    pace->saving = saving;
    pace->storing = 0;
}

void pace_stored(struct pace *pace, double report, double checkpoint) {
    pace->report_took = report;
    pace->storing = checkpoint;
}

/* Seconds between two reports. */
static double report_interval(const struct pace *pace) {
    const double fair = pace->report_took / REPORT_SHARE;
    return fmin(fmax(fair, pace->limits.report_least), pace->limits.report_most);
}

bool pace_may_report(const struct pace *pace, double now) {
    return now - pace->reported >= report_interval(pace);
}

bool pace_should_report(const struct pace *pace, double now) {
    return now - pace->reported >= fmax(PROGRESS_EVERY, report_interval(pace));
}

bool pace_may_save(const struct pace *pace, double now) {
    const double cost = pace->saving + (pace->limits.counts_storing ? pace->storing : 0);
    return now - pace->checkpointed >= cost * (1 / CHECKPOINT_SHARE - 1);
}

bool pace_should_save(const struct pace *pace, double now) {
    const double most = pace->checkpointed - pace->started + FIRST_CHECKPOINT;
    return now - pace->checkpointed >= fmin(pace->checkpoint_seconds, most);
}

bool pace_saves(const struct pace *pace, bool is_due, double now) {
    return pace_may_save(pace, now) &&
           (pace_should_save(pace, now) || (is_due && pace_may_report(pace, now)));
}
