/*
 * janitor.h - a thread that deletes old data and, while writes fail, checks whether they work
 * again.
 */
#ifndef SERVER_JANITOR_H
#define SERVER_JANITOR_H

#include "server/threads/writer.h"

struct janitor;

/* For how many days after their end jobs, and the events of jobs, are kept; 0: forever. */
struct janitor *janitor_start(struct store *store, struct writer *writer, int keep_events_days,
                              int keep_jobs_days);
void janitor_stop(struct janitor *janitor);

#endif
