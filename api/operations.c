/* Health, version and index of the server. */
#include <math.h>
#include <string.h>

#include "api/api.h"
#include "api/contract/caching.h"
#include "api/contract/handlers.h"
#include "server/version.h"

static void reply_status(struct http_exchange *exchange, int http_status, const char *status) {
    struct json_writer json = json_reply(exchange, http_status);
    json_open(&json, '{');
    json_member(&json, "status", status);
    json_close(&json, '}');
}

enum http_next api_livez(struct http_exchange *exchange) {
    if (no_query(exchange))
        reply_status(exchange, 200, "ok");
    return HTTP_REPLY;
}

/* Seconds without the database, or a connection to it, after which a load balancer should choose
 * other nodes. */
enum { AWAY_SECONDS = 5 };

/* Does reading work? An outage that is short costs a client less than another node would. */
static enum store_status try_to_read(struct store *store) {
    struct store_session *session = store_acquire(store);
    enum store_status status = session ? store_ping(session) : store_why_none(store);
    if (session)
        store_release(store, session);
    if (status == STORE_AWAY)
        return fmax(store_away(store), store_crowded(store)) < AWAY_SECONDS ? STORE_OK : status;
    return session && status != STORE_OK ? STORE_ERROR : status;
}

/* Why the server is not ready; NULL: it is. */
static const char *what_is_wrong(struct service *service) {
    if (!atomic_load(&service->ready))
        return "the server is starting or stopping";
    if (store_loss(service->store))
        return store_loss(service->store);
    switch (writer_state(service->writer)) {
    case TASK_DONE: return NULL;
    case TASK_DISK_FULL:
        return "there is no space left for the database: reads work, and writes will work again "
               "once there is space";
    default: return "the last write failed (see the server's log for the reason); reads work";
    }
}

enum http_next api_readyz(struct http_exchange *exchange) {
    struct service *service = service_of(exchange);
    if (!no_query(exchange))
        return HTTP_REPLY;
    const char *wrong = what_is_wrong(service);
    if (wrong) {
        problem(exchange, PROBLEM_NOT_READY, wrong);
        return HTTP_REPLY;
    }
    const enum store_status status = try_to_read(service->store);
    if (status == STORE_OK)
        reply_status(exchange, 200, "ready");
    else
        problem_store(exchange, status);
    return HTTP_REPLY;
}

/* The caller adds the other members. */
static struct json_writer open_identity(struct http_exchange *exchange) {
    struct json_writer json = json_reply(exchange, 200);
    json_open(&json, '{');
    json_member(&json, "name", "denoised");
    json_member(&json, "version", denoised_version);
    return json;
}

enum http_next api_version(struct http_exchange *exchange) {
    if (!no_query(exchange))
        return HTTP_REPLY;
    struct json_writer json = open_identity(exchange);
    json_member(&json, "commit", denoised_commit);
    json_member(&json, "kernels", dn_kernels_name());
    json_key(&json, "started_at");
    json_time(&json, service_of(exchange)->started_at);
    json_close(&json, '}');
    return HTTP_REPLY;
}

/* The dashboard for browsers, or a list of the endpoints for other clients. */
enum http_next api_index(struct http_exchange *exchange) {
    if (!no_query(exchange))
        return HTTP_REPLY;
    const char *accept = http_header(exchange, "Accept");
    http_set_header(exchange, "Vary", "Accept");
    if (accept && strstr(accept, "text/html")) {
        if (!exchange->request.is_bare)
            return api_page(exchange);
        exchange->response.status = 308; /* the page's own links are relative */
        http_set_header(exchange, "Location", "/");
        return HTTP_REPLY;
    }
    tag_answer(exchange, NULL, false, "index");
    struct json_writer json = open_identity(exchange);
    json_key(&json, "endpoints");
    json_open(&json, '[');
    for (size_t i = 0; i < api_route_count; i++) {
        json_open(&json, '{');
        json_member(&json, "method", api_routes[i].method);
        json_member(&json, "path", api_routes[i].path);
        json_member(&json, "summary", api_routes[i].summary);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_close(&json, '}');
    return HTTP_REPLY;
}
