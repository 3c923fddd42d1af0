/*
 * rate.h - how many requests each client may send, and a number that identifies a client.
 */
#ifndef SERVER_BASE_RATE_H
#define SERVER_BASE_RATE_H

#include <netinet/in.h>
#include <stdint.h>

/* A number that identifies a client, for sharing resources fairly: by the name of its API key or,
 * without one (""), by its address (for IPv6, its /64). */
uint64_t rate_client_number(const struct in6_addr *client, const char *key_name);

/* Token buckets, one per client address (an IPv6 client is its /64): `per_minute` requests may come
 * at once, and as many follow within each minute. */
struct rate;
struct rate *rate_new(int per_minute); /* NULL when out of memory */
void rate_free(struct rate *rate);
/* Takes a token at the monotonic time `now`. 0, or the seconds (at least 1) until there is one
 * again. Any thread. */
int rate_take(struct rate *rate, const struct in6_addr *client, double now);

#endif
