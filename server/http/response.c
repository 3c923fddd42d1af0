/* What goes back to the client. */
#include <string.h>

#include "server/http/connection.h"

void http_set_problem(struct http_connection *state, enum problem_code code, const char *detail) {
    struct http_exchange *exchange = &state->exchange;
    if (exchange->response.stream.closed)
        exchange->response.stream.closed(exchange);
    buffer_clear(&exchange->response.body);
    gzip_stop(state->gzip);
    state->gzip = NULL;
    state->finished = false;
    exchange->response = (struct http_response){0};
    state->server->config.problem(exchange, code, detail);
    if (code == PROBLEM_METHOD_NOT_ALLOWED)
        http_set_header(exchange, "Allow", state->allow);
}

static bool has_header(const struct http_response *response, const char *name) {
    for (size_t i = 0; i < response->header_count; i++)
        if (strcmp(response->headers[i].name, name) == 0)
            return true;
    return false;
}

/* Puts right what a handler left undone. */
static void check_response(struct http_connection *state) {
    struct http_response *response = &state->exchange.response;
    if (response->body.failed || state->arena.failed)
        http_set_problem(state, PROBLEM_NO_MEMORY,
                         "not enough memory for the response; try again later");
    else if (response->status == 0)
        http_set_problem(state, PROBLEM_INTERNAL, "the server produced no response");
    if (response->status == 503 && !has_header(response, "Retry-After"))
        http_set_header(&state->exchange, "Retry-After", "1");
}

static bool hold(struct http_connection *state, size_t bytes) {
    const struct http_config *config = &state->server->config;
    return http_hold(&config->counts->answer_bytes, config->max_answer_memory, &state->answer_held,
                     bytes);
}

static void answer_memory_full(struct http_connection *state) {
    http_set_problem(state, PROBLEM_ANSWER_MEMORY_FULL,
                     "too many large responses are being sent; try again");
}

bool http_reserve(struct http_exchange *exchange, size_t bytes) {
    struct http_connection *state = exchange->connection;
    const size_t most = state->server->config.max_answer_memory;
    const size_t wanted =
        bytes > most || state->reserved > most - bytes ? most : state->reserved + bytes;
    if (!hold(state, wanted)) {
        answer_memory_full(state);
        return false;
    }
    state->reserved = wanted;
    return true;
}

/* An answer stays until its client has read it, which may be long. */
static bool hold_answer(struct http_connection *state) {
    const struct http_response *response = &state->exchange.response;
    return hold(state, response->body.length + response->stream.held);
}

static struct MHD_Response *whole_response(struct http_connection *state) {
    http_unwatch_client(state);
    struct buffer *body = &state->exchange.response.body;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body->length, body->data, MHD_RESPMEM_MUST_FREE);
    if (response) {
        state->response_bytes = body->length;
        *body = (struct buffer){0}; /* the response frees it now */
    }
    return response;
}

enum MHD_Result http_queue_response(struct http_connection *state, bool close) {
    http_finish_content(state);
    if (!hold_answer(state))
        answer_memory_full(state);
    check_response(state);
    struct http_response *from = &state->exchange.response;
    struct MHD_Response *response =
        from->stream.next ? stream_response(state) : whole_response(state);
    if (!response)
        return MHD_NO; /* closes the connection */
    const bool whole =
        http_add_headers(state, response, close || http_is_stopping(&state->exchange));
    enum MHD_Result queued =
        whole ? MHD_queue_response(state->connection, (unsigned)from->status, response) : MHD_NO;
    MHD_destroy_response(response);
    return queued;
}
