#include "server/base/rate.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* The table has a fixed size, so that no number of clients costs memory: each address has WAYS
 * places. If all are taken, the least recently used one is reset and reused, so many clients can
 * only make the limit less strict. */
enum { SETS = 1024, WAYS = 4 };

struct bucket {
    uint64_t address; /* a keyed hash of it; 0: free */
    double tokens, since;
};

struct rate {
    pthread_mutex_t mutex;
    double per_minute;
    uint64_t key;
    struct bucket buckets[SETS][WAYS];
};

struct rate *rate_new(int per_minute) {
    struct rate *rate = calloc(1, sizeof *rate);
    if (!rate)
        return NULL;
    pthread_mutex_init(&rate->mutex, NULL);
    rate->per_minute = per_minute;
    if (getrandom(&rate->key, sizeof rate->key, 0) != sizeof rate->key)
        rate->key = (uintptr_t)rate;
    return rate;
}

void rate_free(struct rate *rate) {
    if (rate)
        pthread_mutex_destroy(&rate->mutex);
    free(rate);
}

static uint64_t mix(uint64_t x) { /* the finalizer of SplitMix64 */
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

/* An IPv6 network is one client, because whoever has one of its addresses has them all. */
static uint64_t prefix_of(const struct in6_addr *client) {
    uint64_t prefix = 0;
    const bool is_ipv4 = IN6_IS_ADDR_V4MAPPED(client);
    memcpy(&prefix, client->s6_addr + (is_ipv4 ? 12 : 0), is_ipv4 ? 4 : 8);
    return prefix;
}

static uint64_t hash_of(const struct rate *rate, const struct in6_addr *client) {
    return mix(mix(prefix_of(client) + rate->key) + rate->key) | 1;
}

uint64_t rate_client_number(const struct in6_addr *client, const char *key_name) {
    uint64_t hash = mix(prefix_of(client) + 1);
    if (key_name[0])
        hash = 0;
    for (; *key_name; key_name++)
        hash = mix(hash + (unsigned char)*key_name + 1);
    return hash;
}

static struct bucket *bucket_of(struct rate *rate, uint64_t address, double now) {
    struct bucket *set = rate->buckets[(address >> 1) % SETS], *found = &set[0];
    for (int i = 0; i < WAYS; i++) {
        if (set[i].address == address)
            return &set[i];
        if (set[i].since < found->since)
            found = &set[i];
    }
    *found = (struct bucket){.address = address, .tokens = rate->per_minute, .since = now};
    return found;
}

int rate_take(struct rate *rate, const struct in6_addr *client, double now) {
    pthread_mutex_lock(&rate->mutex);
    struct bucket *bucket = bucket_of(rate, hash_of(rate, client), now);
    double per_second = rate->per_minute / 60;
    bucket->tokens = fmin(rate->per_minute, bucket->tokens + (now - bucket->since) * per_second);
    bucket->since = now;
    bool taken = bucket->tokens >= 1;
    int wait = taken ? 0 : (int)fmax(1, ceil((1 - bucket->tokens) / per_second));
    bucket->tokens -= taken;
    pthread_mutex_unlock(&rate->mutex);
    return wait;
}
