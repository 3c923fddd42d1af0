#include "engine/metrics/boosting.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"

enum { TREES = 50, LEAVES = 31, LEAF_ROWS = 20, BINS = 256 };
static const double learning_rate = 0.1, least_curvature = 1e-3;

/* Sums of the first and second derivatives of the loss over some rows. */
struct sums {
    double gradient, curvature;
    size_t n;
};

/* Rows go left if their bin is at most `bin`; missing ones as `missing_left` says. */
struct split {
    double gain; /* 0: there is none */
    int column;
    uint8_t bin;
    bool missing_left;
    struct sums left;
};

struct node {
    int left, right; /* places of the children; 0: a leaf */
    double value;    /* of a leaf: what it adds to a score */
    struct split split;
    struct sums sums;
    size_t first; /* its rows in the trainer's order */
};

struct trainer {
    const struct boosting *rows;
    double *gradient, *curvature; /* [count], of order[i] */
    int32_t *order, *spare;       /* [count]: the training rows, leaf by leaf */
    size_t count;
    struct node nodes[2 * LEAVES - 1];
    int node_count;
    double *scores;
};

static const uint8_t *column_of(const struct boosting *rows, int j) {
    return rows->bins + (size_t)j * rows->n;
}

static void add(struct sums *sums, const struct sums *more) {
    sums->gradient += more->gradient;
    sums->curvature += more->curvature;
    sums->n += more->n;
}

static struct sums difference(const struct sums *all, const struct sums *part) {
    return (struct sums){all->gradient - part->gradient, all->curvature - part->curvature,
                         all->n - part->n};
}

/* Twice the loss that the best constant for these rows saves, to second order. */
static double saved(const struct sums *sums) {
    return sums->gradient * sums->gradient / sums->curvature;
}

static bool large_enough(const struct sums *sums) {
    return sums->n >= LEAF_ROWS && sums->curvature >= least_curvature;
}

/* ------------------------------------------------------------------ the best split */

static void histogram(const struct trainer *t, const struct node *node, int column,
                      struct sums bins[BINS]) {
    const uint8_t *of = column_of(t->rows, column);
    memset(bins, 0, BINS * sizeof *bins);
    for (size_t i = node->first; i < node->first + node->sums.n; i++) {
        struct sums *bin = &bins[of[t->order[i]]];
        bin->gradient += t->gradient[i];
        bin->curvature += t->curvature[i];
        bin->n++;
    }
}

/* The best split of a column, if it is better than `best`. */
static void try_column(const struct node *node, int column, const struct sums bins[BINS],
                       struct split *best) {
    const struct sums *missing = &bins[BOOSTING_MISSING];
    for (int missing_left = 0; missing_left <= (missing->n > 0); missing_left++) {
        struct sums left = {0};
        if (missing_left)
            left = *missing;
        for (int bin = 0; bin < BOOSTING_MISSING; bin++) {
            if (bins[bin].n == 0)
                continue;
            add(&left, &bins[bin]);
            const struct sums right = difference(&node->sums, &left);
            if (!large_enough(&left))
                continue;
            if (!large_enough(&right))
                break;
            const double gain = saved(&left) + saved(&right) - saved(&node->sums);
            if (gain > best->gain)
                *best = (struct split){gain, column, (uint8_t)bin, missing_left, left};
        }
    }
}

static void find_split(const struct trainer *t, struct node *node) {
    struct sums bins[BINS];
    node->split = (struct split){0};
    node->value = -learning_rate * node->sums.gradient / node->sums.curvature;
    if (node->sums.n < 2 * LEAF_ROWS)
        return;
    for (int j = 0; j < t->rows->dim; j++) {
        histogram(t, node, j, bins);
        try_column(node, j, bins, &node->split);
    }
}

/* ------------------------------------------------------------------ one tree */

static bool goes_left(const struct split *split, uint8_t bin) {
    return bin == BOOSTING_MISSING ? split->missing_left : bin <= split->bin;
}

/* Puts the rows of the left child first; neither side changes its order. The derivatives move with
 * their rows. */
static void divide(struct trainer *t, const struct node *node) {
    const uint8_t *of = column_of(t->rows, node->split.column);
    double *moved_gradient = t->gradient + t->count, *moved_curvature = t->curvature + t->count;
    size_t left = node->first, right = 0;
    for (size_t i = node->first; i < node->first + node->sums.n; i++) {
        if (goes_left(&node->split, of[t->order[i]])) {
            t->order[left] = t->order[i];
            t->gradient[left] = t->gradient[i];
            t->curvature[left++] = t->curvature[i];
        } else {
            t->spare[right] = t->order[i];
            moved_gradient[right] = t->gradient[i];
            moved_curvature[right++] = t->curvature[i];
        }
    }
    memcpy(t->order + left, t->spare, right * sizeof *t->order);
    memcpy(t->gradient + left, moved_gradient, right * sizeof *t->gradient);
    memcpy(t->curvature + left, moved_curvature, right * sizeof *t->curvature);
}

static int node_add(struct trainer *t, size_t first, struct sums sums) {
    struct node *node = &t->nodes[t->node_count];
    *node = (struct node){.first = first, .sums = sums};
    find_split(t, node);
    return t->node_count++;
}

/* The leaf with the best split; -1 if none has one. */
static int next_leaf(const struct trainer *t) {
    int best = -1;
    for (int k = 0; k < t->node_count; k++)
        if (t->nodes[k].left == 0 && t->nodes[k].split.gain > 0 &&
            (best < 0 || t->nodes[k].split.gain > t->nodes[best].split.gain))
            best = k;
    return best;
}

static void grow(struct trainer *t) {
    struct sums all = {.n = t->count};
    for (size_t i = 0; i < t->count; i++) {
        all.gradient += t->gradient[i];
        all.curvature += t->curvature[i];
    }
    t->node_count = 0;
    node_add(t, 0, all);
    for (int leaves = 1, k; leaves < LEAVES && (k = next_leaf(t)) >= 0; leaves++) {
        struct node *node = &t->nodes[k];
        const struct sums left = node->split.left, right = difference(&node->sums, &left);
        divide(t, node);
        node->left = node_add(t, node->first, left);
        node->right = node_add(t, node->first + left.n, right);
    }
}

/* ------------------------------------------------------------------ all trees */

/* The derivatives of the log loss with respect to the scores. */
static void differentiate(struct trainer *t) {
    for (size_t i = 0; i < t->count; i++) {
        const size_t row = (size_t)t->order[i];
        const double p = 1 / (1 + exp(-t->scores[row]));
        t->gradient[i] = p - t->rows->class[row];
        t->curvature[i] = p * (1 - p);
    }
}

static void add_tree(const struct trainer *t) {
    const struct boosting *rows = t->rows;
    for (size_t i = 0; i < rows->n; i++) {
        const struct node *node = t->nodes;
        while (node->left) {
            const uint8_t bin = column_of(rows, node->split.column)[i];
            node = &t->nodes[goes_left(&node->split, bin) ? node->left : node->right];
        }
        t->scores[i] += node->value;
    }
}

size_t boosting_bytes(size_t count) {
    return sizeof(struct trainer) + 2 * count * (2 * sizeof(double) + sizeof(int32_t));
}

static enum dn_status train(struct trainer *t, const int32_t *training,
                            const struct dn_breaks *breaks, struct dn_error *error) {
    size_t ones = 0;
    for (size_t i = 0; i < t->count; i++)
        ones += t->rows->class[training[i]];
    for (size_t i = 0; i < t->rows->n; i++)
        t->scores[i] = log((double)ones / (double)(t->count - ones));
    enum dn_status status = DN_OK;
    for (int tree = 0; tree < TREES && status == DN_OK; tree++) {
        memcpy(t->order, training, t->count * sizeof *t->order);
        differentiate(t);
        grow(t);
        add_tree(t);
        status = break_check(breaks, error);
    }
    return status;
}

enum dn_status boosting_scores(const struct boosting *rows, const int32_t *training, size_t count,
                               double *scores, const struct dn_breaks *breaks,
                               struct dn_error *error) {
    struct trainer *t = calloc(1, sizeof *t);
    if (!t)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    t->rows = rows;
    t->count = count;
    t->scores = scores;
    t->gradient = calloc(2 * count, sizeof *t->gradient);
    t->curvature = calloc(2 * count, sizeof *t->curvature);
    t->order = calloc(count, sizeof *t->order);
    t->spare = calloc(count, sizeof *t->spare);
    enum dn_status status = t->gradient && t->curvature && t->order && t->spare
                                ? train(t, training, breaks, error)
                                : error_set(error, DN_NO_MEMORY, "out of memory");
    free(t->gradient);
    free(t->curvature);
    free(t->order);
    free(t->spare);
    free(t);
    return status;
}
