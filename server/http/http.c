/* Functions for handlers, and for the whole transport. */
#include <string.h>
#include <strings.h>

#include "server/http/connection.h"

/* ------------------------------------------------------------------ for handlers */

struct arena *http_arena(struct http_exchange *exchange) {
    return &exchange->call->arena;
}

void *http_alloc(struct http_exchange *exchange, size_t size) {
    return arena_alloc(&exchange->call->arena, size);
}

char *http_format(struct http_exchange *exchange, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = arena_vformat(&exchange->call->arena, format, arguments);
    va_end(arguments);
    return text;
}

void http_set_header(struct http_exchange *exchange, const char *name, const char *value) {
    struct http_response *response = &exchange->response;
    if (value && strcmp(name, "Location") == 0)
        value = http_format(exchange, "%s%s", http_base_path(exchange), value);
    if (value && response->header_count < HTTP_MAX_HEADERS)
        response->headers[response->header_count++] = (struct http_param){name, value};
}

const char *http_header(const struct http_exchange *exchange, const char *name) {
    return http_find_field(&exchange->call->fields, name);
}

const char *http_base_path(const struct http_exchange *exchange) {
    const char *base = exchange->call->server->config.base_path;
    return base ? base : "";
}

size_t http_body_limit(const struct http_exchange *exchange) {
    return exchange->call->max_body;
}

bool http_asks_for_keys(const struct http_exchange *exchange) {
    return exchange->call->server->config.auth != NULL;
}

/* ------------------------------------------------------------------ for the transport */

const char *http_route_path(const struct http_call *call) {
    return call && call->route ? call->route->path : "none";
}

void http_set_problem(struct http_call *call, enum problem_code code, const char *detail) {
    struct http_exchange *exchange = &call->exchange;
    if (exchange->response.stream.closed)
        exchange->response.stream.closed(exchange);
    buffer_clear(&exchange->response.body);
    gzip_stop(call->gzip);
    call->gzip = NULL;
    call->content = call->content == CONTENT_READY ? CONTENT_RAW : call->content;
    exchange->response = (struct http_response){0};
    call->server->config.problem(exchange, code, detail);
    if (code == PROBLEM_METHOD_NOT_ALLOWED)
        http_set_header(exchange, "Allow", call->allow);
}

bool http_has_header(const struct http_response *response, const char *name) {
    for (size_t i = 0; i < response->header_count; i++)
        if (strcasecmp(response->headers[i].name, name) == 0)
            return true;
    return false;
}
