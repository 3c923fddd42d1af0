/* Steps of a training that take their time without a processor: for measures of many nodes. */
#include <stdlib.h>
#include <unistd.h>

#include "server/base/fault.h"

/* DENOISED_STEP_US: microseconds that each step sleeps. */
void fault_step(void) {
    const char *us = getenv("DENOISED_STEP_US");
    if (us)
        usleep((useconds_t)atoi(us));
}
