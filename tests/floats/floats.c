/* Writes each of the 2^32 floats and reads it back. usage: floats [THREADS]
 * (A check of minutes, so `make test` leaves it out; `make test-floats` runs it.) */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/format/number.h"

enum { PARTS = 4096, MAX_THREADS = 64 }; /* a part: 2^20 bit patterns */

static atomic_int next_part;
static atomic_llong checked, wrong;
static atomic_llong lengths[FLOAT_TEXT + 1];

static void check(uint32_t bits, long long counts[FLOAT_TEXT + 1]) {
    char text[FLOAT_TEXT + 1], *end;
    float x;
    uint32_t again_bits;
    memcpy(&x, &bits, sizeof x);
    const size_t length = float_text(text, x);
    text[length] = '\0';
    const float again = strtof(text, &end);
    memcpy(&again_bits, &again, sizeof again_bits);
    if (again_bits != bits || *end) {
        if (atomic_fetch_add(&wrong, 1) < 20)
            printf("0x%08x %.9g was written as %s\n", bits, (double)x, text);
    }
    counts[length]++;
}

static void *work(void *unused) {
    long long counts[FLOAT_TEXT + 1] = {0}, done = 0;
    for (int part; (part = atomic_fetch_add(&next_part, 1)) < PARTS;)
        for (uint32_t i = 0; i < UINT32_MAX / PARTS + 1; i++) {
            const uint32_t bits = (uint32_t)part * (UINT32_MAX / PARTS + 1) + i;
            if ((bits >> 23 & 0xff) == 0xff)
                continue; /* infinities and NaNs */
            check(bits, counts);
            done++;
        }
    for (int i = 0; i <= FLOAT_TEXT; i++)
        atomic_fetch_add(&lengths[i], counts[i]);
    atomic_fetch_add(&checked, done);
    return unused;
}

int main(int argc, char **argv) {
    const int threads = argc > 1 ? atoi(argv[1]) : 1;
    pthread_t thread[MAX_THREADS];
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < threads && i < MAX_THREADS; i++)
        if (pthread_create(&thread[i], NULL, work, NULL) != 0)
            return 2;
    for (int i = 0; i < threads && i < MAX_THREADS; i++)
        pthread_join(thread[i], NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    double bytes = 0;
    for (int i = 0; i <= FLOAT_TEXT; i++)
        bytes += (double)i * (double)lengths[i];
    printf("%lld floats, %.2f characters on average, %lld wrong, %.0f s\n", (long long)checked,
           bytes / (double)checked, (long long)wrong,
           (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec));
    return wrong > 0;
}
