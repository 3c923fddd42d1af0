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

#include "api/format/braille.h"
#include "api/format/svg.h"
#include "api/json.h"
#include "engine/denoise.h"
#include "server/client.h"

static const char host[] = "127.0.0.1";
enum { REQUEST_SECONDS = 60, POLL_MS = 100, MOST_VALUES = 1 << 20, SAMPLES = 1000 };

struct demo {
    char directory[256]; /* of the temporary database */
    pid_t server;
    int port;
    char job[64]; /* the job's id */
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

/* The JSON answer, or NULL with the reason on standard error. */
static cJSON *ask(const struct demo *demo, const char *method, const char *path, const char *json) {
    struct buffer body = {0};
    char error[200] = "no answer";
    const struct client_server server = {.host = host, .port = demo->port};
    int status = client_request(&server, method, path, json, REQUEST_SECONDS, &body);
    cJSON *answer = NULL;
    if (status >= 200 && status < 300)
        answer = json_read(body.data, strlen(body.data), MOST_VALUES, error, sizeof error);
    if (!answer)
        fprintf(stderr, "%s %s: %d %s\n", method, path, status, status > 0 ? body.data : error);
    buffer_clear(&body);
    return answer;
}

static double number(const cJSON *object, const char *group, const char *name) {
    const cJSON *inner = cJSON_GetObjectItemCaseSensitive(object, group);
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(inner, name);
    return cJSON_IsNumber(value) ? value->valuedouble : NAN;
}

/* ------------------------------------------------------------------ training */

static void show_progress(const cJSON *job) {
    enum { WIDTH = 40 };
    double fraction = number(job, "progress", "fraction");
    int filled = isfinite(fraction) ? (int)(fraction * WIDTH) : 0;
    printf("\r  [");
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
static bool follow(const struct demo *demo) {
    char path[96];
    snprintf(path, sizeof path, "/v1/jobs/%s", demo->job);
    for (;;) {
        cJSON *job = ask(demo, "GET", path, NULL);
        if (!job)
            return false;
        const char *status = cJSON_GetStringValue(cJSON_GetObjectItem(job, "status"));
        bool over = strcmp(status, "queued") != 0 && strcmp(status, "running") != 0;
        bool succeeded = strcmp(status, "succeeded") == 0;
        show_progress(job);
        if (over)
            printf("\n  %s\n", status);
        cJSON_Delete(job);
        if (over)
            return succeeded;
        nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
    }
}

static bool train(struct demo *demo, const char *preset) {
    char request[128];
    snprintf(request, sizeof request, "{\"name\":\"demo\",\"preset\":\"%s\"}", preset);
    printf("  POST /v1/jobs %s\n", request);
    cJSON *job = ask(demo, "POST", "/v1/jobs", request);
    if (!job)
        return false;
    snprintf(demo->job, sizeof demo->job, "%s",
             cJSON_GetStringValue(cJSON_GetObjectItem(job, "id")));
    cJSON_Delete(job);
    return follow(demo);
}

/* ------------------------------------------------------------------ looking at the result */

static bool write_file(const char *path, struct buffer *content) {
    FILE *file = content->failed ? NULL : fopen(path, "w");
    bool written = file && fwrite(content->data, 1, content->length, file) == content->length;
    if (file && fclose(file) != 0)
        written = false;
    if (written)
        printf("  wrote %s\n", path);
    else
        fprintf(stderr, "cannot write %s: %s\n", path, strerror(errno));
    buffer_clear(content);
    return written;
}

static bool show_samples(const struct demo *demo) {
    char path[128];
    snprintf(path, sizeof path, "/v1/models/%s/samples?n=%d&seed=0", demo->job, SAMPLES);
    cJSON *answer = ask(demo, "GET", path, NULL);
    if (!answer)
        return false;
    static float points[2 * SAMPLES];
    size_t n = 0;
    const cJSON *point;
    cJSON_ArrayForEach(point, cJSON_GetObjectItem(answer, "points")) {
        if (n == SAMPLES)
            break;
        points[2 * n] = (float)cJSON_GetArrayItem(point, 0)->valuedouble;
        points[2 * n + 1] = (float)cJSON_GetArrayItem(point, 1)->valuedouble;
        n++;
    }
    double seconds = cJSON_GetObjectItem(answer, "duration_seconds")->valuedouble;
    cJSON_Delete(answer);

    struct buffer plot = {0}, svg = {0};
    braille_points(&plot, points, n, 60, 26);
    buffer_append(&plot, "", 1);
    printf("  GET %s: %zu points in %.1f ms\n\n%s\n", path, n, 1e3 * seconds,
           plot.failed ? "" : plot.data);
    printf("  mean distance to the spiral: %.4f (the tutorial reached 0.016)\n",
           dn_pattern_mean_distance(DN_SPIRAL, points, n));
    buffer_clear(&plot);
    svg_points(&svg,
               &(struct point_set){
                   .points = points, .n = n, .dim = 2, .title = "1000 samples after training"});
    return write_file("samples.svg", &svg);
}

static size_t read_column(const cJSON *history, const char *name, double *values, size_t most) {
    const cJSON *data = cJSON_GetObjectItem(history, "data"), *value;
    size_t count = 0;
    cJSON_ArrayForEach(value, cJSON_GetObjectItem(data, name)) {
        if (count < most)
            values[count++] = cJSON_IsNumber(value) ? value->valuedouble : NAN;
    }
    return count;
}

static bool show_loss(const struct demo *demo) {
    enum { MOST = 1000 };
    static double epochs[MOST], train_loss[MOST], val_loss[MOST];
    char path[128];
    snprintf(path, sizeof path, "/v1/jobs/%s/history?limit=%d", demo->job, MOST);
    cJSON *history = ask(demo, "GET", path, NULL);
    if (!history)
        return false;
    size_t count = read_column(history, "epoch", epochs, MOST);
    read_column(history, "train_loss", train_loss, MOST);
    read_column(history, "val_loss", val_loss, MOST);
    cJSON_Delete(history);
    struct buffer svg = {0};
    svg_curves(&svg, &(struct curves){.title = "loss",
                                      .x_name = "epoch",
                                      .x = epochs,
                                      .count = count,
                                      .names = {"training loss", "validation loss"},
                                      .y = {train_loss, val_loss}});
    return write_file("loss.svg", &svg);
}

int demo_run(int argc, char **argv) {
    const char *preset = "sinai2022";
    if (argc == 2 && strcmp(argv[0], "--preset") == 0) {
        preset = argv[1];
    } else if (argc != 0) {
        fprintf(stderr, "usage: denoised demo [--preset NAME]\n");
        return 2;
    }
    struct demo demo = {.server = -1};
    bool done = start_server(&demo);
    if (done)
        printf("  a server with a temporary database listens on http://%s:%d\n", host, demo.port);
    else
        fprintf(stderr, "the server did not start\n");
    done = done && train(&demo, preset) && show_samples(&demo) && show_loss(&demo);
    stop_server(&demo);
    return done ? 0 : 1;
}
