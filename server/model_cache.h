/*
 * model_cache.h - loaded models that requests share.
 *
 * A model is identified by its id and the blob that has its bytes: after more training it is
 * another blob, which no clock has to tell. So a row that was just read from the store, one small
 * query, is all that a request needs to know that a loaded model is the present one. The first
 * request for a model loads it, and others wait for that; unused models stay until another one
 * needs their room, and the least recently used one is dropped first. Together they take at most
 * the cache's bytes (a model that is being loaded counts twice: as stored, and as loaded); only one
 * at a time may exceed that, so that a model larger than the cache can be used, too.
 */
#ifndef SERVER_MODEL_CACHE_H
#define SERVER_MODEL_CACHE_H

#include "engine/denoise.h"
#include "server/store/store.h"

struct model_cache;
struct cached_model;

struct model_cache *model_cache_new(size_t bytes); /* NULL when out of memory */
void model_cache_free(struct model_cache *cache);  /* no model may be in use; NULL is fine */

enum model_found {
    MODEL_READY,   /* *model may be used until it is given back */
    MODEL_TO_LOAD, /* the caller loads it: model_cache_loaded() or _failed() follows */
    MODEL_NO_ROOM, /* the models in use leave no room to load it now */
};

/* row: the model's row without its bytes. While another thread loads it, the caller waits, without
 * a turn on the pool (pool_step_out). */
enum model_found model_cache_find(struct model_cache *cache, const struct model *row,
                                  struct cached_model **out, const struct dn_model **model);
/* The cache owns the model from now on; the caller uses it until it gives it back. */
void model_cache_loaded(struct model_cache *cache, struct cached_model *entry,
                        struct dn_model *model);
void model_cache_failed(struct model_cache *cache, struct cached_model *entry);
void model_cache_give_back(struct model_cache *cache, struct cached_model *entry);

struct model_cache_counts {
    size_t bytes, limit;
    int models, in_use;
    uint64_t loads, hits; /* so far; waiting for another thread's load is a hit */
};
struct model_cache_counts model_cache_count(struct model_cache *cache);

#endif
