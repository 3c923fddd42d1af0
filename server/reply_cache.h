/*
 * reply_cache.h - response bodies that were made from the database, kept as long as it does not
 * change.
 *
 * Pollers request the same thing again and again, mostly while nothing has changed. A body is kept
 * with the version of the database (store_version) from before it was read, and served again only
 * while that is still the version. So no client sees a response that is older than an acknowledged
 * commit, or than a commit that another response has shown.
 */
#ifndef SERVER_REPLY_CACHE_H
#define SERVER_REPLY_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/buffer.h"

struct reply_cache;

struct reply_cache *reply_cache_new(void);        /* NULL when out of memory */
void reply_cache_free(struct reply_cache *cache); /* NULL is fine */

/* Appends the body that is kept for the id; false if there is none of this version. */
bool reply_cache_find(struct reply_cache *cache, const char *id, uint64_t version,
                      struct buffer *out);
/* Keeps a copy; may replace another body. */
void reply_cache_keep(struct reply_cache *cache, const char *id, uint64_t version,
                      const struct buffer *body);

#endif
