/*
 * router.h - from a raw request target to a row of the route table.
 */
#ifndef SERVER_HTTP_ROUTER_H
#define SERVER_HTTP_ROUTER_H

#include "server/base/arena.h"
#include "server/http/http.h"

/* Splits "/path?query", decodes each part exactly once, and fills in request->path and ->query.
 * NULL, or what is wrong: bad percent-encoding, NUL, an encoded slash in the path, text that is not
 * UTF-8, too many parameters. */
const char *router_parse(struct arena *arena, const char *target, struct http_request *request);

enum { ROUTER_ALLOW = 64 };

/* Finds the route for request->method and ->path, and fills in ->ids and ->format. NULL if there is
 * none; allow then lists the methods that the path has ("": 404, otherwise 405). */
const struct http_route *router_find(const struct http_route *routes, size_t count,
                                     struct arena *arena, struct http_request *request,
                                     char allow[ROUTER_ALLOW]);

/* For a path without a route: the available suffixes (".json, .csv") in place of its own, from the
 * arena. NULL: the path does not exist without a suffix, either. */
const char *router_suffixes(const struct http_route *routes, size_t count, struct arena *arena,
                            const char *path);

/* Is `word` one of the space-separated words (NULL: none)? The case of letters does not matter. */
bool router_has_word(const char *words, const char *word, size_t length);

#endif
