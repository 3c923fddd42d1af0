/*
 * estimate.h - what a training takes in this server, before it is begun.
 */
#ifndef SERVER_JOBS_ESTIMATE_H
#define SERVER_JOBS_ESTIMATE_H

#include "engine/denoise.h"

/* An upper bound of the bytes that a job with this checked spec holds while it is loaded and
 * trained: what the engine takes (dn_spec_memory), and what the worker has beside it. */
int64_t estimate_memory(const struct dn_spec *spec);

/* Seconds that a training takes on cores of its own, as far as its arithmetic goes: within a factor
 * of two. Follows from how fast this machine takes the steps of a few small trainings, which the
 * first call measures: some 0.2 s, so not on a thread that others wait for unless
 * estimate_is_quick(). NAN: there was no memory for that. */
double estimate_seconds(const struct dn_spec *spec);
bool estimate_is_quick(void);

#endif
