/*
 * utf8.h - whether bytes are UTF-8 (RFC 3629: no overlong forms, no surrogates).
 */
#ifndef SERVER_BASE_UTF8_H
#define SERVER_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

bool utf8_is_valid(const char *text, size_t length);
size_t utf8_length(const char *text, size_t length); /* length of the longest valid prefix */

#endif
