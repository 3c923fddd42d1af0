/* Requests, from the start of a connection to the end of a response: what libmicrohttpd calls. */
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

static bool content_type_fits(const struct http_call *call) {
    const char *type = http_header(&call->exchange, "Content-Type");
    return type && router_has_word(call->route->content_types, type, strcspn(type, "; \t"));
}

/* Is the body encoded in a way that its route does not decode? "identity" means that it is not
 * encoded; a route that takes gzip files decodes gzip. */
static bool is_encoded(const struct http_call *call) {
    const char *at = http_header(&call->exchange, "Content-Encoding");
    if (at && (strcasecmp(at, "gzip") == 0 || strcasecmp(at, "x-gzip") == 0) &&
        router_has_word(call->route->content_types, "application/gzip", strlen("application/gzip")))
        return false;
    while (at && *(at += strspn(at, ", \t"))) {
        const size_t length = strcspn(at, ", \t");
        if (length != strlen("identity") || strncasecmp(at, "identity", length) != 0)
            return true;
        at += length;
    }
    return false;
}

static struct http_refusal too_large(struct http_call *call) {
    return (struct http_refusal){
        PROBLEM_BODY_TOO_LARGE,
        http_format(&call->exchange, "the body can be at most %zu bytes", call->max_body)};
}

/* What curl sends unless it is told is the type of a form of a web page. */
static const char *wrong_type(struct http_call *call) {
    const char *types = call->route->content_types;
    const char *type = http_header(&call->exchange, "Content-Type");
    const bool is_default = type && strncasecmp(type, "application/x-www-form-urlencoded", 33) == 0;
    return is_default ? http_format(&call->exchange,
                                    "Content-Type must be one of: %s; with curl, add -H "
                                    "'Content-Type: %.*s'",
                                    types, (int)strcspn(types, " "), types)
                      : http_format(&call->exchange, "Content-Type must be one of: %s", types);
}

static void set_refusal(struct http_call *call, struct http_refusal refusal) {
    http_set_problem(call, refusal.code, refusal.detail);
    http_set_header(&call->exchange, call->refusal_header.name, call->refusal_header.value);
}

/* What is wrong with a complete request before any handler sees it. */
static struct http_refusal check_request(struct http_call *call) {
    if (call->refusal.code)
        return call->refusal;
    if (call->received > call->max_body)
        return too_large(call);
    if (call->body.failed)
        return (struct http_refusal){PROBLEM_NO_MEMORY, "not enough memory for the body"};
    if (call->received > 0 && is_encoded(call))
        return (struct http_refusal){PROBLEM_UNSUPPORTED_MEDIA_TYPE,
                                     "send the body without a Content-Encoding"};
    if (call->received > 0 && !content_type_fits(call))
        return (struct http_refusal){PROBLEM_UNSUPPORTED_MEDIA_TYPE, wrong_type(call)};
    return (struct http_refusal){PROBLEM_NONE, NULL};
}

static enum MHD_Result run_handler(struct http_call *call) {
    struct http_exchange *exchange = &call->exchange;
    peer_relax(call->server->deadlines, call->peer);
    buffer_append(&call->body, "", 1);
    const struct http_refusal refusal = check_request(call);
    if (refusal.code) {
        set_refusal(call, refusal);
        return http_queue_response(call, false);
    }
    exchange->request.body = call->body.data;
    exchange->request.body_length = call->received;
    if (call->route->handler(exchange) == HTTP_DEFERRED || http_defer_content(call))
        return http_suspend_and_post(call);
    return http_queue_response(call, false);
}

static struct http_call *begin(struct http_server *server, struct MHD_Connection *connection,
                               struct peer *peer, const struct http_line *line) {
    struct http_call *call = calloc(1, sizeof *call);
    if (!call)
        return NULL;
    call->server = server;
    call->connection = connection;
    call->peer = peer;
    call->exchange.call = call;
    call->exchange.service = server->config.service;
    call->started = clock_monotonic();
    call->refusal = http_read_fields(connection, &call->arena, line, &call->fields);
    http_identify(call);
    atomic_fetch_add(&server->config.counts->in_flight, 1);
    pthread_mutex_lock(&server->mutex);
    call->exchange.stopping = server->stopping;
    call->next = server->requests;
    if (call->next)
        call->next->previous = call;
    server->requests = call;
    pthread_mutex_unlock(&server->mutex);
    return call;
}

/* NULL: there was no memory for a peer. */
static struct peer *peer_of(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static enum MHD_Result first_call(struct http_server *server, struct MHD_Connection *connection,
                                  struct http_line line, void **call_slot) {
    struct peer *peer = peer_of(connection);
    line.target = peer ? peer->target : NULL;
    struct http_call *call = peer ? begin(server, connection, peer, &line) : NULL;
    if (!call)
        return MHD_NO;
    *call_slot = call;
    peer_expect_body(server->deadlines, peer, call->started, 0);
    struct http_refusal refusal = call->refusal;
    if (!refusal.code)
        refusal =
            http_check(&call->fields, line.target, line.version, &server->access, &call->framing);
    if (!refusal.code) {
        http_route_request(call, line.method);
        if (!http_body_is_hopeless(call))
            return MHD_YES;
        refusal = call->refusal.code ? call->refusal : too_large(call);
    }
    call->exchange.request.path = line.target ? line.target : "";
    call->exchange.request.method = line.method;
    set_refusal(call, refusal);
    peer->is_answered_early = true;
    return http_queue_response(call, true); /* a response at this point closes the connection */
}

static enum MHD_Result take_body(struct http_call *call, const char *bytes, size_t *size) {
    const bool continues = http_take_body(call, bytes, *size);
    *size = 0;
    peer_expect_body(call->server->deadlines, call->peer, call->started, call->received);
    if (continues)
        return MHD_YES;
    set_refusal(call, check_request(call));
    http_send_early(call);
    return MHD_NO;
}

static enum MHD_Result proceed(struct http_call *call, const char *upload, size_t *upload_size) {
    if (*upload_size > 0)
        return take_body(call, upload, upload_size);
    switch (call->state) {
    case CALL_READING: return run_handler(call);
    case CALL_ANSWERED: return http_queue_response(call, false);
    default: return MHD_NO; /* a daemon that stops drops the queued response, and asks again */
    }
}

enum MHD_Result http_on_request(void *self, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_size, void **call_slot) {
    struct http_call *call = *call_slot;
    /* (libmicrohttpd has decoded the url and cut it at %00: the raw target is used instead) */
    FAULT_STAY_BEGINS();
    const struct http_line line = {method, url, version, NULL};
    const enum MHD_Result result =
        call ? proceed(call, upload, upload_size) : first_call(self, connection, line, call_slot);
    FAULT_STAY_ENDS(call ? "request" : "headers", method, http_route_path(*call_slot));
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

static void count(const struct http_call *call) {
    const struct http_config *config = &call->server->config;
    const struct http_route *first = config->routes, *route = call->route;
    const bool is_known = route >= first && route < first + config->route_count;
    counters_add_request(is_known ? (size_t)(route - first) : config->route_count,
                         call->exchange.response.status, clock_monotonic() - call->started);
    atomic_fetch_sub(&config->counts->in_flight, 1);
}

/* Successful reads are what pollers do all day. */
static enum log_level level_of(const struct http_call *call) {
    const int status = call->exchange.response.status;
    if (status >= 500 || status == 0)
        return LOG_WARN;
    return status >= 400 || !http_is_safe(call->exchange.request.method) ? LOG_INFO : LOG_DEBUG;
}

static void log_request(const struct http_call *call) {
    const struct http_request *request = &call->exchange.request;
    enum log_level level = level_of(call);
    if (!log_enabled(level))
        return;
    char client[INET6_ADDRSTRLEN];
    access_address_text(&call->client, client);
    log_line(level, "request",
             "id=%s client=%s method=%.24s path=%.248s status=%d bytes=%zu queue_ms=%.3f ms=%.3f "
             "key=%s trace=\"%s\"",
             call->id, client, request->method, request->path ? request->path : "",
             call->exchange.response.status, call->response_bytes, 1e3 * call->queued,
             1e3 * (clock_monotonic() - call->started), call->key_name[0] ? call->key_name : NULL,
             call->trace[0] ? call->trace : NULL);
}

/* A user who misses the end of a response asks the operator, who has only the log. */
static void log_cut(const struct http_call *call, enum MHD_RequestTerminationCode code) {
    const bool is_late = code == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED;
    if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK || call->exchange.response.status == 0 ||
        call->state == CALL_SENT_EARLY)
        return;
    log_line(is_late ? LOG_WARN : LOG_DEBUG, "a response was cut short", "id=%s reason=\"%s\"",
             call->id, is_late ? "the client read nothing for --send-timeout" : "connection lost");
}

void http_on_completed(void *self, struct MHD_Connection *connection, void **call_slot,
                       enum MHD_RequestTerminationCode code) {
    (void)connection;
    struct http_server *server = self;
    struct http_call *call = *call_slot;
    if (!call)
        return;
    FAULT_STAY_BEGINS();
    const struct http_call told = *call; // NOLINT(clang-analyzer-deadcode.DeadStores): see fault.h
    *call_slot = NULL;
    peer_unwatch(server->deadlines, call->peer);
    peer_expect_header(server->deadlines, call->peer);
    count(call);
    log_cut(call, code);
    log_request(call);
    pthread_mutex_lock(&server->mutex);
    *(call->previous ? &call->previous->next : &server->requests) = call->next;
    if (call->next)
        call->next->previous = call->previous;
    pthread_cond_broadcast(&server->changed);
    http_set_state(call, CALL_OVER);
    __atomic_store_n(&call->exchange.stopping, true, __ATOMIC_RELAXED);
    const bool is_making = call->sending.next == PIECE_MAKING; /* then the call is freed after it */
    pthread_mutex_unlock(&server->mutex);
    if (!is_making)
        http_free_call(call);
    FAULT_STAY_ENDS("end", told.exchange.request.method, http_route_path(&told));
}

void http_on_connection(void *self, struct MHD_Connection *connection, void **context,
                        enum MHD_ConnectionNotificationCode code) {
    struct http_server *server = self;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *context = info ? peer_open(server->deadlines, info->connect_fd) : NULL;
    } else if (*context) {
        peer_close(server->deadlines, *context);
        *context = NULL;
    }
}
