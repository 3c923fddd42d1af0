/*
 * peer.h - clients that send a request slowly, and clients that disconnect.
 *
 * libmicrohttpd's timeout restarts with every byte, so a client that sends one byte every ten
 * seconds could hold a connection forever. Each socket has a peer here with the time by which its
 * current phase must end; a thread shuts down the sockets that are late.
 *
 * libmicrohttpd also does not watch a suspended connection, so the response for a client that gave
 * up would still be computed. The same thread reports when such a client closes its side. It also
 * shuts down a client that closes its side in the middle of a body, which libmicrohttpd may not
 * notice, and one that acknowledges nothing any more.
 */
#ifndef SERVER_HTTP_PEER_H
#define SERVER_HTTP_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct deadlines;

/* One open socket. */
struct peer {
    struct peer *previous, *next;
    int fd;
    double expires;   /* monotonic seconds; 0: no limit now */
    bool is_in_body;  /* more of a body is expected */
    bool has_hung_up; /* the client had closed its side at the last check */
    double heard;     /* monotonic seconds of its last acknowledgement, or when none was due */
    bool is_answered_early; /* before everything that it sends was read: see linger.h */
    char *target;           /* the raw request target, as sent; NULL: no request, or no memory */
    /* a watched peer has these as well */
    uint64_t watch; /* number of the watch; 0: none */
    void (*gone)(void *argument);
    void *argument;
};

struct deadlines *deadlines_start(void);
void deadlines_stop(struct deadlines *deadlines); /* all peers must be gone */

struct peer *peer_open(struct deadlines *deadlines, int fd); /* begins with a header */
/* Before the fd is closed. The socket lingers if the client may still be sending. */
void peer_close(struct deadlines *deadlines, struct peer *peer);

void peer_expect_header(struct deadlines *deadlines, struct peer *peer);
void peer_expect_body(struct deadlines *deadlines, struct peer *peer, double since,
                      size_t received);
void peer_relax(struct deadlines *deadlines, struct peer *peer); /* the request is complete */

/* Calls gone(argument) once, on the thread of the deadlines, if the client closes the connection
 * (or its sending half, which no client does that still reads) before peer_unwatch. gone must not
 * call back. A second peer_watch or peer_unwatch does nothing; only the connection's thread calls
 * them. */
void peer_watch(struct deadlines *deadlines, struct peer *peer, void (*gone)(void *argument),
                void *argument);
void peer_unwatch(struct deadlines *deadlines, struct peer *peer);

#endif
