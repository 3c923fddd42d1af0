#include "server/reply_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/store.h"

enum { SLOTS = 64, MAX_BYTES = 8 << 10 };

struct slot {
    char id[ID_LENGTH + 1]; /* "": empty */
    uint64_t version;
    struct buffer body;
};

struct reply_cache {
    pthread_mutex_t mutex;
    struct slot slots[SLOTS];
};

struct reply_cache *reply_cache_new(void) {
    struct reply_cache *cache = calloc(1, sizeof *cache);
    if (cache)
        pthread_mutex_init(&cache->mutex, NULL);
    return cache;
}

void reply_cache_free(struct reply_cache *cache) {
    if (!cache)
        return;
    for (int i = 0; i < SLOTS; i++)
        buffer_clear(&cache->slots[i].body);
    pthread_mutex_destroy(&cache->mutex);
    free(cache);
}

static struct slot *slot_of(struct reply_cache *cache, const char *id) {
    uint32_t hash = 2166136261; /* FNV-1a */
    for (; *id; id++)
        hash = (hash ^ (unsigned char)*id) * 16777619;
    return &cache->slots[(hash ^ hash >> 16) % SLOTS];
}

bool reply_cache_find(struct reply_cache *cache, const char *id, uint64_t version,
                      struct buffer *out) {
    struct slot *slot = slot_of(cache, id);
    pthread_mutex_lock(&cache->mutex);
    const bool found = slot->version == version && strcmp(slot->id, id) == 0;
    if (found)
        buffer_append(out, slot->body.data, slot->body.length);
    pthread_mutex_unlock(&cache->mutex);
    return found;
}

void reply_cache_keep(struct reply_cache *cache, const char *id, uint64_t version,
                      const struct buffer *body) {
    struct slot *slot = slot_of(cache, id);
    if (version == STORE_VERSION_UNKNOWN || body->failed || body->length > MAX_BYTES ||
        strlen(id) >= sizeof slot->id)
        return;
    pthread_mutex_lock(&cache->mutex);
    slot->body.length = 0;
    buffer_append(&slot->body, body->data, body->length);
    slot->version = version;
    strcpy(slot->id, slot->body.failed ? "" : id);
    if (slot->body.failed)
        buffer_clear(&slot->body);
    pthread_mutex_unlock(&cache->mutex);
}
