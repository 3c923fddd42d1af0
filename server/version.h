/*
 * version.h - what this binary is.
 */
#ifndef SERVER_VERSION_H
#define SERVER_VERSION_H

extern const char denoised_version[]; /* "0.1.0" */
extern const char denoised_commit[];  /* short git hash, or "unknown" */

#endif
