#include "server/client.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int connect_to(const char *host, int port, int timeout_seconds) {
    char service[16];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    snprintf(service, sizeof service, "%d", port);
    if (getaddrinfo(host, service, &hints, &found) != 0)
        return -1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval timeout = {.tv_sec = timeout_seconds};
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
        if (connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}

static bool send_all(int fd, const struct buffer *bytes) {
    size_t sent = 0;
    while (sent < bytes->length) {
        ssize_t n = send(fd, bytes->data + sent, bytes->length - sent, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        sent += (size_t)n;
    }
    return true;
}

static bool receive_all(int fd, struct buffer *bytes) {
    enum { CHUNK = 65536 };
    for (;;) {
        char *room = buffer_reserve(bytes, CHUNK);
        ssize_t n = room ? recv(fd, room, CHUNK, 0) : -1;
        if (n <= 0)
            return n == 0;
        bytes->length += (size_t)n;
    }
}

/* Status of a whole response, and its body in `body`; the server sends no chunked answers to a
 * client that closes. */
static int split(struct buffer *response, struct buffer *body) {
    buffer_append(response, "", 1);
    int status;
    if (response->failed || sscanf(response->data, "HTTP/1.1 %d", &status) != 1)
        return -1;
    const char *end = strstr(response->data, "\r\n\r\n");
    if (!end)
        return -1;
    end += 4;
    buffer_append(body, end, response->length - (size_t)(end - response->data));
    return body->failed ? -1 : status;
}

int client_request(const char *host, int port, const char *method, const char *path,
                   const char *json, int timeout_seconds, struct buffer *body) {
    int fd = connect_to(host, port, timeout_seconds);
    if (fd < 0)
        return -1;
    struct buffer request = {0}, response = {0};
    buffer_format(&request, "%s %s HTTP/1.1\r\nHost: %s:%d\r\nConnection: close\r\n", method, path,
                  strchr(host, ':') ? "[::1]" : host, port);
    if (json)
        buffer_format(&request, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                      strlen(json));
    buffer_format(&request, "\r\n%s", json ? json : "");
    int status = -1;
    if (!request.failed && send_all(fd, &request) && receive_all(fd, &response))
        status = split(&response, body);
    close(fd);
    buffer_clear(&request);
    buffer_clear(&response);
    return status;
}
