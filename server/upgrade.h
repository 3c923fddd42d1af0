/*
 * upgrade.h - what a migration cannot do in SQL, at the first start of a newer version.
 */
#ifndef SERVER_UPGRADE_H
#define SERVER_UPGRADE_H

#include "server/store/store.h"

/* Looks up what models are whose rows do not say it yet, because they are older than the columns.
 * Before the writer has a thread. False and a log line on failure; the rest is done at the next
 * start then. */
bool upgrade_models(struct store *store);

/* The same for jobs that will run: what their trainings take of memory, by their stored specs. */
bool upgrade_jobs(struct store *store, int64_t (*memory)(const char *spec));

#endif
