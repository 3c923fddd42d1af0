#include "api/demo.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "api/contract/json.h"
#include "server/arguments.h"
#include "server/client.h"

static const char host[] = "127.0.0.1";
enum { REQUEST_SECONDS = 60, POLL_MS = 100 };

/* Ctrl-C also ends the server, but its files must still be removed. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int number) {
    (void)number;
    interrupted = 1;
}

struct demo {
    char directory[256]; /* of the temporary database */
    pid_t server;
    int port;
    char job[64];   /* the job's id */
    char path[128]; /* of the last request */
    int tenths;     /* of the job's progress that have been shown */
};

/* ------------------------------------------------------------------ the server */

static void run_server(const struct demo *demo, int output) {
    char database[288];
    snprintf(database, sizeof database, "%s/demo.db", demo->directory);
    dup2(output, STDOUT_FILENO);
    execl("/proc/self/exe", "denoised", "serve", "--host", host, "--port", "0", "--database",
          database, "--log-level", "error", (char *)NULL);
    _exit(127);
}

static bool start_server(struct demo *demo) {
    int ends[2];
    const char *parent = getenv("TMPDIR");
    int length = snprintf(demo->directory, sizeof demo->directory, "%s/denoised-demo-XXXXXX",
                          parent && parent[0] ? parent : "/tmp");
    if (length >= (int)sizeof demo->directory || !mkdtemp(demo->directory) || pipe(ends) != 0)
        return false;
    demo->server = fork();
    if (demo->server == 0) {
        close(ends[0]);
        run_server(demo, ends[1]);
    }
    close(ends[1]);
    FILE *output = fdopen(ends[0], "r");
    bool listening = demo->server > 0 && output &&
                     fscanf(output, "listening on http://127.0.0.1:%d", &demo->port) == 1;
    if (output)
        fclose(output);
    return listening;
}

static void stop_server(struct demo *demo) {
    static const char *const files[] = {"demo.db", "demo.db-wal", "demo.db-shm", "demo.db.lock"};
    if (demo->server > 0) {
        kill(demo->server, SIGTERM);
        while (waitpid(demo->server, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[288];
        snprintf(path, sizeof path, "%s/%s", demo->directory, files[i]);
        unlink(path);
    }
    rmdir(demo->directory);
}

/* Reports a failed request, with the detail of the server's response if there is one. */
static void complain(const char *method, const char *path, int status, const struct buffer *body) {
    char error[200];
    cJSON *problem =
        status > 0 ? json_read(body->data, body->length, JSON_MAX_VALUES, NULL, error, sizeof error)
                   : NULL;
    const char *detail = cJSON_GetStringValue(cJSON_GetObjectItem(problem, "detail"));
    fprintf(stderr, "%s %s: %d %s\n", method, path, status,
            detail       ? detail
            : status > 0 ? body->data
                         : "no answer");
    cJSON_Delete(problem);
}

/* Makes a request, POST if there is JSON to send, for a path that may contain the job's id (%s).
 * The caller clears the body. False: it failed, and the reason is on standard error. */
static bool ask(struct demo *demo, const char *path_format, const char *json, struct buffer *body) {
    const struct client_server server = {.host = host, .port = demo->port};
    const char *method = json ? "POST" : "GET";
    snprintf(demo->path, sizeof demo->path, path_format, demo->job);
    const int status = client_request(&server, method, demo->path, json, REQUEST_SECONDS, body);
    if (status >= 200 && status < 300)
        return true;
    if (!interrupted)
        complain(method, demo->path, status, body);
    buffer_clear(body);
    return false;
}

/* The same for a response in JSON; NULL: it failed. */
static cJSON *ask_json(struct demo *demo, const char *path_format, const char *json) {
    struct buffer body = {0};
    char error[200];
    if (!ask(demo, path_format, json, &body))
        return NULL;
    cJSON *answer = json_read(body.data, body.length, JSON_MAX_VALUES, NULL, error, sizeof error);
    if (!answer)
        fprintf(stderr, "%s %s: %s\n", json ? "POST" : "GET", demo->path, error);
    buffer_clear(&body);
    return answer;
}

static double number(const cJSON *object, const char *group, const char *name) {
    const cJSON *inner = cJSON_GetObjectItemCaseSensitive(object, group);
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(inner, name);
    return cJSON_IsNumber(value) ? value->valuedouble : NAN;
}

/* ------------------------------------------------------------------ training */

/* A terminal shows one line that is overwritten; anything else gets a line for each tenth. */
static void show_progress(struct demo *demo, const cJSON *job) {
    enum { WIDTH = 40 };
    double fraction = number(job, "progress", "fraction");
    int filled = isfinite(fraction) ? (int)(fraction * WIDTH) : 0;
    if (!isatty(STDOUT_FILENO)) {
        if (filled * 10 / WIDTH < demo->tenths)
            return;
        demo->tenths = filled * 10 / WIDTH + 1;
    }
    printf(isatty(STDOUT_FILENO) ? "\r  [" : "\n  [");
    for (int i = 0; i < WIDTH; i++)
        fputs(i < filled ? "\u2588" : "\u00b7", stdout);
    printf("] epoch %3.0f/%.0f", number(job, "progress", "epoch"),
           number(job, "progress", "epochs"));
    double loss = number(job, "metrics", "train_loss"),
           eta = number(job, "progress", "eta_seconds");
    if (isfinite(loss))
        printf("  loss %.4f", loss);
    if (isfinite(eta))
        printf("  %.1f s left ", eta);
    else
        printf("             ");
    fflush(stdout);
}

/* Polls until the job is over. */
static bool follow(struct demo *demo) {
    while (!interrupted) {
        cJSON *job = ask_json(demo, "/v1/jobs/%s", NULL);
        if (!job)
            return false;
        const char *status = cJSON_GetStringValue(cJSON_GetObjectItem(job, "status"));
        bool over = strcmp(status, "queued") != 0 && strcmp(status, "running") != 0;
        bool succeeded = strcmp(status, "succeeded") == 0;
        show_progress(demo, job);
        if (over)
            printf("\n  %s\n", status);
        cJSON_Delete(job);
        if (over)
            return succeeded;
        nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
    }
    return false;
}

static bool train(struct demo *demo, const char *preset) {
    cJSON *wanted = cJSON_CreateObject();
    cJSON_AddStringToObject(wanted, "name", "demo");
    cJSON_AddStringToObject(wanted, "preset", preset);
    char *request = cJSON_PrintUnformatted(wanted);
    cJSON_Delete(wanted);
    printf("  POST /v1/jobs %s\n", request);
    cJSON *job = ask_json(demo, "/v1/jobs", request);
    cJSON_free(request);
    if (!job)
        return false;
    snprintf(demo->job, sizeof demo->job, "%s",
             cJSON_GetStringValue(cJSON_GetObjectItem(job, "id")));
    cJSON_Delete(job);
    return follow(demo);
}

/* ------------------------------------------------------------------ looking at the result */

static bool show_samples(struct demo *demo) {
    struct buffer plot = {0};
    if (!ask(demo, "/v1/models/%s/samples.txt", NULL, &plot))
        return false;
    printf("  GET %s\n\n%s\n", demo->path, plot.data);
    buffer_clear(&plot);
    return true;
}

static bool show_distance(struct demo *demo) {
    cJSON *answer = ask_json(demo, "/v1/models/%s/evaluation", NULL);
    if (answer)
        printf("  GET %s\n  mean distance to the spiral: %.4f (the tutorial reached 0.016)\n",
               demo->path,
               number(cJSON_GetObjectItem(answer, "metrics"), "curve_distance", "mean"));
    cJSON_Delete(answer);
    return answer;
}

/* Writes the response to a file. */
static bool save(struct demo *demo, const char *path_format, const char *name) {
    struct buffer content = {0};
    if (!ask(demo, path_format, NULL, &content))
        return false;
    FILE *file = fopen(name, "w");
    bool written = file && fwrite(content.data, 1, content.length, file) == content.length;
    if (file && fclose(file) != 0)
        written = false;
    if (written)
        printf("  GET %s > %s\n", demo->path, name);
    else
        fprintf(stderr, "cannot write %s: %s\n", name, strerror(errno));
    buffer_clear(&content);
    return written;
}

int demo_run(int argc, char **argv) {
    const char *preset = "default";
    for (int i = 0; i < argc; i++)
        if (!(preset = argument_value(argc, argv, &i, "--preset")))
            return argument_unknown(argv[i], "--preset");
    struct demo demo = {.server = -1};
    const struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    bool done = start_server(&demo);
    if (done)
        printf("  a server with a temporary database listens on http://%s:%d\n", host, demo.port);
    else if (!interrupted)
        fprintf(stderr, "the server did not start\n");
    done = done && train(&demo, preset) && show_samples(&demo) && show_distance(&demo) &&
           save(&demo, "/v1/models/%s/samples.svg", "samples.svg") &&
           save(&demo, "/v1/jobs/%s/history.svg", "loss.svg");
    stop_server(&demo);
    return done ? 0 : 1;
}
