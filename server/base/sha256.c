#include "server/base/sha256.h"

#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>

void sha256_text(const void *bytes, size_t size, char text[SHA256_TEXT]) {
    unsigned char digest[32];
    /* This fails only without memory, or if the machine forbids SHA-256; then any text would be
     * wrong. */
    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes, size, digest) != 0)
        abort();
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
}
