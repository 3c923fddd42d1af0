#include "server/base/counters.h"

#include <stdlib.h>
#include <string.h>

const double counters_fast[] = {1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1, 3, 10};
const double counters_slow[] = {0.01, 0.1, 1, 3, 10, 30, 60, 300, 900, 1800, 3600, 10800, 86400};
const int counters_statuses[] = {200, 201, 202, 204, 206, 304, 400, 401, 403, 404, 405, 406, 409,
                                 410, 413, 415, 416, 417, 421, 422, 429, 500, 501, 503, 507, 0};

const char *const counters_endings[] = {"succeeded", "failed", "cancelled"};

static struct counters counters;

bool counters_start(size_t route_count) {
    memset(&counters, 0, sizeof counters);
    counters.route_count = route_count;
    counters.routes = calloc(route_count + 1, sizeof *counters.routes);
    return counters.routes;
}

void counters_stop(void) {
    free(counters.routes);
    counters.routes = NULL;
}

const struct counters *counters_get(void) {
    return &counters;
}

static void add(atomic_ullong *counter, uint64_t count) {
    atomic_fetch_add_explicit(counter, count, memory_order_relaxed);
}

static void observe(struct histogram *histogram, const double bounds[COUNTERS_BOUNDS],
                    double seconds, uint64_t times) {
    int i = 0;
    while (i < COUNTERS_BOUNDS && seconds > bounds[i])
        i++;
    add(&histogram->counts[i], times);
    if (seconds > 0)
        add(&histogram->nanoseconds, (uint64_t)(1e9 * seconds * (double)times));
}

void counters_add_request(size_t route, int status, double seconds) {
    struct route_counter *counter = &counters.routes[route];
    int i = 0;
    while (counters_statuses[i] != 0 && counters_statuses[i] != status)
        i++;
    add(&counter->by_status[i], 1);
    observe(&counter->duration, counters_fast, seconds, 1);
}

void counters_add_transaction(double seconds) {
    observe(&counters.transaction, counters_fast, seconds, 1);
}

void counters_add_start(double waited) {
    observe(&counters.queue_wait, counters_slow, waited, 1);
}

void counters_add_steps(int64_t steps, int64_t examples, double seconds) {
    if (steps <= 0)
        return;
    add(&counters.steps, (uint64_t)steps);
    add(&counters.examples, (uint64_t)examples);
    observe(&counters.step, counters_fast, seconds / (double)steps, (uint64_t)steps);
}

void counters_add_endings(const char *status, int64_t jobs) {
    for (int i = 0; i < COUNTERS_ENDINGS && jobs > 0; i++)
        if (strcmp(status, counters_endings[i]) == 0)
            add(&counters.finished[i], (uint64_t)jobs);
}

void counters_add_look(void) {
    add(&counters.looks, 1);
}

void counters_add_late_look(void) {
    add(&counters.late_looks, 1);
}

void counters_add_late_events(int64_t events) {
    add(&counters.late_events, (unsigned long long)events);
}

void counters_add_samples(enum dn_sampler sampler, uint64_t points, double seconds) {
    add(&counters.samplers[sampler].points, points);
    observe(&counters.samplers[sampler].duration, counters_fast, seconds, 1);
}
