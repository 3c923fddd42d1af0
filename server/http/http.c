/* Requests: from the socket to the handler, and what handlers ask of them. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/base/clock.h"
#include "server/base/counters.h"
#include "server/base/fault.h"
#include "server/base/log.h"
#include "server/http/connection.h"

/* ------------------------------------------------------------------ for handlers */

struct arena *http_arena(struct http_exchange *exchange) {
    return &exchange->connection->arena;
}

void *http_alloc(struct http_exchange *exchange, size_t size) {
    return arena_alloc(&exchange->connection->arena, size);
}

char *http_format(struct http_exchange *exchange, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = arena_vformat(&exchange->connection->arena, format, arguments);
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
    return http_find_field(&exchange->connection->fields, name);
}

const char *http_base_path(const struct http_exchange *exchange) {
    const char *base = exchange->connection->server->config.base_path;
    return base ? base : "";
}

bool http_asks_for_keys(const struct http_exchange *exchange) {
    return exchange->connection->server->config.auth != NULL;
}

const char *http_query(const struct http_exchange *exchange, const char *name) {
    for (size_t i = 0; i < exchange->request.query_count; i++)
        if (strcmp(exchange->request.query[i].name, name) == 0)
            return exchange->request.query[i].value;
    return NULL;
}

/* ------------------------------------------------------------------ the request */

const char *http_route_path(const struct http_connection *state) {
    return state && state->route ? state->route->path : "none";
}

static bool content_type_fits(const struct http_connection *state) {
    const char *type = http_header(&state->exchange, "Content-Type");
    return type && router_has_word(state->route->content_types, type, strcspn(type, "; \t"));
}

/* Is the body anything but what it is? "identity" says that it is not. */
static bool is_encoded(const struct http_connection *state) {
    const char *at = http_header(&state->exchange, "Content-Encoding");
    while (at && *(at += strspn(at, ", \t"))) {
        const size_t length = strcspn(at, ", \t");
        if (length != strlen("identity") || strncasecmp(at, "identity", length) != 0)
            return true;
        at += length;
    }
    return false;
}

static struct http_refusal too_large(struct http_connection *state) {
    return (struct http_refusal){
        PROBLEM_BODY_TOO_LARGE,
        http_format(&state->exchange, "the body may have at most %zu bytes", state->max_body)};
}

static void set_refusal(struct http_connection *state, struct http_refusal refusal) {
    http_set_problem(state, refusal.code, refusal.detail);
    http_set_header(&state->exchange, state->refusal_header.name, state->refusal_header.value);
}

/* What is wrong with a complete request before any handler sees it. */
static struct http_refusal check_request(struct http_connection *state) {
    if (state->refusal.code)
        return state->refusal;
    if (state->received > state->max_body)
        return too_large(state);
    if (state->body.failed)
        return (struct http_refusal){PROBLEM_NO_MEMORY, "not enough memory for the body"};
    if (state->received > 0 && is_encoded(state))
        return (struct http_refusal){PROBLEM_UNSUPPORTED_MEDIA_TYPE,
                                     "send the body without a Content-Encoding"};
    if (state->received > 0 && !content_type_fits(state))
        return (struct http_refusal){PROBLEM_UNSUPPORTED_MEDIA_TYPE,
                                     http_format(&state->exchange,
                                                 "Content-Type must be one of: %s",
                                                 state->route->content_types)};
    return (struct http_refusal){PROBLEM_NONE, NULL};
}

static enum MHD_Result answer(struct http_connection *state) {
    struct http_exchange *exchange = &state->exchange;
    peer_relax(state->server->deadlines, state->peer);
    struct http_refusal refusal = check_request(state);
    if (refusal.code) {
        set_refusal(state, refusal);
        return http_queue_response(state, false);
    }
    buffer_append(&state->body, "", 1);
    if (state->body.failed) {
        http_set_problem(state, PROBLEM_NO_MEMORY, "not enough memory for the body");
        return http_queue_response(state, false);
    }
    exchange->request.body = state->body.data;
    exchange->request.body_length = state->received;
    if (state->route->handler(exchange) == HTTP_DEFERRED || http_defer_content(state))
        return http_suspend_and_post(state);
    return http_queue_response(state, false);
}

static struct http_connection *begin(struct http_server *server, struct MHD_Connection *connection,
                                     struct peer *peer, const struct http_line *line) {
    struct http_connection *state = calloc(1, sizeof *state);
    if (!state)
        return NULL;
    state->server = server;
    state->connection = connection;
    state->peer = peer;
    state->exchange.connection = state;
    state->exchange.service = server->config.service;
    state->started = clock_monotonic();
    state->refusal = http_read_fields(connection, &state->arena, line, &state->fields);
    http_identify(state);
    atomic_fetch_add(&server->config.counts->in_flight, 1);
    pthread_mutex_lock(&server->mutex);
    state->exchange.stopping = server->stopping;
    state->next = server->requests;
    if (state->next)
        state->next->previous = state;
    server->requests = state;
    pthread_mutex_unlock(&server->mutex);
    return state;
}

/* NULL: there was no memory for one. */
static struct peer *peer_of(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static enum MHD_Result first_call(struct http_server *server, struct MHD_Connection *connection,
                                  struct http_line line, void **state_slot) {
    struct peer *peer = peer_of(connection);
    line.target = peer ? peer->target : NULL;
    struct http_connection *state = peer ? begin(server, connection, peer, &line) : NULL;
    if (!state)
        return MHD_NO;
    *state_slot = state;
    peer_expect_body(server->deadlines, peer, state->started, 0);
    struct http_refusal refusal = state->refusal;
    if (!refusal.code)
        refusal =
            http_check(&state->fields, line.target, line.version, &server->access, &state->framing);
    if (!refusal.code) {
        http_route_request(state, line.method);
        if (!http_body_is_hopeless(state))
            return MHD_YES;
        refusal = state->refusal.code ? state->refusal : too_large(state);
    }
    state->exchange.request.path = line.target ? line.target : "";
    state->exchange.request.method = line.method;
    set_refusal(state, refusal);
    peer->is_answered_early = true;
    return http_queue_response(state, true); /* an answer at this point closes the connection */
}

static enum MHD_Result take_body(struct http_connection *state, const char *bytes, size_t *size) {
    const bool goes_on = http_take_body(state, bytes, *size);
    *size = 0;
    peer_expect_body(state->server->deadlines, state->peer, state->started, state->received);
    if (goes_on)
        return MHD_YES;
    set_refusal(state, check_request(state));
    http_send_early(state);
    return MHD_NO;
}

static enum MHD_Result go_on(struct http_connection *state, const char *upload,
                             size_t *upload_size) {
    if (*upload_size > 0)
        return take_body(state, upload, upload_size);
    return state->answered ? http_queue_response(state, false) : answer(state);
}

enum MHD_Result http_on_request(void *self, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_size, void **state_slot) {
    struct http_connection *state = *state_slot;
    /* (the url is decoded already, and cut at %00: the raw target is used instead) */
    FAULT_STAY_BEGINS();
    const struct http_line line = {method, url, version, NULL};
    const enum MHD_Result result =
        state ? go_on(state, upload, upload_size) : first_call(self, connection, line, state_slot);
    FAULT_STAY_ENDS(state ? "request" : "headers", method, http_route_path(*state_slot));
    return result;
}

void *http_on_target(void *self, const char *target, struct MHD_Connection *connection) {
    (void)self;
    struct peer *peer = peer_of(connection);
    if (peer) {
        free(peer->target);
        peer->target = target ? strdup(target) : NULL; /* NULL: the request is refused */
    }
    return NULL; /* not freed by libmicrohttpd when the headers turn out bad, so nothing is kept */
}

static void count(const struct http_connection *state) {
    const struct http_config *config = &state->server->config;
    const struct http_route *first = config->routes, *route = state->route;
    const bool is_known = route >= first && route < first + config->route_count;
    count_request(is_known ? (size_t)(route - first) : config->route_count,
                  state->exchange.response.status, clock_monotonic() - state->started);
    atomic_fetch_sub(&config->counts->in_flight, 1);
}

/* Reads that went well are what a poller does all day. */
static enum log_level level_of(const struct http_connection *state) {
    const int status = state->exchange.response.status;
    if (status >= 500 || status == 0)
        return LOG_WARN;
    return status >= 400 || !http_is_safe(state->exchange.request.method) ? LOG_INFO : LOG_DEBUG;
}

static void log_request(const struct http_connection *state) {
    const struct http_request *request = &state->exchange.request;
    enum log_level level = level_of(state);
    if (!log_enabled(level))
        return;
    char path[256], method[32], id[80], key[AUTH_NAME + 2], client[INET6_ADDRSTRLEN], more[96];
    int used = 0;
    more[0] = '\0';
    access_address_text(&state->client, client);
    if (state->key_name[0])
        used = snprintf(more, sizeof more, " key=%s", log_quote(state->key_name, key, sizeof key));
    if (state->trace[0])
        snprintf(more + used, sizeof more - (size_t)used, " trace=\"%s\"", state->trace);
    log_line(level, "request",
             "id=%s client=%s method=%s path=%s status=%d bytes=%zu queue_ms=%.3f ms=%.3f%s",
             log_quote(state->id, id, sizeof id), client,
             log_quote(request->method, method, sizeof method),
             log_quote(request->path ? request->path : "", path, sizeof path),
             state->exchange.response.status, state->response_bytes, 1e3 * state->queued,
             1e3 * (clock_monotonic() - state->started), more);
}

void http_forget(struct http_connection *state) {
    struct http_exchange *exchange = &state->exchange;
    if (exchange->response.stream.closed)
        exchange->response.stream.closed(exchange);
    if (exchange->release)
        exchange->release(exchange);
    if (state->sending.is_open)
        atomic_fetch_sub(&state->server->config.counts->streams, 1);
    http_drop_body(state);
    http_let_go(&state->server->config.counts->answer_bytes, &state->answer_held);
    buffer_clear(&exchange->response.body);
    buffer_clear(&state->sending.ready);
    buffer_clear(&state->sending.made);
    buffer_clear(&state->sending.spare);
    gzip_stop(state->gzip);
    arena_clear(&state->arena);
    free(state);
}

/* Whoever misses the rest of an answer asks the operator, who has nothing but the log. */
static void log_cut(const struct http_connection *state, enum MHD_RequestTerminationCode code) {
    const bool is_late = code == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED;
    if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK || state->exchange.response.status == 0 ||
        state->sent_early)
        return;
    log_line(is_late ? LOG_WARN : LOG_DEBUG, "a response was cut short", "id=%s reason=\"%s\"",
             state->id, is_late ? "the client read nothing for --send-timeout" : "connection lost");
}

void http_on_completed(void *self, struct MHD_Connection *connection, void **state_slot,
                       enum MHD_RequestTerminationCode code) {
    (void)connection;
    struct http_server *server = self;
    struct http_connection *state = *state_slot;
    if (!state)
        return;
    FAULT_STAY_BEGINS();
    *state_slot = NULL;
    http_unwatch_client(state);
    peer_expect_header(server->deadlines, state->peer);
    count(state);
    log_cut(state, code);
    log_request(state);
    pthread_mutex_lock(&server->mutex);
    *(state->previous ? &state->previous->next : &server->requests) = state->next;
    if (state->next)
        state->next->previous = state->previous;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->mutex);
    if (stream_close(state))
        http_forget(state);
    FAULT_STAY_ENDS("end", "any", "any");
}

void http_on_connection(void *self, struct MHD_Connection *connection, void **context,
                        enum MHD_ConnectionNotificationCode code) {
    struct http_server *server = self;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *context = info ? peer_open(server->deadlines, info->connect_fd) : NULL;
    } else if (*context) {
        http_linger(server, *context);
        peer_close(server->deadlines, *context);
        *context = NULL;
    }
}
