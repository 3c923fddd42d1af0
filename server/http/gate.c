/* What the headers alone decide: who sends the request, which route it takes, and whether it
 * may. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "server/base/id.h"
#include "server/http/connection.h"

/* ------------------------------------------------------------------ ids */

/* A client's own request id is kept if it is short and plain enough for any log. */
static bool is_plain_id(const char *id) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t length = strlen(id);
    return length > 0 && length <= HTTP_REQUEST_ID && strspn(id, plain) == length;
}

/* The trace id of a W3C traceparent, "00-<32 hex>-<16 hex>-<2 hex>" (later versions may have more
 * after that); NULL if it is not valid. */
static const char *trace_of(const char *traceparent) {
    static const char form[] = "xx-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";
    enum { TRACE_AT = 3, PARENT_AT = 36, END = sizeof form - 1 };
    if (!traceparent || strlen(traceparent) < END || strncmp(traceparent, "ff", 2) == 0)
        return NULL;
    for (size_t i = 0; i < END; i++)
        if (form[i] == 'x' ? !memchr("0123456789abcdef", traceparent[i], 16)
                           : traceparent[i] != form[i])
            return NULL;
    bool is_first_version = strncmp(traceparent, "00", 2) == 0;
    if (is_first_version ? traceparent[END] != '\0' : !strchr("-", traceparent[END]))
        return NULL;
    bool is_zero = strspn(traceparent + TRACE_AT, "0") >= HTTP_TRACE ||
                   strspn(traceparent + PARENT_AT, "0") >= 16;
    return is_zero ? NULL : traceparent + TRACE_AT;
}

static void find_client(struct http_call *call) {
    const char *proxies = call->server->config.trusted_proxies;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct in6_addr peer = access_address(info ? info->client_addr : NULL);
    call->is_by_proxy = access_is_proxy(proxies, &peer);
    call->client = access_client(proxies, &peer, http_header(&call->exchange, "X-Forwarded-For"));
}

void http_identify(struct http_call *call) {
    find_client(call);
    const char *id = http_header(&call->exchange, "X-Request-Id");
    const char *trace = trace_of(http_header(&call->exchange, "traceparent"));
    if (id && is_plain_id(id))
        snprintf(call->id, sizeof call->id, "%s", id);
    else
        id_new(call->id);
    if (trace)
        memcpy(call->trace, trace, HTTP_TRACE);
}

/* ------------------------------------------------------------------ who may */

enum auth_scope http_scope(const struct http_route *route) {
    switch (route->access) {
    case HTTP_OPEN:
    case HTTP_PROBE: return AUTH_NONE;
    case HTTP_READS: return AUTH_READ;
    case HTTP_BY_METHOD: break;
    }
    return strcmp(route->method, "GET") == 0 ? AUTH_READ : AUTH_WRITE;
}

bool http_is_safe(const char *method) {
    return strcmp(method, "GET") == 0 || strcmp(method, "OPTIONS") == 0;
}

static void refuse(struct http_call *call, enum problem_code code, const char *detail) {
    call->refusal = (struct http_refusal){code, detail};
}

static void refuse_key(struct http_call *call, enum auth_scope needed, enum auth_scope given) {
    const char *header = http_header(&call->exchange, "Authorization");
    const char *challenge = "Bearer realm=\"denoised\"";
    if (given > AUTH_NONE) {
        challenge = http_format(&call->exchange, "%s, error=\"insufficient_scope\", scope=\"%s\"",
                                challenge, auth_scope_names[needed]);
        refuse(call, PROBLEM_SCOPE_TOO_SMALL,
               "this key may only read; the request needs a key with the scope write");
    } else if (header) {
        challenge = http_format(&call->exchange, "%s, error=\"invalid_token\"", challenge);
        refuse(call, PROBLEM_INVALID_KEY, "unknown API key");
    } else {
        refuse(call, PROBLEM_KEY_NEEDED,
               "an API key is needed: send it as Authorization: Bearer dn_...");
    }
    call->refusal_header = (struct http_param){"WWW-Authenticate", challenge};
}

static void check_key(struct http_call *call) {
    struct auth *auth = call->server->config.auth;
    enum auth_scope needed = http_scope(call->route), given = AUTH_NONE;
    if (!auth)
        return;
    if (needed > AUTH_NONE)
        given = auth_check(auth, http_header(&call->exchange, "Authorization"), call->key_name);
    if (given < needed)
        refuse_key(call, needed, given);
}

/* The host that the client requested: a proxy may have replaced the Host header, and passed on the
 * original. Believed only of a known proxy, and for a name that is served. */
static const char *asked_host(const struct http_call *call) {
    const char *forwarded = http_header(&call->exchange, "X-Forwarded-Host");
    const char *last = forwarded ? strrchr(forwarded, ',') : NULL;
    if (last)
        forwarded = last + 1 + strspn(last + 1, " \t");
    return call->is_by_proxy && forwarded && access_has_host(&call->server->access, forwarded)
               ? forwarded
               : http_header(&call->exchange, "Host");
}

static void refuse_origin(struct http_call *call, const struct access_source *from) {
    struct http_exchange *exchange = &call->exchange;
    const char *where = from->origin ? from->origin : from->referer, *detail;
    if (from->fetch_site)
        detail = http_format(
            exchange,
            "the browser says that this request comes from a page of another site (Sec-Fetch-Site: "
            "%.20s%s%.200s), which may not change anything; allow its origin with --cors-origins",
            from->fetch_site, where ? ", from " : "", where ? where : "");
    else
        detail = http_format(
            exchange,
            "a page of %.200s may not change anything at %.200s, which is another site. If a proxy "
            "makes them one site, it must pass on the Host header that the browser sent (nginx: "
            "proxy_set_header Host $http_host); allow other origins with --cors-origins",
            where, from->host ? from->host : "a server without a name");
    refuse(call, PROBLEM_FOREIGN_ORIGIN, detail);
}

static void check_origin(struct http_call *call) {
    const struct http_exchange *exchange = &call->exchange;
    const struct access_source from = {.host = asked_host(call),
                                       .origin = http_header(exchange, "Origin"),
                                       .referer = http_header(exchange, "Referer"),
                                       .fetch_site = http_header(exchange, "Sec-Fetch-Site"),
                                       .is_tls = call->server->config.tls.cert != NULL};
    if (!http_is_safe(exchange->request.method) && !access_may_change(&call->server->access, &from))
        refuse_origin(call, &from);
}

static void check_rate(struct http_call *call) {
    struct rate *rate = call->server->rate;
    if (!rate || (call->route && call->route->access == HTTP_PROBE))
        return;
    int seconds = rate_take(rate, &call->client, call->started);
    if (seconds == 0)
        return;
    refuse(call, PROBLEM_TOO_MANY_REQUESTS,
           http_format(&call->exchange, "one address may send at most %d requests per minute",
                       call->server->config.requests_per_minute));
    call->refusal_header =
        (struct http_param){"Retry-After", http_format(&call->exchange, "%d", seconds)};
}

/* ------------------------------------------------------------------ for what */

/* What a browser asks before a page of another origin may send a request (CORS preflight). */
static enum http_next answer_options(struct http_exchange *exchange) {
    const struct http_call *call = exchange->call;
    exchange->response.status = 204;
    http_set_header(exchange, "Allow", call->allow);
    if (!http_header(exchange, "Access-Control-Request-Method") ||
        !access_has_origin(&call->server->access, http_header(exchange, "Origin")))
        return HTTP_REPLY;
    http_set_header(exchange, "Access-Control-Allow-Methods", call->allow);
    http_set_header(exchange, "Access-Control-Allow-Headers",
                    "Accept, Authorization, Content-Type, Idempotency-Key, If-Match, "
                    "If-None-Match, Last-Event-ID, Prefer, Range, traceparent, X-Request-Id");
    http_set_header(exchange, "Access-Control-Max-Age", "600");
    return HTTP_REPLY;
}

static const struct http_route options_route = {
    .method = "OPTIONS", .path = "", .handler = answer_options, .access = HTTP_OPEN};

/* Removes the base path. False: the path is outside of it, where nothing is. Only a known proxy may
 * have removed the base path already. */
static bool strip_base_path(const struct http_call *call, struct http_request *request) {
    const char *base = http_base_path(&call->exchange);
    const size_t length = strlen(base);
    const bool is_below = strncmp(request->path, base, length) == 0;
    if (is_below && request->path[length] == '/')
        request->path += length;
    else if (is_below && length > 0 && request->path[length] == '\0') {
        request->path = "/";
        request->is_bare = true;
    } else {
        return length == 0 || call->is_by_proxy;
    }
    return true;
}

static void refuse_path(struct http_call *call, bool is_outside) {
    struct http_exchange *exchange = &call->exchange;
    const struct http_config *config = &call->server->config;
    const char *path = exchange->request.path;
    const char *list =
        is_outside ? NULL
                   : router_suffixes(config->routes, config->route_count, &call->arena, path);
    const char *detail = "there is nothing at this path";
    if (is_outside)
        detail = http_format(exchange,
                             "there is nothing at this path: this server's paths start with %s",
                             http_base_path(exchange));
    else if (list)
        detail = http_format(
            exchange, "there is nothing at this path; available with another suffix or none: %s",
            list);
    refuse(call, PROBLEM_NO_SUCH_PATH, detail);
}

static void find_route(struct http_call *call) {
    struct http_request *request = &call->exchange.request;
    const struct http_config *config = &call->server->config;
    const bool is_outside = !strip_base_path(call, request);
    if (!is_outside)
        call->route =
            router_find(config->routes, config->route_count, &call->arena, request, call->allow);
    if (call->route)
        return;
    if (!call->allow[0])
        refuse_path(call, is_outside);
    else if (strcmp(request->method, "OPTIONS") == 0)
        call->route = &options_route;
    else
        refuse(call, PROBLEM_METHOD_NOT_ALLOWED,
               http_format(&call->exchange, "use %s", call->allow));
}

void http_route_request(struct http_call *call, const char *method) {
    struct http_request *request = &call->exchange.request;
    request->head = strcmp(method, "HEAD") == 0;
    request->method = request->head ? "GET" : method;
    const char *wrong = router_parse(&call->arena, call->peer->target, request);
    if (wrong) {
        refuse(call, PROBLEM_BAD_TARGET, wrong);
        return;
    }
    find_route(call);
    check_rate(call);
    if (!call->refusal.code)
        check_origin(call);
    if (!call->refusal.code)
        check_key(call);
    if (call->refusal.code)
        return;
    if (call->route->max_body == 0 && call->framing.has_body)
        refuse(call, PROBLEM_UNEXPECTED_BODY, "this request takes no body");
    else
        call->max_body = call->route->max_body == HTTP_UPLOAD ? call->server->config.max_upload
                                                              : call->route->max_body;
}
