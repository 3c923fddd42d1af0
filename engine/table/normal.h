/*
 * normal.h - the standard normal distribution, in double precision.
 */
#ifndef ENGINE_TABLE_NORMAL_H
#define ENGINE_TABLE_NORMAL_H

/* Phi(z): the share of N(0, 1) below z. */
double normal_share(double z);

/* Its inverse, for a share in (0, 1); 0 and 1 give the infinities. Relative error about 1e-15
 * (Wichura 1988, "The percentage points of the normal distribution", algorithm AS 241). Whole
 * groups are a kernel (`scores` of engine/base/kernels.h). */
double normal_score(double share);

#endif
