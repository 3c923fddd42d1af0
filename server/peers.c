#include "server/peers.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/store/nodes.h"

enum {
    MOST_TOLD = 64, /* jobs at a time; of the others, workers hear with their next report */
    SHORTEST_PAUSE_MS = 50,
    LONGEST_PAUSE_MS = 2000, /* between two tries to connect */
};

struct peers {
    struct peers_config config;
    struct store_session *session;
    int wake; /* readable when there is something to tell, or to stop */
    pthread_t thread;
    unsigned seed;
    pthread_mutex_t mutex; /* guards the rest */
    bool is_closed;
    int count;
    char told[MOST_TOLD][ID_LENGTH + 1];
};

/* ------------------------------------------------------------------ telling */

static void ring(struct peers *peers) {
    (void)!write(peers->wake, &(uint64_t){1}, sizeof(uint64_t));
}

void peers_cancelled(struct peers *peers, const char *job_id) {
    if (!peers)
        return;
    pthread_mutex_lock(&peers->mutex);
    if (peers->count < MOST_TOLD)
        snprintf(peers->told[peers->count++], sizeof peers->told[0], "%s", job_id);
    pthread_mutex_unlock(&peers->mutex);
    ring(peers);
}

/* The next job to tell; false: none. */
static bool take_told(struct peers *peers, char job[ID_LENGTH + 1]) {
    pthread_mutex_lock(&peers->mutex);
    const bool is_any = peers->count > 0;
    if (is_any)
        snprintf(job, ID_LENGTH + 1, "%s", peers->told[--peers->count]);
    pthread_mutex_unlock(&peers->mutex);
    return is_any;
}

/* Without a connection, they hear of it with their next report. */
static void tell_all(struct peers *peers, bool is_connected) {
    char job[ID_LENGTH + 1];
    uint64_t rings;
    (void)!read(peers->wake, &rings, sizeof rings);
    while (take_told(peers, job))
        if (is_connected)
            store_tell_cancel(peers->session, job);
}

/* ------------------------------------------------------------------ hearing */

/* News may be late: the job may have been resumed since, and claimed here, and must go on then. */
static void stop_if_asked(struct peers *peers, const char *job) {
    struct store *store = peers->config.store;
    struct store_session *session = store_acquire(store);
    int64_t fence = 0;
    if (!session)
        return;
    if (store_must_stop(session, job, &fence) != STORE_OK)
        fence = 0;
    store_release(store, session);
    if (fence > 0)
        workers_interrupt(peers->config.workers, job, fence);
}

static void hear(struct peers *peers, const struct news *news) {
    switch (news->kind) {
    case NO_NEWS: break;
    case NEWS_OF_CANCEL: stop_if_asked(peers, news->job); break;
    case NEWS_OF_ANYTHING: workers_call(peers->config.workers); /* fallthrough */
    case NEWS_OF_EVENTS: events_committed(peers->config.events); break;
    }
}

static bool is_closed(struct peers *peers) {
    pthread_mutex_lock(&peers->mutex);
    const bool closed = peers->is_closed;
    pthread_mutex_unlock(&peers->mutex);
    return closed;
}

/* Nodes that were cut off together do not come back at the same moment. */
static int jitter(struct peers *peers, int ms) {
    return ms / 2 + (int)((double)ms * rand_r(&peers->seed) / RAND_MAX);
}

static void *peers_main(void *argument) {
    struct peers *peers = argument;
    int pause = SHORTEST_PAUSE_MS;
    while (!is_closed(peers)) {
        struct news news;
        const bool is_connected = store_listen(peers->session, peers->wake, &news) == STORE_OK;
        if (is_connected) {
            hear(peers, &news);
            pause = SHORTEST_PAUSE_MS;
        } else {
            poll(&(struct pollfd){.fd = peers->wake, .events = POLLIN}, 1, jitter(peers, pause));
            pause = 2 * pause < LONGEST_PAUSE_MS ? 2 * pause : LONGEST_PAUSE_MS;
        }
        tell_all(peers, is_connected);
    }
    return NULL;
}

struct peers *peers_start(const struct peers_config *config) {
    struct peers *peers = calloc(1, sizeof *peers);
    if (!peers)
        return NULL;
    peers->config = *config;
    peers->seed = (unsigned)clock_now_ms();
    peers->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    peers->session = peers->wake < 0 ? NULL : store_open_listener(config->store);
    pthread_mutex_init(&peers->mutex, NULL);
    if (peers->session && pthread_create(&peers->thread, NULL, peers_main, peers) == 0)
        return peers;
    if (peers->session)
        store_close_writer(peers->session);
    if (peers->wake >= 0)
        close(peers->wake);
    pthread_mutex_destroy(&peers->mutex);
    free(peers);
    return NULL;
}

void peers_stop(struct peers *peers) {
    pthread_mutex_lock(&peers->mutex);
    peers->is_closed = true;
    pthread_mutex_unlock(&peers->mutex);
    ring(peers);
    pthread_join(peers->thread, NULL);
    store_close_writer(peers->session);
    close(peers->wake);
    pthread_mutex_destroy(&peers->mutex);
    free(peers);
}
