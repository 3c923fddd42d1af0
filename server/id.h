/*
 * id.h - identifiers and the clock.
 */
#ifndef SERVER_ID_H
#define SERVER_ID_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "server/store.h"

/* A new UUIDv7 (RFC 9562): sortable by time, and ascending within this process. */
void id_new(char id[STORE_ID_LENGTH + 1]);
bool id_valid(const char *text); /* 36 characters, lower-case hex and dashes in the right places */

int64_t clock_now_ms(void);   /* CLOCK_REALTIME, for people */
double clock_monotonic(void); /* seconds, for durations */
/* So many seconds from now, for pthread_cond_clockwait with CLOCK_MONOTONIC. */
struct timespec clock_after(double seconds);
enum { CLOCK_TEXT = 25 };
void clock_format(int64_t ms, char text[CLOCK_TEXT]); /* RFC 3339 UTC with milliseconds */

#endif
