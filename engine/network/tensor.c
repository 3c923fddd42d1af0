#include "engine/network/tensor.h"

#include "engine/base/random.h"

void tensor_uniform(const struct tensor *tensor, uint64_t seed, uint32_t number, bool stored_by_out,
                    double limit, float *p) {
    const int rows = tensor_rows(tensor);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < tensor->cols; j++) {
            int index = stored_by_out ? j * rows + i : i * tensor->cols + j;
            double u = random_uniform(seed, RANDOM_WEIGHTS, number, (uint64_t)index);
            p[tensor_row(tensor, i) + (size_t)j] = (float)((2 * u - 1) * limit);
        }
}

void tensor_normal(const struct kernels *kernels, const struct tensor *tensor, uint64_t seed,
                   uint32_t number, float *p) {
    for (int i = 0; i < tensor_rows(tensor); i++)
        random_normals(kernels, seed, RANDOM_WEIGHTS, number, (uint64_t)i * (uint64_t)tensor->cols,
                       (size_t)tensor->cols, p + tensor_row(tensor, i));
}

void tensor_affine(const struct tensor *tensor, float factor, float constant, float *p) {
    for (int i = 0; i < tensor_rows(tensor); i++)
        for (int j = 0; j < tensor->cols; j++) {
            float *value = &p[tensor_row(tensor, i) + (size_t)j];
            *value = factor * *value + constant;
        }
}
