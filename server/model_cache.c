#include "server/model_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/id.h"
#include "server/threads/pool.h"

enum { OVERHEAD_BYTES = 4096 }; /* of an entry, about: texts, tables, the allocator */

struct cached_model {
    struct cached_model *next; /* the most recently used comes first */
    char id[ID_LENGTH + 1];
    int64_t blob;
    struct dn_model *model; /* NULL: it is being loaded */
    int users;              /* the thread that loads it counts, too */
    size_t bytes;           /* counted for it */
    bool is_beyond;         /* it is the one that may exceed the limit */
};

struct model_cache {
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* a load succeeded or failed */
    struct cached_model *first;
    size_t used, limit;
    size_t beyond; /* bytes of the one that exceeds the limit; not in `used` */
    uint64_t loads, hits;
};

struct model_cache *model_cache_new(size_t bytes) {
    struct model_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return NULL;
    cache->limit = bytes;
    pthread_mutex_init(&cache->mutex, NULL);
    pthread_cond_init(&cache->changed, NULL);
    return cache;
}

/* ------------------------------------------------------------------ with the mutex held */

/* Sets the bytes that are counted for an entry. */
static void count(struct model_cache *cache, struct cached_model *entry, size_t bytes,
                  bool is_beyond) {
    *(entry->is_beyond ? &cache->beyond : &cache->used) -= entry->bytes;
    entry->bytes = bytes;
    entry->is_beyond = is_beyond;
    *(entry->is_beyond ? &cache->beyond : &cache->used) += entry->bytes;
}

/* Removes *at from the list and frees it. */
static void drop(struct model_cache *cache, struct cached_model **at) {
    struct cached_model *entry = *at;
    *at = entry->next;
    count(cache, entry, 0, false);
    dn_model_free(entry->model);
    free(entry);
}

static struct cached_model **place_of(struct model_cache *cache, const struct cached_model *entry) {
    struct cached_model **at = &cache->first;
    while (*at != entry)
        at = &(*at)->next;
    return at;
}

/* The least recently used entry without users. */
static struct cached_model **least_recent(struct model_cache *cache) {
    struct cached_model **found = NULL;
    for (struct cached_model **at = &cache->first; *at; at = &(*at)->next)
        if ((*at)->users == 0)
            found = at;
    return found;
}

/* Drops unused models until this number of additional bytes fits, or there is nothing left to
 * drop. */
static bool make_room(struct model_cache *cache, size_t bytes) {
    struct cached_model **at;
    while (bytes > cache->limit - cache->used && (at = least_recent(cache)))
        drop(cache, at);
    return bytes <= cache->limit - cache->used;
}

static struct cached_model *find(struct model_cache *cache, const struct model *row) {
    for (struct cached_model **at = &cache->first; *at; at = &(*at)->next) {
        struct cached_model *entry = *at;
        if (entry->blob != row->blob || strcmp(entry->id, row->id) != 0)
            continue;
        *at = entry->next;
        entry->next = cache->first;
        cache->first = entry;
        return entry;
    }
    return NULL;
}

static enum model_found add(struct model_cache *cache, const struct model *row,
                            struct cached_model **out) {
    const size_t bytes = 2 * row->byte_count + OVERHEAD_BYTES;
    const bool fits = make_room(cache, bytes);
    struct cached_model *entry = fits || cache->beyond == 0 ? calloc(1, sizeof *entry) : NULL;
    if (!entry)
        return MODEL_NO_ROOM;
    *entry = (struct cached_model){.next = cache->first, .blob = row->blob, .users = 1};
    memcpy(entry->id, row->id, sizeof entry->id);
    count(cache, entry, bytes, !fits);
    cache->first = entry;
    cache->loads++;
    *out = entry;
    return MODEL_TO_LOAD;
}

/* ------------------------------------------------------------------ for other files */

enum model_found model_cache_find(struct model_cache *cache, const struct model *row,
                                  struct cached_model **out, const struct dn_model **model) {
    enum model_found found;
    struct cached_model *entry;
    bool stepped_out = false;
    pthread_mutex_lock(&cache->mutex);
    while ((entry = find(cache, row)) && !entry->model) { /* another thread loads it */
        if (stepped_out) {
            pthread_cond_wait(&cache->changed, &cache->mutex);
        } else {
            pthread_mutex_unlock(&cache->mutex);
            pool_step_out();
            stepped_out = true;
            pthread_mutex_lock(&cache->mutex);
        }
    }
    if (entry) {
        entry->users++;
        cache->hits++;
        *out = entry;
        *model = entry->model;
        found = MODEL_READY;
    } else {
        found = add(cache, row, out);
    }
    pthread_mutex_unlock(&cache->mutex);
    if (stepped_out)
        pool_step_in();
    return found;
}

void model_cache_loaded(struct model_cache *cache, struct cached_model *entry,
                        struct dn_model *model) {
    pthread_mutex_lock(&cache->mutex);
    entry->model = model;
    const size_t bytes = dn_model_bytes(model) + OVERHEAD_BYTES;
    count(cache, entry, 0, false);
    count(cache, entry, bytes, bytes > cache->limit - cache->used);
    pthread_cond_broadcast(&cache->changed);
    pthread_mutex_unlock(&cache->mutex);
}

void model_cache_failed(struct model_cache *cache, struct cached_model *entry) {
    pthread_mutex_lock(&cache->mutex);
    drop(cache, place_of(cache, entry));
    pthread_cond_broadcast(&cache->changed);
    pthread_mutex_unlock(&cache->mutex);
}

void model_cache_give_back(struct model_cache *cache, struct cached_model *entry) {
    pthread_mutex_lock(&cache->mutex);
    if (--entry->users == 0 && entry->is_beyond)
        drop(cache, place_of(cache, entry));
    pthread_mutex_unlock(&cache->mutex);
}

void model_cache_free(struct model_cache *cache) {
    if (!cache)
        return;
    while (cache->first)
        drop(cache, &cache->first);
    pthread_cond_destroy(&cache->changed);
    pthread_mutex_destroy(&cache->mutex);
    free(cache);
}

struct model_cache_counts model_cache_count(struct model_cache *cache) {
    struct model_cache_counts counts = {0};
    pthread_mutex_lock(&cache->mutex);
    counts.bytes = cache->used + cache->beyond;
    counts.limit = cache->limit;
    counts.loads = cache->loads;
    counts.hits = cache->hits;
    for (const struct cached_model *entry = cache->first; entry; entry = entry->next) {
        counts.models++;
        counts.in_use += entry->users > 0;
    }
    pthread_mutex_unlock(&cache->mutex);
    return counts;
}
