/*
 * pace.h - when a training job may report, and when it may save a checkpoint, so that its writes
 * take only a small share of its own time and of the store's.
 *
 * Times are monotonic seconds, and the caller says what time it is.
 */
#ifndef SERVER_JOBS_PACE_H
#define SERVER_JOBS_PACE_H

#include "server/store/store.h"

struct pace {
    struct store_pace limits;
    double checkpoint_seconds; /* between two checkpoints */
    double started;
    double reported, report_took; /* when the last report was sent, and how long it was stored */
    double checkpointed;          /* when the last checkpoint was saved, */
    double saving, storing;       /* and how long that and storing it took */
};

void pace_begin(struct pace *pace, struct store_pace limits, double checkpoint_seconds, double now);
void pace_reported(struct pace *pace, double now);
/* now: the end of saving, which has taken this number of seconds. */
void pace_checkpointed(struct pace *pace, double now, double saving);
/* What the store has needed for the last report, and for the last checkpoint. */
void pace_stored(struct pace *pace, double report, double checkpoint);

/* May new epochs be reported? */
bool pace_may_report(const struct pace *pace, double now);
/* Should the job report its steps, even without epochs? */
bool pace_should_report(const struct pace *pace, double now);
/* May a checkpoint be saved? */
bool pace_may_save(const struct pace *pace, double now);
/* Should one be saved, even within an epoch? The first come after 0.1, 0.3, 0.7, 1.5 s. */
bool pace_should_save(const struct pace *pace, double now);
/* Both, or it may be saved and an epoch is due to have one: that is sent at once, so it waits for the
 * next report. */
bool pace_saves(const struct pace *pace, bool is_due, double now);

#endif
