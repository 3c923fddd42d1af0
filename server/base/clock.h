/*
 * clock.h - the current time, for people and for durations.
 */
#ifndef SERVER_BASE_CLOCK_H
#define SERVER_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

int64_t clock_now_ms(void);   /* milliseconds since 1970, CLOCK_REALTIME: for people */
double clock_monotonic(void); /* seconds: for durations */
/* The time in this number of seconds, for pthread_cond_clockwait with CLOCK_MONOTONIC. */
struct timespec clock_after(double seconds);
enum { CLOCK_TEXT = 25 };
void clock_format(int64_t ms, char text[CLOCK_TEXT]); /* RFC 3339, UTC, with milliseconds */

#endif
