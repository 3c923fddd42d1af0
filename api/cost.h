/*
 * cost.h - what drawing points costs, before it is done.
 */
#ifndef API_COST_H
#define API_COST_H

#include "engine/denoise.h"
#include "server/http.h"

/* Each point takes `evaluations` passes through the network, and a pass a multiplication and an
 * addition per parameter. True if that is within --max-sample-cost; else 422 too_expensive, which
 * says how many points would be, is the answer. */
bool cost_fits(struct http_exchange *exchange, const struct dn_model *model, int n,
               int evaluations);

#endif
