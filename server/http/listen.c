/* The start of the server, from an address to threads that listen on it, and its stop. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/machine.h"
#include "server/http/connection.h"

enum {
    CONNECTION_MEMORY = 32768, /* above this, each connection costs an mmap */
    THREAD_STACK = 512 << 10,
    LEAST_THREADS = 2,
    MOST_THREADS = 4,
};

static void on_error(void *self, const char *format, va_list arguments) {
    (void)self;
    char text[256];
    vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\n")] = '\0';
    log_line(LOG_DEBUG, "libmicrohttpd", "detail=%s", text);
}

static enum access_names names_for(const struct http_config *config) {
    return config->socket.is_loopback               ? ACCESS_LOOPBACK
           : config->auth && !config->allowed_hosts ? ACCESS_ANY
                                                    : ACCESS_ADDRESSES;
}

/* One for each core, and more where they often wait; those that only serve HTTP never need many. */
static unsigned threads_of(const struct http_config *config) {
    const int cores = machine_cores();
    return cores > MOST_THREADS || config->waits ? MOST_THREADS
           : cores < LEAST_THREADS               ? LEAST_THREADS
                                                 : (unsigned)cores;
}

static struct MHD_Daemon *start_daemon(struct http_server *server) {
    const unsigned threads = threads_of(&server->config);
    unsigned flags = MHD_USE_EPOLL | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ITC |
                     MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    if (server->config.socket.family == AF_INET6)
        flags |= MHD_USE_IPv6;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, server->config.tls.cert},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, server->config.tls.key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)http_tls_priorities},
        {MHD_OPTION_END, 0, NULL},
    };
    const struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    if (server->config.tls.cert)
        flags |= MHD_USE_TLS;
    return MHD_start_daemon(
        flags, 0, NULL, NULL, http_on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_error, server,
        MHD_OPTION_LISTEN_SOCKET, server->config.socket.fd, MHD_OPTION_THREAD_POOL_SIZE, threads,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)server->config.max_connections,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)server->config.max_connections_per_ip,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)server->config.send_timeout,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT,
        1, MHD_OPTION_THREAD_STACK_SIZE, (size_t)THREAD_STACK, MHD_OPTION_URI_LOG_CALLBACK,
        http_on_target, server, MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, server,
        MHD_OPTION_NOTIFY_CONNECTION, http_on_connection, server, MHD_OPTION_ARRAY,
        server->config.tls.cert ? tls : none, MHD_OPTION_END);
}

static void server_free(struct http_server *server) {
    if (server->deadlines)
        deadlines_stop(server->deadlines);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->mutex);
    rate_free(server->rate);
    http_tls_clear(&server->config.tls);
    free(server);
}

struct http_server *http_start(const struct http_config *config, char *error, size_t error_size) {
    struct http_server *server = calloc(1, sizeof *server);
    if (!server) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    server->config = *config;
    config->counts->body_limit = config->max_body_memory;
    config->counts->answer_limit = config->max_answer_memory;
    pthread_mutex_init(&server->mutex, NULL);
    pthread_cond_init(&server->changed, NULL);
    signal(SIGPIPE, SIG_IGN); /* a disconnected client must not end the process */
    server->access = (struct access){.names = names_for(config),
                                     .allowed_hosts = config->allowed_hosts,
                                     .cors_origins = config->cors_origins};
    server->deadlines = deadlines_start();
    if (config->requests_per_minute > 0)
        server->rate = rate_new(config->requests_per_minute);
    if (!server->deadlines || (config->requests_per_minute > 0 && !server->rate)) {
        snprintf(error, error_size, "out of memory or threads");
        goto fail;
    }
    if (!http_socket_open(&config->socket, error, error_size))
        goto fail;
    server->daemon = start_daemon(server);
    if (!server->daemon) {
        snprintf(error, error_size, "cannot start the threads of HTTP");
        goto fail;
    }
    return server;
fail:
    server_free(server);
    return NULL;
}

void http_stop(struct http_server *server, int grace_ms) {
    MHD_socket listener = MHD_quiesce_daemon(server->daemon); /* accepts no connections any more */
    const struct timespec until = clock_after(1e-3 * grace_ms);
    pthread_mutex_lock(&server->mutex);
    server->stopping = true;
    for (struct http_call *call = server->requests; call; call = call->next) {
        __atomic_store_n(&call->exchange.stopping, true, __ATOMIC_RELAXED);
        http_wake_stream(call);
    }
    /* A suspended connection must be resumed before the daemon may stop; `stopping` ends its
     * computation soon. Other requests get the grace time to be read and answered. */
    int waited = 0;
    while (server->suspended > 0 || (server->requests && waited == 0))
        waited = server->suspended > 0 ? pthread_cond_wait(&server->changed, &server->mutex)
                                       : pthread_cond_clockwait(&server->changed, &server->mutex,
                                                                CLOCK_MONOTONIC, &until);
    pthread_mutex_unlock(&server->mutex);

    MHD_stop_daemon(server->daemon);
    pthread_mutex_lock(&server->mutex);
    while (server->making > 0) /* for connections that are gone */
        pthread_cond_wait(&server->changed, &server->mutex);
    pthread_mutex_unlock(&server->mutex);
    if (listener != MHD_INVALID_SOCKET)
        close(listener);
    server_free(server);
}
