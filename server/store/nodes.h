/*
 * nodes.h - the nodes of a database: the processes that serve it and train its jobs.
 *
 * A file has one. A database that several processes can use gives each of them a lease, which it
 * renews; the jobs of a node whose lease has ended go on elsewhere. All times are those of the
 * database's clock. What keeps a node that was taken for dead from writing is the fence of its jobs
 * (STORE_LOST), never a clock.
 */
#ifndef SERVER_STORE_NODES_H
#define SERVER_STORE_NODES_H

#include "server/store/store.h"

struct node {
    char id[ID_LENGTH + 1];             /* store_boot: a new one at each start */
    char *name;                         /* where it listens, for people */
    char *version;                      /* of the program */
    char *arithmetic[STORE_MAX_OFFERS]; /* [offers], best first */
    int offers;
    int workers, running; /* jobs that it can train at the same time, and that it trains now */
    bool is_draining;     /* it is stopping, and claims no more jobs */
    int64_t started_at;
    int64_t lease_until; /* 0: until it stops, because no other process can use the database */
};
void node_clear(struct node *node);
/* W. From now on, the session acts for this node: it claims jobs as long as the lease holds, in ms;
 * 0: always. Also renews a lease that has ended. */
enum store_status store_node_join(struct store_session *session, const struct node *node,
                                  int64_t lease);
/* What there is to do for a node. */
struct duties {
    bool take_over; /* others may have died (store_take_over) */
    bool claim;     /* jobs are queued that it can run now */
    bool was_over;  /* its lease had ended by the clock of the database, which is a shared one */
};
/* W, or without a transaction after store_connect: the statement is one of its own then. Renews the
 * lease of the session's node. room: bytes of the largest job that it could begin now; a larger one is
 * no duty. looks: also for what nodes have left that are gone already, because a sweep does not wait
 * for locked rows; that takes longer. STORE_LOST: a sweep has taken it for dead. */
enum store_status store_node_renew(struct store_session *session, int64_t lease, bool is_draining,
                                   int64_t room, bool looks, struct duties *duties);
/* W. The arithmetic that this server offers to jobs, best first; 1..STORE_MAX_OFFERS texts. Waiting
 * jobs are those that began with any other. */
enum store_status store_offer(struct store_session *session, const char *const *arithmetic,
                              int count);
/* The number of queued jobs that wait for an offer. */
enum store_status store_count_waiting(struct store_session *session, int64_t *count);
/* W. The session's node has stopped; it holds no jobs. */
enum store_status store_node_leave(struct store_session *session);
/* Sets nodes [limit], the oldest first, and *count: those whose lease holds. */
enum store_status store_nodes(struct store_session *session, struct node *nodes, int limit,
                              int *count);
enum store_status store_node_count(struct store_session *session, int64_t *count);
/* Of those that share the database with others: a lease of its own tells that such a node lives. */
enum store_status store_lease_count(struct store_session *session, int64_t *count);

/* Another session that writes, for one thread, if the database is shared: for leases, because a crash
 * of the database may lose what it has just committed. It takes the database for lost after so many
 * seconds without a sign of it. NULL: no memory. */
struct store_session *store_open_writer(struct store *store, double patience);
void store_close_writer(struct store_session *session);
/* Connects such a session, if it has no connection that works. */
enum store_status store_connect(struct store_session *session);

/* Was the database changed, since it was opened, so that this program must not use it any more? For
 * such a session, between transactions. */
bool store_is_outdated(struct store_session *session);
/* W. Does only this transaction, until it ends, what one node at a time should do? */
enum store_status store_try_alone(struct store_session *session, bool *is_alone);

/* What other nodes say. It comes soon, or never. */
enum news_kind { NO_NEWS, NEWS_OF_EVENTS, NEWS_OF_CANCEL, NEWS_OF_ANYTHING };
struct news {
    enum news_kind kind;
    char job[ID_LENGTH + 1]; /* of a cancel, or a deletion */
};
/* A session that hears it, for one thread; store_close_writer closes it. NULL: no memory. */
struct store_session *store_open_listener(struct store *store);
/* Waits for news, or until the file descriptor `wake` is readable: NO_NEWS. NEWS_OF_ANYTHING, if it
 * has just connected: nobody knows what was said before. STORE_ERROR: there is no connection. */
enum store_status store_listen(struct store_session *listener, int wake, struct news *news);
/* Tells the others that this job must stop, which is committed. */
enum store_status store_tell_cancel(struct store_session *listener, const char *job);
/* Must whoever trains this job stop, because of a cancel or because it was deleted? *fence: of the
 * last claim for which that is so; 0: it goes on, perhaps after it was resumed. */
enum store_status store_must_stop(struct store_session *session, const char *job, int64_t *fence);

/* W. Buries the nodes whose lease has ended, treats the jobs of nodes that are gone as store_recover
 * does, and abandons their unfinished blobs. Nobody is buried before the database has run for a
 * whole lease, in ms: until then, all may have been cut off. */
struct takeover {
    int64_t now; /* set by the caller; the rest is 0 */
    int buried, requeued;
    int cancelled, failed; /* jobs that it has ended */
};
enum store_status store_take_over(struct store_session *session, int64_t lease,
                                  struct takeover *takeover);
/* W. After one whose commit got no answer: if it took place, notes the jobs that it has ended, which
 * nobody has counted. */
enum store_status store_take_over_again(struct store_session *session,
                                        const struct takeover *takeover);

#endif
