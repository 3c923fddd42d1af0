/*
 * http.h - libmicrohttpd in one place: only server/http/ knows it.
 *
 * An exchange is one request and its response. The whole request is read and checked (requests.c),
 * the router finds the route, and the handler of the route runs on an HTTP thread. A handler that
 * only reads a bounded amount fills in the response and returns HTTP_REPLY: these threads serve all
 * clients, so a handler must not take long there, whatever is stored. A handler that writes,
 * computes or reads much first decodes the request, then returns http_on_writer(exchange, next) or
 * http_on_pool(exchange, next): the connection is suspended, `next` runs on the writer thread
 * inside a transaction or on a sampler thread, fills in the response (an answer >= 400 rolls the
 * transaction back), and the connection is resumed when that is committed. Work that needs much
 * computation before it can be written goes to the pool first, and then to the writer with
 * http_then_on_writer. Work that turns out to be large continues with http_then_on_pool, behind
 * other work of its class.
 *
 * An answer may be a stream (struct http_stream): a body that is made while it is sent.
 *
 * All memory that a handler needs comes from the exchange's arena and lives until the response is
 * sent.
 */
#ifndef SERVER_HTTP_HTTP_H
#define SERVER_HTTP_HTTP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/arena.h"
#include "server/base/buffer.h"
#include "server/base/problem_codes.h"
#include "server/http/access.h"
#include "server/http/auth.h"
#include "server/http/socket.h"
#include "server/threads/task.h"

struct http_server;
struct http_exchange;
struct store_session;

enum { HTTP_MAX_PARAMS = 64, HTTP_MAX_PATH_IDS = 2, HTTP_MAX_HEADERS = 16 };

struct http_param {
    const char *name, *value;
};

struct http_request {
    const char *method; /* "GET"; HEAD arrives as GET with `head` set */
    const char *path;   /* percent-decoded once, starts with '/' */
    bool head;
    bool is_bare; /* the base path was asked for without the slash at its end */
    struct http_param query[HTTP_MAX_PARAMS]; /* percent-decoded, in order, repeats kept */
    size_t query_count;
    const char *ids[HTTP_MAX_PATH_IDS]; /* what stood for the {id}s of the route's path */
    const char *format;  /* suffix of the path that the route allows, without the dot; "" if none */
    const char *formats; /* suffixes of the route; "" if none */
    const char *body;    /* NUL-terminated, body_length bytes before the NUL */
    size_t body_length;
};

/* What the making of a piece of a body came to. */
enum http_piece {
    HTTP_PIECE_MORE, /* made; more follows */
    HTTP_PIECE_WAIT, /* nothing now: ask again after http_wake() */
    HTTP_PIECE_LAST, /* made (it may be empty), and that was all */
    HTTP_PIECE_FAIL, /* no way on: the body is cut short in a way that its client can see */
};

/* A body that is made piece by piece while it is sent, so that its size costs no memory: the bytes
 * in http_response.body come first, then what `next` makes, until it says LAST. Each piece is
 * appended to the buffer and should be some 50 kB. When exchange->stopping, `next` ends soon.
 */
struct http_stream {
    enum http_piece (*next)(struct http_exchange *exchange, struct buffer *piece);
    /* true: `next` computes. It runs on the pool, one piece ahead of a client that keeps up,
     * and not ahead of another: a client that does not read stops it. false: it runs on an HTTP
     * thread and may say WAIT. */
    bool on_pool;
    uint64_t length; /* length of the whole body; 0: not known in advance */
    /* For a body of known length: http_response.body is ignored from now on, and `next` makes
     * `count` bytes of the body, starting at byte `first`. Called before the first `next`, if at
     * all; NULL: the body can only be made as a whole. */
    void (*seek)(struct http_exchange *exchange, uint64_t first, uint64_t count);
    size_t held; /* bytes of memory that it stands on until it is closed */
    /* Called once, after the last call of `next`; may be NULL. Any thread. */
    void (*closed)(struct http_exchange *exchange);
};

struct http_response {
    int status; /* 0: the handler forgot; answered as 500 */
    const char *content_type;
    struct buffer body;        /* given away to the socket */
    struct http_stream stream; /* next NULL: the body is whole */
    /* The entity tag of a 200 that depends only on its URL and on the tag; NULL: none. Without
     * quotes, from the arena or static. The transport answers 304 to clients that have it, and
     * sends a range (206) to clients that ask for one, if the tag is not weak and a stream can
     * seek. */
    const char *etag;
    bool is_weak;      /* equal in meaning, but not in every byte */
    const char *cache; /* Cache-Control beside the tag; NULL: "no-cache" (keep it, but ask) */
    /* The same body, compressed before: for as long as the process runs. NULL: it is not. */
    const char *gzip;
    size_t gzip_length;
    /* Of a page that has its style in itself: that style, as a source of its policy
     * ("'sha256-…'"); NULL: none. */
    const char *style_source;
    struct http_param headers[HTTP_MAX_HEADERS];
    size_t header_count;
};

enum http_next { HTTP_REPLY, HTTP_DEFERRED };

typedef enum http_next (*http_handler)(struct http_exchange *exchange);
typedef void (*http_deferred)(struct http_exchange *exchange, struct store_session *session);
/* Looks whether what a request waits for has happened; if so, fills in the response and returns
 * true. Must also do so when exchange->stopping. */
typedef bool (*http_poll)(struct http_exchange *exchange);

struct http_exchange {
    struct http_request request;
    struct http_response response;
    void *service; /* http_config.service: what handlers work on */
    void *state;   /* the handler's own, from the arena; survives the hop to another thread */
    /* If set: called after a deferred part was committed (or computed) and its answer is < 400,
     * before the answer is sent. For side effects that must not come before the commit, such as
     * waking the workers. */
    void (*after)(struct http_exchange *exchange);
    /* If set when a deferred part has succeeded: the answer waits until this says so. */
    http_poll poll;
    /* If set: frees what the handler has from malloc, when all is over, however it went. */
    void (*release)(struct http_exchange *exchange);
    /* Set when nobody waits for the answer any more, because the client went away or the server
     * stops: a dn_stop_flag for long computations. */
    volatile bool stopping; /* read it by http_is_stopping() */
    /* the rest belongs to server/http/ */
    struct http_call *call;
    http_deferred next, then;
    const struct http_executor *then_on;
    enum turn_class then_class;
    struct task task;
};

#define HTTP_UPLOAD SIZE_MAX /* as a route's max_body: http_config.max_upload */

/* Who may use a route, when there are API keys. */
enum http_access {
    HTTP_BY_METHOD, /* GET: whoever may read; others: whoever may write */
    HTTP_READS,     /* whoever may read: it computes, but changes nothing */
    HTTP_OPEN,      /* everybody */
    HTTP_PROBE,     /* everybody, however often */
};

/* One row of the route table. Paths are matched exactly; "{id}" stands for one segment. `formats`
 * lists the suffixes that the path may end with ("json csv", NULL for none):
 * "/v1/jobs/{id}/history" then matches ".../history.csv" too. */
struct http_route {
    const char *method;
    const char *path;
    const char *formats;
    http_handler handler;
    size_t max_body;           /* bytes; 0 for a request without a body; or HTTP_UPLOAD */
    const char *content_types; /* what a body may be, space-separated; NULL without body */
    const char *summary;
    const void *description; /* the contract's own; not used here */
    enum http_access access;
};
enum auth_scope http_scope(const struct http_route *route);

/* An executor that takes deferred exchanges; both are given to the server by main. */
struct http_executor {
    void (*post)(void *self, struct task *task);
    void *self;
};

/* What the server is doing, for metrics; counters.h has what it has done. */
struct http_counts {
    atomic_int in_flight, streams;   /* now; bodies that are being made piece by piece */
    atomic_ullong gone;              /* clients that went away while they were waited for */
    atomic_size_t body_bytes;        /* the request bodies that are held */
    atomic_size_t answer_bytes;      /* what answers stand on, until their clients have them */
    size_t body_limit, answer_limit; /* the most that these two may be */
};

/* PEM texts, which libmicrohttpd reads now and then. */
struct http_tls {
    char *cert, *key;
};

/* Reads the files of a certificate chain and its key (NULL, NULL: nothing). False and a message:
 * one cannot be read, or they are no pair. */
bool http_tls_load(struct http_tls *tls, const char *cert, const char *key, char *error,
                   size_t error_size);
void http_tls_clear(struct http_tls *tls);

struct http_config {
    struct http_socket socket;                /* taken over, but for a start that fails */
    const char *base_path;                    /* what all paths start with; NULL: nothing */
    const char *allowed_hosts, *cors_origins; /* see struct access */
    const char *trusted_proxies;              /* see access_client() */
    struct auth *auth;                        /* NULL: everybody may do everything */
    struct http_tls tls;                      /* taken over; nothing in it: http */
    int max_connections, max_connections_per_ip, requests_per_minute;
    int send_timeout; /* seconds in which a client takes nothing of its answer; 0: 60 */
    const struct http_route *routes;
    size_t route_count;
    void *service;
    size_t max_upload;        /* bytes */
    size_t max_body_memory;   /* bytes, of all bodies together */
    size_t max_answer_memory; /* bytes, of all answers together */
    /* Fills in an error response: the contract's own format, which this layer does not know.
     * detail: NULL if what the code's row says is all. */
    void (*problem)(struct http_exchange *exchange, enum problem_code code, const char *detail);
    struct http_executor writer, pool, watch;
    struct http_executor pieces; /* the pool, for an answer that has begun: is never full */
    struct http_counts *counts;  /* kept up to date; outlives the server */
};

/* Starts listening. NULL and a message in error (of error_size bytes) on failure. */
struct http_server *http_start(const struct http_config *config, char *error, size_t error_size);
int http_port(const struct http_server *server);
/* Stops: no new connections, sets `stopping` in every exchange, waits up to grace_ms for those in
 * flight, closes. */
void http_stop(struct http_server *server, int grace_ms);

/* For handlers. */
/* What a link of this server starts with: "" or "/denoised". */
const char *http_base_path(const struct http_exchange *exchange);
/* Whether there are API keys at all. */
bool http_asks_for_keys(const struct http_exchange *exchange);
enum http_next http_on_writer(struct http_exchange *exchange, http_deferred next);
enum http_next http_on_watch(struct http_exchange *exchange, http_poll poll);
enum http_next http_on_pool(struct http_exchange *exchange, http_deferred next);
/* exchange->stopping, which another thread may set at any time. */
static inline bool http_is_stopping(const struct http_exchange *exchange) {
    return __atomic_load_n(&exchange->stopping, __ATOMIC_RELAXED);
}
/* Has the stream's `next` called again, if it said WAIT. Any thread, until stream.closed. */
void http_wake(struct http_exchange *exchange);
/* Of a part on the pool: another part follows, on the writer, and answers. */
void http_then_on_writer(struct http_exchange *exchange, http_deferred then);
/* The same, but it is more work for the pool, of this class, which waits its turn. It may be
 * refused, or not be wanted any more, and is then not called: until then, exchange->release answers
 * for what it would have used. */
void http_then_on_pool(struct http_exchange *exchange, http_deferred then, enum turn_class class);
/* On the pool, before memory is taken for an answer: counts so many bytes more against
 * --max-answer-memory, until the answer is made; then it counts what it has become. What alone is
 * more than that has all of it. False: so much is not free, and 503 is already the answer. */
bool http_reserve(struct http_exchange *exchange, size_t bytes);
struct arena *http_arena(struct http_exchange *exchange);
/* Zeroed; NULL when out of memory. Then, as whenever the arena has failed, 503 is the answer,
 * whatever the handler does. */
void *http_alloc(struct http_exchange *exchange, size_t size);
char *http_format(struct http_exchange *exchange, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* value: arena or static. A Location is given as a path of the route table. */
void http_set_header(struct http_exchange *exchange, const char *name, const char *value);
const char *http_header(const struct http_exchange *exchange,
                        const char *name); /* a header of the request; NULL if absent */
/* Whether the client has what response.etag names; then 304 is the answer. For handlers that know
 * the tag before they do the work. */
bool http_not_modified(struct http_exchange *exchange);

#endif
