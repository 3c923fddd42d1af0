/* Work of a request on another thread, while its connection is suspended. */
#include "server/base/clock.h"
#include "server/base/fault.h"
#include "server/http/connection.h"

static enum http_next defer(struct http_exchange *exchange, http_deferred next,
                            const struct http_executor *executor) {
    exchange->next = next;
    exchange->call->executor = executor;
    exchange->call->headers_before = exchange->response.header_count;
    return HTTP_DEFERRED;
}

enum http_next http_on_writer(struct http_exchange *exchange, http_deferred next) {
    return defer(exchange, next, &exchange->call->server->config.writer);
}

enum http_next http_on_writer_together(struct http_exchange *exchange, http_deferred next,
                                       const char *key) {
    exchange->together = key;
    return http_on_writer(exchange, next);
}

enum http_next http_on_pool(struct http_exchange *exchange, http_deferred next) {
    return defer(exchange, next, &exchange->call->server->config.pool);
}

enum http_next http_on_watch(struct http_exchange *exchange, http_poll poll, struct wait wait) {
    exchange->poll = poll;
    exchange->wait = wait;
    return defer(exchange, NULL, &exchange->call->server->config.watch);
}

static void only_compress(struct http_exchange *exchange, struct store_session *unused) {
    (void)exchange, (void)unused; /* run_deferred does it with every response */
}

bool http_defer_content(struct http_call *call) {
    const bool is_large = http_content_is_large(call);
    if (is_large)
        http_on_pool(&call->exchange, only_compress);
    return is_large;
}

void http_then_on_writer(struct http_exchange *exchange, http_deferred then) {
    exchange->then = then;
    exchange->then_on = &exchange->call->server->config.writer;
}

void http_then_on_pool(struct http_exchange *exchange, http_deferred then, enum turn_class class) {
    exchange->then = then;
    exchange->then_on = &exchange->call->server->config.pool;
    exchange->then_class = class;
}

static struct http_call *call_of(struct task *task) {
    return ((struct http_exchange *)((char *)task - offsetof(struct http_exchange, task)))->call;
}

static bool has_succeeded(const struct http_exchange *exchange) {
    const struct http_response *response = &exchange->response;
    return response->status > 0 && response->status < 400 && !response->body.failed &&
           !exchange->call->arena.failed;
}

/* Back to what was there before the part that made it. */
static void forget_response(struct http_exchange *exchange) {
    buffer_clear(&exchange->response.body);
    exchange->response.status = 0;
    exchange->response.header_count = exchange->call->headers_before;
}

static bool run_deferred(struct task *task, struct store_session *session) {
    struct http_exchange *exchange = &call_of(task)->exchange;
    if (!exchange->next) {
        FAULT_STAY_BEGINS();
        const bool is_over = exchange->poll(exchange);
        FAULT_STAY_ENDS("poll", exchange->request.method, http_route_path(exchange->call));
        return is_over;
    }
    exchange->call->queued = clock_monotonic() - exchange->call->posted;
    if (!session && http_is_stopping(exchange)) { /* on the pool, and unwanted by now */
        http_set_problem(exchange->call, PROBLEM_STOPPING, "the server is stopping");
        return false;
    }
    if (session) /* the writer may run it once more */
        forget_response(exchange);
    exchange->next(exchange, session);
    if (!session && !exchange->poll)
        http_finish_content(exchange->call); /* the pool compresses, too */
    return has_succeeded(exchange);
}

static void deferred_done(struct task *task, enum task_outcome outcome) {
    struct http_call *call = call_of(task);
    struct http_exchange *exchange = &call->exchange;
    switch (outcome) {
    case TASK_DONE:
        if (exchange->then && !call->arena.failed) {
            defer(exchange, exchange->then, exchange->then_on);
            exchange->then = NULL;
            if (exchange->then_class > task->turn.class)
                task->turn.class = exchange->then_class;
            call->executor->post(call->executor->self, task);
            return;
        }
        if (exchange->after && has_succeeded(exchange))
            exchange->after(exchange);
        exchange->after = NULL; /* once: not again when the waiting ends */
        if (exchange->next && exchange->poll && has_succeeded(exchange)) {
            exchange->next = NULL; /* the second part only waits */
            call->server->config.watch.post(call->server->config.watch.self, task);
            return;
        }
        break;
    case TASK_REFUSED:
        /* (otherwise only the waiting or the compressing was refused) */
        if (!has_succeeded(exchange))
            http_set_problem(call, PROBLEM_OVERLOADED,
                             "too many requests are already waiting; try again later");
        if (call->content == CONTENT_RAW)
            call->content = CONTENT_PLAIN;
        break;
    case TASK_UNKNOWN:
        http_set_problem(call, PROBLEM_OUTCOME_UNKNOWN,
                         "the write could not be confirmed: it may or may not have happened; "
                         "repeat it with the same Idempotency-Key, or check before you repeat it");
        break;
    case TASK_DISK_FULL: http_set_problem(call, PROBLEM_DISK_FULL, NULL); break;
    case TASK_DISK_ERROR: http_set_problem(call, PROBLEM_DISK_ERROR, NULL); break;
    case TASK_AWAY: http_set_problem(call, PROBLEM_DATABASE_UNAVAILABLE, NULL); break;
    case TASK_GONE: http_set_problem(call, PROBLEM_DATABASE_GONE, NULL); break;
    }
    struct http_server *server = call->server;
    pthread_mutex_lock(&server->mutex);
    http_set_state(call, CALL_ANSWERED);
    pthread_mutex_unlock(&server->mutex);
}

enum MHD_Result http_suspend_and_post(struct http_call *call) {
    struct http_server *server = call->server;
    http_watch_client(call);
    pthread_mutex_lock(&server->mutex);
    const bool stopping = server->stopping;
    if (!stopping) /* libmicrohttpd must not stop with a suspended connection */
        http_set_state(call, CALL_WAITING);
    pthread_mutex_unlock(&server->mutex);
    if (stopping) {
        http_set_problem(call, PROBLEM_STOPPING, "the server is stopping");
        return http_queue_response(call, false);
    }
    call->posted = clock_monotonic();
    call->exchange.task =
        (struct task){.run = run_deferred,
                      .done = deferred_done,
                      .wait = &call->exchange.wait,
                      .is_unwanted = &call->exchange.stopping,
                      .together = call->exchange.together,
                      .turn = {.client = rate_client_number(&call->client, call->key_name)}};
    call->executor->post(call->executor->self, &call->exchange.task);
    return MHD_YES;
}
