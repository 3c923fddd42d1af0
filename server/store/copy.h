/*
 * copy.h - moves everything that is stored from one database into another, of the same kind or not.
 */
#ifndef SERVER_STORE_COPY_H
#define SERVER_STORE_COPY_H

#include "server/store/store.h"

/* Copies one state of a database into an empty one with the same schema, in one transaction: with
 * ids, keys and the numbers of events, and without jobs that run: they go back into the queue. Both
 * must be open, and their schemas fit. Rows pass one by one, so memory holds at most a piece of a
 * blob, or the labels of a data set.
 * False and a message on failure; then the target is as empty as before. */
bool store_copy(struct store *from, struct store *to, char *error, size_t error_size);

#endif
