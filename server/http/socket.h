/*
 * socket.h - the address that the server listens on. It is bound first of all, so that a start that
 * fails because of it leaves nothing behind.
 */
#ifndef SERVER_HTTP_SOCKET_H
#define SERVER_HTTP_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct http_socket {
    int fd; /* bound; nobody can connect before http_socket_open */
    sa_family_t family;
    int port; /* the real one */
    bool is_loopback;
};

/* host: an address or a name of this machine; port 0: any free port. False, and a message with the
 * fix. */
bool http_socket_bind(struct http_socket *to, const char *host, int port, char *error,
                      size_t error_size);
/* From now on clients can connect. False and a message: another program was faster. */
bool http_socket_open(const struct http_socket *to, char *error, size_t error_size);

#endif
