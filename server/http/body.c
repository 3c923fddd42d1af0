/* Request bodies: taken in as they come, up to what may be held of all of them together. */
#include "server/http/connection.h"

enum {
    /* So much of each is not counted: large ones cannot keep short ones out. */
    FREE_BYTES = 64 << 10,
    /* Of a body that is refused, so much is read and thrown away: then the connection can serve the
     * next request. With more, the refusal goes out at once, and ends it. */
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

void http_let_go(atomic_size_t *all, size_t *held) {
    atomic_fetch_sub(all, *held);
    *held = 0;
}

static bool hold_body(struct http_connection *state) {
    const struct http_config *config = &state->server->config;
    return http_hold(&config->counts->body_bytes, config->max_body_memory, &state->held,
                     state->received);
}

void http_drop_body(struct http_connection *state) {
    http_let_go(&state->server->config.counts->body_bytes, &state->held);
    buffer_clear(&state->body);
}

bool http_body_is_hopeless(const struct http_connection *state) {
    return state->framing.declared > (int64_t)state->max_body + DRAIN_BYTES;
}

bool http_take_body(struct http_connection *state, const char *bytes, size_t size) {
    state->received += size;
    if (state->received > state->max_body || state->refusal.code) {
        http_drop_body(state);
    } else if (hold_body(state)) {
        buffer_append(&state->body, bytes, size);
    } else {
        http_drop_body(state);
        state->refusal =
            (struct http_refusal){PROBLEM_BODY_MEMORY_FULL,
                                  "too many large request bodies are being received; try again"};
    }
    return state->received <= state->max_body + DRAIN_BYTES;
}
