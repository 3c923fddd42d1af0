/*
 * memory.c - the cost of training, in memory and arithmetic, before it starts.
 */
#include "engine/model/memory.h"

#include "engine/data/data.h"
#include "engine/model/uncertainty.h"

/* The allocator rounds large blocks up to pages and adds a header to each; training has about 30 of
 * them at a time. */
enum { ALLOCATOR_BYTES = 256 << 10 };

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

int64_t dn_spec_memory(const struct dn_spec *spec) {
    struct network network;
    network_layout(&network, spec);
    const bool evaluates = spec->training.evaluate_every > 0;
    size_t n, n_val;
    data_count(spec, &n, &n_val);
    const size_t data = data_bytes(spec->dataset.dim, n + n_val, spec->dataset.classes,
                                   spec->dataset.height > 0                      ? DATA_PIXELS
                                   : spec->training.normalization == DN_QUANTILE ? DATA_VALUES
                                                                                 : DATA_POINTS);
    const size_t trainer = trainer_bytes(spec);
    const size_t drawing = data + data_deal_bytes(spec);
    const size_t making = data + trainer + uncertainty_bytes(&network);
    const size_t evaluating =
        evaluates ? data + trainer + model_memory(&network) + transform_bytes(spec, n) +
                        larger(uncertainty_bytes(&network),
                               evaluate_bytes(spec, &network, DN_EVALUATION_POINTS))
                  : 0;
    return (int64_t)(larger(drawing, larger(making, evaluating)) + ALLOCATOR_BYTES);
}

/* The points of a full batch. */
static int step_rows(const struct dn_spec *spec) {
    const size_t batch = (size_t)spec->training.batch_size;
    size_t n, n_val;
    data_count(spec, &n, &n_val);
    return (int)(batch < n ? batch : n);
}

double dn_spec_step_timesteps(const struct dn_spec *spec) {
    struct network network;
    network_layout(&network, spec);
    return network_step_timesteps(&network, step_rows(spec));
}

double dn_spec_step_flops(const struct dn_spec *spec) {
    struct network network;
    network_layout(&network, spec);
    return network_step_flops(&network, step_rows(spec));
}
