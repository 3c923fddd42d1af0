/* Is it alive, is it ready, what is it. */
#include "api/api.h"
#include "api/handlers.h"
#include "server/id.h"
#include "server/version.h"

static void reply_status(struct http_exchange *exchange, int http_status, const char *status) {
    struct json_writer json = json_reply(exchange, http_status);
    json_open(&json, '{');
    json_key(&json, "status");
    json_string(&json, status);
    json_close(&json, '}');
}

enum http_next api_livez(struct http_exchange *exchange) {
    if (no_query(exchange))
        reply_status(exchange, 200, "ok");
    return HTTP_REPLY;
}

enum http_next api_readyz(struct http_exchange *exchange) {
    struct service *service = service_of(exchange);
    if (!no_query(exchange))
        return HTTP_REPLY;
    if (!atomic_load(&service->ready)) {
        problem(exchange, 503, "not_ready", "the server is starting or stopping");
        return HTTP_REPLY;
    }
    struct store_session *session = begin_reading(exchange);
    if (!session)
        return HTTP_REPLY;
    if (store_ping(session))
        reply_status(exchange, 200, "ready");
    else
        problem_store(exchange, STORE_ERROR);
    end_reading(exchange, session);
    return HTTP_REPLY;
}

enum http_next api_version(struct http_exchange *exchange) {
    if (!no_query(exchange))
        return HTTP_REPLY;
    struct json_writer json = json_reply(exchange, 200);
    json_open(&json, '{');
    json_key(&json, "name");
    json_string(&json, "denoised");
    json_key(&json, "version");
    json_string(&json, denoised_version);
    json_key(&json, "commit");
    json_string(&json, denoised_commit);
    json_key(&json, "kernels");
    json_string(&json, dn_kernels_name());
    json_key(&json, "started_at");
    json_time(&json, service_of(exchange)->started_at);
    json_close(&json, '}');
    return HTTP_REPLY;
}

static void metric(struct buffer *out, const char *name, const char *type, const char *help) {
    buffer_format(out, "# HELP denoised_%s %s\n# TYPE denoised_%s %s\n", name, help, name, type);
}

static void write_http_metrics(struct buffer *out, struct http_counts *counts) {
    metric(out, "http_requests_total", "counter", "Answered requests by class of status.");
    for (int class = 2; class <= 5; class ++)
        buffer_format(out, "denoised_http_requests_total{class=\"%dxx\"} %llu\n", class,
                      atomic_load(&counts->by_class[class]));
    metric(out, "http_request_seconds_total", "counter", "Time spent on answered requests.");
    buffer_format(out, "denoised_http_request_seconds_total %.6f\n",
                  1e-6 * (double)atomic_load(&counts->microseconds));
    metric(out, "http_requests_in_flight", "gauge", "Requests that are being answered.");
    buffer_format(out, "denoised_http_requests_in_flight %d\n", atomic_load(&counts->in_flight));
    metric(out, "http_streams", "gauge", "Answers that are being made while they are sent.");
    buffer_format(out, "denoised_http_streams %d\n", atomic_load(&counts->streams));
    metric(out, "http_clients_gone_total", "counter",
           "Clients that went away before they had their answer.");
    buffer_format(out, "denoised_http_clients_gone_total %llu\n", atomic_load(&counts->gone));
}

/* The text format of Prometheus, version 0.0.4. */
enum http_next api_metrics(struct http_exchange *exchange) {
    struct service *service = service_of(exchange);
    struct store_session *session = no_query(exchange) ? begin_reading(exchange) : NULL;
    if (!session)
        return HTTP_REPLY;
    struct buffer *out = &exchange->response.body;
    enum store_status status = STORE_OK;
    metric(out, "build_info", "gauge", "What this server is.");
    buffer_format(out, "denoised_build_info{version=\"%s\",commit=\"%s\",kernels=\"%s\"} 1\n",
                  denoised_version, denoised_commit, dn_kernels_name());
    metric(out, "start_time_seconds", "gauge", "When it started, in seconds since 1970.");
    buffer_format(out, "denoised_start_time_seconds %.3f\n", 1e-3 * (double)service->started_at);
    metric(out, "jobs", "gauge", "Stored jobs by status.");
    for (int i = 0; i < JOB_STATUS_COUNT && status == STORE_OK; i++) {
        int64_t count;
        status = store_job_count(session, (enum job_status)i, &count);
        buffer_format(out, "denoised_jobs{status=\"%s\"} %lld\n", job_status_names[i],
                      (long long)count);
    }
    end_reading(exchange, session);
    write_http_metrics(out, &service->counts);
    metric(out, "event_streams", "gauge", "Open streams of server-sent events.");
    buffer_format(out, "denoised_event_streams %d\n", events_streams(service->events));
    exchange->response.status = 200;
    exchange->response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    if (status != STORE_OK)
        problem_store(exchange, status);
    return HTTP_REPLY;
}

/* The list of everything, for whoever opens the address. */
enum http_next api_index(struct http_exchange *exchange) {
    if (!no_query(exchange))
        return HTTP_REPLY;
    struct json_writer json = json_reply(exchange, 200);
    json_open(&json, '{');
    json_key(&json, "name");
    json_string(&json, "denoised");
    json_key(&json, "version");
    json_string(&json, denoised_version);
    json_key(&json, "endpoints");
    json_open(&json, '[');
    for (size_t i = 0; i < api_route_count; i++) {
        json_open(&json, '{');
        json_key(&json, "method");
        json_string(&json, api_routes[i].method);
        json_key(&json, "path");
        json_string(&json, api_routes[i].path);
        json_key(&json, "summary");
        json_string(&json, api_routes[i].summary);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_close(&json, '}');
    return HTTP_REPLY;
}
