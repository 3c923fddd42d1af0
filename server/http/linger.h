/*
 * linger.h - connections that have ended while their clients are still sending.
 *
 * A refusal goes out before the body has come. If its socket were closed then, the system would
 * answer what still arrives with a reset, and a reset makes the client's system discard what the
 * client has not read yet: it would see a broken pipe instead of the response. So such a socket
 * stays open for a while (like nginx's lingering close): the sending side is shut down, and what
 * arrives is read and discarded until the client closes its side, too.
 *
 * Nobody can hold much this way: each client has a limit of seconds without a byte, of seconds in
 * all, of bytes, and of such sockets; one more closes its oldest.
 *
 * The deadlines (peer.c) own these sockets: their mutex is held in each call, and their thread
 * reads and closes.
 */
#ifndef SERVER_HTTP_LINGER_H
#define SERVER_HTTP_LINGER_H

#include <netinet/in.h>
#include <stdint.h>

enum {
    LINGER_QUIET_SECONDS = 5,
    LINGER_SECONDS = 30,
    LINGER_MEBIBYTES = 256,
    LINGER_SOCKETS = 32,
    LINGER_SOCKETS_EACH = 16, /* for one address */
};

/* Zeroed but for the epoll, it has no sockets. */
struct lingering {
    int epoll; /* reports each socket by its number, 0 to LINGER_SOCKETS - 1 */
    struct lingering_socket {
        int fd; /* 0: none */
        struct in6_addr client;
        double since, heard;
        uint64_t bytes;
    } sockets[LINGER_SOCKETS];
};

/* Takes over a socket with its own descriptor: the caller closes fd as usual right afterwards, and
 * shuts nothing down. */
void linger_take(struct lingering *linger, int fd);
/* After an event of the socket with this number. */
void linger_read(struct lingering *linger, uint64_t number);
void linger_close_late(struct lingering *linger, double now); /* INFINITY: closes all */

#endif
