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

static void add(struct http_connection *state, struct MHD_Response *response, const char *name,
                const char *value) {
    state->header_lost |= !value || MHD_add_response_header(response, name, value) != MHD_YES;
}

/* Browsers come back by https only. The header is for a whole host, all ports of it: what is called
 * localhost has others. */
static void add_transport_security(struct http_connection *state, struct MHD_Response *response) {
    static const struct access loopback = {.names = ACCESS_LOOPBACK};
    const char *host = http_header(&state->exchange, "Host");
    if (state->server->config.tls.cert && host && !access_has_host(&loopback, host))
        add(state, response, "Strict-Transport-Security", "max-age=31536000");
}

static void add_security_headers(struct http_connection *state, struct MHD_Response *response) {
    const char *given = state->exchange.response.content_type, *type = given ? given : "";
    const char *origins = state->server->access.cors_origins;
    bool is_for_all = origins && strcmp(origins, "*") == 0;
    /* A browser would put the policy of a 304 in the place of the one that came with the page. */
    if (state->exchange.response.status != 304)
        add(state, response, "Content-Security-Policy", policy_of(&state->exchange, type));
    add(state, response, "X-Content-Type-Options", "nosniff");
    add(state, response, "Referrer-Policy", "no-referrer");
    add_transport_security(state, response);
    add(state, response, "Cross-Origin-Resource-Policy",
        is_for_all ? "cross-origin" : "same-origin");
    /* Not Cross-Origin-Opener-Policy: a browser then starts another process for the page when its
     * headers have come, which doubles the time to its first picture. Who opens it sees nothing
     * of it as it is. */
    if (is_page(type))
        add(state, response, "X-Frame-Options", "DENY");
}

static void add_cors_headers(struct http_connection *state, struct MHD_Response *response) {
    const struct access *access = &state->server->access;
    if (!access->cors_origins)
        return;
    const char *origin = http_header(&state->exchange, "Origin");
    add(state, response, "Vary", "Origin");
    if (!access_has_origin(access, origin))
        return;
    add(state, response, "Access-Control-Allow-Origin", origin);
    add(state, response, "Access-Control-Expose-Headers",
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

bool http_add_headers(struct http_connection *state, struct MHD_Response *response, bool close) {
    const struct http_response *from = &state->exchange.response;
    for (size_t i = 0; i < from->header_count; i++)
        add(state, response, from->headers[i].name, from->headers[i].value);
    if (from->content_type)
        add(state, response, "Content-Type", from->content_type);
    if (close)
        add(state, response, "Connection", "close");
    if (!has_header(&state->exchange.response, "Cache-Control"))
        add(state, response, "Cache-Control", "no-store");
    add_security_headers(state, response);
    add_cors_headers(state, response);
    add(state, response, "X-Request-Id", state->id);
    char timing[96];
    const double all = clock_monotonic() - state->started;
    if (state->queued > 0)
        snprintf(timing, sizeof timing, "queue;dur=%.3f, app;dur=%.3f", 1e3 * state->queued,
                 1e3 * (all - state->queued));
    else
        snprintf(timing, sizeof timing, "app;dur=%.3f", 1e3 * all);
    add(state, response, "Server-Timing", timing);
    return !state->header_lost;
}
