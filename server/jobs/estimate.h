/*
 * estimate.h - the memory and the time that a job will take in this server.
 */
#ifndef SERVER_JOBS_ESTIMATE_H
#define SERVER_JOBS_ESTIMATE_H

#include "engine/denoise.h"

/* An upper bound of the bytes for loading and training a job with this checked spec: those of the
 * engine (dn_spec_memory) and those of the worker. row_copies: see store_row_copies. */
int64_t estimate_memory(const struct dn_spec *spec, int row_copies);

/* The threads of a training. If the spec leaves them open (0), there are as many as cores, or fewer if
 * their memory is more than `limit`, in bytes. */
int estimate_threads(const struct dn_spec *spec, int row_copies, int64_t limit);

/* Seconds of computation for a job on idle cores, within a factor of two. The estimate comes from
 * the speed of a few small networks on this machine, which the first call measures in about 0.2 s:
 * do not call it on a thread that others wait for unless estimate_is_quick(). NAN: there was no
 * memory for the measurement, or it was stopped. */
double estimate_seconds(const struct dn_spec *spec, dn_stop_flag *stop);
bool estimate_is_quick(void);

#endif
