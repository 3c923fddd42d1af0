#include "server/id.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

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

void clock_format(int64_t ms, char text[CLOCK_TEXT]) {
    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    char day[20];
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text, CLOCK_TEXT, "%.19s.%03uZ", day, (unsigned)(ms % 1000) % 1000U);
}

/* 48 bits of milliseconds, then 12 bits that count within one millisecond (RFC 9562, 6.2 method 1),
 * then 62 random bits. */
void id_new(char id[STORE_ID_LENGTH + 1]) {
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static uint64_t last; /* milliseconds << 12 | counter */

    pthread_mutex_lock(&mutex);
    uint64_t stamp = (uint64_t)clock_now_ms() << 12;
    stamp = stamp > last ? stamp : last + 1;
    last = stamp;
    pthread_mutex_unlock(&mutex);

    uint64_t random = 0;
    while (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        ; /* only a signal can interrupt eight bytes */
    uint64_t ms = stamp >> 12;
    snprintf(id, STORE_ID_LENGTH + 1, "%08x-%04x-7%03x-%04x-%012llx",
             (unsigned)((ms >> 16) & 0xffffffff), (unsigned)(ms & 0xffff),
             (unsigned)(stamp & 0xfff), (unsigned)(0x8000 | ((random >> 48) & 0x3fff)),
             (unsigned long long)(random & 0xffffffffffff));
}

bool id_valid(const char *text) {
    for (int i = 0; i < STORE_ID_LENGTH; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        char c = text[i];
        if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return text[STORE_ID_LENGTH] == '\0';
}
