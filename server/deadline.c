#include "server/deadline.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "server/id.h"

enum {
    HEADER_SECONDS = 15,
    BODY_SECONDS = 30,
    BODY_BYTES_PER_SECOND = 64 << 10,
    CHECK_SECONDS = 1
};

struct deadlines {
    pthread_mutex_t mutex;
    pthread_cond_t stopped;
    bool stop;
    struct peer *peers;
    pthread_t thread;
};

/* A descriptor in the list is open: peer_close comes first. So no other socket can have got the
 * number. */
static void shut_down_late(struct deadlines *deadlines) {
    double now = clock_monotonic();
    for (struct peer *peer = deadlines->peers; peer; peer = peer->next)
        if (peer->expires != 0 && peer->expires < now) {
            shutdown(peer->fd, SHUT_RDWR);
            peer->expires = 0;
        }
}

static void *reaper_main(void *argument) {
    struct deadlines *deadlines = argument;
    pthread_mutex_lock(&deadlines->mutex);
    while (!deadlines->stop) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += CHECK_SECONDS;
        pthread_cond_clockwait(&deadlines->stopped, &deadlines->mutex, CLOCK_MONOTONIC, &until);
        shut_down_late(deadlines);
    }
    pthread_mutex_unlock(&deadlines->mutex);
    return NULL;
}

struct deadlines *deadlines_start(void) {
    struct deadlines *deadlines = calloc(1, sizeof *deadlines);
    if (!deadlines)
        return NULL;
    pthread_mutex_init(&deadlines->mutex, NULL);
    pthread_cond_init(&deadlines->stopped, NULL);
    if (pthread_create(&deadlines->thread, NULL, reaper_main, deadlines) != 0) {
        free(deadlines);
        return NULL;
    }
    return deadlines;
}

void deadlines_stop(struct deadlines *deadlines) {
    pthread_mutex_lock(&deadlines->mutex);
    deadlines->stop = true;
    pthread_cond_signal(&deadlines->stopped);
    pthread_mutex_unlock(&deadlines->mutex);
    pthread_join(deadlines->thread, NULL);
    pthread_cond_destroy(&deadlines->stopped);
    pthread_mutex_destroy(&deadlines->mutex);
    free(deadlines);
}

struct peer *peer_open(struct deadlines *deadlines, int fd) {
    struct peer *peer = calloc(1, sizeof *peer);
    if (!peer)
        return NULL;
    peer->fd = fd;
    peer->expires = clock_monotonic() + HEADER_SECONDS;
    pthread_mutex_lock(&deadlines->mutex);
    peer->next = deadlines->peers;
    if (peer->next)
        peer->next->previous = peer;
    deadlines->peers = peer;
    pthread_mutex_unlock(&deadlines->mutex);
    return peer;
}

void peer_close(struct deadlines *deadlines, struct peer *peer) {
    pthread_mutex_lock(&deadlines->mutex);
    *(peer->previous ? &peer->previous->next : &deadlines->peers) = peer->next;
    if (peer->next)
        peer->next->previous = peer->previous;
    pthread_mutex_unlock(&deadlines->mutex);
    free(peer->target);
    free(peer);
}

static void set_expiry(struct deadlines *deadlines, struct peer *peer, double expires) {
    pthread_mutex_lock(&deadlines->mutex);
    peer->expires = expires;
    pthread_mutex_unlock(&deadlines->mutex);
}

void peer_expect_header(struct deadlines *deadlines, struct peer *peer) {
    set_expiry(deadlines, peer, clock_monotonic() + HEADER_SECONDS);
}

void peer_expect_body(struct deadlines *deadlines, struct peer *peer, double since,
                      size_t received) {
    set_expiry(deadlines, peer, since + BODY_SECONDS + (double)received / BODY_BYTES_PER_SECOND);
}

void peer_relax(struct deadlines *deadlines, struct peer *peer) {
    set_expiry(deadlines, peer, 0);
}
