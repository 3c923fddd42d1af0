#include "server/http/content.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/http/connection.h"
#include "server/http/gzip.h"

enum {
    WORTH_BYTES = 1024,     /* a shorter body is not compressed */
    POOL_BYTES = 256 << 10, /* a longer one is compressed on the pool: 3 ms */
};

/* ------------------------------------------------------------------ headers */

double content_quality(const char *member, size_t length) {
    const char *end = member + length;
    while ((member = memchr(member, ';', (size_t)(end - member)))) {
        member++;
        while (member < end && (*member == ' ' || *member == '\t'))
            member++;
        if (end - member > 2 && (*member | 0x20) == 'q' && member[1] == '=')
            return strtod(member + 2, NULL);
    }
    return 1;
}

bool content_accepts_gzip(const char *accept_encoding) {
    double gzip = -1, any = -1, identity = -1;
    for (const char *at = accept_encoding; at && *at;) {
        at += strspn(at, ", \t");
        const size_t whole = strcspn(at, ","), name = strcspn(at, ",; \t");
        const double q = content_quality(at, whole);
        if ((name == 4 && strncasecmp(at, "gzip", 4) == 0) ||
            (name == 6 && strncasecmp(at, "x-gzip", 6) == 0))
            gzip = q;
        else if (name == 8 && strncasecmp(at, "identity", 8) == 0)
            identity = q;
        else if (name == 1 && *at == '*')
            any = q;
        at += whole;
    }
    if (gzip < 0)
        gzip = any;
    return gzip > 0 && gzip >= identity;
}

const char *content_find_tag(const char *list, const char *tag, size_t *length) {
    const size_t tag_length = strlen(tag);
    while (list && *list) {
        list += strspn(list, ", \t");
        const char *start = list;
        if (*list == '*') {
            *length = 1;
            return start;
        }
        if (strncmp(list, "W/", 2) == 0)
            list += 2;
        const char *end = *list == '"' ? strchr(list + 1, '"') : NULL;
        if (!end)
            return NULL; /* not a list of entity tags */
        const size_t inner = (size_t)(end - list) - 1;
        const bool is_plain = inner == tag_length;
        const bool is_gzip =
            inner == tag_length + 5 && memcmp(list + 1 + tag_length, "-gzip", 5) == 0;
        if ((is_plain || is_gzip) && memcmp(list + 1, tag, tag_length) == 0) {
            *length = (size_t)(end + 1 - start);
            return start;
        }
        list = end + 1;
    }
    return NULL;
}

/* Reads digits; false if there are none, or too many for a size. */
static bool read_size(const char **at, size_t *value) {
    const size_t digits = strspn(*at, "0123456789");
    *value = digits > 0 && digits < 19 ? strtoull(*at, NULL, 10) : 0;
    *at += digits;
    return digits > 0 && digits < 19;
}

enum content_range content_find_range(const char *range, size_t size, size_t *first, size_t *last) {
    if (!range || strncasecmp(range, "bytes=", 6) != 0)
        return RANGE_NONE;
    const char *at = range + 6;
    const bool has_first = *at != '-';
    if (has_first && !read_size(&at, first))
        return RANGE_NONE;
    if (*at++ != '-')
        return RANGE_NONE;
    const bool has_last = *at != '\0';
    if ((has_last && !read_size(&at, last)) || *at != '\0' || (!has_first && !has_last))
        return RANGE_NONE;
    if (!has_first) { /* "-N": the last N bytes */
        if (*last == 0 || size == 0)
            return RANGE_BEYOND;
        *first = *last < size ? size - *last : 0;
        *last = size - 1;
        return RANGE_ONE;
    }
    if (has_last && *last < *first)
        return RANGE_NONE;
    if (*first >= size)
        return RANGE_BEYOND;
    if (!has_last || *last >= size)
        *last = size - 1;
    return RANGE_ONE;
}

/* ------------------------------------------------------------------ not modified */

/* Drops what would make the rest of the body. */
static void drop_stream(struct http_exchange *exchange) {
    struct http_response *response = &exchange->response;
    if (response->stream.closed)
        response->stream.closed(exchange);
    response->stream = (struct http_stream){0};
}

bool http_not_modified(struct http_exchange *exchange) {
    struct http_response *response = &exchange->response;
    size_t length;
    const char *known = http_header(exchange, "If-None-Match");
    const char *tag = response->etag ? content_find_tag(known, response->etag, &length) : NULL;
    if (!tag)
        return false;
    drop_stream(exchange);
    buffer_clear(&response->body);
    response->status = 304;
    response->content_type = NULL;
    http_set_header(exchange, "ETag",
                    *tag == '*' ? http_format(exchange, "\"%s\"", response->etag)
                                : http_format(exchange, "%.*s", (int)length, tag));
    http_set_header(exchange, "Cache-Control", response->cache ? response->cache : "no-cache");
    http_set_header(exchange, "Vary", "Accept-Encoding");
    response->etag = NULL;
    return true;
}

/* ------------------------------------------------------------------ ranges */

/* If-Range: the range applies only to the version that the client has a part of. */
static bool range_counts(struct http_exchange *exchange) {
    const char *condition = http_header(exchange, "If-Range");
    const char *tag = http_format(exchange, "\"%s\"", exchange->response.etag);
    return !condition || (tag && strcmp(condition, tag) == 0);
}

/* Can the response be sent in ranges? Its length must be known in advance, and its bytes must be
 * the same each time. */
static bool has_parts(const struct http_response *response) {
    return !response->is_weak && (!response->stream.next || response->stream.seek);
}

static void keep_part(struct http_exchange *exchange, size_t first, size_t last) {
    struct http_response *response = &exchange->response;
    const size_t count = last - first + 1;
    if (last < response->body.length) {
        memmove(response->body.data, response->body.data + first, count);
        response->body.length = count;
        drop_stream(exchange);
    } else {
        buffer_clear(&response->body);
        response->stream.seek(exchange, first, count);
        response->stream.length = count;
    }
}

/* True: the response is now a range, or the error that there is none. */
static bool send_range(struct http_call *call) {
    struct http_exchange *exchange = &call->exchange;
    struct http_response *response = &exchange->response;
    const char *range = http_header(exchange, "Range");
    const size_t size = response->stream.next ? response->stream.length : response->body.length;
    const bool has = has_parts(response);
    size_t first, last;
    http_set_header(exchange, "Accept-Ranges", has ? "bytes" : "none");
    if (!has || !range || exchange->request.head || !range_counts(exchange))
        return false;
    switch (content_find_range(range, size, &first, &last)) {
    case RANGE_NONE: return false;
    case RANGE_ONE:
        keep_part(exchange, first, last);
        response->status = 206;
        http_set_header(exchange, "Content-Range",
                        http_format(exchange, "bytes %zu-%zu/%zu", first, last, size));
        return true;
    case RANGE_BEYOND:
        http_set_problem(call, PROBLEM_RANGE_NOT_SATISFIABLE,
                         http_format(exchange, "the response has only %zu bytes", size));
        http_set_header(exchange, "Content-Range", http_format(exchange, "bytes */%zu", size));
        return true;
    }
    return false;
}

/* ------------------------------------------------------------------ compression */

/* Text, but not events: those must not wait in a compressor. */
static bool is_text(const char *type) {
    return type && strncmp(type, "text/event-stream", 17) != 0 &&
           (strncmp(type, "text/", 5) == 0 || strstr(type, "json") || strstr(type, "svg") ||
            strstr(type, "javascript"));
}

static bool is_worth_it(const struct http_response *response) {
    const bool is_stream = response->stream.next != NULL;
    return is_text(response->content_type) && !http_has_header(response, "Content-Encoding") &&
           (is_stream ? response->stream.on_pool && response->stream.length == 0
                      : response->body.length >= WORTH_BYTES);
}

static bool accepts_gzip(const struct http_exchange *exchange) {
    return content_accepts_gzip(http_header(exchange, "Accept-Encoding"));
}

bool http_content_is_large(const struct http_call *call) {
    const struct http_response *response = &call->exchange.response;
    return !response->stream.next && !response->gzip && response->body.length > POOL_BYTES &&
           !response->body.failed && is_worth_it(response) && accepts_gzip(&call->exchange);
}

/* Compresses what is there now; the pieces of a stream will follow. */
static bool compress_body(struct http_call *call) {
    struct http_response *response = &call->exchange.response;
    const bool is_stream = response->stream.next != NULL;
    if (response->gzip) {
        response->body.length = 0;
        buffer_append(&response->body, response->gzip, response->gzip_length);
        return true;
    }
    struct gzip *gzip = gzip_start(is_stream);
    struct buffer plain = response->body;
    if (!gzip)
        return false;
    response->body = (struct buffer){0};
    gzip_put(gzip, plain.data, plain.length, !is_stream, &response->body);
    buffer_clear(&plain);
    if (is_stream)
        call->gzip = gzip;
    else
        gzip_stop(gzip);
    return true;
}

/* True: the body is compressed now. */
static bool compress(struct http_call *call, bool may_compress) {
    struct http_exchange *exchange = &call->exchange;
    if (!is_worth_it(&exchange->response))
        return false;
    http_set_header(exchange, "Vary", "Accept-Encoding");
    if (!may_compress || !accepts_gzip(exchange) || !compress_body(call))
        return false;
    http_set_header(exchange, "Content-Encoding", "gzip");
    return true;
}

void http_finish_content(struct http_call *call) {
    struct http_exchange *exchange = &call->exchange;
    struct http_response *response = &exchange->response;
    if (call->content == CONTENT_READY || response->status == 0 || response->body.failed)
        return;
    const bool may_compress = call->content != CONTENT_PLAIN;
    call->content = CONTENT_READY;
    const char *tag = response->status == 200 ? response->etag : NULL;
    if (tag && http_not_modified(exchange))
        return;
    const bool is_part = tag && send_range(call);
    if (response->status == 416)
        return;
    const bool is_gzip = !is_part && compress(call, may_compress);
    if (!tag)
        return;
    http_set_header(exchange, "ETag",
                    http_format(exchange, "%s\"%s%s\"", response->is_weak ? "W/" : "", tag,
                                is_gzip ? "-gzip" : ""));
    http_set_header(exchange, "Cache-Control", response->cache ? response->cache : "no-cache");
}
