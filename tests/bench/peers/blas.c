/* Matrix products of the bench's shapes in OpenBLAS, beside ours, interleaved. */
#include <math.h>
#include <openblas-pthread/cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/base/kernels.h"

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(void) {
    static const int shapes[][3] = {{32, 32, 32}, {512, 128, 128}, {128, 128, 512}, {1000, 32, 32}};
    const struct kernels *kernels = kernels_get();
    openblas_set_num_threads(1);
    printf("kernels: ours %s, OpenBLAS %s (%s)\n", kernels->name, openblas_get_corename(),
           openblas_get_config());
    for (int s = 0; s < 4; s++) {
        const int m = shapes[s][0], n = shapes[s][1], k = shapes[s][2];
        float *a = floats_new((size_t)m * (size_t)k), *b = floats_new((size_t)k * (size_t)n);
        float *c = floats_new((size_t)m * (size_t)n);
        const double work = 2.0 * m * n * k;
        const int repeats = (int)(2e7 / work) + 1;
        double ours = INFINITY, theirs = INFINITY;
        for (int round = 0; round < 15; round++) {
            double began = now();
            for (int i = 0; i < repeats; i++)
                kernels->gemm((size_t)m, (size_t)n, (size_t)k, a, (size_t)k, 1, b, (size_t)n, c,
                              (size_t)n, NULL, false);
            ours = fmin(ours, now() - began);
            began = now();
            for (int i = 0; i < repeats; i++)
                cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, a, k, b, n, 0, c,
                            n);
            theirs = fmin(theirs, now() - began);
        }
        printf("matrix product %4d x %3d x %4d: ours %5.1f GFLOP/s, OpenBLAS %5.1f, ratio %.2f\n",
               m, n, k, work * repeats / ours * 1e-9, work * repeats / theirs * 1e-9,
               theirs / ours);
        free(a), free(b), free(c);
    }
    return 0;
}
