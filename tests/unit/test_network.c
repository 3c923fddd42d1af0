/* The network against a slow double-precision twin, and its gradient against finite differences of
 * that twin. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/kernels.h"
#include "engine/base/random.h"
#include "engine/network/inputs.h"
#include "engine/network/levels.h"
#include "engine/network/network.h"

enum { N = 7, T = 9, CLASSES = 3, DIM = DN_MAX_DIM };

struct fixture {
    struct dn_spec spec;
    int dim;
    struct network network;
    struct time_rows times;
    struct workspace workspace;
    float *parameters, *gradients;
    float x[N * DIM], target[N * DIM];
    int32_t t[N], labels[N], slots[N];
    uint64_t given[N]; /* used by a network that may be given coordinates */
    int pairs;         /* distinct */
};

/* Three outputs for the first of several coordinates, one for the second, two for the others; the
 * steps are those of no schedule. */
static void set_levels(struct network *network) {
    struct levels_step steps[T + 1];
    int counts[DIM];
    float ends[2 * DIM];
    for (int t = 0; t <= T; t++)
        steps[t] = (struct levels_step){.center = 0.2f * (float)t,
                                        .tightness = 1 + 0.1f * (float)t,
                                        .of_x = 0.7f,
                                        .of_x_0 = 1.3f};
    for (int j = 0, q = 0; j < network->dim; j++) {
        counts[j] = network->dim == 1 || j > 1 ? 2 : j == 0 ? 3 : 1;
        for (int k = 0; k < counts[j]; k++)
            ends[q++] = k + 1 < counts[j] ? 0.7f * (float)k - 0.05f * (float)j : 1e30f;
    }
    cr_assert_eq(levels_set(network, 0.5f, counts, ends, steps, NULL), DN_OK);
}

static void fixture_init(struct fixture *f, int dim, int hidden, int layers,
                         enum dn_time_embedding embedding, enum dn_conditioning conditioning,
                         int classes, int octaves, bool gives, bool levels) {
    memset(f, 0, sizeof *f);
    f->spec = dn_presets[1].spec;
    f->dim = dim;
    f->spec.dataset.dim = dim;
    f->spec.dataset.classes = classes;
    f->spec.diffusion.timesteps = T;
    f->spec.network =
        (struct dn_network_spec){hidden, layers, embedding, conditioning, octaves, levels ? 2 : 0};
    if (levels)
        f->spec.training.normalization = DN_QUANTILE;
    f->spec.training.conditioning = gives ? DN_GIVEN_ANY : DN_GIVEN_NONE;
    for (int i = 0; i < N; i++)
        f->given[i] = 0x9e3779b97f4a7c15u * (uint64_t)(i + 1);
    cr_assert_eq(network_init(&f->network, &f->spec, kernels_get(), NULL), DN_OK);
    if (levels)
        set_levels(&f->network);
    cr_assert_eq(time_rows_init(&f->times, &f->network, N, N, NULL), DN_OK);
    cr_assert_eq(workspace_init(&f->workspace, &f->network, N, true, NULL), DN_OK);
    f->parameters = floats_new(f->network.size);
    f->gradients = floats_new(f->network.size);
    network_draw_weights(&f->network, 17, f->parameters);
    for (int i = 0; i < f->network.tensor_count; i++) { /* biases too, so that they matter */
        const struct tensor *tensor = f->network.tensors[i];
        if (tensor->rows == 1)
            random_normals(kernels_get(), 18, RANDOM_WEIGHTS, (uint32_t)i, 0, (size_t)tensor->cols,
                           f->parameters + tensor->offset);
    }
    random_normals(kernels_get(), 19, RANDOM_NOISE, 0, 0, N * DIM, f->x);
    random_normals(kernels_get(), 19, RANDOM_NOISE, 1, 0, N * DIM, f->target);
    int32_t t[N] = {4, 1, 9, 4, 2, 9, 4}, labels[N] = {0, CLASSES, 1, 2, 1, 1, 0};
    memcpy(f->t, t, sizeof t);
    memcpy(f->labels, labels, sizeof labels);
    f->pairs = classes ? 5 : 4;
}

static void fixture_clear(struct fixture *f) {
    workspace_clear(&f->workspace);
    time_rows_clear(&f->times);
    network_clear(&f->network);
    free(f->parameters);
    free(f->gradients);
}

static double weight(const double *p, const struct tensor *tensor, int i, int j) {
    return p[tensor->offset + (size_t)i * tensor->ld + (size_t)j];
}

/* e_l(t), or with classes e_l(t) + c_l(label): element j */
static double slow_embedding(const struct network *network, const double *p, int l, int t,
                             int label, int j) {
    const struct layer *layer = &network->mlp.layers[l];
    double of_label = network->classes ? weight(p, &layer->label, label, j) : 0;
    if (network->mlp.time_embedding == DN_LEARNED)
        return weight(p, &layer->embedding, t - 1, j) + of_label;
    double sum = weight(p, &layer->embedding_bias, 0, j);
    for (int r = 0; r < network->mlp.hidden; r++)
        sum += network_sinusoid(network->mlp.hidden, t, r) * weight(p, &layer->embedding, r, j);
    return sum + of_label;
}

/* x, then sin and cos of each octave, each for all coordinates; or with 0 for those that are given,
 * then which ones are, and the same again with 0 for the others. */
static void slow_inputs(const struct network *network, const float *x, uint64_t given,
                        double *inputs) {
    const int dim = network->dim, own = 1 + 2 * network->mlp.octaves;
    for (int j = 0; j < dim; j++) {
        const bool is_given = network->mlp.may_be_given && (given >> j & 1);
        double *to = inputs + (is_given ? (own + 1) * dim : 0);
        to[j] = (double)x[j];
        for (int octave = 0; octave < network->mlp.octaves; octave++) {
            const double angle = 3 * pow(2, octave) * (double)x[j];
            to[(1 + 2 * octave) * dim + j] = sin(angle);
            to[(2 + 2 * octave) * dim + j] = cos(angle);
        }
        if (network->mlp.may_be_given)
            inputs[own * dim + j] = is_given;
    }
}

/* The predictions from the outputs of the last layer (levels.h). */
static void slow_levels(const struct levels *levels, int dim, int t, const float *x,
                        const double *outputs, double *out) {
    const struct levels_step *step = &levels->steps[t];
    const double tightness = (double)step->tightness, sigma = (double)levels->sigma;
    for (int j = 0; j < dim; j++) {
        const int first = levels->first[j], end = levels->first[j + 1];
        const double center = (double)step->center * (double)x[j];
        double sum = 0, moments = 0, low = -50;
        for (int q = first; q < end; q++) {
            const double high = q + 1 < end ? ((double)levels->ends[q] - center) * tightness : 50;
            const double share = 0.5 * (erfc(-high * M_SQRT1_2) - erfc(-low * M_SQRT1_2));
            const double moment =
                (exp(-0.5 * low * low) - exp(-0.5 * high * high)) / sqrt(2 * M_PI);
            sum += exp(outputs[q]) * share;
            moments += exp(outputs[q]) * moment;
            low = high;
        }
        const double x_0 = sigma * (center + moments / sum / tightness);
        out[j] = (double)step->of_x * (double)x[j] - (double)step->of_x_0 * x_0;
        if (end == first + 1)
            out[j] = outputs[first];
    }
}

static void slow_forward(const struct network *network, const double *p, const float *x,
                         uint64_t given, int t, int label, double *out) {
    double h[DN_MAX_HIDDEN_SIZE] = {0}, next[DN_MAX_HIDDEN_SIZE];
    slow_inputs(network, x, given, h);
    for (int l = 0; l < network->mlp.layer_count; l++) {
        const struct layer *layer = &network->mlp.layers[l];
        for (int j = 0; j < network->mlp.hidden; j++) {
            double u = weight(p, &layer->bias, 0, j);
            double e = slow_embedding(network, p, l, t, label, j);
            for (int i = 0; i < layer->weight.rows; i++)
                u += h[i] * weight(p, &layer->weight, i, j);
            u = network->mlp.conditioning == DN_MULTIPLY ? u * e : u + e;
            next[j] = u / (1 + exp(-u));
        }
        memcpy(h, next, sizeof h);
    }
    double outputs[2 * DIM];
    for (int q = 0; q < network->mlp.outputs; q++) {
        outputs[q] = weight(p, &network->mlp.out_bias, 0, q);
        for (int i = 0; i < network->mlp.hidden; i++)
            outputs[q] += h[i] * weight(p, &network->mlp.out_weight, q, i);
    }
    if (network->mlp.levels)
        slow_levels(network->mlp.levels, network->dim, t, x, outputs, out);
    else
        memcpy(out, outputs, (size_t)network->dim * sizeof *out);
}

/* Sum over points of (out . target): its gradient with respect to out is target. */
static double slow_loss(const struct fixture *f, const double *p) {
    double loss = 0, out[DIM];
    for (int i = 0; i < N; i++) {
        slow_forward(&f->network, p, f->x + i * f->dim, f->given[i], f->t[i], f->labels[i], out);
        for (int j = 0; j < f->dim; j++)
            loss += out[j] * (double)f->target[i * f->dim + j];
    }
    return loss;
}

static double *in_double(const float *values, size_t count) {
    double *copy = malloc(count * sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = (double)values[i];
    return copy;
}

static void check_forward(struct fixture *f) {
    double *p = in_double(f->parameters, f->network.size), out[DIM];
    time_rows_set(&f->times, &f->network, f->parameters, f->t,
                  f->network.classes ? f->labels : NULL, N, f->slots);
    cr_assert_eq(f->times.count, f->pairs, "%d slots, not %d", f->times.count, f->pairs);
    cr_assert_eq(f->times.time_count, f->times.mlp.halves ? 2 * f->times.mlp.halves : 4,
                 "four timesteps, not %d", f->times.time_count);
    network_forward(&f->network, f->parameters, &f->times, &f->workspace, f->x, f->given, f->slots,
                    false, 0, N);
    for (int i = 0; i < N; i++) {
        slow_forward(&f->network, p, f->x + i * f->dim, f->given[i], f->t[i], f->labels[i], out);
        for (int j = 0; j < f->dim; j++) {
            double found = (double)f->workspace.out[(size_t)i * f->network.dim_ld + (size_t)j];
            cr_assert_float_eq(found, out[j], 2e-5 * (1 + fabs(out[j])), "point %d: %g, not %g", i,
                               found, out[j]);
        }
    }
    free(p);
}

static void check_backward(struct fixture *f) {
    double *p = in_double(f->parameters, f->network.size);
    for (int i = 0; i < N; i++)
        memcpy(f->workspace.out + (size_t)i * f->network.dim_ld, f->target + i * f->dim,
               (size_t)f->dim * sizeof(float));
    network_prepare(&f->network, f->parameters, &f->workspace);
    for (size_t i = 0; i < f->network.size; i++)
        f->gradients[i] = 1e9f;                         /* nothing of the batch before may stay */
    for (int i = 0; i < f->network.tensor_count; i++) { /* but padding is zero for ever */
        const struct tensor *tensor = f->network.tensors[i];
        for (int e = 0; e < tensor->rows * (int)tensor->ld; e++)
            if (e % (int)tensor->ld >= tensor->cols)
                f->gradients[tensor->offset + (size_t)e] = 0;
    }
    network_clear_gradients(&f->network, f->gradients);
    /* dealt out as to several threads, in an odd order */
    const size_t half = N / 2;
    network_backward_rows(&f->network, f->parameters, &f->times, &f->workspace, f->slots, half,
                          N - half);
    network_backward_rows(&f->network, f->parameters, &f->times, &f->workspace, f->slots, 0, half);
    for (int part = 2; part >= 0; part--)
        network_backward_weights(&f->network, &f->times, &f->workspace, f->x, f->given, f->slots, N,
                                 true, part, 3, f->gradients);
    for (int part = 1; part >= 0; part--)
        network_finish_gradients(&f->network, f->parameters, &f->times, &f->workspace, part, 2,
                                 f->gradients);
    for (int i = 0; i < f->network.tensor_count; i++) {
        const struct tensor *tensor = f->network.tensors[i];
        /* EVERY_WEIGHT=1: of large tensors, too; `make soak` does. */
        const int elements = tensor->rows * (int)tensor->ld;
        const int apart = getenv("EVERY_WEIGHT") ? 0 : elements / 100;
        for (int e = 0; e < elements; e += 1 + apart + e % 3) {
            size_t at = tensor->offset + (size_t)e;
            if (e % (int)tensor->ld >= tensor->cols) {
                cr_assert_eq(f->gradients[at], 0, "padding of tensor %d has a gradient", i);
                continue;
            }
            const double h = 1e-5, keep = p[at];
            p[at] = keep + h;
            double up = slow_loss(f, p);
            p[at] = keep - h;
            double down = slow_loss(f, p);
            p[at] = keep;
            double expected = (up - down) / (2 * h), found = (double)f->gradients[at];
            cr_assert_float_eq(found, expected, 1e-3 * fabs(expected) + 1e-4,
                               "tensor %d element %d: %g, not %g", i, e, found, expected);
        }
    }
    free(p);
}

Test(network, forward_and_backward_agree_with_the_slow_twin) {
    static const int shapes[][2] = {{8, 1}, {10, 2}, {16, 3}, {34, 2}};
    static const int dims[] = {3, 1, 2, 64};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
        for (int embedding = DN_SINUSOIDAL; embedding <= DN_LEARNED; embedding++)
            for (int conditioning = DN_ADD; conditioning <= DN_MULTIPLY; conditioning++)
                for (int classes = 0; classes <= CLASSES; classes += CLASSES) {
                    struct fixture f;
                    fixture_init(&f, dims[s], shapes[s][0], shapes[s][1],
                                 (enum dn_time_embedding)embedding,
                                 (enum dn_conditioning)conditioning, classes,
                                 (int)(s + 3) % 5 * (classes > 0), (s + (size_t)embedding) % 2,
                                 (s + (size_t)conditioning) % 2);
                    check_forward(&f);
                    check_forward(&f); /* the slots of the batch before are forgotten */
                    check_backward(&f);
                    fixture_clear(&f);
                }
}

/* The gradient of the first layer's weights over the batch, from dloss/dout = target. */
static void weight_gradient(struct fixture *f, const uint64_t *given, bool first_chunk) {
    network_forward(&f->network, f->parameters, &f->times, &f->workspace, f->x, given, f->slots,
                    false, 0, N);
    for (int i = 0; i < N; i++)
        memcpy(f->workspace.out + (size_t)i * f->network.dim_ld, f->target + i * f->dim,
               (size_t)f->dim * sizeof(float));
    network_backward_rows(&f->network, f->parameters, &f->times, &f->workspace, f->slots, 0, N);
    if (first_chunk)
        network_clear_gradients(&f->network, f->gradients);
    network_backward_weights(&f->network, &f->times, &f->workspace, f->x, given, f->slots, N,
                             first_chunk, 0, 1, f->gradients);
}

/* Predictions and gradients of the fixture's batch. */
static void run_batch(struct fixture *f) {
    time_rows_set(&f->times, &f->network, f->parameters, f->t,
                  f->network.classes ? f->labels : NULL, N, f->slots);
    network_prepare(&f->network, f->parameters, &f->workspace);
    network_clear_gradients(&f->network, f->gradients);
    weight_gradient(f, NULL, true);
    for (int part = 1; part >= 0; part--)
        network_finish_gradients(&f->network, f->parameters, &f->times, &f->workspace, part, 2,
                                 f->gradients);
}

/* With a batch that may hold all timesteps, they are embedded in pairs around the middle, of an odd
 * number of them and of an even one: the same as those of a batch that may not. */
Test(network, timesteps_in_pairs_are_those_of_smaller_batches) {
    for (int timesteps = T; timesteps <= T + 1; timesteps++)
        for (int conditioning = DN_ADD; conditioning <= DN_MULTIPLY; conditioning++)
            for (int classes = 0; classes <= CLASSES; classes += CLASSES) {
                struct fixture f;
                fixture_init(&f, 2, 64, 2, DN_SINUSOIDAL, (enum dn_conditioning)conditioning,
                             classes, 0, false, false);
                time_rows_clear(&f.times);
                network_clear(&f.network);
                f.spec.diffusion.timesteps = timesteps;
                cr_assert_eq(network_init(&f.network, &f.spec, kernels_get(), NULL), DN_OK);
                cr_assert_eq(time_rows_init(&f.times, &f.network, 20, N, NULL), DN_OK);
                cr_assert_eq(f.times.mlp.halves, 0);
                run_batch(&f);
                float *expected = floats_new(f.network.size);
                memcpy(expected, f.gradients, f.network.size * sizeof *expected);
                time_rows_clear(&f.times);
                cr_assert_eq(time_rows_init(&f.times, &f.network, 20, 20, NULL), DN_OK);
                cr_assert_eq(f.times.mlp.halves, (timesteps + 1) / 2);
                f.pairs = classes ? f.pairs : 2 * f.times.mlp.halves;
                check_forward(&f);
                for (int again = 0; again < 2; again++) {
                    run_batch(&f);
                    for (size_t i = 0; i < f.network.size; i++)
                        cr_assert_float_eq(f.gradients[i], expected[i],
                                           1e-4f * (1 + fabsf(expected[i])), "%zu: %g, not %g", i,
                                           (double)f.gradients[i], (double)expected[i]);
                }
                free(expected);
                fixture_clear(&f);
            }
}

/* Points after others of the same parameters have the rows that they have alone, in pairs or not. */
Test(network, further_points_have_the_same_rows) {
    for (int batch = 1; batch <= T; batch += T - 1)
        for (int classes = 0; classes <= CLASSES; classes += CLASSES) {
            struct fixture f;
            fixture_init(&f, 2, 64, 2, DN_SINUSOIDAL, DN_MULTIPLY, classes, 0, false, false);
            time_rows_clear(&f.times);
            cr_assert_eq(time_rows_init(&f.times, &f.network, 100, batch, NULL), DN_OK);
            const int32_t t[] = {7, 2, 2, 9}, labels[] = {1, 0, 2, 0};
            const int32_t *of = classes ? labels : NULL;
            const size_t ld = f.network.mlp.hidden_ld;
            float alone[2][4][64];
            for (int further = 0; further < 2; further++) {
                time_rows_set(&f.times, &f.network, f.parameters, f.t, classes ? f.labels : NULL, N,
                              f.slots);
                (further ? time_rows_set_more : time_rows_set)(&f.times, &f.network, f.parameters,
                                                               t, of, 4, f.slots);
                for (int l = 0; l < 2; l++)
                    for (int i = 0; i < 4; i++) {
                        const float *row =
                            mlp_layer_rows(f.times.mlp.embedded, f.times.capacity, &f.network, l) +
                            (size_t)f.slots[i] * ld;
                        if (further)
                            cr_assert_arr_eq(row, alone[l][i], sizeof alone[l][i]);
                        memcpy(alone[l][i], row, sizeof alone[l][i]);
                    }
            }
            fixture_clear(&f);
        }
}

/* The points of a step decide whether its timesteps are in pairs, not the room for validation, and one
 * timestep costs one row. */
Test(network, batches_of_few_timesteps_embed_no_others) {
    enum { ROOM = 1000 };
    for (int batch = 0; batch <= T; batch++) {
        struct fixture f;
        fixture_init(&f, 2, 64, 2, DN_SINUSOIDAL, DN_MULTIPLY, 0, 0, false, false);
        time_rows_clear(&f.times);
        cr_assert_eq(time_rows_init(&f.times, &f.network, ROOM, batch, NULL), DN_OK);
        cr_assert_eq(f.times.mlp.halves > 0, batch == T, "batch %d", batch);
        const int32_t t[] = {3, 3};
        time_rows_set(&f.times, &f.network, f.parameters, t, NULL, 2, f.slots);
        cr_assert_eq(f.times.time_count, batch == T ? 2 * f.times.mlp.halves : 1, "batch %d",
                     batch);
        cr_assert_eq(f.times.mlp.gradient != NULL, batch > 0);
        fixture_clear(&f);
    }
}

/* Of a coordinate with three levels and one without: a gradient moves a logit beyond its limit only
 * back; a prediction has no limit. */
Test(network, logits_beyond_their_limit_come_back) {
    enum { OUT = 3 + 1 };
    struct fixture f;
    fixture_init(&f, 2, 8, 1, DN_LEARNED, DN_ADD, 0, 0, false, true);
    const struct network *network = &f.network;
    const float rates[OUT] = {1, 1, 1, 1};
    for (int sign = -1; sign <= 1; sign += 2) {
        float out[2] = {(float)sign, (float)sign}; /* a step would move all of them by -sign */
        float logits[OUT] = {-KERNELS_MAX_LOGIT - 1, 0.5f, KERNELS_MAX_LOGIT, 1000};
        levels_backward(network, 1, out, rates, logits);
        cr_assert_eq(logits[0], sign < 0 ? -1 : 0);
        cr_assert_eq(logits[1], sign);
        cr_assert_eq(logits[2], sign < 0 ? 0 : 1);
        cr_assert_eq(logits[3], sign);
    }
    fixture_clear(&f);
}

/* Features change nothing else: the weights of x start as without them, the others at a tenth. */
Test(network, features_start_small_beside_x) {
    for (int conditioning = DN_ADD; conditioning <= DN_MULTIPLY; conditioning++) {
        struct fixture with, without;
        fixture_init(&with, 3, 64, 2, DN_SINUSOIDAL, (enum dn_conditioning)conditioning, 0, 2, true,
                     false);
        fixture_init(&without, 3, 64, 2, DN_SINUSOIDAL, (enum dn_conditioning)conditioning, 0, 0,
                     false, false);
        const struct tensor *weight = &with.network.mlp.layers[0].weight;
        cr_assert_eq(weight->rows, 3 * (5 + 1 + 5));
        cr_assert_arr_eq(with.parameters, without.parameters, 3 * weight->ld * sizeof(float));
        const double limit = conditioning == DN_MULTIPLY ? 0.1 : 0.1 * sqrt(6.0 / (3 + 64));
        double largest = 0;
        double of_given = 0;
        for (size_t i = 3; i < 33; i++)
            for (size_t j = 0; j < 64; j++) {
                double *most = i >= 18 && i < 21 ? &of_given : &largest;
                *most = fmax(*most, fabs((double)with.parameters[i * weight->ld + j]));
            }
        cr_assert(of_given <= 10 * limit && of_given > 9.5 * limit, "%g", of_given);
        cr_assert(largest <= limit * 1.000001 && largest > 0.98 * limit, "%g", largest);
        fixture_clear(&with), fixture_clear(&without);
    }
}

/* Gradients with respect to x, against finite differences of a function of the inputs. */
Test(network, inputs_hand_back_their_gradients) {
    static const int dims[] = {1, 2, 14, 16, 17, 64};
    for (int d = 0; d < 6; d++)
        for (int octaves = 0; octaves <= DN_MAX_INPUT_FEATURES; octaves++) {
            struct fixture f;
            fixture_init(&f, dims[d], 8, 1, DN_LEARNED, DN_ADD, 0, octaves, false, false);
            const size_t dim = (size_t)f.dim, ld = f.network.mlp.input_ld;
            const size_t count = (size_t)f.network.mlp.inputs;
            float *inputs = floats_new(N * ld), *gradients = floats_new(N * ld), found[N * DIM];
            random_normals(kernels_get(), 20, RANDOM_NOISE, 0, 0, N * ld, gradients);
            inputs_fill(&f.network, N, f.x, inputs);
            inputs_backward(&f.network, N, inputs, gradients, found);
            for (size_t i = 0; i < N; i++)
                for (size_t j = 0; j < dim; j++) {
                    double sums[2] = {0}, slow[DIM * 9];
                    const float h = 1e-3f, keep = f.x[i * dim + j];
                    const float at[2] = {keep - h, keep + h};
                    for (int side = 0; side < 2; side++) {
                        f.x[i * dim + j] = at[side];
                        slow_inputs(&f.network, f.x + i * dim, 0, slow);
                        for (size_t k = 0; k < count; k++)
                            sums[side] += slow[k] * (double)gradients[i * ld + k];
                    }
                    f.x[i * dim + j] = keep;
                    const double step = (double)at[1] - (double)at[0];
                    const double expected = (sums[1] - sums[0]) / step;
                    cr_assert_float_eq(found[i * dim + j], expected, 0.02 * (1 + fabs(expected)),
                                       "%g, not %g", (double)found[i * dim + j], expected);
                }
            free(inputs), free(gradients);
            fixture_clear(&f);
        }
}

/* A chunk of points that show nothing does not touch the weights that only given coordinates use; the
 * sum over two chunks is that of each alone. */
Test(network, chunks_without_given_coordinates_add_to_the_others) {
    struct fixture f;
    fixture_init(&f, 14, 32, 2, DN_SINUSOIDAL, DN_MULTIPLY, 0, 3, true, true);
    const struct tensor *weight = &f.network.mlp.layers[0].weight;
    const size_t count = (size_t)weight->rows * weight->ld, own = 14 * 7 * weight->ld;
    const uint64_t none[N] = {0};
    float *shown = floats_new(count), *alone = floats_new(count);
    time_rows_set(&f.times, &f.network, f.parameters, f.t, NULL, N, f.slots);
    network_prepare(&f.network, f.parameters, &f.workspace);
    weight_gradient(&f, f.given, true);
    memcpy(shown, f.gradients + weight->offset, count * sizeof *shown);
    weight_gradient(&f, none, true);
    memcpy(alone, f.gradients + weight->offset, count * sizeof *alone);
    weight_gradient(&f, NULL, true);
    cr_assert_arr_eq(f.gradients + weight->offset, alone, count * sizeof *alone);
    double most = 0;
    for (size_t e = own; e < count; e++) {
        cr_assert_eq(alone[e], 0);
        most = fmax(most, fabs((double)shown[e]));
    }
    cr_assert_gt(most, 1e-3);
    for (int order = 0; order < 2; order++) {
        weight_gradient(&f, order ? none : f.given, true);
        weight_gradient(&f, order ? f.given : none, false);
        for (size_t e = 0; e < count; e++)
            cr_assert_float_eq(f.gradients[weight->offset + e], shown[e] + alone[e],
                               1e-5f * (1 + fabsf(shown[e])), "element %zu", e);
    }
    free(shown), free(alone);
    fixture_clear(&f);
}

/* Points without labels are points with the last label, and a batch may hold every pair. */
Test(network, no_labels_means_the_last_one) {
    enum { PAIRS = T * (CLASSES + 1) };
    struct fixture f;
    struct time_rows rows;
    int32_t t[PAIRS], labels[PAIRS], slots[PAIRS];
    fixture_init(&f, 2, 8, 2, DN_SINUSOIDAL, DN_ADD, CLASSES, 0, false, false);
    for (int i = 0; i < PAIRS; i++)
        t[i] = 1 + i % T, labels[i] = i / T;
    cr_assert_eq(time_rows_init(&rows, &f.network, 1000, 0, NULL), DN_OK);
    time_rows_set(&rows, &f.network, f.parameters, t, labels, PAIRS, slots);
    cr_assert_eq(rows.count, PAIRS);
    const int last = CLASSES * T;
    float expected[T * 16];
    memcpy(expected, rows.mlp.embedded + (size_t)last * f.network.mlp.hidden_ld, sizeof expected);
    time_rows_set(&rows, &f.network, f.parameters, t, NULL, T, slots);
    cr_assert_eq(rows.count, T);
    cr_assert_arr_eq(rows.mlp.embedded, expected, sizeof expected);
    time_rows_clear(&rows);
    fixture_clear(&f);
}

/* The blog's models: 1 442 parameters at H 16, 6 114 with a learned embedding at H 32. */
Test(network, counts_the_parameters_of_the_tutorial) {
    struct dn_spec spec = dn_presets[1].spec;
    spec.network.hidden_size = 16;
    cr_assert_eq(dn_spec_parameters(&spec), 1442);
    spec.network.hidden_size = 32;
    spec.network.time_embedding = DN_LEARNED;
    cr_assert_eq(dn_spec_parameters(&spec), 6114);
    spec.dataset.classes = 4; /* a table of 5 rows in each of 3 layers */
    cr_assert_eq(dn_spec_parameters(&spec), 6114 + 3 * 5 * 32);
}

/* sin, cos of pos / 10000^(r / (H - 2)). */
Test(network, sinusoidal_embedding_has_its_known_values) {
    cr_assert_float_eq(network_sinusoid(32, 1, 0), 0.8414709848, 1e-9);   /* sin 1 */
    cr_assert_float_eq(network_sinusoid(32, 1, 1), 0.5403023059, 1e-9);   /* cos 1 */
    cr_assert_float_eq(network_sinusoid(32, 40, 30), 0.0039999893, 1e-9); /* sin(40 / 10000) */
    cr_assert_float_eq(network_sinusoid(32, 40, 31), 0.9999920000, 1e-9); /* cos(40 / 10000) */
    cr_assert_float_eq(network_sinusoid(32, 7, 16), sin(7 / pow(10000, 16 / 30.0)), 1e-12);
    cr_assert_float_eq(network_sinusoid(2, 3, 0), sin(3.0), 1e-12);
}

Test(network, a_multiplying_embedding_starts_near_one) {
    for (int embedding = DN_SINUSOIDAL; embedding <= DN_LEARNED; embedding++) {
        struct fixture f;
        fixture_init(&f, 2, 64, 3, (enum dn_time_embedding)embedding, DN_MULTIPLY, 0, 0, false,
                     false);
        network_draw_weights(&f.network, 17, f.parameters);
        const struct layer *first = &f.network.mlp.layers[0], *second = &f.network.mlp.layers[1];
        const struct tensor *constant =
            embedding == DN_LEARNED ? &first->embedding : &first->embedding_bias;
        double sum = 0, largest = 0, bias = 0, weight = 0;
        for (int j = 0; j < 64; j++) {
            sum += (double)f.parameters[constant->offset + (size_t)j];
            bias = fmax(bias, fabs((double)f.parameters[first->bias.offset + (size_t)j]));
            weight = fmax(weight, fabs((double)f.parameters[first->weight.offset + (size_t)j]));
        }
        for (size_t i = 0; i < 64; i++)
            for (size_t j = 0; j < 64; j++) {
                size_t at = second->weight.offset + i * second->weight.ld + j;
                largest = fmax(largest, fabs((double)f.parameters[at]));
            }
        cr_assert_float_eq(sum / 64, 1, 0.06);
        cr_assert(bias > 0.9 && bias <= 1 && weight > 0.9 && weight <= 1);
        cr_assert(largest <= sqrt(6.0 / 64) && largest > 0.99 * sqrt(6.0 / 64));
        fixture_clear(&f);
    }
}

Test(network, glorot_limits_and_spread) {
    struct fixture f;
    fixture_init(&f, 3, 64, 2, DN_SINUSOIDAL, DN_ADD, 0, 0, false, false);
    const struct tensor *w = &f.network.mlp.layers[1].weight;
    double limit = sqrt(6.0 / 128), squares = 0;
    for (int i = 0; i < 64; i++)
        for (int j = 0; j < 64; j++) {
            double value = (double)f.parameters[w->offset + (size_t)i * w->ld + (size_t)j];
            cr_assert(fabs(value) <= limit);
            squares += value * value;
        }
    cr_assert_float_eq(squares / 4096, limit * limit / 3, 0.05 * limit * limit / 3);
    fixture_clear(&f);
}
