/*
 * content.h - which part of a response goes to the client: nothing if the client has it already, a
 * range on request, and compressed if the client accepts that (RFC 9110, sections 8 and 12 to 14).
 * Parses the headers that decide this.
 */
#ifndef SERVER_HTTP_CONTENT_H
#define SERVER_HTTP_CONTENT_H

#include <stdbool.h>
#include <stddef.h>

/* The q of one member of a preference list, "name;q=0.5" [length]; 1 if it has none. */
double content_quality(const char *member, size_t length);

/* Does an Accept-Encoding header (may be NULL) prefer gzip to no compression? */
bool content_accepts_gzip(const char *accept_encoding);

/* Finds the entity tag in a list (If-None-Match) that names this version: `tag` in quotes, also
 * with "-gzip" after it, also weak, or "*". Returns its text, and its length with the quotes; or
 * NULL. */
const char *content_find_tag(const char *list, const char *tag, size_t *length);

enum content_range { RANGE_NONE, RANGE_ONE, RANGE_BEYOND };
/* Reads a Range header with one range of a body of `size` bytes. RANGE_ONE: sets first and last,
 * which are within the body. RANGE_NONE: not understood, or several ranges; the response is the
 * whole body. RANGE_BEYOND: 416. */
enum content_range content_find_range(const char *range, size_t size, size_t *first, size_t *last);

struct http_call;
/* Would it take long to compress this response? */
bool http_content_is_large(const struct http_call *call);
/* Turns the complete response into the one that is sent. Any thread that owns the exchange; a
 * second call does nothing. */
void http_finish_content(struct http_call *call);

#endif
