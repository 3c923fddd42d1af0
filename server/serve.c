#include "server/serve.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/cores.h"
#include "server/base/counters.h"
#include "server/base/fault.h"
#include "server/base/log.h"
#include "server/base/log_out.h"
#include "server/base/memory_limit.h"
#include "server/janitor.h"
#include "server/limits.h"
#include "server/notify.h"
#include "server/sandbox.h"
#include "server/service.h"
#include "server/upgrade.h"
#include "server/version.h"

enum {
    GRACE_MS = 2000,       /* for requests in flight at the stop */
    LOOK_SECONDS = 1,      /* between two looks at where the database is */
    LOST_SECONDS = 2,      /* for probes to see that it is gone */
    STOP_MS = 4800,        /* then the process leaves, whatever still runs */
    WAITING_SAMPLES = 256, /* sample requests that may wait for a thread */
    TRAINING_PERCENT = 60, /* of the memory, unless --max-training-memory says otherwise */
    MOST_WAITING = 512,    /* requests that wait for a job to get on */
    LEAST_DATABASE = 16,   /* MiB */
};

/* What is settled before the database is touched, so that a start that fails for it leaves nothing
 * behind. */
struct front {
    struct auth *auth; /* NULL: everybody may do everything */
    struct http_socket socket;
    struct http_tls tls;
    int connections; /* at most */
};

static int complain(const char *message) {
    char text[700];
    snprintf(text, sizeof text, "denoised: %s", message);
    log_text(text);
    return 1;
}

static bool recover(struct store *store, int64_t memory) {
    struct store_session *session = store_writer(store);
    int requeued = 0;
    if (store_begin(session) != STORE_OK)
        return false;
    if (store_recover(session, memory, clock_now_ms(), &requeued) != STORE_OK) {
        store_abort(session);
        return false;
    }
    if (requeued > 0)
        log_line(LOG_INFO, "resuming the jobs of the last run", "jobs=%d", requeued);
    FAULT_POINT("recover.before_commit");
    if (store_commit(session) != STORE_OK)
        return false;
    FAULT_POINT("recover.committed");
    return true;
}

/* A disk that is too slow for the last checkpoint can outlast any patience. Everything acknowledged
 * is on it by then, and the job resumes from the checkpoint before, so leaving is safe; but the
 * steps since then are lost, and the exit status says so. */
static void *leave_late(void *unused) {
    (void)unused;
    usleep(STOP_MS * 1000);
    log_line(LOG_WARN, "not everything stopped in time; exiting", "status=%d", EXIT_FAILURE);
    log_flush();
    _exit(EXIT_FAILURE);
}

static void reload_keys(struct auth *auth) {
    char error[512], quoted[600];
    if (!auth)
        log_line(LOG_INFO, "there is no file of API keys to reload", NULL);
    else if (auth_reload(auth, error, sizeof error))
        log_line(LOG_INFO, "API keys reloaded", "keys=%d", auth_count(auth));
    else
        log_line(LOG_ERROR, "API keys not reloaded; the old ones stay valid", "detail=%s",
                 log_quote(error, quoted, sizeof quoted));
}

/* Healthy is a writer that gets round to its work, whether the disk lets it write or not: starting
 * anew would mend the one but not the other. The thread that waits for signals does not wait for
 * it: a task that does nothing goes there and back, as soon as it can. */
struct heartbeat {
    struct task task;
    atomic_bool under_way;
};

static bool heartbeat_run(struct task *task, struct store_session *session) {
    (void)task, (void)session;
    return true;
}

static void heartbeat_done(struct task *task, enum task_outcome outcome) {
    if (outcome != TASK_REFUSED)
        notify("WATCHDOG=1");
    atomic_store(&((struct heartbeat *)task)->under_way, false);
}

static void feed_watchdog(struct service *service) {
    static struct heartbeat heartbeat = {.task = {.run = heartbeat_run, .done = heartbeat_done}};
    if (!atomic_exchange(&heartbeat.under_way, true))
        writer_post(service->writer, &heartbeat.task);
}

/* The database is not where it was. There is nothing to finish: what is written now, no next start
 * would find, and a close in good order would write into, or delete, what stands in its place. */
static void leave_lost(const struct store *store) {
    char quoted[600];
    log_line(LOG_ERROR, "exiting without the database", "status=%d why=%s",
             STORE_EXIT_STATUS, log_quote(store_loss(store), quoted, sizeof quoted));
    _exit(STORE_EXIT_STATUS);
}

static void wait_lost(const sigset_t *signals, struct service *service) {
    const struct timespec patience = {.tv_sec = LOST_SECONDS};
    notify("STOPPING=1\nSTATUS=the database is gone");
    workers_halt(service->workers);
    sigtimedwait(signals, NULL, &patience);
    leave_lost(service->store);
}

/* Until SIGTERM or SIGINT. Does not return when the database is gone. */
static void wait_for_signal(const sigset_t *signals, struct service *service, struct auth *auth) {
    const double period = 1e-6 * (double)notify_watchdog_us() / 2;
    const double shortest = period > 0 && period < LOOK_SECONDS ? period : LOOK_SECONDS;
    const struct timespec patience = {.tv_sec = (time_t)shortest,
                                      .tv_nsec = (long)(1e9 * (shortest - floor(shortest)))};
    double fed = clock_monotonic();
    int number;
    do {
        number = sigtimedwait(signals, NULL, &patience);
        if (number == SIGHUP)
            reload_keys(auth);
        if (!store_is_there(service->store))
            wait_lost(signals, service);
        if (period > 0 && clock_monotonic() - fed >= period) {
            fed = clock_monotonic();
            feed_watchdog(service);
        }
    } while (number < 0 || number == SIGHUP);
    FAULT_POINT("stop.signalled");
    notify("STOPPING=1\nSTATUS=stopping");
    log_line(LOG_INFO, "stopping", "signal=%s", strsignal(number));
    pthread_t watchdog;
    if (pthread_create(&watchdog, NULL, leave_late, NULL) == 0)
        pthread_detach(watchdog);
}

static struct http_server *listen_for(const struct config *config, const struct contract *contract,
                                      struct service *service, const struct front *front) {
    struct http_config http = {
        .socket = front->socket,
        .base_path = config->base_path,
        .allowed_hosts = config->allowed_hosts,
        .cors_origins = config->cors_origins,
        .trusted_proxies = config->trusted_proxies,
        .auth = front->auth,
        .tls = front->tls,
        .max_connections = front->connections,
        .max_connections_per_ip = config->max_connections_per_ip,
        .requests_per_minute = config->requests_per_minute,
        .send_timeout = config->send_timeout,
        .routes = contract->routes,
        .route_count = contract->route_count,
        .service = service,
        .max_upload = (size_t)config->max_upload << 20,
        .max_body_memory = (size_t)config->max_body_memory << 20,
        .max_answer_memory = (size_t)config->max_answer_memory << 20,
        .problem = contract->problem,
        .counts = &service->counts,
        .writer = {writer_post, service->writer},
        .pool = {pool_post, service->pool},
        .watch = {watch_post, service->watch},
        .pieces = {pool_post_piece, service->pool},
    };
    char error[512];
    struct http_server *server = http_start(&http, error, sizeof error);
    if (!server)
        complain(error);
    return server;
}

static void announce(const struct config *config, int port) {
    const bool is_ipv6 = strchr(config->host, ':') != NULL;
    char address[512], status[600];
    snprintf(address, sizeof address, "listening on %s://%s%s%s:%d%s",
             config->tls_cert ? "https" : "http", is_ipv6 ? "[" : "", config->host,
             is_ipv6 ? "]" : "", port, config->base_path ? config->base_path : "");
    char line[600];
    snprintf(line, sizeof line, "%s\n", address);
    if (!log_out_within(STDOUT_FILENO, line, strlen(line), 1000))
        log_line(LOG_WARN, "nobody reads standard output", NULL);
    snprintf(status, sizeof status, "READY=1\nSTATUS=%s", address);
    notify(status);
    if (isatty(STDOUT_FILENO)) {
        static const char hint[] = "open it in a browser; Ctrl-C stops the server\n";
        log_out_within(STDOUT_FILENO, hint, sizeof hint - 1, 1000);
    }
}

/* From the ready line to the signal. */
static int run(const struct config *config, const struct contract *contract,
               struct service *service, const struct front *front, const sigset_t *signals) {
    struct http_server *server = listen_for(config, contract, service, front);
    if (!server)
        return 1;
    atomic_store(&service->ready, true);
    announce(config, http_port(server));
    wait_for_signal(signals, service, front->auth);
    atomic_store(&service->ready, false);
    http_stop(server, GRACE_MS);
    FAULT_POINT("stop.http_stopped");
    return 0;
}

/* On the writer's thread. */
static void committed(void *self) {
    struct service *service = self;
    events_committed(service->events);
    watch_committed(service->watch);
}

static struct workers *start_workers(const struct config *config, const struct contract *contract,
                                     const struct service *service) {
    struct workers_config workers = {.store = service->store,
                                     .writer = service->writer,
                                     .load = contract->load,
                                     .conclude = contract->conclude,
                                     .count = config->workers,
                                     .checkpoint_seconds = config->checkpoint_seconds,
                                     .max_memory = service->max_training_memory};
    return workers_start(&workers);
}

static int run_with_janitor(const struct config *config, const struct contract *contract,
                            struct service *service, const struct front *front,
                            const sigset_t *signals) {
    const struct janitor_config rules = {.writer = service->writer,
                                         .keep_events_days = config->keep_events_days,
                                         .keep_jobs_days = config->keep_jobs_days};
    struct janitor *janitor = janitor_start(&rules);
    if (!janitor)
        return complain("cannot start the threads");
    int status = run(config, contract, service, front, signals);
    janitor_stop(janitor);
    return status;
}

/* Before the sandbox closes /proc and /sys. */
static int64_t training_memory(const struct config *config) {
    const int64_t memory = memory_limit_here();
    const int64_t budget = config->max_training_memory > 0
                               ? (int64_t)config->max_training_memory << 20
                               : memory / 100 * TRAINING_PERCENT;
    log_line(LOG_INFO, "memory", "mib=%lld max_training_mib=%lld", (long long)(memory >> 20),
             (long long)(budget >> 20));
    if (budget > memory)
        log_line(LOG_WARN,
                 "training may use more memory than this machine has; see --max-training-memory",
                 NULL);
    return budget;
}

static int start_threads_and_run(const struct config *config, const struct contract *contract,
                                 struct store *store, int64_t memory, const struct front *front,
                                 const sigset_t *signals) {
    struct service service = {.store = store,
                              .max_training_memory = memory,
                              .max_queued = config->max_queued,
                              .max_sample_cost = config->max_sample_cost,
                              .max_database = (int64_t)config->max_database << 20,
                              .started_at = clock_now_ms()};
    int status = 1;
    service.writer = writer_start(store);
    if (service.writer)
        service.events = events_start(store, contract->event_data);
    if (service.events)
        service.pool = pool_start(config->samplers, WAITING_SAMPLES);
    if (service.pool)
        service.answers = answers_new();
    if (service.answers)
        service.models = model_cache_new((size_t)config->model_cache << 20);
    if (service.models)
        service.watch = watch_start(MOST_WAITING);
    if (service.watch) {
        writer_tell(service.writer, committed, &service);
        service.workers = start_workers(config, contract, &service);
    }
    if (service.workers)
        status = run_with_janitor(config, contract, &service, front, signals);
    else
        complain("cannot start the threads");
    if (service.writer)
        writer_hurry(service.writer);
    if (service.workers)
        workers_stop(service.workers);
    FAULT_POINT("stop.workers_stopped");
    if (service.pool)
        pool_stop(service.pool);
    model_cache_free(service.models);
    if (service.answers)
        answers_free(service.answers);
    if (service.writer)
        writer_stop(service.writer);
    if (service.watch) /* these two only now: the writer tells them what it commits */
        watch_stop(service.watch);
    if (service.events)
        events_stop(service.events);
    return status;
}

static void set_up_log(const struct config *config) {
    for (int i = 0; log_level_names[i]; i++)
        if (strcmp(log_level_names[i], config->log_level) == 0)
            log_set_level((enum log_level)i);
    for (int i = 0; log_format_names[i]; i++)
        if (strcmp(log_format_names[i], config->log_format) == 0)
            log_set_format((enum log_format)i);
}

/* Blocked before any thread starts, so that only sigtimedwait gets them. */
static void block_signals(sigset_t *signals) {
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
}

/* Before any thread starts. The keys may be read again, at SIGHUP. */
static void close_in(const struct config *config, const struct store *store) {
    if (strcmp(config->sandbox, "off") == 0) {
        log_line(LOG_INFO, "sandbox off", NULL);
        return;
    }
    const struct sandbox sandbox = sandbox_enter(&(struct sandbox_files){
        .database = store_path(store),
        .read = {config->api_keys, config->tls_cert, config->tls_key},
    });
    log_line(LOG_INFO, "sandbox", "landlock=%d seccomp=%s core_dumps=%s", sandbox.landlock,
             sandbox.filter ? "on" : "none", sandbox.no_core ? "off" : "on");
}

static int open_store_and_run(const struct config *config, const struct contract *contract,
                              const struct front *front, const sigset_t *signals) {
    char error[512];
    struct store *store = store_open(config->database, error, sizeof error);
    if (!store)
        return complain(error);
    log_line(LOG_INFO, "starting", "version=%s kernels=%s cores=%d keys=%d", denoised_version,
             dn_kernels_name(), cores_here(), front->auth ? auth_count(front->auth) : 0);
    const int64_t memory = training_memory(config);
    close_in(config, store);
    log_start_thread(); /* within the sandbox */
    int status = 1;
    if (!counters_start(contract->route_count))
        complain("out of memory");
    else if (store_limit(store_writer(store), (int64_t)config->max_database << 20) != STORE_OK)
        complain("cannot limit the database");
    else if (!upgrade_jobs(store, contract->memory) || !recover(store, memory) ||
             !upgrade_models(store))
        complain("cannot recover the jobs of the last run");
    else
        status = start_threads_and_run(config, contract, store, memory, front, signals);
    counters_stop();
    if (!store_is_there(store))
        leave_lost(store);
    store_close(store);
    return status;
}

static bool open_front(struct front *front, const struct config *config, char *error,
                       size_t error_size) {
    *front = (struct front){0};
    if (!http_socket_bind(&front->socket, config->host, config->port, error, error_size))
        return false;
    front->connections =
        limits_connections(config->max_connections, config->workers + config->samplers);
    if (!front->socket.is_loopback && !config->api_keys && !config->anonymous)
        snprintf(error, error_size,
                 "%s can be reached from other machines, so anybody there could use the server: "
                 "create a key with \"denoised key NAME >> FILE\" and start with --api-keys FILE, "
                 "or start with --anonymous to allow everybody",
                 config->host);
    else if (front->connections == 0)
        snprintf(
            error, error_size,
            "the limit of open files is too low for even one connection: raise it (ulimit -Hn)");
    else if (http_tls_load(&front->tls, config->tls_cert, config->tls_key, error, error_size)) {
        if (!config->api_keys)
            return true;
        front->auth = auth_open(config->api_keys, error, error_size);
        if (front->auth)
            return true;
    }
    http_tls_clear(&front->tls);
    close(front->socket.fd);
    return false;
}

static void warn(const char *text) {
    char quoted[600];
    log_line(LOG_WARN, "an environment variable is ignored", "detail=%s",
             log_quote(text, quoted, sizeof quoted));
}

int serve(const struct config *config, const struct contract *contract) {
    set_up_log(config);
    log_never_wait();
    memory_set_up();
    umask(077); /* what is in the database is nobody else's business */
    config_look_around(warn);
    struct dn_error kernels;
    if (strcmp(config->simd, "auto") != 0 && dn_kernels_use(config->simd, &kernels) != DN_OK)
        return complain(kernels.text);
    if (config->max_database > 0 && config->max_database < LEAST_DATABASE)
        return complain("--max-database must be 0 or at least 16 (MiB)");
    sigset_t signals;
    block_signals(&signals);
    char error[512];
    struct front front;
    if (!open_front(&front, config, error, sizeof error))
        return complain(error);
    int status = open_store_and_run(config, contract, &front, &signals);
    auth_close(front.auth);
    if (status == 0)
        log_line(LOG_INFO, "stopped", NULL);
    return status;
}
