/*
 * content.h - what of an answer really goes to the client: nothing if it has that already, a
 * range if it asks for one, and all of it compressed if it can read that (RFC 9110, sections 8, 12
 * to 14). The parsing of the headers that say so.
 */
#ifndef SERVER_HTTP_CONTENT_H
#define SERVER_HTTP_CONTENT_H

#include <stdbool.h>
#include <stddef.h>

/* The q of one member of a list of preferences, "name;q=0.5" [length]; 1 if it has none. */
double content_quality(const char *member, size_t length);

/* Does an Accept-Encoding header (may be NULL) ask for gzip, and not rather for none? */
bool content_accepts_gzip(const char *accept_encoding);

/* The entity tag of a list (If-None-Match) that names this version: `tag` without quotes, or with
 * "-gzip" after it; weak ones count as well. NULL, or its text and length with quotes. "*" does. */
const char *content_find_tag(const char *list, const char *tag, size_t *length);

enum content_range { RANGE_NONE, RANGE_ONE, RANGE_BEYOND };
/* A Range header with one range of a body of `size` bytes: RANGE_ONE sets first and last, which are
 * in the body. RANGE_NONE: not understood, or several; then the whole body is the answer.
 * RANGE_BEYOND: 416. */
enum content_range content_find_range(const char *range, size_t size, size_t *first, size_t *last);

struct http_call;
/* Would it take long to compress this answer? */
bool http_content_is_large(const struct http_call *call);
/* Makes the answer that is complete so into the one that is sent. Any thread that owns the
 * exchange; a second call does nothing. */
void http_finish_content(struct http_call *call);

#endif
