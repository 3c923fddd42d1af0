/* How long a thread that many clients share computes at a time. */
#include <stdio.h>
#include <time.h>

#include "server/base/fault.h"
#include "server/base/log.h"

static const double most_seconds = 0.01;

double fault_thread_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void fault_stay_over(double began, const char *what, const char *method, const char *route) {
    const double seconds = fault_thread_seconds() - began;
    if (seconds > most_seconds)
        log_line(LOG_ERROR, "a stay on the event loop", "ms=%.1f what=%s method=%s route=%s",
                 1e3 * seconds, what, method, route);
}
