/*
 * clock.h - the current time, for people and for durations. Machines that share a database go by the
 * clock of that, so that times of several are comparable, and one that is wrong harms nothing.
 */
#ifndef SERVER_BASE_CLOCK_H
#define SERVER_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

int64_t clock_now_ms(void); /* milliseconds since 1970, by the clock that is followed, or else */
int64_t clock_machine_ms(void); /* by the machine's, CLOCK_REALTIME: for people */
double clock_monotonic(void);   /* seconds: for durations */
/* From now on, follows another clock: asked at this monotonic time, it has told these milliseconds since
 * 1970, and the answer has just arrived. As long as the time that is known here may be the other's, by
 * what the question and the answer took, nothing changes. */
void clock_follow(double asked, int64_t told_ms);
/* The time in this number of seconds, for pthread_cond_clockwait with CLOCK_MONOTONIC. */
struct timespec clock_after(double seconds);
enum { CLOCK_TEXT = 25 };
void clock_format(int64_t ms, char text[CLOCK_TEXT]); /* RFC 3339, UTC, with milliseconds */

#endif
