/*
 * peers.h - hears from the other nodes of a shared database what is new, and tells them.
 *
 * A thread with its own connection waits for them. All that it hears would be noticed without it
 * as well, a second or two later, so that news may be lost: events by who reads them (events.h), jobs
 * in the queue by who renews the lease (nodes.h), and a cancel with the next report of its worker.
 */
#ifndef SERVER_PEERS_H
#define SERVER_PEERS_H

#include "server/events.h"
#include "server/jobs/worker.h"

struct peers;

struct peers_config {
    struct store *store; /* a shared one */
    struct events *events;
    struct workers *workers;
};

/* NULL when no thread can be started. */
struct peers *peers_start(const struct peers_config *config);
void peers_stop(struct peers *peers);
/* A job that another node trains was cancelled or deleted, which is committed. peers may be NULL:
 * there are none. Any thread. */
void peers_cancelled(struct peers *peers, const char *job_id);

#endif
