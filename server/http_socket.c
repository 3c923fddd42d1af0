#include "server/http_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 511 };

/* What is no address, though it may contain one. */
static void explain_host(const char *host, int code, char *error, size_t error_size) {
    static const char examples[] = "127.0.0.1 (this machine alone), 0.0.0.0 or :: (every network)";
    const char *colon = strrchr(host, ':');
    struct in6_addr ignored;
    if (strstr(host, "://"))
        snprintf(error, error_size, "--host must be an address, not the URL \"%s\": %s", host,
                 examples);
    else if (host[0] == '[')
        snprintf(error, error_size,
                 "--host must be an address without brackets, such as ::1, and --port the port, "
                 "not \"%s\"",
                 host);
    else if (colon && inet_pton(AF_INET6, host, &ignored) != 1)
        snprintf(error, error_size,
                 "--host must be an address without a port, not \"%s\": say --host %.*s --port %s",
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
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return -1;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

static void explain_use(int port, char *error, size_t error_size) {
    const int other = port == 9000 ? 9001 : 9000;
    snprintf(error, error_size,
             "port %d is in use by another program: choose another one with --port %d (or make run "
             "ARGS=\"--port %d\")",
             port, other, other);
}

static void explain_bind(int code, const char *host, int port, char *error, size_t error_size) {
    if (code == EADDRINUSE)
        explain_use(port, error, error_size);
    else if (code == EACCES)
        snprintf(error, error_size,
                 "port %d may not be used without privileges: choose one above 1023 with --port",
                 port);
    else if (code == EADDRNOTAVAIL)
        snprintf(error, error_size,
                 "--host: %s is not an address of this machine; 0.0.0.0 stands for all of them",
                 host);
    else
        snprintf(error, error_size, "cannot listen on %s port %d: %s", host, port, strerror(code));
}

bool http_socket_bind(struct http_socket *to, const char *host, int port, char *error,
                      size_t error_size) {
    struct addrinfo *found;
    const int on = 1;
    if (!resolve(host, port, &found, error, error_size))
        return false;
    *to = (struct http_socket){.family = (sa_family_t)found->ai_family,
                               .is_loopback = is_loopback(found->ai_addr)};
    to->fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool bound = to->fd >= 0 && setsockopt(to->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                 (found->ai_family != AF_INET6 ||
                  setsockopt(to->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
                 bind(to->fd, found->ai_addr, found->ai_addrlen) == 0;
    if (!bound) {
        explain_bind(errno, host, port, error, error_size);
        if (to->fd >= 0)
            close(to->fd);
    } else
        to->port = port_of(to->fd);
    freeaddrinfo(found);
    return bound;
}

bool http_socket_open(const struct http_socket *to, char *error, size_t error_size) {
    if (listen(to->fd, BACKLOG) == 0)
        return true;
    explain_use(to->port, error, error_size);
    return false;
}
