/* /metrics: the text format of Prometheus, version 0.0.4. Names contain the base unit; labels have
 * few values: a route is its template, without ids. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "api/api.h"
#include "api/contract/handlers.h"
#include "server/base/counters.h"
#include "server/base/log.h"
#include "server/store/nodes.h"
#include "server/version.h"

static void head(struct buffer *out, const char *name, const char *type, const char *help) {
    buffer_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void gauge(struct buffer *out, const char *name, const char *help, double value) {
    head(out, name, "gauge", help);
    buffer_format(out, "%s %.16g\n", name, value);
}

/* What the nodes of a database share, and each of them reports: a sum would count it several times. */
#define SHARED " The same from each node of a database: aggregate with max, not sum."

static void counter(struct buffer *out, const char *name, const char *help, double value) {
    head(out, name, "counter", help);
    buffer_format(out, "%s %.16g\n", name, value);
}

/* labels: "" or `{route="/v1/jobs"}`. */
static void histogram_lines(struct buffer *out, const char *name, const char *labels,
                            const struct histogram *histogram,
                            const double bounds[COUNTERS_BOUNDS]) {
    const int length = labels[0] ? (int)strlen(labels) - 1 : 0; /* without the closing brace */
    unsigned long long below = 0;
    for (int i = 0; i <= COUNTERS_BOUNDS; i++) {
        below += atomic_load(&histogram->counts[i]);
        buffer_format(out, "%s_bucket%.*s%cle=\"", name, length, labels, length ? ',' : '{');
        if (i < COUNTERS_BOUNDS)
            buffer_format(out, "%g", bounds[i]);
        else
            buffer_text(out, "+Inf");
        buffer_format(out, "\"} %llu\n", below);
    }
    buffer_format(out, "%s_sum%s %.9f\n", name, labels,
                  1e-9 * (double)atomic_load(&histogram->nanoseconds));
    buffer_format(out, "%s_count%s %llu\n", name, labels, below);
}

static void histogram(struct buffer *out, const char *name, const char *help,
                      const struct histogram *values, const double bounds[COUNTERS_BOUNDS]) {
    head(out, name, "histogram", help);
    histogram_lines(out, name, "", values, bounds);
}

static bool was_used(const struct histogram *values) {
    for (int i = 0; i <= COUNTERS_BOUNDS; i++)
        if (atomic_load(&values->counts[i]) > 0)
            return true;
    return false;
}

/* ------------------------------------------------------------------ requests */

static void write_request_counts(struct buffer *out, const struct counters *counters) {
    static const char name[] = "denoised_http_requests_total";
    head(out, name, "counter", "Answered requests.");
    for (size_t i = 0; i <= counters->route_count; i++)
        for (int j = 0; j < COUNTERS_STATUSES; j++) {
            unsigned long long count = atomic_load(&counters->routes[i].by_status[j]);
            const bool has_route = i < counters->route_count;
            if (count > 0)
                buffer_format(out, "%s{method=\"%s\",route=\"%s\",code=\"%d\"} %llu\n", name,
                              has_route ? api_routes[i].method : "other",
                              has_route ? api_routes[i].path : "none", counters_statuses[j], count);
        }
}

static void write_request_durations(struct buffer *out, const struct counters *counters) {
    static const char name[] = "denoised_http_request_duration_seconds";
    head(out, name, "histogram", "Time from the headers of a request to the end of its response.");
    for (size_t i = 0; i <= counters->route_count; i++) {
        const struct histogram *duration = &counters->routes[i].duration;
        const bool has_route = i < counters->route_count;
        char labels[160];
        snprintf(labels, sizeof labels, "{method=\"%s\",route=\"%s\"}",
                 has_route ? api_routes[i].method : "other",
                 has_route ? api_routes[i].path : "none");
        if (was_used(duration))
            histogram_lines(out, name, labels, duration, counters_fast);
    }
}

static void write_http(struct buffer *out, struct service *service) {
    const struct counters *counters = counters_get();
    write_request_counts(out, counters);
    write_request_durations(out, counters);
    gauge(out, "denoised_http_requests_in_flight", "Requests being processed.",
          atomic_load(&service->counts.in_flight));
    gauge(out, "denoised_http_streams", "Responses being streamed.",
          atomic_load(&service->counts.streams));
    gauge(out, "denoised_http_body_bytes",
          "Memory of request bodies that counts toward --max-body-memory: all but their first 64 "
          "KiB.",
          (double)atomic_load(&service->counts.body_bytes));
    gauge(out, "denoised_http_answer_bytes",
          "Memory of responses that counts toward --max-answer-memory: all but their first 64 KiB.",
          (double)atomic_load(&service->counts.answer_bytes));
    gauge(out, "denoised_http_body_limit_bytes", "Limit set by --max-body-memory.",
          (double)service->counts.body_limit);
    gauge(out, "denoised_http_answer_limit_bytes", "Limit set by --max-answer-memory.",
          (double)service->counts.answer_limit);
    counter(out, "denoised_http_clients_gone_total",
            "Clients that disconnected before they had their response.",
            (double)atomic_load(&service->counts.gone));
    counter(out, "denoised_wait_looks_total",
            "Times that requests waiting for a job have read it from the database.",
            (double)atomic_load(&counters->looks));
    gauge(out, "denoised_sse_connections", "Open streams of server-sent events.",
          events_streams(service->events));
}

/* ------------------------------------------------------------------ work */

static void write_training(struct buffer *out, const struct counters *counters) {
    head(out, "denoised_jobs_finished_total", "counter", "Jobs that have ended.");
    for (int i = 0; i < COUNTERS_ENDINGS; i++)
        buffer_format(out, "denoised_jobs_finished_total{status=\"%s\"} %llu\n",
                      counters_endings[i], atomic_load(&counters->finished[i]));
    histogram(out, "denoised_queue_wait_seconds",
              "Time from the creation of a job to its first start.", &counters->queue_wait,
              counters_slow);
    counter(out, "denoised_training_steps_total", "Optimizer steps.",
            (double)atomic_load(&counters->steps));
    counter(out, "denoised_training_examples_total", "Training points processed.",
            (double)atomic_load(&counters->examples));
    histogram(out, "denoised_training_step_duration_seconds",
              "Duration of a training step, averaged over slices of at most 50 ms.",
              &counters->step, counters_fast);
}

static void write_sampling(struct buffer *out, const struct counters *counters) {
    static const char name[] = "denoised_sampling_duration_seconds";
    head(out, "denoised_sampled_points_total", "counter", "Points drawn from models.");
    for (int i = 0; i < DN_SAMPLER_COUNT; i++)
        buffer_format(out, "denoised_sampled_points_total{sampler=\"%s\"} %llu\n",
                      dn_sampler_names[i], atomic_load(&counters->samplers[i].points));
    head(out, name, "histogram", "Computation time of one request for samples.");
    for (int i = 0; i < DN_SAMPLER_COUNT; i++) {
        char labels[64];
        snprintf(labels, sizeof labels, "{sampler=\"%s\"}", dn_sampler_names[i]);
        if (was_used(&counters->samplers[i].duration))
            histogram_lines(out, name, labels, &counters->samplers[i].duration, counters_fast);
    }
}

static void write_pool(struct buffer *out, struct pool *pool) {
    static const char waiting[] = "denoised_pool_waiting", turns[] = "denoised_pool_turns_total";
    static const char *const classes[TURN_CLASSES] = {"small", "large", "background"};
    const struct pool_counts counts = pool_count(pool);
    head(out, waiting, "gauge", "Computations that wait for a turn, to begin or to continue.");
    for (int i = 0; i < TURN_CLASSES; i++)
        buffer_format(out, "%s{class=\"%s\"} %d\n", waiting, classes[i], counts.waiting[i]);
    head(out, turns, "counter",
         "Turns given to computations; a turn takes about 20 ms while others wait.");
    for (int i = 0; i < TURN_CLASSES; i++)
        buffer_format(out, "%s{class=\"%s\"} %llu\n", turns, classes[i],
                      (unsigned long long)counts.turns[i]);
    gauge(out, "denoised_pool_at_work", "Computations that have a turn.", counts.at_work);
    gauge(out, "denoised_pool_limit",
          "Maximum number of computations that have a turn at the same time (--samplers).",
          counts.threads);
    gauge(out, "denoised_pool_begun", "Computations that have begun and hold memory.",
          counts.begun);
}

static void write_model_cache(struct buffer *out, struct model_cache *cache) {
    const struct model_cache_counts counts = model_cache_count(cache);
    gauge(out, "denoised_model_cache_bytes", "Memory of loaded models, limited by --model-cache.",
          (double)counts.bytes);
    gauge(out, "denoised_model_cache_limit_bytes", "Limit set by --model-cache.",
          (double)counts.limit);
    gauge(out, "denoised_model_cache_models", "Loaded models.", counts.models);
    gauge(out, "denoised_model_cache_models_in_use", "Models that requests are using.",
          counts.in_use);
    counter(out, "denoised_model_loads_total", "Models read from the database.",
            (double)counts.loads);
    counter(out, "denoised_model_cache_hits_total",
            "Requests that found their model already loaded.", (double)counts.hits);
}

static enum store_status write_jobs(struct buffer *out, struct store_session *session) {
    head(out, "denoised_jobs", "gauge", "Stored jobs by status." SHARED);
    for (int i = 0; i < JOB_STATUS_COUNT; i++) {
        int64_t count;
        enum store_status status = store_job_count(session, (enum job_status)i, &count);
        if (status != STORE_OK)
            return status;
        buffer_format(out, "denoised_jobs{status=\"%s\"} %lld\n", job_status_names[i],
                      (long long)count);
    }
    int64_t waiting;
    const enum store_status status = store_count_waiting(session, &waiting);
    if (status == STORE_OK)
        gauge(out, "denoised_jobs_waiting_for_kernels",
              "Queued jobs whose checkpoints no running server can continue." SHARED,
              (double)waiting);
    return status;
}

static enum store_status write_nodes(struct buffer *out, struct store_session *session) {
    int64_t count;
    const enum store_status status = store_node_count(session, &count);
    if (status == STORE_OK)
        gauge(out, "denoised_nodes", "Nodes that share the database." SHARED, (double)count);
    return status;
}

struct sizes {
    int64_t database, log;
};

static enum store_status write_sizes(struct buffer *out, const struct sizes *sizes,
                                     struct store_session *session) {
    int64_t used = 0;
    const enum store_status status = store_used(session, &used);
    gauge(out, "denoised_db_size_bytes", "Size of the database." SHARED, (double)sizes->database);
    gauge(out, "denoised_db_used_bytes",
          "Part of the database in use, limited by --max-database." SHARED, (double)used);
    gauge(out, "denoised_db_wal_bytes", "Size of the write-ahead log; 0 with PostgreSQL." SHARED,
          (double)sizes->log);
    return status;
}

/* What only the database knows: all of it, or nothing if it is away. */
static enum store_status write_database(struct buffer *out, const struct service *service) {
    struct buffer known = {0};
    struct sizes sizes;
    store_sizes(service->store, &sizes.database, &sizes.log); /* with a session of its own */
    struct store_session *session = store_acquire(service->store);
    enum store_status status =
        session ? write_jobs(&known, session) : store_why_none(service->store);
    if (status == STORE_OK)
        status = write_nodes(&known, session);
    if (status == STORE_OK)
        status = write_sizes(&known, &sizes, session);
    if (session)
        store_release(service->store, session);
    gauge(out, "denoised_database_up",
          "Can this node reach the database? While it cannot, what only the database knows is "
          "missing here.",
          status == STORE_OK);
    if (status == STORE_OK && known.failed)
        buffer_fail(out);
    else if (status == STORE_OK)
        buffer_append(out, known.data, known.length);
    buffer_clear(&known);
    return status == STORE_AWAY ? STORE_OK : status;
}

static void write_store(struct buffer *out, const struct service *service) {
    gauge(out, "denoised_db_limit_bytes", "Limit set by --max-database; 0: no limit." SHARED,
          (double)service->max_database);
    histogram(out, "denoised_db_transaction_duration_seconds",
              "Duration of a group of writes, including its commit.", &counters_get()->transaction,
              counters_fast);
    counter(out, "denoised_event_looks_late_total",
            "Looks for new events that found a transaction open for more than 2 s, for which they "
            "wait. 0 with SQLite.",
            (double)atomic_load(&counters_get()->late_looks));
    counter(out, "denoised_events_late_total",
            "Events that became visible after a later one was sent, so that streams have missed "
            "them: none, unless another program writes events. Each node counts what it has sent.",
            (double)atomic_load(&counters_get()->late_events));
}

/* ------------------------------------------------------------------ the process */

static long count_files(const char *directory) {
    DIR *files = opendir(directory);
    long count = 0;
    while (files && readdir(files))
        count++;
    if (files)
        closedir(files);
    return count - 3; /* ".", "..", and the directory itself, which is open */
}

/* The names that all Prometheus client libraries use. */
static void write_process(struct buffer *out, int64_t started_at) {
    struct timespec cpu;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    counter(out, "process_cpu_seconds_total", "User and system time.",
            (double)cpu.tv_sec + 1e-9 * (double)cpu.tv_nsec);
    long pages = 0, resident = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    const bool has_memory = statm && fscanf(statm, "%ld %ld", &pages, &resident) == 2;
    if (statm)
        fclose(statm);
    const double page = (double)sysconf(_SC_PAGESIZE);
    if (has_memory) {
        gauge(out, "process_virtual_memory_bytes", "Address space.", page * (double)pages);
        gauge(out, "process_resident_memory_bytes", "Memory in use.", page * (double)resident);
    }
    gauge(out, "process_open_fds", "Open file descriptors.", (double)count_files("/proc/self/fd"));
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        gauge(out, "process_max_fds", "Maximum number of open file descriptors.",
              (double)limit.rlim_cur);
    gauge(out, "process_start_time_seconds", "Start time of the process in seconds since 1970.",
          1e-3 * (double)started_at);
}

enum http_next api_metrics(struct http_exchange *exchange) {
    struct service *service = service_of(exchange);
    if (!no_query(exchange))
        return HTTP_REPLY;
    struct buffer *out = &exchange->response.body;
    head(out, "denoised_build_info", "gauge", "Version and build of the server.");
    buffer_format(out, "denoised_build_info{version=\"%s\",commit=\"%s\",kernels=\"%s\"} 1\n",
                  denoised_version, denoised_commit, dn_kernels_name());
    const enum store_status status = write_database(out, service);
    write_training(out, counters_get());
    write_sampling(out, counters_get());
    write_pool(out, service->pool);
    write_model_cache(out, service->models);
    write_http(out, service);
    write_store(out, service);
    counter(out, "denoised_log_lines_dropped_total", "Log lines dropped because nobody read them.",
            (double)log_dropped());
    gauge(out, "denoised_training_memory_limit_bytes", "Limit set by --max-training-memory.",
          (double)service->max_training_memory);
    gauge(out, "denoised_training_memory_bytes",
          "Memory reserved for training by the running jobs.",
          (double)workers_memory(service->workers));
    write_process(out, service->started_at);
    exchange->response.status = 200;
    exchange->response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    if (status != STORE_OK)
        problem_store(exchange, status);
    return HTTP_REPLY;
}
