/*
 * model_cache.h - loaded models that requests share.
 *
 * A model is identified by its id, its epoch and the time at which it was written: after further or
 * repeated training it is another model. The first request for a model loads it, and others wait
 * for that; unused models stay until there is no room for another, and the least recently used one
 * goes first. Together they take at most the cache's bytes (a model that is being loaded counts
 * twice: as it was stored, and as it will be); only one at a time may be there beyond that, so that
 * a model which is larger than the cache can be used, too.
 */
#ifndef SERVER_MODEL_CACHE_H
#define SERVER_MODEL_CACHE_H

#include "engine/denoise.h"
#include "server/store/store.h"

struct model_cache;
struct cached_model;

struct model_cache *model_cache_new(size_t bytes); /* NULL when out of memory */
void model_cache_free(struct model_cache *cache);  /* nothing is in use any more; NULL is fine */

enum model_found {
    MODEL_READY,   /* *model may be used until it is given back */
    MODEL_TO_LOAD, /* not there: the caller says what it is by model_cache_loaded(), or that there
                      is none by model_cache_failed() */
    MODEL_NO_ROOM, /* the models in use leave no room to load it now */
};

/* row: what the store says of it, without its bytes. While another thread loads it, waits, on the
 * pool without a turn (pool_step_out). */
enum model_found model_cache_find(struct model_cache *cache, const struct model *row,
                                  struct cached_model **out, const struct dn_model **model);
/* The cache owns the model from here on, and the caller uses it until it gives it back. */
void model_cache_loaded(struct model_cache *cache, struct cached_model *entry,
                        struct dn_model *model);
void model_cache_failed(struct model_cache *cache, struct cached_model *entry);
void model_cache_give_back(struct model_cache *cache, struct cached_model *entry);

struct model_cache_counts {
    size_t bytes, limit;
    int models, in_use;
    uint64_t loads, hits; /* so far; waiting for another's load is a hit */
};
struct model_cache_counts model_cache_count(struct model_cache *cache);

#endif
