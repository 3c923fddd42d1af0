/*
 * check.h - refuses requests whose framing two programs could read differently (request
 * smuggling, RFC 9112 sections 5-6), or that name a host this server is not (DNS rebinding).
 */
#ifndef SERVER_HTTP_CHECK_H
#define SERVER_HTTP_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/problem_codes.h"
#include "server/http/access.h"

struct http_refusal {
    enum problem_code code; /* PROBLEM_NONE: the request may pass */
    const char *detail;
};

/* What the headers say about the body, and of what the client can read. */
struct http_framing {
    bool has_body;
    int64_t declared;  /* Content-Length, or -1 for a chunked body */
    bool takes_chunks; /* an answer may be chunked: not one of HTTP/1.0 */
};

struct http_fields;

struct http_refusal http_check(const struct http_fields *fields, const char *target,
                               const char *version, const struct access *access,
                               struct http_framing *framing);

#endif
