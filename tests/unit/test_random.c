/* Philox against its published vectors, normals against a slow twin and against the normal
 * distribution. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"
#include "engine/denoise.h"

/* Random123's known-answer vectors for philox4x32 with 10 rounds (kat_vectors). */
Test(random, philox_matches_the_published_vectors) {
    static const struct {
        uint32_t counter[4], key[2], expected[4];
    } vectors[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        const uint32_t *c = vectors[i].counter, *k = vectors[i].key;
        uint32_t block[4];
        random_block((uint64_t)k[1] << 32 | k[0], (enum random_stream)c[3], c[2],
                     (uint64_t)c[1] << 32 | c[0], block);
        for (int j = 0; j < 4; j++)
            cr_assert_eq(block[j], vectors[i].expected[j], "vector %zu word %d: %08x", i, j,
                         block[j]);
    }
}

/* Element e of a sequence of normals, in double, straight from the definition in kernels.h. */
static double slow_normal(uint64_t seed, enum random_stream stream, uint32_t step, uint64_t e) {
    uint64_t group = e / NORMALS_GROUP, lanes = NORMALS_GROUP / 4;
    uint64_t word = e % NORMALS_GROUP / lanes, lane = e % lanes;
    uint32_t block[4];
    random_block(seed, stream, step, group * lanes + lane, block);
    uint64_t pair = word / 2 * 2;
    double u = (block[pair] & 0x7fffffff) * 0x1p-31 + 0x1p-32;
    double angle = (int32_t)block[pair + 1] * 0x1p-30 * M_PI / 2;
    return sqrt(-2 * log(u)) * (word % 2 == 0 ? cos(angle) : sin(angle));
}

Test(random, normals_match_a_slow_twin_in_every_variant) {
    for (size_t v = 0; kernels_built[v]; v++) {
        if (!kernels_supported(kernels_built[v]))
            continue;
        cr_assert_eq(dn_kernels_use(kernels_built[v]->name, NULL), DN_OK);
        float out[1000];
        for (uint32_t step = 0; step < 50; step++) {
            random_normals(kernels_get(), 12345, RANDOM_NOISE, step, 77, 1000, out);
            for (uint64_t i = 0; i < 1000; i++) {
                double expected = slow_normal(12345, RANDOM_NOISE, step, 77 + i);
                cr_assert_float_eq(out[i], expected, 2e-6 * (1 + fabs(expected)),
                                   "%s step %u element %lu: %.9g, not %.9g", kernels_built[v]->name,
                                   step, (unsigned long)i, (double)out[i], expected);
            }
        }
    }
}

Test(random, element_does_not_depend_on_the_range_it_is_drawn_in) {
    float whole[500], part[500];
    random_normals(kernels_get(), 3, RANDOM_START, 9, 0, 500, whole);
    for (uint64_t first = 0; first < 200; first += 7) {
        size_t n = 1 + (size_t)first % 150;
        random_normals(kernels_get(), 3, RANDOM_START, 9, first, n, part);
        for (size_t i = 0; i < n; i++)
            cr_assert_eq(part[i], whole[first + i]);
    }
    int32_t integers[100], one;
    random_integers(3, RANDOM_TIMESTEP, 9, 0, 100, 40, integers);
    for (uint64_t i = 0; i < 100; i++) {
        random_integers(3, RANDOM_TIMESTEP, 9, i, 1, 40, &one);
        cr_assert_eq(one, integers[i]);
    }
}

/* Moments of 2^20 normals within five standard errors; share beyond 2 and 3 deviations. */
Test(random, normals_have_the_moments_and_tails_of_a_normal) {
    enum { N = 1 << 20 };
    float *out = malloc(N * sizeof *out);
    random_normals(kernels_get(), 2022, RANDOM_NOISE, 1, 0, N, out);
    double sum = 0, squares = 0, cubes = 0, fourths = 0;
    int beyond2 = 0, beyond3 = 0;
    for (int i = 0; i < N; i++) {
        double x = (double)out[i];
        sum += x;
        squares += x * x;
        cubes += x * x * x;
        fourths += x * x * x * x;
        beyond2 += fabs(x) > 2;
        beyond3 += fabs(x) > 3;
    }
    free(out);
    double error = 5 / sqrt(N);
    cr_assert_float_eq(sum / N, 0, error);
    cr_assert_float_eq(squares / N, 1, error * sqrt(2));
    cr_assert_float_eq(cubes / N, 0, error * sqrt(15));
    cr_assert_float_eq(fourths / N, 3, error * sqrt(96));
    cr_assert_float_eq(beyond2 / (double)N, 0.0455003, 5 * sqrt(0.0455 / N));
    cr_assert_float_eq(beyond3 / (double)N, 0.0026998, 5 * sqrt(0.0027 / N));
}

Test(random, permutation_is_one_and_is_uniform) {
    enum { N = 1000 };
    int32_t order[N], seen[N] = {0};
    random_permutation(5, 3, N, order);
    for (int i = 0; i < N; i++)
        seen[order[i]]++;
    for (int i = 0; i < N; i++)
        cr_assert_eq(seen[i], 1);
    int counts[6] = {0}; /* of the 3! orders */
    for (uint32_t epoch = 0; epoch < 6000; epoch++) {
        int32_t three[3];
        random_permutation(5, epoch, 3, three);
        counts[three[0] * 2 + (three[1] > three[2])]++;
    }
    for (int i = 0; i < 6; i++)
        cr_assert(abs(counts[i] - 1000) < 150, "order %d came %d times in 6000", i, counts[i]);
}

Test(random, integers_are_uniform_over_the_range) {
    enum { N = 40000, RANGE = 40 };
    int32_t values[N];
    int counts[RANGE] = {0};
    random_integers(1, RANDOM_TIMESTEP, 0, 0, N, RANGE, values);
    for (int i = 0; i < N; i++) {
        cr_assert(values[i] >= 0 && values[i] < RANGE);
        counts[values[i]]++;
    }
    double chi2 = 0;
    for (int i = 0; i < RANGE; i++)
        chi2 += pow(counts[i] - N / RANGE, 2) / (N / RANGE);
    cr_assert_lt(chi2, 80, "chi-squared with 39 degrees of freedom: %g", chi2);
}
