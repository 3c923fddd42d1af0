/* The trace of a network's Jacobian, which log-densities need, against differences. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"
#include "engine/network/jacobian.h"
#include "engine/network/levels.h"

/* The network's outputs [n][dim] at points x. */
struct net {
    struct network network;
    float *parameters;
    struct time_rows times;
    struct workspace workspace;
    struct jacobian jacobian;
};

/* Every other coordinate has three values, at a noise that is neither small nor large. */
static void set_levels(struct network *network) {
    int counts[DN_MAX_DIM];
    float ends[DN_MAX_DIM * 3];
    struct levels_step steps[DN_MAX_TIMESTEPS + 1];
    for (int t = 0; t <= network->timesteps; t++)
        steps[t] =
            (struct levels_step){.center = 1.2f, .tightness = 1.5f, .of_x = 0.7f, .of_x_0 = 1.3f};
    for (int j = 0, q = 0; j < network->dim; j++) {
        counts[j] = j % 2 == 0 ? 3 : 1;
        for (int k = 0; k < counts[j]; k++)
            ends[q++] = k + 1 < counts[j] ? (float)k - 0.4f : 1e30f;
    }
    cr_assert_eq(levels_set(network, 0.5f, counts, ends, steps, NULL), DN_OK);
}

static void check_trace(const struct dn_spec *spec, int label) {
    enum { N = 3 };
    struct net net;
    const size_t dim = (size_t)spec->dataset.dim;
    static float x[N * DN_MAX_DIM], moved[N * DN_MAX_DIM];
    int32_t t = 7, slot, slots[N] = {0};
    double traces[N];
    cr_assert_eq(network_init(&net.network, spec, kernels_get(), NULL), DN_OK);
    const struct network *network = &net.network;
    net.parameters = floats_new(network->size);
    network_draw_weights(network, 3, net.parameters);
    cr_assert_eq(time_rows_init(&net.times, network, 1, 0, NULL), DN_OK);
    cr_assert_eq(workspace_init(&net.workspace, network, N, true, NULL), DN_OK);
    cr_assert_eq(jacobian_init(&net.jacobian, network, N, NULL), DN_OK);
    random_normals(kernels_get(), 1, RANDOM_START, 0, 0, N * dim, x);
    if (network->mlp.outputs > network->dim)
        set_levels(&net.network);
    time_rows_set(&net.times, network, net.parameters, &t, network->classes ? &label : NULL, 1,
                  &slot);
    network_forward(network, net.parameters, &net.times, &net.workspace, x, NULL, slots, true, 0,
                    N);
    jacobian_trace(&net.jacobian, network, net.parameters, &net.times, &net.workspace, x, slots, N,
                   traces);
    double differences[N] = {0}, size = 0;
    const float step = 1e-2f;
    for (size_t j = 0; j < dim; j++)
        for (int side = -1; side <= 1; side += 2) {
            memcpy(moved, x, sizeof moved);
            for (size_t i = 0; i < N; i++)
                moved[i * dim + j] += (float)side * step;
            network_forward(network, net.parameters, &net.times, &net.workspace, moved, NULL, slots,
                            true, 0, N);
            for (size_t i = 0; i < N; i++) {
                const double out = (double)net.workspace.out[i * network->dim_ld + j];
                differences[i] += side * out / (2 * (double)step);
            }
        }
    for (int i = 0; i < N; i++)
        size = fmax(size, fabs(traces[i]));
    for (int i = 0; i < N; i++)
        cr_expect_float_eq(traces[i], differences[i], 0.01 * (1 + size),
                           "dim %zu, %d layers, conditioning %d, %d octaves: %g, not %g", dim,
                           spec->network.hidden_layers, spec->network.conditioning,
                           spec->network.input_features, traces[i], differences[i]);
    jacobian_clear(&net.jacobian);
    workspace_clear(&net.workspace);
    time_rows_clear(&net.times);
    network_clear(&net.network);
    free(net.parameters);
}

Test(jacobian, traces_are_those_of_differences) {
    static const int dims[] = {1, 2, 5, 17, DN_MAX_DIM};
    for (size_t d = 0; d < sizeof dims / sizeof *dims; d++)
        for (int layers = 1; layers <= 4; layers++)
            for (int conditioning = DN_ADD; conditioning <= DN_MULTIPLY; conditioning++)
                for (int octaves = 0; octaves <= 2; octaves++) {
                    struct dn_spec spec = dn_presets[0].spec;
                    spec.dataset.dim = dims[d];
                    spec.dataset.classes = octaves == 1 ? 2 : 0;
                    spec.network.hidden_size = 26;
                    spec.network.hidden_layers = layers;
                    spec.network.conditioning = (enum dn_conditioning)conditioning;
                    spec.network.input_features = octaves;
                    check_trace(&spec, 1);
                    spec.training.normalization = DN_QUANTILE;
                    spec.network.output_levels = 3;
                    check_trace(&spec, 1);
                }
}
