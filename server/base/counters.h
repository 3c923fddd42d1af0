/*
 * counters.h - what this process has done since it started, for /metrics.
 *
 * There is one set of counters for the process. Adding takes no lock, only a few relaxed atomic
 * operations, so values that are read together may differ by a request.
 */
#ifndef SERVER_BASE_COUNTERS_H
#define SERVER_BASE_COUNTERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/denoise.h"

enum { COUNTERS_BOUNDS = 13, COUNTERS_STATUSES = 26, COUNTERS_ENDINGS = 3 };

/* How often something took how long. */
struct histogram {
    atomic_ullong counts[COUNTERS_BOUNDS + 1]; /* up to each bound, and above the previous one */
    atomic_ullong nanoseconds;
};
extern const double counters_fast[COUNTERS_BOUNDS]; /* seconds, ascending: 10 us to 10 s */
extern const double counters_slow[COUNTERS_BOUNDS]; /* 10 ms to a day, for waiting */

struct route_counter {
    atomic_ullong by_status[COUNTERS_STATUSES];
    struct histogram duration; /* fast */
};
extern const int counters_statuses[COUNTERS_STATUSES]; /* the last one, 0, stands for any other */

extern const char *const counters_endings[COUNTERS_ENDINGS]; /* statuses of jobs */

struct sampler_counter {
    atomic_ullong points;
    struct histogram duration; /* fast */
};

struct counters {
    struct route_counter *routes; /* [route_count + 1]: the last is for requests without a route */
    size_t route_count;
    struct histogram transaction; /* fast: a group of writes, with its commit */
    struct histogram queue_wait;  /* slow: a job, from its creation to its first start */
    struct histogram step; /* fast: one training step; the mean of an epoch counts for each */
    atomic_ullong steps, examples;
    atomic_ullong finished[COUNTERS_ENDINGS];
    atomic_ullong looks; /* of requests that wait for a job, at its state in the store */
    /* With several processes on a database: looks for new events that found a transaction which takes
     * long, and events that became visible after a later one was told. */
    atomic_ullong late_looks, late_events;
    struct sampler_counter samplers[DN_SAMPLER_COUNT];
};

/* Before anything is counted. False when out of memory. */
bool counters_start(size_t route_count);
void counters_stop(void);
const struct counters *counters_get(void);

void counters_add_request(size_t route, int status, double seconds);
void counters_add_transaction(double seconds);
void counters_add_start(double waited); /* when a job's first attempt starts */
void counters_add_steps(int64_t steps, int64_t examples, double seconds);
/* Jobs with this status, which is one of the endings, or there are none. */
void counters_add_endings(const char *status, int64_t jobs);
void counters_add_look(void);
void counters_add_late_look(void);
void counters_add_late_events(int64_t events);
void counters_add_samples(enum dn_sampler sampler, uint64_t points, double seconds);

#endif
