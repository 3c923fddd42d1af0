/*
 * caching.h - entity tags: clients keep an answer and ask only whether it is still true.
 */
#ifndef API_CACHING_H
#define API_CACHING_H

#include "server/http.h"
#include "server/store.h"

/* 64 bits of FNV-1a, as text in the exchange's arena. */
const char *tag_of(struct http_exchange *exchange, const void *bytes, size_t length);

/* Says that the answer, if it is a 200, depends on nothing but the URL, this build of the program
 * with its kernels, and what is formatted. is_weak: but for the odd byte, as of a duration. */
void tag_answer(struct http_exchange *exchange, bool is_weak, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for what is computed from a stored model. */
void tag_model_answer(struct http_exchange *exchange, bool is_weak, const struct model *model);

#endif
