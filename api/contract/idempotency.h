/*
 * idempotency.h - Idempotency-Key: a request that is repeated because its answer was lost changes
 * nothing the second time, and gets the answer of the first.
 *
 * Operations that can be repeated without harm (a cancel, a deletion, a request for samples) ignore
 * the key.
 */
#ifndef API_CONTRACT_IDEMPOTENCY_H
#define API_CONTRACT_IDEMPOTENCY_H

#include "server/http/http.h"
#include "server/store/store.h"

/* The header, in the arena; *key is NULL without one. False: it is not a valid key, and 400 is the
 * answer. */
bool idempotency_key(struct http_exchange *exchange, const char **key);

/* Answers 422: the key was used with a different request. */
void idempotency_reused(struct http_exchange *exchange);
/* The headers of a repeated answer: the path of the resource created the first time, below
 * `base`. */
void idempotency_replayed(struct http_exchange *exchange, const char *base, const char *id);

/* For requests other than submissions of jobs; does nothing if replay->key is NULL. On the writer:
 * has the request been served before? ONCE_BEFORE: `id` is what it created; ONCE_REFUSED: the error
 * is already the answer. */
enum once { ONCE_NEW, ONCE_BEFORE, ONCE_REFUSED };
enum once idempotency_find(struct http_exchange *exchange, struct store_session *session,
                           const struct replay *replay, char id[ID_LENGTH + 1]);
/* In the same transaction: records what the request created. False: the error is already the
 * answer. */
bool idempotency_keep(struct http_exchange *exchange, struct store_session *session,
                      const struct replay *replay, const char *id);

/* What distinguishes an upload from others: the digest of its bytes, its type and its parameters.
 * NULL: no memory. */
const char *idempotency_upload(struct http_exchange *exchange, const char *sha256);

#endif
