/*
 * kernels_impl.c - the kernels, written once with vector types and compiled for each instruction
 * set.
 *
 * The build defines KERNELS_VARIANT (avx512, avx2, neon, baseline) and the compiler flags that go
 * with it; the vector width (vectors.h) and the shape of the micro-kernel follow from those.
 *
 * Multiply-adds are fused where the instruction set can (-ffp-contract=fast), so results differ in
 * the last bits between variants, and are the same for one variant.
 */
#include <math.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/norm.h"
#include "engine/base/products.h"
#include "engine/base/tiles.h"
#include "engine/base/vectors.h"

/* ------------------------------------------------------------------ transpose */

/* Four rows of `from` become four columns of `to`. */
static INLINE void transpose_block(const float *from, size_t from_ld, float *to, size_t to_ld) {
    vector4 a = *(const vector4 *)from, b = *(const vector4 *)(from + from_ld);
    vector4 c = *(const vector4 *)(from + 2 * from_ld), d = *(const vector4 *)(from + 3 * from_ld);
    vector4 ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    vector4 ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    vector4 cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    vector4 cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    *(vector4 *)to = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
    *(vector4 *)(to + to_ld) = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
    *(vector4 *)(to + 2 * to_ld) = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
    *(vector4 *)(to + 3 * to_ld) = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
}

static void transpose(size_t rows, size_t cols, const float *from, size_t from_ld, float *to,
                      size_t to_ld) {
    size_t whole_rows = rows / 4 * 4, whole_cols = cols / 4 * 4;
    for (size_t j = 0; j < whole_cols; j += 4)
        for (size_t i = 0; i < whole_rows; i += 4)
            transpose_block(from + i * from_ld + j, from_ld, to + j * to_ld + i, to_ld);
    for (size_t j = 0; j < cols; j++)
        for (size_t i = j < whole_cols ? whole_rows : 0; i < rows; i++)
            to[j * to_ld + i] = from[i * from_ld + j];
}

/* ------------------------------------------------------------------ activation */

/* `count` vectors, `apart` floats from one to the next; e has their embeddings from column j on. At each call
 * the compiler knows whether there are e and d, so the loops have no branches. */
static INLINE void activate_abreast(const size_t count, size_t apart, const float *z,
                                    const float *const *e, size_t j, bool multiply, float *h,
                                    float *d) {
    vector u[ABREAST], q[ABREAST];
    FOR_EACH(i, count) {
        u[i] = load(z + i * apart);
        if (e)
            u[i] = multiply ? u[i] * load(e[i] + j) : u[i] + load(e[i] + j);
        q[i] = u[i];
    }
    vectors_exp_minus(count, q);
    FOR_EACH(i, count) q[i] = 1.0f + q[i];
    if (!d) {
        FOR_EACH(i, count) store(h + i * apart, u[i] / q[i]);
        return;
    }
    FOR_EACH(i, count) {
        q[i] = 1.0f / q[i];
        IN_VECTOR(q[i]);
    }
    FOR_EACH(i, count) {
        const vector s = q[i], y = u[i] * s;
        store(h + i * apart, y);
        store(d + i * apart, s + y * (1.0f - s));
    }
}

static void activate_alone(size_t n, const float *z, float *h) {
    size_t j = 0;
    for (; j + ABREAST * W <= n; j += ABREAST * W)
        activate_abreast(ABREAST, W, z + j, NULL, 0, false, h + j, NULL);
    for (; j < n; j += W)
        activate_abreast(1, W, z + j, NULL, 0, false, h + j, NULL);
}

/* Rows are taken abreast, because they may have few vectors. */
static INLINE void activate_rows(size_t rows, size_t cols, const float *z, const float *e,
                                 const int32_t *slot, bool multiply, float *h, float *d) {
    enum { ROWS = 4 };
    const float *of[ROWS];
    size_t i = 0;
    for (; i + ROWS <= rows; i += ROWS) {
        for (size_t r = 0; r < ROWS; r++)
            of[r] = e + (size_t)slot[i + r] * cols;
        for (size_t j = 0, at = i * cols; j < cols; j += W, at += W)
            activate_abreast(ROWS, cols, z + at, of, j, multiply, h + at, d ? d + at : NULL);
    }
    for (; i < rows; i++) {
        of[0] = e + (size_t)slot[i] * cols;
        for (size_t j = 0, at = i * cols; j < cols; j += W, at += W)
            activate_abreast(1, cols, z + at, of, j, multiply, h + at, d ? d + at : NULL);
    }
}

static void activate(size_t rows, size_t cols, const float *z, const float *e, const int32_t *slot,
                     bool multiply, float *h, float *d) {
    if (!e)
        activate_alone(rows * cols, z, h);
    else if (!d)
        activate_rows(rows, cols, z, e, slot, multiply, h, NULL);
    else if (multiply)
        activate_rows(rows, cols, z, e, slot, true, h, d);
    else
        activate_rows(rows, cols, z, e, slot, false, h, d);
}

static void activate_backward(size_t rows, size_t cols, const float *g, float *d, float *z,
                              const float *e, const int32_t *slot, bool multiply) {
    for (size_t i = 0; i < rows; i++, g += cols, d += cols, z += cols) {
        const float *row = e + (size_t)slot[i] * cols;
        for (size_t j = 0; j < cols; j += W) {
            vector du = load(g + j) * load(d + j);
            if (multiply) {
                store(z + j, du * load(z + j));
                du = du * load(row + j);
            }
            store(d + j, du);
        }
    }
}

/* The last vector of a row's columns goes beyond them, into the next columns. Those are written
 * later: vectors go from the last to the first, and each goes through the columns from left to
 * right. */
static void fourier(size_t rows, size_t cols, int octaves, const float *x, float *out, size_t ld) {
    for (size_t i = 0; i < rows; i++, x += cols, out += ld) {
        memcpy(out, x, cols * sizeof *x);
        for (size_t j = octaves > 0 ? (cols + W - 1) / W * W : 0; j > 0;) {
            vector sine, cosine;
            float *to = out + (j -= W);
            vector_sin_cos_3(load(to), &sine, &cosine);
            for (int octave = 0; octave < octaves; octave++) {
                store(to += cols, sine);
                store(to += cols, cosine);
                const vector twice = sine + sine, before = cosine;
                cosine = 1.0f - twice * sine;
                sine = twice * before;
            }
        }
    }
}

/* The share of an interval low..high of N(0, 1), from the shares beyond its ends: the difference of two
 * small numbers where both ends are on one side, so that it has its digits however far out. */
static INLINE vector share_between(vector low, vector high, vector beyond_low, vector beyond_high) {
    const vector around = 1.0f - beyond_low - beyond_high;
    const vector left = choose(high <= 0.0f, beyond_high - beyond_low, around);
    return vector_max(splat(0), choose(low >= 0.0f, beyond_low - beyond_high, left));
}

/* Of each interval: its probability, and the integral of the standardized z over it, both times
 * exp(logit). What there is to know of the end of each comes first, in arrays of which the element
 * before an interval's is that of its start. The mean over an interval lies within it, whatever the
 * rounding. */
static INLINE void weigh_levels(size_t count, const int32_t *column, const float *ends,
                                const float *inner, const float *centers, float tightness,
                                const float *logits, float *shares, float *moments) {
    static const float FAR = 1e30f;
    float at[KERNELS_MAX_LEVELS + W + 1];
    float beyond_at[KERNELS_MAX_LEVELS + W + 1], density_at[KERNELS_MAX_LEVELS + W + 1];
    at[0] = beyond_at[0] = density_at[0] = 0;
    for (size_t k = 0; k < count; k += W) {
        float center[W];
        for (size_t lane = 0; lane < W; lane++)
            center[lane] = centers[column[k + lane]];
        const vector end = vector_min(splat(FAR), (load(ends + k) - load(center)) * tightness);
        vector beyond, density = vector_normal(end, &beyond);
        store(at + 1 + k, end);
        store(beyond_at + 1 + k, beyond);
        store(density_at + 1 + k, density);
    }
    for (size_t k = 0; k < count; k += W) {
        const vector logit = vector_max(splat(-KERNELS_MAX_LOGIT),
                                        vector_min(splat(KERNELS_MAX_LOGIT), load(logits + k)));
        const vector weight = vector_exp_minus(-logit), keep = load(inner + k);
        const vector low = keep * load(at + k) - (1 - keep) * FAR, high = load(at + 1 + k);
        const vector share =
            share_between(low, high, keep * load(beyond_at + k), load(beyond_at + 1 + k));
        const vector moment = keep * load(density_at + k) - load(density_at + 1 + k);
        store(shares + k, weight * share);
        store(moments + k, weight * vector_max(low * share, vector_min(high * share, moment)));
    }
}

static void levels(size_t dim, const int32_t *first, const int32_t *column, const float *ends,
                   const float *inner, const float *centers, float tightness, const float *logits,
                   float *means, float scale, float *rates) {
    float shares[KERNELS_MAX_LEVELS + W], moments[KERNELS_MAX_LEVELS + W];
    weigh_levels((size_t)first[dim], column, ends, inner, centers, tightness, logits, shares,
                 moments);
    for (size_t j = 0; j < dim; j++) {
        const int32_t start = first[j], end = first[j + 1];
        float sum = 0, moment = 0;
        if (end - start == 1) { /* the whole line */
            means[j] = 0;
            if (rates)
                rates[start] = 0;
            continue;
        }
        for (int32_t k = start; k < end; k++) {
            sum += shares[k];
            moment += moments[k];
        }
        const float inverse = 1 / sum, mean = moment * inverse, factor = scale * inverse;
        means[j] = mean;
        for (int32_t k = start; rates && k < end; k++)
            rates[k] = factor * (moments[k] - shares[k] * mean);
    }
}

/* The sums of `vectors` columns of vectors side by side, which hides the latency of an addition. */
static INLINE void sum_columns(const size_t vectors, size_t rows, size_t ld, const float *a,
                               float *sums) {
    vector sum[2];
    UNROLL
    for (size_t j = 0; j < vectors; j++)
        sum[j] = load(sums + j * W);
    for (; rows > 0; rows--, a += ld) {
        UNROLL
        for (size_t j = 0; j < vectors; j++)
            sum[j] += load(a + j * W);
    }
    UNROLL
    for (size_t j = 0; j < vectors; j++)
        store(sums + j * W, sum[j]);
}

static void column_sums(size_t rows, size_t cols, size_t ld, const float *a, float *sums) {
    size_t j = 0;
    for (; j + 2 * W <= cols; j += 2 * W)
        sum_columns(2, rows, ld, a + j, sums + j);
    if (j < cols)
        sum_columns(1, rows, ld, a + j, sums + j);
}

static void add_rows(size_t rows, size_t cols, size_t ld, const float *from, const int32_t *slot,
                     float *to) {
    for (size_t i = 0; i < rows; i++, from += ld) {
        float *row = to + (size_t)slot[i] * ld;
        for (size_t j = 0; j < cols; j += W)
            store(row + j, load(row + j) + load(from + j));
    }
}

static void turn(size_t pairs, size_t cols, size_t ld, const float *factors, const float *from,
                 float *to) {
    for (size_t p = 0; p < pairs; p++, from += 2 * ld, to += 2 * ld) {
        const float s = factors[2 * p], c = factors[2 * p + 1];
        for (size_t j = 0; j < cols; j += W) {
            const vector a = load(from + j), b = load(from + ld + j);
            store(to + j, s * a + c * b);
            store(to + ld + j, c * a - s * b);
        }
    }
}

static void butterfly(size_t rows, size_t cols, size_t ld, float *a, float *b) {
    for (size_t i = 0; i < rows; i++, a += ld, b += ld)
        for (size_t j = 0; j < cols; j += W) {
            const vector x = load(a + j), y = load(b + j);
            store(a + j, x + y);
            store(b + j, x - y);
        }
}

/* ------------------------------------------------------------------ optimizer */

/* Independent sums hide the latency of an addition. They are often added to a double, so that no
 * digits are lost. */
static double sum_squares(size_t n, const float *a) {
    enum { CHAINS = 4, RUN = 64 * CHAINS * W };
    double total = 0;
    while (n > 0) {
        vector sum[CHAINS] = {{0}};
        size_t run = n < RUN ? n : RUN, i = 0;
        for (; i + CHAINS * W <= run; i += CHAINS * W)
            for (size_t chain = 0; chain < CHAINS; chain++) {
                vector x = load(a + i + chain * W);
                sum[chain] += x * x;
            }
        for (; i < run; i += W)
            sum[0] += load(a + i) * load(a + i);
        vector all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
        for (int j = 0; j < W; j++)
            total += (double)all[j];
        a += run;
        n -= run;
    }
    return total;
}

/* At each call the compiler knows whether there is an average. */
static INLINE void adam_and_average(size_t n, float *parameters, const float *gradients, float *m,
                                    float *v, float *average, struct adam_step step) {
    const float rate = step.learning_rate * step.correction1;
    for (size_t i = 0; i < n; i += W) {
        vector g = load(gradients + i) * step.scale;
        vector first = load(m + i) + step.rate1 * (g - load(m + i));
        vector second = load(v + i) + step.rate2 * (g * g - load(v + i));
        vector denominator = vector_sqrt(second * step.correction2) + step.epsilon;
        vector next = load(parameters + i) * step.keep - rate * first / denominator;
        store(m + i, first);
        store(v + i, second);
        store(parameters + i, next);
        if (average)
            store(average + i, load(average + i) + step.follow * (next - load(average + i)));
    }
}

static void adam(size_t n, float *parameters, const float *gradients, float *m, float *v,
                 float *average, const struct adam_step *step) {
    if (average)
        adam_and_average(n, parameters, gradients, m, v, average, *step);
    else
        adam_and_average(n, parameters, gradients, m, v, NULL, *step);
}

/* ------------------------------------------------------------------ random normals */

enum { LANES = NORMALS_GROUP / 4 };

/* The halves of the 64-bit products of words with a factor: of the even words, and of the odd ones. */
static INLINE void multiply_words(uvector words, uint32_t factor, uvector *high, uvector *low) {
    const uvector2 lows = (uvector2){0} + 0xffffffffu, highs = ~lows;
    const uvector2 even = products_of_low(words, factor);
    const uvector2 odd = products_of_low((uvector)((uvector2)words >> 32), factor);
    *high = (uvector)(even >> 32 | (odd & highs));
    *low = (uvector)((even & lows) | odd << 32);
}

static void philox(uint64_t seed, uint32_t stream, uint32_t step, uint64_t group,
                   uint32_t words[4][LANES]) {
    for (size_t j = 0; j < LANES; j += W) {
        uvector c0, c1, c2 = (uvector){0} + step, c3 = (uvector){0} + stream;
        for (size_t lane = 0; lane < W; lane++) {
            const uint64_t index = group * LANES + j + lane;
            c0[lane] = (uint32_t)index;
            c1[lane] = (uint32_t)(index >> 32);
        }
        uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
        for (int round = 0; round < 10; round++, k0 += PHILOX_W0, k1 += PHILOX_W1) {
            uvector high0, low0, high1, low1;
            multiply_words(c0, PHILOX_M0, &high0, &low0);
            multiply_words(c2, PHILOX_M1, &high1, &low1);
            c0 = high1 ^ c1 ^ k0;
            c1 = low1;
            c2 = high0 ^ c3 ^ k1;
            c3 = low0;
        }
        const uvector results[4] = {c0, c1, c2, c3};
        for (int w = 0; w < 4; w++)
            *(uvector *)(words[w] + j) = results[w];
    }
}

/* Box-Muller on vectors of words: radius from the first, angle from the second. */
static INLINE void box_muller(ivector first, ivector second, float *cosine, float *sine) {
    /* (0, 1]: 31 bits, half a step up, so that the logarithm is finite */
    vector u = __builtin_convertvector(first & 0x7fffffff, vector) * 0x1p-31f + 0x1p-32f;
    vector radius = vector_sqrt(-2.0f * vector_log(u));
    /* the angle in quarter turns, in [-2, 2): a whole number of them and a rest in [-1/2, 1/2] */
    vector turns = __builtin_convertvector(second, vector) * 0x1p-30f;
    const vector shifter = splat(0x1.8p23f);
    vector shifted = turns + shifter;
    vector rest = turns - (shifted - shifter);
    vector s, c;
    vector_turn((ivector)shifted, rest, &s, &c);
    store(cosine, radius * c);
    store(sine, radius * s);
}

static void normals(uint64_t seed, uint32_t stream, uint32_t step, uint64_t group, float *out) {
    uint32_t words[4][LANES];
    philox(seed, stream, step, group, words);
    for (int pair = 0; pair < 4; pair += 2)
        for (int lane = 0; lane < LANES; lane += W)
            box_muller(*(const ivector *)(words[pair] + lane),
                       *(const ivector *)(words[pair + 1] + lane), out + pair * LANES + lane,
                       out + (pair + 1) * LANES + lane);
}

/* ------------------------------------------------------------------ normal scores */

static INLINE vector polynomial(const float *factors, vector x) {
    vector sum = splat(factors[0]);
    UNROLL
    for (int i = 1; i < 9; i++)
        sum = sum * x + factors[i];
    return sum;
}

/* Phi^-1 of the share `low`, given also `high` = 1 - low, because one of them is exact near each
 * end: sqrt(2) erf^-1(low - high) (Giles 2012, "Approximating the erfinv function"). */
static INLINE vector score(vector low, vector high) {
    static const float center[9] = {2.81022636e-08f,  3.43273939e-07f, -3.5233877e-06f,
                                    -4.39150654e-06f, 0.00021858087f,  -0.00125372503f,
                                    -0.00417768164f,  0.246640727f,    1.50140941f};
    static const float tail[9] = {-0.000200214257f, 0.000100950558f, 0.00134934322f,
                                  -0.00367342844f,  0.00573950773f,  -0.0076224613f,
                                  0.00943887047f,   1.00167406f,     2.83297682f};
    const vector w = -vector_log(4.0f * low * high), root = vector_sqrt(w);
    const ivector is_tail = w >= 5.0f;
    const vector factor =
        choose(is_tail, polynomial(tail, root - 3.0f), polynomial(center, w - 2.5f));
    return (float)M_SQRT2 * factor * (low - high);
}

static void scores(uint64_t seed, uint32_t stream, uint32_t step, uint64_t group,
                   const int32_t *below, const int32_t *count, float n, float scale, float *out) {
    uint32_t words[4][LANES];
    philox(seed, stream, step, group, words);
    for (int at = 0; at < NORMALS_GROUP; at += W) {
        const ivector word = *(const ivector *)(words[at / LANES] + at % LANES) & 0x7fffffff;
        const vector place = __builtin_convertvector(word, vector) * 0x1p-31f * 0.998f + 0.001f;
        const vector rest = /* 1 - place, without its rounding error */
            __builtin_convertvector(0x7fffffff - word, vector) * 0x1p-31f * 0.998f + 0.001f;
        const vector lower = __builtin_convertvector(*(const ivector *)(below + at), vector);
        const vector own = __builtin_convertvector(*(const ivector *)(count + at), vector);
        const vector low = (lower + own * place) / n;
        const vector high = ((n - lower - own) + own * rest) / n;
        store(out + at, scale * score(low, high));
    }
}

/* ------------------------------------------------------------------ the table */

#define JOIN2(a, b) a##b
#define JOIN(a, b)  JOIN2(a, b)
#define TEXT2(a)    #a
#define TEXT(a)     TEXT2(a)

extern const struct kernels JOIN(kernels_, KERNELS_VARIANT);
const struct kernels JOIN(kernels_, KERNELS_VARIANT) = {
    .name = TEXT(KERNELS_VARIANT),
    .panel = WIDEST,
    .gemm = gemm,
    .dots = dots,
    .add_products = add_products,
    .add_outer = add_outer,
    .transpose = transpose,
    .activate = activate,
    .activate_backward = activate_backward,
    .fourier = fourier,
    .levels = levels,
    .add_rows = add_rows,
    .turn = turn,
    .butterfly = butterfly,
    .column_sums = column_sums,
    .sum_squares = sum_squares,
    .adam = adam,
    .normals = normals,
    .scores = scores,
    .tiles_in = tiles_in,
    .tiles_in_backward = tiles_in_backward,
    .tiles_out = tiles_out,
    .tiles_out_backward = tiles_out_backward,
    .norm = norm,
    .norm_backward = norm_backward,
};
