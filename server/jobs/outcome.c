#include "server/jobs/outcome.h"

#include <math.h>

enum store_status outcome_begin(struct training_outcome *outcome, struct store *store,
                                const char *id, bool is_new) {
    *outcome = (struct training_outcome){.last = NAN, .lowest.loss = NAN, .verdict = {NAN, NAN}};
    struct store_session *session = is_new ? NULL : store_acquire(store);
    if (!session)
        return is_new ? STORE_OK : STORE_ERROR;
    enum store_status status = store_lowest_loss(session, id, &outcome->lowest);
    store_release(store, session);
    return status;
}

void outcome_epoch(struct training_outcome *outcome, const struct dn_epoch *epoch) {
    outcome->last = isnan(epoch->val_loss) ? epoch->train_loss : epoch->val_loss;
    if (outcome->last <= outcome->lowest.loss || isnan(outcome->lowest.loss))
        outcome->lowest = (struct lowest_loss){outcome->last, epoch->epoch};
}
