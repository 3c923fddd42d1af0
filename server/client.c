#include "server/client.h"

#include <gnutls/gnutls.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int connect_to_address(const struct addrinfo *address, int timeout_seconds) {
    const struct timeval timeout = {.tv_sec = timeout_seconds};
    const int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Connects to the first of the host's addresses that accepts; -1: none does. */
static int connect_to(const char *host, int port, int timeout_seconds) {
    char service[16];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    int fd = -1;
    snprintf(service, sizeof service, "%d", port);
    if (getaddrinfo(host, service, &hints, &found) != 0)
        return -1;
    for (const struct addrinfo *at = found; at && fd < 0; at = at->ai_next)
        fd = connect_to_address(at, timeout_seconds);
    freeaddrinfo(found);
    return fd;
}

/* A socket, with or without a TLS session. */
struct line {
    int fd;
    gnutls_session_t tls; /* NULL: none */
    gnutls_certificate_credentials_t credentials;
};

static bool start_tls(struct line *line, int timeout_seconds) {
    if (gnutls_certificate_allocate_credentials(&line->credentials) < 0 ||
        gnutls_init(&line->tls, GNUTLS_CLIENT) < 0)
        return false;
    gnutls_set_default_priority(line->tls);
    gnutls_credentials_set(line->tls, GNUTLS_CRD_CERTIFICATE, line->credentials);
    gnutls_transport_set_int(line->tls, line->fd);
    gnutls_handshake_set_timeout(line->tls, (unsigned)timeout_seconds * 1000);
    int code;
    do
        code = gnutls_handshake(line->tls);
    while (code < 0 && !gnutls_error_is_fatal(code));
    return code == 0;
}

static bool line_open(struct line *line, const struct client_server *server, int timeout_seconds) {
    line->fd = connect_to(server->host, server->port, timeout_seconds);
    return line->fd >= 0 && (!server->tls || start_tls(line, timeout_seconds));
}

static void line_close(struct line *line) {
    if (line->tls)
        gnutls_deinit(line->tls);
    if (line->credentials)
        gnutls_certificate_free_credentials(line->credentials);
    if (line->fd >= 0)
        close(line->fd);
}

static bool send_all(struct line *line, const struct buffer *bytes) {
    size_t sent = 0;
    while (sent < bytes->length) {
        const char *rest = bytes->data + sent;
        const size_t left = bytes->length - sent;
        ssize_t n = line->tls ? gnutls_record_send(line->tls, rest, left)
                              : send(line->fd, rest, left, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        sent += (size_t)n;
    }
    return true;
}

static bool receive_all(struct line *line, struct buffer *bytes) {
    enum { CHUNK = 65536 };
    for (;;) {
        char *room = buffer_reserve(bytes, CHUNK);
        if (!room)
            return false;
        ssize_t n =
            line->tls ? gnutls_record_recv(line->tls, room, CHUNK) : recv(line->fd, room, CHUNK, 0);
        /* libmicrohttpd closes the socket without TLS's close_notify. */
        if (n <= 0)
            return n == 0 || n == GNUTLS_E_PREMATURE_TERMINATION;
        bytes->length += (size_t)n;
    }
}

/* Joins the chunks of a body (RFC 9112, 7.1). False: it was cut short. */
static bool join_chunks(const char *at, const char *end, struct buffer *body) {
    for (;;) {
        char *digits_end;
        const unsigned long long size = strtoull(at, &digits_end, 16);
        const char *line_end = memmem(at, (size_t)(end - at), "\r\n", 2);
        if (digits_end == at || !line_end || size > (size_t)(end - line_end - 2))
            return false;
        if (size == 0)
            return true;
        at = line_end + 2;
        buffer_append(body, at, (size_t)size);
        at += size;
        if (end - at < 2 || memcmp(at, "\r\n", 2) != 0)
            return false;
        at += 2;
    }
}

/* What follows "name: " in the header, or NULL. */
static const char *find_header(const char *header, const char *end, const char *name) {
    const char *found = strcasestr(header, name);
    return found && found < end ? found + strlen(name) : NULL;
}

/* The body must be as long as the header says; otherwise it was cut short. */
static bool take_body(const char *header, const char *at, const char *end, struct buffer *body) {
    const char *coding = find_header(header, at, "\r\nTransfer-Encoding: ");
    const char *length = find_header(header, at, "\r\nContent-Length: ");
    if (coding)
        return strncasecmp(coding, "chunked\r\n", 9) == 0 && join_chunks(at, end, body);
    if (length && strtoull(length, NULL, 10) != (size_t)(end - at))
        return false;
    buffer_append(body, at, (size_t)(end - at));
    return true;
}

/* The status of a complete response, and its body in `body`; -1: it is missing or incomplete. */
static int split(struct buffer *response, struct buffer *body) {
    int status;
    buffer_append(response, "", 1);
    if (response->failed || sscanf(response->data, "HTTP/1.1 %d", &status) != 1)
        return -1;
    const char *blank = strstr(response->data, "\r\n\r\n");
    const char *end = response->data + response->length - 1;
    if (!blank || !take_body(response->data, blank + 4, end, body))
        return -1;
    buffer_append(body, "", 1);
    body->length--;
    return body->failed ? -1 : status;
}

int client_request(const struct client_server *server, const char *method, const char *path,
                   const char *json, int timeout_seconds, struct buffer *body) {
    struct line line = {.fd = -1};
    struct buffer request = {0}, response = {0};
    int status = -1;
    buffer_format(&request, "%s %s HTTP/1.1\r\nHost: %s:%d\r\nConnection: close\r\n", method, path,
                  strchr(server->host, ':') ? "[::1]" : server->host, server->port);
    if (json)
        buffer_format(&request, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                      strlen(json));
    buffer_format(&request, "\r\n%s", json ? json : "");
    if (!request.failed && line_open(&line, server, timeout_seconds) && send_all(&line, &request) &&
        receive_all(&line, &response))
        status = split(&response, body);
    line_close(&line);
    buffer_clear(&request);
    buffer_clear(&response);
    return status;
}
