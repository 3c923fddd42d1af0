/* Request bodies: taken in as they come, up to what may be held of all of them together. */
#include "server/http_connection.h"

enum {
    /* So much of each body is not counted: uploads cannot keep short requests out. */
    FREE_BYTES = 64 << 10,
    /* A client reads an early refusal only after it has sent its body, so some of a body that is
     * too large is read and thrown away. */
    DRAIN_BYTES = 1 << 20,
};

/* False: as much is held already as may be. */
static bool hold(struct http_connection *state, size_t bytes) {
    const struct http_config *config = &state->server->config;
    const size_t counted = bytes > FREE_BYTES ? bytes - FREE_BYTES : 0;
    const size_t more = counted - state->held;
    if (more > 0 &&
        atomic_fetch_add(&config->counts->body_bytes, more) + more > config->max_body_memory) {
        atomic_fetch_sub(&config->counts->body_bytes, more);
        return false;
    }
    state->held = counted;
    return true;
}

void http_drop_body(struct http_connection *state) {
    atomic_fetch_sub(&state->server->config.counts->body_bytes, state->held);
    state->held = 0;
    buffer_clear(&state->body);
}

bool http_body_is_hopeless(const struct http_connection *state) {
    return state->framing.declared > (int64_t)state->max_body + DRAIN_BYTES;
}

bool http_take_body(struct http_connection *state, const char *bytes, size_t size) {
    state->received += size;
    if (state->received > state->max_body || state->refusal.status) {
        http_drop_body(state);
    } else if (hold(state, state->received)) {
        buffer_append(&state->body, bytes, size);
    } else {
        http_drop_body(state);
        state->refusal = (struct http_refusal){
            503, "body_memory_full", "too many bodies of requests are on their way; try again"};
    }
    return state->received <= state->max_body + DRAIN_BYTES;
}
