/*
 * buffer.h - a growing byte buffer for responses.
 *
 * A failed allocation makes the buffer "failed": further appends do nothing, and the response
 * becomes a 503. So callers need no check after each append. The bytes come from malloc.
 */
#ifndef SERVER_BASE_BUFFER_H
#define SERVER_BASE_BUFFER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buffer {
    char *data;
    size_t length, capacity;
    bool failed;
};

/* A zeroed struct buffer is an empty one. */
void buffer_clear(struct buffer *buffer); /* frees the bytes */
void buffer_fail(struct buffer *buffer);  /* as after a failed allocation */
void buffer_append(struct buffer *buffer, const void *bytes, size_t length);
void buffer_text(struct buffer *buffer, const char *text);
void buffer_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Room for at least `length` more bytes, which the caller fills and adds to buffer->length; NULL if
 * failed. */
char *buffer_reserve(struct buffer *buffer, size_t length);

#endif
