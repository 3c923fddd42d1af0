/*
 * caching.h - entity tags: clients cache a response and only ask whether it is still current.
 *
 * A tag depends on everything that determines the bytes of its response, so that different
 * responses never have the same tag: neither two formats of a URL, nor the responses of two builds
 * of this program.
 */
#ifndef API_CONTRACT_CACHING_H
#define API_CONTRACT_CACHING_H

#include "api/contract/fields.h"
#include "api/format/formats.h"
#include "server/http/http.h"
#include "server/store/store.h"

/* 64 bits of FNV-1a, as text in the exchange's arena. */
const char *tag_of(struct http_exchange *exchange, const void *bytes, size_t length);

/* What computes the responses, as text: this build of the program, its kernels and the C library.
 * An upgrade may change any number. NULL: no memory. */
const char *program_of(struct http_exchange *exchange);

/* What a request selects of a resource. */
struct choice {
    const struct format *format;
    const struct field_set *fields; /* the fields of its query */
    const void *values;             /* the values read from it */
};

/* Declares that the response, if it is a 200, depends only on this build of the program with its
 * kernels, the choice (NULL: there is none), and the formatted text. is_weak: a few bytes may
 * differ, such as those of a duration. */
void tag_answer(struct http_exchange *exchange, const struct choice *choice, bool is_weak,
                const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The same for what is computed from a stored model; `what`: which kind of computation. */
void tag_model_answer(struct http_exchange *exchange, const struct choice *choice, bool is_weak,
                      const char *what, const struct model *model);

#endif
