#include "server/nodes.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "server/base/bell.h"
#include "server/base/clock.h"
#include "server/base/log.h"

enum {
    RENEWALS = 5,       /* in a lease */
    LEAST_PATIENCE = 1, /* seconds */
    LOOK_SECONDS = 2,   /* between two looks for what nodes have left that are gone, at least */
    SWEEP_SECONDS = 2,  /* between two sweeps, more or less: the nodes should not all sweep at the
                        * same time */
    CHECK_SECONDS = 10, /* between two looks at the schema */
};

struct nodes {
    struct nodes_config config;
    struct store_session *session;
    struct bell bell;
    bool is_draining; /* under the bell's mutex */
    unsigned seed;
    struct duties duties;    /* as of the last renewal */
    struct takeover doubted; /* whose commit got no answer; now 0: none */
    /* monotonic seconds */
    double renewed; /* the last time */
    double since;   /* when it was first renewed without a break after that; INFINITY: not yet */
    double next_look, next_sweep, next_check;
};

static double period(const struct nodes *nodes) {
    const double often = (double)nodes->config.lease / RENEWALS;
    return often < LOOK_SECONDS ? often : LOOK_SECONDS;
}

/* Seconds after which the connection is opened again, so that one that hangs does not cost the
 * lease. */
static double patience(const struct nodes_config *config) {
    return fmax((double)config->lease / RENEWALS, LEAST_PATIENCE);
}

/* Runs a transaction of its own. */
static enum store_status
in_transaction(struct nodes *nodes, enum store_status (*run)(struct nodes *nodes, void *argument),
               void *argument) {
    enum store_status status = store_begin(nodes->session);
    if (status != STORE_OK)
        return status;
    status = run(nodes, argument);
    if (status == STORE_OK)
        return store_commit(nodes->session);
    store_abort(nodes->session);
    return status;
}

static int64_t lease_ms(const struct nodes *nodes) {
    return 1000LL * nodes->config.lease;
}

static enum store_status run_join(struct nodes *nodes, void *unused) {
    (void)unused;
    return store_node_join(nodes->session, nodes->config.self, lease_ms(nodes));
}

static bool is_draining(struct nodes *nodes) {
    pthread_mutex_lock(&nodes->bell.mutex);
    const bool draining = nodes->is_draining;
    pthread_mutex_unlock(&nodes->bell.mutex);
    return draining;
}

/* A process that is stopping begins with no job. */
static int64_t room(struct nodes *nodes) {
    pthread_mutex_lock(&nodes->bell.mutex);
    const int64_t bytes = nodes->is_draining ? 0 : nodes->config.room(nodes->config.listener);
    pthread_mutex_unlock(&nodes->bell.mutex);
    return bytes;
}

/* A transaction of one statement. It may be repeated: the server may have cut the connection. */
static enum store_status send_renewal(struct nodes *nodes, struct duties *duties) {
    const double now = clock_monotonic();
    const bool looks = now >= nodes->next_look;
    enum store_status status = STORE_AWAY;
    for (int i = 0; i < 2 && status == STORE_AWAY; i++)
        if (store_connect(nodes->session) == STORE_OK)
            status = store_node_renew(nodes->session, lease_ms(nodes), is_draining(nodes),
                                      room(nodes), looks, duties);
    if (looks && status == STORE_OK)
        nodes->next_look = now + LOOK_SECONDS;
    return status;
}

static enum store_status run_leave(struct nodes *nodes, void *unused) {
    (void)unused;
    return store_node_leave(nodes->session);
}

static enum store_status run_take_over(struct nodes *nodes, void *takeover) {
    return store_take_over(nodes->session, lease_ms(nodes), takeover);
}

static enum store_status run_count(struct nodes *nodes, void *unused) {
    (void)unused;
    return store_take_over_again(nodes->session, &nodes->doubted);
}

/* Tells the listener, unless the process is stopping. */
static void tell(struct nodes *nodes, void (*what)(void *listener)) {
    pthread_mutex_lock(&nodes->bell.mutex);
    if (!nodes->is_draining)
        what(nodes->config.listener);
    pthread_mutex_unlock(&nodes->bell.mutex);
}

/* Also finds out what there is to do. False: the lease was not renewed. */
static bool renew(struct nodes *nodes) {
    struct duties *duties = &nodes->duties;
    *duties = (struct duties){0};
    enum store_status status = send_renewal(nodes, duties);
    if (status == STORE_LOST) {
        log_line(LOG_WARN, "this node was taken for dead; its jobs go on elsewhere", "node=%s",
                 nodes->config.self->id);
        nodes->since = INFINITY;
        status = in_transaction(nodes, run_join, NULL);
    }
    const double now = clock_monotonic(); /* the answer may have come long after the lease */
    if (status != STORE_OK || duties->was_over || now - nodes->renewed > nodes->config.lease)
        nodes->since = INFINITY;
    if (status != STORE_OK)
        return false;
    nodes->renewed = now;
    if (isinf(nodes->since))
        nodes->since = nodes->renewed;
    if (duties->claim)
        tell(nodes, nodes->config.queued);
    return true;
}

/* Jobs that a take-over has ended are counted, even if its commit got no answer. */
static bool settle_doubt(struct nodes *nodes) {
    if (nodes->doubted.now != 0 && in_transaction(nodes, run_count, NULL) == STORE_OK)
        nodes->doubted.now = 0;
    return nodes->doubted.now == 0;
}

static void take_over(struct nodes *nodes) {
    const double now = clock_monotonic();
    struct takeover takeover = {.now = clock_now_ms()};
    if (!nodes->duties.take_over || now - nodes->since < nodes->config.lease ||
        now < nodes->next_sweep)
        return;
    nodes->next_sweep = now + SWEEP_SECONDS * (0.5 + rand_r(&nodes->seed) / (double)RAND_MAX);
    const enum store_status status = in_transaction(nodes, run_take_over, &takeover);
    if (status == STORE_IN_DOUBT) {
        log_line(LOG_WARN, "a take-over got no answer: looking whether it took place", NULL);
        nodes->doubted = takeover;
    }
    if (status != STORE_OK)
        return;
    if (takeover.buried > 0 || takeover.requeued > 0)
        log_line(LOG_WARN, "nodes are gone", "nodes=%d jobs_requeued=%d", takeover.buried,
                 takeover.requeued);
    if (takeover.requeued > 0)
        tell(nodes, nodes->config.freed);
}

/* A migration may have made this program too old. */
static void check_schema(struct nodes *nodes) {
    const double now = clock_monotonic();
    if (now < nodes->next_check)
        return;
    nodes->next_check = now + CHECK_SECONDS;
    if (store_is_outdated(nodes->session))
        tell(nodes, nodes->config.outdated);
}

static void *nodes_main(void *argument) {
    struct nodes *nodes = argument;
    do {
        if (renew(nodes)) {
            if (settle_doubt(nodes))
                take_over(nodes);
            check_schema(nodes);
        }
    } while (bell_wait(&nodes->bell, period(nodes)));
    return NULL;
}

struct nodes *nodes_start(const struct nodes_config *config) {
    struct nodes *nodes = calloc(1, sizeof *nodes);
    if (!nodes)
        return NULL;
    nodes->config = *config;
    nodes->session = store_open_writer(config->store, patience(config));
    nodes->since = INFINITY;
    nodes->renewed = clock_monotonic();
    nodes->seed = (unsigned)clock_now_ms();
    if (nodes->session && in_transaction(nodes, run_join, NULL) == STORE_OK &&
        bell_start(&nodes->bell, nodes_main, nodes))
        return nodes;
    if (nodes->session)
        store_close_writer(nodes->session);
    free(nodes);
    return NULL;
}

void nodes_drain(struct nodes *nodes) {
    pthread_mutex_lock(&nodes->bell.mutex);
    nodes->is_draining = true;
    pthread_mutex_unlock(&nodes->bell.mutex);
    bell_ring(&nodes->bell);
}

void nodes_stop(struct nodes *nodes) {
    bell_stop(&nodes->bell);
    in_transaction(nodes, run_leave, NULL); /* otherwise, its lease ends it */
    store_close_writer(nodes->session);
    free(nodes);
}
