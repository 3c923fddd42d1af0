/*
 * http_connection.h - what the files of the transport share: http.c (requests, start and stop),
 * http_response.c (answers, whole or piece by piece) and http_deferred.c (work on other threads).
 */
#ifndef SERVER_HTTP_CONNECTION_H
#define SERVER_HTTP_CONNECTION_H

#include <microhttpd.h>
#include <pthread.h>

#include "server/deadline.h"
#include "server/http.h"
#include "server/http_check.h"
#include "server/router.h"
#include "server/store.h"

/* One request, from its headers to the end of its response. */
struct http_connection {
    struct http_exchange exchange;
    struct arena arena;
    struct http_server *server;
    struct MHD_Connection *connection;
    struct peer *peer;
    struct http_connection *previous, *next; /* in server->requests */
    const struct http_route *route;
    struct http_refusal refusal; /* status 0: none */
    struct http_framing framing;
    struct buffer body;
    size_t received, max_body;
    char id[STORE_ID_LENGTH + 1];
    char allow[ROUTER_ALLOW];
    double started;
    const struct http_executor *executor; /* of the deferred part */
    bool answered;                        /* the response is complete: queue it */
    size_t response_bytes;
};

struct http_server {
    struct http_config config;
    struct MHD_Daemon *daemon;
    struct deadlines *deadlines;
    bool loopback;
    int port;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct http_connection *requests;
    int suspended;
    bool stopping;
};

/* http_response.c */
void http_set_problem(struct http_connection *state, int status, const char *code,
                      const char *detail);
/* On the connection's own thread. close: the connection ends with this answer. */
enum MHD_Result http_queue_response(struct http_connection *state, bool close);

/* http_deferred.c: suspends the connection and hands the exchange to its executor. */
enum MHD_Result http_suspend_and_post(struct http_connection *state);

#endif
