#include "server/http/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 511 };

/* Explains texts that are not an address, though they may contain one. */
static void explain_host(const char *host, int code, char *error, size_t error_size) {
    static const char examples[] = "127.0.0.1 (this machine only), 0.0.0.0 (every network) or :: "
                                   "(every IPv6 network)";
    const char *colon = strrchr(host, ':');
    const bool has_port = colon && colon[1 + strspn(colon + 1, "0123456789")] == '\0';
    struct in6_addr ignored;
    if (strstr(host, "://"))
        snprintf(error, error_size, "--host must be an address, not the URL \"%s\": %s", host,
                 examples);
    else if (host[0] == '[')
        snprintf(error, error_size,
                 "--host must be an address without brackets, such as ::1, and --port the port, "
                 "not \"%s\"",
                 host);
    else if (has_port && inet_pton(AF_INET6, host, &ignored) != 1)
        snprintf(error, error_size,
                 "--host must be an address without a port, not \"%s\": use --host %.*s --port %s",
                 host, (int)(colon - host), host, colon[1] ? colon + 1 : "8080");
    else
        snprintf(error, error_size, "--host: the address \"%s\" cannot be found (%s); use %s", host,
                 gai_strerror(code), examples);
}

static bool resolve(const char *host, int port, struct addrinfo **found, char *error,
                    size_t error_size) {
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    const int code = getaddrinfo(host, service, &hints, found);
    if (code != 0)
        explain_host(host, code, error, error_size);
    return code == 0;
}

static bool is_loopback(const struct sockaddr *address) {
    if (address->sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
    return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
}

static int port_of(int fd) {
    union {
        struct sockaddr_in6 v6;
        struct sockaddr_in v4;
        struct sockaddr any;
    } address = {0};
    socklen_t size = sizeof address;
    if (getsockname(fd, &address.any, &size) != 0)
        return -1;
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

static void explain_use(int port, char *error, size_t error_size) {
    const int other = port == 9000 ? 9001 : 9000;
    snprintf(
        error, error_size,
        "port %d is in use by another program: choose another port with --port %d (or make run "
        "ARGS=\"--port %d\")",
        port, other, other);
}

static void explain_bind(int code, const char *host, int port, char *error, size_t error_size) {
    if (code == EADDRINUSE)
        explain_use(port, error, error_size);
    else if (code == EACCES)
        snprintf(error, error_size,
                 "port %d needs privileges: choose a port above 1023 with --port", port);
    else if (code == EADDRNOTAVAIL)
        snprintf(error, error_size,
                 "--host: %s is not an address of this machine; 0.0.0.0 means all of them", host);
    else
        snprintf(error, error_size, "cannot listen on %s port %d: %s", host, port, strerror(code));
}

/* False: errno says why. */
static bool bind_to(struct http_socket *to, const struct addrinfo *address) {
    const int on = 1;
    *to = (struct http_socket){.family = (sa_family_t)address->ai_family,
                               .is_loopback = is_loopback(address->ai_addr)};
    to->fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (to->fd < 0)
        return false;
    if (setsockopt(to->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        (address->ai_family != AF_INET6 ||
         setsockopt(to->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
        bind(to->fd, address->ai_addr, address->ai_addrlen) == 0) {
        to->port = port_of(to->fd);
        return true;
    }
    const int code = errno;
    close(to->fd);
    errno = code;
    return false;
}

bool http_socket_bind(struct http_socket *to, const char *host, int port, char *error,
                      size_t error_size) {
    struct addrinfo *found;
    bool bound = false;
    if (!resolve(host, port, &found, error, error_size))
        return false;
    errno = 0;
    /* A port in use is an error: otherwise clients might reach the other program under the same
     * name. */
    for (const struct addrinfo *at = found; at && !bound && errno != EADDRINUSE; at = at->ai_next)
        bound = bind_to(to, at);
    if (!bound)
        explain_bind(errno, host, port, error, error_size);
    freeaddrinfo(found);
    return bound;
}

bool http_socket_open(const struct http_socket *to, char *error, size_t error_size) {
    if (listen(to->fd, BACKLOG) == 0)
        return true;
    explain_use(to->port, error, error_size);
    return false;
}
