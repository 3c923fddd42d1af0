/*
 * gzip.h - compression of responses (RFC 1952), whole or piece by piece.
 */
#ifndef SERVER_HTTP_GZIP_H
#define SERVER_HTTP_GZIP_H

#include "server/base/buffer.h"

struct gzip;

/* is_stream: for output that a slow client reads over a long time; takes less memory. NULL when out
 * of memory. */
struct gzip *gzip_start(bool is_stream);
void gzip_stop(struct gzip *gzip); /* NULL is fine */
/* Appends the compressed bytes; some may be kept until later calls, none if is_last. A failure is
 * out->failed. */
void gzip_put(struct gzip *gzip, const void *bytes, size_t length, bool is_last,
              struct buffer *out);

/* The version of the compressor, which writes pictures as well. */
const char *gzip_library(void);

#endif
