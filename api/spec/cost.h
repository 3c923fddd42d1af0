/*
 * cost.h - estimates what sampling or training will cost, and whether that is allowed.
 */
#ifndef API_SPEC_COST_H
#define API_SPEC_COST_H

#include "engine/denoise.h"
#include "server/http/http.h"

/* Sampling needs some passes through the network per point, and each pass one multiplication and
 * one addition per parameter. True if a complete request is within --max-sample-cost; otherwise the
 * response is 422 too_expensive, which says how many points are allowed. */
bool cost_fits(struct http_exchange *exchange, const struct dn_model *model,
               const struct dn_sample_request *request);
/* The number of points that cost_fits allows, whatever the request asks for. */
double cost_affordable(struct http_exchange *exchange, const struct dn_model *model,
                       const struct dn_sample_request *request);
/* Is the cost so high that small requests go first (server/threads/turns.h)? */
bool cost_is_large(const struct dn_model *model, const struct dn_sample_request *request);
/* The same for n points, each of which costs `one` floating-point operations. */
bool cost_fits_for(struct http_exchange *exchange, int n, double one);
bool cost_is_large_for(int n, double one);

/* The memory for training with the store of this server (estimate_memory). */
int64_t cost_memory(struct http_exchange *exchange, const struct dn_spec *spec);
/* True if the memory for training (cost_memory) is within --max-training-memory, and its
 * checkpoints and model are within --max-database; otherwise the response is 422 too_large, which
 * gives the sizes and says how to reduce them. */
bool cost_training_fits(struct http_exchange *exchange, const struct dn_spec *spec, int64_t memory);

#endif
