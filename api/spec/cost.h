/*
 * cost.h - estimates what drawing points or a training will cost, and whether that is allowed.
 */
#ifndef API_SPEC_COST_H
#define API_SPEC_COST_H

#include "engine/denoise.h"
#include "server/http/http.h"

/* Each point takes `evaluations` passes through the network, and each pass one multiplication and
 * one addition per parameter. True if that is within --max-sample-cost; otherwise the answer is 422
 * too_expensive, which says how many points are allowed. */
bool cost_fits(struct http_exchange *exchange, const struct dn_model *model, int n,
               int evaluations);

/* True if the memory of a training (estimate_memory) is within --max-training-memory, and its
 * checkpoints and model within --max-database; otherwise the answer is 422 too_large, which gives
 * the sizes and says how to reduce them. */
bool cost_training_fits(struct http_exchange *exchange, const struct dn_spec *spec, int64_t memory);
/* Is the cost so high that small requests go first (server/threads/turns.h)? */
bool cost_is_large(const struct dn_model *model, int n, int evaluations);

#endif
