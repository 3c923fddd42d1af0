/*
 * janitor.h - a thread that deletes old data and, while writes fail, checks whether they work
 * again.
 */
#ifndef SERVER_JANITOR_H
#define SERVER_JANITOR_H

#include "server/threads/writer.h"

struct janitor;

struct janitor_config {
    struct writer *writer;
    int keep_events_days; /* after the end of their job; 0: forever */
    int keep_jobs_days;   /* after their end; 0: forever */
};

struct janitor *janitor_start(const struct janitor_config *config);
void janitor_stop(struct janitor *janitor);

#endif
