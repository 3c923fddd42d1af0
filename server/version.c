#include "server/version.h"

/* Both come from the Makefile. */
const char denoised_version[] = DENOISED_VERSION;
const char denoised_commit[] = DENOISED_COMMIT;
