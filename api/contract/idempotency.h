/*
 * idempotency.h - Idempotency-Key: a request that is sent again, because its answer was lost, does
 * no more the second time, and gets the answer of the first.
 *
 * Of what may be sent twice without harm (a cancel, a deletion, a request for samples) the key is
 * of no use, and not looked at.
 */
#ifndef API_CONTRACT_IDEMPOTENCY_H
#define API_CONTRACT_IDEMPOTENCY_H

#include "server/http/http.h"
#include "server/store/store.h"

/* The header, in the arena; *key is NULL without one. False: it is no key, and 400 is the answer.
 */
bool idempotency_key(struct http_exchange *exchange, const char **key);

/* 422: the key came with another request before. */
void idempotency_reused(struct http_exchange *exchange);
/* The headers of an answer that was given before: the path of what was made then, below `base`. */
void idempotency_replayed(struct http_exchange *exchange, const char *base, const char *id);

/* Of requests other than submissions of jobs. replay->key NULL: none of this applies. On the
 * writer: has the request been served before? ONCE_BEFORE: `id` is what it made; ONCE_REFUSED: the
 * error is already the answer. */
enum once { ONCE_NEW, ONCE_BEFORE, ONCE_REFUSED };
enum once idempotency_find(struct http_exchange *exchange, struct store_session *session,
                           const struct replay *replay, char id[ID_LENGTH + 1]);
/* In the same transaction: it made this. False: the error is already the answer. */
bool idempotency_keep(struct http_exchange *exchange, struct store_session *session,
                      const struct replay *replay, const char *id);

/* What tells an upload from another: its bytes, by their digest, its type and its parameters. NULL:
 * no memory. */
const char *idempotency_upload(struct http_exchange *exchange, const char *sha256);

#endif
