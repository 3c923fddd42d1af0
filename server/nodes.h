/*
 * nodes.h - the place of this process among the nodes of a shared database.
 *
 * A thread with its own connection renews the lease of this node, so that no load can delay that,
 * and takes over the jobs of nodes that are gone. It does so only after it has itself renewed its
 * lease for a whole lease without a break: the first node to return after an outage of the database
 * must not bury all the others, which were only cut off as well.
 */
#ifndef SERVER_NODES_H
#define SERVER_NODES_H

#include "server/store/nodes.h"

struct nodes;

struct nodes_config {
    struct store *store;     /* a shared one */
    const struct node *self; /* must outlive the thread */
    int lease;               /* seconds */
    void (*queued)(
        void *listener); /* jobs that this node can run are in the queue. On the thread */
    int64_t (*room)(
        void *listener);           /* bytes of the largest that it could begin now. On the thread */
    void (*freed)(void *listener); /* some were put back into it, on the thread */
    void (*outdated)(void *listener); /* this program is too old for the database. On the thread */
    void *listener;
};

/* The node has joined (store_node_join). NULL when no thread can be started. */
struct nodes *nodes_start(const struct nodes_config *config);
/* The process is stopping: the others see that it claims no more jobs. The listener hears no more. */
void nodes_drain(struct nodes *nodes);
/* After the last job was given back: the node leaves. */
void nodes_stop(struct nodes *nodes);

#endif
