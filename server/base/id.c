#include "server/base/id.h"

#include <pthread.h>
#include <sys/random.h>

#include "server/base/clock.h"

/* Writes the last digits of value in base 16; returns the end. Every request has an id, and printf
 * would take as long as the rest of id_new. */
static char *put_hex(char *at, uint64_t value, int digits) {
    for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4)
        *at++ = "0123456789abcdef"[value >> shift & 15];
    return at;
}

/* 48 bits of milliseconds, then 12 bits that count within one millisecond (RFC 9562, 6.2 method 1),
 * then 62 random bits. */
void id_new(char id[ID_LENGTH + 1]) {
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static uint64_t last;     /* milliseconds << 12 | counter */
    static uint64_t pool[32]; /* random numbers: a system call for each would be slow */
    static size_t left;

    pthread_mutex_lock(&mutex);
    while (left == 0)
        if (getrandom(pool, sizeof pool, 0) == (ssize_t)sizeof pool) /* no signal interrupted it */
            left = sizeof pool / sizeof pool[0];
    const uint64_t random = pool[--left];
    uint64_t stamp = (uint64_t)clock_now_ms() << 12;
    stamp = stamp > last ? stamp : last + 1;
    last = stamp;
    pthread_mutex_unlock(&mutex);

    const uint64_t high = stamp >> 12 << 16 | 0x7000 | (stamp & 0xfff);
    const uint64_t low = (random & 0x3fffffffffffffff) | 0x8000000000000000;
    char *at = put_hex(id, high >> 32, 8);
    *at++ = '-';
    at = put_hex(at, high >> 16, 4);
    *at++ = '-';
    at = put_hex(at, high, 4);
    *at++ = '-';
    at = put_hex(at, low >> 48, 4);
    *at++ = '-';
    *put_hex(at, low, 12) = '\0';
}

bool id_valid(const char *text) {
    for (int i = 0; i < ID_LENGTH; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        char c = text[i];
        if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return text[ID_LENGTH] == '\0';
}
