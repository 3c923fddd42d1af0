/*
 * memory.h - bytes that the parts of training allocate. The file that allocates them counts them.
 */
#ifndef ENGINE_MODEL_MEMORY_H
#define ENGINE_MODEL_MEMORY_H

#include "engine/network/network.h"

/* A trainer, without the data that it is made from. */
size_t trainer_bytes(const struct dn_spec *spec);

/* Memory of dn_evaluate with n points, without its model and data. */
size_t evaluate_bytes(const struct dn_spec *spec, const struct network *network, size_t n);

/* dn_sample of n points in all steps, with one label or none, not guided. */
size_t sample_bytes(const struct network *network, size_t n);

/* A metric between n and m points, except the Wasserstein ones and MMD. */
size_t pair_bytes(size_t n, size_t m, size_t dim);

#endif
