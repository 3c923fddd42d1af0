/* The memory that a request holds: its body, up to a limit for all bodies together, and its
 * response. */
#include <stdlib.h>

#include "server/http/connection.h"

enum {
    /* Not counted of each body or response, so that large ones cannot keep short ones out. */
    FREE_BYTES = 64 << 10,
    /* Read and discarded of a body that is refused: then the connection can serve the next request.
     * With a longer body, the refusal goes out at once, and ends the connection. */
    DRAIN_BYTES = 1 << 20,
};

bool http_hold(atomic_size_t *all, size_t limit, size_t *held, size_t bytes) {
    const size_t counted = bytes > FREE_BYTES ? bytes - FREE_BYTES : 0;
    if (counted <= *held) {
        atomic_fetch_sub(all, *held - counted);
    } else {
        const size_t more = counted - *held;
        if (atomic_fetch_add(all, more) + more > limit) {
            atomic_fetch_sub(all, more);
            return false;
        }
    }
    *held = counted;
    return true;
}

static bool hold_body(struct http_call *call) {
    const struct http_config *config = &call->server->config;
    return http_hold(&config->counts->body_bytes, config->max_body_memory, &call->held,
                     call->received);
}

static void drop_body(struct http_call *call) {
    http_hold(&call->server->config.counts->body_bytes, 0, &call->held, 0);
    buffer_clear(&call->body);
}

void http_drop_body(struct http_exchange *exchange) {
    exchange->request.body = "";
    exchange->request.body_length = 0;
    drop_body(exchange->call);
}

bool http_body_is_hopeless(const struct http_call *call) {
    return call->framing.declared > (int64_t)call->max_body + DRAIN_BYTES;
}

bool http_take_body(struct http_call *call, const char *bytes, size_t size) {
    call->received += size;
    if (call->received > call->max_body || call->refusal.code) {
        drop_body(call);
    } else if (hold_body(call)) {
        buffer_append(&call->body, bytes, size);
    } else {
        drop_body(call);
        call->refusal =
            (struct http_refusal){PROBLEM_BODY_MEMORY_FULL,
                                  "too many large request bodies are being received; try again"};
    }
    return call->received <= call->max_body + DRAIN_BYTES;
}

void http_free_call(struct http_call *call) {
    struct http_exchange *exchange = &call->exchange;
    if (exchange->response.stream.closed)
        exchange->response.stream.closed(exchange);
    if (exchange->release)
        exchange->release(exchange);
    drop_body(call);
    http_hold(&call->server->config.counts->answer_bytes, 0, &call->answer_held, 0);
    buffer_clear(&exchange->response.body);
    buffer_clear(&call->sending.ready);
    buffer_clear(&call->sending.made);
    buffer_clear(&call->sending.spare);
    gzip_stop(call->gzip);
    arena_clear(&call->arena);
    free(call);
}
