/* peak.h - processor time, and the most multiply-adds that a core can do in it. */
#ifndef BENCH_PEAK_H
#define BENCH_PEAK_H

#include <string.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "engine/denoise.h"

/* Processor time of this thread. */
static inline double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Twelve independent chains of multiply-adds, all in registers. FMA(a, x, y) is a * x + y. */
#define DEFINE_PEAK(NAME, VECTOR, FMA, ATTRIBUTE)                                                  \
    ATTRIBUTE static inline double NAME(long rounds) {                                             \
        VECTOR x = (VECTOR){0} + 0.999f, y = (VECTOR){0} + 1e-3f;                                  \
        VECTOR a = x + 1, b = x + 2, c = x + 3, d = x + 4, e = x + 5, f = x + 6;                   \
        VECTOR g = x + 7, h = x + 8, i = x + 9, j = x + 10, k = x + 11,                            \
               l = x + 12; /* all differ */                                                        \
        double began = now();                                                                      \
        for (long r = 0; r < rounds; r++) {                                                        \
            a = FMA(a, x, y), b = FMA(b, x, y), c = FMA(c, x, y), d = FMA(d, x, y);                \
            e = FMA(e, x, y), f = FMA(f, x, y), g = FMA(g, x, y), h = FMA(h, x, y);                \
            i = FMA(i, x, y), j = FMA(j, x, y), k = FMA(k, x, y), l = FMA(l, x, y);                \
        }                                                                                          \
        double seconds = now() - began;                                                            \
        a = a + b + c + d + e + f + g + h + i + j + k + l;                                         \
        volatile float keep = a[0];                                                                \
        (void)keep;                                                                                \
        return (double)rounds * 12 * 2 * (sizeof(VECTOR) / sizeof(float)) / seconds * 1e-9;        \
    }
#define MULTIPLY_ADD(a, x, y) ((a) * (x) + (y))
typedef float vector4 __attribute__((vector_size(16)));
#if defined(__x86_64__)
DEFINE_PEAK(peak_avx512, __m512, _mm512_fmadd_ps, __attribute__((target("avx512f"))))
DEFINE_PEAK(peak_avx2, __m256, _mm256_fmadd_ps, __attribute__((target("avx2,fma"))))
#endif
DEFINE_PEAK(peak_baseline, vector4, MULTIPLY_ADD, )

/* GFLOP/s of the chosen variant's instruction set on one core. */
static inline double peak(void) {
    const char *name = dn_kernels_name();
#if defined(__x86_64__)
    if (strcmp(name, "avx512") == 0)
        return peak_avx512(4000000);
    if (strcmp(name, "avx2") == 0)
        return peak_avx2(8000000);
#endif
    return peak_baseline(8000000);
}

#endif
