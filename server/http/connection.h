/*
 * connection.h - what the files of the transport share. Each calls only those above it:
 *
 *   socket tls gzip access auth peer linger router fields     know nothing of a call
 *   http         functions for handlers, and for all of the files below
 *   body         the memory that a call holds: its body, and what is counted
 *   state        the states of a call, and what wakes it
 *   content      which part of a response goes to this client, and whether compressed
 *   stream       responses that are made piece by piece
 *   response     the sending of responses
 *   deferred     work on other threads
 *   gate         which route, and whether this client may use it
 *   requests     what libmicrohttpd calls
 *   listen       start and stop
 */
#ifndef SERVER_HTTP_CONNECTION_H
#define SERVER_HTTP_CONNECTION_H

#include <microhttpd.h>
#include <pthread.h>

#include "server/base/rate.h"
#include "server/http/content.h"
#include "server/http/fields.h"
#include "server/http/gzip.h"
#include "server/http/http.h"
#include "server/http/peer.h"
#include "server/http/router.h"

enum { HTTP_REQUEST_ID = 64, HTTP_TRACE = 32 };

/*
 * The state of a call, under server->mutex. Only http_set_state() changes it.
 *
 *   READING --------------------> SENT_EARLY --> OVER
 *    |   |
 *    |   +----------------+-----> SENDING -----> OVER
 *    v                    |
 *   WAITING --> ANSWERED -+-----> STREAMING ---> OVER
 *                                  ^     ^
 *                                  |     |
 *                                  v     v
 *                             LOOKING   PAUSED
 *
 * A connection may end before there is a response: READING and ANSWERED may become OVER, too. In
 * WAITING and PAUSED it is suspended, and cannot end.
 */
enum call_state {
    CALL_READING,    /* reading the request; its handler may be running */
    CALL_WAITING,    /* for the executor that runs the call */
    CALL_ANSWERED,   /* by the executor; the response is not queued yet */
    CALL_SENT_EARLY, /* the response was sent before the whole request was read */
    CALL_SENDING,    /* a whole response */
    CALL_STREAMING,  /* a response that is made piece by piece */
    CALL_LOOKING,    /* a stream whose next piece the connection's thread makes: a wake ends it */
    CALL_PAUSED,     /* a stream without a piece to send */
    CALL_OVER,       /* the connection does not use the call any more */
};

/* The piece after the one that is being sent. */
enum next_piece { PIECE_NONE, PIECE_MAKING, PIECE_MADE };

/* How far the body that the handler left is prepared for sending. */
enum content_state {
    CONTENT_RAW,
    CONTENT_PLAIN, /* sent without compression: there is no time for it */
    CONTENT_READY, /* after http_finish_content() */
};

/* A body that is sent piece by piece. `ready` belongs to the connection's thread, the rest to
 * server->mutex. */
struct sending {
    struct buffer ready; /* the piece that is being sent */
    size_t sent;         /* bytes of `ready` */
    struct buffer made;  /* the next piece */
    struct buffer spare; /* its uncompressed text */
    enum next_piece next;
    size_t wanted;        /* the size of the piece that is being made */
    enum http_piece said; /* whether another piece follows the last one */
    struct task task;     /* makes a piece */
};

/* One request, from its headers to the end of its response. */
struct http_call {
    struct http_exchange exchange;
    struct arena arena;
    struct http_server *server;
    enum call_state state;
    bool is_gone; /* the client is; an executor or the stream then stops by itself */
    struct MHD_Connection *connection;
    struct peer *peer;
    struct http_call *previous, *next; /* in server->requests */
    const struct http_route *route;
    struct http_refusal refusal; /* PROBLEM_NONE: none */
    struct http_fields fields;
    struct http_framing framing;
    struct in6_addr client; /* the address that sent the request */
    bool is_by_proxy;       /* a proxy of --trusted-proxies forwarded it */
    struct buffer body;
    size_t received, max_body, held;  /* bytes of the body; held: in http_counts.body_bytes */
    size_t answer_held;               /* in http_counts.answer_bytes */
    size_t reserved;                  /* for the response that is being made */
    struct http_param refusal_header; /* sent with the refusal */
    char id[HTTP_REQUEST_ID + 1];     /* the client's, or our own */
    char trace[HTTP_TRACE + 1];       /* trace id of a traceparent header, or "" */
    char key_name[AUTH_NAME];         /* name of the API key, or "" */
    char allow[ROUTER_ALLOW];
    double started;
    double posted, queued; /* when it went to an executor, and how long it waited there */
    const struct http_executor *executor; /* runs the deferred part, */
    size_t headers_before;                /* and this many were there before it */
    size_t response_bytes;
    enum content_state content;
    struct gzip *gzip; /* compresses the stream; NULL: no compression */
    struct sending sending;
};

struct http_server {
    struct http_config config;
    struct MHD_Daemon *daemon;
    struct deadlines *deadlines;
    struct access access;
    struct rate *rate; /* NULL: no limit */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct http_call *requests;
    int suspended;
    int making; /* pieces that the pool makes or will make */
    bool stopping;
};

/* http.c */
const char *http_route_path(const struct http_call *call); /* for people */
void http_set_problem(struct http_call *call, enum problem_code code, const char *detail);

/* body.c: takes a piece of the body; false: the body is too long to read to its end. */
bool http_take_body(struct http_call *call, const char *bytes, size_t size);
/* Does the header alone say that the body is too long even to discard? */
bool http_body_is_hopeless(const struct http_call *call);
/* Counts memory against a limit for all connections together: sets this one's *held to `bytes`,
 * without the first 64 KiB, and *all accordingly. False: the limit does not allow it; nothing
 * changes. */
bool http_hold(atomic_size_t *all, size_t limit, size_t *held, size_t bytes);
void http_free_call(struct http_call *call); /* with everything that it holds */

/* state.c */
/* Called with server->mutex held. Suspends and resumes the connection, and counts both. After a
 * resume, once the mutex is released, the call may be gone. */
void http_set_state(struct http_call *call, enum call_state to);
/* There may be something to send. Called with server->mutex held. */
void http_wake_stream(struct http_call *call);
/* From now on, stops the work if the client disconnects. */
void http_watch_client(struct http_call *call);

/* stream.c */
struct MHD_Response *http_stream_response(struct http_call *call);

/* response.c: on the connection's own thread. close: the connection ends with this response. */
enum MHD_Result http_queue_response(struct http_call *call, bool close);
/* Responds in the middle of a body, which libmicrohttpd cannot: writes the problem that was set
 * straight to the socket. The caller returns MHD_NO, which ends the connection. */
void http_send_early(struct http_call *call);

/* deferred.c: true: the response takes long to compress, and the pool is to do it. */
bool http_defer_content(struct http_call *call);
/* Suspends the connection and hands the exchange to its executor. */
enum MHD_Result http_suspend_and_post(struct http_call *call);

/* gate.c: who sends the request, and its ids; then the route and the refusals, as far as the
 * headers alone decide. */
void http_identify(struct http_call *call);
void http_route_request(struct http_call *call, const char *method);
bool http_is_safe(const char *method); /* changes nothing */

/* requests.c: for libmicrohttpd. */
void http_on_connection(void *self, struct MHD_Connection *connection, void **context,
                        enum MHD_ConnectionNotificationCode code);
void *http_on_target(void *self, const char *target, struct MHD_Connection *connection);
enum MHD_Result http_on_request(void *self, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_size, void **call_slot);
void http_on_completed(void *self, struct MHD_Connection *connection, void **call_slot,
                       enum MHD_RequestTerminationCode code);

/* tls.c: which protocols and ciphers, for GnuTLS. */
extern const char *const http_tls_priorities;

#endif
