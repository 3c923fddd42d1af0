/* Work that a request needs done on another thread, while its connection is suspended. */
#include "server/base/clock.h"
#include "server/base/fault.h"
#include "server/http/connection.h"

static enum http_next defer(struct http_exchange *exchange, http_deferred next,
                            const struct http_executor *executor) {
    exchange->next = next;
    exchange->connection->executor = executor;
    return HTTP_DEFERRED;
}

enum http_next http_on_writer(struct http_exchange *exchange, http_deferred next) {
    return defer(exchange, next, &exchange->connection->server->config.writer);
}

enum http_next http_on_pool(struct http_exchange *exchange, http_deferred next) {
    return defer(exchange, next, &exchange->connection->server->config.pool);
}

enum http_next http_on_watch(struct http_exchange *exchange, http_poll poll) {
    exchange->poll = poll;
    return defer(exchange, NULL, &exchange->connection->server->config.watch);
}

static void only_compress(struct http_exchange *exchange, struct store_session *unused) {
    (void)exchange, (void)unused; /* which is what run_deferred does with every answer */
}

bool http_defer_content(struct http_connection *state) {
    const bool is_large = http_content_is_large(state);
    if (is_large)
        http_on_pool(&state->exchange, only_compress);
    return is_large;
}

void http_then_on_writer(struct http_exchange *exchange, http_deferred then) {
    exchange->then = then;
    exchange->then_on = &exchange->connection->server->config.writer;
}

void http_then_on_pool(struct http_exchange *exchange, http_deferred then, enum turn_class class) {
    exchange->then = then;
    exchange->then_on = &exchange->connection->server->config.pool;
    exchange->then_class = class;
}

static struct http_connection *connection_of(struct task *task) {
    return ((struct http_exchange *)((char *)task - offsetof(struct http_exchange, task)))
        ->connection;
}

static bool has_succeeded(const struct http_exchange *exchange) {
    const struct http_response *response = &exchange->response;
    return response->status > 0 && response->status < 400 && !response->body.failed &&
           !exchange->connection->arena.failed;
}

/* On the thread of the deadlines. */
static void client_gone(void *argument) {
    struct http_connection *state = argument;
    struct http_server *server = state->server;
    pthread_mutex_lock(&server->mutex);
    const struct sending *sending = &state->sending;
    bool has_all = !sending->making && !sending->has_made && sending->state == HTTP_PIECE_LAST;
    state->gone = true;
    __atomic_store_n(&state->exchange.stopping, true, __ATOMIC_RELAXED);
    stream_wake(state);
    pthread_mutex_unlock(&server->mutex);
    atomic_fetch_add(&server->config.counts->gone, !has_all);
}

void http_watch_client(struct http_connection *state) {
    if (!state->watched)
        peer_watch(state->server->deadlines, state->peer, client_gone, state);
    state->watched = true;
}

void http_unwatch_client(struct http_connection *state) {
    if (state->watched)
        peer_unwatch(state->server->deadlines, state->peer);
    state->watched = false;
}

static bool run_deferred(struct task *task, struct store_session *session) {
    struct http_exchange *exchange = &connection_of(task)->exchange;
    if (!exchange->next) {
        FAULT_STAY_BEGINS();
        const bool is_over = exchange->poll(exchange);
        FAULT_STAY_ENDS("poll", exchange->request.method, http_route_path(exchange->connection));
        return is_over;
    }
    exchange->connection->queued = clock_monotonic() - exchange->connection->posted;
    if (!session && http_is_stopping(exchange)) { /* on the pool: nobody waits for it any more */
        http_set_problem(exchange->connection, PROBLEM_STOPPING, "the server is stopping");
        return false;
    }
    exchange->next(exchange, session);
    if (!session && !exchange->poll)
        http_finish_content(exchange->connection); /* compressing is work for the pool, too */
    return has_succeeded(exchange);
}

static void deferred_done(struct task *task, enum task_outcome outcome) {
    struct http_connection *state = connection_of(task);
    struct http_exchange *exchange = &state->exchange;
    switch (outcome) {
    case TASK_DONE:
        if (exchange->then && !state->arena.failed) {
            defer(exchange, exchange->then, exchange->then_on);
            exchange->then = NULL;
            if (exchange->then_class > task->turn.class)
                task->turn.class = exchange->then_class;
            state->executor->post(state->executor->self, task);
            return;
        }
        if (exchange->after && has_succeeded(exchange))
            exchange->after(exchange);
        exchange->after = NULL; /* once, and not again when the waiting ends */
        if (exchange->next && exchange->poll && has_succeeded(exchange)) {
            exchange->next = NULL; /* the second leg: it only waits */
            state->server->config.watch.post(state->server->config.watch.self, task);
            return;
        }
        break;
    case TASK_REFUSED:
        state->is_plain = true;
        if (has_succeeded(exchange))
            break; /* done, but for the waiting or the compressing */
        http_set_problem(state, PROBLEM_OVERLOADED,
                         "too many requests are already waiting; try again later");
        break;
    case TASK_UNKNOWN:
        http_set_problem(state, PROBLEM_OUTCOME_UNKNOWN,
                         "the write could not be confirmed: it may or may not have happened; "
                         "repeat it with the same Idempotency-Key, or check before you repeat it");
        break;
    case TASK_DISK_FULL: http_set_problem(state, PROBLEM_DISK_FULL, NULL); break;
    case TASK_DISK_ERROR: http_set_problem(state, PROBLEM_DISK_ERROR, NULL); break;
    case TASK_GONE: http_set_problem(state, PROBLEM_DATABASE_GONE, NULL); break;
    }
    state->answered = true;
    struct http_server *server = state->server;
    struct MHD_Connection *connection = state->connection;
    pthread_mutex_lock(&server->mutex);
    MHD_resume_connection(connection); /* from here on the state may be gone */
    server->suspended--;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->mutex);
}

enum MHD_Result http_suspend_and_post(struct http_connection *state) {
    struct http_server *server = state->server;
    pthread_mutex_lock(&server->mutex);
    bool stopping = server->stopping; /* libmicrohttpd must not stop with a suspended connection */
    server->suspended += !stopping;
    pthread_mutex_unlock(&server->mutex);
    if (stopping) {
        http_set_problem(state, PROBLEM_STOPPING, "the server is stopping");
        return http_queue_response(state, false);
    }
    http_watch_client(state);
    MHD_suspend_connection(state->connection);
    state->posted = clock_monotonic();
    state->exchange.task =
        (struct task){.run = run_deferred,
                      .done = deferred_done,
                      .turn = {.client = access_client_number(&state->client, state->key_name)}};
    state->executor->post(state->executor->self, &state->exchange.task);
    return MHD_YES;
}
