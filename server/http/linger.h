/*
 * linger.h - connections that have ended while their clients are still sending.
 *
 * A refusal goes out before the body has come. If its socket were closed then, the system would
 * answer what still arrives with a reset, and a reset makes the client's system throw away what the
 * client has not read yet: it would see a broken pipe in place of the answer. So such a socket
 * stays open for a while (as nginx's lingering close): the sending side is shut down, and what
 * arrives is read and thrown away, until the client has closed its side, too.
 *
 * Nobody can hold much by that: a client has so many seconds, without a byte and in all, so many
 * bytes, and so many such sockets; with one more, its oldest is closed.
 */
#ifndef SERVER_HTTP_LINGER_H
#define SERVER_HTTP_LINGER_H

enum {
    LINGER_QUIET_SECONDS = 5,
    LINGER_SECONDS = 30,
    LINGER_MEBIBYTES = 256,
    LINGER_SOCKETS = 32,
    LINGER_SOCKETS_EACH = 16, /* for one address */
};

struct lingering;
struct lingering *linger_start(void);          /* NULL when out of memory, threads or descriptors */
void linger_stop(struct lingering *lingering); /* closes all */

/* Takes over a socket with its own descriptor: the caller closes fd as usual right afterwards, and
 * shuts nothing down. Any thread. */
void linger_take(struct lingering *lingering, int fd);

#endif
