/*
 * sha256.h - SHA-256 (FIPS 180-4), to identify contents.
 */
#ifndef SERVER_BASE_SHA256_H
#define SERVER_BASE_SHA256_H

#include <stddef.h>

enum { SHA256_TEXT = 65 };

/* The digest of bytes [size] as 64 lower-case hex digits. */
void sha256_text(const void *bytes, size_t size, char text[SHA256_TEXT]);

#endif
