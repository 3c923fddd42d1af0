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
/* It has not, for longer than usual: somebody should look. */
void contact_doubt(struct postgresql_store *store);
/* It does not accept a connection, for this reason. If it has answered somebody since this moment
 * (monotonic seconds), it is there nevertheless. */
void contact_lose(struct postgresql_store *store, double since, const char *why);

/* A server that has no connection left for this one is there: sessions that are open go on. Nobody
 * asks it for another connection before a pause has passed, which grows with each refusal. */
bool contact_may_connect(struct postgresql_store *store); /* true: the caller tries it now */
void contact_refused(struct postgresql_store *store, const char *why);
void contact_accepted(struct postgresql_store *store);

#endif
