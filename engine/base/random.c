/*
 * random.c - Philox, and the numbers made from it. Whole groups of normals are a kernel
 * (kernels_impl.c).
 */
#include "engine/base/random.h"

#include <string.h>

#include "engine/base/kernels.h"

void random_block(uint64_t seed, enum random_stream stream, uint32_t step, uint64_t index,
                  uint32_t block[4]) {
    uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32), c2 = step, c3 = (uint32_t)stream;
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)PHILOX_M0 * c0, p1 = (uint64_t)PHILOX_M1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += PHILOX_W0;
        k1 += PHILOX_W1;
    }
    block[0] = c0;
    block[1] = c1;
    block[2] = c2;
    block[3] = c3;
}

double random_uniform(uint64_t seed, enum random_stream stream, uint32_t step, uint64_t index) {
    uint32_t block[4];
    random_block(seed, stream, step, index, block);
    uint64_t bits = (uint64_t)block[0] << 32 | block[1];
    return (double)(bits >> 11) * 0x1p-53;
}

void random_integers(uint64_t seed, enum random_stream stream, uint32_t step, uint64_t first,
                     size_t n, uint32_t range, int32_t *out) {
    uint32_t block[4];
    for (size_t i = 0; i < n; i++) {
        uint64_t number = first + i;
        if (i == 0 || number % 4 == 0)
            random_block(seed, stream, step, number / 4, block);
        out[i] = (int32_t)((uint64_t)block[number % 4] * range >> 32);
    }
}

void random_normals(const struct kernels *kernels, uint64_t seed, enum random_stream stream,
                    uint32_t step, uint64_t first, size_t n, float *out) {
    float group[NORMALS_GROUP];
    while (n > 0) {
        uint64_t index = first / NORMALS_GROUP;
        size_t offset = (size_t)(first % NORMALS_GROUP);
        size_t take = NORMALS_GROUP - offset;
        if (take > n)
            take = n;
        if (take == NORMALS_GROUP) {
            kernels->normals(seed, (uint32_t)stream, step, index, out);
        } else {
            kernels->normals(seed, (uint32_t)stream, step, index, group);
            memcpy(out, group + offset, take * sizeof *out);
        }
        out += take;
        first += take;
        n -= take;
    }
}

void random_permutation(uint64_t seed, uint32_t epoch, int32_t n, int32_t *out) {
    uint32_t block[4];
    for (int32_t i = 0; i < n; i++) {
        if (i % 4 == 0)
            random_block(seed, RANDOM_SHUFFLE, epoch, (uint64_t)i / 4, block);
        /* inside-out: item i goes to a random place among 0..i */
        int32_t j = (int32_t)((uint64_t)block[i % 4] * (uint32_t)(i + 1) >> 32);
        out[i] = out[j];
        out[j] = i;
    }
}
