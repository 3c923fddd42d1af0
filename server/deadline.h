/*
 * deadline.h - absolute time limits for clients that send a request slowly.
 *
 * libmicrohttpd's time-out starts anew with every byte, so a client that sends one byte every ten
 * seconds could hold a connection for ever. Each socket has a peer here with the time by which the
 * phase it is in must be over; a thread shuts down the ones that are late.
 */
#ifndef SERVER_DEADLINE_H
#define SERVER_DEADLINE_H

#include <stddef.h>

struct deadlines;

/* One open socket. */
struct peer {
    struct peer *previous, *next;
    int fd;
    double expires; /* monotonic seconds; 0: no limit now */
    char *target;   /* the raw request target, as sent; NULL before the first request */
};

struct deadlines *deadlines_start(void);
void deadlines_stop(struct deadlines *deadlines); /* all peers must be gone */

struct peer *peer_open(struct deadlines *deadlines, int fd); /* starts with the header's limit */
void peer_close(struct deadlines *deadlines, struct peer *peer); /* before the fd is closed */

void peer_expect_header(struct deadlines *deadlines, struct peer *peer);
void peer_expect_body(struct deadlines *deadlines, struct peer *peer, double since,
                      size_t received);
void peer_relax(struct deadlines *deadlines, struct peer *peer); /* the request is complete */

#endif
