/* Connections that wait, for a piece of their answer or for work elsewhere, and their clients. */
#include "server/http/connection.h"

void http_suspend_stream(struct http_call *call) {
    call->sending.waiting = true;
    call->server->suspended++;
    MHD_suspend_connection(call->connection);
}

void http_wake_stream(struct http_call *call) {
    struct http_server *server = call->server;
    call->sending.woken = !call->sending.waiting;
    if (!call->sending.waiting)
        return;
    call->sending.waiting = false;
    server->suspended--;
    pthread_cond_broadcast(&server->changed);
    MHD_resume_connection(call->connection);
}

void http_wake(struct http_exchange *exchange) {
    struct http_call *call = exchange->call;
    pthread_mutex_lock(&call->server->mutex);
    http_wake_stream(call);
    pthread_mutex_unlock(&call->server->mutex);
}

/* On the thread of the deadlines. */
static void client_gone(void *argument) {
    struct http_call *call = argument;
    struct http_server *server = call->server;
    pthread_mutex_lock(&server->mutex);
    const struct sending *sending = &call->sending;
    bool has_all = !sending->making && !sending->has_made && sending->state == HTTP_PIECE_LAST;
    call->gone = true;
    __atomic_store_n(&call->exchange.stopping, true, __ATOMIC_RELAXED);
    http_wake_stream(call);
    pthread_mutex_unlock(&server->mutex);
    atomic_fetch_add(&server->config.counts->gone, !has_all);
}

void http_watch_client(struct http_call *call) {
    if (!call->watched)
        peer_watch(call->server->deadlines, call->peer, client_gone, call);
    call->watched = true;
}

void http_unwatch_client(struct http_call *call) {
    if (call->watched)
        peer_unwatch(call->server->deadlines, call->peer);
    call->watched = false;
}
