#include "server/serve.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/counters.h"
#include "server/base/fault.h"
#include "server/base/log.h"
#include "server/base/log_out.h"
#include "server/base/machine.h"
#include "server/janitor.h"
#include "server/limits.h"
#include "server/nodes.h"
#include "server/notify.h"
#include "server/sandbox.h"
#include "server/service.h"
#include "server/store/migrations.h"
#include "server/store/nodes.h"
#include "server/version.h"

enum {
    GRACE_MS = 2000,       /* for requests in flight at the stop */
    LOOK_SECONDS = 1,      /* between two checks of where the database is */
    LOST_SECONDS = 2,      /* for probes to see that it is gone */
    STOP_MS = 4800,        /* then the process exits, whatever still runs */
    WAITING_SAMPLES = 256, /* sample requests that may wait for a thread */
    TRAINING_PERCENT = 60, /* the share of the memory, unless --max-training-memory is set */
    MAX_WAITING = 512,     /* requests that wait for news of a job */
    MIN_DATABASE = 16,     /* MiB */
    HOST_BYTES = 256,      /* of a name in the network */
    USUAL_CONNECTIONS_PER_IP = 512,
};

/* Everything that runs, and what it was started with. */
struct process {
    const struct config *config;
    const struct contract *contract;
    sigset_t signals;  /* that stop the process, or reload its keys */
    struct auth *auth; /* NULL: everybody may do everything */
    struct http_socket socket;
    struct http_tls tls;
    int connections; /* at most */
    struct offers offers;
    struct node node; /* this process, */
    char name[HOST_BYTES + 8];
    struct nodes *nodes; /* and its place among others; NULL if the database is not shared */
    struct service service;
    atomic_bool is_outdated; /* the database is for newer programs now */
    struct janitor *janitor;
    struct http_server *http;
    char error[512]; /* why a part did not start, if known */
    int status;      /* of the exit then */
};

static int fail_to_start(const char *message) {
    char text[700];
    snprintf(text, sizeof text, "denoised: %s", message);
    log_text(text);
    return 1;
}

/* Its name says where it listens, for people who look for it: several may be on one machine. */
static void describe_node(struct process *process) {
    char host[HOST_BYTES];
    if (gethostname(host, sizeof host) != 0)
        snprintf(host, sizeof host, "localhost");
    host[sizeof host - 1] = '\0';
    snprintf(process->name, sizeof process->name, "%s:%d", host, process->socket.port);
    struct node *node = &process->node;
    *node = (struct node){.name = process->name,
                          .version = (char *)denoised_version,
                          .offers = process->offers.count,
                          .workers = process->config->workers,
                          .started_at = process->service.started_at};
    for (int i = 0; i < node->offers; i++)
        node->arithmetic[i] = process->offers.each[i].arithmetic;
    memcpy(node->id, store_boot(process->service.store), sizeof node->id);
}

/* A database of its own has the jobs that the last run was training; on a shared one, other nodes
 * may be training them. */
static enum store_status join(struct process *process, struct store_session *session,
                              int *requeued) {
    const bool is_shared = store_is_shared(process->service.store);
    const int64_t lease = is_shared ? 1000LL * process->config->node_lease : 0;
    const enum store_status status = store_node_join(session, &process->node, lease);
    struct takeover takeover = {.now = clock_now_ms()};
    if (status == STORE_OK && is_shared) { /* buries nobody: frees what a copy has left */
        const enum store_status freed = store_take_over(session, INT64_MAX / 2, &takeover);
        *requeued = takeover.requeued;
        return freed;
    }
    if (status != STORE_OK)
        return status;
    return store_recover(session, process->service.max_training_memory, clock_now_ms(), requeued);
}

static bool recover(struct process *process) {
    struct store *store = process->service.store;
    struct store_session *session = store_writer(store);
    describe_node(process);
    int requeued = 0;
    int64_t waiting = 0;
    if (store_begin(session) != STORE_OK)
        return false;
    if (join(process, session, &requeued) != STORE_OK ||
        store_count_waiting(session, &waiting) != STORE_OK) {
        store_abort(session);
        return false;
    }
    if (requeued > 0)
        log_line(LOG_INFO, "resuming the jobs of the last run", "jobs=%d", requeued);
    if (waiting > 0)
        log_line(LOG_WARN, "jobs wait for arithmetic that this server does not offer; see --simd",
                 "jobs=%lld", (long long)waiting);
    FAULT_POINT("recover.before_commit");
    if (store_commit(session) != STORE_OK)
        return false;
    FAULT_POINT("recover.committed");
    return true;
}

/* The last checkpoint can take too long on a slow disk. Everything acknowledged is on the disk by
 * then, and the job resumes from the checkpoint before, so exiting is safe; but the steps since
 * then are lost, and the exit status says so. */
static void *exit_when_late(void *unused) {
    (void)unused;
    usleep(STOP_MS * 1000);
    log_line(LOG_WARN, "not everything stopped in time; exiting", "status=%d", EXIT_FAILURE);
    log_flush();
    _exit(EXIT_FAILURE);
}

static void reload_keys(struct auth *auth) {
    char error[512];
    if (!auth)
        log_line(LOG_INFO, "there is no file of API keys to reload", NULL);
    else if (auth_reload(auth, error, sizeof error))
        log_line(LOG_INFO, "API keys reloaded", "keys=%d", auth_count(auth));
    else
        log_line(LOG_ERROR, "API keys not reloaded; the old ones stay valid", "detail=%s", error);
}

/* The writer is healthy if it processes its queue, whether or not the disk accepts writes: a
 * restart would repair the former but not the latter. The thread that waits for signals does not
 * wait for the writer: it posts an empty task, which pings the watchdog when it is done. */
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

static void ping_watchdog(struct writer *writer) {
    static struct heartbeat heartbeat = {
        .task = {.run = heartbeat_run, .done = heartbeat_done, .makes_no_events = true}};
    if (!atomic_exchange(&heartbeat.under_way, true))
        writer_post(writer, &heartbeat.task);
}

/* The database is not where it was. There is nothing to finish: the next start would not find what
 * is written now, and an orderly close would write to, or delete, whatever took its place. */
static void exit_lost(const struct store *store) {
    log_line(LOG_ERROR, "exiting without the database", "status=%d why=%s", STORE_EXIT_STATUS,
             store_loss(store));
    _exit(STORE_EXIT_STATUS);
}

static void wait_lost(struct process *process) {
    const struct timespec patience = {.tv_sec = LOST_SECONDS};
    notify("STOPPING=1\nSTATUS=the database is gone");
    workers_halt(process->service.workers);
    sigtimedwait(&process->signals, NULL, &patience);
    exit_lost(process->service.store);
}

/* Waits for SIGTERM or SIGINT, or until the program is too old. Does not return when the database is
 * gone. */
static void wait_for_signal(struct process *process) {
    const double period = 1e-6 * (double)notify_watchdog_us() / 2;
    const double shortest = period > 0 && period < LOOK_SECONDS ? period : LOOK_SECONDS;
    const struct timespec patience = {.tv_sec = (time_t)shortest,
                                      .tv_nsec = (long)(1e9 * (shortest - floor(shortest)))};
    double pinged = clock_monotonic();
    int number;
    do {
        number = sigtimedwait(&process->signals, NULL, &patience);
        if (number == SIGHUP)
            reload_keys(process->auth);
        if (!store_is_there(process->service.store))
            wait_lost(process);
        if (period > 0 && clock_monotonic() - pinged >= period) {
            pinged = clock_monotonic();
            ping_watchdog(process->service.writer);
        }
    } while ((number < 0 || number == SIGHUP) && !atomic_load(&process->is_outdated));
    FAULT_POINT("stop.signalled");
    notify("STOPPING=1\nSTATUS=stopping");
    if (atomic_load(&process->is_outdated))
        log_line(LOG_WARN, "stopping: the database is for newer versions of this program now",
                 NULL);
    else
        log_line(LOG_INFO, "stopping", "signal=%s", strsignal(number));
    pthread_t watchdog;
    if (pthread_create(&watchdog, NULL, exit_when_late, NULL) == 0)
        pthread_detach(watchdog);
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

/* Blocks the signals before any thread starts, so that only sigtimedwait gets them. */
static void block_signals(sigset_t *signals) {
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
}

/* ------------------------------------------------------------------ start and stop */

/* Before the database is touched, so that a start that fails here leaves nothing behind. */
static bool open_front(struct process *process) {
    const struct config *config = process->config;
    char *error = process->error;
    const size_t size = sizeof process->error;
    if (!http_socket_bind(&process->socket, config->host, config->port, error, size))
        return false;
    process->connections =
        limits_connections(config->max_connections, config->workers + config->samplers,
                           config_has_server(config) ? config->database_connections : 0);
    if (!process->socket.is_loopback && !config->api_keys && !config->anonymous)
        snprintf(error, size,
                 "%s can be reached from other machines, so anybody there could use the server: "
                 "create a key with \"denoised key NAME >> FILE\" and start with --api-keys FILE, "
                 "or start with --anonymous to allow everybody",
                 config->host);
    else if (process->connections == 0)
        snprintf(
            error, size,
            "the limit of open files is too low for even one connection: raise it (ulimit -Hn)");
    else if (http_tls_load(&process->tls, config->tls_cert, config->tls_key, error, size)) {
        if (!config->api_keys)
            return true;
        process->auth = auth_open(config->api_keys, error, size);
        return process->auth != NULL;
    }
    return false;
}

static bool open_store(struct process *process) {
    char *error = process->error;
    const size_t size = sizeof process->error;
    struct store *store = process->service.store =
        store_open_pooled(process->config->database, process->config->database_listen, error, size);
    if (!store)
        return false;
    process->service.started_at = clock_now_ms(); /* by the clock of the database */
    store_limit_connections(store, process->config->database_connections);
    if (!store_schema_fits(store, error, size)) {
        process->status = STORE_EXIT_SCHEMA;
        return false;
    }
    log_line(LOG_INFO, "starting", "version=%s kernels=%s cores=%d keys=%d database=\"%s\"",
             denoised_version, dn_kernels_name(), machine_cores(),
             process->auth ? auth_count(process->auth) : 0, store_path(store));
    return true;
}

static int64_t training_memory(const struct config *config) {
    const int64_t memory = machine_memory();
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

static void confine(const struct config *config, const struct store *store) {
    if (config->sandbox == CONFIG_SANDBOX_OFF) {
        log_line(LOG_INFO, "sandbox off", NULL);
        return;
    }
    const struct store_reach reach = store_reach(store);
    struct sandbox_files files = {
        .database = reach.file,
        .read = {config->api_keys, config->tls_cert, config->tls_key},
    };
    _Static_assert((int)SANDBOX_PATHS >= 3 + (int)STORE_REACH_FILES, "room for both");
    _Static_assert((int)SANDBOX_PORTS == (int)STORE_REACH_PORTS, "room for all");
    memcpy(files.read + 3, reach.read, sizeof reach.read);
    memcpy(files.connect, reach.ports, sizeof reach.ports);
    const struct sandbox sandbox = sandbox_enter(&files);
    log_line(LOG_INFO, "sandbox", "landlock=%d seccomp=%s core_dumps=%s", sandbox.landlock,
             sandbox.filter ? "on" : "none", sandbox.no_core ? "off" : "on");
}

/* Before any thread starts. The sandbox blocks /proc and /sys, which say how much memory exists. */
static bool enter_sandbox(struct process *process) {
    process->service.max_training_memory = training_memory(process->config);
    confine(process->config, process->service.store);
    log_start_thread();
    return store_keep_contact(process->service.store);
}

/* Recovers what the last run left, before the writer has a thread. */
static bool prepare_store(struct process *process) {
    struct store *store = process->service.store;
    const char *failed = NULL;
    if (store_limit(store_writer(store), process->service.max_database) != STORE_OK)
        failed = "cannot limit the database";
    else if (!recover(process))
        failed = store_is_shared(store) ? "cannot join the servers of the database, see above"
                                        : "cannot recover the jobs of the last run";
    if (failed)
        snprintf(process->error, sizeof process->error, "%s", failed);
    return !failed;
}

static void committed(void *self) {
    events_committed(((struct service *)self)->events);
}

static struct workers *start_workers(const struct process *process) {
    return workers_start(
        &(struct workers_config){.store = process->service.store,
                                 .writer = process->service.writer,
                                 .load = process->contract->load,
                                 .conclude = process->contract->conclude,
                                 .offers = &process->offers,
                                 .count = process->config->workers,
                                 .checkpoint_seconds = process->config->checkpoint_seconds,
                                 .max_memory = process->service.max_training_memory});
}

static void queued(void *self) {
    workers_call(((struct service *)self)->workers);
}

static bool is_idle(void *self) {
    return workers_are_idle(((struct service *)self)->workers);
}

static int64_t room(void *self) {
    return workers_room(((struct service *)self)->workers);
}

static void freed(void *self) {
    struct service *service = self;
    workers_wake(service->workers);
    events_committed(service->events);
}

static void outdated(void *self) {
    struct service *service = self;
    struct process *process =
        (struct process *)((char *)service - offsetof(struct process, service));
    atomic_store(&process->is_outdated, true);
}

static bool start_nodes(struct process *process) {
    struct service *service = &process->service;
    if (!store_is_shared(service->store))
        return true;
    process->nodes = nodes_start(&(struct nodes_config){.store = service->store,
                                                        .self = &process->node,
                                                        .lease = process->config->node_lease,
                                                        .queued = queued,
                                                        .room = room,
                                                        .freed = freed,
                                                        .outdated = outdated,
                                                        .listener = service});
    if (!process->nodes)
        snprintf(process->error, sizeof process->error,
                 "cannot keep a lease in the database, see above, or no memory or thread is left");
    if (!process->nodes)
        return false;
    events_on_queued(
        service->events,
        (struct events_queue){.is_awaited = is_idle, .queued = queued, .listener = service});
    service->peers = peers_start(&(struct peers_config){
        .store = service->store, .events = service->events, .workers = service->workers});
    return service->peers != NULL;
}

/* No other node is heard any more. */
static void stop_hearing(struct service *service) {
    if (service->events)
        events_on_queued(service->events, (struct events_queue){0});
    if (service->peers)
        peers_stop(service->peers);
    service->peers = NULL;
}

/* A proxy that is trusted has connections of many clients. */
static int connections_per_ip(const struct process *process) {
    const struct config *config = process->config;
    return config->max_connections_per_ip ? config->max_connections_per_ip
           : config->trusted_proxies      ? process->connections
                                          : USUAL_CONNECTIONS_PER_IP;
}

static struct http_server *start_http(struct process *process) {
    const struct config *config = process->config;
    const struct contract *contract = process->contract;
    struct service *service = &process->service;
    struct http_config http = {
        .socket = process->socket,
        .base_path = config->base_path,
        .allowed_hosts = config->allowed_hosts,
        .cors_origins = config->cors_origins,
        .trusted_proxies = config->trusted_proxies,
        .auth = process->auth,
        .tls = process->tls,
        .max_connections = process->connections,
        .max_connections_per_ip = connections_per_ip(process),
        .requests_per_minute = config->requests_per_minute,
        .send_timeout = config->send_timeout,
        .routes = contract->routes,
        .route_count = contract->route_count,
        .service = service,
        .waits = store_is_shared(process->service.store),
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
    process->tls = (struct http_tls){0}; /* taken over */
    return http_start(&http, process->error, sizeof process->error);
}

/* In this order, because each part uses those above it: the writer reports commits to the events,
 * and these their news to the watch; the workers and the pool write. */
static bool start(struct process *process) {
    const struct config *config = process->config;
    struct service *service = &process->service;
    return open_front(process) && open_store(process) && enter_sandbox(process) &&
           counters_start(process->contract->route_count) && prepare_store(process) &&
           (service->watch = watch_start(MAX_WAITING, WATCH_FLOOR_SECONDS)) &&
           (service->events =
                events_start(service->store, service->watch, process->contract->event_data)) &&
           (service->writer = writer_start(service->store, committed, service)) &&
           (service->replies = reply_cache_new()) &&
           (service->models = model_cache_new((size_t)config->model_cache << 20)) &&
           (service->pool = pool_start(config->samplers, WAITING_SAMPLES)) &&
           (service->workers = start_workers(process)) && start_nodes(process) &&
           (process->janitor = janitor_start(service->store, service->writer,
                                             config->keep_events_days, config->keep_jobs_days)) &&
           (process->http = start_http(process));
}

/* Stops everything, or as much as was started, in the reverse order. */
static void stop(struct process *process) {
    struct service *service = &process->service;
    if (process->nodes)
        nodes_drain(process->nodes);
    if (service->workers)
        workers_halt(service->workers);
    if (process->http)
        http_stop(process->http, GRACE_MS);
    FAULT_POINT("stop.http_stopped");
    if (process->janitor)
        janitor_stop(process->janitor);
    stop_hearing(service);
    if (service->writer)
        writer_hurry(service->writer);
    if (service->workers)
        workers_stop(service->workers);
    FAULT_POINT("stop.workers_stopped");
    if (service->pool)
        pool_stop(service->pool);
    model_cache_free(service->models);
    reply_cache_free(service->replies);
    if (service->writer)
        writer_stop(service->writer);
    if (process->nodes)
        nodes_stop(process->nodes);
    if (service->events)
        events_stop(service->events);
    if (service->watch)
        watch_stop(service->watch);
    counters_stop();
    if (service->store && !store_is_there(service->store))
        exit_lost(service->store);
    if (service->store)
        store_close(service->store);
    http_tls_clear(&process->tls);
    auth_close(process->auth);
}

int serve(const struct config *config, const struct contract *contract) {
    log_set_level(config->log_level);
    log_set_format(config->log_format);
    log_never_wait();
    machine_set_up_memory();
    umask(077); /* the database is private */
    config_look_around();
    struct dn_error kernels;
    const char *simd = strcmp(config->simd, "auto") == 0 ? NULL : config->simd;
    if (simd && dn_kernels_use(simd, &kernels) != DN_OK)
        return fail_to_start(kernels.text);
    if (config->max_database > 0 && config->max_database < MIN_DATABASE)
        return fail_to_start("--max-database must be 0 or at least 16 (MiB)");
    struct process process = {.config = config,
                              .contract = contract,
                              .status = EXIT_FAILURE,
                              .service = {.max_queued = config->max_queued,
                                          .max_sample_cost = config->max_sample_cost,
                                          .max_database = (int64_t)config->max_database << 20}};
    offers_make(&process.offers, simd);
    block_signals(&process.signals);
    const bool is_started = start(&process);
    if (is_started) {
        atomic_store(&process.service.ready, true);
        announce(config, process.socket.port);
        wait_for_signal(&process);
        atomic_store(&process.service.ready, false);
    } else {
        fail_to_start(process.error[0] ? process.error
                                       : "no memory or thread is left, or the database failed");
    }
    stop(&process);
    if (is_started)
        log_line(LOG_INFO, "stopped", NULL);
    return is_started ? 0 : process.status;
}
