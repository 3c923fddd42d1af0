#include "server/http/peer.h"

#include <linux/sockios.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/http/linger.h"

enum {
    HEADER_SECONDS = 15,
    BODY_SECONDS = 30,
    BODY_BYTES_PER_SECOND = 64 << 10,
    CHECK_MS = 1000,
    UNANSWERED_SECONDS = 20, /* bytes without an acknowledgement: the other machine is lost */
    MAX_EVENTS = 64,
    ALARM = LINGER_SOCKETS, /* the number of the alarm in the epoll */
};

struct deadlines {
    pthread_mutex_t mutex;
    bool stop;
    struct peer *peers;
    uint64_t watches; /* number of the last; smaller ones: the alarm, lingering sockets */
    struct lingering linger;
    int epoll, alarm; /* the alarm, an eventfd in the epoll, ends the wait at the stop */
    pthread_t thread;
};

/* Has the client closed its side, and has all that it sent been read? */
static bool has_hung_up(const struct peer *peer) {
    struct pollfd socket = {.fd = peer->fd, .events = POLLRDHUP};
    int unread = 0;
    return poll(&socket, 1, 0) == 1 && ioctl(peer->fd, FIONREAD, &unread) == 0 && unread == 0;
}

/* Is the client of an unfinished body gone? Only if it was gone at the last check, too: what was
 * read just now may be the end of the body. */
static bool is_gone(struct peer *peer) {
    const bool had = peer->has_hung_up;
    peer->has_hung_up = peer->is_in_body && has_hung_up(peer);
    return had && peer->has_hung_up;
}

/* A machine that lost its network does not close its connections; it stops acknowledging what it is
 * sent. (A machine whose program does not read still acknowledges, but the kernel probes it less
 * and less often: in between, no acknowledgement is due.) TCP_USER_TIMEOUT means the same, but it
 * also ends a client that reads slowly, because the time in which its window has no room for a
 * whole packet counts. */
static bool is_lost(struct peer *peer, double now) {
    struct tcp_info info;
    socklen_t size = sizeof info;
    int unanswered = 0;
    if (ioctl(peer->fd, SIOCOUTQ, &unanswered) != 0 || unanswered == 0 ||
        getsockopt(peer->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        (info.tcpi_unacked == 0 && info.tcpi_probes == 0)) {
        peer->heard = now;
        return false;
    }
    const double answered = now - 1e-3 * info.tcpi_last_ack_recv;
    if (peer->heard < answered)
        peer->heard = answered;
    return now - peer->heard > UNANSWERED_SECONDS;
}

static bool is_late(struct peer *peer, double now) {
    return peer->expires != 0 && (peer->expires < now || is_gone(peer));
}

/* A descriptor in the list is open, because peer_close comes before the close. So it cannot be the
 * number of another socket. */
static void shut_down_late(struct deadlines *deadlines, double now) {
    for (struct peer *peer = deadlines->peers; peer; peer = peer->next)
        if (is_late(peer, now) || is_lost(peer, now)) {
            shutdown(peer->fd, SHUT_RDWR);
            peer->expires = 0;
        }
}

/* The peer may have been unwatched, or closed, since the event: then no peer has this number. */
static void report_gone(struct deadlines *deadlines, uint64_t watch) {
    for (struct peer *peer = deadlines->peers; peer; peer = peer->next)
        if (peer->watch == watch) {
            peer->gone(peer->argument);
            return;
        }
}

static void handle(struct deadlines *deadlines, uint64_t number) {
    pthread_mutex_lock(&deadlines->mutex);
    if (number < LINGER_SOCKETS)
        linger_read(&deadlines->linger, number);
    else if (number != ALARM)
        report_gone(deadlines, number);
    pthread_mutex_unlock(&deadlines->mutex);
}

static void *reaper_main(void *argument) {
    struct deadlines *deadlines = argument;
    double looked = clock_monotonic();
    pthread_mutex_lock(&deadlines->mutex);
    while (!deadlines->stop) {
        struct epoll_event events[MAX_EVENTS];
        pthread_mutex_unlock(&deadlines->mutex);
        const int count = epoll_wait(deadlines->epoll, events, MAX_EVENTS, CHECK_MS);
        for (int i = 0; i < count; i++)
            handle(deadlines, events[i].data.u64);
        pthread_mutex_lock(&deadlines->mutex);
        if (clock_monotonic() - looked >= 1e-3 * CHECK_MS) {
            looked = clock_monotonic();
            shut_down_late(deadlines, looked);
            linger_close_late(&deadlines->linger, looked);
        }
    }
    pthread_mutex_unlock(&deadlines->mutex);
    return NULL;
}

static void deadlines_free(struct deadlines *deadlines) {
    linger_close_late(&deadlines->linger, INFINITY);
    pthread_mutex_destroy(&deadlines->mutex);
    if (deadlines->alarm >= 0)
        close(deadlines->alarm);
    if (deadlines->epoll >= 0)
        close(deadlines->epoll);
    free(deadlines);
}

struct deadlines *deadlines_start(void) {
    struct deadlines *deadlines = calloc(1, sizeof *deadlines);
    if (!deadlines)
        return NULL;
    pthread_mutex_init(&deadlines->mutex, NULL);
    deadlines->epoll = deadlines->linger.epoll = epoll_create1(EPOLL_CLOEXEC);
    deadlines->watches = ALARM;
    deadlines->alarm = eventfd(0, EFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = ALARM};
    if (deadlines->epoll < 0 || deadlines->alarm < 0 ||
        epoll_ctl(deadlines->epoll, EPOLL_CTL_ADD, deadlines->alarm, &event) != 0 ||
        pthread_create(&deadlines->thread, NULL, reaper_main, deadlines) != 0) {
        deadlines_free(deadlines);
        return NULL;
    }
    return deadlines;
}

void deadlines_stop(struct deadlines *deadlines) {
    pthread_mutex_lock(&deadlines->mutex);
    deadlines->stop = true;
    pthread_mutex_unlock(&deadlines->mutex);
    eventfd_write(deadlines->alarm, 1);
    pthread_join(deadlines->thread, NULL);
    deadlines_free(deadlines);
}

struct peer *peer_open(struct deadlines *deadlines, int fd) {
    struct peer *peer = calloc(1, sizeof *peer);
    if (!peer)
        return NULL;
    peer->fd = fd;
    peer->heard = clock_monotonic();
    peer->expires = peer->heard + HEADER_SECONDS;
    pthread_mutex_lock(&deadlines->mutex);
    peer->next = deadlines->peers;
    if (peer->next)
        peer->next->previous = peer;
    deadlines->peers = peer;
    pthread_mutex_unlock(&deadlines->mutex);
    return peer;
}

/* (libmicrohttpd itself refuses requests, such as one with too large a head, which may continue,
 * too.) */
void peer_close(struct deadlines *deadlines, struct peer *peer) {
    int unread = 0;
    pthread_mutex_lock(&deadlines->mutex);
    if (peer->is_answered_early || (ioctl(peer->fd, FIONREAD, &unread) == 0 && unread > 0))
        linger_take(&deadlines->linger, peer->fd);
    *(peer->previous ? &peer->previous->next : &deadlines->peers) = peer->next;
    if (peer->next)
        peer->next->previous = peer->previous;
    pthread_mutex_unlock(&deadlines->mutex);
    free(peer->target);
    free(peer);
}

static void set_expiry(struct deadlines *deadlines, struct peer *peer, double expires,
                       bool is_in_body) {
    pthread_mutex_lock(&deadlines->mutex);
    peer->expires = expires;
    peer->is_in_body = is_in_body;
    peer->has_hung_up = false;
    pthread_mutex_unlock(&deadlines->mutex);
}

void peer_expect_header(struct deadlines *deadlines, struct peer *peer) {
    set_expiry(deadlines, peer, clock_monotonic() + HEADER_SECONDS, false);
}

void peer_expect_body(struct deadlines *deadlines, struct peer *peer, double since,
                      size_t received) {
    set_expiry(deadlines, peer, since + BODY_SECONDS + (double)received / BODY_BYTES_PER_SECOND,
               true);
}

void peer_relax(struct deadlines *deadlines, struct peer *peer) {
    set_expiry(deadlines, peer, 0, false);
}

void peer_watch(struct deadlines *deadlines, struct peer *peer, void (*gone)(void *argument),
                void *argument) {
    if (peer->watch)
        return;
    pthread_mutex_lock(&deadlines->mutex);
    peer->watch = ++deadlines->watches;
    peer->gone = gone;
    peer->argument = argument;
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT, .data.u64 = peer->watch};
    if (epoll_ctl(deadlines->epoll, EPOLL_CTL_ADD, peer->fd, &event) != 0)
        peer->watch = 0; /* its response is computed to the end, as for a client that stays */
    pthread_mutex_unlock(&deadlines->mutex);
}

void peer_unwatch(struct deadlines *deadlines, struct peer *peer) {
    if (!peer->watch)
        return;
    pthread_mutex_lock(&deadlines->mutex);
    epoll_ctl(deadlines->epoll, EPOLL_CTL_DEL, peer->fd, NULL);
    peer->watch = 0;
    pthread_mutex_unlock(&deadlines->mutex);
}
