/* What goes back to the client. */
#include <string.h>

#include "server/http/connection.h"

void http_set_problem(struct http_call *call, enum problem_code code, const char *detail) {
    struct http_exchange *exchange = &call->exchange;
    if (exchange->response.stream.closed)
        exchange->response.stream.closed(exchange);
    buffer_clear(&exchange->response.body);
    gzip_stop(call->gzip);
    call->gzip = NULL;
    call->finished = false;
    exchange->response = (struct http_response){0};
    call->server->config.problem(exchange, code, detail);
    if (code == PROBLEM_METHOD_NOT_ALLOWED)
        http_set_header(exchange, "Allow", call->allow);
}

static bool has_header(const struct http_response *response, const char *name) {
    for (size_t i = 0; i < response->header_count; i++)
        if (strcmp(response->headers[i].name, name) == 0)
            return true;
    return false;
}

/* Puts right what a handler left undone. */
static void check_response(struct http_call *call) {
    struct http_response *response = &call->exchange.response;
    if (response->body.failed || call->arena.failed)
        http_set_problem(call, PROBLEM_NO_MEMORY,
                         "not enough memory for the response; try again later");
    else if (response->status == 0)
        http_set_problem(call, PROBLEM_INTERNAL, "the server produced no response");
    if (response->status == 503 && !has_header(response, "Retry-After"))
        http_set_header(&call->exchange, "Retry-After", "1");
}

static bool hold(struct http_call *call, size_t bytes) {
    const struct http_config *config = &call->server->config;
    return http_hold(&config->counts->answer_bytes, config->max_answer_memory, &call->answer_held,
                     bytes);
}

static void answer_memory_full(struct http_call *call) {
    http_set_problem(call, PROBLEM_ANSWER_MEMORY_FULL,
                     "too many large responses are being sent; try again");
}

bool http_reserve(struct http_exchange *exchange, size_t bytes) {
    struct http_call *call = exchange->call;
    const size_t most = call->server->config.max_answer_memory;
    const size_t wanted =
        bytes > most || call->reserved > most - bytes ? most : call->reserved + bytes;
    if (!hold(call, wanted)) {
        answer_memory_full(call);
        return false;
    }
    call->reserved = wanted;
    return true;
}

/* An answer stays until its client has read it, which may be long. */
static bool hold_answer(struct http_call *call) {
    const struct http_response *response = &call->exchange.response;
    return hold(call, response->body.length + response->stream.held);
}

static struct MHD_Response *whole_response(struct http_call *call) {
    http_unwatch_client(call);
    struct buffer *body = &call->exchange.response.body;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body->length, body->data, MHD_RESPMEM_MUST_FREE);
    if (response) {
        call->response_bytes = body->length;
        *body = (struct buffer){0}; /* the response frees it now */
    }
    return response;
}

enum MHD_Result http_queue_response(struct http_call *call, bool close) {
    http_finish_content(call);
    if (!hold_answer(call))
        answer_memory_full(call);
    check_response(call);
    struct http_response *from = &call->exchange.response;
    struct MHD_Response *response =
        from->stream.next ? stream_response(call) : whole_response(call);
    if (!response)
        return MHD_NO; /* closes the connection */
    const bool whole = http_add_headers(call, response, close || http_is_stopping(&call->exchange));
    enum MHD_Result queued =
        whole ? MHD_queue_response(call->connection, (unsigned)from->status, response) : MHD_NO;
    MHD_destroy_response(response);
    return queued;
}
