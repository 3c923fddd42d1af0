/*
 * kept.h - responses that stay the same while the process runs: made once, on the pool, with their
 * compressed form and their entity tag, and then served from memory.
 */
#ifndef API_CONTRACT_KEPT_H
#define API_CONTRACT_KEPT_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/http/http.h"

/* Initialized with KEPT_EMPTY. */
struct kept {
    pthread_mutex_t mutex;
    atomic_bool is_made;
    struct buffer body, gzip;
    char etag[20];
};
#define KEPT_EMPTY                                                                                 \
    { .mutex = PTHREAD_MUTEX_INITIALIZER }

/* Puts the kept body, compressed form and tag into the response. False: it is not made yet. */
bool kept_find(struct kept *kept, struct http_exchange *exchange);
/* Keeps bytes [length] as the body, unless there already is one or there is no memory. It takes
 * milliseconds. */
void kept_make(struct kept *kept, struct http_exchange *exchange, const char *bytes, size_t length);

#endif
