/*
 * cost.h - what drawing points, or a training, costs before it is done, and whether that is
 * allowed.
 */
#ifndef API_COST_H
#define API_COST_H

#include "engine/denoise.h"
#include "server/http/http.h"

/* Each point takes `evaluations` passes through the network, and a pass a multiplication and an
 * addition per parameter. True if that is within --max-sample-cost; else 422 too_expensive, which
 * says how many points would be, is the answer. */
bool cost_fits(struct http_exchange *exchange, const struct dn_model *model, int n,
               int evaluations);

/* True if a training that takes so many bytes (estimate_memory) is within --max-training-memory,
 * and its checkpoints and model within --max-database; else 422 too_large, which says how much that
 * is and what would make it less, is the answer. */
bool cost_training_fits(struct http_exchange *exchange, const struct dn_spec *spec, int64_t memory);
/* Is it so much that small requests go first (server/threads/turns.h)? */
bool cost_is_large(const struct dn_model *model, int n, int evaluations);

#endif
