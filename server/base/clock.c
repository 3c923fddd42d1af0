#include "server/base/clock.h"

#include <stdio.h>

int64_t clock_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

double clock_monotonic(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

struct timespec clock_after(double seconds) {
    struct timespec then;
    clock_gettime(CLOCK_MONOTONIC, &then);
    const int64_t ns = then.tv_nsec + (int64_t)(seconds * 1e9);
    then.tv_sec += ns / 1000000000;
    then.tv_nsec = ns % 1000000000;
    return then;
}

void clock_format(int64_t ms, char text[CLOCK_TEXT]) {
    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    char day[20];
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text, CLOCK_TEXT, "%.19s.%03uZ", day, (unsigned)(ms % 1000) % 1000U);
}
