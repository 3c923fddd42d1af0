/* The states of a call, and what changes them from outside of the connection's thread. */
#include <assert.h>

#include "server/http/connection.h"

static bool is_suspended(enum call_state state) {
    return state == CALL_WAITING || state == CALL_PAUSED;
}

static bool is_stream(enum call_state state) {
    return state == CALL_STREAMING || state == CALL_LOOKING || state == CALL_PAUSED;
}

void http_set_state(struct http_call *call, enum call_state to) {
    enum { ANY_ANSWER = 1 << CALL_SENDING | 1 << CALL_STREAMING | 1 << CALL_OVER };
    static const int may_follow[] = {
        [CALL_READING] = 1 << CALL_WAITING | 1 << CALL_SENT_EARLY | ANY_ANSWER,
        [CALL_WAITING] = 1 << CALL_ANSWERED,
        [CALL_ANSWERED] = ANY_ANSWER,
        [CALL_SENDING] = 1 << CALL_OVER,
        [CALL_SENT_EARLY] = 1 << CALL_OVER,
        [CALL_STREAMING] = 1 << CALL_LOOKING | 1 << CALL_PAUSED | 1 << CALL_OVER,
        [CALL_LOOKING] = 1 << CALL_STREAMING,
        [CALL_PAUSED] = 1 << CALL_STREAMING,
        [CALL_OVER] = 0,
    };
    struct http_server *server = call->server;
    const enum call_state from = call->state;
    assert(may_follow[from] & 1 << to);
    call->state = to;
    server->suspended += is_suspended(to) - is_suspended(from);
    atomic_fetch_add(&server->config.counts->streams, is_stream(to) - is_stream(from));
    if (is_suspended(to))
        MHD_suspend_connection(call->connection);
    if (is_suspended(from)) {
        MHD_resume_connection(call->connection);
        pthread_cond_broadcast(&server->changed);
    }
}

void http_wake_stream(struct http_call *call) {
    if (call->state == CALL_PAUSED || call->state == CALL_LOOKING)
        http_set_state(call, CALL_STREAMING);
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
    const bool has_all = sending->next == PIECE_NONE && sending->said == HTTP_PIECE_LAST;
    call->is_gone = true;
    __atomic_store_n(&call->exchange.stopping, true, __ATOMIC_RELAXED);
    http_wake_stream(call);
    pthread_mutex_unlock(&server->mutex);
    atomic_fetch_add(&server->config.counts->gone, !has_all);
}

void http_watch_client(struct http_call *call) {
    peer_watch(call->server->deadlines, call->peer, client_gone, call);
}
