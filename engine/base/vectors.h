/*
 * vectors.h - vectors of floats, as wide as those of the machine, and functions of them.
 *
 * Only kernels_impl.c includes it, once for each instruction set. Wider vectors than the machine has
 * are split by the compiler into something very slow, so the width is the native one.
 */
#ifndef ENGINE_BASE_VECTORS_H
#define ENGINE_BASE_VECTORS_H

#include <stdint.h>

/* W floats to a vector. */
#if defined(__AVX512F__)
enum { W = 16 };
#elif defined(__AVX2__)
enum { W = 8 };
#else
enum { W = 4 };
#endif

#define INLINE inline __attribute__((always_inline))

/* Before a loop whose number of rounds is a constant, at the latest where its function is inlined: the
 * vectors of an array that it goes through can then stay in registers. No such loop has more than 16. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

typedef float vector __attribute__((vector_size(W * 4), aligned(4), may_alias));
typedef int32_t ivector __attribute__((vector_size(W * 4), aligned(4), may_alias));
typedef uint32_t uvector __attribute__((vector_size(W * 4), aligned(4), may_alias));
typedef uint64_t uvector2 __attribute__((vector_size(W * 4), aligned(4), may_alias)); /* W / 2 */

static INLINE vector load(const float *p) {
    return *(const vector *)p;
}
static INLINE void store(float *p, vector v) {
    *(vector *)p = v;
}
static INLINE vector splat(float x) {
    return x - (vector){0};
}

/* What C has no operator for: one instruction each. */
#if defined(__AVX512F__)
#define VECTOR_OF(name, ...) (vector) _mm512_##name##_ps(__VA_ARGS__)
#elif defined(__AVX2__)
#define VECTOR_OF(name, ...) (vector) _mm256_##name##_ps(__VA_ARGS__)
#elif defined(__x86_64__)
#define VECTOR_OF(name, ...) (vector) _mm_##name##_ps(__VA_ARGS__)
#endif
#if defined(__x86_64__)
static INLINE vector vector_min(vector a, vector b) {
    return VECTOR_OF(min, a, b);
}
static INLINE vector vector_max(vector a, vector b) {
    return VECTOR_OF(max, a, b);
}
static INLINE vector vector_sqrt(vector x) {
    return VECTOR_OF(sqrt, x);
}
#elif defined(__aarch64__)
static INLINE vector vector_min(vector a, vector b) {
    return (vector)vminnmq_f32((float32x4_t)a, (float32x4_t)b);
}
static INLINE vector vector_max(vector a, vector b) {
    return (vector)vmaxnmq_f32((float32x4_t)a, (float32x4_t)b);
}
static INLINE vector vector_sqrt(vector x) {
    return (vector)vsqrtq_f32((float32x4_t)x);
}
#else
static INLINE vector vector_min(vector a, vector b) {
    for (int i = 0; i < W; i++)
        a[i] = b[i] < a[i] ? b[i] : a[i];
    return a;
}
static INLINE vector vector_max(vector a, vector b) {
    for (int i = 0; i < W; i++)
        a[i] = b[i] > a[i] ? b[i] : a[i];
    return a;
}
static INLINE vector vector_sqrt(vector x) {
    for (int i = 0; i < W; i++)
        x[i] = __builtin_sqrtf(x[i]);
    return x;
}
#endif

/* The products of the low half of each pair of words with a factor. */
static INLINE uvector2 products_of_low(uvector words, uint32_t factor) {
#if defined(__AVX512F__)
    return (uvector2)_mm512_mul_epu32((__m512i)words, _mm512_set1_epi32((int)factor));
#elif defined(__AVX2__)
    return (uvector2)_mm256_mul_epu32((__m256i)words, _mm256_set1_epi32((int)factor));
#elif defined(__x86_64__)
    return (uvector2)_mm_mul_epu32((__m128i)words, _mm_set1_epi32((int)factor));
#else
    return ((uvector2)words & 0xffffffffu) * factor;
#endif
}

/* Has a vector computed here rather than where it is used, which would undo an order that suits the CPU. */
#if defined(__aarch64__)
#define IN_VECTOR(v) __asm__("" : "+w"(v))
#elif defined(__x86_64__)
#define IN_VECTOR(v) __asm__("" : "+v"(v))
#else
#define IN_VECTOR(v)
#endif

static INLINE vector choose(ivector mask, vector yes, vector no) {
    return (vector)((mask & (ivector)yes) | (~mask & (ivector)no));
}

/* The polynomials below are minimax fits of our own in the named intervals; the tests hold them
 * against libm. */

/* Vectors that are computed side by side: each has to wait for its own results, and a CPU does not look far
 * enough ahead to begin with another one. */
enum { ABREAST = 6 };
#define FOR_EACH(i, count)                                                                         \
    UNROLL                                                                                         \
    for (size_t i = 0; i < (count); i++)

/* e^-x, |x| clamped to 87, of up to ABREAST vectors. e^-x = 2^n 2^f with n + f = -x / ln 2; p approximates
 * 2^f. The relative error grows with |x| (1e-7 each). */
static INLINE void vectors_exp_minus(const size_t count, vector *x) {
    static const float factors[] = {0x1.3d0c5cp-7f, 0x1.c6b6e6p-5f, 0x1.ebf918p-3f, 0x1.62e428p-1f,
                                    0x1.000002p0f};
    const vector shifter = splat(0x1.8p23f); /* adding it rounds to an integer in the low bits */
    vector shifted[ABREAST], f[ABREAST], p[ABREAST];
    FOR_EACH(i, count) {
        x[i] = vector_max(splat(-87.0f), vector_min(splat(87.0f), x[i])); /* this order keeps NaN */
    }
    FOR_EACH(i, count) {
        shifted[i] = x[i] * -0x1.715476p0f + shifter;
        IN_VECTOR(shifted[i]);
    }
    FOR_EACH(i, count) {
        f[i] = x[i] * -0x1.715476p0f - (shifted[i] - shifter);
        IN_VECTOR(f[i]);
    }
    FOR_EACH(i, count) {
        p[i] = splat(0x1.5c08f6p-10f);
    }
    UNROLL
    for (size_t k = 0; k < 5; k++)
        FOR_EACH(i, count) {
            p[i] = p[i] * f[i] + factors[k];
            IN_VECTOR(p[i]);
        }
    FOR_EACH(i, count) {
        x[i] = (vector)((ivector)p[i] + ((ivector)shifted[i] << 23));
    }
}

static INLINE vector vector_exp_minus(vector x) {
    vectors_exp_minus(1, &x);
    return x;
}

/* 1 + e^-x, one over the sigmoid. The error of e^-x costs nothing: where it is large, 1 dominates, or
 * the result is next to nothing. */
static INLINE vector vector_one_plus_exp(vector x) {
    return 1.0f + vector_exp_minus(x);
}

/* The density of N(0, 1) at x, and the share beyond x, away from 0: Mills' ratio times the density, by
 * a polynomial in 1 / (1 + 0.3 |x|). The relative error of the ratio is at most 6e-7, with rounding, up
 * to |x| = 10.9, and that of the density is that of e^-x. Further out, the density stays as it is
 * there. */
static INLINE vector vector_normal(vector x, vector *beyond) {
    const vector size = vector_max(x, -x), t = 1.0f / (1.0f + 0.3f * size);
    const vector density =
        0.39894228f * vector_exp_minus(0.5f * vector_min(size * size, splat(120)));
    vector p = splat(0.0869922936f);
    p = p * t - 0.383983463f;
    p = p * t + 0.500042379f;
    p = p * t - 0.118880756f;
    p = p * t + 0.314060122f;
    p = p * t + 0.252891868f;
    p = p * t + 0.302300721f;
    p = p * t + 0.299890697f;
    *beyond = density * p * t;
    return density;
}

/* ln x for normal x. x = 2^n (1 + f) with 1 + f in [sqrt(1/2), sqrt 2); ln(1 + f) = 2 atanh(s). */
static INLINE vector vector_log(vector x) {
    ivector bits = (ivector)x;
    ivector exponent = (bits - 0x3f3504f3) >> 23; /* 0x3f3504f3 is sqrt(1/2) */
    vector f = (vector)(bits - (exponent << 23)) - 1.0f;
    vector n = __builtin_convertvector(exponent, vector);
    vector s = f / (2.0f + f);
    vector s2 = s * s;
    vector p = splat(0x1.32cf4cp-2f);
    p = p * s2 + 0x1.995458p-2f;
    p = p * s2 + 0x1.555588p-1f;
    return n * 0x1.62e43p-1f + (p * s2 * s + 2.0f * s);
}

/* sin and cos of x quarter turns (pi x / 2), for |x| <= 1/2. */
static INLINE vector vector_sin(vector x) {
    vector x2 = x * x;
    vector p = splat(-0x1.2dd046p-8f);
    p = p * x2 + 0x1.46603p-4f;
    p = p * x2 - 0x1.4abbcp-1f;
    return p * x2 * x + 0x1.921fb6p0f * x;
}
static INLINE vector vector_cos(vector x) {
    vector x2 = x * x;
    vector p = splat(0x1.d9f7bcp-11f);
    p = p * x2 - 0x1.55c664p-6f;
    p = p * x2 + 0x1.03c1dep-2f;
    p = p * x2 - 0x1.3bd3ccp0f;
    return p * x2 + 1.0f;
}

/* sin and cos of a whole number of quarter turns and a rest, of which |rest| <= 1/2. */
static INLINE void vector_turn(ivector quarter, vector rest, vector *sine, vector *cosine) {
    vector s = vector_sin(rest), c = vector_cos(rest);
    ivector swap = -(quarter & 1); /* all ones where sine and cosine change places */
    vector cosine_part = choose(swap, s, c), sine_part = choose(swap, c, s);
    ivector cosine_sign = ((quarter + 1) & 2) << 30, sine_sign = (quarter & 2) << 30;
    *cosine = (vector)((ivector)cosine_part ^ cosine_sign);
    *sine = (vector)((ivector)sine_part ^ sine_sign);
}

/* sin and cos of 3x. A quarter turn of 3x is pi / 6, in two parts: up to the limit, the number of
 * quarter turns has 11 bits and the first part 13, so that their product is exact (Cody and Waite
 * 1980). */
static INLINE void vector_sin_cos_3(vector x, vector *sine, vector *cosine) {
    const vector limit = splat(1000.0f), shifter = splat(0x1.8p23f);
    x = vector_max(-limit, vector_min(limit, x)); /* this order keeps NaN */
    vector shifted = x * 0x1.e8ec8ap0f + shifter;
    vector quarters = shifted - shifter;
    vector rest = x - quarters * 0x1.0c1p-1f;
    rest = rest - quarters * 0x1.48e0b6p-15f;
    vector_turn((ivector)shifted, rest * 0x1.e8ec8ap0f, sine, cosine);
}

#endif
