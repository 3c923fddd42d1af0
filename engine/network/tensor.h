/*
 * tensor.h - the tensors of a network: where they lie in its block of parameters, what they are
 * called outside, and how they start.
 */
#ifndef ENGINE_NETWORK_TENSOR_H
#define ENGINE_NETWORK_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kernels; /* kernels.h */

/* The shape of a tensor outside, compared with its matrix [rows][cols] inside. */
enum tensor_form {
    TENSOR_TABLE,  /* [rows][cols], as inside; with planes [rows][cols][2][2], as PyTorch's
                      ConvTranspose2d */
    TENSOR_VECTOR, /* [cols]; inside one row */
    TENSOR_LAYER,  /* [in][out] inside, and [out][in] outside, as PyTorch's Linear; if there are
                      planes [k k][in][out], then [out][in][k][k], as PyTorch's Conv2d */
};

/* A matrix in the parameter block, or several of one shape (planes). Rows are ld floats apart, planes
 * `plane` floats; what lies between is zero and stays so. */
struct tensor {
    size_t offset;
    int planes, rows, cols;
    size_t ld, plane;
    bool summed; /* its gradient is added to, and so must start from zero; else it is set */
    enum tensor_form form;
    char name[32];
};

/* The rows of all planes, and the place of such a row in the block. */
static inline int tensor_rows(const struct tensor *tensor) {
    return tensor->planes * tensor->rows;
}
static inline size_t tensor_row(const struct tensor *tensor, int row) {
    return tensor->offset + (size_t)(row / tensor->rows) * tensor->plane +
           (size_t)(row % tensor->rows) * tensor->ld;
}

/* Initial values, in the parameter block p. `number` tells the tensors of a seed apart. Uniform in
 * [-limit, limit]; the numbers are assigned by [in][out], also if the matrix is stored by out. */
void tensor_uniform(const struct tensor *tensor, uint64_t seed, uint32_t number, bool stored_by_out,
                    double limit, float *p);
/* N(0, 1). */
void tensor_normal(const struct kernels *kernels, const struct tensor *tensor, uint64_t seed,
                   uint32_t number, float *p);
/* The present values times a factor, plus a constant. */
void tensor_affine(const struct tensor *tensor, float factor, float constant, float *p);

#endif
