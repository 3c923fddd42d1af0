/* Bytes on a socket: libmicrohttpd and our transport as they are, before handlers that do little.
 * The client writes all it has, closes its half, and reads what comes for a moment: in the middle
 * of a chunked body libmicrohttpd does not see that it is gone, until the connection has been idle
 * for long enough. Now and then a good request must be answered. */
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/base/counters.h"
#include "server/base/log.h"
#include "server/http/connection.h"
#include "server/threads/pool.h"
#include "tests/fuzz/fuzz.h"

enum { MOMENT_MS = 20, PATIENCE_MS = 20000, SMALL_BODY = 256, CONNECTIONS = 2000 };

/* ------------------------------------------------------------------ handlers */

static void answer(struct http_exchange *exchange, struct store_session *unused) {
    (void)unused;
    const struct http_request *request = &exchange->request;
    exchange->response.status = 200;
    exchange->response.content_type = "text/plain";
    exchange->response.etag = "tag";
    buffer_format(&exchange->response.body, "%s %zu:", request->path, request->query_count);
    buffer_append(&exchange->response.body, request->body, request->body_length);
}

static enum http_next echo(struct http_exchange *exchange) {
    answer(exchange, NULL);
    return HTTP_REPLY;
}

static enum http_next later(struct http_exchange *exchange) {
    return http_on_pool(exchange, answer);
}

static enum http_piece next_piece(struct http_exchange *exchange, struct buffer *piece) {
    int *pieces = exchange->state;
    buffer_text(piece, "a piece of text\n");
    return ++*pieces < 3 ? HTTP_PIECE_MORE : HTTP_PIECE_LAST;
}

static enum http_next stream(struct http_exchange *exchange) {
    exchange->state = http_alloc(exchange, sizeof(int));
    exchange->response.status = 200;
    exchange->response.content_type = "text/plain";
    exchange->response.stream = (struct http_stream){.next = next_piece, .on_pool = true};
    return HTTP_REPLY;
}

static void problem_of(struct http_exchange *exchange, enum problem_code code, const char *detail) {
    const struct problem_row *row = &problem_rows[code];
    exchange->response.status = row->status;
    exchange->response.content_type = "text/plain";
    buffer_format(&exchange->response.body, "%s: %s", row->code, detail ? detail : row->doc);
}

static const struct http_route routes[] = {
    {"GET", "/echo/{id}", "txt", echo, 0, NULL, "", NULL, HTTP_BY_METHOD},
    {"POST", "/echo", NULL, echo, SMALL_BODY, "text/plain", "", NULL, HTTP_BY_METHOD},
    {"GET", "/later", NULL, later, 0, NULL, "", NULL, HTTP_BY_METHOD},
    {"POST", "/later", NULL, later, SMALL_BODY, "text/plain", "", NULL, HTTP_BY_METHOD},
    {"GET", "/stream", NULL, stream, 0, NULL, "", NULL, HTTP_BY_METHOD},
};
enum { ROUTES = sizeof routes / sizeof routes[0] };

/* ------------------------------------------------------------------ server and client */

static struct http_server *start(void) {
    static struct http_server *server;
    static struct http_counts counts;
    char error[256];
    if (server)
        return server;
    log_set_level(LOG_ERROR);
    struct pool *pool = pool_start(1, 64);
    fuzz_check(pool && counters_start(ROUTES));
    struct http_socket socket;
    fuzz_check(http_socket_bind(&socket, "127.0.0.1", 0, error, sizeof error));
    server = http_start(&(struct http_config){.socket = socket,
                                              .max_connections = CONNECTIONS,
                                              .max_connections_per_ip = CONNECTIONS,
                                              .routes = routes,
                                              .route_count = ROUTES,
                                              .max_upload = SMALL_BODY,
                                              .max_body_memory = 1 << 20,
                                              .problem = problem_of,
                                              .counts = &counts,
                                              .pool = {pool_post, pool},
                                              .pieces = {pool_post_piece, pool}},
                        error, sizeof error);
    fuzz_check(server);
    return server;
}

/* The client's end of a connection to the daemon. When those that are not yet given up are too
 * many, the next one has to wait. */
static int connect_to(struct http_server *server) {
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_addr = {htonl(INADDR_LOOPBACK)}};
    for (int waited = 0;; waited += MOMENT_MS) {
        int pair[2];
        fuzz_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
        if (MHD_add_connection(server->daemon, pair[0], (const struct sockaddr *)&address,
                               sizeof address) == MHD_YES)
            return pair[1];
        close(pair[1]); /* the daemon has closed the other one */
        usleep(1000 * MOMENT_MS);
        fuzz_check(waited < PATIENCE_MS);
    }
}

static void write_all(int fd, const uint8_t *bytes, size_t size) {
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    while (size > 0 && poll(&ready, 1, MOMENT_MS) > 0) {
        const ssize_t part = send(fd, bytes, size, MSG_NOSIGNAL);
        if (part < 0)
            break;
        bytes += part;
        size -= (size_t)part;
    }
    shutdown(fd, SHUT_WR);
}

/* How much comes until the end, or until nothing has come for so long. */
static size_t read_all(int fd, int silence_ms) {
    char text[4096];
    size_t all = 0;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    while (poll(&ready, 1, silence_ms) > 0) {
        const ssize_t part = read(fd, text, sizeof text);
        if (part <= 0)
            break;
        all += (size_t)part;
    }
    return all;
}

static size_t ask(const uint8_t *bytes, size_t size, int silence_ms) {
    const int fd = connect_to(start());
    write_all(fd, bytes, size);
    const size_t all = read_all(fd, silence_ms);
    close(fd);
    return all;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const char good[] = "GET /echo/a HTTP/1.1\r\nHost: localhost\r\n\r\n";
    static unsigned count;
    ask(bytes, size, MOMENT_MS);
    if (count++ % 1024 == 0)
        fuzz_check(ask((const uint8_t *)good, sizeof good - 1, PATIENCE_MS) > 0);
    return 0;
}
