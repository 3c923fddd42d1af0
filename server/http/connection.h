/*
 * connection.h - what the files of the transport share. Each calls only those above it:
 *
 *   socket tls gzip access auth peer linger router fields     know nothing of a call
 *   http         what handlers ask of a call, and what all of the files below do
 *   body         what a call holds: its body, and memory that is counted
 *   state        the states of a call, and what wakes it
 *   content      what of an answer goes to this client: a part, compressed, or nothing new
 *   stream       answers that are made piece by piece
 *   response     answers on their way
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
 * What a call is in, under server->mutex. Only http_set_state() changes it.
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
 * A connection may end before there is an answer: READING and ANSWERED go on to OVER, too. In
 * WAITING and PAUSED it is suspended, and cannot end.
 */
enum call_state {
    CALL_READING,    /* the request; its handler may be running */
    CALL_WAITING,    /* for an executor that has it */
    CALL_ANSWERED,   /* by the executor; the response is still to be queued */
    CALL_SENT_EARLY, /* the answer, before all of the request was read */
    CALL_SENDING,    /* a whole answer */
    CALL_STREAMING,  /* an answer that is made piece by piece */
    CALL_LOOKING,    /* the same, while the connection's thread makes a piece: a wake ends it */
    CALL_PAUSED,     /* the same, and there is no piece to send */
    CALL_OVER,       /* the connection has nothing to do with it any more */
};

/* The piece after the one that is being sent. */
enum next_piece { PIECE_NONE, PIECE_MAKING, PIECE_MADE };

/* What becomes of the body that the handler has left. */
enum content_state {
    CONTENT_RAW,
    CONTENT_PLAIN, /* it is not to be compressed: nobody has time for it */
    CONTENT_READY, /* http_finish_content() was here */
};

/* A body on its way to the socket, piece by piece. `ready` belongs to the connection's thread, all
 * else to server->mutex. */
struct sending {
    struct buffer ready; /* the piece that is being sent */
    size_t sent;         /* how much of that is sent */
    struct buffer made;  /* the one after it */
    struct buffer spare; /* its text, when that is compressed */
    enum next_piece next;
    size_t wanted;        /* the size of the piece that is being made */
    enum http_piece said; /* what the last piece said: is there another one? */
    struct task task;     /* makes a piece */
};

/* One request, from its headers to the end of its response. */
struct http_call {
    struct http_exchange exchange;
    struct arena arena;
    struct http_server *server;
    enum call_state state;
    bool is_gone; /* the client; an executor or the stream stops then by itself */
    struct MHD_Connection *connection;
    struct peer *peer;
    struct http_call *previous, *next; /* in server->requests */
    const struct http_route *route;
    struct http_refusal refusal; /* PROBLEM_NONE: none */
    struct http_fields fields;
    struct http_framing framing;
    struct in6_addr client; /* whose request it is */
    bool is_by_proxy;       /* one of --trusted-proxies has sent it on */
    struct buffer body;
    size_t received, max_body, held;  /* bytes of the body; held: in http_counts.body_bytes */
    size_t answer_held;               /* in http_counts.answer_bytes */
    size_t reserved;                  /* for the answer that is being made */
    struct http_param refusal_header; /* goes with the refusal */
    char id[HTTP_REQUEST_ID + 1];     /* the client's, or our own */
    char trace[HTTP_TRACE + 1];       /* trace id of a traceparent header, or "" */
    char key_name[AUTH_NAME];         /* name of the API key, or "" */
    char allow[ROUTER_ALLOW];
    double started;
    double posted, queued; /* when it was handed to an executor, and how long it waited there */
    const struct http_executor *executor; /* task of the deferred part */
    size_t response_bytes;
    enum content_state content;
    struct gzip *gzip; /* compresses the stream; NULL: none does */
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
    int making; /* pieces that the pool is making, or will */
    bool stopping;
};

/* http.c */
const char *http_route_path(const struct http_call *call); /* for people */
void http_set_problem(struct http_call *call, enum problem_code code, const char *detail);
/* Letters' case does not matter. */
bool http_has_header(const struct http_response *response, const char *name);

/* body.c: takes in a piece of the body; false: it is too long to be read to its end. */
bool http_take_body(struct http_call *call, const char *bytes, size_t size);
/* Does the header alone say that the body is too long even to be thrown away? */
bool http_body_is_hopeless(const struct http_call *call);
/* Memory of a kind, up to `limit` bytes for all connections together: counts *held of this one up
 * or down to `bytes`, all but the first 64 KiB. False: as much is held already as may be; nothing
 * changes. */
bool http_hold(atomic_size_t *all, size_t limit, size_t *held, size_t bytes);
void http_free_call(struct http_call *call); /* with everything that it holds */

/* state.c */
/* server->mutex is held. Suspends and resumes the connection, and counts both. After a resume, and
 * when the mutex is given up, the call may be gone. */
void http_set_state(struct http_call *call, enum call_state to);
/* There may be something to send. server->mutex is held. */
void http_wake_stream(struct http_call *call);
/* From now on, stops the work for a client that goes away. */
void http_watch_client(struct http_call *call);

/* stream.c */
struct MHD_Response *http_stream_response(struct http_call *call);

/* response.c: on the connection's own thread. close: the connection ends with this answer. */
enum MHD_Result http_queue_response(struct http_call *call, bool close);
/* An answer in the middle of a body, for which libmicrohttpd has no way: the problem that was set
 * goes straight to the socket. The caller returns MHD_NO, which ends the connection. */
void http_send_early(struct http_call *call);

/* deferred.c: an answer that takes long to compress: true, and the pool is to do it. */
bool http_defer_content(struct http_call *call);
/* Suspends the connection and hands the exchange to its executor. */
enum MHD_Result http_suspend_and_post(struct http_call *call);

/* gate.c: whose request it is, and its ids; then the routing and the refusals, as far as the
 * headers alone allow. */
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
