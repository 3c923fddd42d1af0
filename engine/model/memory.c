/*
 * memory.c - the cost of training, in memory and arithmetic, before it starts.
 */
#include "engine/model/memory.h"

#include <math.h>

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
                                   spec->training.normalization == DN_QUANTILE);
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

double dn_spec_step_flops(const struct dn_spec *spec) {
    size_t n, n_val;
    data_count(spec, &n, &n_val);
    struct network network;
    network_layout(&network, spec);
    const double batch = spec->training.batch_size, rows = batch < (double)n ? batch : (double)n;
    const double H = spec->network.hidden_size, L = spec->network.hidden_layers;
    const double outputs = network.outputs, T = spec->diffusion.timesteps;
    const double first = network.inputs * H, rest = (L - 1) * H * H + H * outputs;
    /* One product forward, one for the gradient of the weights, and in all layers but the first
     * one for the gradient of the inputs. */
    const double dense = rows * (2 * first + 3 * rest);
    /* The expected number of distinct t in a batch that draws them uniformly. The dense layer on
     * the sinusoid needs no gradient of its inputs. */
    const double distinct = T * (1 - pow(1 - 1 / T, rows));
    const bool sinusoidal = spec->network.time_embedding == DN_SINUSOIDAL;
    return 2 * (dense + (sinusoidal ? 2 * distinct * L * H * H : 0));
}
