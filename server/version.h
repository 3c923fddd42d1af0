/*
 * version.h - what this binary is.
 */
#ifndef SERVER_VERSION_H
#define SERVER_VERSION_H

extern const char denoised_version[]; /* "0.2.0" */
extern const char denoised_commit[];  /* short git hash, or "unknown" */

/* The linker's digest of this program, in hexadecimal: no other build has the same. "unknown" when
 * the linker left none. */
const char *version_build(void);

#endif
