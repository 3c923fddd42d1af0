#include "server/http/linger.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/http/access.h"

enum {
    CHECK_MS = 1000,
    MAX_EVENTS = 16,
    ALARM = LINGER_SOCKETS, /* in place of a socket's number in the epoll */
    READ_BYTES = 64 << 10,  /* at a time, for who holds the mutex keeps threads of HTTP waiting */
};

struct socket {
    int fd; /* -1: none */
    struct in6_addr client;
    double since, heard;
    uint64_t bytes;
};

struct lingering {
    pthread_mutex_t mutex;
    bool stop;
    struct socket sockets[LINGER_SOCKETS];
    char wasted[READ_BYTES];
    int epoll, alarm; /* the alarm, an eventfd in the epoll, ends the wait at the stop */
    pthread_t thread;
};

/* A close alone would leave it in the epoll while linger_take()'s caller has its descriptor. */
static void drop(struct lingering *lingering, struct socket *socket) {
    if (socket->fd >= 0) {
        epoll_ctl(lingering->epoll, EPOLL_CTL_DEL, socket->fd, NULL);
        close(socket->fd);
    }
    socket->fd = -1;
}

/* The epoll tells of what is left again. */
static void throw_away(struct lingering *lingering, struct socket *socket) {
    if (socket->fd < 0)
        return;
    const ssize_t n = recv(socket->fd, lingering->wasted, READ_BYTES, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    socket->heard = clock_monotonic();
    socket->bytes += n > 0 ? (uint64_t)n : 0;
    if (n <= 0 || socket->bytes > (uint64_t)LINGER_MEBIBYTES << 20)
        drop(lingering, socket);
}

static void drop_late(struct lingering *lingering) {
    const double now = clock_monotonic();
    for (int i = 0; i < LINGER_SOCKETS; i++) {
        struct socket *socket = &lingering->sockets[i];
        if (now - socket->since > LINGER_SECONDS || now - socket->heard > LINGER_QUIET_SECONDS)
            drop(lingering, socket);
    }
}

static void *linger_main(void *argument) {
    struct lingering *lingering = argument;
    pthread_mutex_lock(&lingering->mutex);
    while (!lingering->stop) {
        struct epoll_event events[MAX_EVENTS];
        pthread_mutex_unlock(&lingering->mutex);
        const int count = epoll_wait(lingering->epoll, events, MAX_EVENTS, CHECK_MS);
        for (int i = 0; i < count; i++)
            if (events[i].data.u32 < LINGER_SOCKETS) { /* another socket's by now, maybe: no harm */
                pthread_mutex_lock(&lingering->mutex);
                throw_away(lingering, &lingering->sockets[events[i].data.u32]);
                pthread_mutex_unlock(&lingering->mutex);
            }
        pthread_mutex_lock(&lingering->mutex);
        drop_late(lingering);
    }
    for (int i = 0; i < LINGER_SOCKETS; i++)
        drop(lingering, &lingering->sockets[i]);
    pthread_mutex_unlock(&lingering->mutex);
    return NULL;
}

static void linger_free(struct lingering *lingering) {
    pthread_mutex_destroy(&lingering->mutex);
    if (lingering->alarm >= 0)
        close(lingering->alarm);
    if (lingering->epoll >= 0)
        close(lingering->epoll);
    free(lingering);
}

struct lingering *linger_start(void) {
    struct lingering *lingering = calloc(1, sizeof *lingering);
    if (!lingering)
        return NULL;
    pthread_mutex_init(&lingering->mutex, NULL);
    for (int i = 0; i < LINGER_SOCKETS; i++)
        lingering->sockets[i].fd = -1;
    lingering->epoll = epoll_create1(EPOLL_CLOEXEC);
    lingering->alarm = eventfd(0, EFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = ALARM};
    if (lingering->epoll < 0 || lingering->alarm < 0 ||
        epoll_ctl(lingering->epoll, EPOLL_CTL_ADD, lingering->alarm, &event) != 0 ||
        pthread_create(&lingering->thread, NULL, linger_main, lingering) != 0) {
        linger_free(lingering);
        return NULL;
    }
    return lingering;
}

void linger_stop(struct lingering *lingering) {
    pthread_mutex_lock(&lingering->mutex);
    lingering->stop = true;
    pthread_mutex_unlock(&lingering->mutex);
    eventfd_write(lingering->alarm, 1);
    pthread_join(lingering->thread, NULL);
    linger_free(lingering);
}

static struct in6_addr client_of(int fd) {
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof peer;
    const bool known = getpeername(fd, (struct sockaddr *)&peer, &size) == 0;
    return access_address(known ? (struct sockaddr *)&peer : NULL);
}

/* The place of the client's oldest socket if it has as many as it may, else a free one, or that of
 * the oldest of all. */
static struct socket *place_for(struct lingering *lingering, const struct in6_addr *client) {
    struct socket *own = NULL, *oldest = NULL, *empty = NULL;
    int count = 0;
    for (int i = 0; i < LINGER_SOCKETS; i++) {
        struct socket *socket = &lingering->sockets[i];
        if (socket->fd < 0) {
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

void linger_take(struct lingering *lingering, int fd) {
    const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    const struct in6_addr client = client_of(fd);
    if (copy < 0)
        return; /* no descriptor is free: it is closed as any other */
    shutdown(copy, SHUT_WR);
    pthread_mutex_lock(&lingering->mutex);
    struct socket *place = place_for(lingering, &client);
    const double now = clock_monotonic();
    drop(lingering, place);
    *place = (struct socket){.fd = copy, .client = client, .since = now, .heard = now};
    struct epoll_event event = {.events = EPOLLIN,
                                .data.u32 = (uint32_t)(place - lingering->sockets)};
    if (epoll_ctl(lingering->epoll, EPOLL_CTL_ADD, copy, &event) != 0)
        drop(lingering, place);
    pthread_mutex_unlock(&lingering->mutex);
}
