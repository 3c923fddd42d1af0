/*
 * idempotency.h - Idempotency-Key: a request that is repeated because its response was lost changes
 * nothing the second time, and gets the response of the first.
 *
 * Operations that can be repeated without harm (a cancel, a deletion, a request for samples) ignore
 * the key.
 */
#ifndef API_CONTRACT_IDEMPOTENCY_H
#define API_CONTRACT_IDEMPOTENCY_H

#include "server/http/http.h"
#include "server/store/store.h"

/* The header, in the arena; *key is NULL without one. False: it is not a valid key, and 400 is the
 * response. */
bool idempotency_key(struct http_exchange *exchange, const char **key);

/* Responds with 422: the key was used with a different request. */
void idempotency_reused(struct http_exchange *exchange);
/* The headers of a repeated response: the path of the resource created the first time, below
 * `base`. */
void idempotency_replayed(struct http_exchange *exchange, const char *base, const char *id);

/* For requests other than submissions of jobs, on the writer, before anything else is written: is
 * this a request to serve now? Then its key is recorded with the id of what it will create, and a
 * response with an error takes that back. If it was served before, `again` writes the response,
 * given the id of what it created. False: the response is ready. */
bool idempotency_is_new(struct http_exchange *exchange, struct store_session *session,
                        const struct replay *replay, const char *id,
                        void (*again)(struct http_exchange *exchange, struct store_session *session,
                                      const char *id));
/* After the insertion ended with `status`: sets the Location of what the request created, below
 * `base`. False: the error is already the response. */
bool idempotency_created(struct http_exchange *exchange, enum store_status status, const char *base,
                         const char *id);

/* What distinguishes an upload from others: the digest of its bytes, its type without the boundary of a
 * form, and its parameters. NULL: no memory. */
const char *idempotency_upload(struct http_exchange *exchange, const char *sha256);

#endif
