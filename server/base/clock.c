#include "server/base/clock.h"

#include <stdatomic.h>
#include <stdio.h>

/* The clock that is followed minus the monotonic one, in milliseconds; 0: none is followed. So a
 * machine whose own clock is set, or jumps, changes nothing. */
static atomic_llong followed;

int64_t clock_machine_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

double clock_monotonic(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int64_t monotonic_ms(void) {
    return (int64_t)(1e3 * clock_monotonic());
}

int64_t clock_now_ms(void) {
    const long long ahead = atomic_load(&followed);
    return ahead ? ahead + monotonic_ms() : clock_machine_ms();
}

/* It was told_ms there at some moment between the question and now. */
void clock_follow(double asked, int64_t told_ms) {
    const int64_t now = monotonic_ms(), known = clock_now_ms() - now;
    const int64_t least = told_ms - now, most = told_ms - (int64_t)(1e3 * asked);
    atomic_store(&followed, known < least ? least : known > most ? most : known);
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
