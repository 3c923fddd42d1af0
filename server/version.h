/*
 * version.h - the version of this binary.
 */
#ifndef SERVER_VERSION_H
#define SERVER_VERSION_H

extern const char denoised_version[]; /* "0.2.0" */
extern const char denoised_commit[];  /* short git hash, or "unknown" */

/* The linker's digest of this program, in hexadecimal, which no other build has; "unknown" if the
 * linker made none. */
const char *version_build(void);

#endif
