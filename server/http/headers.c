/* The headers of an answer. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "server/base/clock.h"
#include "server/http/connection.h"

/* What a browser may do with an answer of this type (a prefix): a drawing may have its own style;
 * anything else is data and loads nothing. */
static const struct {
    const char *type, *policy;
} policies[] = {
    {"image/svg+xml", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"},
    {"", "default-src 'none'; frame-ancestors 'none'"},
};

static bool is_page(const char *content_type) {
    return strncmp(content_type, "text/html", 9) == 0;
}

/* A page loads only what this server has. */
static const char *policy_of_page(struct http_exchange *exchange) {
    const char *style = exchange->response.style_source;
    return http_format(exchange,
                       "default-src 'none'; script-src 'self'; style-src 'self'%s%s; "
                       "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; "
                       "form-action 'none'; frame-ancestors 'none'",
                       style ? " " : "", style ? style : "");
}

/* NULL when out of memory. */
static const char *policy_of(struct http_exchange *exchange, const char *content_type) {
    if (is_page(content_type))
        return policy_of_page(exchange);
    size_t i = 0;
    while (strncmp(content_type, policies[i].type, strlen(policies[i].type)) != 0)
        i++;
    return policies[i].policy;
}

static void add(struct http_call *call, struct MHD_Response *response, const char *name,
                const char *value) {
    call->header_lost |= !value || MHD_add_response_header(response, name, value) != MHD_YES;
}

/* Browsers come back by https only. The header is for a whole host, all ports of it: what is called
 * localhost has others. */
static void add_transport_security(struct http_call *call, struct MHD_Response *response) {
    static const struct access loopback = {.names = ACCESS_LOOPBACK};
    const char *host = http_header(&call->exchange, "Host");
    if (call->server->config.tls.cert && host && !access_has_host(&loopback, host))
        add(call, response, "Strict-Transport-Security", "max-age=31536000");
}

static void add_security_headers(struct http_call *call, struct MHD_Response *response) {
    const char *given = call->exchange.response.content_type, *type = given ? given : "";
    const char *origins = call->server->access.cors_origins;
    bool is_for_all = origins && strcmp(origins, "*") == 0;
    /* A browser would put the policy of a 304 in the place of the one that came with the page. */
    if (call->exchange.response.status != 304)
        add(call, response, "Content-Security-Policy", policy_of(&call->exchange, type));
    add(call, response, "X-Content-Type-Options", "nosniff");
    add(call, response, "Referrer-Policy", "no-referrer");
    add_transport_security(call, response);
    add(call, response, "Cross-Origin-Resource-Policy",
        is_for_all ? "cross-origin" : "same-origin");
    /* Not Cross-Origin-Opener-Policy: a browser then starts another process for the page when its
     * headers have come, which doubles the time to its first picture. Who opens it sees nothing
     * of it as it is. */
    if (is_page(type))
        add(call, response, "X-Frame-Options", "DENY");
}

static void add_cors_headers(struct http_call *call, struct MHD_Response *response) {
    const struct access *access = &call->server->access;
    if (!access->cors_origins)
        return;
    const char *origin = http_header(&call->exchange, "Origin");
    add(call, response, "Vary", "Origin");
    if (!access_has_origin(access, origin))
        return;
    add(call, response, "Access-Control-Allow-Origin", origin);
    add(call, response, "Access-Control-Expose-Headers",
        "Allow, Content-Disposition, ETag, Idempotency-Replayed, Location, "
        "Preference-Applied, Retry-After, Server-Timing, WWW-Authenticate, "
        "X-Request-Id");
}

static bool has_header(const struct http_response *response, const char *name) {
    for (size_t i = 0; i < response->header_count; i++)
        if (strcasecmp(response->headers[i].name, name) == 0)
            return true;
    return false;
}

bool http_add_headers(struct http_call *call, struct MHD_Response *response, bool close) {
    const struct http_response *from = &call->exchange.response;
    for (size_t i = 0; i < from->header_count; i++)
        add(call, response, from->headers[i].name, from->headers[i].value);
    if (from->content_type)
        add(call, response, "Content-Type", from->content_type);
    if (close)
        add(call, response, "Connection", "close");
    if (!has_header(&call->exchange.response, "Cache-Control"))
        add(call, response, "Cache-Control", "no-store");
    add_security_headers(call, response);
    add_cors_headers(call, response);
    add(call, response, "X-Request-Id", call->id);
    char timing[96];
    const double all = clock_monotonic() - call->started;
    if (call->queued > 0)
        snprintf(timing, sizeof timing, "queue;dur=%.3f, app;dur=%.3f", 1e3 * call->queued,
                 1e3 * (all - call->queued));
    else
        snprintf(timing, sizeof timing, "app;dur=%.3f", 1e3 * all);
    add(call, response, "Server-Timing", timing);
    return !call->header_lost;
}
