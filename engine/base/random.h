/*
 * random.h - counter-based randomness: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers:
 * as easy as 1, 2, 3").
 *
 * There is no generator state. Every random number has an address (seed, stream, step, index), so
 * it can be made at any time, in any order, on any thread, and resumed training uses the same
 * numbers as uninterrupted training.
 */
#ifndef ENGINE_BASE_RANDOM_H
#define ENGINE_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct kernels; /* kernels.h */

/* What the numbers are used for. The values are part of the meaning of a seed: never renumber
 * them. */
enum random_stream {
    RANDOM_DATA = 1,     /* parameters of pattern points */
    RANDOM_WEIGHTS = 2,  /* initial weights; step = number of the tensor */
    RANDOM_SHUFFLE = 3,  /* step = epoch */
    RANDOM_TIMESTEP = 4, /* t of each point in a batch; step = training step */
    RANDOM_NOISE = 5,    /* eps of each coordinate in a batch; step = training step */
    RANDOM_VALIDATION_TIMESTEP = 6,
    RANDOM_VALIDATION_NOISE = 7,
    RANDOM_START = 8,   /* x_T of a sample */
    RANDOM_REVERSE = 9, /* fresh noise of a sampler; step = t */
    RANDOM_CLASS = 10,  /* by frequency: step 0, of the first sample; 1, one in place of another */
    RANDOM_DIGIT = 11,  /* a drawn digit; step = which numbers of the image */
    RANDOM_LABEL = 20,  /* whether a point's label is hidden; step = training step */
    RANDOM_VALIDATION_LABEL = 21,
    RANDOM_RANK = 22, /* place of a cell in the interval of its value; step = epoch */
    RANDOM_VALIDATION_RANK = 23,
    RANDOM_GIVEN = 24, /* coordinates that a point shows; step = training step */
    RANDOM_VALIDATION_GIVEN = 25,
    RANDOM_FORWARD = 30,     /* noise of the forward process; step = t */
    RANDOM_DIRECTION = 31,   /* projection directions; step = index of the direction */
    RANDOM_EVALUATION = 32,  /* noised points of dn_denoising_loss */
    RANDOM_UNCERTAINTY = 33, /* noised points of uncertainty_measure; step = 2 node, + 1 */
    RANDOM_JUDGE = 34,       /* initial weights of a judge; step = number of the tensor */
};

/* The block of four 32-bit words at an address. Key = seed, counter = (index low, index high, step,
 * stream). */
void random_block(uint64_t seed, enum random_stream stream, uint32_t step, uint64_t index,
                  uint32_t block[4]);

/* Uniform in [0, 1), 53 bits, from the first two words of a block. */
double random_uniform(uint64_t seed, enum random_stream stream, uint32_t step, uint64_t index);

/* out[i] uniform in 0..range-1 for i < n; the numbers first..first+n-1 of this stream and step.
 * Four to a block. */
void random_integers(uint64_t seed, enum random_stream stream, uint32_t step, uint64_t first,
                     size_t n, uint32_t range, int32_t *out);

/* Elements first..first+n-1 of an endless sequence of N(0, 1). Element e does not depend on first
 * or n, but its last bits depend on the variant of the kernels. */
void random_normals(const struct kernels *kernels, uint64_t seed, enum random_stream stream,
                    uint32_t step, uint64_t first, size_t n, float *out);

/* A permutation of 0..n-1 (Fisher-Yates). No epoch has the number RANDOM_EPOCH_SPLIT: that one
 * decides which points of an uploaded set are held out. */
#define RANDOM_EPOCH_SPLIT UINT32_MAX
void random_permutation(uint64_t seed, uint32_t epoch, int32_t n, int32_t *out);

#endif
