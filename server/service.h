/*
 * service.h - what the handlers in api/ work on; serve.c fills it in.
 */
#ifndef SERVER_SERVICE_H
#define SERVER_SERVICE_H

#include <stdatomic.h>
#include <stdint.h>

#include "server/events.h"
#include "server/http/http.h"
#include "server/jobs/worker.h"
#include "server/model_cache.h"
#include "server/peers.h"
#include "server/reply_cache.h"
#include "server/store/store.h"
#include "server/threads/pool.h"
#include "server/threads/watch.h"
#include "server/threads/writer.h"

struct service {
    struct store *store;
    struct writer *writer;
    struct workers *workers;
    struct peers *peers; /* NULL unless the database is shared */
    struct pool *pool;
    struct watch *watch;
    struct events *events;
    struct reply_cache *replies;
    struct model_cache *models;
    int max_queued;              /* jobs that may wait; beyond it, requests get a 429 */
    double max_sample_cost;      /* floating-point operations of one request for samples */
    int64_t max_training_memory; /* bytes that all running jobs may take together */
    int64_t max_database;        /* bytes; 0: no limit */
    int64_t started_at;          /* ms */
    struct http_counts counts;
    atomic_bool ready; /* recovered and accepting requests; false again while stopping */
};

#endif
