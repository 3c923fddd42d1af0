/*
 * caching.h - entity tags: clients keep an answer and ask only whether it is still true.
 *
 * A tag names all that the bytes of its answer depend on, so that no two answers that differ have
 * the same one: not two formats of a URL, and not those of two builds of this program.
 */
#ifndef API_CONTRACT_CACHING_H
#define API_CONTRACT_CACHING_H

#include "api/contract/fields.h"
#include "api/format/formats.h"
#include "server/http/http.h"
#include "server/store/store.h"

/* 64 bits of FNV-1a, as text in the exchange's arena. */
const char *tag_of(struct http_exchange *exchange, const void *bytes, size_t length);

/* What computes, as text: this build of the program, its kernels and the C library. An upgrade may
 * change any number. NULL: no memory. */
const char *program_of(struct http_exchange *exchange);

/* What a request has chosen of a resource. */
struct choice {
    const struct format *format;
    const struct field_set *fields; /* of its query.. */
    const void *values;             /* ..and what they are, read */
};

/* Says that the answer, if it is a 200, depends on nothing but this build of the program with its
 * kernels, the choice (NULL: there is none), and what is formatted. is_weak: but for the odd byte,
 * as of a duration. */
void tag_answer(struct http_exchange *exchange, const struct choice *choice, bool is_weak,
                const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The same for what is computed from a stored model; `what`: which kind of computation. */
void tag_model_answer(struct http_exchange *exchange, const struct choice *choice, bool is_weak,
                      const char *what, const struct model *model);

#endif
