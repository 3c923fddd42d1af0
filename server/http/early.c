/* Answers that go out before the request has come in. */
#include <gnutls/gnutls.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "server/base/log.h"
#include "server/http/connection.h"

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
    const bool whole = headers && http_add_headers(call, headers, true);
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
        /* The system has room for so little, unless its client has not even taken earlier answers
         * of the connection; then the rest is lost. */
        const ssize_t sent =
            info ? gnutls_record_send(info->tls_session, out.data, out.length)
                 : send(call->peer->fd, out.data, out.length, MSG_NOSIGNAL | MSG_DONTWAIT);
        call->sent_early = sent == (ssize_t)out.length;
        if (!call->sent_early)
            log_line(LOG_INFO, "an early response was cut short", "id=%s bytes=%zu sent=%zd",
                     call->id, out.length, sent);
        call->response_bytes = call->exchange.response.body.length;
    }
    call->peer->is_answered_early = true;
    buffer_clear(&out);
}

void http_linger(struct http_server *server, const struct peer *peer) {
    int unread = 0;
    /* (what libmicrohttpd itself refuses, such as a head that is too large, may go on as well) */
    if (peer->is_answered_early || (ioctl(peer->fd, FIONREAD, &unread) == 0 && unread > 0))
        linger_take(server->lingering, peer->fd);
}
