/*
 * score_path.c - the equations of score.h, for any denoiser.
 */
#include <math.h>
#include <stdlib.h>

#include "engine/internal.h"
#include "engine/sampling/score.h"

/* ------------------------------------------------------------------ nodes */

static struct score_node node_of(const struct schedule *schedule, int t) {
    const double signal = sqrt(schedule->alpha_bar[t]), noise = sqrt(schedule->variance[t]);
    const double radius = hypot(signal, noise);
    return (struct score_node){.t = t,
                               .u = log(noise / (radius + signal)),
                               .signal = signal / radius,
                               .noise = noise / radius,
                               .radius = radius};
}

/* The timesteps nearest to even distances in u; each once. */
static void place_nodes(struct score_path *path, const struct schedule *schedule, int steps) {
    const int T = schedule->timesteps;
    const double first = node_of(schedule, 1).u, last = node_of(schedule, T).u;
    int t = 1;
    for (int k = 0; k <= steps; k++) {
        const double wanted = steps > 0 ? first + (last - first) * k / steps : first;
        struct score_node here = node_of(schedule, t);
        while (t < T) {
            const struct score_node next = node_of(schedule, t + 1);
            if (fabs(next.u - wanted) > fabs(here.u - wanted))
                break;
            here = next;
            t++;
        }
        if (path->count == 0 || path->node[path->count - 1].t < t)
            path->node[path->count++] = here;
    }
}

/* The integral from a to b of the parabola that is 1 at p and 0 at q and r: Simpson's rule is
 * exact. */
static double parabola(double a, double b, double p, double q, double r) {
    const double ends[3] = {a, (a + b) / 2, b}, weights[3] = {1, 4, 1};
    double sum = 0;
    for (int i = 0; i < 3; i++)
        sum += weights[i] * (ends[i] - q) * (ends[i] - r);
    return sum * (b - a) / 6 / ((p - q) * (p - r));
}

/* The weights of a step to node[0] from node[-1]; has_before: there is a node[-2]. Without it, of
 * Heun's method. */
static void set_weights(struct score_node *node, bool has_before) {
    const double b = node[0].u, a = node[-1].u, h = b - a;
    node->predict[0] = (float)h;
    node->correct[0] = node->correct[1] = (float)(h / 2);
    if (!has_before)
        return;
    const double c = node[-2].u, over = h * h / 2 / (a - c);
    node->predict[0] = (float)(h + over);
    node->predict[1] = (float)-over;
    node->correct[0] = (float)parabola(a, b, b, a, c);
    node->correct[1] = (float)parabola(a, b, a, b, c);
    node->correct[2] = (float)parabola(a, b, c, a, b);
}

/* Adds the weights of the integral from node[0] to node[1], of the parabola through these and the
 * node `third`, times a share. */
static void add_parabola(struct score_node *node, int third, double share) {
    const double a = node[0].u, b = node[1].u, c = node[third].u;
    node[0].weight += share * parabola(a, b, a, b, c);
    node[1].weight += share * parabola(a, b, b, a, c);
    node[third].weight += share * parabola(a, b, c, a, b);
}

/* Between two nodes, the mean of the parabolas with the node before and the node after, where there
 * are both. */
static void weigh_nodes(struct score_path *path) {
    for (int k = 0; k + 1 < path->count; k++) {
        struct score_node *node = &path->node[k];
        const bool has_before = k > 0, has_after = k + 2 < path->count;
        const double share = has_before && has_after ? 0.5 : 1;
        if (has_before)
            add_parabola(node, -1, share);
        if (has_after)
            add_parabola(node, 2, share);
        if (!has_before && !has_after)
            node[0].weight = node[1].weight = (node[1].u - node[0].u) / 2;
    }
}

size_t score_path_bytes(int steps) {
    return ((size_t)steps + 1) * sizeof(struct score_node);
}

enum dn_status score_path_init(struct score_path *path, const struct schedule *schedule, int steps,
                               struct dn_error *error) {
    *path = (struct score_path){.node = malloc(score_path_bytes(steps))};
    if (!path->node)
        return error_set(error, DN_NO_MEMORY, "out of memory");
    place_nodes(path, schedule, steps);
    for (int k = 1; k < path->count; k++)
        set_weights(&path->node[k], k > 1);
    weigh_nodes(path);
    return DN_OK;
}

void score_path_clear(struct score_path *path) {
    free(path->node);
    *path = (struct score_path){0};
}

/* ------------------------------------------------------------------ the way */

void score_begin(struct score_walk *walk, const struct score_path *path, const float *x) {
    const float signal = (float)path->node[0].signal;
    for (size_t e = 0; e < walk->n * walk->dim; e++) {
        walk->y[e] = signal * x[e];
        walk->rate[e] = walk->before[e] = 0; /* which other points have left there */
    }
    for (size_t i = 0; i < walk->n; i++) /* the density of x_0, from that of y */
        walk->log_density[i] = (double)walk->dim * log(path->node[0].signal);
}

/* dy/du at y [n][dim], and the divergence of x_0 by y unless traces is NULL. */
static void estimate(struct score_walk *walk, const struct score_node *node,
                     const struct divergent *denoiser, const float *y, float *rate,
                     double *traces) {
    const float radius = (float)node->radius, signal = (float)node->signal;
    const size_t count = walk->n * walk->dim;
    for (size_t e = 0; e < count; e++)
        walk->x[e] = radius * y[e];
    denoiser->estimate(denoiser->context, node->t, walk->n, walk->x, walk->x_0, traces);
    for (size_t e = 0; e < count; e++)
        rate[e] = signal * y[e] - walk->x_0[e];
}

static void advance(struct score_walk *walk, const struct score_node *node,
                    const struct divergent *denoiser) {
    const size_t count = walk->n * walk->dim;
    const float *restrict rate = walk->rate, *restrict before = walk->before;
    float *restrict y = walk->y, *restrict ahead = walk->ahead;
    for (size_t e = 0; e < count; e++)
        ahead[e] = y[e] + node->predict[0] * rate[e] + node->predict[1] * before[e];
    estimate(walk, node, denoiser, ahead, ahead, NULL);
    for (size_t e = 0; e < count; e++)
        y[e] +=
            node->correct[0] * ahead[e] + node->correct[1] * rate[e] + node->correct[2] * before[e];
}

void score_step(struct score_walk *walk, const struct score_path *path, int k,
                const struct divergent *denoiser) {
    const struct score_node *node = &path->node[k];
    if (k > 0)
        advance(walk, node, denoiser);
    float *rate = walk->before; /* no longer needed */
    walk->before = walk->rate;
    walk->rate = rate;
    estimate(walk, node, denoiser, walk->y, walk->rate, walk->traces);
    for (size_t i = 0; i < walk->n; i++)
        walk->log_density[i] +=
            node->weight * (node->signal * (double)walk->dim - node->radius * walk->traces[i]);
}

/* ------------------------------------------------------------------ the noise at the end */

static double log_gauss(double square, double variance) {
    return -0.5 * (square / variance + log(2 * M_PI * variance));
}

/* Along the principal axes of the data. */
static double log_noised(const struct score_node *node, const struct moments *moments,
                         const float *y) {
    double sum = 0;
    for (int k = 0; k < moments->dim; k++) {
        const float *axis = moments->axes + k * moments->dim;
        double along = 0;
        for (int j = 0; j < moments->dim; j++)
            along += (double)axis[j] * ((double)y[j] - node->signal * (double)moments->mean[j]);
        sum += log_gauss(along * along, node->signal * node->signal * (double)moments->variance[k] +
                                            node->noise * node->noise);
    }
    return sum;
}

static double log_start(const struct score_node *node, size_t dim, const float *y) {
    double sum = 0;
    for (size_t j = 0; j < dim; j++)
        sum += log_gauss((double)y[j] * (double)y[j], 1 / (node->radius * node->radius));
    return sum;
}

void score_end(struct score_walk *walk, const struct score_path *path,
               const struct moments *moments) {
    const struct score_node *node = &path->node[path->count - 1];
    for (size_t i = 0; i < walk->n; i++) {
        const float *y = walk->y + i * walk->dim;
        walk->log_density[i] += moments && moments->nodes > 0 ? log_noised(node, moments, y)
                                                              : log_start(node, walk->dim, y);
    }
}
