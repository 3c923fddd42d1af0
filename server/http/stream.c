/*
 * Bodies that are made while they are sent.
 *
 * The socket pulls: libmicrohttpd asks for bytes, and gets them from the piece that is ready. When
 * that is used up, the next one takes its place, and the one after it is begun; when there is none,
 * the connection is suspended until there is. So at most two pieces exist, and one is computed
 * while another is sent. For a client that reads more slowly there is one: the next is computed on
 * demand, while the client reads from the socket's buffer.
 */
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "server/base/fault.h"
#include "server/base/log.h"
#include "server/http/connection.h"
#include "server/threads/pool.h"

enum {
    BLOCK_BYTES = 32 << 10, /* requested at a time; costs this much memory */
    /* Chunks are as large as the connection's memory has room for; the block is not used. */
    CHUNKED_BLOCK_BYTES = 1,
    /* Longer pieces cost less, so a piece may have this share of what the client has read.. */
    SHARE = 4,
    MAX_BYTES = 128 << 10, /* ..up to this size */
    /* What the kernel keeps for a client that does not read is memory, too: megabytes, without a
     * limit. */
    SOCKET_BYTES = 256 << 10,
    WAITING_SOCKET_BYTES = 32 << 10,
};

static struct http_call *call_of(struct task *task) {
    struct sending *sending = (struct sending *)((char *)task - offsetof(struct sending, task));
    return (struct http_call *)((char *)sending - offsetof(struct http_call, sending));
}

/* ------------------------------------------------------------------ pieces from the pool */

static void compress_piece(struct http_call *call) {
    struct sending *sending = &call->sending;
    struct buffer plain = sending->made;
    sending->made = sending->spare; /* its memory is reused */
    sending->made.length = 0;
    gzip_put(call->gzip, plain.data, plain.length, sending->said == HTTP_PIECE_LAST,
             &sending->made);
    sending->spare = plain;
}

static bool make_piece(struct task *task, struct store_session *unused) {
    (void)unused;
    struct http_exchange *exchange = &call_of(task)->exchange;
    struct sending *sending = &exchange->call->sending;
    do {
        sending->said = http_is_stopping(exchange)
                            ? HTTP_PIECE_FAIL
                            : exchange->response.stream.next(exchange, &sending->made);
        pool_pause();
    } while (sending->said == HTTP_PIECE_MORE && !sending->made.failed &&
             sending->made.length < sending->wanted);
    if (sending->made.failed)
        sending->said = HTTP_PIECE_FAIL;
    if (exchange->call->gzip && sending->said != HTTP_PIECE_FAIL)
        compress_piece(exchange->call);
    if (sending->made.failed)
        sending->said = HTTP_PIECE_FAIL;
    return true;
}

static void piece_made(struct task *task, enum task_outcome outcome) {
    struct http_call *call = call_of(task);
    struct http_server *server = call->server;
    struct sending *sending = &call->sending;
    pthread_mutex_lock(&server->mutex);
    if (outcome != TASK_DONE)
        sending->said = HTTP_PIECE_FAIL;
    sending->next = sending->said == HTTP_PIECE_FAIL ? PIECE_NONE : PIECE_MADE;
    const bool is_over = call->state == CALL_OVER;
    http_wake_stream(call); /* from here on, without the mutex, the call may be gone */
    pthread_mutex_unlock(&server->mutex);
    if (is_over)
        http_free_call(call);
    pthread_mutex_lock(&server->mutex);
    server->making--;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->mutex);
}

/* server->mutex is held; it is released and taken again. */
static void begin_piece(struct http_call *call) {
    struct http_server *server = call->server;
    struct sending *sending = &call->sending;
    sending->next = PIECE_MAKING;
    sending->wanted =
        call->response_bytes / SHARE < MAX_BYTES ? call->response_bytes / SHARE : MAX_BYTES;
    server->making++;
    /* pieces wait in the turn of their response; together they may grow large */
    sending->task =
        (struct task){.run = make_piece, .done = piece_made, .turn = sending->task.turn};
    pthread_mutex_unlock(&server->mutex);
    server->config.pieces.post(server->config.pieces.self, &sending->task);
    pthread_mutex_lock(&server->mutex);
}

/* Does the client read what it is sent? Then little of it is in the socket. */
static bool keeps_up(const struct http_call *call) {
    int unread = 0;
    return ioctl(call->peer->fd, SIOCOUTQ, &unread) != 0 || unread < SOCKET_BYTES / 2;
}

/* The piece that was made becomes the one to send, and another may be begun. server->mutex is
 * held. */
static void take_piece(struct http_call *call) {
    struct sending *sending = &call->sending;
    struct buffer used = sending->ready;
    sending->ready = sending->made;
    sending->sent = 0;
    sending->made = used; /* its memory is reused */
    sending->made.length = 0;
    sending->next = PIECE_NONE;
    if (sending->said == HTTP_PIECE_MORE && keeps_up(call)) {
        begin_piece(call);
    } else { /* the wait may be long */
        buffer_clear(&sending->made);
        buffer_clear(&sending->spare);
    }
}

/* ------------------------------------------------------------------ the socket's side */

static ssize_t cut(struct http_call *call) {
    if (!call->is_gone)
        log_line(LOG_WARN, "a response was cut short", "id=%s bytes=%zu stopping=%s", call->id,
                 call->response_bytes, http_is_stopping(&call->exchange) ? "true" : "false");
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

static bool is_over(const struct http_call *call) {
    return call->is_gone || call->server->stopping;
}

/* Gets the next piece into `ready`. 1: it is there; 0: the connection was suspended; otherwise the
 * value to return to libmicrohttpd. server->mutex is held. */
static ssize_t refill_from_pool(struct http_call *call) {
    struct sending *sending = &call->sending;
    if (sending->next == PIECE_NONE && sending->said == HTTP_PIECE_MORE && !is_over(call))
        begin_piece(call);
    if (sending->next == PIECE_MADE) {
        take_piece(call);
        return 1;
    }
    if (sending->next == PIECE_NONE && sending->said == HTTP_PIECE_LAST)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (sending->next == PIECE_NONE || is_over(call))
        return cut(call);
    http_set_state(call, CALL_PAUSED);
    return 0;
}

static ssize_t refill_here(struct http_call *call) {
    struct sending *sending = &call->sending;
    struct http_exchange *exchange = &call->exchange;
    if (sending->said == HTTP_PIECE_LAST)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (call->is_gone)
        return cut(call);
    http_set_state(call, CALL_LOOKING);
    sending->sent = sending->ready.length = 0;
    pthread_mutex_unlock(&call->server->mutex);
    FAULT_STAY_BEGINS();
    enum http_piece piece = exchange->response.stream.next(exchange, &sending->ready);
    FAULT_STAY_ENDS("piece", exchange->request.method, http_route_path(call));
    pthread_mutex_lock(&call->server->mutex);
    sending->said = piece;
    const bool is_woken = call->state != CALL_LOOKING;
    http_wake_stream(call);
    if (piece == HTTP_PIECE_FAIL || sending->ready.failed)
        return cut(call);
    if (sending->ready.length == 0)
        buffer_clear(&sending->ready); /* the wait may be long */
    if (sending->ready.length > 0 || piece != HTTP_PIECE_WAIT || is_woken)
        return 1;
    if (call->server->stopping) /* libmicrohttpd must not stop with a suspended connection */
        return MHD_CONTENT_READER_END_OF_STREAM;
    http_set_state(call, CALL_PAUSED);
    return 0;
}

static ssize_t read_stream(void *self, uint64_t position, char *out, size_t most) {
    (void)position;
    struct http_call *call = self;
    struct sending *sending = &call->sending;
    while (sending->sent == sending->ready.length) {
        pthread_mutex_lock(&call->server->mutex);
        ssize_t refilled =
            call->exchange.response.stream.on_pool ? refill_from_pool(call) : refill_here(call);
        pthread_mutex_unlock(&call->server->mutex);
        if (refilled != 1)
            return refilled;
    }
    size_t left = sending->ready.length - sending->sent, length = left < most ? left : most;
    memcpy(out, sending->ready.data + sending->sent, length);
    sending->sent += length;
    call->response_bytes += length;
    return (ssize_t)length;
}

struct MHD_Response *http_stream_response(struct http_call *call) {
    struct http_response *from = &call->exchange.response;
    uint64_t length = from->stream.length ? from->stream.length : MHD_SIZE_UNKNOWN;
    const bool on_pool = from->stream.on_pool;
    const bool is_chunked = !from->stream.length && call->framing.takes_chunks;
    const int socket_bytes = on_pool ? SOCKET_BYTES : WAITING_SOCKET_BYTES;
    struct MHD_Response *response = MHD_create_response_from_callback(
        length, is_chunked ? CHUNKED_BLOCK_BYTES : BLOCK_BYTES, read_stream, call, NULL);
    if (!response)
        return NULL;
    setsockopt(call->peer->fd, SOL_SOCKET, SO_SNDBUF, &socket_bytes, sizeof socket_bytes);
    http_watch_client(call);
    call->sending.ready = from->body;
    from->body = (struct buffer){0};
    call->sending.task.turn = call->exchange.task.turn;
    pthread_mutex_lock(&call->server->mutex);
    http_set_state(call, CALL_STREAMING);
    if (on_pool && !call->exchange.request.head)
        begin_piece(call);
    pthread_mutex_unlock(&call->server->mutex);
    return response;
}
