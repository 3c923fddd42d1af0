/*
 * levels.c - which columns of a table are predicted by the probabilities of their values.
 */
#include "engine/network/levels.h"

#include <math.h>
#include <stdlib.h>

#include "engine/diffusion/diffusion.h"
#include "engine/internal.h"
#include "engine/model/model.h"
#include "engine/table/normal.h"

/* The number of intervals of a column, also that of missing values; 1 if it has none. */
static int intervals(const struct dn_quantile *column) {
    const int count = column->count + (column->missing > 0);
    return column->interpolates || count < 1 ? 1 : count;
}

/* Gives each coordinate one output, and then to columns all that they need, those with the fewest
 * intervals first, while there are enough. */
static void share_outputs(const struct quantiles *maps, int outputs, int *counts) {
    int rest = outputs - maps->dim;
    for (int j = 0; j < maps->dim; j++)
        counts[j] = 1;
    for (;;) {
        int next = -1;
        for (int j = 0; j < maps->dim; j++) {
            const int count = intervals(&maps->columns[j]);
            if (counts[j] == 1 && count > 1 &&
                (next < 0 || count < intervals(&maps->columns[next])))
                next = j;
        }
        const int count = next < 0 ? 0 : intervals(&maps->columns[next]);
        if (next < 0 || count - 1 > rest)
            return;
        counts[next] = count;
        rest -= count - 1;
    }
}

/* The upper ends of a column's intervals in normal scores. */
static void write_ends(const struct dn_quantile *column, int count, float *ends) {
    const int shift = count - column->count; /* 1: missing values have the first interval */
    for (int k = 0; k + 1 < count; k++)
        ends[k] = (float)normal_score(k < shift ? column->missing : column->shares[k - shift]);
    ends[count - 1] = 1e30f;
}

static void fill_steps(const struct schedule *schedule, enum dn_prediction prediction, double sigma,
                       struct levels_step *steps) {
    for (int t = 1; t <= schedule->timesteps; t++) {
        const double signal2 = schedule->alpha_bar[t], noise2 = schedule->variance[t];
        const double all = signal2 * sigma * sigma + noise2;
        double from_x, from_out;
        diffusion_factors(schedule, prediction, t, &from_x, &from_out);
        steps[t] = (struct levels_step){.center = (float)(sqrt(signal2) * sigma / all),
                                        .tightness = (float)sqrt(all / noise2),
                                        .of_x = (float)(from_x / from_out),
                                        .of_x_0 = (float)(1 / from_out)};
    }
}

enum dn_status model_use_levels(struct network *network, const struct dn_spec *spec,
                                const struct schedule *schedule, const struct transform *transform,
                                struct dn_error *error) {
    const struct quantiles *maps = transform->quantiles;
    int counts[DN_MAX_DIM] = {0};
    float ends[DN_MAX_DIM * DN_MAX_OUTPUT_LEVELS];
    if (!maps || network->mlp.outputs == network->dim)
        return DN_OK;
    struct levels_step *steps = calloc((size_t)schedule->timesteps + 1, sizeof *steps);
    if (!steps)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    share_outputs(maps, network->mlp.outputs, counts);
    for (int j = 0, at = 0; j < network->dim; at += counts[j++])
        write_ends(&maps->columns[j], counts[j], ends + at);
    const double sigma = transform->scale[0];
    fill_steps(schedule, spec->diffusion.prediction_type, sigma, steps);
    const enum dn_status status = levels_set(network, (float)sigma, counts, ends, steps, error);
    free(steps);
    return status;
}
