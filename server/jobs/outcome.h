/*
 * outcome.h - how a training went, for those who asked for it: whether its loss grew, and whether
 * the model says anything.
 */
#ifndef SERVER_JOBS_OUTCOME_H
#define SERVER_JOBS_OUTCOME_H

#include "engine/denoise.h"
#include "server/store/store.h"

struct training_outcome {
    double last; /* loss of the last epoch: of validation, or without it of training */
    struct lowest_loss lowest;
    struct dn_verdict verdict; /* NAN until the end */
};

/* Begins with what the history of the job says, if it is not new. */
enum store_status outcome_begin(struct training_outcome *outcome, struct store *store,
                                const char *id, bool is_new);
void outcome_epoch(struct training_outcome *outcome, const struct dn_epoch *epoch);

#endif
