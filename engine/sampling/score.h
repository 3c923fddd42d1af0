/*
 * score.h - the log-density of a model at a point, by the probability-flow ODE.
 *
 * The ODE takes a point from the data to noise, and its density with it (Song et al. 2021,
 * "Score-based generative modeling through SDEs", sec. 4.3; Chen et al. 2018). Whatever the
 * schedule, the states are scaled to y = x_t / r with r^2 = signal^2 + noise^2, so that
 * y = cos(phi) x_0 + sin(phi) eps. With the model's estimate D of x_0 and the time u,
 *
 *     u = ln tan(phi / 2):    dy/du = cos(phi) y - D,    d ln p(y)/du = tr(dD/dy) - cos(phi) dim
 *
 * Neither rate divides by anything, up to pure noise (u = 0), and u is even in ln(noise / signal)
 * where there is little noise. The network knows whole timesteps only, so they are the nodes. From
 * one to the next, Adams-Bashforth predicts and Adams-Moulton corrects, with the two nodes before
 * (order 3); the divergence at the nodes is integrated by piecewise parabolas.
 */
#ifndef ENGINE_SAMPLING_SCORE_H
#define ENGINE_SAMPLING_SCORE_H

#include "engine/diffusion/moments.h"
#include "engine/diffusion/schedule.h"

struct score_node {
    int t;
    double u;
    double signal, noise; /* cos(phi), sin(phi) */
    double radius;        /* r */
    double weight;        /* of the divergence here */
    /* To this node from the one before: the weights of dy/du, here (as predicted), at the node
     * before, and before that. */
    float predict[2], correct[3];
};

struct score_path {
    int count; /* nodes, at least 1, from the first timestep to the last */
    struct score_node *node;
};

/* At most this number of steps, evenly spaced in u as far as there are timesteps. */
enum dn_status score_path_init(struct score_path *path, const struct schedule *schedule, int steps,
                               struct dn_error *error);
size_t score_path_bytes(int steps); /* maximum of bytes allocated */
void score_path_clear(struct score_path *path);

/* A network, or in tests the exact solution. Writes the estimates x_0 [n][dim] for the points x
 * [n][dim] at timestep t >= 1, in model units, and the trace of d x_0 / d x of each point into
 * traces [n] unless it is NULL. */
struct divergent {
    void (*estimate)(void *context, int t, size_t n, const float *x, float *x_0, double *traces);
    void *context;
};

/* Points on their way from data to noise. */
struct score_walk {
    size_t n, dim;
    float *y;                     /* [n][dim] */
    float *x, *x_0;               /* [n][dim] what is estimated, and the estimate */
    float *rate, *before, *ahead; /* [n][dim] dy/du: here, at the node before, predicted */
    double *traces;               /* [n] */
    double *log_density;          /* [n] */
};

/* From data x [n][dim] in model units to the first node. */
void score_begin(struct score_walk *walk, const struct score_path *path, const float *x);
/* From node k - 1 (0: none) to node k, two estimates for each point; in the order of the nodes. */
void score_step(struct score_walk *walk, const struct score_path *path, int k,
                const struct divergent *denoiser);
/* At the last node: adds the density of noise, which is that of the noised data, as far as its
 * moments say; with NULL or 0 nodes N(0, I), which samples start from. log_density is then that of
 * the data, smoothed by the noise of the first timestep. */
void score_end(struct score_walk *walk, const struct score_path *path,
               const struct moments *moments);

#endif
