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
    const double T = spec->diffusion.timesteps;
    const int rows = step_rows(spec);
    return time_rows_in_pairs(&network, rows) ? T : T * (1 - pow(1 - 1 / T, rows));
}

/* What the first layer multiplies of a point, on average: its inputs, and of a given coordinate that
 * it is given, too. Half of the points are given a share of their coordinates, uniform in 0..1. */
static double first_inputs(const struct network *network) {
    return network->dim * (1 + 2 * network->octaves + (network->may_be_given ? 0.25 : 0));
}

double dn_spec_step_flops(const struct dn_spec *spec) {
    struct network network;
    network_layout(&network, spec);
    const int rows = step_rows(spec), T = spec->diffusion.timesteps;
    const double H = spec->network.hidden_size, L = spec->network.hidden_layers;
    const double outputs = network.outputs;
    const double first = first_inputs(&network) * H, rest = (L - 1) * H * H + H * outputs;
    /* One product forward, one for the gradient of the weights, and in all layers but the first
     * one for the gradient of the inputs. */
    const double dense = rows * (2 * first + 3 * rest);
    /* The dense layer on the sinusoid needs no gradient of its inputs. Two timesteps in a pair take
     * as long as one. */
    const bool in_pairs = time_rows_in_pairs(&network, rows);
    const int pairs = (T + 1) / 2;
    const double embedded = in_pairs ? pairs : dn_spec_step_timesteps(spec);
    const bool sinusoidal = spec->network.time_embedding == DN_SINUSOIDAL;
    return 2 * (dense + (sinusoidal ? 2 * embedded * L * H * H : 0));
}
