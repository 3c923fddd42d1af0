/* What goes back to the client: headers, whole responses, and responses in the middle of a
 * request. */
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/http/connection.h"

/* ------------------------------------------------------------------ the headers */

static bool is_page(const char *content_type) {
    return strncmp(content_type, "text/html", 9) == 0;
}

/* What a browser may do with a response: a page loads only what this server has, a drawing may have
 * its own style, and anything else is data and loads nothing. NULL when out of memory. */
static const char *policy_of(struct http_exchange *exchange, const char *content_type) {
    const char *style = exchange->response.style_source;
    if (strncmp(content_type, "image/svg+xml", 13) == 0)
        return "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    if (!is_page(content_type))
        return "default-src 'none'; frame-ancestors 'none'";
    return http_format(exchange,
                       "default-src 'none'; script-src 'self'; style-src 'self'%s%s; "
                       "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; "
                       "form-action 'none'; frame-ancestors 'none'",
                       style ? " " : "", style ? style : "");
}

/* The headers of a response while they are added. */
struct head {
    struct http_call *call;
    struct MHD_Response *response;
    bool is_incomplete; /* there was no memory for a header */
};

static void add(struct head *head, const char *name, const char *value) {
    head->is_incomplete |=
        !value || MHD_add_response_header(head->response, name, value) != MHD_YES;
}

/* Browsers return by HTTPS only. The header applies to all ports of a host: localhost has
 * others. */
static void add_transport_security(struct head *head) {
    struct http_call *call = head->call;
    static const struct access loopback = {.names = ACCESS_LOOPBACK};
    const char *host = http_header(&call->exchange, "Host");
    if (call->server->config.tls.cert && host && !access_has_host(&loopback, host))
        add(head, "Strict-Transport-Security", "max-age=31536000");
}

static void add_security_headers(struct head *head) {
    struct http_call *call = head->call;
    const char *given = call->exchange.response.content_type, *type = given ? given : "";
    const char *origins = call->server->access.cors_origins;
    bool is_for_all = origins && strcmp(origins, "*") == 0;
    /* A browser would replace the policy of the cached page with that of the 304. */
    if (call->exchange.response.status != 304)
        add(head, "Content-Security-Policy", policy_of(&call->exchange, type));
    add(head, "X-Content-Type-Options", "nosniff");
    add(head, "Referrer-Policy", "no-referrer");
    add_transport_security(head);
    add(head, "Cross-Origin-Resource-Policy", is_for_all ? "cross-origin" : "same-origin");
    /* Not Cross-Origin-Opener-Policy: a browser would start another process for the page once its
     * headers arrive, which doubles the time to its first picture. The page's opener sees nothing
     * of it anyway. */
    if (is_page(type))
        add(head, "X-Frame-Options", "DENY");
}

static void add_cors_headers(struct head *head) {
    struct http_call *call = head->call;
    const struct access *access = &call->server->access;
    if (!access->cors_origins)
        return;
    const char *origin = http_header(&call->exchange, "Origin");
    add(head, "Vary", "Origin");
    if (!access_has_origin(access, origin))
        return;
    add(head, "Access-Control-Allow-Origin", origin);
    add(head, "Access-Control-Expose-Headers",
        "Allow, Content-Disposition, ETag, Idempotency-Replayed, Location, "
        "Preference-Applied, Retry-After, Server-Timing, WWW-Authenticate, "
        "X-Request-Id");
}

/* Adds the headers of the response, and those of every response. False when there is no memory for
 * one: a response without its policy, for example, must not be sent. */
static bool add_headers(struct http_call *call, struct MHD_Response *response, bool close) {
    struct head head = {call, response, false};
    const struct http_response *from = &call->exchange.response;
    for (size_t i = 0; i < from->header_count; i++)
        add(&head, from->headers[i].name, from->headers[i].value);
    if (from->content_type)
        add(&head, "Content-Type", from->content_type);
    if (close)
        add(&head, "Connection", "close");
    if (!http_has_header(&call->exchange.response, "Cache-Control"))
        add(&head, "Cache-Control", "no-store");
    add_security_headers(&head);
    add_cors_headers(&head);
    add(&head, "X-Request-Id", call->id);
    char timing[96];
    const double all = clock_monotonic() - call->started;
    if (call->queued > 0)
        snprintf(timing, sizeof timing, "queue;dur=%.3f, app;dur=%.3f", 1e3 * call->queued,
                 1e3 * (all - call->queued));
    else
        snprintf(timing, sizeof timing, "app;dur=%.3f", 1e3 * all);
    add(&head, "Server-Timing", timing);
    return !head.is_incomplete;
}

/* ------------------------------------------------------------------ the response */

/* Corrects what a handler left incomplete. */
static void check_response(struct http_call *call) {
    struct http_response *response = &call->exchange.response;
    if (response->body.failed || call->arena.failed)
        http_set_problem(call, PROBLEM_NO_MEMORY,
                         "not enough memory for the response; try again later");
    else if (response->status == 0)
        http_set_problem(call, PROBLEM_INTERNAL, "the server produced no response");
    if (response->status == 503 && !http_has_header(response, "Retry-After"))
        http_set_header(&call->exchange, "Retry-After", "1");
}

static bool hold(struct http_call *call, size_t bytes) {
    const struct http_config *config = &call->server->config;
    return http_hold(&config->counts->answer_bytes, config->max_answer_memory, &call->answer_held,
                     bytes);
}

static void answer_memory_full(struct http_call *call) {
    http_set_problem(call, PROBLEM_ANSWER_MEMORY_FULL,
                     "too many large responses are being sent; try again");
}

bool http_reserve(struct http_exchange *exchange, size_t bytes) {
    struct http_call *call = exchange->call;
    const size_t most = call->server->config.max_answer_memory;
    const size_t wanted =
        bytes > most || call->reserved > most - bytes ? most : call->reserved + bytes;
    if (!hold(call, wanted)) {
        answer_memory_full(call);
        return false;
    }
    call->reserved = wanted;
    return true;
}

/* A response stays until its client has read it, which may take long. */
static bool hold_answer(struct http_call *call) {
    const struct http_response *response = &call->exchange.response;
    return hold(call, response->body.length + response->stream.held);
}

static void set_state(struct http_call *call, enum call_state to) {
    pthread_mutex_lock(&call->server->mutex);
    http_set_state(call, to);
    pthread_mutex_unlock(&call->server->mutex);
}

static struct MHD_Response *whole_response(struct http_call *call) {
    peer_unwatch(call->server->deadlines, call->peer);
    struct buffer *body = &call->exchange.response.body;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body->length, body->data, MHD_RESPMEM_MUST_FREE);
    if (response) {
        set_state(call, CALL_SENDING);
        call->response_bytes = body->length;
        *body = (struct buffer){0}; /* the response frees it now */
    }
    return response;
}

enum MHD_Result http_queue_response(struct http_call *call, bool close) {
    http_finish_content(call);
    if (!hold_answer(call))
        answer_memory_full(call);
    check_response(call);
    struct http_response *from = &call->exchange.response;
    struct MHD_Response *response =
        from->stream.next ? http_stream_response(call) : whole_response(call);
    if (!response)
        return MHD_NO; /* closes the connection */
    const bool whole = add_headers(call, response, close || http_is_stopping(&call->exchange));
    enum MHD_Result queued =
        whole ? MHD_queue_response(call->connection, (unsigned)from->status, response) : MHD_NO;
    MHD_destroy_response(response);
    return queued;
}

/* ------------------------------------------------------------------ before the request is in */

static enum MHD_Result write_header(void *out, enum MHD_ValueKind kind, const char *name,
                                    const char *value) {
    (void)kind;
    buffer_format(out, "%s: %s\r\n", name, value);
    return MHD_YES;
}

static void write_date(struct buffer *out) {
    const time_t now = time(NULL);
    struct tm parts;
    char text[64];
    if (gmtime_r(&now, &parts) && strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts))
        buffer_format(out, "Date: %s\r\n", text);
}

/* The response as it goes over the wire. False: not enough memory. */
static bool write_response(struct http_call *call, struct buffer *out) {
    const struct http_response *from = &call->exchange.response;
    struct MHD_Response *headers = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    const bool whole = headers && add_headers(call, headers, true);
    buffer_format(out, "HTTP/1.1 %d %s\r\n", from->status,
                  MHD_get_reason_phrase_for((unsigned)from->status));
    write_date(out);
    if (whole)
        MHD_get_response_headers(headers, write_header, out);
    buffer_format(out, "Content-Length: %zu\r\n\r\n", from->body.length);
    buffer_append(out, from->body.data, from->body.length);
    if (headers)
        MHD_destroy_response(headers);
    return whole && !out->failed;
}

void http_send_early(struct http_call *call) {
    const union MHD_ConnectionInfo *info = NULL;
    struct buffer out = {0};
    if (call->server->config.tls.cert)
        info = MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (write_response(call, &out)) {
        /* The socket has room for this much, unless the client has not even read earlier responses
         * of the connection; then the rest is lost. */
        const ssize_t sent =
            info ? gnutls_record_send(info->tls_session, out.data, out.length)
                 : send(call->peer->fd, out.data, out.length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent == (ssize_t)out.length)
            set_state(call, CALL_SENT_EARLY);
        else
            log_line(LOG_INFO, "an early response was cut short", "id=%s bytes=%zu sent=%zd",
                     call->id, out.length, sent);
        call->response_bytes = call->exchange.response.body.length;
    }
    call->peer->is_answered_early = true;
    buffer_clear(&out);
}
