/*
 * http.h - the interface to libmicrohttpd: only server/http/ knows that library.
 *
 * An exchange is one request and its response. The whole request is read and checked (requests.c),
 * the router finds the route, and its handler runs on an HTTP thread. These threads serve all
 * clients, so a handler must not take long there, whatever is stored: one that only reads a bounded
 * amount fills in the response and returns HTTP_REPLY. A handler that writes, computes or reads
 * much decodes the request first, and then returns http_on_writer(exchange, next) or
 * http_on_pool(exchange, next): the connection is suspended, and `next` runs on the writer thread
 * inside a transaction, or on a sampler thread, and fills in the response (a status >= 400 rolls
 * the transaction back). After the commit, the connection is resumed. Work that needs much
 * computation before it can be written runs on the pool first, and then on the writer, by
 * http_then_on_writer. Work that turns out to be large continues by http_then_on_pool, behind other
 * work of its class.
 *
 * A response may be a stream (struct http_stream): a body that is made while it is sent.
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
    bool is_bare; /* the base path was requested without the slash at its end */
    struct http_param query[HTTP_MAX_PARAMS]; /* percent-decoded, in order, repeats kept */
    size_t query_count;
    const char *ids[HTTP_MAX_PATH_IDS]; /* the values of {id} .. in the route's path, in order */
    const char *format;  /* suffix of the path that the route allows, without the dot; "" if none */
    const char *formats; /* suffixes of the route; "" if none */
    const char *body;    /* NUL-terminated, body_length bytes before the NUL */
    size_t body_length;
};

/* The result of making a piece of a body. */
enum http_piece {
    HTTP_PIECE_MORE, /* made; more pieces follow */
    HTTP_PIECE_WAIT, /* nothing to send until http_wake() */
    HTTP_PIECE_LAST, /* made (it may be empty), the last one */
    HTTP_PIECE_FAIL, /* cannot continue: the body is cut short in a way that the client can see */
};

/* A body that is made piece by piece while it is sent, so that its size costs no memory: the bytes
 * in http_response.body come first, then what `next` makes, until it says LAST. Each piece is
 * appended to the buffer and should be about 50 kB. When exchange->stopping, `next` ends soon. */
struct http_stream {
    enum http_piece (*next)(struct http_exchange *exchange, struct buffer *piece);
    /* true: `next` computes. It runs on the pool, one piece ahead of a client that keeps up; a
     * client that does not read stops it. false: it runs on an HTTP thread and may say WAIT. */
    bool on_pool;
    uint64_t length; /* length of the whole body; 0: unknown in advance */
    /* For a body of known length: from now on, http_response.body is ignored, and `next` makes
     * `count` bytes of the body, starting at byte `first`. Called before the first `next`, if at
     * all. NULL: the body can only be made as a whole. */
    void (*seek)(struct http_exchange *exchange, uint64_t first, uint64_t count);
    size_t held; /* bytes of memory that it uses until it is closed */
    /* Called once, after the last call of `next`; may be NULL. Any thread. */
    void (*closed)(struct http_exchange *exchange);
};

struct http_response {
    int status; /* 0: the handler forgot; the client gets a 500 */
    const char *content_type;
    struct buffer body;        /* given away to the socket */
    struct http_stream stream; /* next NULL: the body is whole */
    /* The entity tag of a 200 that depends only on its URL and on the tag; NULL: none. Without
     * quotes, from the arena or static. The transport sends a 304 to clients that have this
     * version, and a range (206) on request, if the tag is not weak and a stream can seek. */
    const char *etag;
    bool is_weak;      /* the same in meaning, but not in every byte */
    const char *cache; /* Cache-Control with the tag; NULL: "no-cache" (keep, but revalidate) */
    /* The same body, compressed in advance, valid as long as the process runs; NULL: none. */
    const char *gzip;
    size_t gzip_length;
    /* The style that a page contains, as a source of its policy ("'sha256-…'"); NULL: none. */
    const char *style_source;
    struct http_param headers[HTTP_MAX_HEADERS];
    size_t header_count;
};

enum http_next { HTTP_REPLY, HTTP_DEFERRED };

typedef enum http_next (*http_handler)(struct http_exchange *exchange);
/* On the writer, it may run several times (struct task): each time, the response is as it was before
 * the first, and what it has left in its state is still there. */
typedef void (*http_deferred)(struct http_exchange *exchange, struct store_session *session);
/* Checks whether what a request waits for has happened, or exchange->stopping; if so, fills in the
 * response and returns true. */
typedef bool (*http_poll)(struct http_exchange *exchange);

struct http_exchange {
    struct http_request request;
    struct http_response response;
    void *service; /* http_config.service: what handlers work on */
    void *state;   /* the handler's own, from the arena; survives the hop to another thread */
    /* If set: called after a deferred part was committed (or computed) with a status < 400, before
     * the response is sent. For side effects that must not come before the commit, such as waking
     * the workers. */
    void (*after)(struct http_exchange *exchange);
    /* If set when a deferred part has succeeded: the response waits until this returns true. It is
     * called when something has happened to the job that `wait` names, and when its time is over. */
    http_poll poll;
    struct wait wait; /* its job, what and until; the job's id is from the arena */
    /* If set: frees what the handler has from malloc, at the end, whatever happened. */
    void (*release)(struct http_exchange *exchange);
    /* Set when nobody waits for the response any more, because the client disconnected or the
     * server stops: a dn_stop_flag for long computations. */
    volatile bool stopping; /* read it by http_is_stopping() */
    /* the rest belongs to server/http/ */
    struct http_call *call;
    http_deferred next, then;
    const struct http_executor *then_on;
    enum turn_class then_class;
    const char *together;
    struct task task;
};

#define HTTP_UPLOAD SIZE_MAX /* as a route's max_body: http_config.max_upload */

/* Who may use a route, when there are API keys. */
enum http_access {
    HTTP_BY_METHOD, /* GET: read access; other methods: write access */
    HTTP_READS,     /* read access: the route computes, but changes nothing */
    HTTP_OPEN,      /* everybody */
    HTTP_PROBE,     /* everybody, without a limit on the rate */
};

/* One row of the route table. Paths are matched exactly; "{id}" stands for one segment, as any name does. `formats`
 * lists the suffixes that the path may end with ("json csv", NULL for none):
 * "/v1/jobs/{id}/history" then matches ".../history.csv" too. */
struct http_route {
    const char *method;
    const char *path;
    const char *formats;
    http_handler handler;
    size_t max_body;           /* bytes; 0 for a request without a body; or HTTP_UPLOAD */
    const char *content_types; /* allowed types of the body, space-separated; NULL without body */
    const char *summary;
    const void *description; /* the contract's own; not used here */
    enum http_access access;
};
enum auth_scope http_scope(const struct http_route *route);

/* Runs deferred exchanges. */
struct http_executor {
    void (*post)(void *self, struct task *task);
    void *self;
};

/* What the server is doing now, for metrics; counters.h has what it has done so far. */
struct http_counts {
    atomic_int in_flight, streams;   /* now; bodies that are made piece by piece */
    atomic_ullong gone;              /* clients that disconnected while their responses were made */
    atomic_size_t body_bytes;        /* of the request bodies that are held */
    atomic_size_t answer_bytes;      /* of the responses that clients have not read yet */
    size_t body_limit, answer_limit; /* the maximum of these two */
};

/* PEM texts, which libmicrohttpd reads from time to time. */
struct http_tls {
    char *cert, *key;
};

/* Reads the files of a certificate chain and its key (NULL, NULL: none). False and a message: one
 * is unreadable, or they do not belong together. */
bool http_tls_load(struct http_tls *tls, const char *cert, const char *key, char *error,
                   size_t error_size);
void http_tls_clear(struct http_tls *tls);

struct http_config {
    struct http_socket socket;                /* taken over, unless the start fails */
    const char *base_path;                    /* what all paths start with; NULL: nothing */
    const char *allowed_hosts, *cors_origins; /* see struct access */
    const char *trusted_proxies;              /* see access_client() */
    struct auth *auth;                        /* NULL: everybody may do everything */
    struct http_tls tls;                      /* taken over; empty: HTTP */
    int max_connections, max_connections_per_ip, requests_per_minute;
    int send_timeout; /* seconds a client may stop reading; receiving has its own limits (peer.h) */
    const struct http_route *routes;
    size_t route_count;
    void *service;
    /* Its handlers wait for another process, in which time their thread computes nothing. */
    bool waits;
    size_t max_upload;        /* bytes */
    size_t max_body_memory;   /* bytes, of all bodies together */
    size_t max_answer_memory; /* bytes, of all responses together */
    /* Fills in an error response, in the contract's format, which this layer does not know. detail:
     * NULL if the doc of the code's row is enough. */
    void (*problem)(struct http_exchange *exchange, enum problem_code code, const char *detail);
    struct http_executor writer, pool, watch;
    struct http_executor pieces; /* the pool, for a response that has begun: is never full */
    struct http_counts *counts;  /* kept up to date; outlives the server */
};

/* Starts listening. NULL and a message in error (of error_size bytes) on failure. */
struct http_server *http_start(const struct http_config *config, char *error, size_t error_size);
/* Stops: accepts no new connections, sets `stopping` in every exchange, waits up to grace_ms for
 * those in flight, and closes. */
void http_stop(struct http_server *server, int grace_ms);

/* For handlers. */
/* What links to this server start with: "" or "/denoised". */
const char *http_base_path(const struct http_exchange *exchange);
/* The most bytes that the body of this request may have. */
size_t http_body_limit(const struct http_exchange *exchange);
/* Are there API keys? */
bool http_asks_for_keys(const struct http_exchange *exchange);
enum http_next http_on_writer(struct http_exchange *exchange, http_deferred next);
/* The same for what makes new rows only, with this key, or "": see task.together. The key must live as
 * long as the exchange. */
enum http_next http_on_writer_together(struct http_exchange *exchange, http_deferred next,
                                       const char *key);
enum http_next http_on_watch(struct http_exchange *exchange, http_poll poll, struct wait wait);
enum http_next http_on_pool(struct http_exchange *exchange, http_deferred next);
/* exchange->stopping, which another thread may set at any time. */
static inline bool http_is_stopping(const struct http_exchange *exchange) {
    return __atomic_load_n(&exchange->stopping, __ATOMIC_RELAXED);
}
/* On the writer: an earlier run of this part may have been committed, without an answer from the
 * database, so this one first looks whether that is so. */
static inline bool http_is_in_doubt(const struct http_exchange *exchange) {
    return exchange->task.is_in_doubt;
}
/* Calls the stream's `next` again, if it said WAIT. Any thread, until stream.closed. */
void http_wake(struct http_exchange *exchange);
/* For a part on the pool: another part follows, on the writer, and makes the response. */
void http_then_on_writer(struct http_exchange *exchange, http_deferred then);
/* For a part on the pool: another part of this class follows, also on the pool, after waiting its
 * turn. It may be refused, or not be wanted any more, and is then not called: until then,
 * exchange->release is responsible for what it would have used. */
void http_then_on_pool(struct http_exchange *exchange, http_deferred then, enum turn_class class);
/* On the pool, before memory is allocated for a response: counts this many bytes more against
 * --max-answer-memory, at most all of it, until the response is made; then its actual size counts.
 * False: not enough is free, and the response is a 503. */
bool http_reserve(struct http_exchange *exchange, size_t bytes);
/* Off the connection's thread: frees the body of the request, which nothing needs any more. */
void http_drop_body(struct http_exchange *exchange);
struct arena *http_arena(struct http_exchange *exchange);
/* Zeroed; NULL when out of memory. Whenever the arena has failed, the response is a 503, whatever
 * the handler does. */
void *http_alloc(struct http_exchange *exchange, size_t size);
char *http_format(struct http_exchange *exchange, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* value: from the arena or static. A Location is given as a path of the route table. */
void http_set_header(struct http_exchange *exchange, const char *name, const char *value);
/* The case of letters does not matter. */
bool http_has_header(const struct http_response *response, const char *name);
const char *http_header(const struct http_exchange *exchange,
                        const char *name); /* a header of the request; NULL if absent */
/* True: the client has the version that response.etag names, and the response is a 304. For
 * handlers that know the tag before they do the work. */
bool http_not_modified(struct http_exchange *exchange);

#endif
