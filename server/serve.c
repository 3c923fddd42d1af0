#include "server/serve.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/id.h"
#include "server/log.h"
#include "server/service.h"
#include "server/version.h"

enum {
    GRACE_MS = 2000,       /* for requests in flight at the stop */
    STOP_SECONDS = 4,      /* then the process leaves, whatever still runs */
    WAITING_SAMPLES = 256, /* sample requests that may wait for a thread */
    MOST_WAITING = 512,    /* requests that wait for a job to get on */
};

static int complain(const char *message) {
    fprintf(stderr, "denoised: %s\n", message);
    return 1;
}

static bool recover(struct store *store) {
    struct store_session *session = store_writer(store);
    int requeued = 0;
    if (store_begin(session) != STORE_OK)
        return false;
    if (store_recover(session, clock_now_ms(), &requeued) != STORE_OK) {
        store_abort(session);
        return false;
    }
    if (requeued > 0)
        log_line(LOG_INFO, "jobs of the last run resume", "jobs=%d", requeued);
    return store_commit(session) == STORE_OK;
}

/* A training step of a huge network can outlast any patience. Everything acknowledged is on disk by
 * then, and the job resumes from its checkpoint, so leaving is safe. */
static void *leave_late(void *unused) {
    (void)unused;
    sleep(STOP_SECONDS);
    log_line(LOG_WARN, "a computation did not stop in time; leaving", NULL);
    _exit(0);
}

static void wait_for_signal(const sigset_t *signals) {
    int number;
    sigwait(signals, &number);
    log_line(LOG_INFO, "stopping", "signal=%s", strsignal(number));
    pthread_t watchdog;
    if (pthread_create(&watchdog, NULL, leave_late, NULL) == 0)
        pthread_detach(watchdog);
}

static struct http_server *listen_for(const struct config *config, const struct contract *contract,
                                      struct service *service) {
    struct http_config http = {
        .host = config->host,
        .port = config->port,
        .routes = contract->routes,
        .route_count = contract->route_count,
        .service = service,
        .problem = contract->problem,
        .counts = &service->counts,
        .writer = {writer_post, service->writer},
        .pool = {pool_post, service->pool},
        .watch = {watch_post, service->watch},
        .pieces = {pool_post_piece, service->pool},
    };
    char error[256];
    struct http_server *server = http_start(&http, error, sizeof error);
    if (!server)
        complain(error);
    return server;
}

/* From the ready line to the signal. */
static int run(const struct config *config, const struct contract *contract,
               struct service *service, const sigset_t *signals) {
    struct http_server *server = listen_for(config, contract, service);
    if (!server)
        return 1;
    atomic_store(&service->ready, true);
    bool is_ipv6 = strchr(config->host, ':') != NULL;
    printf("listening on http://%s%s%s:%d\n", is_ipv6 ? "[" : "", config->host, is_ipv6 ? "]" : "",
           http_port(server));
    fflush(stdout);
    wait_for_signal(signals);
    atomic_store(&service->ready, false);
    http_stop(server, GRACE_MS);
    return 0;
}

static int start_threads_and_run(const struct config *config, const struct contract *contract,
                                 struct store *store, const sigset_t *signals) {
    char boot_id[STORE_ID_LENGTH + 1];
    id_new(boot_id);
    struct service service = {
        .store = store, .max_queued = config->max_queued, .started_at = clock_now_ms()};
    int status = 1;
    service.writer = writer_start(store);
    if (service.writer)
        service.events = events_start(store, contract->event_data);
    if (service.events) {
        writer_tell(service.writer, events_committed, service.events);
        service.pool = pool_start(config->samplers, WAITING_SAMPLES);
    }
    if (service.pool)
        service.watch = watch_start(MOST_WAITING);
    if (service.watch)
        service.workers = workers_start(service.writer, config->workers, boot_id, contract->decode);
    if (service.workers)
        status = run(config, contract, &service, signals);
    else
        complain("cannot start the threads");
    if (service.workers)
        workers_stop(service.workers);
    if (service.watch)
        watch_stop(service.watch);
    if (service.pool)
        pool_stop(service.pool);
    if (service.writer)
        writer_stop(service.writer);
    if (service.events)
        events_stop(service.events);
    return status;
}

int serve(const struct config *config, const struct contract *contract) {
    for (int i = 0; log_level_names[i]; i++)
        if (strcmp(log_level_names[i], config->log_level) == 0)
            log_set_level((enum log_level)i);
    struct dn_error kernels;
    if (strcmp(config->simd, "auto") != 0 && dn_kernels_use(config->simd, &kernels) != DN_OK)
        return complain(kernels.text);
    if (!config->anonymous && !http_host_is_loopback(config->host))
        return complain("this address can be reached from other machines, where anybody could use "
                        "the service; say --anonymous if that is intended");

    /* Blocked before any thread starts, so that only sigwait gets them. */
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);

    char error[512];
    struct store *store = store_open(config->database, error, sizeof error);
    if (!store)
        return complain(error);
    log_line(LOG_INFO, "starting", "version=%s kernels=%s", denoised_version, dn_kernels_name());
    int status = recover(store) ? start_threads_and_run(config, contract, store, &signals)
                                : complain("cannot recover the jobs of the last run");
    store_close(store);
    if (status == 0)
        log_line(LOG_INFO, "stopped", NULL);
    return status;
}
