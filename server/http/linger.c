#include "server/http/linger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/http/access.h"

enum { READ_BYTES = 64 << 10 }; /* at a time, because HTTP threads wait for the mutex */

/* A close alone would leave it in the epoll while linger_take()'s caller has its descriptor. */
static void drop(struct lingering *linger, struct lingering_socket *socket) {
    if (socket->fd == 0)
        return;
    epoll_ctl(linger->epoll, EPOLL_CTL_DEL, socket->fd, NULL);
    close(socket->fd);
    socket->fd = 0;
}

/* The event may be for the socket that was there before: no harm. The epoll reports again what is
 * left. */
void linger_read(struct lingering *linger, uint64_t number) {
    struct lingering_socket *socket = &linger->sockets[number];
    const int how = MSG_DONTWAIT | MSG_TRUNC; /* discards the bytes (tcp(7)) */
    const ssize_t n = socket->fd ? recv(socket->fd, NULL, READ_BYTES, how) : 0;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    socket->heard = clock_monotonic();
    socket->bytes += n > 0 ? (uint64_t)n : 0;
    if (n <= 0 || socket->bytes > (uint64_t)LINGER_MEBIBYTES << 20)
        drop(linger, socket);
}

void linger_close_late(struct lingering *linger, double now) {
    for (int i = 0; i < LINGER_SOCKETS; i++) {
        struct lingering_socket *socket = &linger->sockets[i];
        if (now - socket->since > LINGER_SECONDS || now - socket->heard > LINGER_QUIET_SECONDS)
            drop(linger, socket);
    }
}

static struct in6_addr client_of(int fd) {
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof peer;
    const bool known = getpeername(fd, (struct sockaddr *)&peer, &size) == 0;
    return access_address(known ? (struct sockaddr *)&peer : NULL);
}

/* The place of the client's oldest socket if the client has as many as allowed; else a free place,
 * or that of the oldest socket of all. */
static struct lingering_socket *place_for(struct lingering *linger, const struct in6_addr *client) {
    struct lingering_socket *own = NULL, *oldest = NULL, *empty = NULL;
    int count = 0;
    for (int i = 0; i < LINGER_SOCKETS; i++) {
        struct lingering_socket *socket = &linger->sockets[i];
        if (socket->fd == 0) {
            empty = socket;
            continue;
        }
        if (!oldest || socket->since < oldest->since)
            oldest = socket;
        if (!IN6_ARE_ADDR_EQUAL(&socket->client, client))
            continue;
        count++;
        if (!own || socket->since < own->since)
            own = socket;
    }
    return count >= LINGER_SOCKETS_EACH ? own : empty ? empty : oldest;
}

void linger_take(struct lingering *linger, int fd) {
    const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 1); /* never 0, which means none */
    const struct in6_addr client = client_of(fd);
    if (copy < 0)
        return; /* no descriptor is free: it is closed like any other */
    shutdown(copy, SHUT_WR);
    struct lingering_socket *place = place_for(linger, &client);
    const double now = clock_monotonic();
    drop(linger, place);
    *place = (struct lingering_socket){.fd = copy, .client = client, .since = now, .heard = now};
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)(place - linger->sockets)};
    if (epoll_ctl(linger->epoll, EPOLL_CTL_ADD, copy, &event) != 0)
        drop(linger, place);
}
