#include "engine/sampling/guide.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/random.h"
#include "engine/diffusion/diffusion.h"
#include "engine/internal.h"

/* The class that has this share, of 2^64, of the points. */
static int class_at(const int32_t *counts, int classes, uint64_t share) {
    uint64_t all = 0;
    for (int k = 0; k < classes; k++)
        all += (uint64_t)counts[k];
    uint64_t row = (uint64_t)((unsigned __int128)share * all >> 64);
    int label = 0;
    while (row >= (uint64_t)counts[label])
        row -= (uint64_t)counts[label++];
    return label;
}

/* Points of a seed go through the shares of the classes in steps of the golden ratio, which fills
 * them evenly (Weyl's sequence with the smallest discrepancy), from a place that the seed draws. */
static uint64_t even_share(uint64_t seed, uint64_t point) {
    const uint64_t golden = 0x9E3779B97F4A7C15u;
    uint32_t block[4];
    random_block(seed, RANDOM_CLASS, 0, 0, block);
    return ((uint64_t)block[0] << 32 | block[1]) + point * golden;
}

/* A share that has nothing to do with the point's even one. */
static uint64_t other_share(uint64_t seed, uint64_t point) {
    uint32_t block[4];
    random_block(seed, RANDOM_CLASS, 1, point, block);
    return (uint64_t)block[0] << 32 | block[1];
}

/* The class of a point of the seed, for DN_LABELS_IN_TURN or DN_LABELS_BY_FREQUENCY. */
static int class_of(const struct dn_model *model, const struct dn_sample_request *request,
                    uint64_t point) {
    const int all = model->spec.dataset.classes;
    const int drawn = request->drawn_classes > 0 ? request->drawn_classes : all;
    int32_t counts[DN_MAX_CLASSES];
    bool differ = false, is_any = false;
    if (request->label != DN_LABELS_BY_FREQUENCY || !dn_model_class_counts(model, counts))
        return (int)(point % (uint64_t)drawn);
    for (int k = 0; k < all; k++) {
        differ |= counts[k] != counts[0];
        is_any |= k < drawn && counts[k] > 0;
    }
    const int label = differ ? class_at(counts, all, even_share(request->seed, point))
                             : (int)(point % (uint64_t)all);
    return label < drawn ? label
           : is_any      ? class_at(counts, drawn, other_share(request->seed, point))
                         : (int)(point % (uint64_t)drawn);
}

/* The row of the request's known values that point i has. */
static uint64_t row_of(const struct dn_sample_request *request, uint64_t i) {
    return request->draws > 0 ? i / (uint64_t)request->draws : 0;
}

int guide_label(const struct dn_model *model, const struct dn_sample_request *request, uint64_t i) {
    const int given = request->given_labels ? request->given_labels[row_of(request, i)] : -1;
    const int label = given >= 0 ? given : request->label;
    return label < 0 ? class_of(model, request, i) : label;
}

static bool is_guided(const struct dn_sample_request *request) {
    const float guidance = (float)request->guidance; /* as outputs are multiplied by it */
    return guidance != 0 && guidance != 1;
}

bool guide_mixes(const struct dn_model *model, const struct dn_sample_request *request, int t) {
    const double least = request->guidance_ratio_min, most = request->guidance_ratio_max;
    const double ratio = fmin(schedule_ratio(&model->schedule, t), DN_MAX_RATIO_MAX);
    return is_guided(request) && least <= ratio && (ratio <= most || most == 0);
}

static void choose_labels(struct guide *guide, const struct dn_sample_request *request) {
    const int none = guide->model->spec.dataset.classes;
    guide->guidance = (float)request->guidance;
    guide->guided = is_guided(request);
    if (guide->guidance != 0 && (request->label < 0 || request->given_labels))
        while (guide->label_count < none)
            guide->labels[guide->label_count] = guide->label_count, guide->label_count++;
    else if (guide->guidance != 0)
        guide->labels[guide->label_count++] = request->label;
    if (guide->guided || guide->guidance == 0)
        guide->labels[guide->label_count++] = none;
    assert((size_t)guide->label_count <= sizeof guide->labels / sizeof guide->labels[0]);
}

/* The rows e_l are made for all timesteps and labels at once, unless they are much larger than the
 * weights. */
enum { MAX_TIME_FLOATS = 1 << 20 };

static bool embeds_all(const struct network *network, size_t pairs) {
    return pairs * network->slot_floats <= MAX_TIME_FLOATS;
}

/* e_l of every timestep of the plan with every label in use. */
static enum dn_status embed_all(struct guide *guide, const struct plan *plan,
                                struct dn_error *error) {
    const struct network *network = &guide->model->network;
    const size_t labels = (size_t)guide->label_count, pairs = (size_t)plan->steps * labels;
    int32_t *t = malloc(3 * pairs * sizeof *t), *label = t + pairs, *slot = t + 2 * pairs;
    guide->slot_of = malloc(((size_t)network->timesteps + 1) * sizeof *guide->slot_of);
    if (!t || !guide->slot_of) {
        free(t);
        return error_set(error, DN_NO_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < pairs; i++) {
        t[i] = plan->step[i / labels].t;
        label[i] = guide->labels[i % labels];
    }
    time_rows_set(&guide->times, network, guide->model->parameters, t, label, pairs, slot);
    for (size_t i = 0; i < pairs; i += labels)
        guide->slot_of[t[i]] = slot[i];
    free(t);
    return DN_OK;
}

/* Floats of the points' given values, and of the points with them. */
static size_t given_floats(const struct network *network, size_t rows) {
    return 2 * rows * (size_t)network->dim;
}

size_t guide_bytes(const struct network *network, int steps, int labels, bool guided, bool given,
                   size_t rows) {
    const size_t pairs = (size_t)steps * (size_t)labels;
    const bool all = embeds_all(network, pairs);
    return time_rows_bytes(network, all ? (int)pairs : labels, 0) +
           workspace_bytes(network, rows, false) + 2 * kernels_pad(rows) * sizeof(int32_t) +
           (guided ? floats_bytes(rows * network->dim_ld) : 0) +
           (given ? rows * sizeof(uint64_t) + floats_bytes(given_floats(network, rows)) : 0) +
           (all ? (3 * pairs + (size_t)network->timesteps + 1) * sizeof(int32_t) : 0);
}

int guide_labels(const struct dn_model *model, const struct dn_sample_request *request,
                 bool *guided) {
    struct guide guide = {.model = model};
    choose_labels(&guide, request);
    *guided = guide.guided;
    return guide.label_count;
}

enum dn_status guide_init(struct guide *guide, const struct dn_model *model,
                          const struct dn_sample_request *request, const struct plan *plan,
                          size_t rows, const struct dn_breaks *breaks, struct dn_error *error) {
    const struct network *network = &model->network;
    *guide = (struct guide){.model = model, .request = request};
    guide->low = request->clip ? model->transform.low : NULL;
    guide->high = model->transform.high;
    choose_labels(guide, request);
    const size_t pairs = (size_t)plan->steps * (size_t)guide->label_count;
    const bool all = embeds_all(network, pairs);
    enum dn_status status =
        time_rows_init(&guide->times, network, all ? (int)pairs : guide->label_count, 0, error);
    if (status == DN_OK)
        status = workspace_init(&guide->workspace, network, rows, false, error);
    if (status != DN_OK)
        return status;
    guide->workspace.breaks = breaks;
    network_prepare(network, model->parameters, &guide->workspace);
    guide->place = calloc(2 * kernels_pad(rows), sizeof *guide->place);
    guide->output = guide->guided ? floats_new(rows * network->dim_ld) : NULL;
    if (!guide->place || (guide->guided && !guide->output))
        return error_set(error, DN_NO_MEMORY, "out of memory");
    guide->slots = guide->place + kernels_pad(rows);
    if (guide_knows(model, request)) {
        guide->known = calloc(rows, sizeof *guide->known);
        guide->given = floats_new(given_floats(network, rows));
        if (!guide->known || !guide->given)
            return error_set(error, DN_NO_MEMORY, "out of memory");
        guide->shown = guide->given + rows * (size_t)network->dim;
    }
    return all ? embed_all(guide, plan, error) : DN_OK;
}

void guide_clear(struct guide *guide) {
    time_rows_clear(&guide->times);
    workspace_clear(&guide->workspace);
    free(guide->slot_of);
    free(guide->place);
    free(guide->output);
    free(guide->known);
    free(guide->given);
    *guide = (struct guide){0};
}

const double *guide_given(const struct dn_model *model, const struct dn_sample_request *request,
                          uint64_t i) {
    return request->given + row_of(request, i) * (uint64_t)model->dim;
}

/* What is given of each point of the block. */
static void begin_given(struct guide *guide, uint64_t first, size_t n) {
    const struct dn_model *model = guide->model;
    const int dim = model->dim;
    assert(dim <= DN_MAX_DIM);
    for (size_t i = 0; i < n; i++) {
        if (!guide->request->given) {
            guide->known[i] = 0;
            continue;
        }
        const double *row = guide_given(model, guide->request, first + i);
        double values[DN_MAX_DIM];
        guide->known[i] = 0;
        for (int j = 0; j < dim; j++) {
            guide->known[i] |= (uint64_t)!isnan(row[j]) << j;
            values[j] = isinf(row[j]) ? NAN : row[j]; /* known to be missing */
        }
        transform_forward_values(&model->transform, 1, dim, values, guide->given + i * (size_t)dim);
    }
}

void guide_put_known(const struct guide *guide, size_t n, float *x) {
    const size_t dim = (size_t)guide->model->dim;
    for (size_t i = 0; i < n; i++)
        for (uint64_t known = guide->known[i]; known; known &= known - 1) {
            const size_t e = i * dim + (size_t)__builtin_ctzll(known);
            x[e] = guide->given[e];
        }
}

void guide_hold(struct guide *guide, size_t n, const float *x, const uint64_t *free_ones) {
    const int dim = guide->model->dim;
    const uint64_t all = dim == 64 ? UINT64_MAX : (1ull << dim) - 1;
    memcpy(guide->given, x, n * (size_t)dim * sizeof *x);
    for (size_t i = 0; i < n; i++)
        guide->known[i] = all & ~free_ones[i];
}

bool guide_knows(const struct dn_model *model, const struct dn_sample_request *request) {
    return request->given || (request->never_missing && model->transform.quantiles &&
                              model->spec.training.conditioning == DN_GIVEN_ANY);
}

void guide_begin(struct guide *guide, uint64_t first, size_t n) {
    const bool several = guide->label_count - (guide->guided ? 1 : 0) > 1;
    assert(n <= guide->workspace.rows);
    for (size_t i = 0; i < n; i++)
        guide->place[i] = several ? guide_label(guide->model, guide->request, first + i) : 0;
    if (guide->known)
        begin_given(guide, first, n);
}

/* The slot of a timestep and the first label. */
static int32_t first_slot(struct guide *guide, int t) {
    if (guide->slot_of)
        return guide->slot_of[t];
    if (t != guide->current_t) {
        int32_t times[DN_MAX_CLASSES + 1], slots[DN_MAX_CLASSES + 1];
        for (int i = 0; i < guide->label_count; i++)
            times[i] = t;
        time_rows_set(&guide->times, &guide->model->network, guide->model->parameters, times,
                      guide->labels, (size_t)guide->label_count, slots);
        guide->current_t = t;
    }
    return 0;
}

/* With the label of this slot for all points, or with each point's own label. */
static void pass(struct guide *guide, size_t n, const float *x, int32_t slot, bool same_label) {
    for (size_t i = 0; i < n; i++)
        guide->slots[i] = same_label ? slot : slot + guide->place[i];
    network_forward(&guide->model->network, guide->model->parameters, &guide->times,
                    &guide->workspace, x, guide->known, guide->slots, same_label, 0, n);
}

void guide_estimate(void *context, int t, size_t n, const float *x, float *x_0) {
    struct guide *guide = context;
    const struct dn_model *model = guide->model;
    const size_t ld = model->network.dim_ld;
    const int32_t slot = first_slot(guide, t), last = guide->label_count - 1;
    float *out = guide->workspace.out;
    assert(n <= guide->workspace.rows);
    if (guide->known) {
        memcpy(guide->shown, x, n * (size_t)model->dim * sizeof *x);
        guide_put_known(guide, n, guide->shown);
        x = guide->shown;
    }
    pass(guide, n, x, slot, last == (guide->guided ? 1 : 0));
    /* the estimate is linear in the output, whatever the network predicts */
    if (guide_mixes(model, guide->request, t)) {
        memcpy(guide->output, out, n * ld * sizeof *out);
        pass(guide, n, x, slot + last, true);
        for (size_t i = 0; i < n * ld; i++)
            out[i] += guide->guidance * (guide->output[i] - out[i]);
    }
    const int columns = transform_columns(&model->transform, model->dim);
    assert(columns == model->dim || ld == (size_t)model->dim); /* then pixels follow each other */
    diffusion_estimate(&model->schedule, model->spec.diffusion.prediction_type, t,
                       n * (size_t)model->dim / (size_t)columns, columns, x, out,
                       columns == model->dim ? ld : (size_t)columns, guide->low, guide->high, x_0);
    if (guide->known)
        guide_put_known(guide, n, x_0);
}
