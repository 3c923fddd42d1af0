/*
 * contact.h - whether the database can be reached. While it cannot, nobody but one thread tries: a
 * request that waits for a server that is down holds up all others on its thread, and learns nothing.
 */
#ifndef SERVER_STORE_POSTGRESQL_CONTACT_H
#define SERVER_STORE_POSTGRESQL_CONTACT_H

#include "server/store/postgresql/postgresql.h"

void contact_end(struct contact *contact); /* NULL: none */
bool contact_is_lost(const struct postgresql_store *store);
/* The database has sent something. */
void contact_heard(struct postgresql_store *store);
/* A connection has ended: what was heard before is no sign of the database any more. */
void contact_broke(struct postgresql_store *store);
/* It has not, for longer than usual: somebody should look. */
void contact_doubt(struct postgresql_store *store);
/* Has somebody looked for a second, and seen no sign of it yet? It takes longer to be sure, for which a
 * request does not wait. */
bool contact_is_silent(const struct postgresql_store *store);
/* For a request that is about to connect: is it there, as somebody found who has looked just now? Waits
 * for that at most a second. */
bool contact_is_near(struct postgresql_store *store);
/* Has somebody looked meanwhile, and found that the server does nothing for this session, which has
 * not heard from it since then (monotonic seconds)? What it has asked was lost, or the answer. *idle:
 * when that was seen first; 0: not yet. Others may look again and again in the meantime. */
bool contact_is_deaf(const struct postgresql_session *session, double since, double *idle);
/* What was asked at this moment (monotonic seconds) was found lost without a word: other connections
 * that were there by then probably are, too. */
void contact_distrust(struct postgresql_store *store, double since);
/* Is the connection of this session one of those? */
bool contact_is_distrusted(const struct postgresql_session *session);
/* It does not accept a connection, for this reason. If it has answered somebody since this moment
 * (monotonic seconds), it is there nevertheless. */
void contact_lose(struct postgresql_store *store, double since, const char *why);

/* A server that has no connection left for this one is there: sessions that are open go on. Nobody
 * asks it for another connection before a pause has passed, which grows with each refusal. */
bool contact_may_connect(struct postgresql_store *store); /* true: the caller tries it now */
void contact_refused(struct postgresql_store *store, const char *why);
void contact_accepted(struct postgresql_store *store);

#endif
