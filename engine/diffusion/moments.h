/*
 * moments.h - the mean and the covariance of the data, and how much of it a model leaves open.
 *
 * A sampler replaces x_0 by its estimate D = E[x_0 | x_t]. What varies about the estimate is lost:
 * by the law of total variance, Cov(x_0) = Cov(D) + E[Cov(x_0 | x_t)]. A plan restores it (plan.c),
 * and needs E[Cov(x_0 | x_t)] for that (Bao et al. 2022, "Analytic-DPM"). Along the principal axes
 * of the data, with variance v of the data along one of them, signal s and noise n, the best
 * estimate that is linear in x_t leaves
 *
 *     v n^2 / (s^2 v + n^2)
 *
 * which is all there is to know if the data is Gaussian. Other data has more structure, of which a
 * model leaves a share `open` of this variance: 1 for Gaussian data, 0 where x_t tells all. It is
 * measured at a few timesteps, the nodes.
 */
#ifndef ENGINE_DIFFUSION_MOMENTS_H
#define ENGINE_DIFFUSION_MOMENTS_H

#include "engine/base/serial.h"
#include "engine/diffusion/schedule.h"

enum { MOMENTS_NODES = 32 }; /* maximum */

/* In model units. */
struct moments {
    int dim, nodes;                         /* 0 nodes: nothing is known, and nothing restored */
    float mean[DN_MAX_DIM];                 /* [dim] */
    float variance[DN_MAX_DIM];             /* [dim] along each principal axis, the largest first */
    float axes[DN_MAX_DIM * DN_MAX_DIM];    /* [dim][dim] row k is the unit vector of axis k */
    float open[MOMENTS_NODES * DN_MAX_DIM]; /* [nodes][dim] by axis; 0..1 */
};

/* The nodes of models with this process: 0 if it does not reach noise. There, a sampler starts from
 * another distribution than the states had in training, so that what is missing is not known. */
int moments_nodes(const struct dn_diffusion_spec *spec);

/* The timestep of node i: evenly spaced from 1 to T. */
int moments_timestep(int nodes, int timesteps, int i);

/* Fits the mean, the axes and the variances to points [n][dim], n > 0. Nothing is open yet. */
void moments_fit(struct moments *moments, int nodes, const float *points, size_t n, int dim);

/* The share that is open at timestep t along an axis, linear between the nodes. */
double moments_open(const struct moments *moments, int timesteps, int t, int axis);

/* DN_INVALID, and why, unless all numbers are finite, variances at least 0, shares 0..1, and the
 * axes orthonormal. */
enum dn_status moments_check(const struct moments *moments, struct dn_error *error);

/* dim and nodes must be set. */
void moments_serial(struct serial *serial, struct moments *moments);

#endif
