/*
 * gzip.h - compression of answers (RFC 1952), whole or piece by piece.
 */
#ifndef SERVER_HTTP_GZIP_H
#define SERVER_HTTP_GZIP_H

#include "server/base/buffer.h"

struct gzip;

/* is_stream: it may last long, for a client that reads slowly, and takes less memory. NULL when out
 * of memory. */
struct gzip *gzip_start(bool is_stream);
void gzip_stop(struct gzip *gzip); /* NULL is fine */
/* Appends what comes out; some may only come with later bytes. is_last: all comes. A failure is
 * out->failed. */
void gzip_put(struct gzip *gzip, const void *bytes, size_t length, bool is_last,
              struct buffer *out);

/* The version of the library that does it, in pictures as well. */
const char *gzip_library(void);

#endif
