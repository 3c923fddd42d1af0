/*
 * fields.h - the header fields of a request as the whole program sees them: checked, trimmed and
 * merged once, where libmicrohttpd passes them on (RFC 9110, section 5).
 */
#ifndef SERVER_HTTP_FIELDS_H
#define SERVER_HTTP_FIELDS_H

#include <microhttpd.h>
#include <stddef.h>

#include "server/base/arena.h"
#include "server/base/problem_codes.h"
#include "server/http/access.h"

struct http_refusal {
    enum problem_code code; /* PROBLEM_NONE: the request may pass */
    const char *detail;
};

/* What the headers say about the body, and about the responses that the client can read. */
struct http_framing {
    bool has_body;
    int64_t declared;  /* Content-Length, or -1 for a chunked body */
    bool takes_chunks; /* the response may be chunked, unlike one to HTTP/1.0 */
};

/* The first line, in libmicrohttpd's memory; only the target is a copy, as it was sent. */
struct http_line {
    const char *method, *url, *version, *target;
};

struct http_field {
    const char *name;
    size_t name_size;
    const char *value; /* without blanks or tabs around it */
};

/* Each name once, in the order of the first lines; the lines of a list (Accept, If-None-Match, ..)
 * are joined by ", ". Texts belong to libmicrohttpd or to the arena, until the request is over. */
struct http_fields {
    struct http_field *items;
    size_t count;
};

/* PROBLEM_NONE, or the problem: 400 for control characters (including NUL), a name that is not a
 * token, folded lines, lines that do not end in CR LF, and two lines of a field that takes one
 * value; 503 when out of memory. The fields that could be read are in `fields` even then. */
struct http_refusal http_read_fields(struct MHD_Connection *connection, struct arena *arena,
                                     const struct http_line *line, struct http_fields *fields);

/* NULL if it is absent. The case of letters does not matter. */
const char *http_find_field(const struct http_fields *fields, const char *name);

/* Refuses requests whose framing two programs could read differently (request smuggling, RFC 9112,
 * sections 5 and 6), or that name a host this server is not (DNS rebinding). */
struct http_refusal http_check(const struct http_fields *fields, const char *target,
                               const char *version, const struct access *access,
                               struct http_framing *framing);

#endif
