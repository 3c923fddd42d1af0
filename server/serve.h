/*
 * serve.h - `denoised serve`: connects all parts, from the start to an orderly stop.
 */
#ifndef SERVER_SERVE_H
#define SERVER_SERVE_H

#include "server/config.h"
#include "server/http/http.h"
#include "server/jobs/worker.h"

/* What the api layer provides to the server, which does not know that layer. */
struct contract {
    const struct http_route *routes;
    size_t route_count;
    void (*problem)(struct http_exchange *exchange, enum problem_code code, const char *detail);
    worker_load load;
    worker_conclude conclude;
    void (*event_data)(const struct event *event, struct buffer *out);
};

/* Serves until SIGTERM or SIGINT. Returns the exit status of the process. */
int serve(const struct config *config, const struct contract *contract);

#endif
